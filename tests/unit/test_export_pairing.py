"""Calls and results find each other while a session goes by, and only so much waits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sessiontui.export import text_writer
from sessiontui.export.text_writer import MAX_LINES, PairingWindow
from sessiontui.formats.jsonl import WHOLE_BYTES, decode_lines, encode_entries
from tests.sessions import Omp
from tests.unit.export_support import exported

if TYPE_CHECKING:
    from sessiontui.formats.blocks import Block


def blocks_of(data: bytes, window: PairingWindow | None = None) -> list[Block]:
    """Return the blocks of a session, those of lines that wait at the end too."""
    window = window or PairingWindow()
    found: list[Block] = []
    for item in decode_lines(data):
        for blocks in window.feed((item,), item.size):
            found += blocks
    for blocks in window.finish():
        found += blocks
    return found


def texts(blocks: list[Block], heading: str = "bash") -> list[str]:
    return [
        "\n".join(line for part in block.parts for line in part.lines)
        for block in blocks
        if block.heading == heading
    ]


def test_a_call_shows_its_result_and_the_result_itself_nothing() -> None:
    session = Omp()
    session.assistant(calls=("bash", "read"))
    session.started("bash")
    session.result("read", "of read")
    session.result("bash", "of bash")
    session.assistant("Afterwards.")
    found = blocks_of(session.data)
    assert texts(found) == ["of bash"]
    assert texts(found, "read") == ["of read"]
    kinds = [block.kind for block in found]
    assert kinds.count("tool") == 2
    assert [block.offset for block in found] == sorted(block.offset for block in found)


def test_a_result_that_comes_too_late_stands_for_itself() -> None:
    session = Omp()
    session.assistant(calls=("bash",))
    for number in range(MAX_LINES + 10):
        session.user(f"Meanwhile {number}")
    session.result("bash", "late")
    found = blocks_of(session.data)
    assert texts(found) == ["", "late"]
    assert [block.detail for block in found if block.kind == "tool"] == ["", "result"]
    assert sum(block.kind == "user" for block in found) == MAX_LINES + 10


def test_a_call_that_never_gets_a_result_holds_back_only_so_many_bytes() -> None:
    session = Omp()
    session.assistant(calls=("bash",))
    window = PairingWindow()
    waiting = 0
    session.user("x" * (text_writer.MAX_BYTES // 3))
    line = session.data.splitlines()[-1]
    for item in decode_lines(session.data):
        waiting += sum(1 for _ in window.feed((item,), item.size))
    before = waiting
    for _ in range(3):
        (item,) = decode_lines(line)
        waiting += sum(1 for _ in window.feed((item,), item.size))
    assert waiting > before
    assert waiting + sum(1 for _ in window.finish()) == len(session.data.splitlines()) + 3


def test_a_result_without_its_call_and_a_call_twice_stand_for_themselves() -> None:
    session = Omp()
    session.result("bash", "of before")
    session.assistant(calls=("bash",))
    session.result("bash", "first")
    session.assistant(calls=("bash",))
    session.result("bash", "second")
    found = blocks_of(session.data)
    assert texts(found)[0] == "of before"
    assert "first" in texts(found)
    assert "second" in texts(found)


def test_a_branch_that_leaves_is_told_of() -> None:
    session = Omp()
    session.user("First")
    here = json.loads(session.data.splitlines()[-1])["id"]
    session.assistant("One way")
    line = json.loads(session.user("Another way"))
    assert [block.detail for block in blocks_of(session.data) if block.heading == "branch"] == []
    line["parentId"] = here
    data = b"".join(session.data.splitlines(keepends=True)[:-1]) + encode_entries([line])
    found = blocks_of(data)
    headings = [block.heading for block in found]
    assert headings.count("branch") == 1
    assert headings.index("branch") == len(headings) - 2


def test_an_entry_that_is_too_long_says_that_it_is_cut() -> None:
    session = Omp()
    session.user("x" * (WHOLE_BYTES + 1))
    page = exported(session.data, "md", piece=1_000_000)
    assert "**cut** of 8,3" in page
    assert "beginning alone" in page
    assert len(page) < 200_000
