"""Bytes of a session as lines, with the offset of each.

A line ends with a newline; what comes after the last one is a line still
being written. Offsets and sizes are bytes from the start of the session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

REST_BYTES = 16 * 1024 * 1024
"""How much of a line still being written is kept."""


class Line(NamedTuple):
    """One line of a session."""

    offset: int
    """Where it starts."""
    data: bytes
    """Its bytes without the newline; only the first ones where `size` is larger."""
    size: int
    """Its length without the newline."""


def split_lines(data: bytes, offset: int = 0, *, rest: bool = True) -> Iterator[Line]:
    """Yield the lines of `data`, empty ones too.

    Args:
        data: Bytes that begin at the start of a line.
        offset: Where they begin in the session.
        rest: Whether what follows the last newline is yielded too.
    """
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield Line(offset + start, data[start:end], end - start)
        start = end + 1
    if rest and start < len(data):
        yield Line(offset + start, data[start:], len(data) - start)


class LineBuffer:
    """Makes whole lines of bytes that come in pieces.

    Args:
        offset: Where the first byte fed begins in the session; the start of a line.
        limit: How much of a line still being written is kept. The line comes
            with its true size, and only this many of its first bytes.
    """

    def __init__(self, offset: int = 0, *, limit: int = REST_BYTES) -> None:
        self._start = offset
        self._limit = limit
        self._pieces: list[bytes] = []
        self._kept = 0
        self._size = 0

    @property
    def offset(self) -> int:
        """Where the line still being written starts."""
        return self._start

    @property
    def rest_size(self) -> int:
        """Length of the line still being written, in bytes."""
        return self._size

    @property
    def rest(self) -> bytes:
        """The line still being written; at most the first `limit` bytes of it."""
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0] if self._pieces else b""

    def feed(self, data: bytes) -> list[Line]:
        """Take the next bytes and return the lines that they complete."""
        end = data.find(b"\n")
        if end < 0:
            self._keep(data)
            return []
        self._keep(data[:end])
        lines = [Line(self._start, self.rest, self._size)]
        begin = self._start + self._size + 1
        self._pieces, self._kept, self._size = [], 0, 0
        last = data.rfind(b"\n") + 1
        lines += split_lines(data[end + 1 : last], begin)
        self._start = begin + last - end - 1
        self._keep(data[last:])
        return lines

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        piece = data[: self._limit - self._kept]
        if piece:
            self._pieces.append(piece)
            self._kept += len(piece)
