"""The progress dialog: how far a task is; Escape stops it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button

from sessiontui.app import format as formats
from sessiontui.app.screens.dialog import Dialog, DialogButton, button_label
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from textual.app import App
    from textual.binding import BindingType

    from sessiontui.progress import Progress

Result = TypeVar("Result")

SHOW_AFTER_S: Final = 0.3
"""What takes no longer than this is not worth a dialog."""
_FULL, _EMPTY = "━─"
_FULL_ASCII, _EMPTY_ASCII = "#-"


class StoppedError(Exception):
    """The user ended something before anything was done."""


class ProgressBar(Widget):
    """A bar, how many of how many, and what is being worked on: three lines."""

    def __init__(self, progress: Progress, *, ascii_only: bool) -> None:
        super().__init__(id="progress")
        self.progress = progress
        self._signs = (_FULL_ASCII, _EMPTY_ASCII) if ascii_only else (_FULL, _EMPTY)

    def render(self) -> Content:
        """Return the three lines."""
        progress, width = self.progress, self.size.width
        share = progress.done / progress.total if progress.total else 0.0
        full, empty = self._signs
        filled = int(share * width)
        count = f"{progress.done:,} of {progress.total:,}" if progress.total else "looking…"
        words: list[tuple[str, str]] = [(count, "")]
        if progress.failed:
            words.append((f"   {progress.failed:,} failed", "$failed"))
        if progress.stopped:
            words.append(("   stops after this one", "$attention"))
        name = formats.cut_end(clean(progress.name), width)
        return Content("\n").join(
            [
                Content.assemble((full * filled, "$live"), (empty * (width - filled), "$rule")),
                Content.assemble(*words),
                Content.styled(name, "$past"),
            ]
        )


class ProgressDialog(Dialog[None]):
    """There as long as the work is; Escape ends the work after the part it is at."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "choose('stop')", show=False)]

    class Moved(Message):
        """The work went on."""

        def can_replace(self, message: Message) -> bool:
            """Let one message stand for all that wait."""
            return isinstance(message, ProgressDialog.Moved)

    def __init__(
        self,
        title: str,
        progress: Progress,
        *,
        cancel: Callable[[], object],
        ascii_only: bool = False,
    ) -> None:
        """Make the dialog.

        Args:
            title: What is done, safe to show: `Deleting 5,000 sessions`.
            progress: How far it is.
            cancel: Ends what has no parts.
            ascii_only: Draw the bar in ASCII.
        """
        super().__init__()
        self.question = Content(title)
        self.choices = (DialogButton("stop", "Stop", "esc"),)
        self.progress = progress
        self.cancel = cancel
        self._ascii_only = ascii_only
        self._over = False

    def body(self) -> Iterable[Widget]:
        """Yield the bar."""
        yield ProgressBar(self.progress, ascii_only=self._ascii_only)

    def on_mount(self) -> None:
        """Follow the work."""
        self.progress.listen(lambda: self.post_message(self.Moved()))
        self._show()

    def on_progress_dialog_moved(self) -> None:
        """Show how far it is."""
        self._show()

    def _show(self) -> None:
        self.query_one(ProgressBar).refresh()
        if self.progress.stopped:
            button = self.query_one("#stop", Button)
            button.disabled = True
            button.label = button_label(DialogButton("stop", "Stopping", "…"))

    def choose(self, choice_id: str) -> None:  # noqa: ARG002 - there is one button
        """End the work after the part it is at; where there are no parts, at once."""
        self.progress.stop()
        if not self.progress.total:
            self.cancel()

    def close(self) -> None:
        """Go away: the work is over."""
        self._over = True
        self.on_screen_resume()

    def on_screen_resume(self) -> None:
        """Go away now if the work ended while another screen lay over this one."""
        if self._over and self.is_active:
            self.dismiss(None)


async def while_shown(
    app: App[Any],
    title: str,
    progress: Progress,
    work: Coroutine[Any, Any, Result],
    *,
    ascii_only: bool = False,
) -> Result:
    """Return what comes of `work`, showing how far it is if it takes a while.

    To be called from a worker. If that is cancelled, so is the work.

    Args:
        app: Shows the dialog.
        title: What is done, safe to show.
        progress: What the work tells.
        work: Does it.
        ascii_only: Draw the bar in ASCII.

    Raises:
        StoppedError: The user ended it before it had come to its first part.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task}, timeout=SHOW_AFTER_S)
        if not task.done():
            dialog = ProgressDialog(title, progress, cancel=task.cancel, ascii_only=ascii_only)
            task.add_done_callback(lambda _: dialog.call_later(dialog.close))
            await app.push_screen_wait(dialog)
            if task.cancelled():
                raise StoppedError
        return await task
    finally:
        task.cancel()
