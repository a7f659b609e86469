"""Copying and moving from the app: the dialog, the progress, what is told, the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import Button, Input

from sessiontui.app.screens.dialog import Question
from sessiontui.app.screens.transfer_dialog import TransferDialog
from sessiontui.config import Config
from tests.app.support import NOW_MS, app_of, path_of, running, settle, shows, store_with
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from textual.pilot import Pilot


async def asked(pilot: Pilot[None], key: str, to: str | None = None, cwd: str = "") -> None:
    """Press `c` or `m`, wait for the dialog and fill it in."""
    await pilot.press(key)
    app = app_of(pilot)
    await until(lambda: isinstance(app.screen, TransferDialog))
    if to is not None:
        app.screen.query_one("#to", Input).value = to
    app.screen.query_one("#cwd", Input).value = cwd
    await pilot.pause()


async def over(pilot: Pilot[None]) -> None:
    """Wait until no dialog is open and all is told."""
    app = app_of(pilot)
    await until(lambda: app.screen is app.main and not app.main.conversation.going_on)
    await settle(pilot)


def copies(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


async def test_one_is_copied_to_a_folder_where_omp_finds_it(tmp_path: Path) -> None:
    store = store_with("alpha", "beta")
    async with running(store) as (app, pilot):
        await asked(pilot, "c", str(tmp_path))
        assert shows(app, "Copy “Title alpha”")
        assert shows(app, "1 key, ")
        assert shows(app, "The original stays as it is.")
        await pilot.press("enter")
        await over(pilot)
        assert copies(tmp_path) == [f"-code-api/{path_of('alpha').rpartition('/')[2]}"]
        assert shows(app, "Copied “Title alpha” to ")
        assert len(store.sessions) == 2
        await asked(pilot, "c")
        assert app.screen.query_one("#to", Input).value == str(tmp_path)
        await pilot.press("enter")
        await over(pilot)
        assert shows(app, "which was there already")


async def test_marked_ones_are_moved_and_brought_back(tmp_path: Path) -> None:
    store = store_with("alpha", "beta", "gamma")
    before = {path: bytes(held.data) for path, held in store.sessions.items()}
    async with running(store) as (app, pilot):
        await pilot.press("space", "space")
        await asked(pilot, "m", str(tmp_path), "~/work")
        assert shows(app, "Move 2 sessions")
        assert shows(app, "then the original goes to the trash; u to undo.")
        await pilot.press("enter")
        await over(pilot)
        assert shows(app, "Moved 2 sessions to ")
        assert list(store.sessions) == [path_of("gamma")]
        assert len(copies(tmp_path / "-work")) == 2
        await pilot.press("u")
        await until(lambda: len(store.sessions) == 3)
        await settle(pilot)
        assert {path: bytes(held.data) for path, held in store.sessions.items()} == before
        assert len(copies(tmp_path)) == 2


async def test_what_is_in_the_way_is_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder = tmp_path / "there"
    file = folder / "-code-api" / path_of("alpha").rpartition("/")[2]
    file.parent.mkdir(parents=True)
    file.write_bytes(b"mine")
    async with running(store_with("alpha")) as (app, pilot):
        for key, kept in (("escape", True), ("y", False)):
            await asked(pilot, "c", str(folder))
            await pilot.press("enter")
            await until(lambda: isinstance(app.screen, Question))
            await pilot.pause()
            assert shows(app, "Replace “Title alpha” there?")
            await pilot.press(key)
            await over(pilot)
            assert (file.read_bytes() == b"mine") == kept
            said = "a session already has this path" if kept else "Copied “Title alpha”"
            assert shows(app, said)


async def test_running_ones_stay_unless_they_are_asked_for(tmp_path: Path) -> None:
    store = store_with("alpha", "beta")
    store.append(path_of("alpha"), b"{}\n", mtime_ms=NOW_MS - 12_000)
    async with running(store) as (app, pilot):
        await pilot.press("ctrl+a")
        await asked(pilot, "c", str(tmp_path))
        assert shows(app, "Copy the other ")
        assert shows(app, "goes on with the original alone")
        await pilot.press("enter")
        await over(pilot)
        assert len(copies(tmp_path)) == 1
        await pilot.press("escape", "g", "j")
        await asked(pilot, "m", str(tmp_path))
        assert not app.screen.query("#go")
        await pilot.press("enter")
        assert isinstance(app.screen, TransferDialog)
        await pilot.press("ctrl+a")
        await over(pilot)
        assert list(store.sessions) == [path_of("beta")]


async def test_the_dialog_objects_while_one_types_and_offers_places(tmp_path: Path) -> None:
    async with running(store_with("alpha"), config=Config(source=str(tmp_path))) as (app, pilot):
        await asked(pilot, "c")
        field = app.screen.query_one("#to", Input)
        assert field.value == str(tmp_path)
        await pilot.press("down")
        assert field.value.endswith("agent/sessions")
        await pilot.press("down", "down")
        assert field.value == str(tmp_path)
        for to, cwd, objection in (
            ("", "", "Type where to"),
            ("ftp://x", "", "ftp:// is not known"),
            ("redis://cache:6379", "", "the sessions are there already"),
            (str(tmp_path), "work", "the folder of a project begins with / or ~"),
        ):
            field.value = to
            app.screen.query_one("#cwd", Input).value = cwd
            await pilot.pause()
            assert shows(app, objection)
            assert app.screen.query_one("#go", Button).disabled
            await pilot.press("enter")
            assert isinstance(app.screen, TransferDialog)
        await pilot.press("escape")
        await over(pilot)


async def test_a_place_that_is_not_there_is_told(tmp_path: Path) -> None:
    async with running(store_with("alpha")) as (app, pilot):
        place = tmp_path / "place"
        place.mkdir()
        await asked(pilot, "c", str(tmp_path / "nowhere"))
        assert shows(app, "there is no folder")
        app.screen.query_one("#to", Input).value = str(place)
        await pilot.pause()
        place.rmdir()
        await pilot.press("enter")
        await until(lambda: shows(app, "there is no folder"))
        await pilot.press("escape")
        await over(pilot)
        await asked(pilot, "c")
        assert app.screen.query_one("#to", Input).value != str(place)
        assert shows(app, "↑↓ known places")


async def test_what_omp_stands_for_is_the_same_as_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PI_CODING_AGENT_SESSION_DIR", str(tmp_path / "own"))
    async with running(store_with("alpha")) as (app, pilot):
        await asked(pilot, "c", "omp")
        await pilot.press("enter")
        await over(pilot)
        assert len(copies(tmp_path / "own")) == 1
        await asked(pilot, "c")
        assert app.screen.query_one("#to", Input).value == "omp"


async def test_nothing_is_copied_where_the_user_wants_no_change(tmp_path: Path) -> None:
    async with running(store_with("alpha"), config=Config(read_only=True)) as (app, pilot):
        await pilot.press("c")
        await until(lambda: shows(app, "Not copied: "))
        await pilot.press("m")
        await until(lambda: shows(app, "Cannot move to: read-only"))
        assert copies(tmp_path) == []
