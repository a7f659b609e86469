"""What the index says of each session, in little memory.

There may be a hundred thousand, and most never change again. Of one that is known whole
and as it is now only its stats are held: everything else its row says.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from sessiontui.catalog.stats import SessionStats
from sessiontui.storage.changes import Appended

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sessiontui.catalog.row import Row
    from sessiontui.sources import Source
    from sessiontui.storage.changes import Created, Retitled, Rewritten

HEAD_BYTES: Final = 256
"""How much of a session's beginning tells that it is the same as before."""
OVERLAP_BYTES: Final = 64
"""How many bytes before the place where reading goes on tell so too."""


def fingerprint(data: bytes) -> bytes:
    """Return what tells bytes from others, in a few bytes."""
    return blake2b(data, digest_size=12).digest()


unpack_stats: Final = msgspec.msgpack.Decoder(SessionStats).decode
pack_stats: Final = msgspec.msgpack.Encoder().encode


Whole = Annotated[int, msgspec.Meta(ge=0)]
"""A number that cannot be less than nothing."""
_KnownRow = tuple[bytes, Whole, int, Whole, Whole, bytes]


def indexed_row(row: tuple[object, ...]) -> tuple[bytes, IndexedSession]:
    """Return a row of the file as the key of a session's path, and the session.

    Raises:
        msgspec.DecodeError: The file is damaged.
    """
    key, size, mtime_ms, stop, text_stop, packed = msgspec.convert(row, _KnownRow)
    unpack_stats(packed)  # Later there is nobody to catch it.
    return key, indexed_session(size, mtime_ms, stop, text_stop, packed)


def indexed_session(
    size: int, mtime_ms: int, stop: int, text_stop: int, packed: bytes
) -> IndexedSession:
    """Return a session of the index; numbers that are the same are one object."""
    stop = size if stop == size else stop
    return IndexedSession(size, mtime_ms, stop, stop if text_stop == stop else text_stop, packed)


class IndexedSession(msgspec.Struct, frozen=True, gc=False):
    """An indexed session: how far it is in the index, and its stats."""

    size: int
    """Its length when it was read; less where reading has not come to its end."""
    mtime_ms: int
    """Its time then; -1 where reading has not come to its end."""
    stop: int
    """Where the last whole line ends that was read."""
    text_stop: int
    """Up to here its text is kept: to its end, unless there was too much of it."""
    packed: bytes
    """Its figures as they are stored: a quarter of the memory."""

    @property
    def figures(self) -> SessionStats:
        """The session in figures, up to `stop`, or to its end where that was no line yet."""
        return unpack_stats(self.packed)

    def is_current(self, size: int, mtime_ms: int) -> bool:
        """Tell whether the index knows a session of this length and time whole."""
        return self.size == size and self.mtime_ms == mtime_ms


class Fingerprint(msgspec.Struct, frozen=True, gc=False):
    """The fingerprint of a session: digests of its first and last indexed bytes."""

    head: bytes
    """`fingerprint` of its first `HEAD_BYTES`, fewer where `stop` comes before."""
    overlap: bytes
    """`fingerprint` of the `OVERLAP_BYTES` before `stop`."""


class SessionPiece(msgspec.Struct, frozen=True, gc=False):
    """A piece of a session that was read for the index."""

    path: str
    size: int
    """Length of the session, as it was before the bytes were read."""
    mtime_ms: int
    """Its time then."""
    start: int
    """Where `data` begins: at 0, or where the index stopped."""
    data: bytes
    head: bytes
    """The first bytes of the session, at most `HEAD_BYTES`."""
    overlap: bytes = b""
    """The `OVERLAP_BYTES` before `start`, or as many as there are."""

    @property
    def whole(self) -> bool:
        """Whether it reaches to the end."""
        return self.start + len(self.data) >= self.size


class IndexTotals(msgspec.Struct, frozen=True):
    """The totals of the index: sessions, texts, bytes."""

    sessions: int
    texts: int
    """Sessions whose text is kept."""
    text_bytes: int
    """Characters of text, before they are packed."""
    file_bytes: int


def index_file(folder: Path, source: Source) -> Path:
    """Return the file of the index of a source; it need not exist."""
    name = sha256(source.key.encode("utf-8", "surrogateescape")).hexdigest()[:20]
    return folder / f"{name}.sqlite"


class IndexCache(Mapping[str, IndexedSession]):
    """What the index says of each session, by path.

    Args:
        rows: The rows as they are now; where one changes, `note` is called before
            anything else is asked here.
    """

    def __init__(self, rows: Mapping[str, Row]) -> None:
        self._rows = rows
        self._held: dict[str, IndexedSession | bytes] = {}
        """Figures alone of sessions that are known whole and as they are now."""

    def __getitem__(self, path: str) -> IndexedSession:
        held = self._held[path]
        if not isinstance(held, bytes):
            return held
        row = self._rows[path]
        return IndexedSession(row.size, row.mtime_ms, row.size, row.size, held)

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def is_current(self, path: str) -> bool:
        """Tell whether a session that there is is known as it is now."""
        row = self._rows.get(path)
        held = self._held.get(path)
        if row is None or held is None:
            return False
        return isinstance(held, bytes) or held.is_current(row.size, row.mtime_ms)

    def put(self, path: str, known: IndexedSession) -> None:
        """Take in what the index says of a session now."""
        row = self._rows.get(path)
        whole = known.size == known.stop == known.text_stop
        if row is not None and whole and known.is_current(row.size, row.mtime_ms):
            self._held[row.path] = _alike(known.packed)
        else:
            self._held[path if row is None else row.path] = known

    def drop(self, path: str) -> None:
        """Forget a session."""
        self._held.pop(path, None)

    def move(self, path: str, new_path: str) -> None:
        """Let a session have another path; whether it is the same is for the index to tell."""
        held = self._held.pop(path, None)
        if held is not None:
            self._held[new_path] = _figures_alone(held)

    def note(self, change: Appended | Created | Retitled | Rewritten) -> None:
        """Take note that a session is another one than its row said until now."""
        held = self._held.get(change.path)
        if isinstance(held, bytes):
            stop = change.start if isinstance(change, Appended) else 0
            self._held[change.path] = _figures_alone(held, stop)

    def others_than(self, before: IndexCache) -> frozenset[str]:
        """Return the sessions of which something else is known than before."""
        held = before._held
        return frozenset(path for path, item in self._held.items() if held.get(path) != item)


def _figures_alone(held: IndexedSession | bytes, stop: int = 0) -> IndexedSession:
    """Return a session that must be read again, from `stop` on where it did but grow."""
    return IndexedSession(stop, -1, stop, stop, held) if isinstance(held, bytes) else held


@lru_cache(maxsize=4096)
def _alike(packed: bytes) -> bytes:
    """Return figures as one object for all sessions that had the same lately: short ones do."""
    return packed
