"""Finding in a session of any length: hits come from where the reader is, in both directions.

The end of the session is looked through first, from the reader's place on, then
what comes before it, the nearest piece first. Hits are kept as numbers alone, at
most `MAX_HITS`. Offsets are bytes from the start of the session.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple

from sessiontui.transcript.pages import SEARCH_STEPS, STEP_BYTES, line_start
from sessiontui.transcript.search import Hit, search

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiontui.transcript.document import Document
    from sessiontui.transcript.search import Progress, Sought

MAX_HITS = 100_000
"""With so many hits the search ends; they take 8 bytes each."""
_PIECE = 4 * STEP_BYTES
"""How much is looked through at a time on the way to the beginning."""
_BITS = 16
_MAX_BLOCK = (1 << _BITS) - 1


class Spot(NamedTuple):
    """A block that tells what is looked for."""

    offset: int
    """Where its line begins."""
    block: int
    """Its number on the line, were every line shown by itself."""


class Finder:
    """What one search has found in a document so far.

    Args:
        document: Where to look.
        needle: What to look for.
        origin: Where the reader is.
        changed: Called in the loop when more was looked through.
    """

    def __init__(
        self, document: Document, needle: Sought, origin: int, changed: Callable[[], None]
    ) -> None:
        self.needle = needle
        self._document = document
        self._origin = origin
        self._changed = changed
        self._hits = array("Q")
        self._version = document.version
        self._first: int | None = None
        """Where the piece begins that was looked through."""
        self._stop = 0
        """Where it ends."""
        self.nearest: Spot | None = None
        """The first hit from the reader's place on, else the last one before."""
        self.full = False
        """Whether there are more hits than are counted."""

    def __len__(self) -> int:
        """Return how many hits are known."""
        return len(self._hits)

    @property
    def complete(self) -> bool:
        """Whether nothing is left to look through."""
        return self.full or (self._first == 0 and self._stop >= self._document.size)

    @property
    def stale(self) -> bool:
        """Whether the session was rewritten since the search began."""
        return self._version != self._document.version

    @property
    def share(self) -> float:
        """How much of the session was looked through, from 0 to 1."""
        seen = self._stop - (self._stop if self._first is None else self._first)
        return min(1.0, seen / max(1, self._document.size))

    async def run(self) -> None:
        """Look through what was not looked through yet; again after the session grew.

        Raises:
            StorageError: The backend could not read; what was found stays.
        """
        document = self._document
        if self._first is None:
            begin = await self._line_start(min(self._origin, document.size))
            self._first = self._stop = begin
        while not self.complete and not self.stale:
            if self._stop < document.size:
                await self._onwards(document.size)
            elif self._first:
                await self._backwards(self._first)

    async def _onwards(self, stop: int) -> None:
        """Look from where the known piece ends; once more at a line that was not whole."""
        begin = await self._line_start(self._stop)
        del self._hits[bisect_left(self._hits, begin << _BITS) :]
        async with aclosing(search(self._document.read, self.needle, begin, stop)) as results:
            async for found in results:
                if self._taken(found, self._hits):
                    return
        self._stop = max(self._stop, stop)
        self._changed()

    async def _backwards(self, stop: int) -> None:
        begin = await self._line_start(max(0, stop - _PIECE))
        hits = array("Q")
        async with aclosing(search(self._document.read, self.needle, begin, stop)) as results:
            async for found in results:
                if self._taken(found, hits, begin):
                    return
        self._join(hits, begin)
        self._changed()

    def _join(self, hits: array[int], begin: int) -> None:
        """Put hits before the others; what was looked through begins at `begin` now."""
        self._first = begin
        if hits:
            self.nearest = self.nearest or _spot(hits[-1])
            self._hits[:0] = hits

    def _taken(self, found: Hit | Progress, hits: array[int], begin: int | None = None) -> bool:
        """Take over what the search says; return whether that was the last of it."""
        if self.stale:
            return True
        if isinstance(found, Hit):
            hits.append(found.offset << _BITS | min(found.block, _MAX_BLOCK))
            if begin is None and self.nearest is None:
                self.nearest = Spot(found.offset, found.block)
                self._changed()
            if len(self._hits) + (0 if begin is None else len(hits)) >= MAX_HITS:
                self.full = True
                if begin is not None:
                    self._join(hits, begin)
                self._changed()
            return self.full
        if begin is None:
            self._stop = found.offset
        self._changed()
        return False

    async def _line_start(self, offset: int) -> int:
        """Return where the line at `offset` begins, however long it is."""
        begin = await line_start(self._document.read, offset)
        while begin is None:
            offset = max(0, offset - SEARCH_STEPS * STEP_BYTES)
            begin = await line_start(self._document.read, offset)
        return begin

    # -- what was found

    def rank(self, spot: Spot) -> int:
        """Return how many hits come before one, and itself: 1 for the first."""
        return bisect_right(self._hits, spot.offset << _BITS | min(spot.block, _MAX_BLOCK))

    def after(self, spot: Spot) -> Spot | None:
        """Return the next hit, the first one after the last."""
        number = self.rank(spot)
        return _spot(self._hits[number % len(self._hits)]) if self._hits else None

    def before(self, spot: Spot) -> Spot | None:
        """Return the hit before, the last one before the first."""
        key = spot.offset << _BITS | min(spot.block, _MAX_BLOCK)
        number = bisect_left(self._hits, key) - 1
        return _spot(self._hits[number]) if self._hits else None

    def between(self, start: int, stop: int) -> bool:
        """Tell whether a line from `start` on and before `stop` has a hit."""
        number = bisect_left(self._hits, start << _BITS)
        return number < len(self._hits) and self._hits[number] >> _BITS < stop


def _spot(key: int) -> Spot:
    return Spot(key >> _BITS, key & _MAX_BLOCK)
