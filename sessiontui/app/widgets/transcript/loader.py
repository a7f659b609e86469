"""Loading pages for the transcript view, and following what is appended."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from textual.reactive import reactive

from sessiontui.app.timers import call_later
from sessiontui.app.widgets.transcript.layout import ViewOptions
from sessiontui.app.widgets.transcript.row_index import RowIndex
from sessiontui.app.widgets.transcript.viewport import ScrollAnchor, Viewport
from sessiontui.errors import StorageError
from sessiontui.text import clean

if TYPE_CHECKING:
    from asyncio import TimerHandle
    from collections.abc import Callable, Coroutine
    from datetime import tzinfo

    from textual.strip import Strip
    from textual.worker import Worker

    from sessiontui.transcript.document import Document

REPAINT_S = 1 / 50
"""How long two repaints are apart at least while the session grows."""
SLOWEST_REPAINT_S = 1 / 15
"""How long they are apart at most, however long one takes."""
_SHARE = 0.2
"""Which share of the time taking over what changed may take between these bounds."""
RETRY_S = 2.0
"""After how long a failed read is tried again by itself."""
_NEAR = 2
"""Within how many screens of the window's edge the next page is read."""


class LoadingViewport(Viewport):
    """Shows `document`. Follows its end while `at_bottom`; reads in a worker, one thing at a time.

    Args:
        now: The time in milliseconds since the epoch.
        zone: Time zone of the times shown; None for the local one.
        id: As for any widget.
    """

    document: reactive[Document | None] = reactive(None, init=False, repaint=False)
    """The document that is shown; set it to show another."""

    def __init__(
        self,
        *,
        now: Callable[[], int],
        zone: tzinfo | None = None,
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        super().__init__(id=id)
        self._now = now
        self._look = ViewOptions(zone=zone)
        self._stop_listening: Callable[[], None] | None = None
        self._timer: TimerHandle | None = None
        self._synced_at = 0.0
        self._pace_s = REPAINT_S
        self._told_to_sync = False
        self._notice = ("No session selected", "")
        self._worker: Worker[None] | None = None
        self._failed = False
        """Whether the last read failed."""
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
        self._say("No session selected" if document is None else "Reading…")
        if document is not None:
            self._stop_listening = document.listen(self._changed)
            self._read(lambda: self._open(document, None))
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

    def _read(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Read in the background; a newer wish takes the place of an older one."""
        if self._seeking:
            self._changed()  # What came while the window ran ahead is yet to be shown.
        self._failed = self._dry = self._seeking = False
        self._worker = self.run_worker(
            partial(self._guarded, work), group="transcript", exclusive=True
        )

    async def _guarded(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        try:
            await work()
        except StorageError as error:
            self._failed = True
            self._seeking = False
            self._say("Cannot read this session", clean(str(error)))
            self.read_failed(clean(str(error)))
            self.refresh()
            call_later(self, RETRY_S, self._try_again)
        else:
            if self.document is not None and not self.document.opened:
                self._changed()  # It was rewritten meanwhile: what was read counts no more.

    def _try_again(self) -> None:
        if self._failed:
            self._failed = False
            self._sync()

    async def _open(self, document: Document, offset: int | None) -> None:
        """Read the end, or the piece around `offset`, and show it."""
        document.following = offset is None
        if offset is not None:
            begin = await document.open_at(offset)
            anchor = self._anchor
            if anchor is not None and not document.start <= anchor.offset < document.stop:
                self._anchor = ScrollAnchor(begin, 0, 0, 0)  # the session is shorter now
        elif not document.at_end:
            await document.open_tail()
        self.at_bottom = offset is None
        self._sync()
        await self._fill()

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
        """Take note of a change of the document; called in the task of whoever feeds it."""
        self._dry = self._failed = False
        if not self._told_to_sync:
            self._told_to_sync = True
            self.call_later(self._sync_soon)

    def _sync_soon(self) -> None:
        """Show a change of the document: at once after a pause, else at the next repaint."""
        self._told_to_sync = False
        if self._timer is None and not self._seeking:
            wait = self._synced_at + self._pace_s - time.monotonic()
            self._timer = call_later(self, max(0.001, wait), self._sync)

    def _sync(self) -> None:
        """Take over what changed in the document, and paint it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        document = self.document
        if document is None or self._seeking:
            return
        began = time.monotonic()
        anchor = self._anchor
        lost = anchor is not None and not document.start <= anchor.offset < document.stop
        if not document.opened or (lost and not self.at_bottom and document.size):
            where = None if self.at_bottom or anchor is None else anchor.offset
            if not self._failed and not self._busy:
                self._read(
                    lambda: self._open(document, where and min(where, max(0, document.size - 1)))
                )
            return
        if self.flow is None or self.flow.document is not document:
            self._look = replace(self._look, width=self.cells_in_view or 80, now_ms=self._now())
            self.flow = RowIndex(document, self._look)
        else:
            self.flow.sync()
        self._say("Empty session", "New entries appear here.")
        self.settle()
        self._synced_at = time.monotonic()
        pace = (self._synced_at - began) / _SHARE
        self._pace_s = min(SLOWEST_REPAINT_S, max(REPAINT_S, pace))

    @property
    def _busy(self) -> bool:
        return self._worker is not None and not self._worker.is_finished

    @property
    def quiet(self) -> bool:
        """Whether nothing is being read, and what changed is shown."""
        return not (self._busy or self._told_to_sync or self._timer is not None)

    def _follow(self, *, following: bool) -> None:
        """Take over whether the reader is at the end."""
        self.at_bottom = following
        if self.document is not None:
            self.document.following = following
        self._tell()

    def _tell(self) -> None:
        if self.document is not None:
            self.following_changed(following=self.at_bottom, new_lines=self.document.new_lines)

    def following_changed(self, *, following: bool, new_lines: int) -> None:
        """Called when following or the number of lines missed may have changed."""

    def read_failed(self, error: str) -> None:
        """Called with one safe line when something could not be read."""

    # -- pages

    def settled(self) -> None:
        """Tell about new lines, and read on before the reader comes to the window's edge."""
        self._tell()
        if self._wanted() is not None and not self._busy:
            self._read(lambda: self._fill())

    def _wanted(self) -> Callable[[], Coroutine[None, None, bool]] | None:
        """Return what reads the page that the reader comes near to.

        A page in view is not given up for another one: then the reader has to ask (`move`).
        """
        document, flow = self.document, self.flow
        if document is None or flow is None or self._dry or self._failed or not document.opened:
            return None
        near = _NEAR * self.rows_in_view
        top = self.scroll_offset.y
        bottom = top + self.rows_in_view
        out_of_view = flow.last_page_top >= bottom or flow.hides_last_page
        spare_last = not document.full or (not self.at_bottom and out_of_view)
        sealed = document.branch_filter.sealed and not self._look.raw
        if top < near and not document.at_start and spare_last and not sealed:
            return document.load_before
        spare_first = not document.full or flow.first_page_bottom <= top
        if flow.height - bottom < near and not document.at_end and spare_first:
            return document.load_after
        return None

    async def _fill(self, load: Callable[[], Coroutine[None, None, bool]] | None = None) -> None:
        load = load or self._wanted()
        while load is not None:
            if not await load():
                self._dry = True  # until the document changes or the reader moves
                return
            self._sync()
            load = self._wanted()

    def move(self, rows: int) -> None:
        """Scroll by rows; upwards stops following, downwards to the very end begins it."""
        self._dry = self._failed = False
        document = self.document
        if document is None or self.flow is None:
            return
        if rows < 0 and self.at_bottom:
            self.hold()
            self._follow(following=False)
        if self.at_bottom:
            return
        before = self.scroll_offset.y
        self.go(before + rows)
        if rows > 0 and document.at_end and self.scroll_offset.y >= self._last_y:
            self._follow(following=True)
        elif self.scroll_offset.y == before and not self._busy:
            sealed = document.branch_filter.sealed and not self._look.raw
            if rows < 0 and not document.at_start and not sealed:
                self._read(lambda: self._fill(document.load_before))
            elif rows > 0 and not document.at_end:
                self._read(lambda: self._fill(document.load_after))
