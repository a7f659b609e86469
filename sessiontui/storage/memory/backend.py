"""A backend over the store in memory: the reference of what a backend does.

Any number of `MemoryBackend` open one store, each as another process would.
Every command gives way to the event loop before and after it takes effect, as
a connection does.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from sessiontui.errors import (
    BackendDownError,
    SessionExistsError,
    SessionNotFoundError,
    WriteConflictError,
)
from sessiontui.storage.backend import (
    HEAD_BYTES,
    FeedState,
    Field,
    Range,
    ScanBatch,
    Seen,
    Stat,
    TrashItem,
)
from sessiontui.storage.memory.store import MemoryStore, Thrown, Watcher
from sessiontui.storage.retention import kept_until, may_go, next_mark

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence

    from sessiontui.storage.backend import FieldChange, Signal

_SCAN_BATCH: Final = 1000


class MemoryBackend:
    """A `Backend` over a `MemoryStore`.

    Args:
        store: The store; None makes an empty one of its own.
    """

    label = "memory"

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = MemoryStore() if store is None else store
        self.down = False
        """Whether the store cannot be reached: every command fails without having run."""
        self.visible: Callable[[], Collection[str]] = tuple
        """What the last who subscribed calls visible; nothing is polled here."""

    async def scan(self) -> AsyncIterator[ScanBatch]:
        """Yield the index."""
        async for batch in self.scan_under(""):
            yield batch

    def scan_contents(self) -> AsyncIterator[ScanBatch]:
        """Yield the index; contents are read as usual."""
        return self.scan()

    async def scan_under(self, prefix: str) -> AsyncIterator[ScanBatch]:
        """Yield all whose path starts with `prefix`."""
        await self._ask()
        paths = [path for path in self.store.sessions if path.startswith(prefix)]
        for start in range(0, len(paths), _SCAN_BATCH):
            chunk = paths[start : start + _SCAN_BATCH]
            yield ScanBatch(
                tuple(self.store.stat(path) for path in chunk if path in self.store.sessions)
            )
            await self._ask()

    async def probe(self, ranges: Sequence[Range]) -> list[Seen | None]:
        """Return each session with some of its bytes."""
        await self._ask()
        seen = [self._seen(item) for item in ranges]
        await asyncio.sleep(0)
        return seen

    async def read(self, ranges: Sequence[Range]) -> list[bytes | None]:
        """Return the bytes of each range."""
        await self._ask()
        parts = [self._slice(item) for item in ranges]
        await asyncio.sleep(0)
        return parts

    async def append(self, path: str, data: bytes, *, mtime_ms: int) -> Stat:
        """Add `data` at the end."""
        async with self._change():
            self.store.append(path, data, mtime_ms=mtime_ms)
            return self.store.stat(path)

    async def write(
        self,
        path: str,
        data: bytes,
        *,
        mtime_ms: int,
        expected_size: int | Literal["any", "absent"] = "any",
        title: bytes | Literal["keep"] | None = "keep",
    ) -> Stat:
        """Replace the whole session."""
        async with self._change():
            if expected_size != "any":
                self._expect(path, None if expected_size == "absent" else expected_size)
            self.store.write(path, data, mtime_ms=mtime_ms, title=title)
            return self.store.stat(path)

    async def patch(
        self,
        path: str,
        *,
        old: bytes,
        new: bytes,
        mtime_ms: int | None,
        title: bytes | Literal["keep"],
    ) -> Stat:
        """Replace the first bytes in place and set the title."""
        if len(old) != len(new):
            raise ValueError("a patch keeps the length")
        async with self._change():
            held = self.store.sessions.get(path)
            if held is None:
                raise SessionNotFoundError(path)
            if not held.data.startswith(old):
                size = len(held.data)
                raise WriteConflictError(path, expected_size=size, actual_size=size)
            held.data[: len(new)] = new
            named = held.title if title == "keep" else title
            before_ms = held.mtime_ms
            self.store.retitle(path, named, mtime_ms=mtime_ms)
            if mtime_ms is None:
                held.mtime_ms = before_ms
            return self.store.stat(path)

    async def prepend(
        self, path: str, data: bytes, *, expected_size: int, mtime_ms: int | None, title: bytes
    ) -> Stat:
        """Put `data` before the first byte."""
        async with self._change():
            self._expect(path, expected_size)
            before = self.store.sessions[path]
            whole = data + bytes(before.data)
            self.store.write(path, whole, mtime_ms=mtime_ms, title=title)
            if mtime_ms is None:
                self.store.sessions[path].mtime_ms = before.mtime_ms
            return self.store.stat(path)

    async def keep(
        self,
        path: str,
        start: int,
        stop: int,
        *,
        expected_size: int,
        mtime_ms: int,
        title: bytes | Literal["keep"] | None = "keep",
    ) -> Stat:
        """Keep only some of the bytes."""
        async with self._change():
            self._expect(path, expected_size)
            kept = bytes(self.store.sessions[path].data[start:stop])
            self.store.write(path, kept, mtime_ms=mtime_ms, title=title)
            return self.store.stat(path)

    async def join(
        self, item: TrashItem, target: Stat, *, between: bytes, skip: int, mtime_ms: int
    ) -> Stat:
        """Add a session's bytes at the end of another one, and move it out of sight."""
        async with self._change():
            if item.path not in self.store.sessions:
                raise SessionNotFoundError(item.path)
            self._expect(item.path, item.stats[0].size)
            self._expect(target.path, target.size)
            held = self.store.sessions[item.path]
            self.store.append(target.path, between + bytes(held.data[skip:]), mtime_ms=mtime_ms)
            self.store.trashed[item.id] = Thrown(item, {item.path: replace(held)})
            self.store.delete(item.path)
            return self.store.stat(target.path)

    async def loose_fields(self) -> AsyncIterator[list[Field]]:
        """Yield times and titles of no session."""
        await self._ask()
        yield [
            Field(kind, path, value)
            for (kind, path), value in self.store.loose.items()
            if path not in self.store.sessions
        ]

    async def change_fields(self, changes: Sequence[FieldChange]) -> list[bool]:
        """Change fields, each for itself."""
        async with self._change():
            return [self.store.change_field(change) for change in changes]

    async def rename(self, moves: Sequence[tuple[str, str]], *, overwrite: bool = False) -> None:
        """Move sessions, all or none."""
        async with self._change():
            sources = {source for source, _ in moves}
            for source, target in moves:
                if source not in self.store.sessions:
                    raise SessionNotFoundError(source)
                if target in self.store.sessions and target not in sources and not overwrite:
                    raise SessionExistsError(target)
            for source, target in moves:
                self.store.rename(source, target)

    async def delete(self, paths: Sequence[str]) -> None:
        """Remove sessions for good."""
        async with self._change():
            if paths[0] not in self.store.sessions:
                raise SessionNotFoundError(paths[0])
            self.store.delete(*paths)

    async def stage(self, token: str, number: int, start: int, data: bytes) -> None:
        """Keep bytes of a file that is built aside."""
        async with self._change():
            built = self.store.staged.setdefault(token, {}).setdefault(number, bytearray())
            built.extend(bytes(max(0, start - len(built))))
            built[start : start + len(data)] = data

    async def staged(self, token: str) -> bool:
        """Tell whether something is staged under a token."""
        return token in self.store.staged

    async def lives(self, paths: Sequence[str]) -> list[int | None]:
        """Return None for each: nothing goes by itself."""
        return [None] * len(paths)

    async def place(
        self,
        token: str,
        files: Sequence[Stat],
        lives: Sequence[int | None] = (),  # noqa: ARG002
    ) -> None:
        """Put staged files in place."""
        async with self._change():
            staged = self.store.staged.get(token, {})
            for number, stat in enumerate(files):
                size = len(staged.get(number, b""))
                if stat.path in self.store.sessions:
                    raise SessionExistsError(stat.path)
                if size != stat.size:
                    raise WriteConflictError(stat.path, expected_size=stat.size, actual_size=size)
            for number, stat in enumerate(files):
                data = bytes(staged.get(number, b""))
                self.store.write(stat.path, data, mtime_ms=stat.mtime_ms, title=stat.title)
            self.store.staged.pop(token, None)

    async def unstage(self, token: str) -> None:
        """Drop what was staged."""
        async with self._change():
            self.store.staged.pop(token, None)

    async def trash(self, item: TrashItem) -> None:
        """Move sessions out of sight."""
        async with self._change():
            if item.path not in self.store.sessions:
                raise SessionNotFoundError(item.path)
            paths = [stat.path for stat in item.stats if stat.path in self.store.sessions]
            held = {path: replace(self.store.sessions[path]) for path in paths}
            self.store.trashed[item.id] = Thrown(item, held)
            self.store.delete(*paths)

    async def restore(self, item_id: str) -> TrashItem:
        """Bring back what was moved out of sight."""
        async with self._change():
            thrown = self.store.trashed.get(item_id)
            if thrown is None:
                raise SessionNotFoundError(item_id)
            for path in thrown.held:
                if path in self.store.sessions:
                    raise SessionExistsError(path)
            self.store.sessions.update(thrown.held)
            del self.store.trashed[item_id]
            self.store.signal(*thrown.held)
            return thrown.item

    async def read_only(self) -> str | None:
        """Return None: it can always be changed."""
        return None

    async def trashed(self, *, tidy: bool = True) -> list[TrashItem]:
        """Return what can be restored, newest first; with `tidy` this removes what has expired."""
        await self._ask()
        now = self.store.clock()
        for item_id, thrown in list(self.store.trashed.items()) if tidy else ():
            item, written = thrown.item, [held.mtime_ms for held in thrown.held.values()]
            end = kept_until(item.deleted_ms, item.expires_ms, written, now)
            thrown.expired_ms = next_mark(thrown.expired_ms, now, expired=end <= now)
            if may_go(thrown.expired_ms, now):
                del self.store.trashed[item_id]
        items = (thrown.item for thrown in self.store.trashed.values())
        return sorted(items, key=lambda item: item.id, reverse=True)

    async def fence(self) -> None:
        """Return at once: a command here either ran or never will."""
        await self._ask()

    @asynccontextmanager
    async def watch(
        self, visible: Callable[[], Collection[str]] = tuple
    ) -> AsyncIterator[AsyncIterator[Signal]]:
        """Subscribe."""
        self.visible = visible
        watcher = Watcher()
        watcher.tell(FeedState("memory", live=True))
        end = self.store.watch(watcher)
        try:
            yield self._signals(watcher)
        finally:
            end()

    async def aclose(self) -> None:
        """Do nothing; the store outlives its backends."""

    async def _signals(self, watcher: Watcher) -> AsyncIterator[Signal]:
        while True:
            while watcher.signals:
                yield watcher.signals.popleft()
            watcher.woken.clear()
            await watcher.woken.wait()

    async def _ask(self) -> None:
        await asyncio.sleep(0)
        if self.down:
            raise BackendDownError("the store cannot be reached")

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[None]:
        await self._ask()
        yield
        await asyncio.sleep(0)

    def _expect(self, path: str, size: int | None) -> None:
        held = self.store.sessions.get(path)
        actual = None if held is None else len(held.data)
        if actual != size:
            raise WriteConflictError(path, expected_size=size, actual_size=actual)

    def _slice(self, item: Range) -> bytes | None:
        held = self.store.sessions.get(item.path)
        return None if held is None else bytes(held.data[item.start : item.stop])

    def _seen(self, item: Range) -> Seen | None:
        data = self._slice(item)
        if data is None:
            return None
        held = self.store.sessions[item.path]
        identity = held.identity if self.store.identities else None
        return Seen(self.store.stat(item.path), bytes(held.data[:HEAD_BYTES]), data, identity)
