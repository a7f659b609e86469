"""The session list: a virtual tree whose cursor follows its session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from textual.message import Message

from sessiontui.app.keymap import bindings
from sessiontui.app.widgets.session_list.canvas import SessionCanvas
from sessiontui.app.widgets.session_list.lines import arrow_column
from sessiontui.catalog.row import GroupLine, ListLine, RowLine
from sessiontui.times import now_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from textual import events
    from textual.binding import BindingType

    from sessiontui.catalog.catalog import Catalog

_TICK_S = 1.0
"""How often it is looked whether an age in view changed."""
_SAMPLES = 12
"""How many lines in view are asked where they went, to keep the view where it is."""


class _Cursor(NamedTuple):
    """The cursor: it stays on its session wherever that line goes."""

    kind: Literal["group", "row"]
    key: str

    @classmethod
    def on(cls, line: ListLine) -> _Cursor:
        return cls("group" if isinstance(line, GroupLine) else "row", line.key)


class SessionTree(SessionCanvas, can_focus=True, inherit_bindings=False):
    """Shows a catalog; owns only the highlight and what is in view.

    Call `rows_changed` after every change of the catalog, also of its order
    or its search.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("list")]

    @dataclass
    class Highlighted(Message):
        """The highlight moved to another session, or away from all (None)."""

        session_tree: SessionTree
        key: str | None

        @property
        def control(self) -> SessionTree:
            """The tree, so that `@on(SessionTree.Highlighted, "#id")` can select it."""
            return self.session_tree

    @dataclass
    class Opened(Message):
        """The user chose a session."""

        session_tree: SessionTree
        key: str

        @property
        def control(self) -> SessionTree:
            """The tree, so that `@on(SessionTree.Opened, "#id")` can select it."""
            return self.session_tree

    @dataclass
    class Marked(Message):
        """The user marked sessions, or took marks away."""

        session_tree: SessionTree

        @property
        def control(self) -> SessionTree:
            """The tree, so that `@on(SessionTree.Marked, "#id")` can select it."""
            return self.session_tree

    @dataclass
    class NotMarked(Message):
        """What the user wanted to mark cannot be told for certain."""

        session_tree: SessionTree
        reason: str

        @property
        def control(self) -> SessionTree:
            """The tree, so that `@on(SessionTree.NotMarked, "#id")` can select it."""
            return self.session_tree

    def __init__(
        self,
        *,
        now: Callable[[], int] = now_ms,
        ascii_only: bool = False,
        id: str | None = None,  # noqa: A002  (Textual's own name for it)
    ) -> None:
        super().__init__(now=now, ascii_only=ascii_only, id=id)
        self._cursor: _Cursor | None = None
        self._settled = False
        self.pending: Callable[[], bool] = lambda: False
        """Tells whether another search is wanted than the one of which the result is shown."""
        self._wished: str | None = None
        """Session to highlight as soon as it is there, unless the user chooses first."""

    # What is shown

    @property
    def catalog(self) -> Catalog | None:
        """The sessions that are shown."""
        return self._catalog

    @catalog.setter
    def catalog(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._cursor, self._settled = None, False
        if self.is_attached:
            self.rows_changed()

    @property
    def highlighted(self) -> str | None:
        """The path of the highlighted session; None on a project, or where there is nothing."""
        cursor = self._cursor
        return cursor.key if cursor is not None and cursor.kind == "row" else None

    def settle(self) -> None:
        """Keep the highlight where it is; until then it stays on the first session.

        Any key or click does the same: while sessions still are being found,
        the first one is highlighted, whichever it is.
        """
        self._settled = True

    def wish(self, path: str) -> None:
        """Highlight a session as soon as it is there, unless the user chooses another one first."""
        self._wished = path

    def select(self, path: str) -> bool:
        """Highlight a session; tell whether it has a line to be highlighted on."""
        line = None if self._catalog is None else self._catalog.line_of(path)
        if line is None:
            return False
        self._settled = True
        self._go(line)
        return True

    def on_mount(self) -> None:
        """Show what there is, and look after the ages from now on."""
        self.rows_changed()
        self.set_interval(_TICK_S, self._repaint)

    def on_resize(self) -> None:
        """Keep the highlight in view."""
        self.rows_changed()
        self._bring_into_view()

    def rows_changed(self, paths: Collection[str] | None = None) -> None:
        """Show what changed in the catalog.

        Args:
            paths: The sessions concerned; None for any. An empty collection does nothing.
        """
        catalog = self._catalog
        if catalog is None or (paths is not None and not paths):
            return
        searched = catalog.query is not self._query
        self._query = catalog.query
        self._settled = self._settled or self._query is not None
        top = self.scroll_offset.y
        in_view = self._cursor_line is not None and 0 <= self._cursor_line - top < self._page
        shift = 0 if searched else self._shift()
        self._set_height(catalog.height)
        self._follow_cursor(first=searched and catalog.query is not None)
        if shift:
            self._scroll(top + shift)
        if in_view or searched:
            self._bring_into_view()
        self._scroll(self.scroll_offset.y)
        self._fetch()
        self._repaint()

    def _shift(self) -> int:
        """Return by how many lines most of the view went down, so that it can be followed."""
        catalog = self._catalog
        if catalog is None or self._top == 0 or not self._lines:
            return 0
        shifts: dict[int, int] = {}
        step = max(1, len(self._lines) // _SAMPLES)
        for offset in range(0, len(self._lines), step):
            where = self._line_of(_Cursor.on(self._lines[offset]))
            if where is not None:
                shift = where - self._top - offset
                shifts[shift] = shifts.get(shift, 0) + 1
        most = max(shifts, key=lambda shift: shifts[shift], default=0)
        return most if 2 * shifts.get(most, 0) > sum(shifts.values()) else 0

    def _line_of(self, cursor: _Cursor) -> int | None:
        catalog = self._catalog
        if catalog is None:
            return None
        find = catalog.line_of_group if cursor.kind == "group" else catalog.line_of
        return find(cursor.key)

    def _follow_cursor(self, *, first: bool) -> None:
        """Find the line of what is highlighted, or whatever comes nearest to it."""
        catalog = self._catalog
        if catalog is None:
            return
        if first or self._cursor is None or not self._settled:
            wished = None if self._wished is None else catalog.line_of(self._wished)
            if first or wished is None:
                self._set_cursor(self._first_session())
            else:
                self._set_cursor(wished)
                self._bring_into_view()
            return
        cursor = self._cursor
        if cursor.kind == "row" and cursor.key not in catalog.rows:
            moved = catalog.now_at(cursor.key)
            cursor = cursor if moved is None else _Cursor("row", moved)
        line = self._line_of(cursor)
        above = cursor.key
        while line is None and cursor.kind == "row":
            parent = catalog.parent_of(above)
            if parent is None:
                group = catalog.group_of(above)
                line = None if group is None else catalog.line_of_group(group)
                break
            above, line = parent, catalog.line_of(parent)
        self._set_cursor((self._cursor_line or 0) if line is None else line)

    def _first_session(self) -> int:
        catalog = self._catalog
        if catalog is None:
            return 0
        first = catalog.lines(0, self._page + 1)
        return next((y for y, line in enumerate(first) if isinstance(line, RowLine)), 0)

    # The highlight

    def _go(self, line: int) -> None:
        """Highlight a line and bring it into view."""
        self._settled = True
        self._set_cursor(line)
        self._bring_into_view()
        self._repaint()

    def _set_cursor(self, line: int) -> None:
        catalog = self._catalog
        before = self.highlighted
        if catalog is None or not catalog.height:
            self._cursor, self._cursor_line = None, None
        else:
            self._cursor_line = max(0, min(line, catalog.height - 1))
            self._cursor = _Cursor.on(catalog.line(self._cursor_line))
        if self.highlighted != before:
            self.post_message(self.Highlighted(self, self.highlighted))

    def _bring_into_view(self) -> None:
        catalog, line = self._catalog, self._cursor_line
        if catalog is None or line is None:
            return
        top, page = self.scroll_offset.y, self._page
        if line <= top:
            # With the first session of a project its heading is shown as well.
            above = catalog.lines(line - 1, line)
            self._scroll(line - 1 if above and isinstance(above[0], GroupLine) else line)
        elif line >= top + page:
            self._scroll(line - page + 1)

    # Keys

    def _go_by(self, lines: int) -> None:
        self.rows_changed()
        self._go((self._cursor_line or 0) + lines)

    def action_cursor_up(self) -> None:
        """Go up a line."""
        self._go_by(-1)

    def action_cursor_down(self) -> None:
        """Go down a line."""
        self._go_by(1)

    def action_page_up(self) -> None:
        """Go up a page."""
        self._go_by(-max(1, self._page - 1))

    def action_page_down(self) -> None:
        """Go down a page."""
        self._go_by(max(1, self._page - 1))

    def action_first(self) -> None:
        """Go to the first line."""
        self.rows_changed()
        self._go(0)

    def action_last(self) -> None:
        """Go to the last line."""
        self.rows_changed()
        self._go(self.virtual_size.height - 1)

    def action_open(self) -> None:
        """Read a session, or fold a project."""
        line = self._highlighted_line()
        if isinstance(line, RowLine):
            self._settled = True
            self.post_message(self.Opened(self, line.key))
        elif line is not None:
            self._set_fold(line, opened=line.fold != "open")

    def action_fold(self) -> None:
        """Fold what is open; else go to what this is beneath."""
        catalog, line = self._catalog, self._highlighted_line()
        if catalog is None or line is None:
            return
        if line.fold in ("open", "partly"):
            self._set_fold(line, opened=False)
        elif isinstance(line, RowLine):
            parent = catalog.parent_of(line.key)
            group = catalog.group_of(line.key)
            above = None if parent is None else catalog.line_of(parent)
            if above is None and group is not None:
                above = catalog.line_of_group(group)
            if above is not None:
                self._go(above)

    def action_unfold(self) -> None:
        """Unfold; what is open already is entered."""
        line = self._highlighted_line()
        if line is None or line.fold == "none":
            return
        if line.fold == "open":
            self._go_by(1)
        else:
            self._set_fold(line, opened=True)

    def action_mark(self) -> None:
        """Mark a session and go on to the next line, or mark a project; or take marks away."""
        line = self._highlighted_line()
        if line is not None:
            self._mark(line)
            self._go_by(1 if isinstance(line, RowLine) else 0)

    def action_mark_range(self) -> None:
        """Mark from the session marked last to the highlighted line."""
        if self._refuses(alike=True):
            return
        catalog, line = self._catalog, self._highlighted_line()
        if catalog is None or line is None or self._cursor_line is None:
            return
        last = catalog.marks.last
        start = None if last is None else catalog.line_of(last)
        self._mark_lines(self._cursor_line if start is None else start, self._cursor_line)

    def action_mark_all(self) -> None:
        """Mark all that fit the search, folded away or not."""
        self.rows_changed()
        if self._catalog is not None and not self._refuses():
            self._catalog.marks.add(self._catalog.fitting, asked=self._asked)
            self._marked()

    def action_mark_invert(self) -> None:
        """Of all that fit the search mark those that are not, and the other way round."""
        self.rows_changed()
        if self._catalog is not None and not self._refuses():
            self._catalog.marks.invert(self._catalog.fitting, asked=self._asked)
            self._marked()

    @property
    def _asked(self) -> str:
        """What is searched for, empty for nothing."""
        return "" if self._query is None else self._query.text.strip()

    def _refuses(self, *, alike: bool = False) -> bool:
        """Tell whether it is not certain what fits the search, and say so.

        Args:
            alike: Whether sessions may be marked that but resemble what is searched for.
        """
        catalog = self._catalog
        reason = ""
        if catalog is None:
            return True
        if catalog.wrong:
            reason = "the filter is not understood"
        elif self.pending():
            reason = "the filter is still at work"
        elif catalog.similar and not alike:
            reason = "no literal match; mark similar ones one by one"
        if reason:
            self.post_message(self.NotMarked(self, reason))
        return bool(reason)

    def _mark(self, line: ListLine) -> None:
        catalog = self._catalog
        if catalog is None:
            return
        if isinstance(line, RowLine):
            catalog.marks.toggle(line.key)
        elif self._refuses():
            return
        else:
            catalog.marks.toggle_all(catalog.members(line.key))
        self._marked()

    def _mark_lines(self, one: int, other: int) -> None:
        """Mark the sessions on these lines and on all between them."""
        if self._catalog is not None:
            first, last = sorted((one, other))
            self._catalog.marks.add(self._catalog.paths(first, last + 1))
            self._marked()

    def _marked(self) -> None:
        """Show other marks, and say that there are."""
        self._settled = True
        self._repaint()
        self.post_message(self.Marked(self))

    def _highlighted_line(self) -> ListLine | None:
        """Return the highlighted line as the catalog has it now, seen or not."""
        self.rows_changed()
        if self._catalog is None or self._cursor_line is None:
            return None
        return self._catalog.line(self._cursor_line)

    def _set_fold(self, line: ListLine, *, opened: bool) -> None:
        if self._catalog is None:
            return
        self._settled = True
        if isinstance(line, GroupLine):
            self._catalog.fold_group(line.key, closed=not opened)
        else:
            self._catalog.fold_session(line.key, opened=opened)
        self.rows_changed()

    # Mouse

    def on_click(self, event: events.Click) -> None:
        """Select; on an arrow or twice, fold or read; with ctrl or shift, mark one or many."""
        offset = self.scroll_offset.y + event.y - self._top
        if not 0 <= offset < len(self._lines) or self._catalog is None:
            return
        seen = self._lines[offset]
        self.rows_changed()
        where = self._line_of(_Cursor.on(seen))
        if where is None:
            return
        start = self._cursor_line
        self._go(where)
        if event.ctrl:
            self._mark(seen)
            return
        if event.shift:
            if self._refuses(alike=True):
                return
            self._mark_lines(where if start is None else start, where)
            return
        width = self.scrollable_content_region.width
        column = arrow_column(seen, flat=self._catalog.flat, width=width)
        if seen.fold != "none" and abs(event.x - column) <= 1:
            self._set_fold(seen, opened=seen.fold != "open")
        elif event.chain == 2:
            self.action_open()
