"""Sessions in Redis: the keys that omp uses, changed in atomic steps."""
