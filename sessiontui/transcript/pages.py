"""Pages of a transcript: whole lines of one piece of a session, and how to read them.

Offsets and sizes are bytes from the start of the session. A page begins where a
line begins and ends where one ends, at the session's end maybe within one. It
holds at most `PAGE_BYTES` and `PAGE_LINES`, rounded up to the line that is still
being written. Of a line longer than `PAGE_BYTES` only the first `PAGE_BYTES` are
held: such a line has a page of its own, and where it begins may be unknown as
long as nobody has read that far. Nothing here decodes an entry.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Awaitable, Callable
from itertools import count
from typing import NamedTuple

PAGE_BYTES = 256 * 1024
"""How much of a session one page covers; also how much of one line is held."""
PAGE_LINES = 4096
"""How many lines a page holds at most, so that empty lines cannot fill the memory."""
MAX_PAGES = 16
"""How many pages of a session are held at a time."""
STEP_BYTES = 4 * PAGE_BYTES
"""How much is read at a time while looking for an end of a long line."""
SEARCH_STEPS = 8
"""How many steps one request looks for an end of a long line before it gives up."""

ReadRange = Callable[[int, int], Awaitable[bytes]]
"""Reads the bytes `[start, stop)` of a session; fewer come back past its end."""

_uids = count(1)


class PageLine(NamedTuple):
    """One line of a session, as far as it is held."""

    offset: int
    """Where it begins; where the known part begins if `begun` is false."""
    size: int
    """Its length without the newline."""
    raw: bytes
    """Its bytes without the newline; of a long line the first `PAGE_BYTES` or none."""
    begun: bool
    """Whether `offset` is its beginning."""
    ended: bool
    """Whether its newline was seen."""

    @property
    def whole(self) -> bool:
        """Whether `raw` is all of it."""
        return self.begun and len(self.raw) == self.size


class Page:
    """Some lines in a row.

    Args:
        start: Where the first line begins.
        data: Bytes from `start` on.
        unheld: How many more bytes of the last line follow that are not kept.
        begun: Whether `start` is known to be the beginning of a line.
        ended: Whether the last line has its newline, where that is among the bytes
            not kept; told from `data` otherwise.
    """

    __slots__ = ("_data", "_ended", "_starts", "_unheld", "begun", "start", "uid")

    def __init__(
        self, start: int, data: bytes, *, unheld: int = 0, begun: bool = True, ended: bool = False
    ) -> None:
        self.uid = next(_uids)
        """Never used twice, not even for the same piece of a session read again."""
        self.start = start
        self.begun = begun
        self._data = bytearray(data)
        self._unheld = unheld
        self._ended = ended if unheld else data.endswith(b"\n")
        self._starts = array("I", [0])
        if data and not unheld:
            self._starts.extend(end + 1 for end in _newlines(data) if end + 1 < len(data))

    @property
    def stop(self) -> int:
        """Offset after the last byte that belongs to the page."""
        return self.start + len(self._data) + self._unheld

    @property
    def ended(self) -> bool:
        """Whether the last line has its newline."""
        return self._ended

    @property
    def held(self) -> int:
        """How many bytes are in memory."""
        return len(self._data)

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self._starts)

    def offset(self, number: int) -> int:
        """Return where line `number` begins, from 0."""
        return self.start + self._starts[number]

    def number_at(self, offset: int) -> int:
        """Return the number of the line that `offset` lies in."""
        return bisect_right(self._starts, offset - self.start) - 1

    def size(self, number: int) -> int:
        """Return the length of line `number` without its newline."""
        first = self._starts[number]
        if number + 1 < len(self._starts):
            return self._starts[number + 1] - first - 1
        return len(self._data) + self._unheld - first - self._ended

    def line(self, number: int) -> PageLine:
        """Return line `number`."""
        first, size = self._starts[number], self.size(number)
        last = number == len(self._starts) - 1
        return PageLine(
            self.start + first,
            size,
            bytes(self._data[first : first + size]),
            self.begun or number > 0,
            self._ended or not last,
        )

    def take(self, data: bytes) -> int:
        """Add bytes that follow the last one, as many as belong here.

        The rest of an unfinished line always does; more lines as long as the page has room.

        Args:
            data: What follows `stop`; ends within a line only at the session's end or
                where a long line is read in parts.

        Returns:
            How many of the bytes were taken; the rest is for the next page.
        """
        taken = 0
        if not self._ended:
            end = data.find(b"\n") + 1
            taken = end or len(data)
            self._extend_line(data[:taken])
            self._ended = end > 0
        if taken == len(data) or self._unheld:
            return taken
        return taken + self._add_lines(data[taken:] if taken else data)

    def _extend_line(self, piece: bytes) -> None:
        if self.begun and not self._unheld:
            room = PAGE_BYTES - (len(self._data) - self._starts[-1])
            self._data += piece[:room]
            piece = piece[room:]
        self._unheld += len(piece)

    def _add_lines(self, data: bytes) -> int:
        """Add lines from a line's beginning on; the page is left as it is when it has no room."""
        base = len(self._data)
        room = PAGE_BYTES - base
        places = PAGE_LINES - len(self._starts)
        if room <= 0 or places <= 0:
            return 0
        ends = [end + 1 for end in _newlines(data[:room])]
        if len(data) <= room and not data.endswith(b"\n"):
            ends.append(len(data))
        fitting = min(len(ends), places)
        if not fitting:
            return 0
        stop = ends[fitting - 1]
        self._starts.append(base)
        self._starts.extend(base + end for end in ends[: fitting - 1])
        self._data += data[:stop]
        self._ended = data[stop - 1] == 10
        return stop


