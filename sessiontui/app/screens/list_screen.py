"""The base of lists over a transcript: a heading, rows as they are found, an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from sessiontui.app.screens.base import ClosedOnce
from sessiontui.app.widgets.inputs import Choices

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from textual.app import ComposeResult
    from textual.await_complete import AwaitComplete
    from textual.binding import BindingType
    from textual.worker import Worker

Answer = TypeVar("Answer")


class ListScreen(ModalScreen[Answer | None], ClosedOnce[Answer | None]):
    """A list that fills; what fills it ends when the screen does."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss_none", show=False),
    ]

    heading: ClassVar[str]
    does: ClassVar[str]
    """What Enter does."""

    _looking: Worker[None] | None = None

    def compose(self) -> ComposeResult:
        """Lay out the heading, the rows and what closes it."""
        with Vertical(classes="outline"):
            yield Static(id="outline-heading")
            yield Choices(id="outline-turns", markup=False, compact=True)
            yield Static(Content.styled(f"⏎ {self.does}   esc close", "$past"), classes="closing")

    @property
    def rows(self) -> Choices:
        """The list."""
        return self.query_one(Choices)

    def look(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Fill the list."""
        self.tell("looking…")
        self._looking = self.run_worker(work)

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Go away with an answer; what is not found by then is not looked for."""
        if self._looking is not None:
            self._looking.cancel()
        return super().dismiss(result)

    def tell(self, text: str, style: str = "$past") -> None:
        """Say in the heading how far it is."""
        words = Content.assemble((f"{self.heading}  ", "bold"), (text, style))
        self.query_one("#outline-heading", Static).update(words)

    def action_dismiss_none(self) -> None:
        """Go back to where the reader was."""
        self.dismiss(None)
