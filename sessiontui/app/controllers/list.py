"""Changes how the session list is shown: filter, sort, group, pin, hide."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from sessiontui.app import columns
from sessiontui.app import format as formats
from sessiontui.app.controllers.search import PREFIX
from sessiontui.catalog.sorting import COUNTED, SORTS
from sessiontui.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sessiontui.app.columns import ColumnId
    from sessiontui.app.format import Tone
    from sessiontui.app.keymap import Keymap
    from sessiontui.app.widgets.session_list.filter_line import FilterLine
    from sessiontui.app.widgets.session_list.header import Caption, SortHeader
    from sessiontui.app.widgets.session_list.tree import SessionTree
    from sessiontui.workspace import Workspace

_PAINTED_S = 0.1
"""How long to wait for a paint: beneath a dialog there is none."""
_WRITTEN_S = 0.008
"""How long the thread that writes to the terminal is given after that; it needs our lock."""


class ListController:
    """Changes how the catalog is shown, and updates the widgets around the list.

    Args:
        workspace: Has the catalog.
        keys: Names the keys in what is told.
        sessions: Shows the catalog.
        filter_line: Where the user types what to find.
        sort_header: Tells the order.
        caption: Tells what is wrong or hidden.
        tell: Shows one line with its tone.
    """

    def __init__(
        self,
        workspace: Workspace,
        keys: Keymap,
        sessions: SessionTree,
        filter_line: FilterLine,
        sort_header: SortHeader,
        caption: Caption,
        tell: Callable[[str, Tone], None],
    ) -> None:
        self._catalog = workspace.catalog
        self._keys = keys
        self._sessions = sessions
        self._filter_line = filter_line
        self._sort_header = sort_header
        self._caption = caption
        self._tell = tell
        self._typing = False
        sessions.pending = lambda: not self._catalog.is_result_of(self.wanted)

    @property
    def wanted(self) -> str:
        """The filter as it is typed now; what is for the search of all texts is none."""
        text = self._filter_line.text
        return "" if text.lstrip().startswith(PREFIX) else text

    @property
    def typing(self) -> bool:
        """Whether the find field has the focus."""
        return self._typing

    @typing.setter
    def typing(self, typing: bool) -> None:
        if self._typing and not typing and self._catalog.end_typing():
            self._sessions.rows_changed(None)
        self._typing = typing

    def show(self) -> None:
        """Let everything around the list tell how it stands."""
        catalog = self._catalog
        self._sort_header.show(catalog)
        shown: int | str | None = catalog.shown if self._filter_line.text else None
        if catalog.similar:
            shown = f"{catalog.similar:,} similar"
        if catalog.wrong:
            shown = "…" if self._catalog.waits else "not understood"
        self._filter_line.tell(shown, len(catalog.unsure), of=len(catalog.rows))
        self._caption.told = self._told()
        self.show_heads()

    def show_heads(self) -> None:
        """Let the headings stand over their columns, where there are others than the usual ones."""
        shown = self._sessions.shown_columns
        usual = self._sessions.columns == columns.DEFAULT_COLUMNS and all(
            column.id in columns.DEFAULT_COLUMNS for column in shown
        )
        self._caption.heads = "" if usual else columns.column_headings(shown)

    def show_columns(self, chosen: tuple[ColumnId, ...]) -> None:
        """Show these columns as far as there is room."""
        self._sessions.columns = chosen
        self._changed()

    def sort_at(self, x: int) -> None:
        """Sort by the column at a place in the line, or turn its order round."""
        catalog = self._catalog
        column = columns.column_at(self._sessions.shown_columns, self._caption.size.width - 1, x)
        for sort in (*SORTS, *COUNTED):
            if column is not None and sort == ("modified" if column.id == "age" else column.id):
                reverse = sort == catalog.sort and not catalog.reverse
                catalog.order_by(sort, reverse=reverse)
                self._changed()

    def _told(self) -> tuple[str, Tone]:
        wrong = self._catalog.wrong
        if wrong and self._catalog.waits:
            return wrong, "past"
        if wrong:
            return f"filter not understood: {wrong}", "attention"
        if self._catalog.similar:
            return f"no literal match · {self._catalog.similar:,} similar", "past"
        if self.typing:
            from sessiontui.catalog.query import query_hint

            if help_line := query_hint(self._filter_line.text):
                return help_line, "past"
        empty = self._catalog.empty
        if empty and not self._catalog.shows_empty and not self._filter_line.text:
            sessions = formats.plural(empty, "empty session")
            return f"{sessions} hidden  {self._keys.first('show-empty')} shows", "past"
        return "", "past"

    def _changed(self) -> None:
        self._sessions.rows_changed(None)
        self.show()

    async def search(self, text: str) -> None:
        """Filter in slices that no key has to wait for, and show what is found so far."""
        try:
            steps = self._catalog.search(text, similar=True, typing=self._typing)
        except QueryError:
            self._changed()
            return
        self.show()
        for more in steps:
            if more:
                self._changed()
                await self._painted()
            await asyncio.sleep(0)
        self._changed()

    async def _painted(self) -> None:
        """Wait until what was found is on the screen, if it gets there: it comes before more."""
        shown = asyncio.Event()
        self._sessions.call_after_refresh(shown.set)
        with suppress(TimeoutError):
            async with asyncio.timeout(_PAINTED_S):
                await shown.wait()
        await asyncio.sleep(_WRITTEN_S)

    @property
    def ages(self) -> bool:
        """Whether what fits the query changes as time goes by."""
        query = self._catalog.query
        return query is not None and query.timed and not self._catalog.wrong

    def step_order(self) -> None:
        """Sort by the next key."""
        self._catalog.step_order()
        self._changed()

    def turn_order(self) -> None:
        """Reverse the order."""
        catalog = self._catalog
        catalog.order_by(catalog.sort, reverse=not catalog.reverse)
        self._changed()

    def flatten(self) -> None:
        """Show sessions without their projects, or grouped by them."""
        self._catalog.set_flat(not self._catalog.flat)
        self._changed()
        self._tell("Flat list" if self._catalog.flat else "By project", "past")

    def pin(self, paths: Sequence[str]) -> None:
        """Pin sessions to the top; where all of them are pinned, take the pins away."""
        pinned = not all(map(self._catalog.is_pinned, paths))
        self._catalog.pin(paths, pinned=pinned)
        self._changed()
        sessions = "" if len(paths) == 1 else f" {formats.plural(len(paths), 'session')}"
        self._tell(f"Pinned{sessions} to the top" if pinned else f"Unpinned{sessions}", "past")

    def show_empty(self) -> None:
        """Show sessions without any message, or hide them."""
        catalog = self._catalog
        shown = not catalog.shows_empty
        catalog.show_empty(shown)
        self._changed()
        sessions = formats.plural(catalog.empty, "empty session")
        self._tell(f"{sessions} {'shown' if shown else 'hidden'}", "past")
