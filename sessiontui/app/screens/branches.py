"""The branches of a session: when each ended, how many entries it has, what was said last."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from sessiontui.app import format as figures
from sessiontui.errors import StorageError
from sessiontui.models.text import clean
from sessiontui.transcript.branches import MAX_BRANCHES, Branch, Branches

if TYPE_CHECKING:
    from datetime import tzinfo

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from sessiontui.transcript.document import Document

_LENGTH = 200
"""Characters of the last words that are shown at most; the list cuts them further."""
_WHEN_CELLS = 16


class BranchesScreen(ModalScreen[Branch | None]):
    """Lists branches as they are found, the newest first; answers with the one to show.

    Args:
        document: Whose branches.
        zone: Time zone of the times shown; None for the local one.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,B", "dismiss_none", show=False),
        Binding("j", "move('down')", show=False),
        Binding("k", "move('up')", show=False),
        Binding("g", "move('first')", show=False),
        Binding("G", "move('last')", show=False),
    ]

    def __init__(self, document: Document, *, zone: tzinfo | None) -> None:
        super().__init__()
        self._document = document
        self._zone = zone
        self._shown: list[Branch] = []
        self._told: list[Content] = []

    def compose(self) -> ComposeResult:
        """Lay out the heading, the branches and what closes it."""
        with Vertical(classes="outline"):
            yield Static(id="outline-heading")
            yield OptionList(id="outline-turns", markup=False, compact=True)
            yield Static(Content.styled("⏎ shows it   esc closes", "$past"), classes="closing")

    def on_mount(self) -> None:
        """Begin to look for branches."""
        self._tell("looking…")
        self.run_worker(self._look())

    @property
    def _list(self) -> OptionList:
        return self.query_one(OptionList)

    async def _look(self) -> None:
        size = self._document.size
        branches = Branches(self._document.read, size)
        try:
            async for offset in branches.run():
                self._show(branches.found)
                self._tell(f"{self._counted()} · {1 - offset / size:.0%}")
        except StorageError as error:
            self._tell(clean(str(error)), "$failed")
            return
        self._show(branches.found)
        if branches.full:
            self._tell(f"the newest {figures.counted(MAX_BRANCHES, 'branch', 'branches')}")
        else:
            self._tell(self._counted() if self._shown else "no branches: its entries have no order")

    def _counted(self) -> str:
        return figures.counted(len(self._shown), "branch", "branches")

    def _show(self, found: list[Branch]) -> None:
        """Show what is known by now; a branch may turn out to be none."""
        lines = [self._line(branch) for branch in found]
        branches = self._list
        if self._shown != found[: len(self._shown)]:
            branches.clear_options()
            self._told.clear()
        for number, line in enumerate(lines[: len(self._told)]):
            if line != self._told[number]:
                branches.replace_option_prompt_at_index(number, line)
        branches.add_options([Option(line) for line in lines[len(self._told) :]])
        self._shown, self._told = list(found), lines
        if branches.highlighted is None and lines:
            branches.highlighted = 0

    def _line(self, branch: Branch) -> Content:
        choice = self._document.lens.choice
        here = branch.newest if choice is None else choice == (branch.offset, branch.id)
        when = ""
        if branch.time_ms is not None:
            when = figures.exact_time(branch.time_ms, self._zone)[:_WHEN_CELLS]
        count = figures.counted(branch.entries, "entry", "entries")
        return Content.assemble(
            ("▸ " if here else "  ", "$live"),
            (f"{when:<{_WHEN_CELLS}}  ", "$past"),
            (f"{count:>14}  ", "$past"),
            clean(branch.words[:_LENGTH]) or Content.styled("nothing was said", "$faint"),
        )

    def _tell(self, text: str, style: str = "$past") -> None:
        heading = Content.assemble(("Branches  ", "bold"), (text, style))
        self.query_one("#outline-heading", Static).update(heading)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._shown[event.option_index])

    def action_move(self, where: str) -> None:
        """Move the highlight."""
        branches = self._list
        moves = {
            "down": branches.action_cursor_down,
            "up": branches.action_cursor_up,
            "first": branches.action_first,
            "last": branches.action_last,
        }
        moves[where]()

    def action_dismiss_none(self) -> None:
        """Leave it as it is."""
        self.dismiss(None)
