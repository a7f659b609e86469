"""Marks: whose they are, how much is marked, and what a project's heading says."""

from __future__ import annotations

import msgspec

from sessiontui.catalog.catalog import Catalog
from sessiontui.catalog.row import GroupLine, RowLine
from tests.app.session_list import HOME, MINUTE, catalog_of, row


def paths(catalog: Catalog) -> list[str]:
    """Return the names of what is marked, in the order of the list."""
    return [path.rpartition("_")[2].removesuffix(".jsonl") for path in catalog.marked]


def three() -> Catalog:
    return catalog_of(
        row("a", size=10, ago_ms=MINUTE),
        row("b", size=200, ago_ms=2 * MINUTE),
        row("c", size=3000, ago_ms=3 * MINUTE, project="web"),
    )


def groups(catalog: Catalog) -> list[str]:
    """Return how much of each project shown is marked."""
    lines = catalog.lines(0, catalog.height)
    return [catalog.mark_of(line) for line in lines if isinstance(line, GroupLine)]


def test_marks_count_sessions_and_bytes_while_these_change() -> None:
    catalog = three()
    marks = catalog.marks
    a, b = row("a", size=10, ago_ms=MINUTE), row("b").path
    marks.toggle(a.path)
    marks.toggle(b)
    assert (len(marks), marks.bytes) == (2, 210)
    catalog.upsert([msgspec.structs.replace(a, size=15)])
    assert marks.bytes == 215
    marks.toggle(b)
    assert (len(marks), marks.bytes, b in marks) == (1, 15, False)
    marks.add([b, "/unknown.jsonl"])
    assert (len(marks), marks.bytes) == (2, 215)
    catalog.remove([a.path])
    assert (len(marks), marks.bytes) == (1, 200)
    marks.clear()
    assert (len(marks), marks.bytes, bool(marks)) == (0, 0, False)


def test_a_mark_follows_a_rename_and_so_does_the_beginning_of_a_range() -> None:
    catalog = three()
    old = catalog.rows[row("a").path]
    catalog.marks.toggle(old.path)
    new = msgspec.structs.replace(old, path="/sessions/-code-api/new.jsonl", size=11)
    catalog.rename(old.path, new)
    assert list(catalog.marks) == [new.path]
    assert (catalog.marks.last, catalog.marks.bytes) == (new.path, 11)
    catalog.rename(row("b").path, msgspec.structs.replace(old, path="/other.jsonl"))
    assert list(catalog.marks) == [new.path]


def test_a_mark_goes_with_its_session_and_is_not_there_when_the_path_comes_back() -> None:
    catalog = three()
    one = catalog.rows[row("a").path]
    catalog.marks.toggle(one.path)
    catalog.remove([one.path])
    assert catalog.marks.last is None
    catalog.upsert([one])
    assert one.path not in catalog.marks


def test_marks_survive_order_search_and_folding_and_are_listed_in_the_order_shown() -> None:
    catalog = three()
    catalog.marks.add(catalog.fitting)
    assert paths(catalog) == ["a", "b", "c"]
    catalog.order_by("size")
    assert paths(catalog) == ["c", "b", "a"]
    catalog.fold_all(closed=True)
    catalog.filter("web")
    assert paths(catalog) == ["c", "b", "a"]


def test_all_and_the_opposite_are_about_what_fits_the_search_folded_away_or_not() -> None:
    catalog = three()
    catalog.fold_all(closed=True)
    catalog.marks.add(catalog.fitting)
    assert paths(catalog) == ["a", "b", "c"]
    catalog.filter("web")
    catalog.marks.invert(catalog.fitting)
    assert paths(catalog) == ["a", "b"]
    catalog.filter("")
    catalog.marks.invert(catalog.fitting)
    assert paths(catalog) == ["c"]


def test_all_that_fit_are_more_than_the_best_that_are_shown() -> None:
    catalog = Catalog(home=HOME)
    catalog.upsert(row(f"{number:05}", ago_ms=number) for number in range(1500))
    catalog.filter("session")
    assert catalog.height < 1500
    catalog.marks.add(catalog.fitting)
    assert len(catalog.marks) == 1500


def test_a_heading_tells_whether_some_or_all_of_its_project_are_marked() -> None:
    catalog = three()
    assert groups(catalog) == ["none", "none"]
    catalog.marks.toggle(row("a").path)
    assert groups(catalog) == ["some", "none"]
    catalog.marks.toggle(row("b").path)
    assert groups(catalog) == ["all", "none"]
    catalog.upsert([row("d", ago_ms=5 * MINUTE)])
    assert groups(catalog) == ["some", "none"]
    catalog.remove([row("d").path])
    assert groups(catalog) == ["all", "none"]


def test_a_heading_tells_of_what_fits_the_search_however_alike_two_results_are() -> None:
    catalog = catalog_of(row("a", "Zebra"), row("b", "Quokka"))
    catalog.marks.toggle(row("b").path)
    catalog.filter("quokka")
    assert groups(catalog) == ["all"]
    catalog.filter("zebra")
    assert groups(catalog) == ["none"]


def test_lines_stand_for_their_sessions_and_a_closed_heading_for_its_project() -> None:
    catalog = three()
    a, b, c = (row(name, project=p).path for name, p in (("a", "api"), ("b", "api"), ("c", "web")))
    assert catalog.paths(0, 2) == [a]
    assert catalog.paths(2, 5) == [b, c]
    catalog.fold_group("~/code/api", closed=True)
    assert catalog.paths(0, 1) == [a, b]
    assert catalog.paths(1, 3) == [c]
    assert catalog.members("~/code/api") == [a, b]
    assert catalog.members("nowhere") == []
    catalog.set_flat(True)
    assert catalog.paths(0, 9) == [a, b, c]


def test_lines_of_a_family_are_as_before() -> None:
    parent = row("p", ago_ms=MINUTE)
    fork = row("f", parent="p", ago_ms=2 * MINUTE)
    catalog = catalog_of(parent, fork, row("q", ago_ms=3 * MINUTE))
    lines = catalog.lines(1, 4)
    assert [line.depth for line in lines if isinstance(line, RowLine)] == [0, 1, 0]
    assert catalog.paths(2, 3) == [fork.path]
    assert sorted(catalog.members("~/code/api")) == sorted(catalog.rows)
