"""The transcript: shows a document, follows its end, and keeps the reader's place."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from textual.message import Message
from textual.reactive import reactive

from sessiontui.app.actions import bindings
from sessiontui.app.widgets.transcript_flow import Flow
from sessiontui.app.widgets.transcript_rows import Look
from sessiontui.app.widgets.transcript_view import Anchor, Entry, FlowView
from sessiontui.errors import StorageError
from sessiontui.models.text import clean
from sessiontui.transcript.seek import seek

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import tzinfo

    from textual import events
    from textual.binding import BindingType
    from textual.strip import Strip
    from textual.timer import Timer
    from textual.worker import Worker

    from sessiontui.transcript.document import Document
    from sessiontui.transcript.values import Block

REPAINT_S = 1 / 15
"""How long two repaints are apart at least while the session grows."""
_NEAR = 2
"""Within how many screens of the window's edge the next page is read."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class TranscriptView(FlowView):
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

    document: reactive[Document | None] = reactive(None, init=False, repaint=False)
    """What is shown; set it to show another."""

    def __init__(
        self,
        *,
        now: Callable[[], int] = _now_ms,
        zone: tzinfo | None = None,
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        super().__init__(id=id)
        self._now = now
        self._look = Look(zone=zone)
        self._stop_listening: Callable[[], None] | None = None
        self._timer: Timer | None = None
        self._synced_at = 0.0
        self._told: tuple[bool, int] | None = None
        self._notice = ("No session chosen", "")
        self._worker: Worker[None] | None = None
        self._failed = False
        """Whether the last read failed; the next move tries again."""
        self._dry = False
        """Whether the last read brought nothing."""
        self._seeking = False
        """Whether the window runs ahead of what is shown."""

    # -- the document

    def watch_document(self, document: Document | None) -> None:
        """Let go of the document before and show this one from its end."""
        self._let_go()
        self.flow = self.current = self._anchor = None
        self.at_bottom = True
        self._told = None
        self._say("No session chosen" if document is None else "Reading…")
        if document is not None:
            self._stop_listening = document.listen(self._changed)
            self._read(self._open(document, None))
        self.settle()

    def on_unmount(self) -> None:
        """Stop listening."""
        self._let_go()

    def _let_go(self) -> None:
        if self._stop_listening is not None:
            self._stop_listening()
            self._stop_listening = None
        if self._worker is not None:
            self._worker.cancel()
            self._worker = None
        self._failed = self._dry = self._seeking = False

    def _read(self, work: Coroutine[None, None, None]) -> None:
        """Read in the background; a newer wish takes the place of an older one."""
        self._failed = self._dry = self._seeking = False
        self._worker = self.run_worker(self._guarded(work), group="transcript", exclusive=True)

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except StorageError as error:
            self._failed = True
            self._seeking = False
            self._say("Cannot read this session", clean(str(error)))
            self.post_message(self.ReadFailed(self, clean(str(error))))
            self.refresh()

    async def _open(self, document: Document, offset: int | None) -> None:
        """Read the end, or the piece around `offset`, and show it."""
        document.following = offset is None
        if offset is not None:
            await document.open_at(offset)
        elif not document.at_end:
            await document.open_tail()
        self.at_bottom = offset is None
        self._sync()

    def _say(self, title: str, hint: str = "") -> None:
        """Set what stands in the middle while there is nothing else."""
        self._notice = (title, hint)

    def empty_line(self, y: int, width: int) -> Strip:
        """Say in the middle why there is nothing to see."""
        if self.flow is None or not self.flow.height:
            line = y - self.rows_in_view // 2 + 1
            if line in {0, 1} and self._notice[line]:
                style = "notice" if not line else "notice-hint"
                style = "failed" if self._failed and not line else style
                return self._painter.notice(self._notice[line], style, width)
        return super().empty_line(y, width)

    # -- growth

    def _changed(self) -> None:
        """Show a change of the document soon: at once after a pause, else at the next repaint."""
        self._dry = False
        if self._timer is None and not self._seeking:
            wait = self._synced_at + REPAINT_S - time.monotonic()
            self._timer = self.set_timer(max(0.001, wait), self._sync)

    def _sync(self) -> None:
        """Take over what changed in the document, and paint it."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        document = self.document
        if document is None or self._seeking:
            return
        anchor = self._anchor
        lost = anchor is not None and not document.start <= anchor.offset < document.stop
        if not document.opened or (lost and not self.at_bottom and document.size):
            where = None if self.at_bottom or anchor is None else anchor.offset
            if not self._failed and not self._busy:
                self._read(self._open(document, where and min(where, max(0, document.size - 1))))
            return
        if self.flow is None or self.flow.document is not document:
            self._look = replace(self._look, width=self.cells_in_view or 80, now_ms=self._now())
            self.flow = Flow(document, self._look)
        else:
            self.flow.sync()
        self._say("Empty session", "What its agent writes shows here.")
        self.settle()
        self._synced_at = time.monotonic()

    @property
    def _busy(self) -> bool:
        return self._worker is not None and not self._worker.is_finished

    def _follow(self, *, following: bool) -> None:
        """Take over whether the reader is at the end."""
        self.at_bottom = following
        if self.document is not None:
            self.document.following = following
        self._tell()

    def _tell(self) -> None:
        document = self.document
        if document is not None:
            state = (self.at_bottom, document.new_lines)
            if state != self._told:
                self._told = state
                self.post_message(self.FollowChanged(self, *state))

    # -- pages

    def settled(self) -> None:
        """Tell about new lines, and read on before the reader comes to the window's edge."""
        self._tell()
        if self._wanted() is not None and not self._busy:
            self._read(self._fill())

    def _wanted(self) -> Callable[[], Coroutine[None, None, bool]] | None:
        """Return what reads the page that the reader comes near to."""
        document, flow = self.document, self.flow
        if document is None or flow is None or self._dry or self._failed or not document.opened:
            return None
        near = _NEAR * self.rows_in_view
        top = self.scroll_offset.y
        if top < near and not document.at_start and not (self.at_bottom and document.full):
            return document.load_before
        if flow.height - top - self.rows_in_view < near and not document.at_end:
            return document.load_after
        return None

    async def _fill(self) -> None:
        while (load := self._wanted()) is not None:
            if not await load():
                self._dry = True  # until the document changes or the reader moves
                return
            self._sync()

    # -- what the reader does

    def move(self, rows: int) -> None:
        """Scroll by rows; upwards stops following, downwards to the very end begins it."""
        self._dry = self._failed = False
        document = self.document
        if document is None or self.flow is None:
            return
        if rows < 0 and self.at_bottom:
            self.hold()
            self._follow(following=False)
        if not self.at_bottom:
            self.go(self.scroll_offset.y + rows)
            if rows > 0 and document.at_end and self.scroll_offset.y >= self._last_y:
                self._follow(following=True)

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
        self._anchor = Anchor(0, 0, 0, 0)
        if document.at_start:
            self.go(0)
        else:
            self._read(self._open(document, 0))

    def action_follow(self) -> None:
        """Go to the end and stay there."""
        document = self.document
        if document is None:
            return
        self._follow(following=True)
        if document.at_end:
            self.settle()
        else:
            self._read(self._open(document, None))

    def action_next_turn(self) -> None:
        """Go to what the user wrote next, else to the end."""
        self._seek(lambda block: block.kind == "user", forward=True, otherwise=self.action_follow)

    def action_previous_turn(self) -> None:
        """Go to what the user wrote before, else to the beginning."""
        self._seek(lambda block: block.kind == "user", forward=False, otherwise=self.action_start)

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
                found = await seek(document, *current, wanted, forward=forward)
            finally:
                self._seeking = False
            if found is None:
                otherwise()
                self._changed()
            else:
                self.current = Entry(*found)
                screen = self.rows_in_view // share if share else 0
                self._anchor = Anchor(found[0], 0, found[1], 0, screen)
                self._sync()

        self._read(find())

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

    def toggle(self, entry: Entry) -> None:
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

    def action_thinking(self) -> None:
        """Show or hide what the agent thought."""
        self._restyle(replace(self._look, thinking=not self._look.thinking))

    def action_wrap(self) -> None:
        """Wrap long lines or cut them."""
        self._restyle(replace(self._look, wrap=not self._look.wrap))

    def action_raw(self) -> None:
        """Show entries or the lines they are stored as."""
        self._restyle(replace(self._look, raw=not self._look.raw))

    def _restyle(self, look: Look) -> None:
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
