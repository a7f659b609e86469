"""What the index says of sessions, held in little memory."""

from __future__ import annotations

import pytest

from sessiontui.catalog.row import Row
from sessiontui.search.index_cache import IndexCache, IndexedSession
from sessiontui.storage.changes import Appended, Created, Retitled, Rewritten

PATH = "/s/a.jsonl"
FIGURES = b"figures"
WHOLE = IndexedSession(100, 7, 100, 100, FIGURES)


def row(size: int = 100, mtime_ms: int = 7) -> Row:
    return Row(path=PATH, size=size, mtime_ms=mtime_ms)


@pytest.mark.parametrize(
    "known",
    [
        WHOLE,
        IndexedSession(100, 7, 90, 100, FIGURES),
        IndexedSession(100, 7, 100, 50, FIGURES),
        IndexedSession(60, -1, 60, 60, FIGURES),
    ],
    ids=["whole", "no whole line at the end", "not all text", "not to the end"],
)
def test_what_is_held_comes_out_as_it_went_in(known: IndexedSession) -> None:
    sessions = IndexCache({PATH: row()})
    sessions.put(PATH, known)

    assert dict(sessions) == {PATH: known}
    assert sessions.is_current(PATH) == (known.size == 100)


def test_one_that_grew_is_read_on_from_where_it_was_known() -> None:
    rows = {PATH: row()}
    sessions = IndexCache(rows)
    sessions.put(PATH, WHOLE)
    for size in (100, 130):
        rows[PATH] = row(size + 30, size)
        sessions.note(Appended(PATH, size, b"x" * 30, size))

    assert not sessions.is_current(PATH)
    known = sessions[PATH]
    assert (known.size, known.stop, known.text_stop, known.packed) == (100, 100, 100, FIGURES)


@pytest.mark.parametrize(
    "change",
    [Rewritten(PATH, 100, 7), Retitled(PATH, b"{}", 7), Created(PATH, 100, 7)],
    ids=["rewritten", "retitled", "there again"],
)
def test_one_that_may_be_another_is_read_from_its_beginning(
    change: Created | Retitled | Rewritten,
) -> None:
    sessions = IndexCache({PATH: row()})
    sessions.put(PATH, WHOLE)
    sessions.note(change)

    assert not sessions.is_current(PATH)
    assert (sessions[PATH].stop, sessions[PATH].packed) == (0, FIGURES)


def test_one_that_is_gone_or_elsewhere_is_not_known_at_its_old_path() -> None:
    rows = {PATH: row()}
    sessions = IndexCache(rows)
    sessions.put(PATH, WHOLE)
    rows["/s/b.jsonl"] = Row(path="/s/b.jsonl", size=100, mtime_ms=7)
    del rows[PATH]
    sessions.move(PATH, "/s/b.jsonl")
    sessions.move("/s/c.jsonl", "/s/d.jsonl")

    assert list(sessions) == ["/s/b.jsonl"]
    assert not sessions.is_current("/s/b.jsonl")
    sessions.put("/s/b.jsonl", WHOLE)
    assert sessions.is_current("/s/b.jsonl")
    sessions.drop("/s/b.jsonl")
    assert len(sessions) == 0
    assert not sessions.is_current("/s/b.jsonl")


def test_only_what_differs_is_told() -> None:
    rows = {PATH: row(), "/s/b.jsonl": Row(path="/s/b.jsonl", size=5, mtime_ms=1)}
    before, now = IndexCache(rows), IndexCache(rows)
    for sessions in (before, now):
        sessions.put(PATH, WHOLE)
    now.put("/s/b.jsonl", IndexedSession(5, 1, 5, 5, b"other"))

    assert now.others_than(before) == {"/s/b.jsonl"}
