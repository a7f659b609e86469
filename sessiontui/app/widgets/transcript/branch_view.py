"""The transcript view of one branch, or of what the model sees; going to any entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

from sessiontui.app.widgets.transcript.finder import FindViewport
from sessiontui.app.widgets.transcript.layout import FOLD
from sessiontui.app.widgets.transcript.viewport import EntryPosition, ScrollAnchor
from sessiontui.transcript.branch_filter import BranchTip
from sessiontui.transcript.navigate import last_time, offset_at_time

if TYPE_CHECKING:
    from sessiontui.transcript.branches import Branch
    from sessiontui.transcript.document import Document

_ROOM_BELOW = 3
"""How many rows are left beneath the last entry of a branch."""


@dataclass(frozen=True, slots=True)
class BranchState:
    """Which branch is shown, and whether only what the model sees."""

    context: bool = False
    """Only what the model sees."""
    choice: BranchTip | None = None
    """The branch that was chosen."""
    elsewhere: int = 0
    """How many entries came since in other branches."""


class BranchViewport(FindViewport):
    """Shows one branch of `document`.

    Args:
        now: The time in milliseconds since the epoch.
        zone: Time zone of the times shown; None for the local one.
        id: As for any widget.
    """

    @dataclass
    class LensChanged(Message):
        """Something else of the session is shown now."""

        transcript: BranchViewport
        state: BranchState

        @property
        def control(self) -> BranchViewport:
            """The view."""
            return self.transcript

    @dataclass
    class Switched(Message):
        """The session went on in another branch, and that is shown now."""

        transcript: BranchViewport

        @property
        def control(self) -> BranchViewport:
            """The view."""
            return self.transcript

    @dataclass
    class Failed(Message):
        """Something that was asked for cannot be done."""

        transcript: BranchViewport
        reason: str
        """One line, safe to show."""

        @property
        def control(self) -> BranchViewport:
            """The view that was asked."""
            return self.transcript

    _told_branch = BranchState()

    def settled(self) -> None:
        """Tell what is shown, where that changed."""
        super().settled()
        document = self.document
        if document is None:
            return
        branch_filter = document.branch_filter
        state = BranchState(branch_filter.context, branch_filter.choice, branch_filter.elsewhere)
        if state != self._told_branch:
            self._told_branch = state
            self.post_message(self.LensChanged(self, state))
        if branch_filter.switched:
            branch_filter.switched = False
            self.post_message(self.Switched(self))

    def watch_document(self, document: Document | None) -> None:
        """Show another session as its own branch filter says."""
        super().watch_document(document)
        if document is None and self._told_branch != BranchState():
            self._told_branch = BranchState()
            self.post_message(self.LensChanged(self, self._told_branch))

    def fail(self, reason: str) -> None:
        """Tell whoever composes the view that something cannot be done."""
        self.post_message(self.Failed(self, reason))

    # -- going to a place

    def go_to(self, offset: int, block: int = 0, *, low: bool = False) -> None:
        """Make an entry the current one and bring it into view, unfolding what hides it.

        Args:
            offset: Where its line begins.
            block: Its number on the line.
            low: Whether it comes to the end of the screen, not to its beginning.
        """
        document = self.document
        if document is None:
            return
        self._follow(following=False)

        async def reach() -> None:
            self._seeking = True
            try:
                await document.open_at(offset)
            finally:
                self._seeking = False
            self._reveal(document, offset)
            self.current = EntryPosition(offset, block)
            self._anchor = ScrollAnchor(offset, 0, block, 0)
            self._sync()
            if low:
                self._lower()
            await self._fill()
            if self.current != (offset, block):
                # It shows with another entry: a result with its call, which stands above.
                above = [entry for entry in self.entries_in_view() if entry.offset <= offset]
                self.current = above[-1] if above else self.current
                self.refresh()

        self._read(reach)

    def _lower(self) -> None:
        """Bring the line of the anchor to the end of the screen."""
        flow, anchor = self.flow, self._anchor
        place = flow.find(anchor.offset) if flow is not None and anchor is not None else None
        if flow is not None and anchor is not None and place is not None:
            above = self.rows_in_view - len(flow.rows(place)) - _ROOM_BELOW
            self._anchor = anchor._replace(row=0, screen=max(0, above))
            self.settle()

    def _reveal(self, document: Document, offset: int) -> None:
        """Unfold what keeps a line from view."""
        document.resolve()
        document.branch_filter.reveal(offset)

    def action_go_to_time(self) -> None:
        """Ask for a time and go there."""
        from sessiontui.app.screens.time_dialog import TimeDialog

        document = self.document
        if document is None:
            return

        async def ask() -> None:
            latest = await last_time(document)
            if latest is None:
                self.fail("No entry of this session tells its time")
                return
            dialog = TimeDialog(latest, zone=self._look.zone)
            self.app.push_screen(dialog, lambda when: self._at_time(document, when))

        self._read(ask)

    def _at_time(self, document: Document, wanted_ms: int | None) -> None:
        if wanted_ms is None or document is not self.document:
            return

        async def find() -> None:
            offset = await offset_at_time(document, wanted_ms)
            if offset is None:
                self.fail("No entry of this session tells its time")
            else:
                self.go_to(offset)

        self._read(find)

    # -- which branch

    def action_branches(self) -> None:
        """List the branches, to show one of them."""
        from sessiontui.app.screens.branch_list import BranchListScreen

        document = self.document
        if document is not None:
            screen = BranchListScreen(document, zone=self._look.zone)
            self.app.push_screen(screen, self.show_branch)

    def show_branch(self, branch: Branch | None) -> None:
        """Show another branch at its end; the newest one is followed."""
        document = self.document
        if document is None or branch is None:
            return
        choice = BranchTip(branch.offset, branch.id)
        if branch.newest:
            document.branch_filter.choose(None)
            self._sync()
            self.action_follow()
        else:
            document.branch_filter.choose(choice)
            self.go_to(branch.offset, low=True)

    def action_follow(self) -> None:
        """Go to the end and stay there; of a branch that was chosen to its last entry."""
        document = self.document
        if document is None:
            return
        choice = document.branch_filter.choice
        if choice is not None:
            self.go_to(choice.offset, low=True)
            return
        self._follow(following=True)
        if document.at_end:
            self.settle()
        else:
            self._read(lambda: self._open(document, None))

    def action_context(self) -> None:
        """Show only what the model sees, or everything that is stored."""
        document = self.document
        if document is None or self.flow is None:
            return
        if not self.at_bottom:
            self.hold_current()
        document.branch_filter.show_context(alone=not document.branch_filter.context)
        self._sync()

    # -- the entry as it is stored

    def action_stored(self) -> None:
        """Show the current entry as it is stored, laid out."""
        from sessiontui.app.screens.entry_json import EntryJsonScreen

        document, entry = self.document, self.current
        if document is not None and entry is not None:
            self.app.push_screen(EntryJsonScreen(document, entry.offset))

    @property
    def own_entry(self) -> EntryPosition | None:
        """The current entry; None while that is a row which stands for others."""
        entry = self.current
        others = entry is not None and entry.block >= FOLD and not self._look.raw
        return None if others else entry
