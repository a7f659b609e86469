"""Renaming a session: title and path, unless its agent is running."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiontui.errors import ReadOnlyError, SessionExistsError, SessionHeldError, WrongTypeError
from sessiontui.formats.registry import AGENTS

if TYPE_CHECKING:
    from sessiontui.catalog.row import Row
    from sessiontui.workspace.workspace import Workspace

MAY_SET_AGAIN = "Its agent may set its own title again."
"""What becomes of a title that is given while an agent may hold the session open."""


def no_title(row: Row) -> str | None:
    """Return why a session's title cannot be stored, a sentence, or None where it can.

    It is the same wherever the session is: pi opens it again once it is copied to a folder.
    """
    fmt = AGENTS.get(row.agent)
    if fmt is not None:
        return fmt.no_title(has_slot=row.has_slot)
    if row.read and not row.has_slot:
        return "This is no session that can keep a title; only the path can change."
    return None


async def rename(
    workspace: Workspace, path: str, *, title: str | None, new_path: str | None, insist: bool
) -> None:
    """Rename a session; see `Workspace.rename`."""
    storage, holding = workspace.storage, workspace.holding
    moves = new_path is not None and new_path != path
    with workspace.notes.on(path, "renaming…"):
        if storage.read_only is not None:
            raise ReadOnlyError(storage.read_only, path=path)
        rows = await workspace.read_rows([path])
        reason = workspace.held(path)
        if moves and reason is not None and not insist:
            raise SessionHeldError(path, reason)
        for row in rows if title is not None else ():
            if (refusal := no_title(row)) is not None:
                raise WrongTypeError(refusal, path=path)
        if moves and new_path is not None and storage.exists_sync(new_path):
            raise SessionExistsError(new_path)  # Before the title is changed.
        growth = None if insist else holding.growth(path)
        if title is not None:
            await storage.update_session_title(path, title, allow_rewrite=holding.guard(path))
        if new_path is not None and moves:
            await storage.rename_session_with_artifacts(path, new_path, guard=growth)
