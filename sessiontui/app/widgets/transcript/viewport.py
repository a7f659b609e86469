"""The viewport of a transcript: scrolling, painting, the current entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from sessiontui.app.widgets.transcript.layout import FOLD
from sessiontui.app.widgets.transcript.painter import PREFIX, STYLES, GutterMark, Painter
from sessiontui.app.widgets.transcript.row_index import RowIndex, RowPosition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.style import Style
    from textual import events
    from textual.scrollbar import ScrollDown, ScrollTo, ScrollUp

    from sessiontui.app.widgets.transcript.layout import TextRow

_SPACE = 2
"""How many screens around the one in view are measured."""


class ScrollAnchor(NamedTuple):
    """The scroll anchor: a row that stays where it is while others come, go or change."""

    offset: int
    """Where its line begins."""
    row: int
    """Its number in the line."""
    block: int
    """Number of its block in the line."""
    share: float
    """How far it is into its block, from 0 to 1."""
    screen: int = 0
    """The row of the screen it stands at."""


class EntryPosition(NamedTuple):
    """The position of a block in a document; the current entry is one."""

    offset: int
    """Where its line begins."""
    block: int


class Viewport(ScrollView, can_focus=True, inherit_bindings=False):
    """Paints a flow. Stays at its end while `at_bottom`, else at an anchor.

    Nothing is decoded or read while painting: `settle` and `go` measure what comes
    into view beforehand.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {PREFIX + name for name in STYLES}
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.flow: RowIndex | None = None
        self.at_bottom = True
        """Whether the view sticks to the end."""
        self.current: EntryPosition | None = None
        """The entry that keys act upon; marked at the left."""
        self._anchor: ScrollAnchor | None = None
        self._painter = Painter(self._component_style)
        self._again = False

    def _component_style(self, name: str) -> Style:
        return self.get_component_rich_style(name)

    @property
    def rows_in_view(self) -> int:
        """Height of the screen, at least 1."""
        return max(1, self.scrollable_content_region.height)

    @property
    def cells_in_view(self) -> int:
        """Width of the screen."""
        return self.scrollable_content_region.width

    @property
    def _last_y(self) -> int:
        height = self.flow.height if self.flow is not None else 0
        return max(0, height - self.rows_in_view)

    # -- where the view stands

    def settle(self) -> None:
        """Take the place again that the end or the anchor gives, after rows changed."""
        flow = self.flow
        last = flow.last if flow is not None else None
        if flow is None or last is None:
            self._place(0)
            return
        if self.at_bottom:
            end = last._replace(row=len(flow.rows(last)))
            flow.settle(end, _SPACE * self.rows_in_view, 0)
            self._place(self._last_y)
            self._anchor = self._anchor_at(self.scroll_offset.y)
        else:
            anchor = self._anchor or ScrollAnchor(0, 0, 0, 0)
            place = self._resolve(anchor)
            flow.settle(place, self.rows_in_view + anchor.screen, _SPACE * self.rows_in_view)
            wanted = flow.top(place) - anchor.screen
            self._place(wanted)
            if wanted > self._last_y and flow.document.at_end:
                self._anchor = self._anchor_at(self.scroll_offset.y)
        self._keep_current_in_view()
        self.settled()

    def settled(self) -> None:
        """Called when the place or the rows around it changed; for who loads what is missing."""

    def go(self, y: int) -> None:
        """Bring row `y` of the flow to the top, or as near to it as there are rows."""
        flow = self.flow
        place = flow.locate(max(0, min(y, self._last_y))) if flow is not None else None
        if flow is None or place is None:
            return
        before = self.scroll_offset.y
        flow.rows(place)
        flow.settle(place, _SPACE * self.rows_in_view, _SPACE * self.rows_in_view)
        self._place(flow.top(place))
        self._anchor = self._anchor_at(self.scroll_offset.y)
        self._keep_current_in_view(upwards=y < before)
        self.settled()

    def show(self, entry: EntryPosition, screen: int = 0) -> None:
        """Make an entry the current one and bring it to a row of the screen."""
        self.at_bottom = False
        self.current = entry
        self._anchor = ScrollAnchor(entry.offset, 0, entry.block, 0, screen)
        self.settle()

    def hold(self) -> None:
        """Remember what is at the top, so that it stays there."""
        if self.flow is not None:
            self._anchor = self._anchor_at(self.scroll_offset.y)

    def hold_current(self) -> None:
        """Remember where the current entry is, so that it stays there."""
        for screen, place, row in self.rows_seen():
            if self._entry(place, row) == self.current and self.flow is not None:
                number = place.row
                self._anchor = ScrollAnchor(self.flow.offset(place), number, row.block, 0, screen)
                return
        self.hold()

    def _anchor_at(self, y: int) -> ScrollAnchor | None:
        flow = self.flow
        place = flow.locate(y) if flow is not None else None
        laid = flow.laid(place) if flow is not None and place is not None else None
        if flow is None or place is None or laid is None or place.row >= len(laid.rows):
            return self._anchor
        block = laid.rows[place.row].block
        own = [number for number, row in enumerate(laid.rows) if row.block == block]
        share = (place.row - own[0]) / len(own)
        return ScrollAnchor(flow.offset(place), place.row, block, share)

    def _resolve(self, anchor: ScrollAnchor) -> RowPosition:
        """Return where the row of an anchor is now."""
        flow = self.flow
        place = flow.find(anchor.offset) if flow is not None else None
        if flow is None or place is None:
            return RowPosition(0, 0)
        rows = flow.rows(place)
        if flow.offset(place) != anchor.offset or not rows:
            return place
        own = [number for number, row in enumerate(rows) if row.block == anchor.block]
        if not own:
            return place._replace(row=min(anchor.row, len(rows) - 1))
        if anchor.row in own and round((anchor.row - own[0]) / len(own) - anchor.share, 9) == 0:
            return place._replace(row=anchor.row)
        return place._replace(row=own[min(len(own) - 1, round(anchor.share * len(own)))])

    def _place(self, y: int) -> None:
        """Set height and position without a layout: only this widget and its bar are painted."""
        height = self.flow.height if self.flow is not None else 0
        y = max(0, min(y, self._last_y))
        self.set_reactive(ScrollView.virtual_size, Size(self.cells_in_view, height))
        self.set_reactive(ScrollView.scroll_y, float(y))
        self.set_reactive(ScrollView.scroll_target_y, float(y))
        bar = self.vertical_scrollbar
        bar.window_virtual_size = height
        bar.window_size = self.rows_in_view
        bar.position = y
        self.refresh()

    # -- the current entry

    def rows_seen(self) -> Iterator[tuple[int, RowPosition, TextRow]]:
        """Yield screen row, place and row of what is in view."""
        flow = self.flow
        if flow is None:
            return
        top = self.scroll_offset.y
        for screen in range(self.rows_in_view):
            place = flow.locate(top + screen)
            laid = flow.laid(place) if place is not None else None
            if place is None or laid is None:
                continue
            if place.row < len(laid.rows):
                yield screen, place, laid.rows[place.row]

    def _entry(self, place: RowPosition, row: TextRow) -> EntryPosition | None:
        if row.block < 0 or self.flow is None:
            return None
        return EntryPosition(self.flow.offset(place), row.block)

    def entries_in_view(self, *, heads: bool = False) -> list[EntryPosition]:
        """Return the entries in view from the top; with `heads` those whose heading is."""
        found: dict[EntryPosition, None] = {}
        for _, place, row in self.rows_seen():
            entry = self._entry(place, row)
            if entry is not None and (row.head or not heads):
                found[entry] = None
        return list(found)

    def _keep_current_in_view(self, *, upwards: bool = False) -> None:
        entries = self.entries_in_view()
        if not entries or (self.current in entries and not self.at_bottom):
            return
        if self.at_bottom:
            self.current = entries[-1]
            return
        candidates = self.entries_in_view(heads=True) or entries
        self.current = candidates[-1] if upwards else candidates[0]

    def folds(self, entry: EntryPosition) -> bool:
        """Return whether an entry can be folded."""
        place = self.flow.find(entry.offset) if self.flow is not None else None
        if self.flow is None or place is None or self.flow.look.raw:
            return False
        if entry.block >= FOLD:
            return entry.block == FOLD
        blocks = self.flow.blocks(place)
        return entry.block < len(blocks) and blocks[entry.block].folded is not None

    # -- painting

    def render_line(self, y: int) -> Strip:
        """Paint a row of the screen from rows that are at hand."""
        flow, width = self.flow, self.cells_in_view
        place = flow.locate(y + self.scroll_offset.y) if flow is not None else None
        if flow is None or place is None:
            return self.empty_line(y, width)
        laid = flow.laid(place)
        if laid is None or place.row >= len(laid.rows):
            if not self._again:
                self._again = True
                self.call_later(self._settle_again)
            return Strip.blank(width, self._painter.style("text"))
        row = laid.rows[place.row]
        mark: GutterMark = ""
        if self.current is not None and self._entry(place, row) == self.current:
            mark = "cursor" if self.has_focus else "cursor-blurred"
        return self._painter.strip(laid.serial, place.row, row, width, mark)

    def _settle_again(self) -> None:
        self._again = False
        self.settle()

    def empty_line(self, y: int, width: int) -> Strip:  # noqa: ARG002 - for those who say something
        """Paint a row of the screen where the flow has none."""
        return Strip.blank(width, self._painter.style("text"))

    def notify_style_update(self) -> None:
        """Forget colours when the theme or the stylesheet changed."""
        super().notify_style_update()
        self._painter.clear()

    # -- scrolling by mouse; Textual's own would move without measuring

    def move(self, rows: int) -> None:
        """Scroll by rows, negative ones upwards."""
        self.at_bottom = False
        self.go(self.scroll_offset.y + rows)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll up."""
        event.stop()
        event.prevent_default()
        self.move(-max(1, round(self.app.scroll_sensitivity_y)))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll down."""
        event.stop()
        event.prevent_default()
        self.move(max(1, round(self.app.scroll_sensitivity_y)))

    def on_scroll_to(self, event: ScrollTo) -> None:
        """Follow the dragged bar."""
        event.stop()
        event.prevent_default()
        if event.y is not None:
            self.move(round(event.y) - self.scroll_offset.y)

    def on_scroll_up(self, event: ScrollUp) -> None:
        """Scroll a page up: a click above the bar."""
        event.stop()
        event.prevent_default()
        self.move(1 - self.rows_in_view)

    def on_scroll_down(self, event: ScrollDown) -> None:
        """Scroll a page down: a click below the bar."""
        event.stop()
        event.prevent_default()
        self.move(self.rows_in_view - 1)
