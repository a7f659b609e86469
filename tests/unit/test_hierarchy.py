"""Subagents and forks stand beneath their parents, whatever their headers claim."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from sessiontui.catalog.hierarchy import MAX_DEPTH
from sessiontui.catalog.row import RowLine
from tests.unit.test_catalog import catalog_of, read, row, text

if TYPE_CHECKING:
    from sessiontui.catalog.catalog import Catalog
    from sessiontui.catalog.row import Row


def lines_of(catalog: Catalog) -> dict[str, RowLine]:
    lines = catalog.lines(0, catalog.height)
    return {line.key: line for line in lines if isinstance(line, RowLine)}


def test_forks_stand_beneath_the_parent_named_by_id_or_by_path() -> None:
    catalog = catalog_of(
        read("/s/2026_a.jsonl", 1, id="a"),
        read("/s/2026_b.jsonl", 3, id="b", parent="a"),
        read("/s/2026_c.jsonl", 2, id="c", parent="/s/2026_a.jsonl"),
        read("/s/2026_d.jsonl", 2, id="d", parent="/elsewhere/2026_c.jsonl"),
        read("/s/2026_e.jsonl", 0, id="e", parent="unknown"),
    )
    assert text(catalog) == [
        "~/api (5)",
        "  2026_a",
        "    2026_b",
        "    2026_c",
        "      2026_d",
        "  2026_e",
    ]
    assert [line.kind for line in lines_of(catalog).values()] == ["session", *["fork"] * 4]


def test_a_fork_in_another_project_stays_there() -> None:
    catalog = catalog_of(
        read("/s/a.jsonl", 2, id="a"), read("/s/b.jsonl", 1, "/other", id="b", parent="a")
    )
    assert text(catalog) == ["~/api (1)", "  a", "/other (1)", "  b"]
    catalog.upsert([read("/s/a.jsonl", 2, "/other", id="a")])
    assert text(catalog) == ["/other (2)", "  a", "    b"]


def test_subagents_are_folded_away_beneath_the_session_of_their_folder() -> None:
    catalog = catalog_of(
        read("/s/a.jsonl", 5, id="a"),
        read("/s/a/agent.jsonl", 4, "/other"),
        read("/s/a/agent/agent.child.jsonl", 3, "/other"),
        read("/s/f.jsonl", 2, parent="a"),
    )
    assert text(catalog) == ["~/api (4)", "  a", "    f"]
    line = lines_of(catalog)["/s/a.jsonl"]
    assert (line.fold, line.hidden) == ("partly", 1)
    catalog.fold_session("/s/a.jsonl", opened=True)
    assert text(catalog) == ["~/api (4)", "  a", "    agent", "    f"]
    assert lines_of(catalog)["/s/a/agent.jsonl"].kind == "subagent"
    assert lines_of(catalog)["/s/a/agent.jsonl"].fold == "closed"
    assert catalog.reveal("/s/a/agent/agent.child.jsonl") == 3
    assert text(catalog) == ["~/api (4)", "  a", "    agent", "      agent.child", "    f"]
    catalog.fold_session("/s/a.jsonl", opened=False)
    assert text(catalog) == ["~/api (4)", "  a"]
    catalog.fold_session("/s/a.jsonl", opened=None)
    assert text(catalog) == ["~/api (4)", "  a", "    f"]


def test_a_subagent_is_on_its_own_while_its_session_is_not_there() -> None:
    agent = row("/s/p/a/agent.jsonl", 2)
    catalog = catalog_of(agent)
    assert catalog.parent_of(agent.path) is None
    catalog.upsert([row("/s/p/a.jsonl", 1)])
    assert catalog.parent_of(agent.path) == "/s/p/a.jsonl"
    assert catalog.children_of("/s/p/a.jsonl") == [agent.path]
    assert text(catalog) == ["p (2)", "  a"]
    catalog.remove(["/s/p/a.jsonl"])
    assert text(catalog) == ["a (1)", "  agent"]


def test_a_family_stands_where_its_newest_member_does() -> None:
    catalog = catalog_of(
        read("/s/old.jsonl", 1, id="old"),
        read("/s/new.jsonl", 5, id="new"),
        read("/s/fork.jsonl", 3, parent="old"),
    )
    assert text(catalog)[1:] == ["  new", "  old", "    fork"]
    catalog.upsert([read("/s/fork.jsonl", 9, parent="old")])
    assert text(catalog)[1:] == ["  old", "    fork", "  new"]
    catalog.order_by("title")
    assert text(catalog)[1:] == ["  new", "  old", "    fork"]


def test_of_sessions_with_one_id_the_smallest_path_is_the_parent() -> None:
    rows = [
        read("/s/b.jsonl", 1, id="twin"),
        read("/s/a.jsonl", 1, id="twin"),
        read("/s/f.jsonl", 1, parent="twin"),
    ]
    for order in itertools.permutations(rows):
        catalog = catalog_of()
        for one in order:
            catalog.upsert([one])
            _ = catalog.height
        assert catalog.parent_of("/s/f.jsonl") == "/s/a.jsonl"
        assert catalog.with_id("twin") == ["/s/a.jsonl", "/s/b.jsonl"]
        catalog.remove(["/s/a.jsonl"])
        assert catalog.parent_of("/s/f.jsonl") == "/s/b.jsonl"
        assert catalog.with_id("twin") == ["/s/b.jsonl"]
        assert catalog.with_id("nobody") == []


@pytest.mark.parametrize("size", [1, 2, 3, 70])
def test_sessions_in_a_circle_are_all_there(size: int) -> None:
    rows = [
        read(f"/s/{number:03}.jsonl", number, id=str(number), parent=str((number + 1) % size))
        for number in range(size)
    ]
    rows.append(read("/s/tail.jsonl", 1, id="tail", parent="0"))
    catalog = catalog_of()
    for one in rows:
        catalog.upsert([one])
        _ = catalog.height
    assert set(lines_of(catalog)) == {one.path for one in rows}
    if 1 < size < 64:
        assert catalog.parent_of("/s/000.jsonl") is None
    catalog.upsert([read("/s/000.jsonl", 0, id="0")])
    assert len(lines_of(catalog)) == size + 1


def test_a_long_line_of_descent_is_shown_to_a_depth_and_loses_nobody() -> None:
    rows = [
        read(f"/s/{number:05}.jsonl", 1, id=str(number), parent=str(number - 1) if number else None)
        for number in range(3_000)
    ]
    catalog = catalog_of(*rows)
    lines = lines_of(catalog)
    assert len(lines) == 3_000
    assert max(line.depth for line in lines.values()) == MAX_DEPTH
    assert [lines[one.path].depth for one in rows[:10]] == [0, 1, 2, 3, 4, 5, 6, 6, 6, 6]


def test_a_family_that_loses_its_head_is_whole_again_when_it_comes_back() -> None:
    head: Row = read("/s/a.jsonl", 1, id="a")
    forks = [read(f"/s/f{number}.jsonl", number, parent="a") for number in range(4)]
    catalog = catalog_of(head, *forks)
    before = text(catalog)
    catalog.remove([head.path])
    assert text(catalog) == ["~/api (4)", "  f3", "  f2", "  f1", "  f0"]
    catalog.upsert([head])
    assert text(catalog) == before
