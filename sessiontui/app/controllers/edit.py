"""Rename, delete, undo and reload sessions: asks first, tells the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiontui.app import format as formats
from sessiontui.app.controllers.prompts import quote_title
from sessiontui.errors import SessionTuiError
from sessiontui.progress import Progress
from sessiontui.workspace.events import error_reason, told_once
from sessiontui.workspace.rename import no_title

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sessiontui.app.controllers.prompts import Prompts
    from sessiontui.storage.backend import TrashItem
    from sessiontui.workspace import DeletePlan, Outcome, Update

SPLIT_WARNING = "Its agent would keep writing to the old path and split the session in two."
"""What happens to an agent whose session is moved."""
_AGAIN = "; an agent wrote to the old path meanwhile: its version is kept there"
"""Ends what is said of a session that was taken from an agent at work."""


class EditController:
    """Rename, delete, undo and reload, from the key to the message.

    Every method is a coroutine for a worker of the screen; dialogs are waited
    for. A failure leaves the row as it was and is told in one line.

    Args:
        conversation: Asks and tells.
    """

    def __init__(self, conversation: Prompts) -> None:
        self._conversation = conversation
        self._workspace = conversation.workspace
        self._keys = conversation.keys
        self._tell = conversation.tell
        self._deleted: dict[str, str] = {}
        """What the sessions of the last deletion were called, by path."""

    def has_deleted(self, path: str) -> bool:
        """Tell whether the user's last deletion took a session."""
        return path in self._deleted

    async def rename(self, path: str) -> None:
        """Ask for a new title and path, and change what was changed."""
        from sessiontui.app.screens.rename_dialog import RenameDialog

        row = self._workspace.row(path)
        if row is None:
            return
        dialog = RenameDialog(
            row,
            held=self._workspace.held(path),
            untitled=no_title(row),
            taken=lambda new: new in self._workspace.catalog.rows,
            unit=self._conversation.unit,
            enter_key=self._keys.written("enter"),
        )
        with self._conversation.begun():
            wanted = await self._conversation.ask(dialog)
        if wanted is None:
            return
        reason = self._workspace.held(path)
        if wanted.path is not None and reason is not None and dialog.held is None:
            with self._conversation.begun():
                if not await self._move_anyway(reason):
                    return
        try:
            await self._workspace.rename(
                path, title=wanted.title, new_path=wanted.path, insist=reason is not None
            )
        except SessionTuiError as error:
            self._tell(f"Not renamed: {error_reason(error)}", "failed")
        else:
            name = self._conversation.name(wanted.path or path)
            text = f"Renamed {quote_title(wanted.title) if wanted.title else name}"
            again = wanted.path is not None and await self._workspace.written_again([path])
            self._tell(text + _AGAIN if again else text, "failed" if again else "plain")

    async def _move_anyway(self, reason: str) -> bool:
        """Ask again about a session that an agent took up while its new path was typed."""
        from textual.content import Content

        from sessiontui.app.format import as_sentence
        from sessiontui.app.screens.dialog import Question

        question = Question(
            Content("Move it anyway?"),
            [Content(f"{as_sentence(reason)} {SPLIT_WARNING}")],
            yes="Move it anyway",
            no="Cancel",
        )
        return await self._conversation.ask(question) is not None

    async def delete(self, paths: Sequence[str]) -> None:
        """Say what a deletion takes, and carry it out if the user still wants it."""
        from sessiontui.app.screens.progress_dialog import StoppedError

        progress = Progress()
        try:
            with self._conversation.begun():
                plan = await self._agreed(await self._planned(paths))
                if plan is None or not plan.paths:
                    return
                self._deleted = {path: self._conversation.name(path) for path in plan.paths}
                outcome = await self._conversation.while_shown(
                    f"Deleting {formats.plural(len(plan.paths), 'session')}",
                    progress,
                    self._workspace.delete(plan, progress),
                )
        except StoppedError:
            return
        except SessionTuiError as error:
            self._tell(f"Not deleted: {error_reason(error)}", "failed")
            return
        again = await self._workspace.written_again([item.path for item in outcome.done])
        key = self._keys.first("undo")
        hint = _AGAIN if again else f"   {key} to undo"
        self._tell_outcome("Deleted", outcome, self._deleted, hint, warn=bool(again))

    async def _planned(self, paths: Sequence[str]) -> DeletePlan:
        return await self._conversation.while_shown(
            f"Looking up files of {formats.plural(len(paths), 'session')}",
            Progress(),
            self._workspace.plan_delete(paths),
        )

    def _tell_outcome(
        self,
        done: str,
        outcome: Outcome[TrashItem],
        names: Mapping[str, str],
        hint: str = "",
        *,
        warn: bool = False,
    ) -> None:
        """Say in one line what was done to how many, and what was not and why."""
        paths = [item.path for item in outcome.done]
        what = formats.plural(len(paths), "session")
        if len(paths) == 1:
            what = names.get(paths[0]) or self._conversation.name(paths[0])
        text = f"{done} {what}"
        if outcome.left:
            text += f", {len(outcome.left):,} left"
        if outcome.failed:
            first = outcome.failed[0]
            name = names.get(first.path) or self._conversation.name(first.path)
            text += f"; {len(outcome.failed):,} failed: {told_once(name, first.error)}"
        told = text + hint if paths else text
        self._tell(told, "failed" if outcome.failed or warn else "plain")

    async def _agreed(self, plan: DeletePlan) -> DeletePlan | None:
        """Return what the user agreed to; asks again if an agent took up one meanwhile."""
        from sessiontui.app.screens.delete_dialog import DeleteDialog

        known: set[str] = set()
        while True:
            agreed = await self._conversation.ask(
                DeleteDialog(
                    plan,
                    self._conversation.title(plan.paths[0]),
                    about=self._conversation.about(plan.paths),
                    unit=self._conversation.unit,
                    days=self._workspace.config.retention_days,
                    undo_key=self._keys.first("undo"),
                )
            )
            if agreed is None:
                return None
            known |= {item.path for item in plan.held}
            if all(path in known or not self._workspace.held(path) for path in agreed.paths):
                return agreed
            plan = await self._planned(agreed.paths)

    async def undo(self) -> str | None:
        """Undo the last deletion; return the first session that is there again."""
        from sessiontui.app.screens.progress_dialog import StoppedError

        progress = Progress()
        try:
            with self._conversation.begun():
                outcome = await self._conversation.while_shown(
                    "Undoing the deletion", progress, self._workspace.undo(progress)
                )
        except StoppedError:
            return None
        except SessionTuiError as error:
            self._tell(f"Not restored: {error_reason(error)}", "failed")
            return None
        if not outcome.done and not outcome.left:
            self._tell("Nothing to undo", "past")
        else:
            self._tell_outcome("Restored", outcome, self._deleted)
        self._deleted = {}
        return outcome.done[0].path if outcome.done else None

    async def refresh(self) -> None:
        """Compare the whole source with what is shown."""
        try:
            await self._workspace.refresh()
        except SessionTuiError as error:
            self._tell(f"Not refreshed: {error_reason(error)}", "failed")
        else:
            sessions = formats.plural(self._workspace.state.sessions, "session")
            self._tell(f"Refreshed: {sessions}", "past")

    async def may_leave(self) -> bool:
        """Return whether to quit; asks while writes are pending, and only for so long."""
        from sessiontui.app.screens.quit_dialog import QuitDialog

        workspace = self._workspace
        writes = workspace.storage.pending_writes if workspace.state.pending else ()
        if not writes:
            return True
        reason = workspace.storage.last_error
        question = QuitDialog(
            writes,
            reason="" if reason is None else error_reason(reason),
            patience_s=workspace.patience_s,
        )

        def told(_update: Update) -> None:
            if not self._workspace.state.pending:
                question.call_later(question.withdraw)

        remove = self._workspace.listen(told)
        try:
            answer = await self._conversation.ask(question)
        finally:
            remove()
        if answer == "now":
            workspace.patience_s = 0.0
        return answer is not None
