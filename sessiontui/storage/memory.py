"""Sessions in memory: the reference of what a backend does, and what most tests run on.

Any number of `MemoryBackend` open one store, each as another process would.
Every command gives way to the event loop before and after it takes effect, as
a connection does. What the store itself offers are the ways in which a peer changes it:
they take effect at once, ask nobody and signal whoever watches.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

from sessiontui.errors import (
    BackendDownError,
    SessionExistsError,
    SessionNotFoundError,
    WriteConflictError,
)
from sessiontui.storage.backend import (
    HEAD_BYTES,
    ROOT,
    Dirty,
    FeedState,
    HashField,
    Range,
    Rescan,
    ScanBatch,
    Snapshot,
    Stat,
    TrashItem,
)
from sessiontui.storage.retention import kept_until, may_go, next_mark
from sessiontui.times import now_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence

    from sessiontui.storage.backend import HashFieldChange, WatchEvent


@dataclass(slots=True)
class StoredSession:
    """A session in the memory store."""

    data: bytearray
    mtime_ms: int | None
    title: bytes | None = None
    identity: int = 0
    """Another number whenever the session was replaced as a whole."""


@dataclass(slots=True)
class TrashedSessions:
    """What one deletion moved to the trash."""

    item: TrashItem
    held: dict[str, StoredSession]
    expired_ms: int | None = None
    """When a look first found that its time is over."""


@dataclass(slots=True, eq=False)
class Watcher:
    """What one subscription has not been told yet."""

    signals: deque[WatchEvent] = field(default_factory=deque)
    """Bounded: signals about sessions are joined into one that has not been taken yet."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, signal: WatchEvent) -> None:
        """Put a signal behind the others, joined with the last where both name sessions."""
        last = self.signals[-1] if self.signals else None
        if isinstance(signal, Dirty) and isinstance(last, Dirty):
            self.signals[-1] = Dirty(last.paths | signal.paths)
        else:
            self.signals.append(signal)
        self.woken.set()


