"""Agents that run in processes of their own: the app names them, and deletes nothing of theirs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sessiontui.app.screens.delete_dialog import DeleteDialog
from sessiontui.formats.jsonl import encode_entries
from sessiontui.storage.storage import open_backend
from tests.app.support import running, settle, shows
from tests.live import SESSION_ID, agent, register, ticks
from tests.sessions import claude_session
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_session_whose_agent_lives_is_asked_for_by_name_and_others_are_not(
    tmp_path: Path,
) -> None:
    root = tmp_path / ".claude"
    folder = root / "projects" / "-home-me-web"
    folder.mkdir(parents=True)
    names = (SESSION_ID, "7f3c9a52-1d2e-4f60-8a1b-000000000000")
    files = [folder / f"{name}.jsonl" for name in names]
    for file in files:
        file.write_bytes(encode_entries(claude_session()))
        os.utime(file, (1_790_000_000,) * 2)
    with agent() as process:
        register(root, process.pid, procStart=ticks(process.pid))
        async with running(source=str(root / "projects"), connect=open_backend) as (app, pilot):
            await pilot.press("ctrl+a", "d")
            await until(lambda: isinstance(app.screen, DeleteDialog))
            await pilot.pause()
            assert shows(app, f"Claude Code is running it (pid {process.pid})")
            assert shows(app, "Delete the other")
            await pilot.press("y")
            await until(lambda: app.screen is app.main and not app.main.conversation.going_on)
            await settle(pilot)
            assert [file.exists() for file in files] == [True, False]
            await pilot.press("d")
            await until(lambda: isinstance(app.screen, DeleteDialog))
            await pilot.pause()
            assert shows(app, f"Claude Code is running it (pid {process.pid})")
            assert shows(app, "Delete it anyway")
            await pilot.press("enter")
            await until(lambda: app.screen is app.main)
            assert files[0].exists()
            process.kill()
            process.wait()
            await pilot.press("d")
            await until(lambda: isinstance(app.screen, DeleteDialog))
            await pilot.pause()
            assert not shows(app, "Claude Code is running it")
            await pilot.press("y")
            await until(lambda: not files[0].exists())
