"""Exporting from the app: what the dialog offers and refuses, and what is written."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Button, Checkbox, Input

from sessiontui.app.screens import export_dialog as export_screen
from sessiontui.app.screens import progress_dialog as progress_screen
from sessiontui.app.screens.export_dialog import ExportDialog
from sessiontui.app.screens.progress_dialog import ProgressDialog
from sessiontui.export import run
from sessiontui.storage.memory import MemoryBackend
from sessiontui.storage.storage import open_backend
from tests.app.support import (
    HOUR_MS,
    NOW_MS,
    path_of,
    running,
    session,
    settle,
    shows,
    store_with,
)
from tests.unit.test_export_html import checked
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from textual.pilot import Pilot

    from sessiontui.app.app import SessionApp
    from sessiontui.storage.backend import Range


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that is offered."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


async def opened(app: SessionApp, pilot: Pilot[None], folder: Path) -> ExportDialog:
    """Press the key and return the dialog."""
    app.main.exporting.folder = folder
    await pilot.press("e")
    await until(lambda: isinstance(app.screen, ExportDialog) and app.screen.is_mounted)
    await pilot.pause()
    assert isinstance(app.screen, ExportDialog)
    return app.screen


async def closed(app: SessionApp, pilot: Pilot[None]) -> None:
    """Wait until everything is written and told."""
    await until(lambda: app.screen is app.main and not app.main.conversation.going_on)
    await pilot.pause()


def place(dialog: ExportDialog) -> Input:
    return dialog.query_one("#place", Input)


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def test_a_session_is_written_in_the_chosen_format(folder: Path) -> None:
    async with running(store_with("alpha")) as (app, pilot):
        dialog = await opened(app, pilot, folder)
        assert place(dialog).value == f"{folder}/title-alpha-alpha.md"
        await pilot.press("down")
        assert place(dialog).value == f"{folder}/title-alpha-alpha.html"
        assert not dialog.query_one("#tools", Checkbox).disabled
        await pilot.press("enter")
        await closed(app, pilot)
        checked((folder / "title-alpha-alpha.html").read_text(encoding="utf-8"))
        assert names(folder) == ["title-alpha-alpha.html"]
        assert shows(app, "Exported to ")
        dialog = await opened(app, pilot, folder)
        assert place(dialog).value.endswith(".html"), "what was wanted last is offered next"


async def test_the_stored_bytes_come_exactly_from_either_source(
    folder: Path, tmp_path: Path
) -> None:
    data = session("On disk", session_id="disk")
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "2026-11-23T10-00-00-000Z_disk.jsonl").write_bytes(data)
    source = str(tmp_path / "sessions")
    async with running(source=source, connect=open_backend) as (app, pilot):
        dialog = await opened(app, pilot, folder)
        await pilot.press("up")
        assert dialog.query_one("#tools", Checkbox).disabled
        await pilot.press("enter")
        await closed(app, pilot)
    assert (folder / "on-disk-disk.jsonl").read_bytes() == data
    async with running(store_with("alpha")) as (app, pilot):
        await opened(app, pilot, folder)
        await pilot.press("up", "enter")
        await closed(app, pilot)
    assert (folder / "title-alpha-alpha.jsonl").read_bytes() == session(
        "Title alpha", "Question 0 about alpha", session_id="alpha"
    )


async def test_a_file_that_is_there_is_asked_for_twice(folder: Path) -> None:
    target = folder / "title-alpha-alpha.md"
    target.write_text("mine", encoding="utf-8")
    async with running(store_with("alpha")) as (app, pilot):
        dialog = await opened(app, pilot, folder)
        assert shows(app, "The file exists and would be replaced.")
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen is dialog
        assert "Replace" in str(dialog.query_one("#export", Button).label)
        await pilot.press("escape")
        await closed(app, pilot)
        assert target.read_text(encoding="utf-8") == "mine"
        await opened(app, pilot, folder)
        await pilot.press("enter", "enter")
        await closed(app, pilot)
        assert target.read_text(encoding="utf-8").startswith("# Title alpha")


async def test_a_file_that_comes_after_the_question_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = folder / "title-alpha-alpha.md"
    target.write_text("came", encoding="utf-8")
    monkeypatch.setattr(export_screen, "existing_files", lambda _exports: [])
    async with running(store_with("alpha")) as (app, pilot):
        await opened(app, pilot, folder)
        await pilot.press("enter")
        await closed(app, pilot)
        assert shows(app, "Not exported: there is such a file already")
        assert target.read_text(encoding="utf-8") == "came"
        assert names(folder) == [target.name]


async def test_marked_sessions_go_into_a_folder_that_is_made(folder: Path) -> None:
    async with running(store_with("alpha", "beta", "gamma")) as (app, pilot):
        await pilot.press("space", "space")
        await settle(pilot)
        dialog = await opened(app, pilot, folder)
        assert place(dialog).value == f"{folder}/"
        assert shows(app, "Export 2 sessions")
        place(dialog).value = f"{folder}/new"
        await pilot.pause()
        assert shows(app, "Writes 2 files")
        assert not dialog.query_one("#export", Button).disabled
        await pilot.press("down", "down", "enter")
        await closed(app, pilot)
        assert names(folder / "new") == ["title-alpha-alpha.json", "title-beta-beta.json"]
        made = json.loads((folder / "new" / "title-beta-beta.json").read_bytes())
        assert made["session"]["id"] == "beta"
        assert shows(app, "Exported 2 sessions to ")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "Name a file."),
        ("{folder}/no/a.md", "No such folder"),
        ("{folder}/" + 300 * "a" + "/a.md", "No such folder"),
        ("{folder}/file.md/a.md", "Not a folder"),
        ("~nobody-of-this-name/a.md", "Name a file."),
    ],
)
async def test_what_cannot_be_written_cannot_be_chosen(folder: Path, typed: str, told: str) -> None:
    (folder / "file.md").write_text("x", encoding="utf-8")
    async with running(store_with("alpha")) as (app, pilot):
        dialog = await opened(app, pilot, folder)
        place(dialog).value = typed.format(folder=folder)
        await pilot.pause()
        assert shows(app, told)
        assert dialog.query_one("#export", Button).disabled
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen is dialog


async def test_a_folder_is_completed_while_it_is_typed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for name in ("exports", "evil\x1b]0;t\x07", "other"):
        (folder / name).mkdir()
    async with running(store_with("alpha")) as (app, pilot):
        dialog = await opened(app, pilot, folder)
        field = place(dialog)
        field.focus()
        field.value = "./"
        field.cursor_position = len(field.value)
        await pilot.press("e", "x")
        await until(lambda: shows(app, "./exports/"))
        await pilot.press("right")
        assert field.value == "./exports/"
        await pilot.pause()
        assert shows(app, "Writes title-alpha-alpha.md")
        await pilot.press("enter")
        await closed(app, pilot)
        assert names(folder / "exports") == ["title-alpha-alpha.md"]


async def test_a_long_export_shows_how_far_it_is_and_can_be_stopped(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_screen, "SHOW_AFTER_S", 0.0)
    monkeypatch.setattr(run, "PIECE_BYTES", 100_000)
    store = store_with("alpha")
    data = session("Big", *("x" * 10_000 for _ in range(150)), session_id="big")
    store.write(path_of("big"), data, mtime_ms=NOW_MS - HOUR_MS // 2)
    gate = asyncio.Event()

    class Slow(MemoryBackend):
        """Hands out the end of the session only when it may."""

        async def read(self, ranges: Sequence[Range]) -> list[bytes | None]:
            if any(item.path == path_of("big") and item.start == 1_500_000 for item in ranges):
                await gate.wait()
            return await super().read(ranges)

    async with running(connect=lambda _source, _password: Slow(store)) as (app, pilot):
        await opened(app, pilot, folder)
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, ProgressDialog))
        await until(lambda: shows(app, "1 of 3"))
        assert shows(app, "Exporting 3.1 MB")
        await pilot.press("escape")
        gate.set()
        await closed(app, pilot)
        assert shows(app, "Stopped: nothing was exported")
        assert names(folder) == []
