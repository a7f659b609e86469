"""Search over all sessions of a source, by an index that is kept between runs.

`index` is the SQLite file and its lock, `writer` and `reader` work on it, `index_cache` is what is
kept of it in memory. `indexer` keeps it up to date, `session_index` owns it for a workspace, and
`session_search` is one search.
"""