def split_pages(start: int, data: bytes) -> list[Page]:
    """Return `data`, which begins at offset `start` with a line's beginning, as pages."""
    pages: list[Page] = []
    while data:
        limit = page_limit(data)
        page = Page(start, data[:limit])
        if limit > PAGE_BYTES:
            page = Page(
                start,
                data[:PAGE_BYTES],
                unheld=limit - PAGE_BYTES,
                ended=data[limit - 1] == 10,
            )
        pages.append(page)
        start, data = start + limit, data[limit:]
    return pages


def page_limit(data: bytes) -> int:
    """Return how many bytes of `data`, from a line's beginning on, make one page."""
    if data.count(b"\n", 0, PAGE_BYTES) >= PAGE_LINES:
        end = -1
        for _ in range(PAGE_LINES):
            end = data.find(b"\n", end + 1)
        return end + 1
    if len(data) <= PAGE_BYTES:
        return len(data)
    whole = data.rfind(b"\n", 0, PAGE_BYTES) + 1
    return whole or data.find(b"\n", PAGE_BYTES) + 1 or len(data)


async def read_before(read: ReadRange, stop: int) -> Page:
    """Read the page that ends at `stop`.

    Args:
        read: Reads bytes of the session.
        stop: Where the page ends: the beginning of a line, or the session's end. Above 0.

    Returns:
        Whole lines, an empty page where nothing is there. Where the line before `stop` is
        longer than a page, that line alone, with `begun` false when its beginning was not
        found within `SEARCH_STEPS`.

    Raises:
        StorageError: The backend could not read; raised by `read` as it is.
    """
    start = max(0, stop - PAGE_BYTES)
    data = await read(start, stop)
    if start and data:
        first = data.find(b"\n", 0, len(data) - 1) + 1
        if not first:
            piece = Page(start, b"", unheld=len(data), begun=False, ended=data.endswith(b"\n"))
            return await find_beginning(read, piece)
        start, data = start + first, data[first:]
    if data.count(b"\n") > PAGE_LINES:
        end = len(data)
        for _ in range(PAGE_LINES + 1):
            end = data.rfind(b"\n", 0, end)
        start, data = start + end + 1, data[end + 1 :]
    return Page(start, data)


async def find_beginning(read: ReadRange, piece: Page) -> Page:
    """Look further up for the beginning of the long line that `piece` is the end of.

    Args:
        read: Reads bytes of the session.
        piece: A page with `begun` false.

    Returns:
        The line's page with its first bytes, or a longer piece still without beginning.
    """
    start, stop = piece.start, piece.stop
    for _ in range(SEARCH_STEPS):
        lower = max(0, start - STEP_BYTES)
        data = await read(lower, start)
        newline = data.rfind(b"\n")
        if newline >= 0 or lower == 0:
            start = lower + newline + 1
            head = await read(start, min(stop, start + PAGE_BYTES))
            return Page(start, head, unheld=stop - start - len(head), ended=piece.ended)
        start = lower
    return Page(start, b"", unheld=stop - start, begun=False, ended=piece.ended)


async def line_start(read: ReadRange, offset: int) -> int | None:
    """Return where the line that `offset` lies in begins; None if that is too far up."""
    upper = offset
    for step in range(SEARCH_STEPS):
        if upper == 0:
            return 0
        lower = max(0, upper - (STEP_BYTES if step else PAGE_BYTES))
        data = await read(lower, upper)
        newline = data.rfind(b"\n")
        if newline >= 0:
            return lower + newline + 1
        upper = lower
    return None


def _newlines(data: bytes) -> list[int]:
    """Return the index of every newline."""
    found: list[int] = []
    index = data.find(b"\n")
    while index >= 0:
        found.append(index)
        index = data.find(b"\n", index + 1)
    return found
