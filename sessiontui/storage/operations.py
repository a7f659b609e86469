"""Operations on the bytes of one session: append and write.

Each knows how to ask the store, how to find out whether an attempt of unknown
outcome took effect, and what it makes of the mirror, before and after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal

from sessiontui.formats.title_slot import field_of_slot
from sessiontui.storage.backend import HEAD_BYTES, Range, Stat
from sessiontui.storage.mirror import OVERLAP_BYTES
from sessiontui.storage.write_queue import Operation

if TYPE_CHECKING:
    from sessiontui.storage.backend import Backend, Snapshot
    from sessiontui.storage.mirror import MirrorEntry
    from sessiontui.storage.writer import SessionStorageWriter

_WINDOW: Final = 1 << 22
"""How much is read at a time when bytes are searched for."""
MOST_JOINED: Final = 1 << 22
"""Appends are joined until they are this long."""


def session_head(data: bytes) -> bytes:
    """Return what an entry keeps of a session's beginning."""
    return data[:HEAD_BYTES]


def session_overlap(data: bytes) -> bytes:
    """Return what an entry keeps of a session's end."""
    return data[-OVERLAP_BYTES:]


def is_unchanged(entry: MirrorEntry | None, seen: Snapshot, start: int) -> bool:
    """Tell whether the bytes known before still are what a session begins with.

    Args:
        entry: What is known of the session; None: nothing, so nothing can be missing.
        seen: The session now, its `data` from `start` at most `OVERLAP_BYTES` before the known end.
        start: Offset of the first byte of `seen.data`.
    """
    if entry is None:
        return True
    if seen.stat.size < entry.size:
        return False
    if not entry.may_begin(seen.head):
        return False
    if not entry.may_end(seen.data[: entry.size - start]):
        return False
    return None in (entry.identity, seen.identity) or entry.identity == seen.identity


def overlap_start(entry: MirrorEntry) -> int:
    """Return where to begin reading so that the known last bytes can be compared."""
    return max(0, entry.size - OVERLAP_BYTES)


async def find_bytes(backend: Backend, path: str, data: bytes, start: int) -> int | None:
    """Return the offset at which `data` stands at or after `start`, None if it does not."""
    window = max(_WINDOW, 2 * len(data))
    while True:
        (found,) = await backend.read([Range(path, start, start + window)])
        if found is None:
            return None
        at = found.find(data)
        if at >= 0:
            return start + at
        if len(found) < window:
            return None
        start += window - len(data) + 1


class Append(Operation):
    """Adds lines at the end; lines that wait for the same session go in one command."""

    structural: ClassVar[bool] = False
    action: ClassVar[str] = "append"

    def __init__(self, path: str, follows: Operation | None) -> None:
        super().__init__((path,))
        self.follows = follows
        """The pending rename that gave its writers this path, if one did."""
        self.size = 0
        self.unheard = True
        self.mtime_ms = 0
        self._parts: list[tuple[bytes, SessionStorageWriter]] = []
        self._data: bytes | None = None
        self._floor: int | None = None

    def join(self, data: bytes, writer: SessionStorageWriter, mtime_ms: int) -> None:
        """Add one more line of a writer."""
        self._parts.append((data, writer))
        self.size += len(data)
        self.mtime_ms = mtime_ms

    async def attempt(self) -> tuple[int, int | None]:
        """Append; returns where the bytes begin, and the session's time now."""
        (path,) = self.paths
        if self._data is None:
            self._data = b"".join(self._live_parts())
        if self._floor is None:
            self._floor = await self._known_size()
        stat = await self.backend.append(path, self._data, mtime_ms=self.mtime_ms)
        return stat.size - len(self._data), stat.mtime_ms

    async def look(self) -> tuple[int, int | None] | None:
        """Search what came after the last confirmed byte for the very bytes."""
        (path,) = self.paths
        entry = self.mirror.confirmed.get(path)
        start = overlap_start(entry) if entry else 0
        stop = (entry.size if entry else 0) + 1
        (seen,) = await self.backend.probe([Range(path, start, stop)])
        if seen is None:
            return None
        floor = self._floor or 0
        if seen.stat.size < floor or not is_unchanged(entry, seen, start):
            floor = 0
        at = await find_bytes(self.backend, path, self._data or b"", floor)
        return None if at is None else (at, seen.stat.mtime_ms)

    def preview(self) -> None:
        """Show the lines at the end."""
        for data, writer in self._parts:
            if writer.get_error() is None:
                self.mirror.preview_append(self.paths[0], data, self.mtime_ms)

    def confirm(self, answer: tuple[int, int | None]) -> None:
        """Take in the bytes; where a peer's come before them, look at those first."""
        start, mtime_ms = answer
        (path,) = self.paths
        data = self._data or b""
        entry = self.mirror.confirmed.get(path)
        if entry is None and start == 0:
            stat = Stat(path, len(data), mtime_ms)
            self.mirror.created(
                stat, own=True, content=data, head=session_head(data), overlap=session_overlap(data)
            )
        elif entry is not None and start == entry.size and not entry.own:
            self.mirror.grew(path, data, mtime_ms, own=True)
        else:
            if entry is not None and start >= entry.size:
                self.mirror.ours_beyond(path, start, start + len(data))
            self.look_at = self.paths

    def failed(self) -> None:
        """Let every writer of these lines stop."""
        for writer in {writer for _, writer in self._parts}:
            writer.fail(self.error)

    def lost(self) -> tuple[str, bytes, bool]:
        """Return the lines as one piece."""
        return self.paths[0], b"".join(data for data, _ in self._parts), False

    def _live_parts(self) -> list[bytes]:
        """Return the lines of writers that have not failed; a line never follows a missing one.

        Raises:
            StorageError: All have; the error of the first.
        """
        live = [data for data, writer in self._parts if writer.get_error() is None]
        if not live and (error := self._parts[0][1].get_error()) is not None:
            raise error
        return live

    async def _known_size(self) -> int:
        """Return how long the session is without these lines, at least."""
        (path,) = self.paths
        entry = self.mirror.confirmed.get(path)
        if entry is not None:
            return entry.own[-1][1] if entry.own else entry.size
        if self.mirror.loaded:
            return 0
        (seen,) = await self.backend.probe([Range(path, 0, 0)])
        return 0 if seen is None else seen.stat.size


