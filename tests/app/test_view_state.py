"""The list is in the next run as it was left in the last one."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sessiontui.app.app import SessionApp
from sessiontui.sources import parse_source
from sessiontui.storage.memory import MemoryBackend
from sessiontui.workspace import open_workspace
from sessiontui.workspace.view_state import ViewStateFile
from tests.app.support import NOW_MS, path_of, settle, shows
from tests.app.test_list import listed, two_projects
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from textual.pilot import Pilot

    from sessiontui.storage.memory import MemoryStore

SOURCE = parse_source("redis://cache:6379")


@asynccontextmanager
async def run(
    folder: Path, store: MemoryStore, size: tuple[int, int] = (120, 34)
) -> AsyncIterator[tuple[SessionApp, Pilot[None]]]:
    async with open_workspace(
        SOURCE,
        clock=lambda: NOW_MS,
        home="/home/mira",
        connect=lambda _source, _password: MemoryBackend(store),
    ) as workspace:
        app = SessionApp(workspace, list_file=ViewStateFile(folder, SOURCE))
        async with app.run_test(size=size) as pilot:
            await settle(pilot)
            yield app, pilot


async def test_order_groups_pins_columns_and_the_highlight_are_as_they_were(tmp_path: Path) -> None:
    store = two_projects()
    async with run(tmp_path, store) as (app, pilot):
        await pilot.press("G", "p", "s", "s", "S", "z")
        app.main.listing.show_columns(("turns", "age"))
        app.workspace.catalog.fold_group("~/code/api", closed=True)
        app.main.remembering.share = 0.5
        await settle(pilot)
        assert app.main.sessions.highlighted == path_of("web", "/-code-web")
        left = listed(app)
    async with run(tmp_path, store) as (app, pilot):
        catalog = app.workspace.catalog
        assert (catalog.sort, catalog.reverse) == ("title", True)
        assert catalog.shows_empty
        assert listed(app) == left
        assert app.main.sessions.columns == ("turns", "age")
        assert app.main.sessions.highlighted == path_of("web", "/-code-web")
        assert app.main.query_one("#left").size.width == 60
        await pilot.press("t")
    async with run(tmp_path, store) as (app, _pilot):
        assert app.workspace.catalog.flat


async def test_what_is_changed_is_remembered_before_the_end(tmp_path: Path) -> None:
    file = ViewStateFile(tmp_path, SOURCE)
    async with run(tmp_path, two_projects()) as (app, pilot):
        await pilot.press("t")
        await app.main.remembering.save()
        state, _ = file.load()
        assert state is not None
        assert state.flat


async def test_an_instance_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    store, file = two_projects(), ViewStateFile(tmp_path, SOURCE).path
    async with run(tmp_path, store) as (_app, pilot):
        await pilot.press("t")
    before = file.stat()
    async with run(tmp_path, store) as (app, _pilot):
        await app.main.remembering.save()
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


async def test_a_damaged_file_is_told_and_the_list_is_as_at_first(tmp_path: Path) -> None:
    ViewStateFile(tmp_path, SOURCE).path.write_text("{")
    async with run(tmp_path, two_projects()) as (app, pilot):
        await until(lambda: shows(app, "How the list was left cannot be read (it is damaged)"))
        assert len(listed(app)) == 5
        await pilot.press("t")
    async with run(tmp_path, two_projects()) as (app, _pilot):
        assert app.workspace.catalog.flat


async def test_a_remembered_session_that_is_gone_is_no_matter(tmp_path: Path) -> None:
    store = two_projects()
    async with run(tmp_path, store) as (app, pilot):
        await pilot.press("G")
        await settle(pilot)
    store.delete(path_of("web", "/-code-web"))
    async with run(tmp_path, store) as (app, _pilot):
        assert app.main.sessions.highlighted == path_of("alpha")
