"""The doctor's screen: what it shows, repairs and takes back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sessiontui import paths
from sessiontui.app.screens.dialog import Question
from sessiontui.app.screens.doctor_screen import DoctorScreen
from sessiontui.config import Config
from sessiontui.errors import StorageError
from sessiontui.formats.title_slot import make_slot, make_title_field
from sessiontui.storage.memory import MemoryBackend
from sessiontui.workspace.repair import Repairs
from sessiontui.workspace.scan import ScanProgress, StoreScan
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
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from textual.pilot import Pilot

    from sessiontui.storage.backend import HashFieldChange
    from sessiontui.storage.memory import MemoryStore

GONE = ("/-code-api/gone-1.jsonl", "/-code-api/gone-2.jsonl", "/-code-api/gone-3.jsonl")
TAIL = path_of("tail")


@pytest.fixture(autouse=True)
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal of repairs that is this test's own."""
    monkeypatch.setattr(paths, "data_dir", lambda: tmp_path)
    return tmp_path / "repairs"


def broken_store() -> MemoryStore:
    """Return a store with a session in two pieces, and times of no session."""
    store = store_with("alpha", size=3)
    whole = session("Split", "One", "Two", session_id="split").splitlines(keepends=True)
    store.write(path_of("head"), b"".join(whole[:4]), mtime_ms=NOW_MS - 40 * HOUR_MS)
    store.write(TAIL, b"".join(whole[4:]), mtime_ms=NOW_MS - 30 * HOUR_MS)
    for path in GONE:
        store.loose["meta", path] = b"17"
    return store


def snapshot(store: MemoryStore) -> object:
    sessions = {
        path: (bytes(held.data), held.mtime_ms, held.title) for path, held in store.sessions.items()
    }
    return sessions, dict(store.loose)


async def opened(pilot: Pilot[None]) -> DoctorScreen:
    app = app_of(pilot)
    await pilot.press("D")
    await until(lambda: isinstance(app.screen, DoctorScreen) and app.screen.quiet)
    await pilot.pause()
    assert isinstance(app.screen, DoctorScreen)
    return app.screen


async def agree(pilot: Pilot[None], doctor: DoctorScreen, key: str) -> None:
    """Press a key and say yes to what it asks."""
    app = app_of(pilot)
    await pilot.press(key)
    await until(lambda: isinstance(app.screen, Question))
    await pilot.press("y")
    await until(lambda: app.screen is doctor)
    await until(lambda: doctor.quiet)
    await pilot.pause()


async def test_findings_stand_in_groups_with_what_they_mean_and_what_would_be_done() -> None:
    store = broken_store()
    before = snapshot(store)
    async with running(store) as (app, pilot):
        await opened(pilot)
        for text in (
            "4 findings, 4 can be repaired",
            "Missing header  1",
            "Orphaned metadata  3",
            "An agent went on writing to a session",
            f"That is the last entry of {path_of('head')}.",
            f"Repair: put its {len(store.data(TAIL) or b''):,} bytes at the end of",
        ):
            assert shows(app, text), text
        await pilot.press("down")
        await pilot.pause()
        assert shows(app, "Repair: take its time away.")
        await pilot.press("escape")
        await until(lambda: app.screen is app.main)
    assert snapshot(store) == before


async def test_the_gravest_is_highlighted_however_late_it_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heads = StoreScan._look_for_heads
    found = asyncio.Event()

    async def late(self: StoreScan, names: list[str]) -> AsyncIterator[ScanProgress]:
        await found.wait()
        async for progress in heads(self, names):
            yield progress

    monkeypatch.setattr(StoreScan, "_look_for_heads", late)
    async with running(broken_store()) as (app, pilot):
        await pilot.press("D")
        await until(lambda: isinstance(app.screen, DoctorScreen) and app.screen.highlighted)
        doctor = app.screen
        assert isinstance(doctor, DoctorScreen)

        def highlighted() -> str:
            return "" if doctor.highlighted is None else doctor.highlighted.kind

        assert highlighted() == "loose"
        found.set()
        await until(lambda: doctor.quiet)
        assert highlighted() == "tail"


async def test_paths_are_cut_to_the_width_there_is_also_when_that_changes() -> None:
    store = store_with("alpha")
    path = "/-code-api/gone-" + "x" * 36 + ".jsonl"
    store.loose["meta", path] = b"17"
    async with running(store, size=(140, 34)) as (app, pilot):
        await opened(pilot)
        await until(lambda: shows(app, path))
        await pilot.resize_terminal(60, 34)
        await until(lambda: shows(app, "…xx") and not shows(app, path))
        await pilot.resize_terminal(140, 34)
        await until(lambda: shows(app, path))


