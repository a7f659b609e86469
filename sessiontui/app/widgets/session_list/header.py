"""The lines above the list: its order, the headings of columns, errors of the filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

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
    from sessiontui.catalog.catalog import Catalog
    from sessiontui.catalog.sorting import Sort


class SortHeader(Widget):
    """Says how the list is sorted; a click chooses the next order, one on its arrow turns it."""

    @dataclass
    class Clicked(Message):
        """The user wants another order."""

        turned: bool
        """Whether this one, the other way round; else the next one."""

    _WORDS: ClassVar[dict[tuple[Sort, bool], str]] = {
        ("modified", False): "newest first",
        ("modified", True): "oldest first",
        ("created", False): "newest created",
        ("created", True): "oldest created",
        ("title", False): "title A to Z",
        ("title", True): "title Z to A",
        ("size", False): "largest first",
        ("size", True): "smallest first",
        ("cost", False): "dearest first",
        ("cost", True): "cheapest first",
        ("tokens", False): "most tokens",
        ("tokens", True): "fewest tokens",
        ("turns", False): "most turns",
        ("turns", True): "fewest turns",
        ("entries", False): "most entries",
        ("entries", True): "fewest entries",
    }

    def __init__(self, *, ascii_only: bool = False, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.ascii_only = ascii_only
        self._sort: Sort = "modified"
        self._reverse = False
        self._ranked = False

    def show(self, catalog: Catalog) -> None:
        """Take over the order of a catalog."""
        told = (catalog.sort, catalog.reverse, catalog.ranked)
        before = (self._sort, self._reverse, self._ranked)
        if told != before:
            self._sort, self._reverse, self._ranked = told
            # A layout takes as long as finding something does, so there is none while one types.
            self.refresh(layout=told[:2] != before[:2])

    def render(self) -> Content:
        """Return the order in words, with an arrow that can be clicked."""
        arrow = ("v^" if self.ascii_only else "▾▴")[self._reverse]
        words = self._WORDS[self._sort, self._reverse]
        if self._ranked:
            words = f"{'best first':>{len(words)}}"
        return Content(f"{words} {arrow}")

    def on_click(self, event: events.Click) -> None:
        """Choose the next order, or turn this one round."""
        event.stop()
        self.post_message(self.Clicked(turned=event.x >= self.size.width - 2))


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
