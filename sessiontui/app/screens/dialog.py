"""The base of every dialog: a question, buttons with keys, Escape to cancel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual import on
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from sessiontui.app.screens.base import ClosedOnce

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.widget import Widget

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class DialogButton:
    """A button."""

    id: str
    label: str
    key: str
    """How its key is written; the screen binds it."""
    danger: bool = False


class Dialog(ModalScreen[Answer | None], ClosedOnce[Answer | None]):
    """A question in the middle of the screen; dismissed with None it changed nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Keep", show=False),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    question: Content
    choices: Sequence[DialogButton]
    """The harmless one first; the first has the focus unless there are fields."""

    def compose(self) -> ComposeResult:
        """Lay out the question, the body and the buttons."""
        with Vertical(classes="dialog"):
            yield Static(self.question, classes="question")
            yield from self.body()
            with Horizontal(classes="buttons"):
                for choice in self.choices:
                    button = Button(
                        button_label(choice),
                        id=choice.id,
                        classes="danger" if choice.danger else "",
                        compact=True,
                    )
                    # A timer would end the effect, and until then the button does nothing more.
                    button.active_effect_duration = 0
                    yield button

    def body(self) -> Iterable[Widget]:
        """Yield what stands between the question and the buttons."""
        return ()

    def choose(self, choice_id: str) -> None:
        """Do what a button says; to be written for each dialog."""
        raise NotImplementedError

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id is not None:
            self.choose(event.button.id)

    def action_choose(self, choice_id: str) -> None:
        """Press a button by its key, unless it is disabled."""
        if not self.query_one(f"#{choice_id}", Button).disabled:
            self.choose(choice_id)


def about_many(about: str) -> Iterable[Widget]:
    """Yield which sessions a question is about, where it counts them; nothing for one."""
    if about:
        yield Static(Content(about), classes="consequence about")


def button_label(choice: DialogButton) -> Content:
    """Return what a button shows: what it does and its key."""
    return Content.assemble(f"{choice.label}  ", (choice.key, "dim"))


class Question(Dialog[str]):
    """Asks one question; the answer is the id of the button, or None for the harmless one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "dismiss", show=False),
        Binding("y", "choose('yes')", show=False),
    ]

    def __init__(self, question: Content, lines: Sequence[Content], *, yes: str, no: str) -> None:
        super().__init__()
        self.question = question
        self.lines = lines
        self.choices = (DialogButton("no", no, "esc"), DialogButton("yes", yes, "y", danger=True))

    def body(self) -> Iterable[Widget]:
        """Yield the consequences, a line each."""
        for line in self.lines:
            yield Static(line, classes="consequence")

    def choose(self, choice_id: str) -> None:
        """Answer."""
        self.dismiss(None if choice_id == "no" else choice_id)

    def withdraw(self) -> None:
        """Go away unanswered: there is nothing left to ask."""
        self.dismiss(None)
