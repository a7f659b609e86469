"""Finding inside a transcript: keys, counter, what is lit and where the view goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sessiontui.app.widgets.transcript.finder import FindState
from sessiontui.app.widgets.transcript.pane import TranscriptPane, find_summary
from sessiontui.formats.jsonl import encode_entries
from tests.app.support import path_of, rows, running, session, settle, shows
from tests.app.test_transcript_keys import call, marked, message, turns, write
from tests.app.transcript_host import Host, reading, settled
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from textual.pilot import Pilot

WIDE = (110, 30)


async def look_for(app: Host, pilot: Pilot[None], text: str) -> None:
    """Type what to find, and wait until everything was looked through."""
    app.query_one(TranscriptPane).open_find()
    await pilot.press(*text, "enter")
    await settled(app, pilot)


def told(app: Host) -> str:
    return str(app.query_one("#transcript-find-count").render())


def lit(app: Host) -> list[str]:
    """Return the pieces of text that are lit."""
    view = app.view
    style = view.get_component_rich_style("transcript--match")
    return [
        segment.text
        for y in range(view.size.height)
        for segment in view.render_line(y)
        if segment.style is not None and segment.style.bgcolor == style.bgcolor
    ]


async def test_n_and_capital_n_go_round_all_hits(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(30)), size=WIDE) as (app, pilot, _source):
        await pilot.press("g")
        await settled(app, pilot)
        await look_for(app, pilot, "QUESTION 1")
        assert told(app) == "1 of 11"
        assert lit(app) == ["question 1"]
        seen = [marked(app)[-1]]
        for number in range(2, 12):
            await pilot.press("n")
            await settled(app, pilot)
            assert told(app) == f"{number} of 11"
            seen.append(marked(app)[-1])
        assert seen == [f"question {number}" for number in (1, *range(10, 20))]
        await pilot.press("n")
        await settled(app, pilot)
        assert told(app) == "1 of 11"
        await pilot.press("N")
        await settled(app, pilot)
        assert marked(app)[-1] == "question 19"
        assert app.follow[-1][0] is False


async def test_from_the_end_the_nearest_hit_above_is_shown(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(300)), size=WIDE) as (app, pilot, _source):
        await look_for(app, pilot, "question 2")
        assert marked(app)[-1] == "question 299"
        assert told(app) == "111 of 111"


async def test_a_hit_in_folded_output_is_unfolded_with_its_call(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(20)), size=WIDE) as (app, pilot, _source):
        assert "out 12.7" not in app.painted()
        await look_for(app, pilot, "out 12.7")
        assert told(app) == "1 of 1"
        assert "    out 12.7" in app.rows()
        assert "    out 12.7" in marked(app)
        assert lit(app) == ["out 12.7"]


async def test_a_hit_in_hidden_thinking_shows_it(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(20)), size=WIDE) as (app, pilot, _source):
        await pilot.press("T")
        await look_for(app, pilot, "pondering 4")
        assert lit(app) == ["pondering 4"]


async def test_a_hit_beyond_what_the_screen_shows_marks_its_entry(tmp_path: Path) -> None:
    output = "\n".join(f"out {number}" for number in range(2000))
    async with reading(write(tmp_path, call(1, "make", output)), size=WIDE) as (app, pilot, _):
        await look_for(app, pilot, "out 1500")
        assert told(app) == "1 of 1"
        assert app.view.current is not None
        assert any(row.startswith("▾ bash  make") for row in app.rows())


async def test_patterns_are_found_and_bad_ones_are_told(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(20)), size=WIDE) as (app, pilot, _source):
        await look_for(app, pilot, "re:/question 1[23]$/")
        assert told(app) == "2 of 2"
        await pilot.press("N")
        await settled(app, pilot)
        assert marked(app)[-1] == "question 12"
        app.query_one(TranscriptPane).open_find()
        await pilot.press("end", *"(")
        await settled(app, pilot)
        assert told(app).startswith("no pattern: missing )")
        assert lit(app) == []


async def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(3)), size=WIDE) as (app, pilot, _source):
        await look_for(app, pilot, "no such words")
        assert told(app) == "nothing found"
        assert "answer 2" in app.painted()


@pytest.mark.parametrize("key", ["end", "g"])
async def test_letters_that_lead_nowhere_lead_back(tmp_path: Path, key: str) -> None:
    async with reading(write(tmp_path, turns(30)), size=WIDE) as (app, pilot, _source):
        await pilot.press(key)
        await settled(app, pilot)
        before = app.rows()[:-1]
        pane = app.query_one(TranscriptPane)
        pane.open_find()
        await pilot.press(*"question 1")
        await settled(app, pilot)
        assert lit(app)
        await pilot.press("5", "5")
        await settled(app, pilot)
        assert told(app) == "nothing found"
        assert app.follow[-1][0] is (key == "end")
        await pilot.press("escape")
        await settled(app, pilot)
        assert app.rows()[:-1] == before


async def test_escape_ends_the_search_and_takes_the_line_away(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(20)), size=WIDE) as (app, pilot, _source):
        pane = app.query_one(TranscriptPane)
        pane.open_find()
        await pilot.press(*"question")
        await settled(app, pilot)
        assert pane.has_class("-finding")
        assert lit(app)
        await pilot.press("escape")
        await settled(app, pilot)
        assert not pane.has_class("-finding")
        assert lit(app) == []
        assert app.focused is app.view
        before = app.rows()
        await pilot.press("n")
        await settled(app, pilot)
        assert app.rows() == before


async def test_hits_are_marked_beside_the_scroll_bar(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(60)), size=WIDE) as (app, pilot, _source):
        await pilot.press("g")
        await look_for(app, pilot, "question 30")
        marks = [
            y for y in range(app.view.size.height) if app.view.render_line(y).text.endswith("▐")
        ]
        assert len(marks) == 1
        assert abs(marks[0] - app.view.size.height // 2) <= 3


async def test_what_is_appended_counts_and_a_rewritten_session_is_searched_anew(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, turns(5))
    async with reading(path, size=WIDE) as (app, pilot, source):
        await look_for(app, pilot, "question")
        assert told(app) == "5 of 5"
        with path.open("ab") as file:
            file.write(encode_entries([message("user", "one more question")]))
        source.feed(app.document)
        await until(lambda: told(app) == "5 of 6")
        path.write_bytes(encode_entries([message("user", "only one question")]))
        app.document.rewritten(path.stat().st_size)
        await until(lambda: told(app) == "1 found")
        assert "only one question" in app.rows()
        await pilot.press("n")
        await settled(app, pilot)
        assert told(app) == "1 of 1"


async def test_stored_lines_are_lit_as_well(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(20)), size=WIDE) as (app, pilot, _source):
        await pilot.press("v")
        await look_for(app, pilot, "question 7")
        assert lit(app) == ["question 7"]


async def test_a_failing_source_is_told(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(20)), size=WIDE) as (app, pilot, source):
        source.fails = True
        await look_for(app, pilot, "question 7")
        assert told(app).startswith("the server ␛[31mis")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (FindState(3, 17, 0.4, False, False), "3 of 17 · 40%"),
        (FindState(3, 17, 1.0, True, False), "3 of 17"),
        (FindState(0, 0, 0.05, False, False), "nothing yet · 5%"),
        (FindState(1, 100_000, 0.5, True, True), "1 of 100,000+"),
    ],
)
def test_how_far_a_search_is_in_words(found: FindState, words: str) -> None:
    assert find_summary(found) == (words, False)


def store() -> Any:
    from sessiontui.storage.memory import MemoryStore
    from tests.app.support import HOUR_MS, NOW_MS

    store = MemoryStore(clock=lambda: NOW_MS)
    talk = [f"Question {number} about alpha" for number in range(40)]
    data = session("Title alpha", *talk, session_id="alpha")
    store.write(path_of("alpha"), data, mtime_ms=NOW_MS - HOUR_MS)
    return store


async def test_slash_finds_in_the_pane_that_has_the_focus() -> None:
    async with running(store()) as (app, pilot):
        await pilot.press("/", *"alp")
        await settle(pilot)
        assert app.main.filter_line.text == "alp"
        assert not app.main.transcript_pane.has_class("-finding")
        await pilot.press("escape", "tab", "/", *"question 1")
        await settle(pilot)
        assert app.main.filter_line.text == ""
        assert shows(app, "of 22")
        assert app.main.footer.context == "transcript"
        assert app.main.has_class("-reading")
        await pilot.press("enter", "n")
        await settle(pilot)
        assert app.main.transcript.has_focus
        assert "n next match   N previous match" in rows(app)[-1]
        await pilot.press("escape")
        await settle(pilot)
        assert not shows(app, "of 22")
        assert "next match" not in rows(app)[-1]
        assert app.main.transcript.has_focus
        await pilot.press("escape")
        assert app.main.sessions.has_focus


async def test_keys_typed_at_once_after_the_slash_are_what_to_find() -> None:
    async with running(store()) as (app, pilot):
        await pilot.press("tab")
        await pilot.press("/", *"qdrunNx")
        await settle(pilot)
        assert any("qdrunNx" in row for row in rows(app))
        assert app.screen is app.main
