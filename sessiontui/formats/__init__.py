"""Pure values that the rooms of the project speak to one another: no input, no output, no loop.

| where | what |
| --- | --- |
| `decode`, `encode`, `entries`, `lines`, `partial` | a line and its entries, both ways |
| `title_slot`, `times`, `text` | omp's title slot; times; text made safe to show |
| `changes`, `progress` | what happened to a session; how far a piece of work is |
| `source`, `redis_url` | where sessions are kept, as the user writes it |
"""
