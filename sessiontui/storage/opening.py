"""The storage over each of its backends, loaded and ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from sessiontui.sources import DEFAULT_PREFIX
from sessiontui.storage.storage import SessionStorage

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis

    from sessiontui.storage.backend import Backend
    from sessiontui.storage.memory import MemoryStore
    from sessiontui.storage.storage import Contents


class _Opened(SessionStorage):
    """A storage that is loaded before anybody sees it."""

    @classmethod
    async def _open(cls, backend: Backend, contents: Contents) -> Self:
        storage = cls(backend, contents=contents)
        try:
            await storage.load()
        except BaseException:
            await storage.aclose()
            raise
        return storage


class RedisSessionStorage(_Opened):
    """Sessions in Redis, under the keys that omp uses."""

    @classmethod
    async def create(
        cls,
        client: Redis,
        *,
        prefix: str = DEFAULT_PREFIX,
        scan_count: int = 500,
        contents: Contents = "resident",
    ) -> Self:
        """Open the sessions under `prefix`.

        Args:
            client: Any `redis.asyncio` client, also one that decodes; stays open.
            prefix: What all keys begin with, verbatim.
            scan_count: How many keys to ask for at a time.
            contents: Whether to hold all bytes, or the index alone.

        Raises:
            StorageError: The server could not be asked.
        """
        from sessiontui.storage.redis.backend import RedisBackend

        backend = RedisBackend.from_client(client, prefix=prefix, scan_count=scan_count)
        return await cls._open(backend, contents)


class DirectorySessionStorage(_Opened):
    """Sessions in a folder, as omp writes them."""

    @classmethod
    async def create(
        cls, root: Path | str, *, absolute: bool = False, contents: Contents = "resident"
    ) -> Self:
        """Open the sessions under a folder.

        Args:
            root: The folder; it must exist.
            absolute: Whether paths are the files' own, else they begin at `root`.
            contents: Whether to hold all bytes, or the index alone.

        Raises:
            StorageError: The folder could not be read.
        """
        from sessiontui.storage.directory.backend import DirectoryBackend

        return await cls._open(DirectoryBackend(root, absolute=absolute), contents)


class MemorySessionStorage(_Opened):
    """Sessions in memory, for tests and for trying things."""

    @classmethod
    async def create(
        cls, store: MemoryStore | None = None, *, contents: Contents = "resident"
    ) -> Self:
        """Open sessions in memory; `store` None makes an empty one."""
        from sessiontui.storage.memory import MemoryBackend

        return await cls._open(MemoryBackend(store), contents)
