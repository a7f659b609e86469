"""A field to type into, and a list to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding
from textual.widgets import Input, OptionList

if TYPE_CHECKING:
    from textual import events
    from textual.binding import BindingType


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

    def on_resize(self) -> None:
        """Keep the cursor in view: what is typed is often what takes the room away."""
        self._show_cursor()

    @on(Input.Changed)
    def _changed(self) -> None:
        # Textual scrolls by a distance, and later: after two changes at once the end is cut off.
        self.call_after_refresh(self._show_cursor)

    def _show_cursor(self) -> None:
        width, scrolled = self.scrollable_content_region.width, self.scroll_offset.x
        cursor = self.cursor_screen_offset.x - self.content_region.x + scrolled
        shown = min(max(scrolled, cursor - width + 1), cursor)
        if width and shown != scrolled:
            self.scroll_to(x=shown, animate=False, force=True, immediate=True)


class Paged(OptionList):
    """Textual's list, which knows no page where there is no room for one."""

    def action_page_up(self) -> None:
        """Move one page up."""
        if self.scrollable_content_region:
            super().action_page_up()  # type: ignore[no-untyped-call]

    def action_page_down(self) -> None:
        """Move one page down."""
        if self.scrollable_content_region:
            super().action_page_down()  # type: ignore[no-untyped-call]


class Choices(Paged):
    """A list in which the letters move that move in every other list of the app."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
        Binding("g", "first", show=False),
        Binding("G", "last", show=False),
    ]
