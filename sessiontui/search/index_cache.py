"""What the index says of sessions, and what it is told of them."""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, Final

import msgspec

from sessiontui.catalog.stats import SessionFigures

HEAD_BYTES: Final = 256
"""How much of a session's beginning tells that it is the same as before."""
OVERLAP_BYTES: Final = 64
"""How many bytes before the place where reading goes on tell so too."""


def mark(data: bytes) -> bytes:
    """Return what tells bytes from others, in a few bytes."""
    return blake2b(data, digest_size=12).digest()


unpack_figures: Final = msgspec.msgpack.Decoder(SessionFigures).decode
pack_figures: Final = msgspec.msgpack.Encoder().encode


Whole = Annotated[int, msgspec.Meta(ge=0)]
"""A number that cannot be less than nothing."""
_KnownRow = tuple[bytes, Whole, int, Whole, Whole, bytes]


def known_row(row: tuple[object, ...]) -> tuple[bytes, Known]:
    """Return a row of the file as the key of a session's path, and the session.

    Raises:
        msgspec.DecodeError: The file is damaged.
    """
    key, size, mtime_ms, stop, text_stop, packed = msgspec.convert(row, _KnownRow)
    unpack_figures(packed)  # Later there is nobody to catch it.
    return key, known_of(size, mtime_ms, stop, text_stop, packed)


def known_of(size: int, mtime_ms: int, stop: int, text_stop: int, packed: bytes) -> Known:
    """Return a session of the index; numbers that are the same are one object."""
    stop = size if stop == size else stop
    return Known(size, mtime_ms, stop, stop if text_stop == stop else text_stop, packed)


class Known(msgspec.Struct, frozen=True, gc=False):
    """A session as far as it is in the index."""

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
    def figures(self) -> SessionFigures:
        """The session in figures, up to `stop`, or to its end where that was no line yet."""
        return unpack_figures(self.packed)

    def is_current(self, size: int, mtime_ms: int) -> bool:
        """Tell whether the index knows a session of this length and time whole."""
        return self.size == size and self.mtime_ms == mtime_ms


class Marks(msgspec.Struct, frozen=True, gc=False):
    """By which bytes a session is known again."""

    head: bytes
    """`mark` of its first `HEAD_BYTES`, fewer where `stop` comes before."""
    overlap: bytes
    """`mark` of the `OVERLAP_BYTES` before `stop`."""


class Piece(msgspec.Struct, frozen=True, gc=False):
    """Bytes of a session that were read for the index."""

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


class Contents(msgspec.Struct, frozen=True):
    """How much is in the index."""

    sessions: int
    texts: int
    """Sessions whose text is kept."""
    text_bytes: int
    """Characters of text, before they are packed."""
    file_bytes: int
