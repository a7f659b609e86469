"""Sessions in Redis: the keys that omp uses, changed in atomic steps.

| where | what |
| --- | --- |
| `backend` | all of it; `apart_backend`, `apart` where a cluster keeps keys apart |
| `link`, `settings`, `tls`, `sentinel`, `cluster`, `fence` | connections: to whom and how |
| `keys`, `scripts`, `steps`, `fields`, `trash` | what is stored, and the steps that change it |
| `index`, `reads`, `poll` | reading: all keys, ranges of some, what changed |
| `watch`, `cluster_watch`, `signals` | learning of changes |
| `errors`, `rights` | what the server refuses, in our words |
"""
