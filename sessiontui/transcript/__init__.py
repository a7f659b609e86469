"""A session to read: pages of bytes and the entries in them, through an injected read.

| where | what |
| --- | --- |
| `document`, `pages` | the window on a session |
| `branch_filter`, `branches` | which entries one branch has; all branches |
| `pairing` | tool calls and their results |
| `search`, `regex_timeout` | searching a transcript |
| `navigate` | the next entry of a kind, the turns, the entry of a time |
| `entry_text` | one entry as text: for the pager, for the clipboard, as JSON |
"""
