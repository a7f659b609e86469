"""Moving in a transcript: the next block of a kind, the turns, the entry of a time.

Tools of a turn are counted by the bytes that tell of them, so that nothing else than the
user's own lines is decoded. Times rise in a session but for small steps back, so a few
reads find one. Offsets are bytes from the start, times milliseconds since the epoch.
"""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sessiontui.formats.jsonl import BadLine
from sessiontui.formats.registry import MARKS, decode_line
from sessiontui.transcript.pages import PAGE_BYTES, SEARCH_STEPS
from sessiontui.transcript.search import TextMatch, UserMessageQuery, search

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from sessiontui.formats.blocks import Block
    from sessiontui.transcript.document import Document
    from sessiontui.transcript.pages import ReadRange


async def find_block(
    document: Document, offset: int, number: int, wanted: Callable[[Block], bool], *, forward: bool
) -> tuple[int, int] | None:
    """Find the nearest block after or before another one that is not hidden by the branch filter.

    Moves the window along as far as it looks, page by page; the loop runs in between.

    Args:
        document: Where to look.
        offset: Where the line of the block begins that is started from.
        number: Number of that block in its line.
        wanted: Tells whether a block is what is looked for.
        forward: Whether to look towards the end.

    Returns:
        The offset of the block's line and its number there, or None to the very end.

    Raises:
        StorageError: The backend could not read.
    """
    while True:
        for line, blocks in _lines(document, offset, forward=forward):
            for found in range(len(blocks)) if forward else reversed(range(len(blocks))):
                passed = line == offset and (found <= number if forward else found >= number)
                if not passed and wanted(blocks[found]):
                    return line, found
            if line != offset:
                await asyncio.sleep(0)
        edge = document.stop if forward else document.start
        more = await (document.load_after() if forward else document.load_before())
        if not more:
            return None
        offset, number = (edge, -1) if forward else (edge - 1, 1 << 30)
        if not forward:
            place = document.place(offset)
            if place is not None:
                offset = document.pages[place[0]].offset(place[1])


def _lines(
    document: Document, offset: int, *, forward: bool
) -> Iterator[tuple[int, tuple[Block, ...]]]:
    """Yield offset and blocks of the lines of the window from `offset` on."""
    place = document.place(offset)
    if place is None:
        place = (0, 0) if forward else (len(document.pages) - 1, 1 << 30)
    pages = list(document.pages)
    order = range(place[0], len(pages)) if forward else range(place[0], -1, -1)
    for page_number in order:
        page = pages[page_number]
        first = place[1] if page_number == place[0] else (0 if forward else len(page) - 1)
        first = min(first, len(page) - 1)
        numbers = range(first, len(page)) if forward else range(first, -1, -1)
        for number in numbers:
            line = page.offset(number)
            yield line, () if document.branch_filter.hides(line) else document.blocks(page, number)


_MARKS: Final = tuple(dict.fromkeys((marks.calls, marks.failures) for marks in MARKS))
"""What stands for a call, and what for a failure, as each agent stores it."""
_LONGEST: Final = 32


@dataclass(slots=True)
class Turn:
    """A turn: a message of the user, with the tools and errors after it."""

    hit: TextMatch
    tools: int = 0
    errors: int = 0


class TurnFinder:
    """Looks for turns from the beginning on.

    Args:
        read: Reads bytes of the session.
        stop: Where to stop.
        most: How many turns are told at most.
    """

    def __init__(self, read: ReadRange, stop: int, most: int) -> None:
        self.turns: list[Turn] = []
        self.offset = 0
        """How far the session was looked through."""
        self._read = read
        self._stop = stop
        self._most = most
        self._words: tuple[tuple[bytes, ...], tuple[bytes, ...]] | None = None
        self._tools = array("Q")
        self._errors = array("Q")
        self._rest = b""
        self._counted = 0

    @property
    def full(self) -> bool:
        """Whether there may be more turns than are told."""
        return len(self.turns) >= self._most

    async def run(self) -> AsyncGenerator[int]:
        """Look on; yield after each step the number of the first turn that changed.

        Raises:
            StorageError: The backend could not read.
        """
        first = 0
        async for found in search(self._counting, UserMessageQuery(), 0, self._stop):
            if isinstance(found, TextMatch):
                self.turns.append(Turn(found))
                if not self.full:
                    continue
            self.offset = found.offset
            self._give(self.offset)
            yield first
            if self.full:
                return
            first = max(0, len(self.turns) - 1)

    async def _counting(self, start: int, stop: int) -> bytes:
        """Read, and note where in the bytes calls and failures stand."""
        data = await self._read(start, stop)
        joined = self._rest + data
        base = start - len(self._rest)
        if self._words is None:
            known = (words for words in _MARKS if any(word in joined for word in words[0]))
            self._words = next(known, None)
        if self._words is not None:
            for words, places in zip(self._words, (self._tools, self._errors), strict=True):
                places.extend(sorted(_places(joined, words, base, self._counted)))
        self._counted = start + len(data)
        self._rest = joined[-_LONGEST:]
        return data

    def _give(self, offset: int) -> None:
        """Count what stands before `offset` for the turn that it comes after."""
        for place in _taken(self._tools, offset):
            turn = self._turn_at(place)
            if turn is not None:
                turn.tools += 1
        for place in _taken(self._errors, offset):
            turn = self._turn_at(place)
            if turn is not None:
                turn.errors += 1

    def _turn_at(self, place: int) -> Turn | None:
        number = bisect_right(self.turns, place, key=lambda turn: turn.hit.offset) - 1
        return self.turns[number] if number >= 0 else None


