"""One branch of a session on the screen: folds, forks, choosing another, what the model sees."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from textual.widgets import Input, OptionList, Static

from sessiontui.app.screens.branch_list import BranchListScreen
from sessiontui.app.screens.entry_json import EntryJsonScreen
from sessiontui.app.screens.time_dialog import TimeDialog, parse_time
from sessiontui.app.widgets.transcript.pane import TranscriptPane
from sessiontui.formats.jsonl import encode_entries
from sessiontui.times import iso_time
from tests.app.test_transcript_keys import HARMFUL, marked, write
from tests.app.transcript_host import Host, reading, settled
from tests.corpus import corpus_file
from tests.sessions import START_MS
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from textual.pilot import Pilot


def said(own: str, parent: str | None, *, pad: int = 0, at: int = 0, **more: Any) -> dict[str, Any]:
    """Return what the user said: its id, and maybe much more."""
    words = f"said {own}" + " and more words" * pad
    return {
        "type": "message",
        "id": own,
        "parentId": parent,
        "timestamp": iso_time(START_MS + 1000 * at),
        "message": {"role": "user", "content": words},
        **more,
    }


FORKED = [
    {"type": "session", "version": 3, "id": "s", "cwd": "/x"},
    said("a", None),
    said("b", "a"),
    said("c", "b", at=60),
    said("d", "c", at=61),
    said("e", "b", at=120),
    said("f", "e", at=121),
]


def branch_line(app: Host) -> str:
    line = app.query_one("#transcript-branch", Static)
    return str(line.render()) if line.display else ""


async def listed(app: Host, pilot: Pilot[None]) -> list[str]:
    """Open the list of branches; return its lines once all are there."""
    await pilot.press("B")
    await until(lambda: isinstance(app.screen, BranchListScreen))
    await app.workers.wait_for_complete(list(app.workers))
    await pilot.pause()
    options = app.screen.query_one(OptionList)
    return [str(options.get_option_at_index(n).prompt) for n in range(options.option_count)]


async def test_the_entries_of_another_branch_are_folded_and_a_mark_says_where_it_leaves(
    tmp_path: Path,
) -> None:
    async with reading(write(tmp_path, FORKED)) as (app, pilot, _source):
        text = app.painted()
        assert "▸ ⑂ 2 entries of another branch" in text
        assert "⑂ 1 branch leaves here" in text
        assert "said c" not in text
        assert text.index("said b") < text.index("leaves here") < text.index("▸ ⑂")
        while "▸" not in "".join(marked(app)):
            await pilot.press("K")
        await pilot.press("x")
        await settled(app, pilot)
        assert "▾ ⑂ 2 entries of another branch" in app.painted()
        assert app.painted().index("▾") < app.painted().index("said c")
        await pilot.press("P")
        await settled(app, pilot)
        assert app.told == ["This stands for other entries: expand it, or select one of them"]
        assert app.view.own_entry is None
        await pilot.press("x")
        await settled(app, pilot)
        assert "said d" not in app.painted()
        await pilot.press("v")
        await settled(app, pilot)
        assert "said d" in app.painted()


async def test_turns_of_another_branch_are_passed_over_and_hits_in_it_unfold_it(
    tmp_path: Path,
) -> None:
    async with reading(write(tmp_path, FORKED), size=(80, 24)) as (app, pilot, _source):
        for wanted in ("said e", "said b", "said a"):
            await pilot.press("[")
            await settled(app, pilot)
            assert marked(app)[-1].startswith(wanted)
        app.query_one(TranscriptPane).open_find()
        await pilot.press(*"said d", "enter")
        await settled(app, pilot)
        assert "said d" in app.painted()
        assert "▾ ⑂" in app.painted()


async def test_another_branch_is_chosen_from_a_list_and_left_again(tmp_path: Path) -> None:
    path = write(tmp_path, FORKED)
    async with reading(path) as (app, pilot, source):
        lines = await listed(app, pilot)
        assert [line.split("  ")[-1].strip() for line in lines] == ["said f", "said d"]
        assert lines[0].startswith("▸ 2026-")
        assert " 2 entries" in lines[0]
        assert " 2 entries" in lines[1]
        await pilot.press("j", "enter")
        await settled(app, pilot)
        assert "said d" in app.painted()
        assert "said f" not in app.painted()
        assert branch_line(app) == "⑂ Not the newest branch"
        with path.open("ab") as file:
            file.write(encode_entries([said("g", "f", at=122), said("h", "d", at=123)]))
        source.feed(app.document)
        await settled(app, pilot)
        assert "1 entry came elsewhere" in branch_line(app)
        await pilot.press("end")
        await settled(app, pilot)
        assert "said h" in app.painted()
        assert (await listed(app, pilot))[1].startswith("▸ ") is False
        await pilot.press("g", "enter")
        await settled(app, pilot)
        assert branch_line(app) == ""
        assert "said h" in app.painted()
        assert "said f" not in app.painted()


async def test_a_session_that_goes_on_in_another_branch_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, FORKED)
    async with reading(path) as (app, pilot, source):
        with path.open("ab") as file:
            file.write(encode_entries([said("g", "f", at=200)]))
        source.feed(app.document)
        await settled(app, pilot)
        assert app.switched == []
        with path.open("ab") as file:
            file.write(encode_entries([said("h", "d", at=201)]))
        source.feed(app.document)
        await settled(app, pilot)
        assert len(app.switched) == 1
        assert "said h" in app.painted()
        assert "said d" in app.painted()
        assert "said g" not in app.painted()


async def test_a_key_shows_what_the_model_sees_and_the_line_above_says_so(tmp_path: Path) -> None:
    entries = [
        FORKED[0],
        *(said(f"n{n}", f"n{n - 1}" if n else None, at=n) for n in range(8)),
        {"type": "label", "id": "l", "parentId": "n7", "targetId": "n1", "label": "good"},
        {
            "type": "compaction",
            "id": "cut",
            "parentId": "l",
            "summary": "All of it.",
            "firstKeptEntryId": "n6",
        },
        said("after", "cut", at=20),
    ]
    async with reading(write(tmp_path, entries), size=(90, 50)) as (app, pilot, _source):
        assert "said n0" in app.painted()
        await pilot.press("M")
        await settled(app, pilot)
        text = app.painted()
        assert branch_line(app) == "Model context"
        assert "▸ earlier entries, outside the model's context" in text
        assert [word in text for word in ("n5", "n6", "All of it", "after")] == [False, *[True] * 3]
        assert "good" not in text
        await pilot.press("M")
        await settled(app, pilot)
        assert branch_line(app) == ""
        assert "said n0" in app.painted()
        assert "good" in app.painted()


async def test_a_branch_longer_than_the_window_is_passed_by(tmp_path: Path) -> None:
    long = [said(f"x{n}", f"x{n - 1}" if n else "a", pad=1300) for n in range(320)]
    entries = [said("a", None), *long, said("b", "a"), said("c", "b")]
    async with reading(write(tmp_path, entries), size=(80, 14)) as (app, pilot, _source):
        assert app.document.size > 20 * 256 * 1024
        assert "said c" in app.painted()
        assert "or more entries of another branch" in app.painted()
        for _ in range(12):
            await pilot.press("pageup")
            await settled(app, pilot)
        assert app.document.start == 0
        assert "said a" in app.painted()
        await pilot.press("end")
        await settled(app, pilot)
        assert "said c" in app.painted()


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("14:02", "2026-11-20 14:02:00"),
        ("16:00", "2026-11-19 16:00:00"),
        ("7:30:15", "2026-11-20 07:30:15"),
        ("2026-11-18", "2026-11-18 00:00:00"),
        ("2026-11-18 9:05", "2026-11-18 09:05:00"),
        ("2026-11-18T09:05", "2026-11-18 09:05:00"),
        ("-2h", "2026-11-20 13:30:00"),
        ("-45m", "2026-11-20 14:45:00"),
        ("-1d", "2026-11-19 15:30:00"),
        ("", None),
        ("25:00", None),
        ("2026-02-30", None),
        ("soon", None),
        ("-h", None),
        ("12", None),
    ],
)
def test_a_time_is_understood_as_people_write_it(typed: str, expected: str | None) -> None:
    from datetime import UTC, datetime

    end = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
    found = parse_time(typed, int(end.timestamp() * 1000), UTC)
    told = found and datetime.fromtimestamp(found / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    assert told == expected


async def test_a_time_is_gone_to_wherever_it_is(tmp_path: Path) -> None:
    entries = [said(f"n{n}", f"n{n - 1}" if n else None, at=60 * n, pad=900) for n in range(600)]
    async with reading(write(tmp_path, entries)) as (app, pilot, source):
        before = source.read_bytes
        await pilot.press("@")
        await until(lambda: isinstance(app.screen, TimeDialog))
        await pilot.pause()
        app.screen.query_one(Input).value = "-400m"
        await pilot.press("enter")
        await settled(app, pilot)
        assert marked(app)[-1].startswith("said n199 ") or "said n199 " in app.painted()
        assert source.read_bytes - before < app.document.size / 2
        await pilot.press("@")
        await until(lambda: isinstance(app.screen, TimeDialog))
        await pilot.pause()
        await pilot.press(*"never", "enter")
        assert isinstance(app.screen, TimeDialog)
        await pilot.press("escape")


async def test_a_session_without_times_says_so(tmp_path: Path) -> None:
    async with reading(write(tmp_path, [{"type": "x"}])) as (app, pilot, _source):
        await pilot.press("@")
        await settled(app, pilot)
        assert app.told == ["No entry of this session tells its time"]


async def test_the_current_entry_shows_as_stored(tmp_path: Path) -> None:
    hostile = said("a", None, odd={"deep": [[None, True]], "esc": "\x1b]0;x\x07\u202e[/x]"})
    hostile["message"]["content"] = "y" * 5000
    async with reading(write(tmp_path, [hostile])) as (app, pilot, _source):
        await pilot.press("V")
        await until(lambda: isinstance(app.screen, EntryJsonScreen))
        await app.workers.wait_for_complete(list(app.workers))
        await pilot.pause()
        text = str(app.screen.query_one("#stored-text", Static).render())
        assert '"parentId": null' in text
        assert "4,000 more characters" in text
        assert "[/x]" in text
        assert all(HARMFUL.search(line) is None for line in text.split("\n"))
        await pilot.press("j", "G", "g", "escape")
        assert not isinstance(app.screen, EntryJsonScreen)


async def test_the_branches_of_a_real_tree_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(corpus_file("pi-v3-tree-branch-label-handwritten.jsonl").read_bytes())
    async with reading(path) as (app, pilot, _source):
        assert "of another branch" in app.painted()
        assert len(await listed(app, pilot)) == 2


@pytest.mark.parametrize(("key", "module"), [("B", "branches"), ("O", "search")])
async def test_a_list_may_be_closed_while_it_still_fills(
    tmp_path: Path, key: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"sessiontui.transcript.{module}.STEP_BYTES", 100)
    entries = [said(f"n{n}", f"n{n - 1}" if n else None) for n in range(3000)]
    async with reading(write(tmp_path, entries)) as (app, pilot, source):
        await pilot.press(key)
        await until(lambda: len(app.screen_stack) == 2)
        await until(lambda: app.screen.query_one(OptionList).option_count)
        before = source.read_bytes
        app.screen.dismiss(None)
        await until(lambda: len(app.screen_stack) == 1)
        await settled(app, pilot)
        assert source.read_bytes - before < app.document.size / 2


async def test_an_entry_as_stored_may_be_closed_before_it_is_read(tmp_path: Path) -> None:
    async with reading(write(tmp_path, FORKED)) as (app, pilot, source):
        source.gate = asyncio.Event()
        await pilot.press("V")
        await until(lambda: isinstance(app.screen, EntryJsonScreen))
        await pilot.press("escape")
        await until(lambda: len(app.screen_stack) == 1)
        source.gate.set()
        await settled(app, pilot)
        assert "said f" in app.painted()


async def test_a_branch_may_be_chosen_before_all_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessiontui.transcript.branches.STEP_BYTES", 400)
    async with reading(write(tmp_path, FORKED)) as (app, pilot, source):
        reads = source.read

        async def read_some(start: int, stop: int) -> bytes:
            if start < 400 and isinstance(app.screen, BranchListScreen):
                await asyncio.Event().wait()
            return await reads(start, stop)

        monkeypatch.setattr(app.document, "_read", read_some)
        await pilot.press("B")
        await until(lambda: isinstance(app.screen, BranchListScreen))
        await until(lambda: app.screen.query_one(OptionList).option_count == 2)
        await pilot.press("down", "enter")
        await until(lambda: len(app.screen_stack) == 1)
        await settled(app, pilot)
        assert "said d" in app.painted()
        assert "said f" not in app.painted()
