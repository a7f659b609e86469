"""Rename, delete, undo: the dialogs and what they lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual.widgets import Button, Input, Static

from sessiontui.app.screens.delete_dialog import DeleteDialog
from sessiontui.app.screens.dialog import Question
from sessiontui.app.screens.quit_dialog import QuitDialog
from sessiontui.app.screens.rename_dialog import NO_TITLE_SLOT, RenameDialog
from sessiontui.errors import SessionExistsError
from sessiontui.formats.jsonl import encode_entries
from sessiontui.formats.title_slot import parse_slot
from sessiontui.storage.memory import MemoryBackend, MemoryStore
from sessiontui.storage.storage import open_backend
from sessiontui.storage.write_queue import PendingWrite
from tests.app.support import (
    HOUR_MS,
    NOW_MS,
    app_of,
    path_of,
    running,
    session,
    settle,
    shows,
    store_with,
)
from tests.sessions import claude_session
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from textual.pilot import Pilot

    from sessiontui.sources import Source
    from sessiontui.storage.backend import Backend


async def dialog(pilot: Pilot[None], key: str) -> None:
    """Press a key and wait for its dialog."""
    app = app_of(pilot)
    await pilot.press(key)
    await until(lambda: app.screen is not app.main)
    await pilot.pause()


async def closed(pilot: Pilot[None]) -> None:
    app = app_of(pilot)
    await until(lambda: app.screen is app.main)


def connect(source: Source, password: str | None) -> Backend:
    return open_backend(source, password=password)


def snapshot(store: MemoryStore) -> dict[str, tuple[bytes, int | None, bytes | None]]:
    return {
        path: (bytes(held.data), held.mtime_ms, held.title) for path, held in store.sessions.items()
    }


async def test_a_new_title_is_written_and_shown() -> None:
    store = store_with("alpha", "beta")
    async with running(store) as (app, pilot):
        await dialog(pilot, "r")
        assert isinstance(app.screen, RenameDialog)
        await pilot.press(*"Better", "enter")
        await closed(pilot)
        await settle(pilot)
        assert shows(app, "Renamed “Better”")
        slot = parse_slot(store.data(path_of("alpha")) or b"")
        assert slot is not None
        assert (slot.title, slot.source) == ("Better", "user")
        row = app.workspace.row(path_of("alpha"))
        assert row is not None
        assert row.title == "Better"


async def test_a_new_path_moves_the_session_and_its_draft() -> None:
    store = store_with("alpha")
    draft = path_of("alpha").removesuffix(".jsonl") + "/draft.txt"
    store.write(draft, b"unsent", mtime_ms=NOW_MS - 1)
    async with running(store) as (app, pilot):
        await dialog(pilot, "r")
        await pilot.press("tab", "end", *["backspace"] * len("alpha.jsonl"), *"moved.jsonl")
        await pilot.pause()
        assert shows(app, "The key moves, with its drafts.")
        await pilot.press("enter")
        await closed(pilot)
        await settle(pilot)
        moved = path_of("moved")
        assert sorted(store.sessions) == [moved, moved.removesuffix(".jsonl") + "/draft.txt"]
        assert app.main.sessions.highlighted == moved
        assert app.main.reading.path == moved


async def test_the_rename_dialog_objects_while_one_types() -> None:
    async with running(store_with("alpha", "beta")) as (app, pilot):
        await dialog(pilot, "r")
        button = app.screen.query_one("#rename", Button)
        field = app.screen.query_one("#path", Input)
        assert button.disabled
        for path, objection in (
            ("/-code-api/no-suffix", "A session's path ends in .jsonl."),
            ("/-code-api/../x.jsonl", "Not the path of a session."),
            ("/-code-api/.jsonl", "Not the path of a session."),
            (path_of("beta"), "Another session has this path."),
        ):
            field.value = path
            await pilot.pause()
            assert shows(app, objection)
            assert button.disabled
            await pilot.press("enter")
            assert isinstance(app.screen, RenameDialog)
        await pilot.press("escape")
        await closed(pilot)


async def test_escape_in_the_rename_dialog_changes_nothing() -> None:
    store = store_with("alpha")
    before = snapshot(store)
    async with running(store) as (_app, pilot):
        await dialog(pilot, "r")
        await pilot.press(*"Something else", "escape")
        await closed(pilot)
        await settle(pilot)
        assert snapshot(store) == before


async def test_a_second_enter_typed_before_the_dialog_is_gone_does_nothing() -> None:
    async with running(store_with("alpha")) as (app, pilot):
        await dialog(pilot, "r")
        await pilot.press(*"new")
        open_dialog = app.screen
        assert isinstance(open_dialog, RenameDialog)
        open_dialog.choose("rename")
        open_dialog.choose("rename")
        await closed(pilot)
        await settle(pilot)
        assert app.is_running


async def test_a_path_that_an_agent_may_hold_is_asked_for_twice() -> None:
    store = store_with("alpha")
    store.append(path_of("alpha"), b"{}\n", mtime_ms=NOW_MS - 12_000)
    async with running(store) as (app, pilot):
        await dialog(pilot, "r")
        field = app.screen.query_one("#path", Input)
        field.value = path_of("moved")
        await pilot.pause()
        assert shows(app, "grew 12 s ago")
        assert shows(app, "in two")
        field.focus()
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, RenameDialog)
        assert shows(app, "Move it anyway")
        await pilot.press("enter")
        await closed(pilot)
        await settle(pilot)
        assert list(store.sessions) == [path_of("moved")]


async def test_deleting_keeps_by_default() -> None:
    store = store_with("alpha", "beta")
    before = snapshot(store)
    async with running(store) as (app, pilot):
        for answer in ("enter", "escape", "n"):
            await dialog(pilot, "d")
            assert isinstance(app.screen, DeleteDialog)
            assert app.focused is app.screen.query_one("#keep")
            await pilot.press(answer)
            await closed(pilot)
            await settle(pilot)
            assert snapshot(store) == before


async def test_the_delete_dialog_tells_exactly_what_goes() -> None:
    store = store_with("alpha", "beta")
    draft = path_of("alpha").removesuffix(".jsonl") + "/draft.txt"
    store.write(draft, b"x" * 20_000, mtime_ms=NOW_MS - 1)
    store.write(path_of("alpha"), session("Long one", "x" * 400_000), mtime_ms=NOW_MS - 5_000_000)
    total = len(store.data(path_of("alpha")) or b"") + 20_000
    async with running(store) as (app, pilot):
        await dialog(pilot, "d")
        assert shows(app, "Delete “Long one”?")
        assert 800_000 < total < 830_000
        assert shows(app, f"2 keys, {round(total / 1000)} KB, with its draft.")
        assert shows(app, "Kept in the trash for 30 days; u to undo.")


async def test_delete_and_undo_restore_every_byte() -> None:
    store = store_with("alpha", "beta")
    draft = path_of("alpha").removesuffix(".jsonl") + "/draft.txt"
    store.write(draft, b"unsent", mtime_ms=NOW_MS - 7)
    store.retitle(path_of("alpha"), b'{"title":"T","updatedAt":"x"}', mtime_ms=NOW_MS - 9)
    before = snapshot(store)
    async with running(store) as (app, pilot):
        await dialog(pilot, "d")
        await pilot.press("y")
        await closed(pilot)
        await until(lambda: app.workspace.row(path_of("alpha")) is None)
        await settle(pilot)
        assert list(store.sessions) == [path_of("beta")]
        assert shows(app, "u to undo")
        assert app.main.sessions.highlighted == path_of("beta")
        await pilot.press("u")
        await until(lambda: app.workspace.row(path_of("alpha")))
        await settle(pilot)
        assert snapshot(store) == before
        assert shows(app, "Restored “T”")
        assert app.main.sessions.highlighted == path_of("alpha")
        await pilot.press("u")
        await until(lambda: shows(app, "Nothing to undo"))


async def test_a_session_in_use_is_deleted_only_after_plain_words() -> None:
    store = store_with("alpha")
    store.append(path_of("alpha"), b"{}\n", mtime_ms=NOW_MS - 12_000)
    async with running(store) as (app, pilot):
        await dialog(pilot, "d")
        assert shows(app, "It grew 12 s ago")
        warning = str(app.screen.query_one(".warning", Static).content)
        assert warning.endswith("Its agent would lose the rest of its work.")
        assert shows(app, "Delete it anyway")
        assert app.focused is app.screen.query_one("#keep")
        await pilot.press("y")
        await closed(pilot)
        await until(lambda: not store.sessions)


async def test_a_session_that_an_agent_takes_up_meanwhile_is_asked_for_again() -> None:
    store = store_with("alpha")
    async with running(store) as (app, pilot):
        await dialog(pilot, "d")
        first = app.screen
        assert not shows(app, "lose the rest")
        store.append(path_of("alpha"), b"{}\n", mtime_ms=NOW_MS)
        await until(lambda: app.workspace.held(path_of("alpha")))
        await pilot.press("y")
        await until(lambda: app.screen is not first and isinstance(app.screen, DeleteDialog))
        await pilot.pause()
        assert shows(app, "lose the rest")
        await pilot.press("escape")
        await closed(pilot)
        assert list(store.sessions) == [path_of("alpha")]


async def test_a_failed_action_says_why_and_leaves_the_row() -> None:
    store = store_with("alpha")
    backend = MemoryBackend(store)
    async with running(connect=lambda _source, _password: backend) as (app, pilot):
        await dialog(pilot, "d")
        store.silent = True
        store.delete(path_of("alpha"))
        await pilot.press("y")
        await closed(pilot)
        await until(lambda: shows(app, "Not deleted: no such session"))


async def test_quitting_asks_while_writes_are_pending() -> None:
    store = store_with("alpha")
    backend = MemoryBackend(store)
    async with running(connect=lambda _source, _password: backend) as (app, pilot):
        backend.down = True
        await dialog(pilot, "r")
        await pilot.press(*"Later", "enter")
        await closed(pilot)
        await until(lambda: app.workspace.state.pending)
        await until(lambda: shows(app, "1 write pending"))
        await pilot.press("ctrl+c")
        await until(lambda: isinstance(app.screen, QuitDialog))
        await pilot.pause()
        assert shows(app, "Quit with 1 write pending?")
        assert shows(app, "the title “Later” for")
        await pilot.press("escape")
        await closed(pilot)
        assert app.is_running
        await pilot.press("ctrl+c")
        await until(lambda: isinstance(app.screen, QuitDialog))
        backend.down = False
        await closed(pilot)  # There is nothing left to ask.
        assert app.is_running
        await settle(pilot)
        assert shows(app, "“Later”")


async def test_what_is_not_confirmed_when_the_user_quits_is_given_up_and_told() -> None:
    backend = MemoryBackend(store_with("alpha"))
    async with running(connect=lambda _source, _password: backend) as (app, pilot):
        backend.down = True
        await dialog(pilot, "r")
        await pilot.press(*"Later", "enter")
        await closed(pilot)
        await until(lambda: app.workspace.state.pending)
        await pilot.press("q")
        await until(lambda: isinstance(app.screen, QuitDialog))
        await pilot.press("y")
        await until(lambda: not app.is_running)
    assert app.workspace.given_up == (PendingWrite("title", path_of("alpha"), title="Later"),)


async def test_files_are_called_files(tmp_path: Path) -> None:
    folder = tmp_path / "-code-api"
    folder.mkdir()
    (folder / "2026-11-23T10-00-00-000Z_alpha.jsonl").write_bytes(session("Alpha"))
    async with running(source=str(tmp_path), connect=connect) as (app, pilot):
        await dialog(pilot, "d")
        assert shows(app, "1 file, ")
        await pilot.press("escape")


async def test_a_session_that_keeps_no_title_can_change_its_path_alone() -> None:
    store = store_with("alpha")
    data = encode_entries(claude_session())
    store.write(path_of("claude"), data, mtime_ms=NOW_MS - 1)
    async with running(store) as (app, pilot):
        await dialog(pilot, "r")
        assert shows(app, "Claude Code keeps no title in its sessions; only the path can change.")
        assert app.screen.query_one("#title", Input).disabled
        assert app.focused is app.screen.query_one("#path", Input)
        await pilot.press("escape")


async def test_a_failure_leaves_its_row_with_the_next_success_or_a_refresh_or_by_itself() -> None:
    now = [NOW_MS]
    store = store_with("alpha", "beta")
    async with running(store, clock=lambda: now[0]) as (app, pilot):
        workspace = app.workspace

        async def fail() -> None:
            with pytest.raises(SessionExistsError):
                await workspace.rename(path_of("alpha"), new_path=path_of("beta"))
            row = workspace.row(path_of("alpha"))
            assert row is not None
            assert row.failed

        def told() -> str:
            row = workspace.row(path_of("alpha"))
            return "" if row is None else row.note

        await fail()
        await workspace.rename(path_of("beta"), title="Better")
        assert told() == ""
        await fail()
        await pilot.press("f5")
        await until(lambda: told() == "")
        await fail()
        now[0] += 10_000
        await until(lambda: told() == "")


async def test_a_refusal_is_told_in_full_until_the_user_goes_on() -> None:
    now = [NOW_MS]
    store = MemoryStore(clock=lambda: NOW_MS)
    store.write(path_of("alpha"), session("Alpha", slot=False), mtime_ms=NOW_MS - 3 * HOUR_MS)
    async with running(store, clock=lambda: now[0]) as (app, pilot):
        await dialog(pilot, "r")
        await pilot.press(*"Mine")
        store.append(path_of("alpha"), b"{}\n", mtime_ms=NOW_MS - 2000)
        await until(lambda: app.workspace.held(path_of("alpha")))
        await pilot.press("enter")
        await closed(pilot)
        await until(lambda: shows(app, "Not renamed: an agent may be at work on it"))
        await until(lambda: shows(app, " failed "))
        details = " ".join(app.main.details.render().plain.split())
        assert "it grew just now; its agent may still be running" in details
        now[0] += 10_000
        await pilot.press("down")
        await until(lambda: not shows(app, " failed "))


async def test_a_held_session_without_room_for_a_title_says_so_beforehand() -> None:
    store = MemoryStore(clock=lambda: NOW_MS)
    for name, slot in (("with", True), ("without", False)):
        data = session(name, session_id=name, slot=slot)
        store.write(path_of(name), data, mtime_ms=NOW_MS - 2000 - slot)
    async with running(store) as (app, pilot):
        await dialog(pilot, "r")
        why = str(app.screen.query_one("#untitled", Static).content)
        assert why == f"It grew 2 s ago; its agent may still be running. {NO_TITLE_SLOT}"
        assert app.screen.query_one("#title", Input).disabled
        await pilot.press("escape")
        await closed(pilot)
        await pilot.press("down")
        await dialog(pilot, "r")
        await pilot.press(*"Mine")
        told = str(app.screen.query_one("#outcome", Static).content)
        assert told.endswith("Its agent may set its own title again.")
        await pilot.press("enter")
        await closed(pilot)
        await until(lambda: shows(app, "Renamed “Mine”"))


async def test_a_title_of_ours_does_not_count_as_work_of_an_agent() -> None:
    store = store_with("alpha")
    async with running(store) as (app, pilot):
        workspace = app.workspace
        await workspace.rename(path_of("alpha"), title="Mine")
        await settle(pilot)
        assert workspace.held(path_of("alpha")) is None
        await workspace.rename(path_of("alpha"), new_path=path_of("moved"))
        await settle(pilot)
        assert workspace.held(path_of("moved")) is None
        store.append(path_of("moved"), b"{}\n", mtime_ms=NOW_MS)
        await until(lambda: workspace.held(path_of("moved")))


async def test_a_title_of_ours_hides_no_work_before_it() -> None:
    store = store_with("alpha")
    store.append(path_of("alpha"), b"{}\n", mtime_ms=NOW_MS - 2000)
    async with running(store) as (app, pilot):
        await app.workspace.rename(path_of("alpha"), title="Mine")
        await settle(pilot)
        assert app.workspace.held(path_of("alpha"))


async def test_a_dialog_takes_the_whole_width_where_there_is_little() -> None:
    async with running(store_with("alpha"), size=(60, 24)) as (app, pilot):
        for key in ("r", "d", "question_mark"):
            await dialog(pilot, key)
            box = app.screen.query(".dialog, .help").first()
            assert box.region.width == 60
            await pilot.press("escape")
            await closed(pilot)


async def test_the_rename_dialog_keeps_its_height_while_one_types() -> None:
    async with running(store_with("alpha")) as (app, pilot):
        await dialog(pilot, "r")
        box = app.screen.query_one(".dialog")
        before = box.region
        await pilot.press("x", "tab", "home", "y")
        await pilot.pause()
        assert shows(app, "The title changes")
        assert box.region == before
        await pilot.press("escape")


@pytest.mark.parametrize(("answer", "moves"), [("escape", False), ("enter", False), ("y", True)])
async def test_a_session_that_an_agent_took_up_meanwhile_is_asked_about_again(
    answer: str, moves: bool
) -> None:
    store = store_with("alpha")
    async with running(store) as (app, pilot):
        await dialog(pilot, "r")
        assert isinstance(app.screen, RenameDialog)
        assert app.screen.held is None
        app.screen.query_one("#path", Input).value = path_of("moved")
        store.append(path_of("alpha"), b"{}\n", mtime_ms=NOW_MS - 2000)
        await until(lambda: app.workspace.held(path_of("alpha")))
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, Question))
        await pilot.pause()
        assert shows(app, "It grew just now")
        assert shows(app, "split the session in two.")
        await pilot.press(answer)
        await closed(pilot)
        await settle(pilot)
        assert (path_of("moved") in store.sessions) == moves
