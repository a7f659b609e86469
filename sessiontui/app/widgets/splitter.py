"""The splitter between the panes, and the rules over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from sessiontui.app import format as formats

if TYPE_CHECKING:
    from textual import events


class Splitter(Widget):
    """The upright rule; dragging it moves it, changing nothing else."""

    ascii_only: reactive[bool] = reactive(False)
    _dragging = False

    @dataclass
    class Moved(Message):
        """The user dragged the rule."""

        splitter: Splitter
        column: int
        """Where on the screen it should stand, in cells from the left."""

        @property
        def control(self) -> Splitter:
            """The splitter, for selectors."""
            return self.splitter

    def render(self) -> Content:
        """Return the rule."""
        return Content("\n".join(["|" if self.ascii_only else "│"] * max(1, self.size.height)))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of the rule."""
        self._dragging = True
        self.add_class("-dragged")
        self.capture_mouse()
        event.stop()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Let go of it."""
        if self._dragging:
            self._dragging = False
            self.remove_class("-dragged")
            self.release_mouse()
            event.stop()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Move it along."""
        if self._dragging:
            self.post_message(self.Moved(self, event.screen_x))
            event.stop()


class PaneRule(Widget):
    """A level rule across both panes, brighter over the one with the focus, with a short text."""

    joint: reactive[int | None] = reactive[int | None](None)
    """Column of the upright rule that meets it, or None."""
    opens_down: bool = True
    """Whether the upright rule is below it."""
    bright: reactive[tuple[int, int]] = reactive((0, 0))
    """Columns `[start, stop)` of the focused pane."""
    text: reactive[Content] = reactive(Content)
    """Stands near the right end of the rule."""
    ascii_only: reactive[bool] = reactive(False)

    def render(self) -> Content:
        """Return the rule with its joint and its text."""
        width = self.size.width
        line, down, up = "-++" if self.ascii_only else "─┬┴"
        row = [line] * width
        if self.joint is not None and 0 <= self.joint < width:
            row[self.joint] = down if self.opens_down else up
        start, stop = self.bright
        rule = Content("".join(row)).stylize("$rule")
        if start < stop:
            rule = rule.stylize("$rule-focused", start, stop)
        if not self.text or self.text.cell_length + 4 > width:
            return rule
        at = width - self.text.cell_length - 4
        return rule[:at] + Content(" ") + self.text + Content(" ") + rule[width - 2 :]


def follow_note(key: str, *, following: bool, new_lines: int) -> Content:
    """Return what the rule tells of a transcript's end.

    Args:
        key: Key that goes to the end and follows.
        following: Whether the view stays at the end.
        new_lines: How many lines came since it does not.
    """
    if following:
        return Content.styled("following", "$live")
    if not new_lines:
        return Content.styled(f"{key} follows", "$past")
    lines = formats.plural(new_lines, "new line")
    return Content.styled(f"+{lines}   {key} follows", "$attention")
