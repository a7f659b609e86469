"""Resumes a session in its agent: the app is suspended, and back afterwards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace
from textual.app import SuspendNotSupported
from textual.content import Content

from sessiontui.errors import ReadOnlyError, ResumeError, SessionTuiError
from sessiontui.formats.registry import AGENT_NAMES
from sessiontui.formats.resume import (
    command_words,
    find_program,
    resume_command,
    shell_line,
)
from sessiontui.paths import is_folder
from sessiontui.sources import DirectorySource
from sessiontui.text import clean
from sessiontui.workspace.connection import READ_ONLY_REQUESTED
from sessiontui.workspace.events import error_reason

if TYPE_CHECKING:
    from sessiontui.app.controllers.clipboard import ClipboardController
    from sessiontui.app.controllers.prompts import Prompts
    from sessiontui.catalog.row import Row


class ResumeController:
    """Asks what has to be asked, then runs the agent in the terminal.

    Args:
        conversation: Asks and tells; going on while an agent has the terminal.
    """

    def __init__(self, conversation: Prompts) -> None:
        self._conversation = conversation
        self._workspace = conversation.workspace
        self._tell = conversation.tell

    async def resume(self, path: str) -> None:
        """Go on with a session; says why where that cannot be."""
        from sessiontui.app.terminal import run_in_terminal

        try:
            with self._conversation.begun():
                if self._workspace.config.read_only:
                    raise ReadOnlyError(READ_ONLY_REQUESTED)  # The agent would change it.
                row = await self._row(path)
                file = find_program(
                    command_words(row.agent, self._workspace.config.resume), _search()
                )
                cwd = await self._folder(row)
                if cwd is None or not await self._may_take(row):
                    return
                command = await self._brought(row)
                if command is None:
                    return
                problem = await run_in_terminal(
                    self._conversation.screen.app, [file, *command[1:]], cwd=cwd, linger=True
                )
        except SuspendNotSupported:
            self._tell("Not resumed: the app cannot give up its terminal here", "failed")
        except SessionTuiError as error:
            self._tell(f"Not resumed: {error_reason(error)}", "failed")
        else:
            name = AGENT_NAMES.get(row.agent, "the agent")
            if problem:
                self._tell(problem, "failed")
            else:
                self._tell(f"Back from {name}", "past")

    async def copy_line(self, path: str, copying: ClipboardController) -> None:
        """Copy the command that resumes a session, as one line for a shell."""
        try:
            row = await self._row(path)
            line = shell_line(self._command(row), row.cwd)
        except SessionTuiError as error:
            self._tell(f"Not copied: {error_reason(error)}", "failed")
        else:
            copying.copy(line, "the command that resumes it")

    async def _row(self, path: str) -> Row:
        rows = await self._workspace.read_rows([path])
        if not rows:
            raise ResumeError("the session is gone")
        return rows[0]

    async def _brought(self, row: Row) -> tuple[str, ...] | None:
        """Return the command; brings a session to disk first whose agent wants that."""
        from sessiontui.app.controllers.copy_to_disk import COPIED, copy_to_disk

        agent_reads = self._on_disk or row.agent in self._workspace.config.resume
        if agent_reads or row.agent not in COPIED:
            return self._command(row)
        path = await copy_to_disk(self._conversation, row)
        return None if path is None else self._command(replace(row, path=path), on_disk=True)

    @property
    def _on_disk(self) -> bool:
        return isinstance(self._workspace.source, DirectorySource)

    def _command(self, row: Row, *, on_disk: bool | None = None) -> tuple[str, ...]:
        return resume_command(
            row.agent,
            self._workspace.config.resume,
            session_id=row.id,
            path=row.path,
            cwd=row.cwd,
            on_disk=self._on_disk if on_disk is None else on_disk,
        )

    async def _folder(self, row: Row) -> str | None:
        """Return where to run the agent; asks where the session's own folder is gone."""
        from sessiontui.app.screens.dialog import Question

        if self._conversation.screen.app.is_headless or self._conversation.screen.app.is_web:
            raise ResumeError("an agent needs a terminal")
        cwd = row.cwd or ""
        if cwd.startswith("/") and is_folder(cwd):
            return cwd
        here = str(Path.cwd())
        gone = f"No such folder: {clean(cwd)}" if cwd else "The session does not record its folder."
        question = Question(
            Content("Resume in another folder?"),
            [Content(gone), Content(f"The agent would work in {clean(here)}")],
            yes="Resume here",
            no="Cancel",
        )
        return here if await self._conversation.ask(question) else None

    async def _may_take(self, row: Row) -> bool:
        """Return whether to go on; asks where another agent may have the session open."""
        from sessiontui.app.format import as_sentence
        from sessiontui.app.screens.dialog import Question

        held = self._workspace.held(row.path)
        if held is None:
            return True
        question = Question(
            Content("Resume a running session?"),
            [
                Content(as_sentence(held)),
                Content.styled(
                    "Two agents in one session overwrite each other's work.", "$attention"
                ),
            ],
            yes="Resume anyway",
            no="Keep",
        )
        return await self._conversation.ask(question) is not None


def _search() -> str | None:
    return os.environ.get("PATH")
