"""Finding from the reader's place in both directions, in sessions of any length."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sessiontui.formats.jsonl import encode_entries
from sessiontui.transcript import search as finding
from sessiontui.transcript.document import Document
from sessiontui.transcript.search import Finder, MatchPosition, RegexQuery, parse_find_text

if TYPE_CHECKING:
    from collections.abc import Callable

MEGABYTE = 1024 * 1024


def said(text: str) -> bytes:
    return encode_entries([{"type": "message", "message": {"role": "user", "content": text}}])


class Session:
    """A session in memory that grows and may be searched."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reads: list[tuple[int, int]] = []
        self.document = Document(self.read, len(data))

    async def read(self, start: int, stop: int) -> bytes:
        await asyncio.sleep(0)
        self.reads.append((start, stop))
        return self.data[start:stop]

    def append(self, data: bytes) -> None:
        self.data += data
        self.document.append(data)

    def finder(
        self, text: str, origin: int = 0, changed: Callable[[], None] = lambda: None
    ) -> Finder:
        return Finder(self.document, parse_find_text(text), origin, changed)

    def all(self, finder: Finder) -> list[int]:
        """Return the offsets of what was found, walking from hit to hit."""
        spots: list[MatchPosition] = []
        spot = finder.after(MatchPosition(len(self.data), 0))
        while spot is not None and spot not in spots:
            assert finder.rank(spot) == len(spots) + 1
            spots.append(spot)
            spot = finder.after(spot)
        back = [spots[-1]] if spots else []
        while len(back) < len(spots):
            before = finder.before(back[0])
            assert before is not None
            back.insert(0, before)
        assert back == spots
        assert len(finder) == len(spots)
        return [spot.offset for spot in spots]


def offsets(data: bytes, word: bytes) -> list[int]:
    found, start = [], 0
    for line in data.splitlines(keepends=True):
        if word in line:
            found.append(start)
        start += len(line)
    return found


def long_session(every: int = 40, count: int = 700) -> bytes:
    """Return lines of 10 KB and more, some with the word."""
    lines = []
    for number in range(count):
        word = "needle" if number % every == 7 else "hay"
        lines.append(said(f"{word} {number} " + "x" * (10_000 + number)))
    return b"".join(lines)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999, 1.0])
async def test_everything_is_found_from_wherever_the_reader_is(share: float) -> None:
    session = Session(long_session())
    finder = session.finder("NEEDLE", int(share * len(session.data)))
    await finder.run()
    assert finder.complete
    assert session.all(finder) == offsets(session.data, b"needle")
    assert finder.share == 1.0
    assert all(stop - start <= MEGABYTE for start, stop in session.reads)


@pytest.mark.parametrize(("origin", "nearest"), [(0, 0), (0.4, 1), (0.6, 2), (1, 2)])
async def test_the_nearest_hit_comes_first_onwards_and_else_backwards(
    origin: float, nearest: int
) -> None:
    session = Session(long_session(every=400, count=900))
    early: list[bool] = []

    def look() -> None:
        if finder.nearest is not None:
            early.append(not finder.complete)

    finder = session.finder("needle", int(origin * len(session.data)), look)
    await finder.run()
    assert finder.nearest == MatchPosition(offsets(session.data, b"needle")[nearest], 0)
    assert early[0] is True
    assert early[-1] is False


async def test_what_comes_while_and_after_searching_is_found_once() -> None:
    session = Session(long_session(count=300) + said("needle, cut off")[:-1])
    finder = session.finder("needle", 5000)
    work = asyncio.create_task(finder.run())
    await asyncio.sleep(0)
    session.append(b"\n" + said("needle"))
    await work
    assert session.all(finder) == offsets(session.data, b"needle")
    session.append(said("needle") + said("needle again")[:20])
    await finder.run()
    session.append(said("needle again")[20:])
    await finder.run()
    assert session.all(finder) == offsets(session.data, b"needle")


async def test_a_search_that_was_cancelled_goes_on_where_it_was() -> None:
    session = Session(long_session())
    finder = session.finder("needle", len(session.data) // 2)
    for turns in (3, 5, 9, 2):
        work = asyncio.create_task(finder.run())
        for _ in range(turns):
            await asyncio.sleep(0)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    await finder.run()
    assert session.all(finder) == offsets(session.data, b"needle")


async def test_a_rewritten_session_ends_the_search() -> None:
    session = Session(long_session())
    finder = session.finder("needle")
    work = asyncio.create_task(finder.run())
    await asyncio.sleep(0)
    session.document.rewritten(10)
    await work
    assert finder.stale


async def test_hits_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "MAX_MATCHES", 10)
    data = b"".join(said(f"needle {number}") for number in range(200))
    for origin in (0, len(data), len(data) - 300):
        session = Session(data)
        finder = session.finder("needle", origin)
        await finder.run()
        assert (len(finder), finder.full, finder.complete) == (10, True, True)


async def test_an_endless_line_does_not_keep_the_beginning_from_being_searched() -> None:
    data = said("needle one") + said("y" * (10 * MEGABYTE)) + said("needle two")
    session = Session(data)
    finder = session.finder("needle", len(data))
    await finder.run()
    assert session.all(finder) == offsets(data, b"needle")


async def test_an_empty_session_has_no_hits() -> None:
    session = Session(b"")
    finder = session.finder("needle")
    await finder.run()
    assert finder.complete
    assert finder.after(MatchPosition(0, 0)) is None
    assert finder.before(MatchPosition(0, 0)) is None


async def test_patterns_match_within_a_line_and_ignore_case() -> None:
    session = Session(said("Alpha 12\nbeta") + said("alpha\n12") + said("ALPHA 99"))
    finder = session.finder(r"re:/alpha \d+$/")
    await finder.run()
    assert session.all(finder) == offsets(session.data, b"lpha 12") + offsets(session.data, b"99")


@pytest.mark.parametrize("text", ["re:/(/", "re:[", "re:/*/", "re:/(?P<\x1b[31m>x)/"])
def test_what_is_no_pattern_is_told_in_a_safe_line(text: str) -> None:
    with pytest.raises(ValueError, match="position") as raised:
        parse_find_text(text)
    assert str(raised.value).isprintable()


def test_where_a_line_matches() -> None:
    assert list(parse_find_text("ab").spans("xAB ab")) == [(1, 3), (4, 6)]
    assert list(parse_find_text("re:/a./").spans("xAB ab")) == [(1, 3), (4, 6)]
    assert list(parse_find_text("re:x*").spans("abc")) == []
    assert isinstance(parse_find_text("re:/a"), RegexQuery)
    assert not parse_find_text("re:")
    assert not parse_find_text("  ")