async def test_nothing_wrong_is_said_in_so_many_words() -> None:
    async with running(store_with("alpha")) as (app, pilot):
        await opened(pilot)
        assert shows(app, "Doctor  no problems found")


async def test_one_key_repairs_after_asking_and_another_takes_it_back() -> None:
    store = broken_store()
    before = snapshot(store)
    whole = (store.data(path_of("head")) or b"") + (store.data(TAIL) or b"")
    async with running(store) as (app, pilot):
        doctor = await opened(pilot)
        await pilot.press("f")
        await until(lambda: isinstance(app.screen, Question))
        await pilot.pause()
        assert shows(app, "Repair /-code-api/")
        await pilot.press("enter")
        await until(lambda: app.screen is doctor)
        assert snapshot(store) == before
        await agree(pilot, doctor, "f")
        assert store.data(path_of("head")) == whole
        assert TAIL not in store.sessions
        assert shows(app, "3 findings, 3 can be repaired   repaired")
        await agree(pilot, doctor, "u")
        assert snapshot(store) == before
        assert shows(app, "4 findings, 4 can be repaired")


async def test_another_key_repairs_all_of_a_kind() -> None:
    store = broken_store()
    async with running(store) as (app, pilot):
        doctor = await opened(pilot)
        await pilot.press("down")
        await agree(pilot, doctor, "F")
        assert store.loose == {}
        assert shows(app, "1 finding, 1 can be repaired   3 repaired")
        assert TAIL in store.sessions


async def test_a_piece_that_grew_just_now_waits_and_says_why() -> None:
    store = broken_store()
    store.append(TAIL, b'{"type":"custom","id":"zz","parentId":"x"}\n', mtime_ms=NOW_MS - 5000)
    before = snapshot(store)
    async with running(store) as (app, pilot):
        doctor = await opened(pilot)
        assert shows(app, "It waits for an agent that may hold it open: it grew 5 s ago")
        await agree(pilot, doctor, "F")
        assert shows(app, "not repaired: an agent may be at work on it: it grew 5 s ago")
        assert shows(app, "4 findings")
        assert snapshot(store) == before
        await pilot.press("f")
        await until(lambda: isinstance(app.screen, Question))
        asked = app.screen
        assert isinstance(asked, Question)
        told = [line.plain for line in asked.lines]
        assert any("Its agent would lose the rest of its work." in line for line in told)
        await until(lambda: shows(app, "Repair it anyway"))
        await pilot.press("n")
        await until(lambda: app.screen is doctor and doctor.quiet)
        assert snapshot(store) == before
        await agree(pilot, doctor, "f")
        assert shows(app, "3 findings")
    assert TAIL not in store.sessions


async def test_a_repair_of_our_own_is_not_told_as_somebody_elses_deletion() -> None:
    store = broken_store()
    async with running(store) as (app, pilot):
        app.main.sessions.select(TAIL)
        await settle(pilot)
        assert app.main.reading.path == TAIL
        doctor = await opened(pilot)
        await agree(pilot, doctor, "f")
        assert TAIL not in store.sessions
        await pilot.press("escape")
        await until(lambda: app.screen is app.main)
        await settle(pilot)
        assert not shows(app, "deleted elsewhere")
    async with running(store) as (app, pilot):
        app.main.sessions.select(path_of("head"))
        await settle(pilot)
        store.delete(path_of("head"))
        await until(lambda: shows(app, "deleted elsewhere"))


async def test_what_omp_leaves_behind_is_a_note() -> None:
    store = store_with("alpha")
    held = store.sessions[path_of("alpha")]
    later = make_title_field("Newer", "auto", NOW_MS)
    store.retitle(path_of("alpha"), later, mtime_ms=held.mtime_ms)
    async with running(store) as (app, pilot):
        await opened(pilot)
        assert shows(app, "no problems found, 1 note, 1 can be repaired")


async def test_enter_goes_to_the_session() -> None:
    async with running(broken_store()) as (app, pilot):
        await opened(pilot)
        await pilot.press("enter")
        await until(lambda: app.screen is app.main)
        await until(lambda: app.main.sessions.highlighted == TAIL)


async def test_broken_lines_are_looked_for_where_asked() -> None:
    store = store_with("alpha")
    store.append(path_of("alpha"), b'{"cut\n', mtime_ms=NOW_MS - 20 * HOUR_MS)
    async with running(store) as (app, pilot):
        doctor = await opened(pilot)
        assert shows(app, "no problems found")
        await pilot.press("L")
        await until(lambda: len(doctor.findings) and doctor.quiet)
        await pilot.pause()
        assert shows(app, "Broken lines  1")
        assert shows(app, "it is not JSON")
        assert app.focused is not None
        await pilot.press("f")
        await pilot.pause()
        assert app.screen is doctor
        assert shows(app, "no repair for this")