class MemoryStore:
    """The sessions, and the ways in which a peer changes them.

    Args:
        clock: Milliseconds since the epoch, for what has no time given.
        identities: Whether replacing a session can be told by `Snapshot.identity`,
            as in a folder; in Redis it cannot.
    """

    def __init__(self, *, clock: Callable[[], int] = now_ms, identities: bool = False) -> None:
        self.clock = clock
        self.identities = identities
        self.sessions: dict[str, StoredSession] = {}
        self.trashed: dict[str, TrashedSessions] = {}
        self.loose: dict[tuple[Literal["meta", "title"], str], bytes] = {}
        """Times and titles without a session, as omp leaves them behind."""
        self.staged: dict[str, dict[int, bytearray]] = {}
        """What is built aside, by token and number."""
        self.silent = False
        """Whether signals get lost, as while a feed's connection is broken unnoticed."""
        self._watchers: set[Watcher] = set()
        self._replaced = 0

    def append(self, path: str, data: bytes, *, mtime_ms: int | None = None) -> None:
        """Add bytes at the end and set the time, as omp does for each line."""
        held = self.sessions.get(path)
        if held is None:
            held = self._put(path, bytearray())
        held.data += data
        held.mtime_ms = self.clock() if mtime_ms is None else mtime_ms
        self.signal(path)

    def write(
        self,
        path: str,
        data: bytes,
        *,
        mtime_ms: int | None = None,
        title: bytes | Literal["keep"] | None = "keep",
    ) -> None:
        """Replace the whole session."""
        before = self.sessions.get(path)
        held = self._put(path, bytearray(data))
        held.mtime_ms = self.clock() if mtime_ms is None else mtime_ms
        held.title = (before.title if before else None) if title == "keep" else title
        self.signal(path)

    def retitle(self, path: str, title: bytes | None, *, mtime_ms: int | None = None) -> None:
        """Set the title field and the time, nothing else."""
        held = self.sessions[path]
        held.title = title
        held.mtime_ms = self.clock() if mtime_ms is None else mtime_ms
        self.signal(path)

    def change_field(self, change: HashFieldChange) -> bool:
        """Change one field where it is as expected; tell whether it is as wished now."""
        held = self.sessions.get(change.path)
        if (held is not None) != change.session:
            return False
        key = (change.kind, change.path)
        if held is None:
            now = self.loose.get(key)
        elif change.kind == "title":
            now = held.title
        else:
            now = None if held.mtime_ms is None else b"%d" % held.mtime_ms
        if now != change.old:
            return now == change.new
        if held is not None and change.kind == "title":
            held.title = change.new
        elif held is not None:
            held.mtime_ms = None if change.new is None else int(change.new)
        elif change.new is None:
            del self.loose[key]
        else:
            self.loose[key] = change.new
        self.signal(change.path)
        return True

    def rename(self, source: str, target: str) -> None:
        """Move a session over whatever stands there."""
        self.sessions[target] = self.sessions.pop(source)
        self.signal(source, target)

    def delete(self, *paths: str) -> None:
        """Remove sessions; those that are gone are passed over."""
        for path in paths:
            self.sessions.pop(path, None)
        self.signal(*paths)

    def data(self, path: str) -> bytes | None:
        """Return the bytes of a session, None where there is none."""
        held = self.sessions.get(path)
        return None if held is None else bytes(held.data)

    def signal(self, *paths: str) -> None:
        """Tell all who watch that these sessions may have changed."""
        self.tell(Dirty(frozenset(paths)))

    def tell(self, signal: WatchEvent) -> None:
        """Tell all who watch, unless signals get lost."""
        if not self.silent:
            for watcher in self._watchers:
                watcher.tell(signal)

    def break_feeds(self) -> None:
        """Lose every signal from now on, and say that the feed is broken."""
        self.tell(FeedState("memory", live=False, error="the feed was cut", retry_s=0.0))
        self.silent = True

    def mend_feeds(self) -> None:
        """Signal again; what was missed is not made up for."""
        self.silent = False
        self.tell(FeedState("memory", live=True))
        self.tell(Rescan("connected again"))

    def stat(self, path: str) -> Stat:
        """Return what the index says of a session that exists."""
        held = self.sessions[path]
        return Stat(path, len(held.data), held.mtime_ms, held.title)

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Let `watcher` be told of changes; returns what ends that."""
        self._watchers.add(watcher)
        return lambda: self._watchers.discard(watcher)

    def _put(self, path: str, data: bytearray) -> StoredSession:
        self._replaced += 1
        held = self.sessions[path] = StoredSession(data, None, identity=self._replaced)
        return held


_SCAN_BATCH: Final = 1000


class MemoryBackend:
    """A `Backend` over a `MemoryStore`.

    Args:
        store: The store; None makes an empty one of its own.
    """

    label = "memory"
    root = ROOT

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

    async def probe(self, ranges: Sequence[Range]) -> list[Snapshot | None]:
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
            self.store.trashed[item.id] = TrashedSessions(item, {item.path: replace(held)})
            self.store.delete(item.path)
            return self.store.stat(target.path)

    async def loose_fields(self) -> AsyncIterator[list[HashField]]:
        """Yield times and titles of no session."""
        await self._ask()
        yield [
            HashField(kind, path, value)
            for (kind, path), value in self.store.loose.items()
            if path not in self.store.sessions
        ]

    async def change_fields(self, changes: Sequence[HashFieldChange]) -> list[bool]:
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
            self.store.trashed[item.id] = TrashedSessions(item, held)
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
    ) -> AsyncIterator[AsyncIterator[WatchEvent]]:
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

    async def _signals(self, watcher: Watcher) -> AsyncIterator[WatchEvent]:
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

    def _seen(self, item: Range) -> Snapshot | None:
        data = self._slice(item)
        if data is None:
            return None
        held = self.store.sessions[item.path]
        identity = held.identity if self.store.identities else None
        return Snapshot(self.store.stat(item.path), bytes(held.data[:HEAD_BYTES]), data, identity)
