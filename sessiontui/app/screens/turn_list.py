"""The list of a transcript's turns: what the user wrote, tools and errors."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from sessiontui.app import format as figures
from sessiontui.app.screens.list_screen import ListScreen
from sessiontui.app.widgets.transcript.viewport import EntryPosition
from sessiontui.errors import StorageError
from sessiontui.text import clean
from sessiontui.transcript.navigate import Turn, TurnFinder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from textual.binding import BindingType

    from sessiontui.transcript.document import Document

MAX_TURNS = 10_000
"""How many turns are listed at most."""
_LENGTH = 200
"""Characters of a turn that are kept; the list cuts them further."""
_WHEN_CELLS = 16


class TurnListScreen(ListScreen[EntryPosition]):
    """Lists what the user wrote, as it is found; answers with the entry that was chosen.

    Args:
        document: Whose turns.
        here: Where the reader is; the turn there is highlighted.
        zone: Time zone of the times shown; None for the local one.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("O", "dismiss_none", show=False),
        Binding("right_square_bracket", "focused.cursor_down", show=False),
        Binding("left_square_bracket", "focused.cursor_up", show=False),
    ]

    heading = "Turns"
    does = "go there"

    def __init__(self, document: Document, here: int, *, zone: tzinfo | None) -> None:
        super().__init__()
        self._document = document
        self._here = here
        self._zone = zone
        self._entries: list[EntryPosition] = []
        self._placed: int | None = None
        """Which turn was highlighted for the reader, who may have moved since."""

    def on_mount(self) -> None:
        """Begin to look."""
        self.look(self._look)

    async def _look(self) -> None:
        stop = self._document.size
        finder = TurnFinder(self._document.read, stop, MAX_TURNS)
        try:
            async for first in finder.run():
                self._show(finder.turns, first)
                if finder.full:
                    self.tell(f"the first {figures.plural(MAX_TURNS, 'turn')}")
                    return
                share = "" if finder.offset >= stop else f" · {finder.offset / stop:.0%}"
                self.tell(figures.plural(len(finder.turns), "turn") + share)
        except StorageError as error:
            self.tell(clean(str(error)), "$failed")
            return
        if not finder.turns:
            self.tell("no turns")

    def _show(self, found: Sequence[Turn], first: int) -> None:
        """Show turns from number `first` on; those that stand there already may have changed."""
        turns = self.rows
        for number in range(first, len(self._entries)):
            turns.replace_option_prompt_at_index(number, self._line(found[number]))
        new = found[len(self._entries) :]
        if not new:
            return
        self._entries += [EntryPosition(turn.hit.offset, turn.hit.block) for turn in new]
        turns.add_options([Option(self._line(turn)) for turn in new])
        if turns.highlighted == self._placed:
            last = bisect_right(self._entries, self._here, key=lambda entry: entry.offset) - 1
            turns.highlighted = self._placed = max(0, last)
            turns.call_after_refresh(turns.scroll_to_highlight)

    def _line(self, turn: Turn) -> Content:
        when = ""
        if turn.hit.time_ms is not None:
            when = figures.exact_time(turn.hit.time_ms, self._zone)[:_WHEN_CELLS]
        tools = figures.plural(turn.tools, "tool") if turn.tools else ""
        errors = f"✗ {turn.errors:,}" if turn.errors else ""
        words = clean(turn.hit.text[:_LENGTH])
        if self._document.branch_filter.hides(turn.hit.offset):
            words = f"⑂ {words}"
        return Content.assemble(
            (f"{when:<{_WHEN_CELLS}}  ", "$past"),
            (f"{tools:>9}  ", "$past"),
            (f"{errors:<4}  ", "$failed"),
            words,
        )

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._entries[event.option_index])
