"""Searching a session of any length, against decoding every line of it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from sessiontui.formats.jsonl import decode_lines, encode_entries
from sessiontui.formats.registry import blocks_of
from sessiontui.transcript.pages import STEP_BYTES
from sessiontui.transcript.search import LONGEST_LINE, LiteralQuery, SearchStep, TextMatch, search
from tests.sessions import Omp, claude_session, codex_session, every_omp_entry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

WORDS = (
    *("retry", "RETRY", "fix", "a", "e", "1", ".py", "pytest -k", "über", "ÜBER", "漢", "✓", "{"),
    *('"', "\\", "/", "no such word", "…", "Cannot", "claude", "tool", "x-y_z", "<b>"),
)


def reader(data: bytes, reads: list[int] | None = None) -> Callable[[int, int], Awaitable[bytes]]:
    async def read(start: int, stop: int) -> bytes:
        if reads is not None:
            reads.append(start)
        return data[start:stop]

    return read


async def hits_in(data: bytes, text: str, start: int = 0) -> list[tuple[int, int]]:
    found = search(reader(data), LiteralQuery(text), start, len(data))
    return [(item.offset, item.block) async for item in found if isinstance(item, TextMatch)]


def slow_hits_in(data: bytes, text: str) -> list[tuple[int, int]]:
    """Decode everything and look at what is shown."""
    needle = text.strip().lower()
    numbers: dict[int, int] = {}
    found = []
    for item in decode_lines(data):
        for block in blocks_of(item):
            number = numbers.get(item.offset, 0)
            numbers[item.offset] = number + 1
            lines = [block.heading, block.detail]
            for part in block.parts:
                lines += [*part.lines, *part.last]
            if any(needle in line.lower() for line in lines):
                found.append((item.offset, number))
    return found


def spoken(text: str, *, ascii_only: bool = False) -> bytes:
    entry = {"type": "message", "id": "1", "message": {"role": "user", "content": text}}
    return json.dumps(entry, ensure_ascii=ascii_only).encode() + b"\n"


@pytest.mark.parametrize("text", WORDS)
async def test_text_is_found_wherever_decoding_every_line_finds_it(text: str) -> None:
    stored = every_omp_entry() + encode_entries([*claude_session(), *codex_session()])
    for word in WORDS:
        stored += spoken(f"before {word} after") + spoken(f"{word}", ascii_only=True)
    spoken_hits = set(await hits_in(stored, text))
    slow = slow_hits_in(stored, text)
    said = {item.offset for item in decode_lines(stored) if _says(stored, item.offset, text)}
    assert spoken_hits <= set(slow)
    assert {hit for hit in slow if hit[0] in said} <= spoken_hits
    assert said


def _says(stored: bytes, offset: int, text: str) -> bool:
    """Tell whether a line made by `spoken` holds the text, and not only what we make of it."""
    line = stored[offset : stored.index(b"\n", offset)]
    if not line.startswith(b'{"type": "message", "id": "1"'):
        return False
    return text.strip().lower() in json.loads(line)["message"]["content"].lower()


async def test_lines_across_the_edges_of_steps_are_found_once() -> None:
    line = spoken("needle " + "x" * 997)
    data = line * (3 * STEP_BYTES // len(line))
    assert await hits_in(data, "needle") == [(at, 0) for at in range(0, len(data), len(line))]


async def test_the_first_hit_comes_before_the_rest_is_read() -> None:
    data = spoken("needle") + spoken("hay" * 100) * (8 * STEP_BYTES // 400)
    reads: list[int] = []
    found = search(reader(data, reads), LiteralQuery("needle"), 0, len(data))
    async for item in found:
        assert item == TextMatch(0, 0, "needle", kind="user", heading="You")
        break
    assert len(reads) == 1


async def test_progress_comes_after_each_step_and_ends_at_the_end() -> None:
    data = spoken("hay") * (2 * STEP_BYTES // 50)
    progress = [
        item
        async for item in search(reader(data), LiteralQuery("needle"), 0, len(data))
        if isinstance(item, SearchStep)
    ]
    steps = -(-len(data) // STEP_BYTES)
    assert [item.offset for item in progress] == [
        min(len(data), STEP_BYTES * (number + 1)) for number in range(steps)
    ]


async def test_a_search_that_is_cancelled_reads_no_further() -> None:
    data = spoken("hay") * (4 * STEP_BYTES // 50)
    began = asyncio.Event()
    reads: list[int] = []

    async def read(start: int, stop: int) -> bytes:
        reads.append(start)
        began.set()
        await asyncio.sleep(0)
        return data[start:stop]

    async def run() -> None:
        async for _ in search(read, LiteralQuery("needle"), 0, len(data)):
            pass

    task = asyncio.create_task(run())
    await began.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert len(reads) == 1


async def test_the_loop_has_its_turn_while_a_common_word_is_found() -> None:
    data = spoken("needle") * 2000
    turns = 0
    done = False

    async def count() -> None:
        nonlocal turns
        while not done:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(count())
    assert len(await hits_in(data, "needle")) == 2000
    done = True
    await task
    assert turns >= 30


async def test_a_line_without_end_is_held_only_in_part() -> None:
    long = spoken("needle " + "x" * (3 * LONGEST_LINE))
    data = long + spoken("needle")
    assert await hits_in(data, "needle") == [(0, 0), (len(long), 0)]


async def test_a_last_line_without_newline_is_searched_too() -> None:
    data = spoken("hay") + spoken("needle").rstrip(b"\n")
    assert await hits_in(data, "NEEDLE") == [(len(spoken("hay")), 0)]


async def test_a_search_may_begin_at_any_line() -> None:
    omp = Omp()
    omp.user("needle")
    omp.assistant("hay")
    omp.user("needle")
    data = omp.data
    first, second = await hits_in(data, "needle")
    assert await hits_in(data, "needle", first[0] + 1 + data[first[0] :].index(b"\n")) == [second]


async def test_an_empty_text_finds_nothing() -> None:
    assert await hits_in(spoken("hay"), "  ") == []
