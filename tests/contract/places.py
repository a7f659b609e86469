"""A folder or a prefix in Redis, and what another program does and sees in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessiontui.sources import DirectorySource, RedisSource
from sessiontui.storage.directory.backend import DirectoryBackend
from sessiontui.storage.redis.backend import RedisBackend
from tests.contract.worlds import PREFIX

if TYPE_CHECKING:
    from sessiontui.sources import Source
    from sessiontui.storage.backend import Backend
    from tests.servers import RealServer

WHEN = 1_790_000_000_123


class Store:
    """A store and what another program sees in it."""

    def __init__(self, kind: str, folder: Path, server: RealServer, client: Any) -> None:
        self.kind = kind
        self.is_folder = kind in ("folder", "other")
        self.root = folder / kind
        self.trash = folder / f"trash-{kind}"
        self.prefix = "second:" if kind == "second" else PREFIX
        self.server = server
        self.client = client
        if self.is_folder:
            self.root.mkdir()

    @property
    def source(self) -> Source:
        if self.is_folder:
            return DirectorySource(self.root)
        return RedisSource(socket=str(self.server.socket), prefix=self.prefix)

    def connect(self, source: Source, _password: str | None) -> Backend:
        if isinstance(source, RedisSource):
            return RedisBackend.from_source(source)
        return DirectoryBackend(self.root, absolute=True, trash_root=self.trash)

    def path(self, folder: str, name: str) -> str:
        """Return a path in this store's own way."""
        return f"{self.root}/{folder}/{name}" if self.is_folder else f"/sessions/{folder}/{name}"

    async def write(
        self, path: str, data: bytes, *, title: bytes | None = None, mtime_ms: int = WHEN
    ) -> None:
        if self.is_folder:
            _write(Path(path), data, mtime_ms)
            return
        await self.client.set(f"{self.prefix}file:{path}", data)
        await self.client.hset(f"{self.prefix}meta", path, str(mtime_ms))
        if title is not None:
            await self.client.hset(f"{self.prefix}title", path, title)

    async def append(self, path: str, data: bytes) -> None:
        if self.is_folder:
            _append(Path(path), data)
            return
        await self.client.append(f"{self.prefix}file:{path}", data)
        await self.client.hset(f"{self.prefix}meta", path, str(WHEN + 1))

    async def all(self) -> dict[str, bytes]:
        """Return everything in the store by its path."""
        if self.is_folder:
            files = (file for file in self.root.rglob("*") if file.is_file())
            return {str(file): file.read_bytes() for file in files}
        start = f"{self.prefix}file:"
        keys = [key.decode() async for key in self.client.scan_iter(match=f"{start}*")]
        found = {key.removeprefix(start): await self.client.get(key) for key in keys}
        return {path: bytes(data) for path, data in found.items()}

    async def times(self) -> dict[str, int]:
        if self.is_folder:
            files = (file for file in self.root.rglob("*") if file.is_file())
            return {str(file): file.stat().st_mtime_ns // 10**6 for file in files}
        found = await self.client.hgetall(f"{self.prefix}meta")
        return {path.decode(): int(value) for path, value in found.items()}

    async def title(self, path: str) -> Any:
        return None if self.is_folder else await self.client.hget(f"{self.prefix}title", path)


def _write(file: Path, data: bytes, mtime_ms: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    os.utime(file, ns=(mtime_ms * 10**6, mtime_ms * 10**6))


def _append(file: Path, data: bytes) -> None:
    with file.open("ab", buffering=0) as stream:
        stream.write(data)
