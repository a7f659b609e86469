"""Sessions in a folder: files as omp writes them.

| where | what |
| --- | --- |
| `backend` | hands everything to one worker thread |
| `paths`, `io`, `files`, `joining`, `staging`, `moves`, `transfer` | changing files |
| `walk`, `watch`, `notify`, `pace` | what is there, and learning of changes |
| `trash`, `manifest` | what was deleted, and the way back |
| `rights` | whether anything may be written |
"""
