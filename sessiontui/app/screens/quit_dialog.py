"""The dialog before quitting while writes are pending: wait, or save them to a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from textual.binding import Binding
from textual.content import Content
from textual.widgets import Static

from sessiontui.app import format as formats
from sessiontui.app.format import as_sentence
from sessiontui.app.screens.dialog import Dialog, DialogButton
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.binding import BindingType
    from textual.widget import Widget

    from sessiontui.storage.write_queue import PendingWrite

_SHOWN = 5
"""How many writes are listed."""
_CELLS = 58
_WORDS = {
    "append": "lines for",
    "write": "a new body for",
    "title": "a title for",
    "rename": "a new path for",
    "delete": "the deletion of",
    "restore": "the return of",
}

QuitAnswer = Literal["wait", "now"]


class QuitDialog(Dialog[QuitAnswer]):
    """The answer says whether to wait for the writes or to keep them in a file; None stays."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "dismiss", show=False),
        Binding("w", "choose('wait')", show=False),
        Binding("y", "choose('now')", show=False),
    ]

    def __init__(self, writes: Sequence[PendingWrite], *, reason: str, patience_s: float) -> None:
        """Make the dialog.

        Args:
            writes: What is pending.
            reason: Why the source does not answer; empty where that is not known.
            patience_s: How long waiting lasts at most, in seconds.
        """
        super().__init__()
        self.question = Content(f"Quit with {formats.plural(len(writes), 'write')} pending?")
        self.choices = (
            DialogButton("stay", "Stay", "esc"),
            DialogButton("wait", f"Wait {patience_s:g} s, then quit", "w"),
            DialogButton("now", "Quit now", "y", danger=True),
        )
        self._writes = writes
        self._reason = reason

    def body(self) -> Iterable[Widget]:
        """Yield which writes they are, and what becomes of them."""
        lines = [_told(write) for write in self._writes[:_SHOWN]]
        if len(self._writes) > _SHOWN:
            lines.append(Content.styled(f"and {len(self._writes) - _SHOWN:,} more", "$past"))
        yield Static(Content("\n").join(lines), classes="consequence")
        why = as_sentence(self._reason) + " " if self._reason else ""
        yield Static(
            Content(f"{why}Unconfirmed writes are saved to a file, and its name is printed."),
            classes="warning",
        )

    def choose(self, choice_id: str) -> None:
        """Answer."""
        answers: dict[str, QuitAnswer] = {"wait": "wait", "now": "now"}
        self.dismiss(answers.get(choice_id))

    def withdraw(self) -> None:
        """Go away unanswered: there is nothing left to ask."""
        self.dismiss(None)


def _told(write: PendingWrite) -> Content:
    what = _WORDS.get(write.action, write.action)
    if write.title:
        what = f"the title “{formats.cut_end(clean(write.title), _CELLS // 3)}” for"
    room = max(12, _CELLS - len(what))
    return Content.assemble(f"{what} ", (formats.cut_middle(clean(write.path), room), "$past"))
