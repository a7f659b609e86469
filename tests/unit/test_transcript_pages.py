"""Pages cover a session without gap or overlap, whatever its lines are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessiontui.transcript import document as document_module
from sessiontui.transcript import pages as pages_module
from sessiontui.transcript.document import Document
from sessiontui.transcript.pages import Page, find_beginning, line_start, read_before, split_pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sessiontui.transcript.pages import PageLine

CONTENT = st.lists(
    st.one_of(
        st.binary(max_size=12).map(lambda data: data.replace(b"\n", b"")),
        st.integers(0, 400).map(lambda size: b"x" * size),
    ),
    max_size=40,
).map(b"\n".join)


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a page hold 64 bytes and 7 lines, so that small sessions have many."""
    monkeypatch.setattr(pages_module, "PAGE_BYTES", 64)
    monkeypatch.setattr(document_module, "PAGE_BYTES", 64)
    monkeypatch.setattr(pages_module, "PAGE_LINES", 7)
    monkeypatch.setattr(pages_module, "STEP_BYTES", 96)
    monkeypatch.setattr(document_module, "STEP_BYTES", 96)


class Source:
    """A session in memory that counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.read_bytes = 0

    async def read(self, start: int, stop: int) -> bytes:
        piece = self.data[start:stop]
        self.read_bytes += len(piece)
        return piece


def stored_lines(data: bytes) -> list[tuple[int, bytes]]:
    """Return offset and bytes of each line, a last one without newline too."""
    lines = []
    offset = 0
    for piece in data.split(b"\n"):
        lines.append((offset, piece))
        offset += len(piece) + 1
    return lines[:-1] if not lines[-1][1] else lines


def lines_of(pages: Sequence[Page]) -> Iterator[PageLine]:
    for page in pages:
        for number in range(len(page)):
            yield page.line(number)


def assert_exact(pages: Sequence[Page], data: bytes) -> None:
    """Check that the pages are `data`, with long lines cut to what is held of them."""
    position = 0
    for page in pages:
        assert page.start == position
        assert page.held <= 2 * 64
        assert len(page) <= 7 + 1
        position = page.stop
    assert position == len(data)
    found = list(lines_of(pages))
    assert [line.offset for line in found] == [offset for offset, _ in stored_lines(data)]
    for line, (_, whole) in zip(found, stored_lines(data), strict=True):
        assert line.size == len(whole)
        assert whole.startswith(line.raw)
        assert line.whole == (line.raw == whole)
        assert len(line.raw) == min(len(whole), 64) or line.whole
    if data:
        assert found[-1].ended == data.endswith(b"\n")


in_small_steps = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@in_small_steps
@given(CONTENT)
def test_pages_made_of_bytes_hold_each_line_at_its_offset(data: bytes) -> None:
    assert_exact(split_pages(0, data), data)


@in_small_steps
@given(CONTENT)
async def test_pages_read_from_the_end_upwards_join_without_gap(data: bytes) -> None:
    source = Source(data)
    pages: list[Page] = []
    stop = len(data)
    while stop:
        page = await read_before(source.read, stop)
        while not page.begun:
            page = await find_beginning(source.read, page)
        assert page.stop == stop
        pages.insert(0, page)
        stop = page.start
    assert_exact(pages, data)


@in_small_steps
@given(CONTENT, st.lists(st.integers(1, 90), max_size=60))
async def test_appended_pieces_give_the_same_lines_as_the_whole(
    data: bytes, cuts: list[int]
) -> None:
    document = Document(Source(data).read, 0, max_pages=10_000)
    await document.open_tail()
    position = 0
    for cut in [*cuts, len(data)]:
        document.append(data[position : position + cut])
        position += cut
    assert document.at_start
    assert document.at_end
    assert document.size == len(data)
    assert_exact(document.pages, data)


@in_small_steps
@given(CONTENT, st.integers(0, 5000))
async def test_a_window_opened_anywhere_grows_to_the_whole(data: bytes, offset: int) -> None:
    document = Document(Source(data).read, len(data), max_pages=10_000)
    begin = await document.open_at(offset)
    if data:
        starts = [start for start, _ in stored_lines(data)]
        assert begin == max(start for start in starts if start <= min(offset, len(data) - 1))
    while await document.load_before():
        pass
    while await document.load_after():
        pass
    assert_exact(document.pages, data)
    assert [line async for line in document.lines()] == [line for _, line in stored_lines(data)]


@in_small_steps
@given(CONTENT, st.integers(0, 5000))
async def test_a_line_start_is_found_from_anywhere_in_the_line(data: bytes, offset: int) -> None:
    offset = min(offset, len(data))
    found = await line_start(Source(data).read, offset)
    assert found == data.rfind(b"\n", 0, offset) + 1


async def test_a_line_without_end_is_looked_at_in_bounded_steps() -> None:
    source = Source(b"{}\n" + b"x" * 100_000 + b"\n")
    piece = await read_before(source.read, len(source.data))
    assert not piece.begun
    assert piece.held == 0
    assert source.read_bytes <= 64 + 8 * 96
    page = piece
    while not page.begun:
        before, page = page, await find_beginning(source.read, page)
        assert before.start - page.start <= 8 * 96
    assert page.line(0) == (3, 100_000, b"x" * 64, True, True)


async def test_a_long_line_that_grows_is_held_only_as_far_as_a_page() -> None:
    document = Document(Source(b"").read, 0)
    await document.open_tail()
    for _ in range(1000):
        document.append(b"y" * 50)
    document.append(b"\n{}\n")
    assert [len(page) for page in document.pages] == [1, 1]
    assert document.pages[0].line(0).size == 50_000
    assert sum(page.held for page in document.pages) <= 2 * 64


async def test_empty_lines_do_not_make_a_page_grow_without_bound() -> None:
    source = Source(b"\n" * 1000)
    document = Document(source.read, 1000)
    await document.open_tail()
    assert len(document.pages[0]) == 7
    assert source.read_bytes <= 64
