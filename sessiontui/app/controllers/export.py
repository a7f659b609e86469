"""Exports sessions: asks what and where, shows progress, tells the result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sessiontui.app import format as formats
from sessiontui.errors import SessionTuiError
from sessiontui.progress import Progress
from sessiontui.text import clean
from sessiontui.workspace.events import error_reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiontui.app.controllers.prompts import Prompts
    from sessiontui.app.screens.export_dialog import ExportRequest
    from sessiontui.workspace.bulk import Outcome
    from sessiontui.workspace.exporter import Export

_FILE_CELLS = 60


class ExportController:
    """Exports sessions; the last choice is offered next.

    Args:
        conversation: Asks and tells.
    """

    def __init__(self, conversation: Prompts) -> None:
        self._conversation = conversation
        self._workspace = conversation.workspace
        self._keys = conversation.keys
        self._tell = conversation.tell
        self._last: ExportRequest | None = None
        self.folder: Path | None = None
        """Where files are offered to be written; None: the folder the program was started in."""

    async def export(self, paths: Sequence[str]) -> None:
        """Write sessions to files where and as the user wants."""
        try:
            with self._conversation.begun():
                await self._export(paths)
        except SessionTuiError as error:
            self._tell(f"Not exported: {error_reason(error)}", "failed")

    async def _export(self, paths: Sequence[str]) -> None:
        from sessiontui.app.screens.export_dialog import ExportDialog
        from sessiontui.workspace.exporter import export_each

        rows = await self._workspace.read_rows(paths)
        if not rows:
            self._tell("Gone: nothing to export", "past")
            return
        wanted = await self._conversation.ask(
            ExportDialog(
                rows,
                about=self._conversation.about([row.path for row in rows]),
                folder=self.folder or Path.cwd(),
                home=self._workspace.home,
                last=self._last,
                enter_key=self._keys.written("enter"),
            )
        )
        if wanted is None:
            return
        self._last, self.folder = wanted, wanted.exports[0].file.parent
        many = len(wanted.exports) > 1
        what = formats.plural(len(rows), "session") if many else formats.size(rows[0].size)
        progress = Progress()
        outcome = await self._conversation.while_shown(
            f"Exporting {what}",
            progress,
            export_each(
                self._workspace,
                wanted.exports,
                wanted.kind,
                wanted.options,
                replace=wanted.replace,
                progress=progress,
            ),
        )
        self._told(outcome.or_error())

    def _told(self, outcome: Outcome[Export]) -> None:
        """Say in one line what was written, and what was not and why."""
        if not outcome.done:
            self._tell("Stopped: nothing was exported", "past")
            return
        first = outcome.done[0].file
        if len(outcome.done) == 1 and not (outcome.left or outcome.failed):
            text = f"Exported to {self._short(first)}"
        else:
            sessions = formats.plural(len(outcome.done), "session")
            text = f"Exported {sessions} to {self._short(first.parent)}"
        if outcome.left:
            text += f", {len(outcome.left):,} left"
        if outcome.failed:
            text += f"; {len(outcome.failed):,} failed: {outcome.failed[0].reason}"
        self._tell(text, "failed" if outcome.failed else "plain")

    def _short(self, place: Path) -> str:
        from sessiontui.catalog.projects import home_relative

        shown = home_relative(str(place), self._workspace.home)
        return formats.cut_middle(clean(shown), _FILE_CELLS)