class Write(Operation):
    """Replaces a whole session, or creates it; its title field is that of the new bytes' slot."""

    action: ClassVar[str] = "write"

    def __init__(
        self,
        path: str,
        data: bytes,
        mtime_ms: int,
        *,
        expected_size: int | Literal["any", "absent"] = "any",
        writer: SessionStorageWriter | None = None,
    ) -> None:
        super().__init__((path,))
        self._data = data
        self._mtime_ms = mtime_ms
        self._expected_size = expected_size
        self._title = field_of_slot(data)
        self._writer = writer

    async def attempt(self) -> Stat:
        """Write."""
        return await self.backend.write(
            self.paths[0],
            self._data,
            mtime_ms=self._mtime_ms,
            expected_size=self._expected_size,
            title=self._title,
        )

    async def look(self) -> Stat | None:
        """Tell by the bytes; what a peer added after them counts as written too.

        Where the session had the very same bytes before, time and title tell.
        """
        (path,) = self.paths
        entry = self.mirror.confirmed.get(path)
        start = overlap_start(entry) if entry else 0
        (seen,) = await self.backend.probe([Range(path, start, entry.size if entry else 0)])
        if seen is None or seen.stat.size < len(self._data) or not await self._begins():
            return None
        if entry is not None and is_unchanged(entry, seen, start):
            mtime_ms = entry.mtime_ms if entry.dated else None
            if seen.stat == Stat(path, entry.size, mtime_ms, entry.title):
                return None
        if seen.stat.size > len(self._data):
            # Ours and more, or what was there before and happens to begin alike?
            alike = entry is not None and len(self._data) <= entry.size
            if alike and seen.stat.mtime_ms != self._mtime_ms and is_unchanged(entry, seen, start):
                return None
            self.look_at = self.paths
        return Stat(path, len(self._data), self._mtime_ms, seen.stat.title)

    def preview(self) -> None:
        """Show the new bytes."""
        self.mirror.preview_write(self.paths[0], self._data, self._mtime_ms, self._title)

    def confirm(self, answer: Stat) -> None:
        """Take them in."""
        take_in = (
            self.mirror.rewrote if self.paths[0] in self.mirror.confirmed else self.mirror.created
        )
        take_in(
            answer,
            own=True,
            content=self._data,
            head=session_head(self._data),
            overlap=session_overlap(self._data),
        )

    def failed(self) -> None:
        """Let the writer that began with it stop."""
        if self._writer is not None:
            self._writer.fail(self.error)

    def lost(self) -> tuple[str, bytes, bool]:
        """Return the bytes."""
        return self.paths[0], self._data, True

    async def _begins(self) -> bool:
        """Tell whether the session begins with our bytes."""
        for start in range(0, len(self._data), _WINDOW):
            part = self._data[start : start + _WINDOW]
            (found,) = await self.backend.read([Range(self.paths[0], start, start + len(part))])
            if found != part:
                return False
        return True
