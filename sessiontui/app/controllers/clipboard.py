"""Copies to the clipboard: ids, paths, messages, code, the resume command.

The terminal is asked to do it (OSC 52), which works over ssh too; whether it
does, it does not say. All that is copied is safe to paste into a terminal: lines
and tabs stay, control codes do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sessiontui.app import format as formats
from sessiontui.catalog.row_builder import id_from_path
from sessiontui.errors import StorageError
from sessiontui.text import clean, clean_text
from sessiontui.workspace.events import error_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.screen import Screen

    from sessiontui.app.format import Tone
    from sessiontui.app.widgets.transcript.view import TranscriptView
    from sessiontui.catalog.row import Row
    from sessiontui.transcript.entry_text import CodeSnippet

MAX_BYTES: Final = 512 * 1024
"""How much is copied at most; terminals and tmux take no more than about this."""

_CELLS = 40


class ClipboardController:
    """Copies to the clipboard, and says so in one line.

    Args:
        screen: Shows the dialog and has the terminal.
        transcript: Has the entries.
        tell: Shows one line with its tone.
    """

    def __init__(
        self, screen: Screen[None], transcript: TranscriptView, tell: Callable[[str, Tone], None]
    ) -> None:
        self._screen = screen
        self._transcript = transcript
        self._tell = tell
        self._warned = False

    def copy(self, text: str, what: str, *, whole: bool = True) -> None:
        """Copy a text, and tell what it was.

        Args:
            text: As it is stored.
            what: How it is called: `the id`.
            whole: Whether that is all there is of it.
        """
        data = clean_text(text).encode("utf-8", "replace")
        if not data:
            self._tell(f"There is nothing in {what} to copy", "past")
            return
        kept = data[:MAX_BYTES].decode("utf-8", "ignore")
        self._screen.app.copy_to_clipboard(kept)
        told = f"Copied {what}"
        if len(data) > MAX_BYTES or not whole:
            told = f"Copied the first {formats.size(MAX_BYTES)} of {what}"
        elif len(data) > 2000:
            told += f", {formats.size(len(data))}"
        if not self._warned:
            self._warned = True
            told += "   if your terminal allows it (OSC 52)"
        self._tell(told, "plain")

    def copy_ids(self, rows: Sequence[Row]) -> None:
        """Copy the ids of sessions, a line each."""
        ids = [row.id or id_from_path(row.path) for row in rows]
        known = [session_id for session_id in ids if session_id is not None]
        if known:
            self.copy_each(known, "id")
        else:
            self._tell("No id to copy; the path can be copied", "past")

    def copy_each(self, texts: Sequence[str], what: str) -> None:
        """Copy short texts of one line, a line each.

        Args:
            texts: At least one.
            what: How one is called: `id`.
        """
        if len(texts) == 1:
            self.copy(texts[0], f"the {what} {formats.cut_middle(clean(texts[0]), _CELLS)}")
        else:
            lines = "\n".join(clean(text) for text in texts)
            self.copy(lines, formats.plural(len(texts), what))

    async def copy_message(self) -> None:
        """Copy the text of the current entry; of a stored line that line."""
        from sessiontui.transcript.entry_text import entry_text

        document, entry = self._transcript.document, self._transcript.own_entry
        if document is None or entry is None:
            self._tell("No message to copy", "past")
            return
        try:
            text, whole = await entry_text(
                document, *entry, stored=self._transcript.shows_stored, limit=MAX_BYTES
            )
        except StorageError as error:
            self._tell(f"Not copied: {error_reason(error)}", "failed")
            return
        self.copy(text, "this entry", whole=whole)

    async def copy_code(self) -> None:
        """Copy the code in the current entry, asking which where there are several."""
        from sessiontui.transcript.entry_text import entry_code

        document, entry = self._transcript.document, self._transcript.own_entry
        found: list[CodeSnippet] = []
        if document is not None and entry is not None:
            try:
                found = await entry_code(document, *entry)
            except StorageError as error:
                self._tell(f"Not copied: {error_reason(error)}", "failed")
                return
        if not found:
            self._tell("No code in this entry", "past")
            return
        code: CodeSnippet | None = found[0]
        if len(found) > 1:
            from sessiontui.app.screens.code_list import CodeListScreen

            code = await self._screen.app.push_screen_wait(CodeListScreen(found))
        if code is not None:
            lines = formats.plural(code.text.count("\n") + 1, "line")
            self.copy(code.text, f"{lines} of {clean(code.language) or 'code'}")
