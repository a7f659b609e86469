"""Text and figures of all sessions of a source, kept in a file between runs.

`file` is the file and `place` where it is, `lock` who may write it; `writer` and `reader`
speak `values`, and keep texts as `records`. When it is brought up to date: `search.indexer`.
"""
