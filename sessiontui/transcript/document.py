"""An open transcript: a window of pages that follows the session's end or the reader.

The window is one piece of the session without a gap, at most `MAX_PAGES` long;
what is too much is dropped at the far side. Offsets and sizes are bytes from the
start of the session. Reading is asynchronous and one at a time; what the feed
brings (`append`, `rewritten`) is taken at once, also in the middle of a read.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sessiontui.errors import StorageError
from sessiontui.formats.registry import blocks_of, call_ids, decode_line, in_context
from sessiontui.transcript.branch_filter import (
    BranchFilter,
    LineLinks,
    entry_links,
    scan_entry_links,
)
from sessiontui.transcript.pages import (
    MAX_PAGES,
    PAGE_BYTES,
    SEARCH_STEPS,
    STEP_BYTES,
    find_beginning,
    line_start,
    page_limit,
    read_before,
    split_pages,
)
from sessiontui.transcript.pairing import PairIndex

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from sessiontui.formats.blocks import Block
    from sessiontui.formats.jsonl import Item
    from sessiontui.transcript.pages import Page, PageLine, ReadRange


class Document:
    """The window on one session.

    Args:
        read: Reads the bytes `[start, stop)` of the session.
        size: Its length now.
        max_pages: How many pages are held at most.
    """

    def __init__(self, read: ReadRange, size: int, *, max_pages: int = MAX_PAGES) -> None:
        self._read = read
        self._max_pages = max_pages
        self._pages: list[Page] = []
        self._pairs = PairIndex(self._items_at)
        self.branch_filter = BranchFilter()
        """Which of the lines are of the branch that is shown."""
        self._lock = asyncio.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._following = True
        self.size = size
        """Length of the session as far as it is known, with a last line still being written."""
        self.new_lines = 0
        """How many lines ended since the reader stopped following."""
        self.generation = 0
        """Rises when what was read counts no more: every page is another one then."""
        self.version = 0
        """Rises when the session itself was rewritten: offsets mean other things then."""
        self.opened = False
        """Whether something was read; false again after `rewritten`."""

    @property
    def pages(self) -> Sequence[Page]:
        """The pages of the window, in order; the last one may still grow."""
        return self._pages

    @property
    def start(self) -> int:
        """Where the window begins."""
        return self._pages[0].start if self._pages else 0

    @property
    def stop(self) -> int:
        """Where the window ends."""
        return self._pages[-1].stop if self._pages else 0

    @property
    def full(self) -> bool:
        """Whether another page makes one at the far side go."""
        return len(self._pages) >= self._max_pages

    @property
    def at_start(self) -> bool:
        """Whether nothing comes before the window."""
        return self.opened and self.start == 0

    @property
    def at_end(self) -> bool:
        """Whether nothing comes after the window."""
        return self.opened and self.stop >= self.size

    @property
    def following(self) -> bool:
        """Whether the reader is at the end: then old pages make room for new ones."""
        return self._following

    @following.setter
    def following(self, value: bool) -> None:
        self._following = value
        if value:
            self.new_lines = 0

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` after every change of the window or the size; returns how to stop that.

        It is called in the loop, in the midst of `append` among others: it must be cheap.
        """
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback) if callback in self._listeners else None

    # -- reading

    async def read(self, start: int, stop: int) -> bytes:
        """Read bytes `[start, stop)` of the session, beside the window.

        Raises:
            StorageError: The backend could not read.
        """
        return await self._read(start, stop)

    async def open_tail(self) -> None:
        """Show the end of the session.

        Raises:
            StorageError: The backend could not read, or nothing was there; the window is as before.
        """
        async with self._lock:
            size, generation = self.size, self.generation
            pages = [await read_before(self._read, size)] if size else []
            self._take_over(pages, size, generation)
        await self._catch_up()

    async def open_at(self, offset: int) -> int:
        """Show the piece of the session around `offset`.

        Args:
            offset: Any position in the session.

        Returns:
            Where the line at `offset` begins, or `offset` itself in a line too long to tell.

        Raises:
            StorageError: The backend could not read, or nothing was there; the window is as before.
        """
        async with self._lock:
            offset = max(0, min(offset, self.size - 1))
            if not self.opened or not self.start <= offset < self.stop:
                size, generation = self.size, self.generation
                begin = await line_start(self._read, offset)
                first = offset if begin is None else begin
                data = await self._whole_lines(first)
                pages = split_pages(first, data)
                if pages and begin is None:
                    pages[0].begun = False
                self._take_over(pages, size, generation)
        place = self.place(offset)
        return offset if place is None else self._pages[place[0]].offset(place[1])

    async def load_before(self) -> bool:
        """Read the page before the window, dropping the last one if there are too many.

        Returns:
            Whether anything came.

        Raises:
            StorageError: The backend could not read; the window is as before.
        """
        async with self._lock:
            if not self._pages or self.at_start:
                return False
            first, generation = self._pages[0], self.generation
            if not first.begun:
                page = await find_beginning(self._read, first)
            else:
                page = await read_before(self._read, first.start)
            if generation != self.generation or self._pages[0] is not first:
                return False
            if page.stop == page.start or page.stop != (first.start if first.begun else first.stop):
                return False  # The session is shorter than was said.
            if not first.begun:
                self._pairs.drop(first)
                self._pages[0] = page
            else:
                self._pages.insert(0, page)
            self._enter(page)
            while len(self._pages) > self._max_pages:
                self._pairs.drop(self._pages.pop())
            self._tell()
            return True

    async def load_after(self) -> bool:
        """Read the page after the window, dropping the first one if there are too many.

        Returns:
            Whether anything came.

        Raises:
            StorageError: The backend could not read; the window is as before.
        """
        async with self._lock:
            if not self.opened or self.at_end:
                return False
            stop, generation = self.stop, self.generation
            data = await self._whole_lines(stop)
            if generation != self.generation or self.stop != stop or not data:
                return False
            self._take(data)
            while len(self._pages) > self._max_pages:
                self._pairs.drop(self._pages.pop(0))
            self._tell()
            return True

    async def _catch_up(self) -> None:
        while self.opened and not self.at_end:
            if not await self.load_after():
                return

    async def _whole_lines(self, start: int) -> bytes:
        """Read what a page holds from `start` on: whole lines, or some of a long one."""
        data = await self._read(start, min(start + PAGE_BYTES, self.size))
        for _ in range(SEARCH_STEPS):
            stop = start + len(data)
            if b"\n" in data or stop >= self.size:
                break
            more = await self._read(stop, min(stop + STEP_BYTES, self.size))
            data += more[: more.find(b"\n") + 1] or more
            if not more:
                break
        if start + len(data) < self.size:
            data = data[: data.rfind(b"\n") + 1] or data
        return data[: page_limit(data)]

    async def lines(self, start: int = 0) -> AsyncIterator[bytes]:
        """Yield every line from `start`, a line's beginning, to the end, as it is stored.

        Reads through the whole session, a page at a time and beside the window; a
        last line without newline counts.
        """
        rest = b""
        while start < self.size:
            data = await self._read(start, min(start + PAGE_BYTES, self.size))
            if not data:
                break
            start += len(data)
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                yield line
        if rest:
            yield rest

    # -- what the feed brings

    def append(self, data: bytes) -> None:
        """Take bytes that were added at the end of the session."""
        if not data:
            return
        at_end = self.at_end
        self.size += len(data)
        if not self._following:
            self.new_lines += data.count(b"\n")
        if at_end:
            room = None if self._following else self._max_pages
            self._take(data, room, live=True)
            while len(self._pages) > self._max_pages:
                self._pairs.drop(self._pages.pop(0))
        self._tell()

    def rewritten(self, size: int) -> None:
        """Forget what was read: the session is another one now, `size` bytes long."""
        self.size = size
        self.version += 1
        self.branch_filter.choice = None
        self.branch_filter.reset()
        self._replace([])
        self.opened = False
        self._tell()

    def _take(self, data: bytes, room: int | None = None, *, live: bool = False) -> None:
        """Add what follows the window to its last page and to new ones, at most `room` in all."""
        taken = 0
        if self._pages:
            last = self._pages[-1]
            known = len(last)
            reread = known - (0 if last.ended else 1)
            taken = last.take(data)
            if taken:
                self._enter(last, reread, live=live)
        if taken == len(data):
            return
        for page in split_pages(self.stop, data[taken:]):
            if room is not None and len(self._pages) >= room:
                return
            self._pages.append(page)
            self._enter(page, live=live)

    def _take_over(self, pages: list[Page], size: int, generation: int) -> None:
        """Make what was read the window, unless it counts no more.

        Raises:
            StorageError: Nothing was there of the `size` bytes that were said to be.
        """
        if generation != self.generation:
            return
        pages = [page for page in pages if page.start < page.stop]
        if size and not pages:
            raise StorageError(f"nothing is left of its {size:,} bytes")
        self._replace(pages)

    def _replace(self, pages: list[Page]) -> None:
        self._pages = pages
        self.generation += 1
        self.opened = True
        self._pairs.clear()
        if not self.branch_filter.top <= self.start or self.stop > self.branch_filter.bottom:
            self.branch_filter.reset()
        for page in pages:
            self._enter(page)
        self._tell()

    def _enter(self, page: Page, first: int = 0, *, live: bool = False) -> None:
        """Find out how the lines of a page hang together with others, from number `first` on."""
        lines: list[LineLinks] = []
        for number in range(first, len(page)):
            found = self._items(page, number)
            self._pairs.add(page, number, found)
            offset, last = page.offset(number), number + 1 == len(page)
            stop = page.stop if last else page.offset(number + 1)
            if not lines and self.branch_filter.just_follows(found, offset, stop):
                continue
            lines.append(LineLinks(offset, stop, entry_links(found), page.ended or not last))
        self.branch_filter.take(lines, live=live)

    def resolve(self) -> None:
        """Find out anew which lines are of the branch that is shown, where need be."""
        if self.branch_filter.stale:
            self.branch_filter.again(
                [line_links for page in self._pages for line_links in _links_of_lines(page)]
            )

    def _tell(self) -> None:
        for callback in tuple(self._listeners):
            callback()

    # -- what is there

    def place(self, offset: int) -> tuple[int, int] | None:
        """Return number of page and line that `offset` lies in; None outside of the window."""
        if not self._pages or not self.start <= offset < self.stop:
            return None
        low, high = 0, len(self._pages) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self._pages[middle].start <= offset:
                low = middle
            else:
                high = middle - 1
        return low, self._pages[low].number_at(offset)

    def window_lines(self) -> Iterator[PageLine]:
        """Yield the lines of the window."""
        for page in self._pages:
            for number in range(len(page)):
                yield page.line(number)

    def blocks(self, page: Page, number: int) -> tuple[Block, ...]:
        """Return how a line shows: nothing for an empty one, or one that another block shows."""
        found = self._items(page, number)
        if self.branch_filter.context:
            found = tuple(item for item in found if in_context(item))
        return tuple(block for item in found for block in blocks_of(item, self._pairs))

    def take_stale(self) -> set[int]:
        """Return offsets of lines that show in another way since the last call, and forget them."""
        return self._pairs.take_stale() | self.branch_filter.take_touched()

    def _items(self, page: Page, number: int) -> tuple[Item, ...]:
        line = page.line(number)
        return decode_line(line.raw, line.offset, size=line.size)

    def _items_at(self, offset: int) -> tuple[Item, ...]:
        place = self.place(offset)
        return () if place is None else self._items(self._pages[place[0]], place[1])

    def calls_of(self, offset: int) -> list[int]:
        """Return where the calls stand that show what the line at `offset` holds."""
        links = call_ids(self._items_at(offset))
        places = (self._pairs.call_at(call_id) for call_id in (*links.results, *links.starts))
        return [place for place in places if place is not None]

    @property
    def pairs(self) -> PairIndex:
        """Which calls and results of the window belong together."""
        return self._pairs


def _links_of_lines(page: Page) -> Iterator[LineLinks]:
    """Yield the lines of a page with how they hang together."""
    for number in range(len(page)):
        line = page.line(number)
        stop = line.offset + line.size + line.ended
        yield LineLinks(
            line.offset, stop, scan_entry_links(line.raw, line.offset, line.size), line.ended
        )
