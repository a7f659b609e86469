"""The window on a session: bounded, exact, and unmoved by what comes in the midst of a read."""

from __future__ import annotations

import asyncio
import json

import pytest

from sessiontui.errors import BackendDownError, StorageError
from sessiontui.transcript.document import Document
from sessiontui.transcript.navigate import find_block
from sessiontui.transcript.pages import MAX_PAGES, PAGE_BYTES


class Store:
    """A session in memory whose reads can be held up or fail."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data
        self.gate: asyncio.Event | None = None
        self.reads = 0
        self.read_bytes = 0
        self.fails = False

    async def read(self, start: int, stop: int) -> bytes:
        self.reads += 1
        piece = self.data[start:stop]
        self.read_bytes += len(piece)
        if self.gate is not None:
            await self.gate.wait()
        if self.fails:
            raise BackendDownError("the server is away")
        return piece

    def document(self) -> Document:
        return Document(self.read, len(self.data))

    def add(self, document: Document, data: bytes) -> None:
        self.data += data
        document.append(data)


def line(number: int, role: str = "user", size: int = 0) -> bytes:
    message = {"role": role, "content": f"line {number} " + "x" * size}
    return json.dumps({"type": "message", "message": message}).encode() + b"\n"


def held(document: Document) -> bytes:
    """Return the bytes of the window."""
    return b"".join(line.raw + b"\n" * line.ended for line in document.window_lines())


async def test_opens_at_the_end_and_reads_one_page_of_a_large_session() -> None:
    store = Store(b"".join(line(number, size=900) for number in range(4000)))
    document = store.document()
    await document.open_tail()
    assert document.at_end
    assert not document.at_start
    assert store.read_bytes <= PAGE_BYTES
    assert store.data.endswith(held(document))


async def test_the_window_stays_bounded_while_following_for_long() -> None:
    store = Store()
    document = Document(store.read, 0)
    await document.open_tail()
    piece = b"".join(line(number) for number in range(1000))
    for _ in range(400):
        document.append(piece)
        assert len(document.pages) <= MAX_PAGES
    assert document.size == 400 * len(piece)
    assert document.at_end
    assert not document.at_start
    assert sum(page.held for page in document.pages) <= MAX_PAGES * PAGE_BYTES
    assert (piece * 20).endswith(held(document)[-len(piece) :])


async def test_a_reader_who_stopped_following_keeps_the_window_and_hears_of_new_lines() -> None:
    store = Store(b"".join(line(number) for number in range(10)))
    document = store.document()
    await document.open_tail()
    document.following = False
    first = document.pages[0]
    piece = b"".join(line(number) for number in range(2000))
    for _ in range(100):
        store.add(document, piece)
    assert document.pages[0] is first
    assert len(document.pages) == MAX_PAGES
    assert not document.at_end
    assert document.new_lines == 200_000
    while await document.load_after():
        assert len(document.pages) <= MAX_PAGES
    assert document.stop == document.size
    assert store.data.endswith(held(document))
    document.following = True
    assert document.new_lines == 0


async def test_reading_upwards_drops_pages_at_the_end() -> None:
    store = Store(b"".join(line(number, size=200_000) for number in range(60)))
    document = store.document()
    await document.open_tail()
    document.following = False
    while await document.load_before():
        assert len(document.pages) <= MAX_PAGES
        assert held(document) in store.data
    assert document.at_start
    assert not document.at_end
    await document.open_tail()
    assert document.at_end


async def test_bytes_that_come_while_the_tail_is_read_are_neither_lost_nor_doubled() -> None:
    store = Store(line(1))
    store.gate = asyncio.Event()
    document = store.document()
    opening = asyncio.create_task(document.open_tail())
    await asyncio.sleep(0)
    for number in range(2, 50):
        store.add(document, line(number))
    store.gate.set()
    await opening
    assert held(document) == store.data
    assert document.at_end


async def test_a_page_that_arrives_after_the_window_moved_on_is_let_go() -> None:
    store = Store(b"".join(line(number, size=100_000) for number in range(40)))
    document = store.document()
    await document.open_tail()
    store.gate = asyncio.Event()
    loading = asyncio.create_task(document.load_before())
    await asyncio.sleep(0)
    document.rewritten(3)
    store.data = b"{}\n"
    store.gate.set()
    assert not await loading
    assert not document.opened
    await document.open_tail()
    assert held(document) == b"{}\n"


async def test_a_failed_read_leaves_the_window_as_it_was() -> None:
    store = Store(b"".join(line(number, size=100_000) for number in range(10)))
    document = store.document()
    await document.open_tail()
    before = held(document)
    store.fails = True
    with pytest.raises(BackendDownError):
        await document.load_before()
    assert held(document) == before
    store.fails = False
    assert await document.load_before()


async def test_a_session_shorter_than_said_does_not_make_it_read_for_ever() -> None:
    store = Store(line(1))
    document = Document(store.read, len(store.data) + 1000)
    await document.open_tail()
    assert store.reads < 5
    assert not await document.load_after()


@pytest.mark.parametrize("size", [1000, 3 * PAGE_BYTES])
async def test_a_session_of_which_nothing_is_left_has_no_lines_and_opens_once_it_is_there(
    size: int,
) -> None:
    store = Store()
    document = Document(store.read, size)
    with pytest.raises(StorageError, match="nothing is left"):
        await document.open_tail()
    with pytest.raises(StorageError, match="nothing is left"):
        await document.open_at(size // 2)
    assert not document.opened
    assert not document.pages
    store.data = b"x" * (size - 1) + b"\n"
    await document.open_tail()
    assert document.at_end
    assert held(document) == store.data[:PAGE_BYTES] + b"\n" * (size > PAGE_BYTES)


async def test_a_session_cut_above_the_window_brings_no_page_without_lines() -> None:
    store = Store(b"".join(line(number, size=900) for number in range(4000)))
    document = store.document()
    await document.open_tail()
    before = held(document)
    for left in (b"", store.data[:1000]):
        store.data = left
        assert not await document.load_before()
        assert held(document) == before


async def test_listeners_hear_of_every_change_until_they_leave() -> None:
    store = Store(line(1))
    document = store.document()
    heard: list[int] = []
    leave = document.listen(lambda: heard.append(document.size))
    await document.open_tail()
    store.add(document, line(2))
    leave()
    leave()
    store.add(document, line(3))
    assert heard[-1] == len(line(1) + line(2))


def call(call_id: str) -> bytes:
    content = [{"type": "toolCall", "id": call_id, "name": "bash", "arguments": {"command": "ls"}}]
    return _message(role="assistant", content=content)


def answer(call_id: str, text: str = "done") -> bytes:
    return _message(role="toolResult", toolCallId=call_id, toolName="bash", content=text)


def _message(**message: object) -> bytes:
    return json.dumps({"type": "message", "message": message}).encode() + b"\n"


def shown(document: Document) -> list[tuple[str, str]]:
    """Return heading and first line of body of every block."""
    found = []
    for page in document.pages:
        for number in range(len(page)):
            for block in document.blocks(page, number):
                lines = block.parts[0].lines if block.parts else ("",)
                found.append((block.heading, lines[0]))
    return found


async def test_a_call_shows_its_result_and_the_results_line_shows_nothing() -> None:
    store = Store(call("a") + call("b") + answer("b", "second") + answer("a", "first"))
    document = store.document()
    await document.open_tail()
    assert shown(document) == [("bash", "first"), ("bash", "second")]


async def test_a_result_finds_its_call_on_another_page_and_parts_from_it_when_that_goes() -> None:
    fill = b"".join(line(number, size=1000) for number in range(500))
    store = Store(call("a") + fill + answer("a"))
    document = store.document()
    await document.open_tail()
    assert shown(document)[-1] == ("bash", "done")
    document.take_stale()
    while await document.load_before():
        pass
    assert shown(document)[0] == ("bash", "done")
    assert shown(document)[-1][0] == "You"
    assert len(store.data) - len(answer("a")) in document.take_stale()
    for _ in range(30):
        document.append(fill)
    assert ("bash", "done") not in shown(document)


async def test_a_result_without_its_call_and_a_second_result_show_as_such() -> None:
    store = Store(answer("lost", "alone") + call("a") + answer("a", "one") + answer("a", "two"))
    document = store.document()
    await document.open_tail()
    assert shown(document) == [("bash", "alone"), ("bash", "one"), ("bash", "two")]


async def test_a_last_line_without_newline_shows_and_becomes_the_whole_one() -> None:
    whole = line(2)
    store = Store(line(1) + whole[:20])
    document = store.document()
    await document.open_tail()
    assert shown(document)[-1][0] == "cannot be read"
    store.add(document, whole[20:])
    assert [heading for heading, _ in shown(document)] == ["You", "You"]


async def test_seeking_goes_beyond_the_window_in_both_directions() -> None:
    fill = b"".join(line(number, "assistant", size=3000) for number in range(1500))
    store = Store(line(0) + fill + line(1) + fill + line(2) + fill)
    document = store.document()
    await document.open_tail()
    document.following = False
    starts = [0, len(line(0) + fill), len(line(0) + fill + line(1) + fill)]
    offset, number = len(store.data) - 1, 0
    for start in reversed(starts):
        found = await find_block(
            document, offset, number, lambda block: block.kind == "user", forward=False
        )
        assert found == (start, 0)
        offset, number = found
    nothing = await find_block(document, 0, 0, lambda block: block.kind == "user", forward=False)
    assert nothing is None
    for start in starts[1:]:
        found = await find_block(
            document, offset, number, lambda block: block.kind == "user", forward=True
        )
        assert found == (start, 0)
        offset, number = found
        assert len(document.pages) <= MAX_PAGES
