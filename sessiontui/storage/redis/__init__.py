"""Sessions in Redis: the keys that omp uses, changed in atomic steps.

| where | what |
| --- | --- |
| `backend`, `cluster_untagged` | the backend; the one for a cluster whose prefix has no hash tag |
| `settings`, `tls`, `connection`, `cluster` | connections: to whom and how |
| `keys`, `scripts`, `steps`, `fields`, `trash` | what is stored, and the steps that change it |
| `index`, `ranges` | reading: all keys, bytes of some |
| `watch`, `poll` | learning of changes |
| `errors` | error replies in plain words |
| `embedded` | a private server for the demo and for tests |
"""
