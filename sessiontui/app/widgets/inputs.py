"""A line of text to type into, which takes its keys in the order they were typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import Input

if TYPE_CHECKING:
    from textual import events


class Field(Input):
    """Runs its own bindings itself.

    Textual hands them to the app, whose turn comes later: of keys that arrive together, as over
    a slow link, every letter would overtake the backspace before it.
    """

    async def on_key(self, event: events.Key) -> None:
        """Do what the key means here; what means nothing here goes on to the others."""
        bound = None if event.is_printable else self.screen.active_bindings.get(event.key)
        if bound is None or bound.node is not self:
            return
        if await self.app.run_action(bound.binding.action, self):
            event.stop()
