"""The list of code blocks in an entry, to copy one."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from sessiontui.app import format as formats
from sessiontui.app.screens.base import ClosedOnce
from sessiontui.app.widgets.inputs import Choices
from sessiontui.text import clean
from sessiontui.transcript.entry_text import CodeSnippet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

MAX_CODES = 200
"""How many pieces are listed at most."""
_LANGUAGE_CELLS = 12
_LINES_CELLS = 10
_LENGTH = 120


class CodeListScreen(ModalScreen[CodeSnippet | None], ClosedOnce[CodeSnippet | None]):
    """Lists the pieces by language, length and beginning; answers with the chosen one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,Y", "dismiss_none", show=False),
    ]

    def __init__(self, codes: Sequence[CodeSnippet]) -> None:
        super().__init__()
        self._codes = codes[:MAX_CODES]

    def compose(self) -> ComposeResult:
        """Lay out the heading, the pieces and what closes it."""
        with Vertical(classes="outline"):
            yield Static(Content.styled("Copy which code?", "bold"), id="outline-heading")
            yield Choices(
                *(Option(_line(code)) for code in self._codes),
                id="outline-turns",
                markup=False,
                compact=True,
            )
            yield Static(Content.styled("⏎ copy   esc close", "$past"), classes="closing")

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._codes[event.option_index])

    def action_dismiss_none(self) -> None:
        """Copy nothing."""
        self.dismiss(None)


def _line(code: CodeSnippet) -> Content:
    language = formats.cut_end(clean(code.language) or "code", _LANGUAGE_CELLS)
    lines = formats.plural(code.text.count("\n") + 1, "line")
    first = code.text.lstrip("\n").partition("\n")[0].strip()
    return Content.assemble(
        f"{language:<{_LANGUAGE_CELLS}}  ",
        (f"{lines:>{_LINES_CELLS}}  ", "$past"),
        clean(first[:_LENGTH]),
    )
