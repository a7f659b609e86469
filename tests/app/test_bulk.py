"""Deleting many at once: one question, a progress that can be stopped, all of it undone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sessiontui.app.screens.delete_dialog import DeleteDialog
from sessiontui.app.screens.progress_dialog import ProgressDialog
from sessiontui.errors import AccessError
from sessiontui.storage.memory import MemoryBackend
from tests.app.support import NOW_MS, app_of, path_of, running, settle, shows, store_with
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.pilot import Pilot

    from sessiontui.storage.backend import ScanBatch, TrashItem
    from sessiontui.storage.memory import MemoryStore

NAMES = ("one", "two", "three", "four", "five")


class Gated(MemoryBackend):
    """Lets deletions, restores and scans through one by one, or all while `open`."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.open = True
        self.passes = asyncio.Semaphore(0)
        self.waiting = 0
        self.refused = ""
        self.scans_wait = False

    async def _gate(self) -> None:
        if not self.open:
            self.waiting += 1
            await self.passes.acquire()
            self.waiting -= 1

    async def trash(self, item: TrashItem) -> None:
        await self._gate()
        if self.refused and self.refused in item.path:
            raise AccessError("no permission", path=item.path)
        await super().trash(item)

    async def restore(self, item_id: str) -> TrashItem:
        await self._gate()
        return await super().restore(item_id)

    async def scan_under(self, prefix: str) -> AsyncIterator[ScanBatch]:
        if self.scans_wait:
            await self._gate()
        async for batch in super().scan_under(prefix):
            yield batch


async def asked(pilot: Pilot[None]) -> None:
    """Press `d` and wait for the question."""
    await pilot.press("d")
    await until(lambda: isinstance(app_of(pilot).screen, DeleteDialog))
    await pilot.pause()


async def over(pilot: Pilot[None]) -> None:
    """Wait until no dialog is open and all is told."""
    app = app_of(pilot)
    await until(lambda: app.screen is app.main and not app.main.conversation.going_on)
    await settle(pilot)


async def test_one_question_counts_all_and_what_was_deleted_comes_back() -> None:
    store = store_with(*NAMES)
    draft = path_of("two").removesuffix(".jsonl") + "/draft.txt"
    agent = path_of("two").removesuffix(".jsonl") + "/Task.jsonl"
    store.write(draft, b"unsent", mtime_ms=NOW_MS - 1)
    store.write(agent, store.data(path_of("one")) or b"", mtime_ms=NOW_MS - 1_000_000)
    before = {path: bytes(held.data) for path, held in store.sessions.items()}
    async with running(store) as (app, pilot):
        await pilot.press("ctrl+a")
        await asked(pilot)
        assert shows(app, "Delete 5 sessions?")
        assert shows(app, "7 keys, ")
        assert shows(app, "with their drafts and 1 session of subagents.")
        await pilot.press("y")
        await over(pilot)
        assert store.sessions == {}
        await pilot.press("u")
        await over(pilot)
        assert shows(app, "Restored 5 sessions")
        assert {path: bytes(held.data) for path, held in store.sessions.items()} == before
        assert not app.workspace.catalog.marks


async def test_running_ones_are_kept_unless_they_are_asked_for() -> None:
    for key, left in (("y", [path_of("one")]), ("a", [])):
        store = store_with(*NAMES)
        store.append(path_of("one"), b"{}\n", mtime_ms=NOW_MS - 12_000)
        async with running(store) as (app, pilot):
            await pilot.press("ctrl+a")
            await asked(pilot)
            assert shows(app, "Delete the 4 others")
            assert shows(app, "grew 12 s ago")
            await pilot.press(key)
            await over(pilot)
            assert list(store.sessions) == left


async def test_a_running_subagent_holds_its_session() -> None:
    store = store_with("one", "two")
    agent = path_of("one").removesuffix(".jsonl") + "/Task.jsonl"
    store.write(agent, store.data(path_of("one")) or b"", mtime_ms=NOW_MS - 5_000)
    async with running(store) as (app, pilot):
        await pilot.press("ctrl+a")
        await asked(pilot)
        assert shows(app, "Delete the other ")
        await pilot.press("y")
        await over(pilot)
        assert path_of("one") in store.sessions
        assert path_of("two") not in store.sessions


