"""Order, groups, folds and what the list tells of its sessions."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sessiontui.catalog.catalog import Catalog
from sessiontui.catalog.projects import NO_PROJECT
from sessiontui.catalog.row import GroupLine, Row, RowLine, SessionTail
from sessiontui.catalog.sorting import SORTS, Sort, text_sort_key

HOME = "/home/mira"
ANSWERED = SessionTail(ending="answer", answered=True)


def row(path: str, mtime_ms: int = 1, **fields: Any) -> Row:
    told: dict[str, Any] = {"path": path, "size": 10, "mtime_ms": mtime_ms}
    return Row(**(told | fields))


def read(path: str, mtime_ms: int = 1, cwd: str | None = "/home/mira/api", **fields: Any) -> Row:
    return row(path, mtime_ms, read=True, cwd=cwd, **({"tail": ANSWERED} | fields))


def catalog_of(*rows: Row, sort: Sort = "modified", reverse: bool = False) -> Catalog:
    catalog = Catalog(home=HOME, sort=sort, reverse=reverse)
    catalog.upsert(rows)
    return catalog


def text(catalog: Catalog) -> list[str]:
    """Return the lines: `~/api (2)` for a project, indented names for sessions."""
    lines = []
    for line in catalog.lines(0, catalog.height):
        if isinstance(line, GroupLine):
            lines.append(f"{line.key} ({line.sessions})")
        else:
            name = line.key.rpartition("/")[2].removesuffix(".jsonl")
            lines.append("  " * (line.depth + 1) + name)
    return lines


def test_projects_stand_by_their_newest_session_and_sessions_newest_first() -> None:
    catalog = catalog_of(
        read("/s/a.jsonl", 1), read("/s/b.jsonl", 5, "/srv/x"), read("/s/c.jsonl", 3)
    )
    assert text(catalog) == ["/srv/x (1)", "  b", "~/api (2)", "  c", "  a"]
    catalog.upsert([read("/s/a.jsonl", 9)])
    assert text(catalog) == ["~/api (2)", "  a", "  c", "/srv/x (1)", "  b"]


@pytest.mark.parametrize(
    ("sort", "reverse", "order"),
    [
        ("modified", False, "bca"),
        ("modified", True, "acb"),
        ("created", False, "acb"),
        ("created", True, "cab"),
        ("title", False, "bca"),
        ("title", True, "acb"),
        ("size", False, "bac"),
        ("size", True, "cab"),
    ],
)
def test_every_order_and_its_reverse(sort: Sort, reverse: bool, order: str) -> None:
    rows = [
        read("/s/a.jsonl", 1, title="zoo", created_ms=9, size=20),
        read("/s/b.jsonl", 20, title="Änderung"[1:], created_ms=None, size=30),
        read("/s/c.jsonl", 3, title="Other", created_ms=5, size=10),
    ]
    catalog = catalog_of(*rows)
    catalog.order_by(sort, reverse=reverse)
    assert [line.strip() for line in text(catalog)[1:]] == list(order)
    assert text(catalog_of(*rows, sort=sort, reverse=reverse)) == text(catalog)


def test_projects_stand_by_name_and_by_their_bytes_where_the_order_says_so() -> None:
    rows = [
        read("/s/a.jsonl", 3, "/home/mira/zoo", size=5),
        read("/s/b.jsonl", 2, "/home/mira/api", size=3),
        read("/s/c.jsonl", 1, "/home/mira/api", size=3),
    ]
    assert text(catalog_of(*rows, sort="title"))[0] == "~/api (2)"
    assert text(catalog_of(*rows, sort="title", reverse=True))[0] == "~/zoo (1)"
    assert text(catalog_of(*rows, sort="size"))[0] == "~/api (2)"
    assert text(catalog_of(*rows, sort="size", reverse=True))[0] == "~/zoo (1)"


def test_text_sorts_without_regard_to_case_both_ways() -> None:
    words = ["", "a", "Ab", "abc", "B", "straße", "é", "日本", "\U0001f600", "x" * 300]
    forward = sorted(words, key=lambda word: text_sort_key(word, reverse=False))
    assert forward == sorted(words, key=lambda word: word[:120].casefold())
    assert sorted(words, key=lambda word: text_sort_key(word, reverse=True)) == forward[::-1]


def test_a_session_goes_to_its_project_when_its_header_is_read() -> None:
    catalog = catalog_of(row("/s/-srv/a.jsonl", 2), row("/s/-srv/b.jsonl", 1))
    assert text(catalog) == ["~/srv (2)", "  a", "  b"]
    catalog.upsert([read("/s/-srv/a.jsonl", 2, "/data/my-project")])
    # The folder's other session, still unread, is taken to belong there too.
    assert text(catalog) == ["/data/my-project (2)", "  a", "  b"]
    catalog.upsert([read("/s/-srv/b.jsonl", 1, None)])
    assert text(catalog) == ["/data/my-project (1)", "  a", "~/srv (1)", "  b"]


def test_a_folder_of_several_projects_tells_nothing_of_its_unread_sessions() -> None:
    catalog = catalog_of(*(row(f"/all/{name}.jsonl") for name in "abc"))
    catalog.upsert([read("/all/a.jsonl", 1, "/x"), read("/all/b.jsonl", 1, "/y")])
    assert text(catalog) == ["/x (1)", "  a", "/y (1)", "  b", "all (1)", "  c"]


def test_home_is_shown_as_a_tilde_and_only_home() -> None:
    catalog = Catalog(home="/home/mira/")
    shown = {
        cwd: catalog.project(read("/a.jsonl", 1, cwd))
        for cwd in ("/home/mira", "/home/mira/a", "/home/miranda", "/", "/srv/")
    }
    assert shown == {
        "/home/mira": "~",
        "/home/mira/a": "~/a",
        "/home/miranda": "/home/miranda",
        "/": "/",
        "/srv/": "/srv",
    }
    assert catalog.project(row("a.jsonl")) == NO_PROJECT


def test_totals_count_everything_whatever_is_shown() -> None:
    catalog = catalog_of(
        read("/s/a.jsonl", size=5), read("/s/b.jsonl", 1, "/x", size=7), row("/t/c.jsonl", size=1)
    )
    catalog.filter("zzz")
    assert catalog.totals == msgspec.structs.replace(catalog.totals, sessions=3, bytes=13, groups=3)
    catalog.upsert([read("/s/a.jsonl", size=6)])
    catalog.remove(["/t/c.jsonl", "/unknown"])
    assert (catalog.totals.sessions, catalog.totals.bytes, catalog.totals.groups) == (
        2,
        13,
        2,
    )
    catalog.clear()
    assert (catalog.totals.sessions, catalog.totals.bytes, catalog.height) == (0, 0, 0)


def test_a_projects_line_tells_count_bytes_and_newest_also_when_they_shrink() -> None:
    catalog = catalog_of(read("/s/a.jsonl", 5, size=5), read("/s/b.jsonl", 3, size=7), sort="size")
    line = catalog.line(0)
    assert isinstance(line, GroupLine)
    assert (line.sessions, line.bytes, line.time_ms) == (2, 12, 5)
    catalog.remove(["/s/a.jsonl"])
    line = catalog.line(0)
    assert isinstance(line, GroupLine)
    assert (line.sessions, line.bytes, line.time_ms) == (1, 7, 3)


def test_a_projects_line_tells_when_it_changed_last_in_any_order() -> None:
    catalog = catalog_of(
        read("/a.jsonl", 50, cwd="/x", created_ms=30),
        read("/b.jsonl", 90, cwd="/x", created_ms=10),
        read("/c.jsonl", 70, cwd="/y", created_ms=None),
        sort="created",
    )
    lines = [line for line in catalog.lines(0, 9) if isinstance(line, GroupLine)]
    assert [line.time_ms for line in lines] == [90, 70]


def test_a_closed_project_is_one_line_and_stays_closed() -> None:
    catalog = catalog_of(read("/s/a.jsonl", 5), read("/s/b.jsonl", 3, "/x"))
    catalog.fold_group("~/api", closed=True)
    assert text(catalog) == ["~/api (1)", "/x (1)", "  b"]
    assert catalog.line_of("/s/a.jsonl") is None
    catalog.upsert([read("/s/c.jsonl", 9)])
    catalog.order_by("size")
    assert "~/api (2)" in text(catalog)
    assert catalog.reveal("/s/a.jsonl") is not None
    assert "  a" in text(catalog)
    catalog.fold_all(closed=True)
    assert text(catalog) == ["~/api (2)", "/x (1)"]
    catalog.fold_all(closed=False)
    assert catalog.height == 5


def test_the_flat_list_has_no_projects_but_tells_them() -> None:
    catalog = catalog_of(read("/s/a.jsonl", 5), read("/s/b.jsonl", 3, "/x"))
    catalog.set_flat(True)
    assert text(catalog) == ["  a", "  b"]
    lines = [line for line in catalog.lines(0, 2) if isinstance(line, RowLine)]
    assert [line.project for line in lines] == ["~/api", "/x"]
    catalog.set_flat(False)
    assert catalog.height == 4


def test_a_rename_keeps_folds_and_tells_where_the_session_is_now() -> None:
    catalog = catalog_of(read("/s/a.jsonl", id="a"), read("/s/f.jsonl", parent="a"))
    catalog.fold_session("/s/a.jsonl", opened=False)
    assert text(catalog) == ["~/api (2)", "  a"]
    catalog.rename("/s/a.jsonl", read("/s/b.jsonl", id="a"))
    assert text(catalog) == ["~/api (2)", "  b"]
    assert catalog.now_at("/s/a.jsonl") == "/s/b.jsonl"
    catalog.rename("/s/b.jsonl", read("/s/a.jsonl", id="a"))
    assert catalog.now_at("/s/b.jsonl") == "/s/a.jsonl"
    assert catalog.now_at("/s/a.jsonl") == "/s/a.jsonl"
    catalog.remove(["/s/a.jsonl"])
    assert catalog.now_at("/s/b.jsonl") is None


def test_a_change_of_one_row_and_back_before_anyone_looks_is_no_change() -> None:
    catalog = catalog_of(read("/s/a.jsonl", 5), read("/s/b.jsonl", 3))
    before = text(catalog)
    catalog.upsert([read("/s/b.jsonl", 9)])
    catalog.upsert([read("/s/b.jsonl", 3), read("/s/c.jsonl")])
    catalog.remove(["/s/c.jsonl"])
    assert text(catalog) == before


def test_recent_sessions_are_those_modified_since() -> None:
    catalog = catalog_of(*(row(f"/s/{number}.jsonl", number) for number in range(10)))
    assert {one.mtime_ms for one in catalog.recent(7)} == {7, 8, 9}
    catalog.upsert([row("/s/1.jsonl", 20)])
    catalog.remove(["/s/8.jsonl"])
    assert {one.mtime_ms for one in catalog.recent(8)} == {9, 20}
    assert {one.mtime_ms for one in catalog.recent(5)} == {5, 6, 7, 9, 20}
    assert [one.mtime_ms for one in catalog.newest(3)] == [20, 9, 7]


def test_lines_outside_the_list_are_none() -> None:
    catalog = catalog_of(read("/s/a.jsonl"))
    assert catalog.lines(-5, 1) == catalog.lines(0, 1)
    assert catalog.lines(2, 9) == []
    with pytest.raises(IndexError):
        catalog.line(2)
    assert Catalog(home=HOME).lines(0, 9) == []


def test_many_groups_are_found_by_line_from_top_to_bottom() -> None:
    catalog = catalog_of(*(read(f"/s/{n}.jsonl", n, f"/p/{n}") for n in range(3_000)))
    for y in (0, 1, 1_023, 1_024, 1_025, 5_998, 5_999):
        line = catalog.line(y)
        find = catalog.line_of_group if isinstance(line, GroupLine) else catalog.line_of
        assert find(line.key) == y
    catalog.upsert([read("/s/0.jsonl", 9_999, "/p/0")])
    assert catalog.line_of("/s/0.jsonl") == 1
    assert catalog.line_of("/s/1.jsonl") == 5_999


@pytest.mark.parametrize("sort", SORTS)
def test_a_lone_surrogate_in_path_or_title_breaks_nothing(sort: Sort) -> None:
    catalog = catalog_of(read("/s/\udcff.jsonl", title="\ud800"), row("/\udcfe/x"), sort=sort)
    assert catalog.height == 4
    catalog.order_by(sort, reverse=True)
    catalog.filter("\udcff")
    assert catalog.shown == 1
