"""What every key does, as the action table has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from sessiontui.app.action_table import CONTEXTS, Context
from sessiontui.app.actions import offered

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from sessiontui.app.actions import Keys

_KEY_CELLS = 13


class HelpScreen(ModalScreen[None]):
    """Lists the keys by where they work; any of the closing keys goes back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter", "dismiss", "Close", show=False),
    ]

    def __init__(self, keys: Keys, *, read_only: bool = False) -> None:
        super().__init__()
        self._keys = keys
        self._read_only = read_only

    def compose(self) -> ComposeResult:
        """Lay out one column for the list and one for the transcript."""
        with VerticalScroll(classes="help"):
            with Horizontal(classes="columns"):
                with Vertical(classes="column"):
                    yield self._section("list")
                    yield self._section("everywhere")
                with Vertical(classes="column"):
                    yield self._section("transcript")
                    yield Static(self._mouse(), classes="section")
            yield Static(Content.styled("esc closes", "$past"), classes="closing")

    def _section(self, context: Context) -> Static:
        lines = [Content.styled(CONTEXTS[context], "$rule-focused")]
        for action in offered(read_only=self._read_only):
            if action.context == context:
                keys = " ".join(self._keys.of(action.id))
                lines.append(
                    Content.assemble((f"{keys:<{_KEY_CELLS}} ", "bold"), (action.help, "$past"))
                )
        return Static(Content("\n").join(lines), classes="section")

    def _mouse(self) -> Content:
        lines = [
            ("click", "Choose"),
            ("double click", "Read"),
            ("heading", "Sort, or turn the order round"),
            ("wheel", "Scroll; up stops following"),
            ("drag the rule", "Make a pane wider"),
        ]
        return Content("\n").join(
            [
                Content.styled("Mouse", "$rule-focused"),
                *(
                    Content.assemble((f"{where:<{_KEY_CELLS}} ", "bold"), (what, "$past"))
                    for where, what in lines
                ),
            ]
        )
