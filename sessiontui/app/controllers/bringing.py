"""Bringing a session to the folder of its agent, which resumes from nowhere else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from textual.content import Content

from sessiontui.agents.resume import NAMES
from sessiontui.agents.roots import session_roots
from sessiontui.catalogue.projects import home_relative
from sessiontui.errors import SessionExistsError
from sessiontui.models.progress import Progress
from sessiontui.models.source import DirectorySource
from sessiontui.models.text import clean

if TYPE_CHECKING:
    from textual.screen import Screen

    from sessiontui.catalogue.row import Row
    from sessiontui.workspace import Workspace
    from sessiontui.workspace.bulk import Outcome
    from sessiontui.workspace.transfers import Transferred

BROUGHT = ("omp", "pi")
"""The agents that keep sessions in Redis and on disk alike."""


async def bring_to_disk(screen: Screen[None], workspace: Workspace, row: Row) -> str | None:
    """Ask, copy a session to its agent's folder, and return the file; None if the user would not.

    A session that is there already and differs, from being resumed before say, is
    never replaced: the user may take it as it is.

    Args:
        screen: Shows the dialogs.
        workspace: Has the session.
        row: It; its agent is one of `BROUGHT`.

    Raises:
        SessionTuiError: It cannot be copied.
    """
    from sessiontui.app.screens.dialog import Question
    from sessiontui.app.screens.progress import StoppedError, while_shown

    name = NAMES[row.agent]
    home = Path.home()
    root = session_roots(os.environ, home)[BROUGHT.index(row.agent)]
    shown = clean(home_relative(str(root), str(home)))
    question = Question(
        Content("Copy it to disk and resume?"),
        [
            Content(f"{name} resumes only from disk, and this session is in Redis."),
            Content(f"It is copied to {shown}, with its drafts and subagents."),
            Content("What comes is written there alone; the one in Redis stays as it is."),
        ],
        yes="Copy and resume",
        no="Cancel",
    )
    if await screen.app.push_screen_wait(question) is None:
        return None
    try:
        outcome = await while_shown(
            screen.app,
            "Copying to disk",
            progress := Progress(),
            _copied(workspace, row.path, root, progress),
            ascii_only=workspace.config.ascii,
        )
    except StoppedError:
        return None
    except SessionExistsError as error:
        return await _as_it_is(screen, error.path)
    return outcome.done[0].new_path if outcome.done else None


async def _copied(
    workspace: Workspace, path: str, root: Path, progress: Progress
) -> Outcome[Transferred]:
    from sessiontui.workspace.destination import open_destination
    from sessiontui.workspace.transfers import Transfers, Wish

    async with open_destination(
        DirectorySource(root), home=str(Path.home()), origin=workspace.source
    ) as destination:
        # That it may be running was asked before.
        wish = Wish(force=True)
        return (await Transfers(workspace).run([path], destination, wish, progress)).or_error()


async def _as_it_is(screen: Screen[None], path: str | None) -> str | None:
    """Ask whether to go on with what is on disk already."""
    from sessiontui.app.screens.dialog import Question

    question = Question(
        Content("Resume what is on disk?"),
        [
            Content("It was copied there before, and one of the two went on since."),
            Content.styled(clean(path or ""), "$past"),
        ],
        yes="Resume it",
        no="Cancel",
    )
    return path if await screen.app.push_screen_wait(question) is not None else None
