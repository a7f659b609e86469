"""The stored JSON of one entry, indented and coloured."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from sessiontui.app.screens.base import ClosedOnce
from sessiontui.app.widgets.transcript.styled_text import code_spans
from sessiontui.errors import StorageError
from sessiontui.text import clean
from sessiontui.transcript.entry_text import entry_json_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.await_complete import AwaitComplete
    from textual.binding import BindingType
    from textual.worker import Worker

    from sessiontui.transcript.document import Document

_COLOURS = {
    "code-name": "$code-name",
    "code-string": "$code-string",
    "code-number": "$code-number",
}


class EntryJsonScreen(ModalScreen[None], ClosedOnce[None]):
    """Shows the line at an offset.

    Args:
        document: Its window holds the line.
        offset: Where the line begins.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,V", "dismiss", show=False),
        Binding("j", "move('down')", show=False),
        Binding("k", "move('up')", show=False),
        Binding("space,f", "move('page_down')", show=False),
        Binding("b", "move('page_up')", show=False),
        Binding("g", "move('home')", show=False),
        Binding("G", "move('end')", show=False),
    ]

    def __init__(self, document: Document, offset: int) -> None:
        super().__init__()
        self._document = document
        self._offset = offset
        self._reading: Worker[None] | None = None

    def compose(self) -> ComposeResult:
        """Lay out the heading, the JSON and what closes it."""
        with Vertical(classes="stored"):
            yield Static(id="stored-heading")
            with VerticalScroll(id="stored-body"):
                yield Static(id="stored-text")
            yield Static(Content.styled("esc close", "$past"), classes="closing")

    def on_mount(self) -> None:
        """Read the line."""
        self.query_one(VerticalScroll).focus()
        self._tell("")
        self._reading = self.run_worker(self._read)

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Go away, also while the line is still read."""
        if self._reading is not None:
            self._reading.cancel()
        return super().dismiss(result)

    async def _read(self) -> None:
        try:
            lines, whole = await entry_json_lines(self._document, self._offset)
        except StorageError as error:
            self._tell(clean(str(error)), "$failed")
            return
        self.query_one("#stored-text", Static).update(_coloured(lines))
        self._tell("" if whole else "cut where it is long; the pager has all of it")

    def _tell(self, text: str, style: str = "$past") -> None:
        where = f"byte {self._offset:,}"
        words = " · ".join(filter(None, (where, text)))
        heading = Content.assemble(("As stored  ", "bold"), (words, style))
        self.query_one("#stored-heading", Static).update(heading)

    def action_move(self, where: str) -> None:
        """Scroll."""
        body = self.query_one(VerticalScroll)
        moves = {
            "down": body.scroll_down,
            "up": body.scroll_up,
            "page_down": body.scroll_page_down,
            "page_up": body.scroll_page_up,
            "home": body.scroll_home,
            "end": body.scroll_end,
        }
        moves[where](animate=False)


def _coloured(lines: Sequence[str]) -> Content:
    """Return lines of JSON in colours."""
    pieces: list[tuple[str, str] | str] = []
    for spans in code_spans(lines, "json"):
        pieces += [(text, _COLOURS.get(style, "$foreground")) for text, style in spans]
        pieces.append("\n")
    return Content.assemble(*pieces[:-1])
