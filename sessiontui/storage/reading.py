"""Reads sessions as they will be once what is pending is done.

What is confirmed is read from the store or, where contents are resident, from the
mirror; what is pending is at hand. Nothing is read beyond the size that the
mirror knows, so that reads and changes fit together: whoever has read to the
end misses nothing and gets nothing twice from the next `Appended`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiontui.errors import SessionNotFoundError, StorageError
from sessiontui.storage.backend import HEAD_BYTES, Range
from sessiontui.storage.mirror import OVERLAP_BYTES, Stored, head_mark, overlap_mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sessiontui.storage.backend import Backend
    from sessiontui.storage.cache import RangeCache
    from sessiontui.storage.mirror import Entry, Mirror, View
    from sessiontui.storage.write_queue import Chain

_TRIES = 50
"""How often to begin again when sessions move under a read, before it fails."""


def bounds(item: Range, size: int) -> tuple[int, int]:
    """Return a range of a session of `size` bytes as `(start, stop)`, both within it."""
    start = max(0, size + item.start) if item.start < 0 else min(item.start, size)
    stop = size if item.stop is None else item.stop
    if stop < 0:
        stop += size
    return start, max(start, min(stop, size))


def cut(view: View, start: int, stop: int) -> list[Stored | bytes]:
    """Return the pieces that bytes `[start, stop)` of a view consist of."""
    parts: list[Stored | bytes] = []
    at = 0
    for piece in view.pieces:
        length = piece.stop - piece.start if isinstance(piece, Stored) else len(piece)
        first, last = max(start - at, 0), min(stop - at, length)
        if first < last:
            if isinstance(piece, Stored):
                parts.append(Stored(piece.path, piece.start + first, piece.start + last))
            else:
                parts.append(bytes(piece[first:last]))
        at += length
    return parts


class Reader:
    """Reads ranges.

    Args:
        backend: The store.
        mirror: What is known and pending.
        chain: Tells what is on its way to the store.
        cache: Keeps what single reads have read.
        mark: Called with sessions that may be other than the mirror says.
    """

    def __init__(
        self,
        backend: Backend,
        mirror: Mirror,
        chain: Chain,
        cache: RangeCache,
        mark: Callable[[Iterable[str]], None],
    ) -> None:
        self._backend = backend
        self._mirror = mirror
        self._chain = chain
        self._cache = cache
        self.bytes_read = 0
        """Bytes the store has answered with so far."""
        self._mark = mark

    @property
    def cached(self) -> int:
        """How many bytes of what was read are kept."""
        return self._cache.bytes

    def at_hand(self, path: str) -> bytes:
        """Return a whole session without asking the store.

        Raises:
            SessionNotFoundError: There is none.
            StorageError: Its contents are not resident.
        """
        view = self._mirror.view(path)
        if view is None:
            raise SessionNotFoundError(path)
        return b"".join(self._resident(part) for part in cut(view, 0, view.size))

    async def read(self, ranges: Sequence[Range], *, keep: bool) -> list[bytes | None]:
        """Return the bytes of each range, None for a session that does not exist.

        Args:
            ranges: What to read.
            keep: Whether to remember what the store answers.

        Raises:
            StorageError: The store could not be asked.
        """
        for _ in range(_TRIES):
            parts = [self._cut(item) for item in ranges]
            if self._mirror.resident:
                return [None if p is None else b"".join(map(self._resident, p)) for p in parts]
            stored = [part for some in parts for part in some or () if isinstance(part, Stored)]
            found = await self._fetch(list(dict.fromkeys(stored)), keep=keep)
            if found is not None:
                return [None if some is None else _joined(some, found) for some in parts]
        raise StorageError("the sessions change faster than they can be read")

    def _cut(self, item: Range) -> list[Stored | bytes] | None:
        view = self._mirror.view(item.path)
        return None if view is None else cut(view, *bounds(item, view.size))

    def _resident(self, part: Stored | bytes) -> bytes:
        if isinstance(part, bytes):
            return part
        content = self._mirror.confirmed[part.path].content
        if content is None:
            raise StorageError(
                "contents are read on demand here: await read_text or read_range", path=part.path
            )
        return bytes(content[part.start : part.stop])

    async def _fetch(self, parts: list[Stored], *, keep: bool) -> dict[Stored, bytes | None] | None:
        """Return what the store holds there, None if it moved meanwhile."""
        paths = dict.fromkeys(part.path for part in parts)
        moving = [one for path in paths if (one := self._chain.moving(path)) is not None]
        if moving:
            await moving[0].done
            return None
        entries = {path: self._mirror.confirmed[path] for path in paths}
        versions = {path: entry.version for path, entry in entries.items()}
        found: dict[Stored, bytes | None] = {}
        missing: list[Stored] = []
        for part in parts:
            data = self._cache.get(part.path, versions[part.path], part.start, part.stop)
            if data is None:
                missing.append(part)
            else:
                found[part] = data
        if not missing:
            return found
        learnt = [item for path in paths for item in _to_learn(path, entries[path], missing)]
        asked = [*missing, *learnt]
        answers = await self._backend.read([Range(p.path, p.start, p.stop) for p in asked])
        self.bytes_read += sum(len(data) for data in answers if data is not None)
        if any(self._has_moved(path, entries[path], versions[path]) for path in paths):
            return None
        for part, data in zip(asked, answers, strict=True):
            found[part] = data
            if data is None or len(data) < part.stop - part.start:
                self._mark((part.path,))
                continue
            _learn(entries[part.path], part, data)
            if keep:
                self._cache.put(part.path, versions[part.path], part.start, data)
        return found

    def _has_moved(self, path: str, entry: Entry, version: int) -> bool:
        return (
            self._mirror.confirmed.get(path) is not entry
            or entry.version != version
            or self._chain.moving(path) is not None
        )


def _joined(parts: list[Stored | bytes], found: dict[Stored, bytes | None]) -> bytes | None:
    """Return the parts as one, None if a peer has removed one of them."""
    joined = [found[part] if isinstance(part, Stored) else part for part in parts]
    return None if None in joined else b"".join(part for part in joined if part is not None)


def _to_learn(path: str, entry: Entry, parts: list[Stored]) -> list[Stored]:
    """Return what must be read beside `parts` to judge a peer's change to the session later."""
    wanted = []
    if entry.head is None:
        wanted.append(Stored(path, 0, min(HEAD_BYTES, entry.size)))
    if entry.overlap is None:
        wanted.append(Stored(path, max(0, entry.size - OVERLAP_BYTES), entry.size))
    return [
        one
        for one in wanted
        if not any(p.path == path and p.start <= one.start and one.stop <= p.stop for p in parts)
    ]


def _learn(entry: Entry, part: Stored, data: bytes) -> None:
    """Keep the first and last bytes of a session, if `data` holds them and they are not known."""
    head = min(HEAD_BYTES, entry.size)
    if entry.head is None and part.start == 0 and part.stop >= head:
        entry.head = head_mark(data[:head])
    last = entry.size - min(OVERLAP_BYTES, entry.size)
    if entry.overlap is None and part.start <= last and part.stop == entry.size:
        entry.overlap = overlap_mark(data)
