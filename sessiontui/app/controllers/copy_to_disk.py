"""Copies a session from Redis to the agent's folder on disk, to resume it there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from textual.content import Content

from sessiontui.catalog.projects import home_relative
from sessiontui.errors import SessionExistsError
from sessiontui.formats.registry import AGENTS
from sessiontui.progress import Progress
from sessiontui.sources import DirectorySource
from sessiontui.text import clean

if TYPE_CHECKING:
    from sessiontui.app.controllers.prompts import Prompts
    from sessiontui.catalog.row import Row
    from sessiontui.workspace import Workspace
    from sessiontui.workspace.bulk import Outcome
    from sessiontui.workspace.transfer import TransferResult

COPIED = tuple(agent for agent, fmt in AGENTS.items() if fmt.is_tree)
"""The agents that keep sessions in Redis and on disk alike."""


async def copy_to_disk(conversation: Prompts, row: Row) -> str | None:
    """Ask, copy a session to its agent's folder, and return the file; None if the user would not.

    A session that is there already and differs, from being resumed before say, is
    never replaced: the user may take it as it is.

    Args:
        conversation: Asks and tells.
        row: The session; its agent is one of `COPIED`.

    Raises:
        SessionTuiError: It cannot be copied.
    """
    from sessiontui.app.screens.dialog import Question
    from sessiontui.app.screens.progress_dialog import StoppedError

    name = AGENTS[row.agent].name
    home = Path.home()
    root = AGENTS[row.agent].roots(os.environ, home)[0]
    shown = clean(home_relative(str(root), str(home)))
    question = Question(
        Content("Copy it to disk and resume?"),
        [
            Content(f"{name} resumes only from disk, and this session is in Redis."),
            Content(f"It is copied to {shown}, with its drafts and subagents."),
            Content("New entries go to the copy only; the session in Redis stays unchanged."),
        ],
        yes="Copy and resume",
        no="Cancel",
    )
    if await conversation.ask(question) is None:
        return None
    try:
        outcome = await conversation.while_shown(
            "Copying to disk",
            progress := Progress(),
            _copied(conversation.workspace, row.path, root, progress),
        )
    except StoppedError:
        return None
    except SessionExistsError as error:
        return await _as_it_is(conversation, error.path)
    return outcome.done[0].new_path if outcome.done else None


async def _copied(
    workspace: Workspace, path: str, root: Path, progress: Progress
) -> Outcome[TransferResult]:
    from sessiontui.workspace.transfer import TransferOptions, Transfers, open_destination

    async with open_destination(
        DirectorySource(root), home=str(Path.home()), origin=workspace.source
    ) as destination:
        # That it may be running was asked before.
        wish = TransferOptions(force=True)
        return (await Transfers(workspace).run([path], destination, wish, progress)).or_error()


async def _as_it_is(conversation: Prompts, path: str | None) -> str | None:
    """Ask whether to go on with what is on disk already."""
    from sessiontui.app.screens.dialog import Question

    question = Question(
        Content("Resume what is on disk?"),
        [
            Content("It was copied there before, and one of the two has changed since."),
            Content.styled(clean(path or ""), "$past"),
        ],
        yes="Resume it",
        no="Cancel",
    )
    return path if await conversation.ask(question) is not None else None
