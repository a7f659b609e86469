"""A session to read: pages of bytes, entries, display blocks; through an injected read.

| where | what |
| --- | --- |
| `document`, `pages` | the window on a session |
| `whole`, `stored` | one entry as a whole, or as it is stored |
| `blocks`, `blocks_…`, `tools`, `tool_facts`, `diffs`, `content` | from entries to display blocks |
| `lens`, `knots`, `branches`, `context` | the tree of entries: a branch, what the model sees |
| `pairs`, `links` | calls and their results |
| `find`, `search`, `words`, `patience` | finding a text |
| `seek`, `moments`, `turns` | going to a kind of block, a time, a turn |
| `said`, `copies` | texts alone: for the index, for the clipboard |
"""
