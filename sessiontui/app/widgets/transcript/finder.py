"""Finding text in the transcript view."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from textual.message import Message

from sessiontui.app.widgets.transcript.loader import LoadingViewport
from sessiontui.app.widgets.transcript.viewport import EntryPosition, ScrollAnchor
from sessiontui.errors import StorageError, TooSlowError
from sessiontui.text import clean
from sessiontui.transcript.search import Finder, MatchPosition

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from textual.strip import Strip
    from textual.worker import Worker

    from sessiontui.app.widgets.transcript.layout import TextRow
    from sessiontui.app.widgets.transcript.row_index import RowPosition
    from sessiontui.transcript.document import Document
    from sessiontui.transcript.search import TextQuery

_TELL_S = 0.1
"""How often at most a search says how far it is."""
_SHARE = 4
"""A hit that was out of view comes to this part of the screen below the top."""


@dataclass(frozen=True, slots=True)
class FindState:
    """The state of a find: which match, how many, how far."""

    rank: int
    """Number of the hit that is shown, from 1; 0 while none is."""
    count: int
    share: float
    """How much of the session was looked through, from 0 to 1."""
    complete: bool
    full: bool
    """Whether there are more than are counted."""
    problem: str = ""
    """Why it cannot go on, one safe line."""


class FindViewport(LoadingViewport):
    """Looks for text in the background, shows the hits and goes from one to the other.

    Args:
        now: The time in milliseconds since the epoch.
        zone: Time zone of the times shown; None for the local one.
        id: As for any widget.
    """

    @dataclass
    class FindChanged(Message):
        """A search found more, went on or ended."""

        transcript: FindViewport
        found: FindState | None
        """None when nothing is looked for any more."""

        @property
        def control(self) -> FindViewport:
            """The view that is searched."""
            return self.transcript

    def __init__(
        self,
        *,
        now: Callable[[], int],
        zone: tzinfo | None = None,
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        super().__init__(now=now, zone=zone, id=id)
        self._sought: TextQuery | None = None
        self._finder: Finder | None = None
        self._finding: Worker[None] | None = None
        self._find_from: int | None = None
        """Where the reader was when the search began."""
        self._home: tuple[bool, ScrollAnchor | None] = (False, None)
        """Whether the reader was at the end then, and at which row else."""
        self._shown_hit: MatchPosition | None = None
        self._may_jump = False
        """Whether the first hit is still to be shown."""
        self._marks: frozenset[int] = frozenset()
        """Rows of the screen beside which the scroll bar stands for hits."""
        self._told_at = 0.0

    # -- searching

    def find(self, wanted: TextQuery | None) -> None:
        """Look for something else from where the search began, or for nothing."""
        self._end_search()
        self._sought = wanted or None
        self._painter.light(self._sought)
        if self.document is not None and self._sought is not None:
            if self._find_from is None:
                self._find_from = self._anchor.offset if self._anchor is not None else 0
                self._home = (self.at_bottom, self._anchor)
            self._begin(self.document, self._sought)
        else:
            self._tell_find(None)
        self.refresh()

    def find_at(self, wanted: TextQuery, spot: MatchPosition) -> None:
        """Show a place where something was found elsewhere, and look for the same from there."""
        document = self.document
        if document is None:
            return
        self._end_search()
        self._sought = wanted
        self._painter.light(wanted)
        self._find_from, self._home = (
            spot.offset,
            (False, ScrollAnchor(spot.offset, 0, spot.block, 0)),
        )
        self._begin(document, wanted)
        self._go_to(spot)
        self.refresh()

    def stop_finding(self) -> bool:
        """Look for nothing any more; return whether anything was looked for."""
        finding = self._sought is not None
        self._find_from = None
        if finding:
            self.find(None)
        return finding

    def watch_document(self, document: Document | None) -> None:
        """Look for the same in another session."""
        self._end_search()
        self._find_from = None
        super().watch_document(document)
        if document is not None and self._sought is not None:
            self._find_from, self._home = document.size, (True, None)
            self._begin(document, self._sought)
            self._may_jump = False
        elif self._sought is not None:
            self._tell_find(None)

    def _begin(self, document: Document, wanted: TextQuery) -> None:
        origin = self._find_from or 0
        self._finder = Finder(document, wanted, origin, self._more_found)
        self._shown_hit, self._may_jump = None, True
        self._search_on()

    def _end_search(self) -> None:
        if self._finding is not None:
            self._finding.cancel()
        self._finder = self._finding = self._shown_hit = None
        self._marks = frozenset()

    def _search_on(self) -> None:
        if self._finder is not None:
            self._finding = self.run_worker(partial(self._search, self._finder), group="find")

    async def _search(self, finder: Finder) -> None:
        problem = ""
        try:
            await finder.run()
        except (StorageError, TooSlowError) as error:
            problem = clean(str(error))
        if finder is self._finder and not finder.stale:
            self._more_found()
            self._tell_find(finder, problem)
            if self._may_jump and finder.complete:
                self._go_home()
            self._may_jump = False

    def _more_found(self) -> None:
        finder = self._finder
        if finder is None:
            return
        if self._may_jump and finder.nearest is not None:
            self._may_jump = False
            self._go_to(finder.nearest)
        if time.monotonic() - self._told_at > _TELL_S:
            self._tell_find(finder)

    def _tell_find(self, finder: Finder | None, problem: str = "") -> None:
        self._told_at = time.monotonic()
        self._mark()
        found = None
        if finder is not None:
            rank = finder.rank(self._shown_hit) if self._shown_hit is not None else 0
            complete = finder.complete
            found = FindState(rank, len(finder), finder.share, complete, finder.full, problem)
        self.post_message(self.FindChanged(self, found))

    @property
    def quiet(self) -> bool:
        """Whether nothing is being read or looked for, and what changed is shown."""
        finding = self._finding is not None and not self._finding.is_finished
        return super().quiet and not finding

    def settled(self) -> None:
        """Look through what the session grew by, and mark hits anew."""
        super().settled()
        finder, document = self._finder, self.document
        if finder is None or document is None or self._sought is None:
            return
        if finder.stale:
            self._end_search()
            self._find_from = 0
            self._begin(document, self._sought)
            self._may_jump = False
        elif self._finding is not None and self._finding.is_finished and not finder.complete:
            self._search_on()
        self._mark()

    # -- going to hits

    def action_next_hit(self) -> None:
        """Go to the next match, from the last one to the first."""
        self._step_hit(forward=True)

    def action_previous_hit(self) -> None:
        """Go to the previous match, from the first one to the last."""
        self._step_hit(forward=False)

    def _step_hit(self, *, forward: bool) -> None:
        finder = self._finder
        if finder is None:
            self.app.bell()
            return
        here = self._shown_hit
        if here is None:
            here = MatchPosition(self._anchor.offset if self._anchor is not None else 0, 0)
        hit = finder.after(here) if forward else finder.before(here)
        if hit is None:
            self.app.bell()
        else:
            self._go_to(hit)

    def _go_to(self, hit: MatchPosition) -> None:
        """Show a hit: unfolded if need be, where it is if that is in view already."""
        document = self.document
        if document is None:
            return
        self._shown_hit, self._may_jump = hit, False
        self._follow(following=False)

        async def reach() -> None:
            self._seeking = True
            try:
                await document.open_at(hit.offset)
            finally:
                self._seeking = False
            document.resolve()
            document.branch_filter.reveal(hit.offset)
            self._anchor = ScrollAnchor(hit.offset, 0, hit.block, 0, self._hit_row)
            self._sync()
            self._show_hit(hit)
            await self._fill()

        self._read(reach)

    def _go_home(self) -> None:
        """Go back to where the search began: fewer letters led away, and these are nowhere."""
        document, (following, anchor) = self.document, self._home
        if document is None or self.at_bottom or (anchor is None and not following):
            return
        self._follow(following=following)
        self._anchor = anchor
        self._read(
            lambda: self._open(document, None if following or anchor is None else anchor.offset)
        )

    @property
    def _hit_row(self) -> int:
        return self.rows_in_view // _SHARE

    def _show_hit(self, hit: MatchPosition) -> None:
        flow = self.flow
        place = flow.find(hit.offset) if flow is not None else None
        if flow is None or place is None or self._sought is None:
            return
        place, block = self._where_shown(place, hit)
        rows = flow.rows(place)
        number = self._row_of(rows, hit, block, flow.offset(place))
        if number is None and not flow.look.raw:
            shown = flow.blocks(place)[block : block + 1]
            if not flow.look.thinking and shown and shown[0].kind == "thinking":
                self._look = replace(self._look, thinking=True)
                flow.restyle(self._look)
            if shown and shown[0].folded is not None and not flow.is_open(*self._key(place, block)):
                flow.toggle(*self._key(place, block))
            rows = flow.rows(place)
            number = self._row_of(rows, hit, block, flow.offset(place))
        if number is None:
            number = next((index for index, row in enumerate(rows) if row.block == block), 0)
        own = [index for index, row in enumerate(rows) if row.block == block] or [0]
        share = (number - own[0]) / len(own) if number in own else 0.0
        entry = EntryPosition(*self._key(place, block))
        self._anchor = ScrollAnchor(entry.offset, number, block, share, self._hit_row)
        self.current = entry
        self.settle()
        self._tell_find(self._finder)

    def _key(self, place: RowPosition, block: int) -> tuple[int, int]:
        return (self.flow.offset(place) if self.flow is not None else 0), block

    def _where_shown(self, place: RowPosition, hit: MatchPosition) -> tuple[RowPosition, int]:
        """Return line and block that show a hit: a result stands with its call."""
        flow, document = self.flow, self.document
        if flow is None or document is None or flow.look.raw or self._sought is None:
            return place, hit.block
        blocks = flow.blocks(place)
        if blocks:
            return place, min(hit.block, len(blocks) - 1)
        for offset in document.calls_of(hit.offset):
            call = flow.find(offset)
            if call is not None:
                with suppress(TooSlowError):
                    for number, block in enumerate(flow.blocks(call)):
                        if block.kind == "tool" and self._sought.line_in(block) is not None:
                            return call, number
                return call, 0
        return place, 0

    def _row_of(
        self, rows: tuple[TextRow, ...], hit: MatchPosition, block: int, offset: int
    ) -> int | None:
        """Return the row of a block that shows a match; of a result one beneath the heading."""
        if self._sought is None:
            return None
        raw = self.flow is not None and self.flow.look.raw
        found = [
            number
            for number, row in enumerate(rows)
            if (row.block == block or raw) and any(self._sought.spans(row.text))
        ]
        beneath = [number for number in found if not rows[number].head]
        if offset != hit.offset:
            found = beneath
        return found[0] if found else None

    # -- marks beside the scroll bar

    def _mark(self) -> None:
        """Find out beside which rows of the scroll bar there are hits."""
        marks: frozenset[int] = frozenset()
        flow, finder, rows = self.flow, self._finder, self.rows_in_view
        if flow is not None and finder is not None and len(finder) and flow.height:
            edges = []
            for row in range(rows):
                place = flow.locate(row * flow.height // rows)
                edges.append(flow.offset(place) if place is not None else flow.document.stop)
            edges.append(flow.document.stop)
            marks = frozenset(
                row for row in range(rows) if finder.between(edges[row], edges[row + 1])
            )
        if marks != self._marks:
            self._marks = marks
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Paint a row of the screen, with a mark at its end if the bar stands for hits there."""
        strip = super().render_line(y)
        return self._painter.marked(strip) if y in self._marks else strip
