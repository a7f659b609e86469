"""The filter line over the session list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual import on
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import Reactive
from textual.widgets import Input, Static

from sessiontui.app import format as formats
from sessiontui.app.format import SAFE_TEXT
from sessiontui.app.widgets.inputs import Field

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

_LONGEST = 256
_ROOMY = 40
"""From so many cells on there is room for the highest count from the start."""
_MARGINS = 4
"""Cells beside the count."""


class FilterInput(Field):
    """The field itself; arrows and Enter go on to the list, Escape takes the filter away."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,down", "done", show=False),
        Binding("escape", "clear", show=False),
    ]

    HINTS: ClassVar = (("enter", "to the list"), ("escape", "clear"))
    """What can be done while one types, for the footer: keys with their labels."""

    virtual_size: Reactive[Size] = Reactive(Size(0, 0), layout=False)
    """Moves nothing but the text: without this, every key would lay out the whole screen."""

    def action_done(self) -> None:
        """Keep the filter and go to the list."""
        self.post_message(FilterLine.Left(cleared=False))

    def action_clear(self) -> None:
        """Take the filter away and go to the list."""
        self.value = ""
        self.post_message(FilterLine.Left(cleared=True))


class FilterLine(Horizontal):
    """Shows the filter and how much it leaves; posts what is typed, filters nothing itself."""

    @dataclass
    class Changed(Message):
        """The filter reads differently."""

        text: str

    @dataclass
    class Left(Message):
        """The user is done typing."""

        cleared: bool

    _told = ""
    """The count as it is shown."""
    _room = 0
    """Cells for the count: as many as were needed since the filter was opened."""

    def compose(self) -> ComposeResult:
        """Lay out the slash, the field and the count."""
        yield Static("/", id="find-slash")
        yield FilterInput(
            id="find",
            placeholder="filter",
            restrict=SAFE_TEXT,
            max_length=_LONGEST,
            compact=True,
            select_on_focus=False,
        )
        yield Static(id="find-count")

    @property
    def text(self) -> str:
        """The filter; empty for none."""
        return self.query_one(FilterInput).value

    def open(self) -> None:
        """Let the user type."""
        # At once: the next key is the filter's already, however fast it comes.
        self.screen.set_focus(self.query_one(FilterInput))

    def clear(self) -> None:
        """Take the filter away."""
        self.query_one(FilterInput).value = ""

    def tell(self, shown: int | str | None, unsure: int = 0, *, of: int = 0) -> None:
        """Say how many sessions match; None for no filter.

        Args:
            shown: How many match, or why that cannot be told.
            unsure: Of how many it is not known yet: they have to be read first.
            of: How many there are in all; there is room for these while one types.
        """
        text = shown if isinstance(shown, str) else ""
        if isinstance(shown, int):
            text = formats.plural(shown, "match", "matches")
        if text and unsure:
            text += f" · {unsure:,} not read yet"
        room = cell_len(text)
        if text or self.query_one(FilterInput).has_focus:
            most = cell_len(formats.plural(of, "match", "matches"))
            room = max(room, self._room, most if self.size.width >= _ROOMY else 0)
        if text == self._told and room == self._room:
            return
        count = self.query_one("#find-count", Static)
        if room != self._room:  # That lays out the screen anew, so only where need be.
            self._room, count.styles.width = room, room + _MARGINS
        self._told = text
        count.update(Content(text), layout=False)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.set_class(bool(event.value), "-active")
        self.post_message(self.Changed(event.value))
