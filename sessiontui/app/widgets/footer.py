"""The footer: the keys of the focused pane, or a message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from sessiontui.app.actions import Action, FooterPlace, KeyContext
from sessiontui.app.keymap import Keymap, footer_actions
from sessiontui.app.timers import call_later
from sessiontui.text import clean

if TYPE_CHECKING:
    from asyncio import TimerHandle

    from textual import events

    from sessiontui.app.format import Tone

_GAP, _NARROW_GAP = "   ", "  "
_NARROW = 80
"""Up to so many columns the keys stand closer."""
_ALWAYS = ("help", "quit")
_SHOWN_S = 8.0
"""Seconds a note that asks for nothing stays; failures stay until the next key."""


@dataclass(frozen=True, slots=True)
class FooterMessage:
    """One line about what just happened."""

    text: str
    tone: Tone = "plain"


class Footer(Widget):
    """Offers the keys of the focused pane, as many as fit; a click runs one."""

    context: reactive[KeyContext] = reactive[KeyContext]("list")
    alone: reactive[bool] = reactive(False)
    """Whether there is nothing to do anything with: then only help and quit are offered."""
    read_only: reactive[bool] = reactive(False)
    """Whether nothing may be changed: then nothing is offered that would."""
    hints: reactive[tuple[tuple[str, str], ...]] = reactive(())
    """Keys with their labels, offered instead of actions while these are characters."""
    marked: reactive[str] = reactive("")
    """How much is marked, told before the keys; what they do is about that."""
    finding: reactive[bool] = reactive(False)
    """Whether something was found in the transcript: then the ways between hits come first."""
    covered: reactive[bool] = reactive(False)
    """Whether a dialog stands over the screen: its keys are not these."""
    note: reactive[FooterMessage | None] = reactive[FooterMessage | None](None)

    @dataclass
    class Chosen(Message):
        """The user clicked what a key does."""

        footer: Footer
        action: Action

        @property
        def control(self) -> Footer:
            """The footer, for selectors."""
            return self.footer

    def __init__(self, keys: Keymap) -> None:
        super().__init__(id="footer")
        self.keys = keys
        self._places: list[tuple[int, int, Action]] = []
        self._timer: TimerHandle | None = None

    def render(self) -> Content:
        """Return the note, or the keys that fit."""
        width = self.size.width - 2
        if self.note is not None:
            self._places = []
            tone = self.note.tone
            style = "" if tone == "plain" else f"${tone}"
            line = Content.styled(clean(self.note.text), style)
            return Content(" ") + line.truncate(width, ellipsis=True)
        if self.covered:
            self._places = []
            return Content()
        if self.hints:
            self._places = []
            hints = [
                Content.assemble(self.keys.written(key), (f" {label}", "$past"))
                for key, label in self.hints
            ]
            return Content(" ") + Content(self._gap).join(hints).truncate(width, ellipsis=True)
        pieces, self._places = self._laid_out(width)
        return Content.assemble(" ", *pieces)

    @property
    def _gap(self) -> str:
        return _NARROW_GAP if self.size.width <= _NARROW else _GAP

    def _laid_out(self, width: int) -> tuple[list[tuple[str, str]], list[tuple[int, int, Action]]]:
        """Return the keys as pieces of text, and from where to where each one can be clicked."""
        pieces: list[tuple[str, str]] = []
        places: list[tuple[int, int, Action]] = []
        offset = 1
        if self.marked:
            pieces += [(self.marked, "$attention"), (self._gap, "")]
            offset += len(self.marked) + len(self._gap)
        for action in self._offered(width + 1 - offset):
            key, label = self.keys.first(action.id), action.label
            pieces += [(key, "$foreground"), (f" {label}", "$past"), (self._gap, "")]
            end = offset + len(key) + 1 + len(label)
            places.append((offset, end, action))
            offset = end + len(self._gap)
        return pieces, places

    def _offered(self, width: int) -> list[Action]:
        """Return what to offer: `quit` and `help` always, then the most wanted that fits."""
        place: FooterPlace = "marked" if self.marked else "list"
        if self.context == "transcript":
            place = "found" if self.finding else "transcript"
        wanted = [
            action
            for action in footer_actions(place, read_only=self.read_only)
            if action.id in _ALWAYS or not self.alone
        ]
        left = width
        kept: set[str] = set()
        for action in sorted(wanted, key=lambda action: action.id not in _ALWAYS):
            cells = len(self.keys.first(action.id)) + 1 + len(action.label) + len(self._gap)
            if cells > left + len(self._gap):
                break
            left -= cells
            kept.add(action.id)
        return [action for action in wanted if action.id in kept]

    def watch_note(self, note: FooterMessage | None) -> None:
        """Let a note go by itself, unless it tells a failure."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if note is not None and note.tone != "failed":
            self._timer = call_later(self, _SHOWN_S, self.clear_note)

    def clear_note(self) -> None:
        """Show the keys again."""
        self.note = None

    def on_click(self, event: events.Click) -> None:
        """Run what was clicked."""
        if self.note is not None:
            self.clear_note()
            return
        for start, end, action in self._places:
            if start <= event.x < end:
                self.post_message(self.Chosen(self, action))
