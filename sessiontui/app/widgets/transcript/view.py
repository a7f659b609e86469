"""The transcript view: the keys of a transcript over its viewport."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.message import Message

from sessiontui.app.keymap import bindings
from sessiontui.app.widgets.transcript.branch_view import BranchViewport
from sessiontui.app.widgets.transcript.viewport import EntryPosition, ScrollAnchor
from sessiontui.errors import PagerError, StorageError
from sessiontui.text import clean
from sessiontui.transcript.navigate import find_block

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import tzinfo

    from textual import events
    from textual.binding import BindingType

    from sessiontui.app.widgets.transcript.layout import ViewOptions
    from sessiontui.formats.blocks import Block


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class TranscriptView(BranchViewport):
    """Shows `document`: entries or stored lines, the newest at the bottom.

    Opens it at its end and follows that until the reader moves up. Says so by
    `FollowChanged`, and changes nothing.

    Args:
        now: The time in milliseconds since the epoch; times of today show without date.
        zone: Time zone of the times shown; None for the local one.
        id: As for any widget.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("transcript")]

    @dataclass
    class FollowChanged(Message):
        """Following began or ended, or more lines came while not following."""

        transcript: TranscriptView
        following: bool
        new_lines: int
        """How many lines came since following ended."""

        @property
        def control(self) -> TranscriptView:
            """The view, so that `@on(TranscriptView.FollowChanged, "#id")` can select it."""
            return self.transcript

    @dataclass
    class ReadFailed(Message):
        """More of the session could not be read."""

        transcript: TranscriptView
        error: str
        """One line, safe to show."""

        @property
        def control(self) -> TranscriptView:
            """The view that failed."""
            return self.transcript

    @dataclass
    class SubagentWanted(Message):
        """The user wants to read the session of a subagent that the current entry started."""

        transcript: TranscriptView
        names: tuple[str, ...]
        """What its file may be called, without folder and `.jsonl`."""

        @property
        def control(self) -> TranscriptView:
            """The view that was asked."""
            return self.transcript

    def __init__(
        self,
        *,
        now: Callable[[], int] = _now_ms,
        zone: tzinfo | None = None,
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        super().__init__(now=now, zone=zone, id=id)
        self._told: tuple[bool, int] | None = None

    def following_changed(self, *, following: bool, new_lines: int) -> None:
        """Tell whoever composes the view, once."""
        if (following, new_lines) != self._told:
            self._told = (following, new_lines)
            self.post_message(self.FollowChanged(self, following, new_lines))

    def read_failed(self, error: str) -> None:
        """Tell whoever composes the view."""
        self.post_message(self.ReadFailed(self, error))

    # -- what the reader does

    def action_line_up(self) -> None:
        """Scroll a row up."""
        self.move(-1)

    def action_line_down(self) -> None:
        """Scroll a row down."""
        self.move(1)

    def action_page_up(self) -> None:
        """Scroll a page up; one row stays in view."""
        self.move(-max(1, self.rows_in_view - 1))

    def action_page_down(self) -> None:
        """Scroll a page down; one row stays in view."""
        self.move(max(1, self.rows_in_view - 1))

    def action_start(self) -> None:
        """Go to the session's beginning."""
        document = self.document
        if document is None:
            return
        self._follow(following=False)
        self._anchor = ScrollAnchor(0, 0, 0, 0)
        if document.at_start:
            self.go(0)
            self.current = next(iter(self.entries_in_view()), None)
        else:
            self._read(lambda: self._open(document, 0))

    def action_next_turn(self) -> None:
        """Go to what the user wrote next, else to the end."""
        self._seek(lambda block: block.kind == "user", forward=True, otherwise=self.action_follow)

    def action_previous_turn(self) -> None:
        """Go to what the user wrote before, else to the beginning."""
        self._seek(lambda block: block.kind == "user", forward=False, otherwise=self.action_start)

    def action_outline(self) -> None:
        """List the turns, to go to one of them."""
        from sessiontui.app.screens.turn_list import TurnListScreen

        document = self.document
        if document is not None:
            here = self.current.offset if self.current is not None else 0
            outline = TurnListScreen(document, here, zone=self._look.zone)
            self.app.push_screen(outline, self._go_to_entry)

    def _go_to_entry(self, entry: EntryPosition | None) -> None:
        if entry is not None:
            self.go_to(*entry)

    def action_next_error(self) -> None:
        """Go to what went wrong next."""
        self._seek(lambda block: block.error, forward=True, otherwise=self.app.bell, share=4)

    def action_previous_error(self) -> None:
        """Go to what went wrong before."""
        self._seek(lambda block: block.error, forward=False, otherwise=self.app.bell, share=4)

    def _seek(
        self,
        wanted: Callable[[Block], bool],
        *,
        forward: bool,
        otherwise: Callable[[], None],
        share: int = 0,
    ) -> None:
        """Go to the next wanted block, `1 / share` of the screen below the top."""
        document, current = self.document, self.current
        if document is None or current is None:
            return
        self.hold()
        self._follow(following=False)

        async def find() -> None:
            self._seeking = True
            try:
                found = await find_block(document, *current, wanted, forward=forward)
            finally:
                self._seeking = False
            if found is None:
                otherwise()
                self._changed()
            else:
                self.current = EntryPosition(*found)
                screen = self.rows_in_view // share if share else 0
                self._anchor = ScrollAnchor(found[0], 0, found[1], 0, screen)
                self._sync()

        self._read(find)

    def action_next_entry(self) -> None:
        """Make the next entry the current one."""
        self._step(1)

    def action_previous_entry(self) -> None:
        """Make the entry before the current one."""
        self._step(-1)

    def _step(self, step: int) -> None:
        if step < 0 and self.at_bottom:
            self.hold()
            self._follow(following=False)
        for _ in range(2):
            entries = self.entries_in_view()
            place = entries.index(self.current) + step if self.current in entries else 0
            if 0 <= place < len(entries):
                self.current = entries[place]
                self.refresh()
                return
            self.move(step * max(1, self.rows_in_view // 2))

    def action_unfold(self) -> None:
        """Unfold or fold the current entry, else the next one in view that folds."""
        entries = self.entries_in_view()
        first = entries.index(self.current) if self.current in entries else 0
        for entry in (*entries[first:], *reversed(entries[:first])):
            if self.folds(entry):
                self.toggle(entry)
                return

    def toggle(self, entry: EntryPosition) -> None:
        """Unfold or fold an entry; its heading stays where it is."""
        if self.flow is None:
            return
        self.current = entry
        self.hold_current()
        self._follow(following=False)
        self.flow.toggle(*entry)
        self.settle()

    def action_unfold_all(self) -> None:
        """Unfold or fold everything."""
        if self.flow is not None:
            self.hold_current()
            self.flow.toggle_all()
            self.settle()

    def action_subagent(self) -> None:
        """Read the session of the subagent that the current entry started."""
        entry, flow = self.current, self.flow
        place = flow.find(entry.offset) if flow is not None and entry is not None else None
        blocks = flow.blocks(place) if flow is not None and place is not None else ()
        if entry is not None and entry.block < len(blocks) and blocks[entry.block].subagents:
            self.post_message(self.SubagentWanted(self, blocks[entry.block].subagents))
        else:
            self.fail("This entry started no subagent")

    @property
    def shows_stored(self) -> bool:
        """Whether stored lines are shown, not entries."""
        return self._look.raw

    def action_pager(self) -> None:
        """Read the current entry whole in the user's pager."""
        from sessiontui.transcript.entry_text import full_text

        document, entry = self.document, self.own_entry
        if self.current is not None and entry is None:
            self.fail("This stands for other entries: expand it, or select one of them")
        elif document is not None and entry is not None:
            text = full_text(document, *entry, stored=self._look.raw)
            self._page(text)

    @work(group="pager", exclusive=True)
    async def _page(self, text: AsyncIterator[str]) -> None:
        from sessiontui.app.terminal import show_in_pager

        try:
            await show_in_pager(self.app, text)
        except (PagerError, StorageError) as error:
            self.fail(clean(str(error)))

    def action_thinking(self) -> None:
        """Show or hide what the agent thought."""
        self._restyle(replace(self._look, thinking=not self._look.thinking))

    def action_wrap(self) -> None:
        """Toggle line wrap."""
        self._restyle(replace(self._look, wrap=not self._look.wrap))

    def action_raw(self) -> None:
        """Show entries or the lines they are stored as."""
        self._restyle(replace(self._look, raw=not self._look.raw))

    def _restyle(self, look: ViewOptions) -> None:
        self._look = replace(look, now_ms=self._now())
        if self.flow is not None:
            if not self.at_bottom:
                self.hold()
            self.flow.restyle(self._look)
            self.settle()

    def on_click(self, event: events.Click) -> None:
        """Make the entry that was clicked the current one; fold or unfold at its heading."""
        for screen, place, row in self.rows_seen():
            entry = self._entry(place, row)
            if screen == event.y and entry is not None:
                self.current = entry
                if row.head and self.folds(entry):
                    self.toggle(entry)
                self.refresh()

    def on_resize(self) -> None:
        """Lay out anew for another width; the row at the top, or the end, stays."""
        if self.cells_in_view and self.cells_in_view != self._look.width:
            self._restyle(replace(self._look, width=self.cells_in_view))
        else:
            self.settle()
