"""The order of the list in words, over the list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.content import Content
from textual.message import Message
from textual.widget import Widget

if TYPE_CHECKING:
    from textual import events

    from sessiontui.catalog.catalog import Catalogue
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

    def show(self, catalogue: Catalogue) -> None:
        """Take over the order of a catalogue."""
        told = (catalogue.sort, catalogue.reverse, catalogue.ranked)
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
