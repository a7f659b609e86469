"""The least that Textual can show: the floor under what our first whole frame costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App
from textual.widgets import Static

if TYPE_CHECKING:
    from textual.app import ComposeResult


class _Empty(App[None]):
    def compose(self) -> ComposeResult:
        yield Static("sessiontui find")


if __name__ == "__main__":
    _Empty().run()
