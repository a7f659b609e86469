"""The canvas of the session list: paints only the lines in view.

There is no widget and no node for a line. Lines are asked of the catalog
once for each look, and what was painted is remembered, so that after a change
or a second only the lines that look different are painted again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from sessiontui.app import columns
from sessiontui.app import format as formats
from sessiontui.app.timers import call_later
from sessiontui.app.widgets.session_list.lines import (
    Appearance,
    LineContext,
    draw_line,
    line_appearance,
)
from sessiontui.catalog.row import ListLine, RowLine
from sessiontui.text import clean

if TYPE_CHECKING:
    from asyncio import TimerHandle
    from collections.abc import Callable

    from rich.style import Style

    from sessiontui.app.columns import Column
    from sessiontui.catalog.catalog import Catalog
    from sessiontui.catalog.query import Query

_STRIPS = 160
"""How many drawn lines are kept."""
_CALM_S = 0.05
"""How long after a change of the view it is told what is in it."""


def _no_figures(_path: str) -> None:
    """Tell nothing."""


class SessionCanvas(ScrollView):
    """Paints the lines of a catalog that are in view."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"session-tree--{part}"
        for part in (
            "attention", "cursor", "failed", "group", "live", "mark", "match", "past", "title",
            "unread",
        )
    }  # fmt: skip
    ALLOW_SELECT: ClassVar[bool] = False

    @dataclass
    class ViewChanged(Message):
        """Other sessions are in view; sent a little later, once for many changes."""

        session_tree: SessionCanvas
        keys: tuple[str, ...]

        @property
        def control(self) -> SessionCanvas:
            """The tree, so that `@on(SessionTree.ViewChanged, "#id")` can select it."""
            return self.session_tree

    def __init__(self, *, now: Callable[[], int], ascii_only: bool, id: str | None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.now = now
        self._ascii_only = ascii_only
        self.columns = columns.DEFAULT_COLUMNS
        """What the user wants to see at the right end."""
        self._catalog: Catalog | None = None
        self._query: Query | None = None
        self._cursor_line: int | None = None
        self._top = 0
        self._lines: list[ListLine] = []
        """The lines in view, the first one at `_top`."""
        self._painted: dict[int, Appearance | str] = {}
        """What was painted last, by line; text where there is no line of the list."""
        self._strips: LRUCache[tuple[Appearance, int], Strip] = LRUCache(_STRIPS)
        self._styles: dict[tuple[str, bool], Style] = {}
        self._told: tuple[str, ...] | None = None
        self._calm: TimerHandle | None = None

    # Where the window is

    @property
    def _page(self) -> int:
        return max(1, self.scrollable_content_region.height)

    def _set_height(self, height: int) -> None:
        """Tell the scroll bar how many lines there are; lay out only where it comes or goes."""
        width = self.scrollable_content_region.width
        size, old = Size(width, height), self.virtual_size
        if size == old:
            return
        page = self.size.height
        if size.width == old.width and page > 0 and (height > page) == (old.height > page):
            self.set_reactive(ScrollView.virtual_size, size)
            self.vertical_scrollbar.window_virtual_size = height
        else:
            self.virtual_size = size

    def _scroll(self, top: int) -> None:
        top = max(0, min(top, self.max_scroll_y))
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, force=True)

    # What is in it

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Paint what came into view."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self._fetch()

    def notify_style_update(self) -> None:
        """Forget what was drawn in other colours."""
        super().notify_style_update()
        self._styles.clear()
        self._strips.clear()

    def _fetch(self) -> None:
        """Take the lines in view from the catalog, and tell which they are once all is calm."""
        self._top = self.scroll_offset.y
        catalog = self._catalog
        if catalog is not None:
            self._lines = catalog.lines(self._top, self._top + self.size.height)
        self._painted = {
            line: face
            for line, face in self._painted.items()
            if self._top <= line < self._top + self.size.height
        }
        if self._calm is None and self.is_attached:
            self._calm = call_later(self, _CALM_S, self._tell_view)

    def _tell_view(self) -> None:
        self._calm = None
        keys = tuple(line.key for line in self._lines if isinstance(line, RowLine))
        if keys != self._told:
            self._told = keys
            self.post_message(self.ViewChanged(self, keys))

    def _view(self) -> LineContext:
        catalog = self._catalog
        return LineContext(
            width=self.scrollable_content_region.width,
            now_ms=self.now(),
            sort="modified" if catalog is None else catalog.sort,
            flat=catalog is not None and catalog.flat,
            query=self._query,
            ascii_only=self._ascii_only,
            columns=self.shown_columns,
            figures=_no_figures if catalog is None else catalog.figures,
        )

    @property
    def shown_columns(self) -> tuple[Column, ...]:
        """The columns that find room."""
        catalog = self._catalog
        if catalog is None:
            return ()
        width = self.scrollable_content_region.width
        projects = catalog.flat or bool(catalog.pins)
        return columns.fit_columns(self.columns, width, catalog.sort, projects=projects)

    def _repaint(self) -> None:
        """Have those lines painted again that do not look as they were painted."""
        view = self._view()
        start, end = self._top, self._top + self.size.height
        first: int | None = None
        for y in range(start, end + 1):
            same = y == end or self._painted.get(y, "") == self._face(y, view)
            if not same and first is None:
                first = y
            elif same and first is not None:
                self.refresh_lines(first, y - first)
                first = None

    def _face(self, y: int, view: LineContext) -> Appearance | str:
        """Return what a line looks like; where the list has none, the text that stands there."""
        offset = y - self._top
        if 0 <= offset < len(self._lines):
            line, catalog = self._lines[offset], self._catalog
            mark = "none" if catalog is None else catalog.mark_of(line)
            return line_appearance(line, view, cursor=y == self._cursor_line, mark=mark)
        wrong = self._catalog is not None and self._catalog.wrong
        if self._lines or (self._query is None and not wrong):
            return ""
        first = max(0, self.size.height // 2 - 1)
        told = "Filter not understood: nothing matches"
        if self._query is not None and not wrong:
            told = f"Nothing matches “{clean(self._query.text.strip())}”"
        texts = (told, "Escape shows every session")
        return texts[y - first] if first <= y < first + len(texts) else ""

    def render_line(self, y: int) -> Strip:
        """Return one line of what is in view."""
        line = self.scroll_offset.y + y
        view = self._view()
        width = view.width
        self._painted[line] = face = self._face(line, view)
        if isinstance(face, str):
            return self._text_line(face, width)
        strip = self._strips.get((face, width))
        if strip is None:
            self._strips[(face, width)] = strip = draw_line(face, width, self._style_of)
        return strip

    def _text_line(self, text: str, width: int) -> Strip:
        plain = self._style_of("title", False)
        text = formats.cut_end(text, max(0, width - 2))
        lead = " " * ((width - cell_len(text)) // 2)
        strip = Strip([Segment(lead, plain), Segment(text, self._style_of("past", False))])
        return strip.adjust_cell_length(width, plain)

    def _style_of(self, part: str, cursor: bool) -> Style:
        style = self._styles.get((part, cursor))
        if style is None:
            style = self.rich_style + self.get_component_rich_style(
                f"session-tree--{part}", partial=True
            )
            if cursor:
                style += self.get_component_rich_style("session-tree--cursor", partial=True)
            self._styles[(part, cursor)] = style
        return style
