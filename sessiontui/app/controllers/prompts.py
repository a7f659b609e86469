"""Prompts: what controllers share to ask by dialogs and to show messages."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sessiontui.app import format as formats
from sessiontui.catalog.sorting import shown_title
from sessiontui.sources import DirectorySource
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from textual.screen import Screen

    from sessiontui.app.format import Tone
    from sessiontui.app.keymap import Keymap
    from sessiontui.progress import Progress
    from sessiontui.workspace import Workspace

Answer = TypeVar("Answer")
Result = TypeVar("Result")

_NAME_CELLS: Final = 40
_FILTER_CELLS: Final = 60
_MANY: Final = 2
_NAMED: Final = 3
"""So many of many are named in a question."""


class Prompts:
    """Dialogs and messages of the main screen, one action at a time.

    Args:
        screen: Shows the dialogs.
        workspace: Has the sessions that are spoken of.
        keys: Names the keys in what is told.
        tell: Shows one line with its tone.
    """

    def __init__(
        self,
        screen: Screen[None],
        workspace: Workspace,
        keys: Keymap,
        tell: Callable[[str, Tone], None],
    ) -> None:
        self.screen = screen
        self.workspace = workspace
        self.keys = keys
        self.tell = tell
        self.going_on = False
        """Whether a dialog is open or about to be; nothing else is begun meanwhile."""

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Speak of one thing until this is left."""
        self.going_on = True
        try:
            yield
        finally:
            self.going_on = False

    async def ask(self, dialog: Screen[Answer]) -> Answer | None:
        """Show a dialog and return its answer; None if it was left without one."""
        answer: Answer | None = await self.screen.app.push_screen_wait(dialog)
        return answer

    async def while_shown(
        self, title: str, progress: Progress, work: Coroutine[Any, Any, Result]
    ) -> Result:
        """Do something of many parts and show how far it is.

        Raises:
            StoppedError: The user ended it before anything was done.
        """
        from sessiontui.app.screens.progress_dialog import while_shown

        ascii_only = self.workspace.config.ascii
        return await while_shown(self.screen.app, title, progress, work, ascii_only=ascii_only)

    @property
    def unit(self) -> str:
        """What a session is stored as: `file` or `key`."""
        return "file" if isinstance(self.workspace.source, DirectorySource) else "key"

    def title(self, path: str) -> str:
        """Return what a session is called as a whole, which is not safe yet; else its path."""
        row = self.workspace.row(path)
        return path if row is None else shown_title(row)

    def about(self, paths: Sequence[str]) -> str:
        """Return which sessions a question is about where it counts them, safe to show.

        That is how they were chosen, if by a filter alone, and what the first are called.
        """
        if len(paths) < _MANY:
            return ""
        names = ", ".join(self.name(path) for path in paths[:_NAMED])
        more = len(paths) - _NAMED
        text = f"{names} and {more:,} more" if more > 0 else names
        marks = self.workspace.catalog.marks
        if marks.asked is None or not all(path in marks for path in paths):
            return text
        asked = formats.cut_end(clean(marks.asked), _FILTER_CELLS)
        return f"{f'Filter: {asked}' if asked else 'No filter'}\n{text}"

    def name(self, path: str) -> str:
        """Return a session's title in quotes, or its path; safe to show."""
        row = self.workspace.row(path)
        if row is not None:
            return quote_title(shown_title(row))
        return formats.cut_middle(clean(path), _NAME_CELLS)


def quote_title(title: str) -> str:
    """Return a title as a line tells it: cut, safe and in quotes."""
    return f"“{formats.cut_end(clean(title), _NAME_CELLS)}”"
