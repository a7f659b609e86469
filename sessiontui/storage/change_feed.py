"""Change feeds: hands changes to each follower of a storage, at its own pace.

A feed's queue is bounded: peers' changes are not fetched while it is longer than
`ROOM`; and where it grows all the same (the first index, our own writes), it is
folded: of each session just what became of it is told, never more than one
entry (two with a title) a session.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from sessiontui.storage.changes import Appended, Created, Removed, Renamed, Retitled, Rewritten

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from sessiontui.storage.changes import Change
    from sessiontui.storage.mirror import MirrorEntry

ROOM_BYTES: Final = 1 << 22
"""Bytes waiting in a feed from which on nothing more is fetched for it."""
ROOM_CHANGES: Final = 4096
"""Changes waiting in a feed from which on nothing more is fetched for it."""


class ChangeFeed:
    """Changes in order; iterate over them one by one, or over lists of what is there.

    Args:
        own: Whether our own confirmed writes are told too.
        known: Returns what the mirror knows of a session now, None if there is none.
        taken: Called when the queue became shorter.
    """

    def __init__(
        self, *, own: bool, known: Callable[[str], MirrorEntry | None], taken: Callable[[], None]
    ) -> None:
        self.own = own
        self._known = known
        self._taken = taken
        self._queue: deque[Change] = deque()
        self._bytes = 0
        self._folded = 0
        self._woken = asyncio.Event()
        self._ended = False

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be fetched for it."""
        return self._bytes > ROOM_BYTES or len(self._queue) > ROOM_CHANGES

    @property
    def waiting(self) -> int:
        """Number of changes that have not been taken."""
        return len(self._queue)

    def push(self, change: Change) -> None:
        """Add a change that the mirror has just taken in."""
        self._queue.append(change)
        if isinstance(change, Appended):
            self._bytes += len(change.data)
        if self._bytes > 2 * ROOM_BYTES or self.waiting > 2 * max(ROOM_CHANGES, self._folded):
            self._queue = deque(coalesce_changes(self._queue, self._known))
            self._bytes = 0
            self._folded = len(self._queue)
        self._woken.set()

    def end(self) -> None:
        """Let iterations stop once everything has been taken."""
        self._ended = True
        self._woken.set()

    def __aiter__(self) -> ChangeFeed:
        return self

    async def __anext__(self) -> Change:
        if not await self._something():
            raise StopAsyncIteration
        change = self._queue.popleft()
        if isinstance(change, Appended):
            self._bytes -= len(change.data)
        if not self._queue:
            self._folded = 0
        self._taken()
        return change

    async def batches(self) -> AsyncIterator[list[Change]]:
        """Yield everything that is there, whenever there is something."""
        while await self._something():
            batch = list(self._queue)
            self._queue.clear()
            self._bytes = self._folded = 0
            self._taken()
            yield batch

    async def _something(self) -> bool:
        while not self._queue and not self._ended:
            self._woken.clear()
            await self._woken.wait()
        return bool(self._queue)


class ChangeFeeds:
    """All change feeds of a storage."""

    def __init__(self) -> None:
        self._feeds: set[ChangeFeed] = set()
        self._room = asyncio.Event()

    def open(self, *, own: bool, known: Callable[[str], MirrorEntry | None]) -> ChangeFeed:
        """Return a new feed; changes from now on are in it."""
        feed = ChangeFeed(own=own, known=known, taken=self._room.set)
        self._feeds.add(feed)
        return feed

    def close(self, feed: ChangeFeed) -> None:
        """Tell this feed nothing more."""
        self._feeds.discard(feed)
        feed.end()
        self._room.set()

    def close_all(self) -> None:
        """End every feed."""
        for feed in list(self._feeds):
            self.close(feed)

    def publish(self, change: Change, own: bool) -> None:
        """Tell a change."""
        for feed in self._feeds:
            if feed.own or not own:
                feed.push(change)

    async def room(self) -> None:
        """Wait until no feed is full."""
        while any(feed.is_full for feed in self._feeds):
            self._room.clear()
            await self._room.wait()


def coalesce_changes(
    changes: Iterable[Change], known: Callable[[str], MirrorEntry | None]
) -> list[Change]:
    """Coalesce changes to the net result for each session, in order of first mention.

    Args:
        changes: Changes whose last state is the present one.
        known: Returns what is known of a session at present.
    """
    was_there: dict[str, bool] = {}
    retitled: set[str] = set()
    for change in changes:
        was_there.setdefault(change.path, not isinstance(change, Created))
        if isinstance(change, Renamed):
            was_there.setdefault(change.new_path, False)
            retitled.add(change.new_path)
        elif isinstance(change, Retitled | Created):
            retitled.add(change.path)
    folded: list[Change] = []
    for path, before in was_there.items():
        entry = known(path)
        if entry is None:
            if before:
                folded.append(Removed(path))
        elif not before:
            folded.append(Created(path, entry.size, entry.mtime_ms, entry.title))
        else:
            folded.append(Rewritten(path, entry.size, entry.mtime_ms))
            if path in retitled:
                folded.append(Retitled(path, entry.title, entry.mtime_ms))
    return folded
