"""The list of a session's branches: end time, entries, last words."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from sessiontui.app import format as figures
from sessiontui.app.screens.list_screen import ListScreen
from sessiontui.errors import StorageError
from sessiontui.text import clean
from sessiontui.transcript.branches import MAX_BRANCHES, Branch, Branches

if TYPE_CHECKING:
    from datetime import tzinfo

    from textual.binding import BindingType

    from sessiontui.transcript.document import Document

_LENGTH = 200
"""Characters of the last words that are shown at most; the list cuts them further."""
_WHEN_CELLS = 16


class BranchListScreen(ListScreen[Branch]):
    """Lists branches as they are found, the newest first; answers with the one to show.

    Args:
        document: Whose branches.
        zone: Time zone of the times shown; None for the local one.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("B", "dismiss_none", show=False)]

    heading = "Branches"
    does = "show"

    def __init__(self, document: Document, *, zone: tzinfo | None) -> None:
        super().__init__()
        self._document = document
        self._zone = zone
        self._shown: list[Branch] = []
        self._told: list[Content] = []

    def on_mount(self) -> None:
        """Begin to look."""
        self.look(self._look)

    async def _look(self) -> None:
        size = self._document.size
        branches = Branches(self._document.read, size)
        try:
            async for offset in branches.run():
                self._show(branches.found)
                self.tell(f"{self._counted()} · {1 - offset / size:.0%}")
        except StorageError as error:
            self.tell(clean(str(error)), "$failed")
            return
        self._show(branches.found)
        if branches.full:
            self.tell(f"the newest {figures.plural(MAX_BRANCHES, 'branch', 'branches')}")
        else:
            self.tell(self._counted() if self._shown else "no branches: entries are not linked")

    def _counted(self) -> str:
        return figures.plural(len(self._shown), "branch", "branches")

    def _show(self, found: list[Branch]) -> None:
        """Show what is known by now; a branch may turn out to be none."""
        lines = [self._line(branch) for branch in found]
        branches = self.rows
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
        choice = self._document.branch_filter.choice
        here = branch.newest if choice is None else choice == (branch.offset, branch.id)
        when = ""
        if branch.time_ms is not None:
            when = figures.exact_time(branch.time_ms, self._zone)[:_WHEN_CELLS]
        count = figures.plural(branch.entries, "entry", "entries")
        return Content.assemble(
            ("▸ " if here else "  ", "$live"),
            (f"{when:<{_WHEN_CELLS}}  ", "$past"),
            (f"{count:>14}  ", "$past"),
            clean(branch.words[:_LENGTH]) or Content.styled("nothing was said", "$faint"),
        )

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._shown[event.option_index])
