"""A store of each kind, and what another process does to it with plain means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from redis.exceptions import ResponseError

from sessiontui.storage import RetryPolicy, SessionStorage
from sessiontui.storage.directory.backend import DirectoryBackend
from sessiontui.storage.memory import MemoryBackend, MemoryStore
from sessiontui.storage.redis.backend import RedisBackend
from sessiontui.times import now_ms
from tests.contract.flaky import FlakyBackend

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis

    from sessiontui.storage.backend import Backend
    from sessiontui.storage.storage import ContentsPolicy

PREFIX = "omp:sessions:"
AT_ONCE = RetryPolicy(attempts=8, first_s=0.0, longest_s=0.0)
"""Retries without a pause."""


class Peer(Protocol):
    """Another process at the same sessions; nothing of ours is between it and the store."""

    has_titles: bool

    def backend(self) -> Backend: ...
    async def append(self, path: str, data: bytes) -> None: ...
    async def write(self, path: str, data: bytes, *, title: bytes | None = None) -> None: ...
    async def retitle(self, path: str, title: bytes) -> None: ...
    async def rename(self, source: str, target: str) -> None: ...
    async def delete(self, path: str) -> None: ...
    async def data(self, path: str) -> bytes | None: ...
    async def mtime_ms(self, path: str) -> int | None: ...
    async def title(self, path: str) -> bytes | None: ...
    async def paths(self) -> set[str]: ...
    async def flood(self, sessions: dict[str, bytes]) -> None: ...


class MemoryPeer:
    has_titles = True

    def __init__(self) -> None:
        self.store = MemoryStore()

    def backend(self) -> Backend:
        return MemoryBackend(self.store)

    async def append(self, path: str, data: bytes) -> None:
        self.store.append(path, data)

    async def write(self, path: str, data: bytes, *, title: bytes | None = None) -> None:
        self.store.write(path, data, title=title)

    async def retitle(self, path: str, title: bytes) -> None:
        self.store.retitle(path, title)

    async def rename(self, source: str, target: str) -> None:
        if source not in self.store.sessions:
            raise FileNotFoundError(source)
        self.store.rename(source, target)

    async def delete(self, path: str) -> None:
        self.store.delete(path)

    async def data(self, path: str) -> bytes | None:
        return self.store.data(path)

    async def mtime_ms(self, path: str) -> int | None:
        held = self.store.sessions.get(path)
        return None if held is None else held.mtime_ms

    async def title(self, path: str) -> bytes | None:
        held = self.store.sessions.get(path)
        return None if held is None else held.title

    async def paths(self) -> set[str]:
        return set(self.store.sessions)

    async def flood(self, sessions: dict[str, bytes]) -> None:
        for path, data in sessions.items():
            self.store.write(path, data)


class RedisPeer:
    """Does what omp does, with the commands omp uses."""

    has_titles = True

    def __init__(self, client: Redis) -> None:
        self.client: Any = client

    def backend(self) -> Backend:
        return RedisBackend.from_client(self.client, prefix=PREFIX)

    async def append(self, path: str, data: bytes) -> None:
        await self.client.append(PREFIX + "file:" + path, data)
        await self.client.hset(PREFIX + "meta", path, str(now_ms()))

    async def write(self, path: str, data: bytes, *, title: bytes | None = None) -> None:
        async with self.client.pipeline(transaction=True) as commands:
            commands.set(PREFIX + "file:" + path, data)
            commands.hset(PREFIX + "meta", path, str(now_ms()))
            if title is not None:
                commands.hset(PREFIX + "title", path, title)
            await commands.execute()

    async def retitle(self, path: str, title: bytes) -> None:
        async with self.client.pipeline(transaction=True) as commands:
            commands.hset(PREFIX + "title", path, title)
            commands.hset(PREFIX + "meta", path, str(now_ms()))
            await commands.execute()

    async def rename(self, source: str, target: str) -> None:
        mtime = await self.client.hget(PREFIX + "meta", source)
        try:
            await self.client.rename(PREFIX + "file:" + source, PREFIX + "file:" + target)
        except ResponseError as error:
            raise FileNotFoundError(source) from error
        await self.client.hdel(PREFIX + "meta", source)
        await self.client.hset(PREFIX + "meta", target, mtime or str(now_ms()))

    async def delete(self, path: str) -> None:
        await self.client.delete(PREFIX + "file:" + path)
        await self.client.hdel(PREFIX + "meta", path)

    async def data(self, path: str) -> bytes | None:
        found: bytes | None = await self.client.get(PREFIX + "file:" + path)
        return found

    async def mtime_ms(self, path: str) -> int | None:
        found = await self.client.hget(PREFIX + "meta", path)
        return None if found is None else int(found)

    async def title(self, path: str) -> bytes | None:
        found: bytes | None = await self.client.hget(PREFIX + "title", path)
        return found

    async def paths(self) -> set[str]:
        keys = [key async for key in self.client.scan_iter(match=PREFIX + "file:*")]
        return {key.decode().removeprefix(PREFIX + "file:") for key in keys}

    async def flood(self, sessions: dict[str, bytes]) -> None:
        await self.client.mset({PREFIX + "file:" + path: data for path, data in sessions.items()})
        await self.client.hset(PREFIX + "meta", mapping={path: str(now_ms()) for path in sessions})


class DirectoryPeer:
    """Does what omp does, with plain files."""

    has_titles = False

    def __init__(self, folder: Path) -> None:
        self.root = folder / "sessions"
        self.root.mkdir()
        self._trash = folder / "trash"

    def backend(self) -> Backend:
        return DirectoryBackend(self.root, trash_root=self._trash)

    def _file(self, path: str) -> Path:
        return self.root / path.removeprefix("/")

    async def append(self, path: str, data: bytes) -> None:
        file = self._file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab", buffering=0) as stream:
            stream.write(data)

    async def write(self, path: str, data: bytes, *, title: bytes | None = None) -> None:
        file = self._file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f".{file.name}.1.tmp")
        beside.write_bytes(data)
        beside.replace(file)

    async def retitle(self, path: str, title: bytes) -> None:
        raise NotImplementedError

    async def rename(self, source: str, target: str) -> None:
        self._file(target).parent.mkdir(parents=True, exist_ok=True)
        self._file(source).rename(self._file(target))

    async def delete(self, path: str) -> None:
        self._file(path).unlink()

    async def data(self, path: str) -> bytes | None:
        file = self._file(path)
        return file.read_bytes() if file.is_file() else None

    async def mtime_ms(self, path: str) -> int | None:
        file = self._file(path)
        return file.stat().st_mtime_ns // 1_000_000 if file.is_file() else None

    async def title(self, path: str) -> bytes | None:
        return None

    async def paths(self) -> set[str]:
        files = [file for file in self.root.rglob("*") if file.is_file()]
        return {"/" + file.relative_to(self.root).as_posix() for file in files}

    async def flood(self, sessions: dict[str, bytes]) -> None:
        for path, data in sessions.items():
            await self.append(path, data)


class World:
    """A store, its peer, and the storages that a test opens over it."""

    def __init__(self, peer: Peer, contents: ContentsPolicy) -> None:
        self.peer = peer
        self.contents = contents
        self.backends: list[FlakyBackend] = []
        self._storages: list[SessionStorage] = []

    @property
    def flaky(self) -> FlakyBackend:
        """The backend of the storage opened last."""
        return self.backends[-1]

    def make(
        self,
        *,
        contents: ContentsPolicy | None = None,
        follow: bool = True,
        retries: RetryPolicy = AT_ONCE,
    ) -> SessionStorage:
        """Return a storage that is not loaded; closed after the test."""
        self.backends.append(FlakyBackend(self.peer.backend()))
        storage = SessionStorage(
            self.flaky, contents=contents or self.contents, follow=follow, retries=retries
        )
        self._storages.append(storage)
        return storage

    async def open(
        self,
        *,
        contents: ContentsPolicy | None = None,
        follow: bool = True,
        retries: RetryPolicy = AT_ONCE,
    ) -> SessionStorage:
        """Return a loaded storage."""
        storage = self.make(contents=contents, follow=follow, retries=retries)
        await storage.load()
        return storage

    async def close(self) -> None:
        for backend in self.backends:
            backend.open.set()
            backend.scanning.set()
            backend.answering.set()
            backend.reading.set()
        for storage in self._storages:
            await storage.aclose()
