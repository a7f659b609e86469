"""The transcript on the screen: follows, keeps the reader's place, shows what is stored."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING

from textual import events
from textual.scrollbar import ScrollDown, ScrollTo, ScrollUp

from sessiontui.transcript.document import Document
from sessiontui.transcript.pages import MAX_PAGES, PAGE_BYTES
from tests.app.support import hold_up
from tests.app.transcript_host import Host, Source, reading, settled
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from textual.pilot import Pilot


def entry(text: str, role: str = "user", **fields: object) -> bytes:
    message = {"role": role, "content": [{"type": "text", "text": text}], **fields}
    return json.dumps({"type": "message", "message": message}).encode() + b"\n"


def write(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(lines))
    return path


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


async def grow(app: Host, pilot: Pilot[None], source: Source, path: Path, data: bytes) -> None:
    """Append as another process would, and wait until the view took it over."""
    append(path, data)
    source.feed(app.document)
    await settled(app, pilot)


def numbered(count: int, start: int = 0, words: int = 0, pad: int = 0) -> list[bytes]:
    """Return entries that say their number; `pad` bytes of each do not show."""
    return [
        entry(f"entry {number}" + " word" * words, pad="x" * pad)
        for number in range(start, start + count)
    ]


async def test_a_process_that_is_held_up_goes_on_following(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "s.jsonl", *numbered(50))
    async with reading(path) as (app, pilot, source):
        hold_up(monkeypatch)
        for number in range(10):
            await grow(app, pilot, source, path, entry(f"late {number}"))
            assert app.rows()[-1].strip() == f"late {number}"


async def test_a_session_opens_at_its_end_and_follows(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *numbered(50))
    async with reading(path) as (app, pilot, source):
        assert app.rows()[-1].strip() == "entry 49"
        assert app.follow == [(True, 0)]
        await grow(app, pilot, source, path, entry("the newest"))
        assert app.rows()[-1].strip() == "the newest"
        assert app.follow == [(True, 0)]


async def test_moving_up_stops_following_and_end_resumes_it(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *numbered(50))
    async with reading(path) as (app, pilot, source):
        await pilot.press("up")
        before = app.rows()
        assert app.follow[-1] == (False, 0)
        await grow(app, pilot, source, path, b"".join(numbered(7, 100)))
        assert app.rows() == before
        assert app.follow[-1] == (False, 7)
        await pilot.press("end")
        await settled(app, pilot)
        assert app.follow[-1] == (True, 0)
        assert app.rows()[-1].strip() == "entry 106"


async def test_scrolling_down_to_the_last_row_follows_again(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *numbered(50))
    async with reading(path) as (app, pilot, _source):
        await pilot.press("k", "k")
        assert app.follow[-1] == (False, 0)
        await pilot.press("j", "j")
        assert app.follow[-1] == (True, 0)


async def test_the_wheel_scrolls_and_stops_following(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *numbered(50))
    async with reading(path) as (app, pilot, _source):
        before = app.rows()
        await pilot._post_mouse_events([events.MouseScrollUp], app.view, offset=(5, 5))
        await pilot.pause()
        assert app.rows()[2:] == before[:-2]
        assert app.follow[-1] == (False, 0)


async def test_the_scrollbar_moves_the_view_and_stops_following(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *numbered(100))
    async with reading(path) as (app, pilot, _source):
        app.view.post_message(ScrollTo(y=0))
        await settled(app, pilot)
        assert app.rows()[1] == "entry 0"
        assert app.follow[-1] == (False, 0)
        app.view.post_message(ScrollDown())
        await settled(app, pilot)
        assert app.rows()[2] == "entry 10"
        app.view.post_message(ScrollUp())
        await settled(app, pilot)
        assert app.rows()[1] == "entry 0"


async def test_a_turn_near_the_end_stays_where_it_is_when_lines_come(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *numbered(50))
    async with reading(path) as (app, pilot, source):
        await pilot.press("[")
        await settled(app, pilot)
        before = app.rows()
        await grow(app, pilot, source, path, b"".join(numbered(40, 100)))
        assert app.rows() == before


async def test_reading_up_keeps_the_place_when_a_page_comes_above(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *numbered(300, pad=4000))
    assert path.stat().st_size > 3 * PAGE_BYTES
    async with reading(path) as (app, pilot, _source):
        seen: list[int] = []
        pages = 0
        while app.view.scroll_offset.y > 0 or not app.document.at_start:
            shown = [row.split()[1] for row in app.rows() if row.strip().startswith("entry")]
            seen = [int(number) for number in shown if int(number) not in seen] + seen
            await pilot.press("pageup")
            await settled(app, pilot)
            pages = max(pages, len(app.document.pages))
            assert pages <= MAX_PAGES
        assert pages > 3
        shown = [row.split()[1] for row in app.rows() if row.strip().startswith("entry")]
        seen = [int(number) for number in shown if int(number) not in seen] + seen
        assert seen == list(range(300))


async def test_home_and_end_jump_in_a_session_larger_than_the_window(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *numbered(1100, pad=5000))
    assert path.stat().st_size > (MAX_PAGES + 4) * PAGE_BYTES
    async with reading(path) as (app, pilot, source):
        await pilot.press("g")
        await settled(app, pilot)
        assert "entry 0\n" in app.painted()
        assert app.document.at_start
        assert not app.document.at_end
        await pilot.press("G")
        await settled(app, pilot)
        assert "entry 1099" in app.painted()
        assert app.follow[-1] == (True, 0)
        assert source.read_bytes < 6 * PAGE_BYTES


async def test_another_width_keeps_the_row_at_the_top(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *numbered(400, words=40))
    async with reading(path) as (app, pilot, _source):
        for _ in range(6):
            await pilot.press("pageup")
        first = next(row for row in app.rows() if row.strip().startswith("entry"))
        number = first.split()[1]
        for width in (60, 140, 41, 100):
            await pilot.resize_terminal(width, 30)
            await settled(app, pilot)
            top = "\n".join(app.rows()[:14])
            assert f"entry {number} " in top


async def test_another_width_while_following_stays_at_the_end(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *numbered(400, words=40), entry("the last one"))
    async with reading(path) as (app, pilot, _source):
        await pilot.resize_terminal(50, 20)
        await settled(app, pilot)
        assert app.rows()[-1].strip() == "the last one"


async def test_ten_thousand_lines_of_another_process_are_all_in_the_view(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", entry("first"))
    script = (
        "import os, sys, json\n"
        "fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)\n"
        "for number in range(10_000):\n"
        "    text = f'line {number} \\u00e9\\ud55c'\n"
        "    entry = {'type': 'message', 'message': {'role': 'user', 'content': text}}\n"
        "    os.write(fd, json.dumps(entry, ensure_ascii=False).encode() + b'\\n')\n"
    )
    async with reading(path) as (app, pilot, source):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, os.fspath(path)
        )

        def fed() -> bool:
            source.feed(app.document)
            return process.returncode is not None and app.document.size == source.size()

        await until(fed)
        await process.wait()
        await settled(app, pilot)
        assert app.rows()[-1].strip() == "line 9999 é한"
        await pilot.press("v")
        await settled(app, pilot)
        assert app.document.at_start
        assert app.view.flow is not None
        assert app.view.flow.text() + "\n" == path.read_text("utf-8")


async def test_pages_stay_bounded_while_following_and_the_screen_is_current(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", entry("first"))
    async with reading(path) as (app, pilot, source):
        for number in range(60):
            data = b"".join(entry(f"{number} {line} " + "x" * 300) for line in range(400))
            append(path, data)
            source.feed(app.document)
            await pilot.pause()
            assert len(app.document.pages) <= MAX_PAGES
        await settled(app, pilot)
        assert "59 399" in app.painted()
        assert app.document.at_end


async def test_growth_repaints_without_a_layout(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *numbered(50))
    async with reading(path) as (app, pilot, source):
        layouts: list[str] = []
        handle = app.screen.screen_layout_refresh_signal
        handle.subscribe(app.view, lambda _screen: layouts.append("layout"))
        for number in range(5):
            await grow(app, pilot, source, path, entry(f"more {number}"))
        assert "more 4" in app.painted()
        assert layouts == []


async def test_a_rewritten_session_is_read_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *numbered(50))
    async with reading(path) as (app, pilot, source):
        write(path, entry("another session"))
        app.document.rewritten(source.size())
        await settled(app, pilot)
        assert "another session" in app.painted()
        assert "entry" not in app.painted()


async def test_the_place_survives_a_rewrite_of_the_same_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *numbered(300, pad=4000))
    async with reading(path) as (app, pilot, source):
        for _ in range(9):
            await pilot.press("pageup")
        await settled(app, pilot)
        before = app.rows()
        app.document.rewritten(source.size())
        await settled(app, pilot)
        assert app.rows() == before


async def test_a_huge_session_opens_by_reading_its_last_page(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    with path.open("wb") as file:
        file.truncate(3_000_000_000)
    append(path, b"\n" + b"".join(numbered(2000, words=60)))
    async with reading(path) as (app, _pilot, source):
        assert "entry 1999 " in app.painted()
        assert source.read_bytes <= 2 * PAGE_BYTES


async def test_a_million_empty_lines_open_by_reading_little(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", entry("before"), b"\n" * 1_000_000)
    async with reading(path) as (app, pilot, source):
        assert "4,096 empty lines" in app.painted()
        assert source.read_bytes <= MAX_PAGES * PAGE_BYTES
        await pilot.press("g")
        await settled(app, pilot)
        assert "before" in app.painted()


async def test_a_line_of_many_megabytes_shows_its_beginning(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s.jsonl",
        entry("before"),
        entry("begins here " + "z" * 3_000_000),
        entry("after"),
    )
    async with reading(path) as (app, pilot, _source):
        assert "after" in app.painted()
        await pilot.press("[", "[")
        await settled(app, pilot)
        assert "begins here" in app.painted()
        assert sum(page.held for page in app.document.pages) < 4 * PAGE_BYTES
        await pilot.press("g")
        await settled(app, pilot)
        assert "before" in app.painted()


async def test_no_session_an_empty_one_and_a_failed_one_say_so(tmp_path: Path) -> None:
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "No session selected" in app.painted()
    path = write(tmp_path / "s.jsonl")
    async with reading(path) as (app, pilot, source):
        assert "Empty session" in app.painted()
        await grow(app, pilot, source, path, entry("the first words"))
        assert "the first words" in app.painted()
        app.document.rewritten(source.size())
        source.fails = True
        await until(lambda: bool(app.failures))
        assert "\x1b" not in app.failures[0]
        assert "is" in app.failures[0]


async def test_a_session_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", entry("unreadable"))
    app = Host()
    source = Source(path)
    source.fails = True
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            app.view.document = Document(source.read, source.size())
            await until(lambda: bool(app.failures))
            await pilot.pause()
            assert "Cannot read this session" in app.painted()
            assert "the server" in app.painted()
            source.fails = False
            await pilot.press("end")
            await settled(app, pilot)
            assert "unreadable" in app.painted()
    finally:
        source.close()


async def test_a_session_of_which_nothing_is_there_shows_once_it_is(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.touch()
    data = entry("here again")
    async with reading(path) as (app, pilot, source):
        app.view.document = Document(source.read, len(data))
        await until(lambda: "Cannot read this session" in app.painted())
        await until(lambda: app.failures)
        assert app.failures[-1] == f"nothing is left of its {len(data):,} bytes"
        path.write_bytes(data)
        await until(lambda: app.document.at_end)
        await settled(app, pilot)
        assert "here again" in app.painted()


async def test_another_document_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *numbered(50))
    other = write(tmp_path / "t.jsonl", entry("the other one"))
    async with reading(path) as (app, pilot, source):
        before = app.document
        second = Source(other)
        app.view.document = Document(second.read, second.size())
        await settled(app, pilot)
        assert "the other one" in app.painted()
        append(path, entry("not to be seen"))
        source.feed(before)
        await settled(app, pilot)
        assert "not to be seen" not in app.painted()
        app.view.document = None
        await pilot.pause()
        assert "No session selected" in app.painted()
        second.close()


async def test_a_session_rewritten_while_it_is_opened_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *numbered(50))
    async with reading(path) as (app, pilot, source):
        gate = source.gate = asyncio.Event()
        app.view.document = Document(source.read, source.size())
        await until(lambda: source.waiting)
        app.document.rewritten(source.size())  # A title was put before it, say.
        await pilot.pause()
        source.gate = None
        gate.set()
        await until(lambda: "entry 49" in app.painted())


async def test_a_session_rewritten_while_a_page_is_read_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *numbered(3000, pad=300))
    async with reading(path) as (app, pilot, source):
        gate = source.gate = asyncio.Event()
        while not source.waiting:
            app.view.move(-25)
            await pilot.pause()
        app.document.rewritten(source.size())
        await pilot.pause()
        source.gate = None
        gate.set()
        await until(lambda: app.document.opened and app.view.quiet)


async def test_what_comes_during_a_search_that_is_given_up_is_shown(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", *numbered(6000, pad=300))
    async with reading(path) as (app, pilot, source):
        gate = source.gate = asyncio.Event()
        app.view.action_previous_error()
        await until(lambda: source.waiting)
        append(path, entry("the last word"))
        source.feed(app.document)
        await pilot.pause()
        app.view.action_go_to_time()
        source.gate = None
        gate.set()
        await until(lambda: app.told)  # No entry tells its time.
        await settled(app, pilot)
        app.view.move(1_000_000)
        await settled(app, pilot)
        assert app.rows()[-1].strip() == "the last word"
