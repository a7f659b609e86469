"""Opens the transcript of the current session, only the latest request."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sessiontui.app.timers import call_later
from sessiontui.errors import SessionNotFoundError, StorageError
from sessiontui.workspace.events import error_reason

if TYPE_CHECKING:
    from asyncio import TimerHandle
    from collections.abc import Callable, Iterable, Sequence

    from textual.screen import Screen
    from textual.worker import Worker

    from sessiontui.app.widgets.transcript.view import TranscriptView
    from sessiontui.workspace import Workspace

_SETTLE_S = 0.06
"""How long the highlight must rest before a transcript is read; the first is read at once."""


class TranscriptController:
    """Opens and closes transcripts for the view.

    A wish that was overtaken by another while it was read is let go. At most one
    transcript is open, and for a moment the one that takes its place.

    Args:
        screen: Runs the timer and the worker.
        workspace: Has the transcripts.
        view: Shows one.
        failed: Told in one line why a transcript cannot be read.
    """

    def __init__(
        self,
        screen: Screen[None],
        workspace: Workspace,
        view: TranscriptView,
        failed: Callable[[str], None],
    ) -> None:
        self._screen = screen
        self._workspace = workspace
        self._view = view
        self._failed = failed
        self._timer: TimerHandle | None = None
        self._opening: Worker[None] | None = None
        self.path: str | None = None
        """Session whose transcript is shown."""
        self.wanted: str | None = None
        """Session whose transcript is shown as soon as it can be."""
        self.lost: str | None = None
        """Session that was deleted while it was read; what was read of it stays in view."""
        self._then: Callable[[], None] | None = None
        """Called when the wanted transcript is shown."""
        self._missed = False
        """Whether the wanted transcript could not be opened or read."""

    def wish(self, path: str | None, then: Callable[[], None] | None = None) -> None:
        """Show the transcript of this session, or none, once the highlight rests.

        Args:
            path: The session.
            then: Called as soon as it is shown, unless another one is wished for before.
        """
        if then is not None and path == self.path and path == self.wanted and self.lost is None:
            then()
            return
        self._then = then or (self._then if path == self.wanted else None)
        if path == self.wanted and self.lost is None:
            return
        self.wanted, self.lost = path, None
        if self._timer is not None:
            self._timer.cancel()
        if path is None or self.path is None:
            self._start()
        else:
            self._timer = call_later(self._screen, _SETTLE_S, self._start)

    def moved(self, path: str, new_path: str | None, *, keep: bool = False) -> None:
        """Follow a session to its new path, or let go of one that is gone.

        Args:
            path: Where it was.
            new_path: Where it is; None if it is gone.
            keep: Leave what was read of it in view until the next wish.
        """
        if self.wanted == path:
            self.wanted = new_path
        if self.path == path:
            self.path = new_path
            if new_path is None and keep:
                self.lost = path
            elif new_path is None:
                self._view.document = None

    def missed(self) -> None:
        """Take note that the transcript could not be read."""
        self._missed = True

    def again(self) -> None:
        """Try anew what could not be opened or read, unless something of it is shown."""
        if not self._missed or self.wanted is None:
            return
        if self.path is not None and self._view.flow is None:
            self._workspace.close_document(self.path)
            self._view.document = self.path = None
        if self.path is None:
            self._start()

    def _start(self) -> None:
        self._missed = False
        opening = partial(self._open, self.wanted)
        self._opening = self._screen.run_worker(opening, group="reading", exclusive=True)

    async def _open(self, path: str | None) -> None:
        document = None
        if path is not None:
            try:
                document = await self._workspace.open_document(path)
            except StorageError as error:
                if not isinstance(error, SessionNotFoundError):  # The list says that by itself.
                    self._failed(error_reason(error))
                self._missed = True
                path = None
        before, self.path = self.path, path
        self._view.document = document
        if before is not None and before != path:
            self._workspace.close_document(before)
        then, self._then = self._then, None
        if then is not None and path == self.wanted:
            then()


def subagent_path(path: str, names: Sequence[str], known: Iterable[str]) -> str | None:
    """Return the session of a subagent, if it is among the known ones.

    Args:
        path: Of the session that started it.
        names: What it may be called, the likeliest first; omp puts a number before.
        known: Paths of sessions.
    """
    beside = path.rpartition("/")[0] + "/"
    within = path.removesuffix(".jsonl") + "/"
    found: dict[str, str] = {}
    for one in known:
        if one.startswith(beside) and one != path:
            folder, _, name = one.removesuffix(".jsonl").rpartition("/")
            own = one.startswith(within)
            if own or (folder + "/" == beside and name.startswith("agent-")):
                found.setdefault(name, one)
                if own:
                    found.setdefault(name.partition("-")[2] or name, one)
    return next((found[name] for name in names if name in found), None)
