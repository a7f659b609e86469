"""The line between the find field and the list: what is wrong with a query, or what is hidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from sessiontui.app import format as formats
from sessiontui.text import clean

if TYPE_CHECKING:
    from textual import events

    from sessiontui.app.format import Tone

_INDENT = 3
"""Column of the find field's text."""


class Caption(Widget):
    """One line of text on the left, headings of columns on the right where there is room.

    What is wrong takes as many lines as it needs, and no headings stand beside it.
    """

    told: reactive[tuple[str, Tone]] = reactive[tuple[str, "Tone"]](("", "past"), layout=True)
    """A text, not yet safe to show, and its tone; it comes before the headings."""
    heads: reactive[str] = reactive("")
    """Headings, each over its column, up to the list's last one."""

    @dataclass
    class HeadClicked(Message):
        """The user clicked on what stands over a column."""

        x: int
        """Where in the line, in cells."""

    @property
    def _wrong(self) -> bool:
        return self.told[1] == "attention"

    def watch_told(self) -> None:
        """Make room for what is wrong."""
        self.set_class(self._wrong, "-wrong")

    def on_click(self, event: events.Click) -> None:
        """Tell which heading was clicked."""
        if self.heads and not self._wrong and event.x >= self.size.width - 1 - cell_len(self.heads):
            event.stop()
            self.post_message(self.HeadClicked(event.x))

    def render(self) -> Content:
        """Return the line."""
        width = self.size.width - 1  # Above the list, whose last column is the scroll bar.
        text, tone = self.told
        if self._wrong:
            return Content.styled(clean(text), "$attention")
        heads = self.heads
        room = width - _INDENT
        if text and cell_len(clean(text)) + cell_len(heads) + 2 > room:
            heads = ""
        text = formats.cut_end(clean(text), room)
        blank = " " * max(0, room - cell_len(text) - cell_len(heads))
        style = "" if tone == "plain" else f"${tone}"
        return Content.assemble(" " * _INDENT, (text, style), blank, (heads, "$past"))
