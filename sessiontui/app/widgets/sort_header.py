"""The order of the list in words, over the list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from sessiontui.catalogue.order import SORTS, Sort

if TYPE_CHECKING:
    from textual import events

    from sessiontui.catalogue.catalogue import Catalogue


class SortHeader(Widget):
    """Says how the list is sorted; a click chooses the next order, one on its arrow turns it."""

    @dataclass
    class SortChosen(Message):
        """The user wants another order."""

        sort: Sort
        reverse: bool

    _WORDS: ClassVar[dict[tuple[Sort, bool], str]] = {
        ("modified", False): "newest first",
        ("modified", True): "oldest first",
        ("created", False): "newest created",
        ("created", True): "oldest created",
        ("title", False): "title A to Z",
        ("title", True): "title Z to A",
        ("size", False): "largest first",
        ("size", True): "smallest first",
    }

    def __init__(self, *, ascii_only: bool = False, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.ascii_only = ascii_only
        self._sort: Sort = "modified"
        self._reverse = False

    def show(self, catalogue: Catalogue) -> None:
        """Take over the order of a catalogue."""
        if (catalogue.sort, catalogue.reverse) != (self._sort, self._reverse):
            self._sort, self._reverse = catalogue.sort, catalogue.reverse
            self.refresh(layout=True)

    def render(self) -> Content:
        """Return the order in words, with an arrow that can be clicked."""
        arrow = ("v^" if self.ascii_only else "▾▴")[self._reverse]
        return Content(f"{self._WORDS[self._sort, self._reverse]} {arrow}")

    def on_click(self, event: events.Click) -> None:
        """Choose the next order, or turn this one round."""
        event.stop()
        if event.x >= self.size.width - 2:
            self.post_message(self.SortChosen(self._sort, not self._reverse))
        else:
            following = SORTS[(SORTS.index(self._sort) + 1) % len(SORTS)]
            self.post_message(self.SortChosen(following, reverse=False))
