"""Sessions in a folder: files as omp writes them."""
