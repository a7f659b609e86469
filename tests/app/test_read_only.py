"""The app where nothing may be changed: nothing is offered that would, and a key says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sessiontui.app.actions import ACTIONS
from sessiontui.app.commands import ActionCommands
from sessiontui.app.keymap import CHANGING_ACTIONS as CHANGING
from sessiontui.app.keymap import available_actions
from sessiontui.config import Config
from sessiontui.storage.memory import MemoryBackend
from sessiontui.storage.sync import TOOK_OVER
from tests.app.support import path_of, rows, running, settle, shows, store_with
from tests.contract.flaky import CHANGES, FlakyBackend

if TYPE_CHECKING:
    from sessiontui.sources import Source
    from sessiontui.storage.backend import Backend

READ_ONLY = Config(read_only=True)
CHANGING_ACTIONS = [action for action in ACTIONS if action.changes]


def test_what_changes_sessions_is_marked_as_such() -> None:
    assert {"rename", "delete", "undo"} <= {action.id for action in CHANGING_ACTIONS}
    assert not any(action.run in CHANGING for action in ACTIONS if not action.changes)
    assert [*available_actions()] == [*ACTIONS]
    assert not any(action.changes for action in available_actions(read_only=True))


async def test_the_header_says_so_and_why() -> None:
    async with running(store_with("a"), config=READ_ONLY) as (app, _):
        assert "read-only (as asked)" in rows(app)[0]


async def test_footer_help_and_palette_offer_no_change() -> None:
    async with running(store_with("a"), config=READ_ONLY, size=(160, 50)) as (app, pilot):
        assert " delete" not in rows(app)[-1]
        assert " rename" not in rows(app)[-1]
        assert " filter" in rows(app)[-1]
        await pilot.press("question_mark")
        await pilot.pause()
        assert shows(app, "Filter sessions")
        assert not any(shows(app, action.help) for action in CHANGING_ACTIONS)
        await pilot.press("escape")
        names = {str(hit.text) async for hit in ActionCommands(app.screen).discover()}
        assert any("Filter sessions" in name for name in names)
        assert not any(
            action.help.lower() in name.lower() for name in names for action in CHANGING_ACTIONS
        )


@pytest.mark.parametrize("action", CHANGING_ACTIONS, ids=lambda action: action.id)
async def test_each_key_that_would_change_something_says_why_it_does_not(action: object) -> None:
    store = store_with("a", "b")
    before = {path: held.data for path, held in store.sessions.items()}
    backends: list[FlakyBackend] = []

    def connect(_source: Source, _password: str | None) -> Backend:
        backends.append(FlakyBackend(MemoryBackend(store)))
        return backends[-1]

    found = next(one for one in CHANGING_ACTIONS if one is action)
    async with running(connect=connect, config=READ_ONLY) as (app, pilot):
        if found.context == "transcript":
            await pilot.press("enter")
            await settle(pilot)
        await pilot.press(found.keys[0])
        await pilot.pause()
        assert f"Cannot {found.label}: read-only (as asked)" in rows(app)[-1]
        assert app.screen is app.main
        await app.run_listed(found)
        await pilot.pause()
        assert app.screen is app.main
    assert {path: held.data for path, held in store.sessions.items()} == before
    assert not {called for called, _ in backends[0].calls} & set(CHANGES)


async def test_without_it_the_keys_do_what_they_always_do() -> None:
    async with running(store_with("a"), config=Config()) as (app, pilot):
        assert "read-only" not in rows(app)[0]
        await pilot.press("d")
        await pilot.pause()
        assert shows(app, "Delete")
        assert app.screen is not app.main
        assert app.workspace.row(path_of("a")) is not None


async def test_what_a_failover_lost_is_told_once() -> None:
    loss = f"{TOOK_OVER} and has less of /a: what was written last may be lost"
    async with running(store_with("a")) as (app, pilot):
        storage = app.workspace.storage
        storage._follower.warn([loss])
        await pilot.pause()
        assert "Another server took over and has less of /a" in rows(app)[-1]
        await pilot.press("down")
        storage._follower.warn(["something else"])
        await pilot.pause()
        assert "took over" not in rows(app)[-1]
