"""The row index of a transcript: which row each line begins at, measured as it comes near.

A line that was not looked at yet counts with an estimate of its height, so that
opening, following and a new width cost as much as what is in view. `settle`
measures around a place; after it, moves of that many rows are exact.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from itertools import accumulate, count
from typing import TYPE_CHECKING, NamedTuple

from sessiontui.app.widgets.transcript.layout import (
    FOLD,
    BlockEnd,
    blank_rows,
    block_end,
    fold_rows,
    fork_rows,
    layout_rows,
    muted_rows,
    raw_rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiontui.app.widgets.transcript.layout import TextRow, ViewOptions
    from sessiontui.formats.blocks import Block
    from sessiontui.transcript.branch_filter import HiddenRange
    from sessiontui.transcript.document import Document
    from sessiontui.transcript.pages import Page

MAX_KEPT_ROWS = 6000
"""How many rows are kept; a screen and its surroundings are a few hundred."""
_LOOK_BACK = 40
"""How many lines up the group of the block above is looked for."""
_FOLD_ROWS = 2
"""How many rows stand for lines that are not shown."""
_MAX_TOGGLED = 10_000
"""How many folds a reader changed are remembered."""

_serials = count(1)


class RowPosition(NamedTuple):
    """The position of a row: page, line, row."""

    page: int
    line: int
    row: int = 0


class LaidOutLine(NamedTuple):
    """A laid-out line: its rows; `serial` is never used twice."""

    serial: int
    rows: tuple[TextRow, ...]


class _PageHeights:
    """Heights of the lines of a page."""

    __slots__ = ("_tops", "heights", "known", "page", "stop")

    def __init__(self, page: Page) -> None:
        self.page = page
        self.heights: list[int] = []
        self.known = bytearray()
        """1 for a line whose height was measured."""
        self.stop = page.start
        self._tops: list[int] | None = None

    @property
    def tops(self) -> list[int]:
        """The row each line begins at, and behind them the height of all."""
        if self._tops is None:
            self._tops = list(accumulate(self.heights, initial=0))
        return self._tops

    def changed(self) -> None:
        self._tops = None

    def set(self, line: int, height: int) -> None:
        self.known[line] = 1
        if self.heights[line] != height:
            self.heights[line] = height
            self._tops = None


class RowIndex:
    """Rows of the window of a document.

    Args:
        document: What to show.
        look: How.
    """

    def __init__(self, document: Document, look: ViewOptions) -> None:
        self.document = document
        self.look = look
        self.all_open = False
        self._toggled: OrderedDict[tuple[int, int], None] = OrderedDict()
        self._columns: list[_PageHeights] = []
        self._tops: list[int] = [0]
        self._laid: OrderedDict[tuple[int, int], LaidOutLine] = OrderedDict()
        self._kept_rows = 0
        self._generation = (document.generation, document.branch_filter.version)
        self.sync()

    # -- what there is

    def sync(self) -> None:
        """Take over what changed in the document."""
        self.document.resolve()
        stale = self.document.take_stale()
        generation = (self.document.generation, self.document.branch_filter.version)
        if self._generation != generation:
            self._generation = generation
            self._columns.clear()
            self._laid.clear()
            self._kept_rows = 0
        old = {column.page.uid: column for column in self._columns}
        first = self._columns[0].page.uid if self._columns else 0
        self._columns = [
            old.pop(page.uid) if page.uid in old else _PageHeights(page)
            for page in self.document.pages
        ]
        for column in old.values():
            self._forget_page(column.page)
        for column in self._columns:
            if column.stop != column.page.stop:
                self._grow(column)
        for offset in stale:
            self._forget_at(offset)
        if self._columns and first and self._columns[0].page.uid != first:
            self._forget_first_line(first)
            self._forget_first_line(self._columns[0].page.uid)
        self._retop()

    def _grow(self, column: _PageHeights) -> None:
        page, known = column.page, len(column.heights)
        if known and page.size(known - 1) + page.offset(known - 1) + 1 > column.stop:
            self._forget(column, known - 1)  # it was still being written
        raw, width = self.look.raw, self.look.inner
        sizes = [page.size(number) for number in range(known, len(page))]
        if raw:
            column.heights += [max(1, min(400, -(-size // width))) for size in sizes]
        else:
            column.heights += [min(12, 2 + size // 400) if size else 0 for size in sizes]
            branch_filter = self.document.branch_filter
            if branch_filter.hides_some:
                for number in range(known, len(page)):
                    if branch_filter.hides(page.offset(number)):
                        column.heights[number] = 0  # yet to be measured: a few rows tell of it
        column.known.extend(bytes(len(sizes)))
        if not raw:
            for number, size in enumerate(sizes[1:], known + 1):
                if not size and not sizes[number - known - 1]:
                    column.known[number] = 1  # an empty line after another one shows nothing
        column.stop = page.stop
        column.changed()

    def _forget_first_line(self, uid: int) -> None:
        """The line that was the first one may stand apart from what came before it."""
        for column in self._columns:
            if column.page.uid == uid:
                for number in range(min(_LOOK_BACK, len(column.heights))):
                    self._forget(column, number)

    def _forget_at(self, offset: int) -> None:
        if not self._columns or not self._columns[0].page.start <= offset < self._columns[-1].stop:
            return
        place = self._at(offset)
        column = self._columns[place.page]
        # What comes next may stand closer or further away now.
        for number in range(place.line, min(place.line + _LOOK_BACK, len(column.heights))):
            self._forget(column, number)

    def _forget(self, column: _PageHeights, number: int) -> None:
        column.known[number] = 0
        laid = self._laid.pop((column.page.uid, number), None)
        if laid is not None:
            self._kept_rows -= len(laid.rows)

    def _forget_page(self, page: Page) -> None:
        for key in [key for key in self._laid if key[0] == page.uid]:
            self._kept_rows -= len(self._laid.pop(key).rows)

    def _retop(self) -> None:
        self._tops = list(accumulate((column.tops[-1] for column in self._columns), initial=0))

    def restyle(self, look: ViewOptions) -> None:
        """Show everything in another look."""
        self.look = look
        self._columns.clear()
        self._laid.clear()
        self._kept_rows = 0
        self.sync()

    # -- folds

    def is_open(self, offset: int, number: int) -> bool:
        """Return whether a block is unfolded, by the offset of its line and its number there."""
        return self.all_open != ((offset, number) in self._toggled)

    def toggle(self, offset: int, number: int) -> None:
        """Fold or unfold a block."""
        stretch = self.document.branch_filter.stretch(offset) if number == FOLD else None
        if stretch is not None:
            self.document.branch_filter.toggle(stretch)
            self.sync()
            return
        key = (offset, number)
        if self._toggled.pop(key, self) is self:
            self._toggled[key] = None
        if len(self._toggled) > _MAX_TOGGLED:
            self._toggled.popitem(last=False)
        self._forget_at(offset)

    def toggle_all(self) -> None:
        """Fold or unfold every block."""
        self.all_open = not self.all_open
        self._toggled.clear()
        self.restyle(self.look)

    # -- places and rows

    @property
    def height(self) -> int:
        """Rows of the window, those of lines not measured as estimated."""
        return self._tops[-1]

    @property
    def first_page_bottom(self) -> int:
        """The row after the first page."""
        return self._tops[1] if self._columns else 0

    @property
    def last_page_top(self) -> int:
        """The row that the last page begins at."""
        return self._tops[-2] if self._columns else 0

    @property
    def hides_last_page(self) -> bool:
        """Whether nothing of the last page shows, but for what stands for it."""
        return bool(self._columns) and self._tops[-1] - self._tops[-2] <= _FOLD_ROWS

    @property
    def last(self) -> RowPosition | None:
        """The last line."""
        if not self._columns:
            return None
        return RowPosition(len(self._columns) - 1, len(self._columns[-1].heights) - 1)

    def top(self, place: RowPosition) -> int:
        """Return the row that a place is at."""
        return self._tops[place.page] + self._columns[place.page].tops[place.line] + place.row

    def locate(self, y: int) -> RowPosition | None:
        """Return what is at row `y`; None above and below everything."""
        if not 0 <= y < self.height:
            return None
        page = bisect_right(self._tops, y) - 1
        tops = self._columns[page].tops
        line = bisect_right(tops, y - self._tops[page]) - 1
        return RowPosition(page, line, y - self._tops[page] - tops[line])

    def find(self, offset: int) -> RowPosition | None:
        """Return the line that `offset` lies in, or the end of the window that is nearer."""
        if not self._columns:
            return None
        first, last = self._columns[0].page.start, self._columns[-1].stop - 1
        return self._at(max(first, min(offset, last)))

    def _at(self, offset: int) -> RowPosition:
        page = bisect_right(self._columns, offset, key=lambda column: column.page.start) - 1
        column = self._columns[page]
        return RowPosition(page, min(column.page.number_at(offset), len(column.heights) - 1))

    def offset(self, place: RowPosition) -> int:
        """Return where the line of a place begins."""
        return self._columns[place.page].page.offset(place.line)

    def laid(self, place: RowPosition) -> LaidOutLine | None:
        """Return the rows of a line if they are at hand."""
        return self._laid.get((self._columns[place.page].page.uid, place.line))

    def rows(self, place: RowPosition) -> tuple[TextRow, ...]:
        """Return the rows of a line; decodes it unless they are at hand."""
        column = self._columns[place.page]
        key = (column.page.uid, place.line)
        laid = self._laid.get(key)
        if laid is None:
            rows = self._make(column.page, place)
            if rows:
                self._laid[key] = LaidOutLine(next(_serials), rows)
                self._kept_rows += len(rows)
        else:
            self._laid.move_to_end(key)
            rows = laid.rows
        column.set(place.line, len(rows))
        return rows

    def _make(self, page: Page, place: RowPosition) -> tuple[TextRow, ...]:
        if self.look.raw:
            return raw_rows(page.line(place.line), self.look)
        branch_filter, offset = self.document.branch_filter, page.offset(place.line)
        stretch = branch_filter.stretch(offset)
        if stretch is not None:
            return self._of_stretch(page, place, stretch)
        rows = self._shown(page, place)
        others = 0 if branch_filter.context else branch_filter.forks.get(offset, 0)
        if others:
            rows += fork_rows(others, offset, self.look, "prose" if rows else "note")
        return rows

    def _of_stretch(
        self, page: Page, place: RowPosition, stretch: HiddenRange
    ) -> tuple[TextRow, ...]:
        """Return the rows of a line that is not shown: none, but where it stands for all."""
        open_now = self.document.branch_filter.is_open(stretch)
        rows: tuple[TextRow, ...] = ()
        first = place.page == place.line == 0 or page.offset(place.line) == stretch.start
        if first:
            above = self._group_above(place)
            if stretch.stop == self.document.branch_filter.bottom < self.document.size:
                stretch = stretch._replace(whole=False)
            rows = fold_rows(stretch, self.look, above, open_now=open_now)
        return rows + muted_rows(self._shown(page, place)) if open_now else rows

    def _shown(self, page: Page, place: RowPosition) -> tuple[TextRow, ...]:
        if not page.size(place.line):
            return self._blank(page, place.line)
        offset = page.offset(place.line)

        def is_open(number: int, block: Block) -> bool:  # noqa: ARG001
            return self.is_open(offset, number)

        blocks = self.document.blocks(page, place.line)
        return layout_rows(blocks, self.look, is_open, self._group_above(place) if blocks else None)

    def _blank(self, page: Page, number: int) -> tuple[TextRow, ...]:
        """Return one row for the first of several empty lines in a row, none for the others."""
        if number and not page.size(number - 1):
            return ()
        stop = number
        while stop < len(page) and not page.size(stop):
            stop += 1
        return blank_rows(stop - number) if stop - number > 1 else ()

    def _group_above(self, place: RowPosition) -> BlockEnd | None:
        """Return what the nearest line above that shows something shows last."""
        page, number = place.page, place.line
        for _ in range(_LOOK_BACK):
            number -= 1
            while number < 0:
                page -= 1
                if page < 0:
                    return None
                number = len(self._columns[page].heights) - 1
            spot = RowPosition(page, number)
            if self._tells_of_others(self.offset(spot)):
                return "note"
            for index, block in reversed(tuple(enumerate(self.blocks(spot)))):
                if self.look.thinking or not (block.kind == "thinking" or block.silent):
                    return block_end(block, open_now=self.is_open(self.offset(spot), index))
        return "prose"

    def _tells_of_others(self, offset: int) -> bool:
        """Return whether a line ends with a word about entries that are not shown."""
        branch_filter = self.document.branch_filter
        forks = not branch_filter.context and offset in branch_filter.forks
        return not self.look.raw and (forks or branch_filter.hides(offset))

    # -- measuring

    def settle(self, place: RowPosition, above: int, below: int) -> None:
        """Measure the lines around a place.

        Args:
            place: Where the reader is.
            above: How many rows above it to be exact about.
            below: How many rows from it on.
        """
        total = -place.row
        for spot in self._from(place):
            total += self._measure(spot)
            if total >= below:
                break
        total = place.row
        for spot in self._before(place):
            if total >= above:
                break
            total += self._measure(spot)
        self._retop()
        while self._kept_rows > MAX_KEPT_ROWS and len(self._laid) > 1:
            self._kept_rows -= len(self._laid.popitem(last=False)[1].rows)

    def _measure(self, place: RowPosition) -> int:
        column = self._columns[place.page]
        if column.known[place.line] and not column.heights[place.line]:
            return 0
        return len(self.rows(place))

    def _from(self, place: RowPosition) -> Iterator[RowPosition]:
        for page in range(place.page, len(self._columns)):
            first = place.line if page == place.page else 0
            for line in range(first, len(self._columns[page].heights)):
                yield RowPosition(page, line)

    def _before(self, place: RowPosition) -> Iterator[RowPosition]:
        for page in range(place.page, -1, -1):
            last = place.line if page == place.page else len(self._columns[page].heights)
            for line in range(last - 1, -1, -1):
                yield RowPosition(page, line)

    def blocks(self, place: RowPosition) -> tuple[Block, ...]:
        """Return the blocks of a line; none while it is not shown."""
        page = self._columns[place.page].page
        if self.document.branch_filter.hides(page.offset(place.line)) and not self.look.raw:
            return ()
        return self.document.blocks(page, place.line)

    def text(self) -> str:
        """Return what the window shows, wrapped rows as one line, without figures at the right.

        While stored lines are shown and wrapped, these are they, safe to show; those
        of more than `MAX_ROWS` rows end with a word about the rest.
        """
        lines: list[str] = []
        for page in range(len(self._columns)):
            for line in range(len(self._columns[page].heights)):
                for row in self._make(self._columns[page].page, RowPosition(page, line)):
                    if row.joined:
                        lines[-1] += row.text
                    else:
                        lines.append(row.text)
        return "\n".join(lines)