async def test_where_nothing_may_be_changed_nothing_is_repaired() -> None:
    store = broken_store()
    before = snapshot(store)
    async with running(store, config=Config(read_only=True)) as (app, pilot):
        doctor = await opened(pilot)
        for key in ("f", "F", "u"):
            await pilot.press(key)
            await pilot.pause()
            assert app.screen is doctor
            assert shows(app, "read-only: as asked")
    assert snapshot(store) == before


def put_folder_in_place(folder: Path) -> None:
    """Put a folder in place of the one file in a folder."""
    [file] = folder.iterdir()
    file.unlink()
    file.mkdir()


async def test_a_journal_that_cannot_be_read_is_told(journal: Path) -> None:
    store = broken_store()
    async with running(store) as (app, pilot):
        doctor = await opened(pilot)
        await agree(pilot, doctor, "f")
        put_folder_in_place(journal)
        await pilot.press("u")
        await until(lambda: shows(app, "the journal of repairs cannot be read"))


async def test_hostile_text_is_shown_and_not_obeyed() -> None:
    store = store_with("alpha")
    evil = make_title_field("\x1b]52;c;aGFja2Vk\x07[/x][bold]", "user", NOW_MS)
    held = store.sessions[path_of("alpha")]
    store.retitle(path_of("alpha"), evil, mtime_ms=held.mtime_ms)
    store.loose["meta", "/\x1b[2J\u202e[/x].jsonl"] = b"17"
    async with running(store) as (app, pilot):
        await opened(pilot)
        assert shows(app, "[/x][bold]")
        await pilot.press("down")
        await pilot.pause()
        assert shows(app, "␛[2J\ufffd[/x].jsonl")


class DiedError(BaseException):
    """Ends what happens as the end of the process would."""


async def test_what_is_written_over_is_noted_before(monkeypatch: pytest.MonkeyPatch) -> None:
    store = broken_store()
    before = snapshot(store)
    async with running(store) as (app, _pilot):
        steps = StoreScan(app.workspace).examine()
        found = [one async for step in steps for one in step.found if one.kind == "loose"]
        repairs = Repairs(app.workspace)
        backend = MemoryBackend(store)

        async def change_and_die(changes: Sequence[HashFieldChange]) -> None:
            await backend.change_fields(changes)
            raise DiedError

        with monkeypatch.context() as patch:
            patch.setattr(repairs, "_change", change_and_die)
            with pytest.raises(DiedError):
                await repairs.fix(found[0])
        assert snapshot(store) != before
        [noted] = Repairs(app.workspace).made()
        await Repairs(app.workspace).take_back(noted)
        assert snapshot(store) == before
        assert repairs.made() == []


async def test_a_title_that_somebody_gives_meanwhile_stays() -> None:
    store = store_with("alpha")
    path = path_of("bare")
    bare = session("Bare", "Why?", slot=False)
    store.write(path, bare, mtime_ms=NOW_MS - 40 * HOUR_MS)
    store.retitle(path, make_title_field("Old", "user", 1), mtime_ms=NOW_MS - 40 * HOUR_MS)
    async with running(store) as (app, _pilot):
        steps = StoreScan(app.workspace).examine()
        found = [one async for step in steps for one in step.found]
        [finding] = [one for one in found if one.kind == "title-over-header"]
        newer = make_slot("New", source="user", updated_at=NOW_MS) + bare
        store.write(path, newer, mtime_ms=NOW_MS, title=make_title_field("New", "user", NOW_MS))
        repairs = Repairs(app.workspace)
        with pytest.raises(StorageError, match="not as it was found"):
            await repairs.fix(finding)
        assert repairs.made() == []
    assert bytes(store.sessions[path].data) == newer


async def test_who_leaves_while_it_examines_is_back_in_the_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def examine(_checkup: StoreScan, *, deep: bool) -> AsyncIterator[ScanProgress]:
        while True:
            yield ScanProgress("Looking", int(deep), 3)
            await asyncio.sleep(0)

    monkeypatch.setattr(StoreScan, "examine", examine)
    async with running(broken_store()) as (app, pilot):
        for _ in range(5):
            await pilot.press("D")
            await until(lambda: isinstance(app.screen, DoctorScreen))
            await pilot.press("escape")
            await until(lambda: app.screen is app.main)
        assert app.failure is None
