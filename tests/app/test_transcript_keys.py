"""What keys and clicks do in the transcript, and that every kind of session shows in it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from sessiontui.formats.jsonl import encode_entries
from tests.app.transcript_host import Host, reading, settled
from tests.corpus import CORPUS
from tests.sessions import claude_session, codex_session, every_omp_entry, pi_session

if TYPE_CHECKING:
    from pathlib import Path

HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ufeff]")


def message(role: str, content: Any = "", **fields: Any) -> dict[str, Any]:
    return {"type": "message", "message": {"role": role, "content": content, **fields}}


def call(number: int, command: str, output: str, *, error: bool = False) -> list[dict[str, Any]]:
    """Return a call of bash and its result."""
    content = [
        {"type": "toolCall", "id": f"c{number}", "name": "bash", "arguments": {"command": command}}
    ]
    return [
        message("assistant", content, model="opus-5"),
        message("toolResult", output, toolCallId=f"c{number}", toolName="bash", isError=error),
    ]


def turns(count: int, *, failing: int = -1) -> list[dict[str, Any]]:
    """Return turns of a question, thinking, a tool and an answer each."""
    entries: list[dict[str, Any]] = []
    for number in range(count):
        entries.append(message("user", f"question {number}"))
        entries += call(
            number,
            f"make {number}",
            "\n".join(f"out {number}.{line}" for line in range(30)),
            error=number == failing,
        )
        content = [
            {"type": "thinking", "thinking": f"pondering {number}"},
            {"type": "text", "text": f"answer {number} " + "and more words " * 20},
        ]
        entries.append(message("assistant", content, model="opus-5"))
    return entries


def write(folder: Path, entries: list[dict[str, Any]]) -> Path:
    path = folder / "s.jsonl"
    path.write_bytes(encode_entries(entries))
    return path


def marked(app: Host) -> list[str]:
    """Return the rows of the current entry that are in view."""
    view = app.view
    lines = [view.render_line(y).text for y in range(view.size.height)]
    return [line[2:].rstrip() for line in lines if line.startswith("▎")]


async def test_brackets_go_from_turn_to_turn_and_to_the_ends(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(8))) as (app, pilot, _source):
        for number in (7, 6, 5):
            await pilot.press("[")
            await settled(app, pilot)
            assert marked(app)[-1] == f"question {number}"
        assert app.rows()[1] == "question 5"
        await pilot.press("]")
        await settled(app, pilot)
        assert app.rows()[1] == "question 6"
        for _ in range(7):
            await pilot.press("[")
            await settled(app, pilot)
        assert app.rows()[1] == "question 0"
        assert app.follow[-1][0] is False
        for _ in range(8):
            await pilot.press("]")
            await settled(app, pilot)
        assert app.follow[-1][0] is True


async def test_braces_go_from_error_to_error(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(9, failing=3))) as (app, pilot, _source):
        await pilot.press("{")
        await settled(app, pilot)
        assert marked(app)[0] == "▸ bash  make 3"
        before = app.rows()
        await pilot.press("{")
        await settled(app, pilot)
        assert app.rows() == before
        await pilot.press("g", "}")
        await settled(app, pilot)
        assert marked(app)[0] == "▸ bash  make 3"


async def test_x_unfolds_the_current_entry_and_its_heading_stays(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(6, failing=2))) as (app, pilot, _source):
        await pilot.press("{")
        await settled(app, pilot)
        at = app.rows().index("▸ bash  make 2")
        assert "    out 2.5" not in app.rows()
        await pilot.press("x")
        assert app.rows()[at] == "▾ bash  make 2"
        assert app.rows()[at + 6] == "    out 2.5"
        await pilot.press("x")
        assert app.rows()[at] == "▸ bash  make 2"
        assert "    out 2.5" not in app.rows()


async def test_capital_x_unfolds_everything_and_keeps_the_place(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(6))) as (app, pilot, _source):
        await pilot.press("[", "[")
        await settled(app, pilot)
        assert app.rows()[1] == "question 4"
        await pilot.press("X")
        assert app.rows()[1] == "question 4"
        assert app.rows()[3] == "▾ bash  make 4"
        assert app.rows()[4] == "    out 4.0"
        await pilot.press("X")
        assert app.rows()[4] == "    … 26 lines above"


async def test_capital_t_hides_and_shows_thinking(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(3))) as (app, pilot, _source):
        assert "pondering 2" in app.painted()
        await pilot.press("T")
        assert "pondering" not in app.painted()
        assert "answer 2" in app.painted()
        await pilot.press("T")
        assert "pondering 2" in app.painted()


async def test_w_cuts_long_lines_instead_of_wrapping_them(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(3))) as (app, pilot, _source):
        await pilot.press("w")
        (row,) = [row for row in app.rows() if row.startswith("answer 2")]
        assert row.endswith("…")
        assert app.rows()[-1] == row


async def test_v_shows_the_stored_lines(tmp_path: Path) -> None:
    path = write(tmp_path, turns(3))
    async with reading(path) as (app, pilot, _source):
        await pilot.press("v")
        await settled(app, pilot)
        assert app.rows()[-1].endswith('"}}')
        assert app.view.flow is not None
        assert app.view.flow.text() + "\n" == stored(path)
        await pilot.press("v")
        assert "answer 2" in app.painted()


def stored(path: Path) -> str:
    return path.read_text("utf-8")


async def test_a_click_on_a_heading_unfolds_it(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(6))) as (app, pilot, _source):
        at = app.rows().index("▸ bash  make 5")
        await pilot.click(app.view, offset=(6, at))
        assert app.rows()[at] == "▾ bash  make 5"
        assert marked(app)[0] == "▾ bash  make 5"
        await pilot.click(app.view, offset=(6, at))
        assert app.rows()[at] == "▸ bash  make 5"


async def test_the_current_entry_stays_in_view_while_scrolling(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(30))) as (app, pilot, _source):
        assert marked(app)
        for key in ("pageup", "up", "pageup", "pageup", "down", "pagedown", "home", "pagedown"):
            await pilot.press(key)
            await settled(app, pilot)
            assert marked(app), key


async def test_entries_can_be_walked_one_by_one(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(30))) as (app, pilot, _source):
        await pilot.press("g")
        await settled(app, pilot)
        seen = [marked(app)[0]]
        for _ in range(25):
            await pilot.press("J")
            await settled(app, pilot)
            seen.append(marked(app)[0])
        questions = [row for row in seen if row.startswith("▸ bash")]
        assert questions == [f"▸ bash  make {number}" for number in range(len(questions))]
        assert len(questions) > 6
        here = marked(app)[0]
        await pilot.press("J", "K")
        await settled(app, pilot)
        assert marked(app)[0] == here


async def test_the_theme_changes_colours_at_once(tmp_path: Path) -> None:
    async with reading(write(tmp_path, turns(3))) as (app, pilot, _source):
        row = app.rows().index("question 2")

        def colours() -> set[str]:
            return {str(segment.style) for segment in app.view.render_line(row)}

        dark = colours()
        app.theme = "sessiontui-light"
        await pilot.pause()
        assert colours().isdisjoint(dark)


OWN = {
    "omp": every_omp_entry(),
    "pi": encode_entries(pi_session()),
    "pi-1": encode_entries(pi_session(version=None)),
    "claude": encode_entries(claude_session()),
    "codex": encode_entries(codex_session()),
    "byte-order-mark": b"\xef\xbb\xbf" + encode_entries(pi_session()),
    "crlf": encode_entries(pi_session()).replace(b"\n", b"\r\n"),
    "cut-off": every_omp_entry()[:-10],
    "not-text": bytes(range(256)) * 20,
    "not-a-session": b"2026-01-01 started\n[error] x\n",
    "two-on-a-line": encode_entries(pi_session()).replace(b"\n", b""),
    "one-brace": b"{",
}


async def read_through(path: Path) -> None:
    """Show a session in every way at two widths, and check what is painted."""
    async with reading(path, size=(120, 30)) as (app, pilot, _source):

        async def check() -> None:
            await settled(app, pilot)
            for y in range(30):
                strip = app.view.render_line(y)
                assert strip.cell_length == app.view.cells_in_view
                assert HARMFUL.search(strip.text) is None
            assert app.painted().strip()

        await check()
        for key in ("X", "v", "g", "w"):
            await pilot.press(key)
            await check()
        await pilot.resize_terminal(40, 30)
        await check()
        await pilot.press("v", "T", "end")
        await check()
        assert app.failures == []


@pytest.mark.parametrize("name", OWN)
async def test_every_kind_of_session_shows(tmp_path: Path, name: str) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(OWN[name])
    await read_through(path)


CORPUS_FILES = sorted(CORPUS.glob("*.jsonl"))


@pytest.mark.skipif(not CORPUS_FILES, reason="the corpus is not beside this checkout")
@pytest.mark.parametrize("path", CORPUS_FILES, ids=lambda path: path.stem)
async def test_every_session_of_the_corpus_shows(path: Path) -> None:
    await read_through(path)


async def test_escape_codes_markup_and_bidi_marks_are_painted_as_pictures(tmp_path: Path) -> None:
    hostile = "\x1b]52;c;aGk=\x07 [/x] [red]r[/red] \u202eevil\u2066 \x9b31m \x00 tab\there"
    entries = [
        message("user", hostile),
        *call(1, hostile, hostile),
        message(
            "assistant", [{"type": "text", "text": f"**{hostile}** `{hostile}`"}], model=hostile
        ),
        {"type": hostile, hostile: hostile},
        {"type": "custom", "customType": hostile, "data": {hostile: hostile}},
    ]
    path = tmp_path / "s.jsonl"
    path.write_bytes(encode_entries(entries) + json.dumps(hostile).encode() + b"\n\x1b[2J broken\n")
    async with reading(path, size=(100, 60)) as (app, pilot, _source):
        for key in ("X", "v"):
            await pilot.press(key)
            await settled(app, pilot)
            assert HARMFUL.search(app.painted().replace("\n", "")) is None
            assert "[/x]" in app.painted()
