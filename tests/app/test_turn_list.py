"""The list of turns: what stands in it, where it begins and where it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from textual.widgets import OptionList, Static

from sessiontui.app.screens import turn_list
from sessiontui.app.screens.turn_list import TurnListScreen
from sessiontui.formats.jsonl import encode_entries
from tests.app.test_transcript_keys import HARMFUL, marked, message, turns, write
from tests.app.transcript_host import Host, reading, settled
from tests.sessions import claude_session, pi_session
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from textual.pilot import Pilot

CODEX = [
    {"type": "session_meta", "payload": {"id": "019f", "cwd": "/x"}},
    {
        "type": "response_item",
        "payload": {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "Port the parser"}],
        },
    },
]


async def listed(app: Host, pilot: Pilot[None]) -> list[str]:
    """Open the list; return its lines once all are there."""
    await pilot.press("O")
    await until(lambda: isinstance(app.screen, TurnListScreen))
    await app.workers.wait_for_complete(list(app.workers))
    await pilot.pause()
    options = app.screen.query_one(OptionList)
    return [str(options.get_option_at_index(n).prompt) for n in range(options.option_count)]


def heading(app: Host) -> str:
    return str(app.screen.query_one("#outline-heading", Static).render())


async def test_every_turn_is_listed_with_its_time_and_first_line(tmp_path: Path) -> None:
    entries = turns(30)
    entries[0]["timestamp"] = "2026-09-10T08:00:00.000Z"
    entries += [message("user", "\n\n  first words\nsecond"), message("user", "")]
    entries += [message("user", "not a person", attribution="agent")]
    async with reading(write(tmp_path, entries)) as (app, pilot, _source):
        lines = await listed(app, pilot)
        assert lines[0].split() == ["2026-09-10", "08:00", "1", "tool", "question", "0"]
        assert [" ".join(line.split()) for line in lines[1:]] == [
            *(f"1 tool question {number}" for number in range(1, 30)),
            "first words",
            "",
        ]
        assert heading(app) == "Turns  32 turns"


async def test_each_turn_tells_how_many_tools_ran_and_failed(tmp_path: Path) -> None:
    entries = [message("user", "before any"), *turns(4, failing=2), message("user", "after all")]
    async with reading(write(tmp_path, entries)) as (app, pilot, _source):
        lines = [" ".join(line.split()) for line in await listed(app, pilot)]
        assert lines == [
            "before any",
            "1 tool question 0",
            "1 tool question 1",
            "1 tool ✗ 1 question 2",
            "1 tool question 3",
            "after all",
        ]


async def test_enter_goes_to_the_turn_and_escape_nowhere(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(30))) as (app, pilot, _source):
        before = app.rows()
        await listed(app, pilot)
        await pilot.press("up", "up", "escape")
        await settled(app, pilot)
        assert app.rows() == before
        await listed(app, pilot)
        await pilot.press("G", "g", "j", "k", "down", "]", "enter")
        await settled(app, pilot)
        assert app.screen is app.screen_stack[0]
        assert marked(app)[-1] == "question 2"
        assert app.rows()[1] == "question 2"
        assert app.follow[-1][0] is False


async def test_the_turn_one_reads_is_highlighted(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(30))) as (app, pilot, _source):
        for _ in range(12):
            await pilot.press("[")
            await settled(app, pilot)
        assert marked(app)[-1] == "question 18"
        await listed(app, pilot)
        assert app.screen.query_one(OptionList).highlighted == 18


@pytest.mark.parametrize("size", [(100, 30), (60, 15)])
async def test_the_turn_one_reads_is_in_view(tmp_path: Path, size: tuple[int, int]) -> None:
    async with reading(write(tmp_path, turns(60)), size=size) as (app, pilot, _source):
        await listed(app, pilot)
        turns_shown = app.screen.query_one(OptionList)
        assert turns_shown.highlighted == 59
        await until(lambda: turns_shown.scroll_y == turns_shown.max_scroll_y > 0)


async def test_turns_far_from_what_is_read_are_reached(tmp_path: Path) -> None:
    entries = [message("user", "the very first"), *turns(3)]
    entries += [message("assistant", "x" * 100_000) for _ in range(120)]
    path = write(tmp_path, [*entries, message("user", "the very last")])
    async with reading(path) as (app, pilot, _source):
        assert len(await listed(app, pilot)) == 5
        await pilot.press("g", "enter")
        await settled(app, pilot)
        assert marked(app)[-1] == "the very first"
        assert app.document.start == 0


@pytest.mark.parametrize("entries", [pi_session(), claude_session(), CODEX])
async def test_other_agents_have_turns_too(tmp_path: Path, entries: list[Any]) -> None:
    async with reading(write(tmp_path, entries)) as (app, pilot, _source):
        assert await listed(app, pilot)


async def test_no_turns_and_hostile_ones(tmp_path: Path) -> None:
    path = write(tmp_path, [message("assistant", "alone")])
    async with reading(path) as (app, pilot, _source):
        assert await listed(app, pilot) == []
        assert heading(app) == "Turns  no turns"
        await pilot.press("enter", "escape")
    path.write_bytes(encode_entries([message("user", "[/x] [red]\x1b]52;c;aGk=\x07\u202e")]))
    async with reading(path) as (app, pilot, _source):
        (line,) = await listed(app, pilot)
        assert HARMFUL.search(line) is None
        assert "[/x] [red]" in line


async def test_there_is_an_end_to_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_list, "MAX_TURNS", 10)
    async with reading(write(tmp_path, turns(30))) as (app, pilot, _source):
        assert len(await listed(app, pilot)) == 10
        assert heading(app) == "Turns  the first 10 turns"


async def test_a_failing_source_is_told(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(3))) as (app, pilot, source):
        source.fails = True
        await listed(app, pilot)
        assert "the server ␛[31mis" in heading(app)


async def test_each_turn_takes_one_row_however_long_it_is(tmp_path: Path) -> None:
    entries = [message("user", "many words " * 50), *turns(3)]
    async with reading(write(tmp_path, entries)) as (app, pilot, _source):
        lines = await listed(app, pilot)
        assert app.screen.query_one(OptionList).virtual_size.height == len(lines) == 4
