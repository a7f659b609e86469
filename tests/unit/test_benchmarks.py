"""The benchmarks' own rules: wrong results fail, times never do, both sides take turns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.__main__ import measure
from tests.benchmarks.data import lines, row_of, session_path
from tests.benchmarks.harness import (
    Bench,
    Figure,
    Row,
    WrongResultError,
    as_json,
    expect,
    paired,
    rows,
    table,
)

if TYPE_CHECKING:
    from pathlib import Path


async def _slow(bench: Bench) -> Figure:
    return Figure(9.0, "nine to one")


async def _wrong(bench: Bench) -> Figure:
    raise WrongResultError("other bytes")


def made(name: str, *, wrong: bool = False) -> Row:
    return Row(name, "something", 2.0, "x", "lower", _wrong if wrong else _slow)


def test_a_missed_target_is_a_figure_and_a_wrong_result_is_told_as_one(tmp_path: Path) -> None:
    results = measure(Bench(tmp_path, 0.1), [made("a.slow"), made("a.wrong", wrong=True)])
    text = table(results)
    assert "MISSED" in text.splitlines()[1]
    assert "WRONG" in text.splitlines()[2]
    assert "other bytes" in text
    slow, wrong = json.loads(as_json(results))
    assert (slow["value"], slow["reached"]) == (9.0, False)
    assert (wrong["value"], wrong["reached"]) == (None, False)


async def test_both_sides_take_turns_after_a_run_that_does_not_count() -> None:
    calls: list[str] = []

    async def ours() -> None:
        calls.append("ours")

    async def peer() -> None:
        calls.append("peer")

    await paired(ours, peer, repeats=3)
    assert calls == ["ours", "peer"] * 4


def test_each_row_can_be_chosen_by_a_part_of_its_name() -> None:
    names = [item.name for item in rows(["index."])]
    assert names
    assert all(name.startswith("index.") for name in names)
    assert len({item.name for item in rows([])}) == len(rows([]))


def test_what_is_expected_is_said_when_it_is_not_so() -> None:
    expect(True, "fine")
    with pytest.raises(WrongResultError, match="2 of 3"):
        expect(False, "2 of 3")


def test_the_data_is_the_same_in_every_run() -> None:
    assert lines(7) == lines(7)
    assert row_of(7).path == session_path(7)
    assert json.loads(lines(7)[0])["title"] == row_of(7).title
    assert len({session_path(number) for number in range(1000)}) == 1000
