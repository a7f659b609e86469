"""Sessions in memory: the reference of what a backend does, and what most tests run on."""

from sessiontui.storage.memory.backend import MemoryBackend
from sessiontui.storage.memory.store import MemoryStore

__all__ = ["MemoryBackend", "MemoryStore"]
