"""How a list was left: remembered, bounded, and never damaged by another instance."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sessiontui.sources import DirectorySource, RedisSource
from sessiontui.workspace.view_state import MOST, ViewState, ViewStateFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiontui.sources import Source

SOURCE = RedisSource(host="cache", password="secret")
LEFT = ViewState(
    sort="size",
    reverse=True,
    flat=True,
    shows_empty=True,
    columns=("turns", "age"),
    closed=("~/code/api",),
    folds={"/s/a.jsonl": True},
    pins=("/s/b.jsonl", "/s/a.jsonl"),
    cursor="/s/a.jsonl",
    share=0.6,
)


def test_what_was_saved_is_loaded_in_the_next_run(tmp_path: Path) -> None:
    assert ViewStateFile(tmp_path / "lists", SOURCE).save(LEFT) == ""
    assert ViewStateFile(tmp_path / "lists", SOURCE).load() == (LEFT, "")


def test_each_source_has_its_own(tmp_path: Path) -> None:
    others: list[Source] = [RedisSource(host="cache", db=1), DirectorySource(Path("/sessions"))]
    ViewStateFile(tmp_path, SOURCE).save(LEFT)
    for other in others:
        assert ViewStateFile(tmp_path, other).load() == (None, "")
        ViewStateFile(tmp_path, other).save(ViewState(flat=True))
    assert ViewStateFile(tmp_path, SOURCE).load() == (LEFT, "")
    assert len(list(tmp_path.iterdir())) == 3


def test_the_file_is_the_users_own_and_holds_no_secret(tmp_path: Path) -> None:
    file = ViewStateFile(tmp_path / "deep" / "lists", SOURCE)
    file.save(LEFT)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.path.parent.parent.stat().st_mode) == 0o700
    assert b"secret" not in file.path.read_bytes()
    assert list(file.path.parent.iterdir()) == [file.path]


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda data: data[:-10],
        lambda data: b"\xff" + data,
        lambda data: data.replace(b'"size"', b"5"),
        lambda _: b"[" * 100_000,
        lambda data: data + b" " * 5_000_000,
    ],
)
def test_a_damaged_file_is_told_and_then_replaced(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    file = ViewStateFile(tmp_path, SOURCE)
    file.save(LEFT)
    file.path.write_bytes(damage(file.path.read_bytes()))
    again = ViewStateFile(tmp_path, SOURCE)
    state, problem = again.load()
    assert state is None
    assert problem.startswith("How the list was left cannot be read (it is damaged): /")
    assert again.save(LEFT) == ""
    assert ViewStateFile(tmp_path, SOURCE).load() == (LEFT, "")


@pytest.mark.parametrize("change", [{"version": 2}, {"source": "redis://other"}])
def test_a_file_that_is_not_ours_is_told_and_left_alone(
    tmp_path: Path, change: dict[str, object]
) -> None:
    file = ViewStateFile(tmp_path, SOURCE)
    file.save(LEFT)
    foreign = json.dumps(json.loads(file.path.read_bytes()) | change).encode()
    file.path.write_bytes(foreign)
    again = ViewStateFile(tmp_path, SOURCE)
    state, problem = again.load()
    assert state is None
    assert "nothing is remembered here" in problem
    assert again.save(ViewState()) == ""
    assert file.path.read_bytes() == foreign


def test_what_cannot_be_read_or_written_is_told(tmp_path: Path) -> None:
    file = ViewStateFile(tmp_path / "lists", SOURCE)
    file.path.mkdir(parents=True)
    assert file.load() == (
        None,
        f"How the list was left cannot be read (Is a directory): {file.path}",
    )
    assert file.save(LEFT) == "How the list is shown cannot be remembered: Is a directory"
    assert list(file.path.parent.iterdir()) == [file.path]


def test_two_instances_lose_no_pin_and_bring_none_back(tmp_path: Path) -> None:
    first = ViewStateFile(tmp_path, SOURCE)
    first.save(ViewState(pins=("a", "b", "c")))
    second = ViewStateFile(tmp_path, SOURCE)
    second.load()
    first.save(ViewState(pins=("a", "b", "c", "first")))
    second.save(ViewState(pins=("b", "c", "second"), flat=True))
    third, _ = ViewStateFile(tmp_path, SOURCE).load()
    assert third == ViewState(pins=("b", "c", "first", "second"), flat=True)
    first.save(ViewState(pins=("c", "first"), sort="size"))
    last, _ = ViewStateFile(tmp_path, SOURCE).load()
    assert last is not None
    assert set(last.pins) == {"c", "first", "second"}


def test_it_is_bounded(tmp_path: Path) -> None:
    many = tuple(f"/s/{number}" for number in range(3 * MOST))
    file = ViewStateFile(tmp_path, SOURCE)
    file.save(replace(LEFT, closed=many, pins=many, folds=dict.fromkeys(many, True)))
    state, _ = ViewStateFile(tmp_path, SOURCE).load()
    assert state is not None
    assert len(state.closed) == len(state.pins) == len(state.folds) == MOST
    assert state.pins[-1] == many[-1]
    file.save(replace(LEFT, pins=("x" * 10_000_000, "short")))
    assert file.path.stat().st_size < 1_000_000


def test_the_lists_of_old_sources_are_forgotten(tmp_path: Path) -> None:
    for number in range(205):
        ViewStateFile(tmp_path, RedisSource(db=number)).save(LEFT)
    assert len(list(tmp_path.iterdir())) == 200


_TEXTS = st.text(max_size=6) | st.sampled_from(["\udc80", "\x00", "\n"])


@given(
    st.builds(
        ViewState,
        sort=_TEXTS,
        closed=st.lists(_TEXTS, max_size=3).map(tuple),
        folds=st.dictionaries(_TEXTS, st.booleans(), max_size=3),
        pins=st.lists(_TEXTS, max_size=3, unique=True).map(tuple),
        cursor=st.none() | _TEXTS,
    )
)
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, state: ViewState) -> None:
    folder = tmp_path_factory.mktemp("lists")
    assert ViewStateFile(folder, SOURCE).save(state) == ""
    assert ViewStateFile(folder, SOURCE).load() == (state, "")
