"""Sessions in a folder: files as omp writes them.

| where | what |
| --- | --- |
| `backend` | the backend; hands everything that blocks to worker threads |
| `paths`, `io`, `files`, `staging`, `moves` | reading and changing files |
| `walk`, `watch`, `notify` | listing sessions, and learning of changes |
| `trash`, `manifest` | deleted sessions, and the way back |
"""
