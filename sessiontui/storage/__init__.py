"""Sessions as bytes: the mirror, the pending-write chain and the change feed over any backend."""
