"""Copies the bytes of a session that somebody may be writing to: a piece of its past, whole.

Read piece by piece; what is appended meanwhile is read after it. Where what was
read may not be what stands there any more it is all read anew.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Protocol

from msgspec.structs import replace

from sessiontui.errors import SessionNotFoundError, StorageError, WriteConflictError
from sessiontui.storage.backend import Range

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiontui.storage import SessionStorage
    from sessiontui.storage.backend import Seen, Stat
    from sessiontui.workspace.recast import Recast

PIECE: Final = 1 << 20
"""Bytes read at once; a header is no longer."""
_OVERLAP: Final = 64
_ROUNDS: Final = 8
"""How often to read on after what was appended; then it is taken as it was a moment ago."""
_TRIES: Final = 5
"""How often to begin anew with a session that is rewritten."""


class Sink(Protocol):
    """Takes the bytes of a copy from the first to the last."""

    def begin(self) -> None:
        """Forget what came so far."""
        ...

    async def take(self, data: bytes) -> None:
        """Take the next bytes."""
        ...


class Digest:
    """Only remembers how many bytes came, and which."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget what came so far."""
        self.size = 0
        self._hash = hashlib.sha256()

    async def take(self, data: bytes) -> None:
        """Take the next bytes."""
        self.size += len(data)
        self._hash.update(data)

    @property
    def value(self) -> tuple[int, bytes]:
        """How many bytes, and their hash."""
        return self.size, self._hash.digest()


class Staged(Digest):
    """Builds a file aside in another store, and remembers the same."""

    def __init__(self, storage: SessionStorage, token: str, number: int) -> None:
        self._storage = storage
        self._token = token
        self._number = number
        self._longest = 0
        super().__init__()

    async def take(self, data: bytes) -> None:
        """Take the next bytes."""
        await self._storage.stage(self._token, self._number, self.size, data)
        await super().take(data)
        self._longest = max(self._longest, self.size)

    @property
    def overshot(self) -> bool:
        """Whether more was staged once than belongs to the file: it has to be staged anew."""
        return self._longest > self.size


async def pour(
    storage: SessionStorage, path: str, sink: Sink, shape: Callable[[bytes, Stat], Recast]
) -> Stat:
    """Give all bytes of a session to `sink`, its beginning as `shape` says.

    Args:
        storage: Where it is.
        path: The session, or something that belongs to one.
        sink: Takes the bytes.
        shape: Says how the copy begins, from the first `PIECE` bytes.

    Returns:
        Size, time and title of the original as it was when it was copied.

    Raises:
        SessionNotFoundError: It is gone.
        StorageError: It is rewritten faster than it can be read.
    """
    for _ in range(_TRIES):
        sink.begin()
        stat = await _pour_once(storage, path, sink, shape)
        if stat is not None:
            return stat
    raise StorageError(f"it changes faster than it can be read: {path}", path=path)


async def _pour_once(
    storage: SessionStorage, path: str, sink: Sink, shape: Callable[[bytes, Stat], Recast]
) -> Stat | None:
    """Do that; None where it was rewritten meanwhile."""
    known = await _seen(storage, Range(path, 0, PIECE))
    how = shape(known.data, known.stat)
    for piece in (how.data, known.data[how.skip :]):
        if piece:
            await sink.take(piece)
    start, last = len(known.data), known.data[-_OVERLAP:]
    for _ in range(_ROUNDS):
        while start < known.stat.size:
            seen = await _seen(storage, Range(path, start, start + PIECE))
            if not seen.data or not _goes_on(known, seen):
                return None
            await sink.take(seen.data)
            known, start = seen, start + len(seen.data)
            last = (last + seen.data)[-_OVERLAP:]
        seen = await _seen(storage, Range(path, start - len(last), start))
        if seen.data != last or not _goes_on(known, seen):
            return None
        if seen.stat.size == start:
            return seen.stat
        known = seen
    return replace(known.stat, size=start)


async def _seen(storage: SessionStorage, wanted: Range) -> Seen:
    (seen,) = await storage.probe([wanted])
    if seen is None:
        raise SessionNotFoundError(wanted.path)
    return seen


def _goes_on(before: Seen, after: Seen) -> bool:
    """Tell whether at most something was appended between two looks."""
    grew = after.stat.size - before.stat.size
    return (
        grew >= 0
        and (grew > 0 or after.stat.mtime_ms == before.stat.mtime_ms)
        and after.stat.title == before.stat.title
        and after.head.startswith(before.head)
        and after.identity == before.identity
    )


async def digest_of(storage: SessionStorage, path: str, size: int) -> tuple[int, bytes]:
    """Return how many bytes, and their hash, of the first `size` of something in a store.

    Raises:
        SessionNotFoundError: It is gone.
        WriteConflictError: It is shorter.
    """
    digest = Digest()
    while digest.size < size:
        seen = await _seen(storage, Range(path, digest.size, min(size, digest.size + PIECE)))
        if not seen.data:
            raise WriteConflictError(path, expected_size=size, actual_size=seen.stat.size)
        await digest.take(seen.data)
    return digest.value
