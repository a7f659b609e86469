"""The store in memory itself, and the ways in which a peer changes it.

They take effect at once, ask nobody and signal whoever watches.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from sessiontui.storage.backend import Dirty, FeedState, Rescan, Stat, TrashItem
from sessiontui.times import now_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiontui.storage.backend import FieldChange, Signal


@dataclass(slots=True)
class Held:
    """A session as it stands in the store."""

    data: bytearray
    mtime_ms: int | None
    title: bytes | None = None
    identity: int = 0
    """Another number whenever the session was replaced as a whole."""


@dataclass(slots=True)
class Thrown:
    """What one deletion moved out of sight."""

    item: TrashItem
    held: dict[str, Held]
    expired_ms: int | None = None
    """When a look first found that its time is over."""


@dataclass(slots=True, eq=False)
class Watcher:
    """What one subscription has not been told yet."""

    signals: deque[Signal] = field(default_factory=deque)
    """Bounded: signals about sessions are joined into one that has not been taken yet."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, signal: Signal) -> None:
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
        identities: Whether replacing a session can be told by `Seen.identity`,
            as in a folder; in Redis it cannot.
    """

    def __init__(self, *, clock: Callable[[], int] = now_ms, identities: bool = False) -> None:
        self.clock = clock
        self.identities = identities
        self.sessions: dict[str, Held] = {}
        self.trashed: dict[str, Thrown] = {}
        self.loose: dict[tuple[Literal["meta", "title"], str], bytes] = {}
        """Times and titles of no session, as omp leaves them behind."""
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

    def change_field(self, change: FieldChange) -> bool:
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

    def tell(self, signal: Signal) -> None:
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

    def _put(self, path: str, data: bytearray) -> Held:
        self._replaced += 1
        held = self.sessions[path] = Held(data, None, identity=self._replaced)
        return held