async def test_it_can_be_stopped_between_two_and_what_was_done_comes_back() -> None:
    store = store_with(*NAMES)
    backend = Gated(store)
    async with running(connect=lambda _source, _password: backend) as (app, pilot):
        await pilot.press("ctrl+a")
        await asked(pilot)
        backend.open = False
        await pilot.press("y")
        await until(lambda: isinstance(app.screen, ProgressDialog))
        backend.passes.release()
        await until(lambda: len(store.sessions) == 4 and backend.waiting == 1)
        await until(lambda: shows(app, "1 of 5"))
        assert shows(app, "Deleting 5 sessions")
        assert shows(app, "Title two")
        await pilot.press("escape")
        await until(lambda: shows(app, "stops after this one"))
        backend.passes.release()
        await over(pilot)
        assert shows(app, "Deleted 2 sessions, 3 left")
        assert sorted(store.sessions) == sorted(map(path_of, NAMES[2:]))
        assert len(app.workspace.catalog.marks) == 3
        backend.open = True
        await pilot.press("u")
        await over(pilot)
        assert len(store.sessions) == 5


async def test_an_undo_that_was_stopped_goes_on_with_the_next() -> None:
    store = store_with(*NAMES)
    backend = Gated(store)
    async with running(connect=lambda _source, _password: backend) as (app, pilot):
        await pilot.press("ctrl+a")
        await asked(pilot)
        await pilot.press("y")
        await over(pilot)
        backend.open = False
        await pilot.press("u")
        await until(lambda: isinstance(app.screen, ProgressDialog))
        await pilot.press("escape")
        backend.passes.release()
        await over(pilot)
        assert shows(app, "Restored “Title five”, 4 left")
        backend.open = True
        await pilot.press("u")
        await over(pilot)
        assert len(store.sessions) == 5


async def test_one_that_fails_does_not_stop_the_others_and_is_told() -> None:
    store = store_with(*NAMES)
    backend = Gated(store)
    backend.refused = "three"
    async with running(connect=lambda _source, _password: backend) as (app, pilot):
        await pilot.press("ctrl+a")
        await asked(pilot)
        await pilot.press("y")
        await over(pilot)
        assert list(store.sessions) == [path_of("three")]
        assert shows(app, "Deleted 4 sessions; 1 failed: “Title three”: no permission")
        assert list(app.workspace.catalog.marks) == [path_of("three")]
        await pilot.press("u")
        await over(pilot)
        assert len(store.sessions) == 5


async def test_looking_for_what_goes_can_be_stopped_too() -> None:
    store = store_with(*NAMES)
    backend = Gated(store)
    async with running(connect=lambda _source, _password: backend) as (app, pilot):
        await pilot.press("ctrl+a")
        backend.open, backend.scans_wait = False, True
        await pilot.press("d")
        await until(lambda: isinstance(app.screen, ProgressDialog))
        await until(lambda: shows(app, "Looking up files of 5 sessions"))
        await pilot.press("escape")
        await over(pilot)
        assert len(store.sessions) == 5
        assert not app.main.conversation.going_on
        backend.open = True


async def test_sessions_that_others_deleted_meanwhile_are_no_failure_of_the_rest() -> None:
    store = store_with(*NAMES)
    async with running(store) as (app, pilot):
        await pilot.press("ctrl+a")
        await asked(pilot)
        store.silent = True
        store.delete(path_of("two"))
        await pilot.press("y")
        await until(lambda: not store.sessions)
        await until(lambda: shows(app, "Deleted 4 sessions; 1 failed: “Title two”: no such"))


@pytest.mark.parametrize("ascii_only", [False, True])
async def test_the_bar_grows_and_is_drawn_in_ascii_where_that_is_wanted(ascii_only: bool) -> None:
    from sessiontui.config import Config

    store = store_with(*NAMES)
    backend = Gated(store)
    async with running(
        connect=lambda _source, _password: backend, config=Config(ascii=ascii_only)
    ) as (app, pilot):
        await pilot.press("ctrl+a")
        await asked(pilot)
        backend.open = False
        await pilot.press("y")
        await until(lambda: isinstance(app.screen, ProgressDialog))
        full = "#" if ascii_only else "━"
        assert not shows(app, full * 5)
        backend.passes.release()
        await until(lambda: shows(app, full * 5))
        backend.open = True
        backend.passes.release()
        await over(pilot)