def _taken(places: array[int], offset: int) -> array[int]:
    """Return the places before `offset`, and forget them."""
    stop = bisect_left(places, offset)
    taken = places[:stop]
    del places[:stop]
    return taken


def _places(data: bytes, words: tuple[bytes, ...], base: int, counted: int) -> list[int]:
    """Return where words end in `data`, those that end after `counted`."""
    found = []
    for word in words:
        place = data.find(word)
        while place >= 0:
            if base + place + len(word) > counted:
                found.append(base + place)
            place = data.find(word, place + len(word))
    return found


async def last_time(document: Document) -> int | None:
    """Return when the last entry was written that says so; None if the end tells nothing.

    Raises:
        StorageError: The backend could not read.
    """
    start = max(0, document.size - PAGE_BYTES)
    data = await document.read(start, document.size)
    return max((when for _, when in _times(data, start, whole=start == 0)), default=None)


async def offset_at_time(document: Document, wanted_ms: int) -> int | None:
    """Return where the first line begins that was written at a time or later.

    Returns:
        The last line with a time if all were written before; None if none tells a time.

    Raises:
        StorageError: The backend could not read.
    """
    low, high = 0, document.size
    before: int | None = None
    while high - low > PAGE_BYTES:
        middle = (low + high) // 2
        found = await _first_time(document, middle, high)
        if found is not None and found[1] < wanted_ms:
            low = before = found[0]
        else:
            high = middle
    # A line that begins before `high` may end, and one with a time begin, behind it.
    stop = min(document.size, high + SEARCH_STEPS * PAGE_BYTES)
    at = low
    rest, begins = b"", low == 0 or low == before
    while at < stop:
        data = await document.read(at, min(at + PAGE_BYTES, document.size))
        if not data:
            break
        base, at = at - len(rest), at + len(data)
        data = rest + data
        end = len(data) if at >= document.size else data.rfind(b"\n") + 1
        for offset, when in _times(data[:end], base, whole=begins):
            if when >= wanted_ms:
                return offset
            before = offset
        rest, begins = data[end:], begins or end > 0
    return before


async def _first_time(document: Document, start: int, stop: int) -> tuple[int, int] | None:
    """Return offset and time of the first line with one that begins after `start`."""
    at, rest, begins = start, b"", False
    while at < stop:
        data = await document.read(at, min(at + PAGE_BYTES, document.size))
        if not data:
            return None
        base, at = at - len(rest), at + len(data)
        data = rest + data
        end = len(data) if at >= document.size else data.rfind(b"\n") + 1
        for offset, when in _times(data[:end], base, whole=begins):
            return (offset, when) if offset < stop else None
        rest, begins = (data[end:] if end else data[:PAGE_BYTES]), begins or end > 0
        if not end:
            rest = b""  # in the midst of a long line
    return None


def _times(data: bytes, base: int, *, whole: bool) -> Iterator[tuple[int, int]]:
    """Yield offset and time of the lines of `data` that tell one.

    Args:
        data: Bytes from `base` on.
        base: Where they begin.
        whole: Whether a line begins there.
    """
    first = 0 if whole else data.find(b"\n") + 1
    if not whole and not first:
        return
    for line in data[first:].split(b"\n"):
        if line:
            for item in decode_line(line, base + first):
                if not isinstance(item, BadLine) and item.timestamp_ms is not None:
                    yield base + first, item.timestamp_ms
                    break
        first += len(line) + 1
