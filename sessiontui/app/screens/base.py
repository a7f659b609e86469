"""Base classes of the screens: one takes over the terminal's size alone, one is closed once."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from textual import on
from textual.await_complete import AwaitComplete
from textual.command import CommandList, CommandPalette
from textual.screen import Screen
from textual.widgets import Input, OptionList

if TYPE_CHECKING:
    from textual.events import Resize
    from textual.message import Message

Answer = TypeVar("Answer")


class TerminalSized(Screen[Answer]):
    """A screen that takes over no size but the terminal's own, which is the newest.

    A screen that is laid out in another size tells itself of it. So where two sizes come with
    something between them, each would bring the other one back: for ever, and with no turn for
    anything else.
    """

    async def _on_resize(self, event: Resize) -> None:
        if event.size != self.app.size:
            event.prevent_default()
            event.stop()


class ClosedOnce(TerminalSized[Answer]):
    """A screen that is closed once; comes after Textual's own class, whose style counts.

    Keys and clicks come faster than screens go: a second Enter, Escape beside it, a click
    on what is not shown any more. Only the first is an answer, and none closes what is beneath.
    """

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Go away with an answer, unless that has happened or another screen is above.

        A screen that is only half composed cannot be taken down, so not before.
        """
        if not self.is_active:
            return AwaitComplete()
        if not self.is_mounted:
            self.call_later(self.dismiss, result)
            return AwaitComplete()
        return super().dismiss(result)


class Palette(CommandPalette, ClosedOnce[None]):
    """The command palette: runs one command, once, and pages where there is room for a page."""

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Go away; what is not found by then is not looked for."""
        if self.is_active:
            self.workers.cancel_node(self)
        return super().dismiss(result)

    @on(Input.Changed)
    @on(Input.Submitted)
    @on(OptionList.OptionSelected)
    def _only_once(self, event: Message) -> None:
        if not self.is_active:
            event.prevent_default()
            event.stop()

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).scrollable_content_region or "page" not in action:
            super()._action_command_list(action)
