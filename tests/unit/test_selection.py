"""Marks: whose they are, how much is marked, and what a project's heading says."""

from __future__ import annotations

import msgspec

from sessiontui.catalog.catalog import Catalog
from sessiontui.catalog.row import GroupLine, RowLine
from tests.app.session_list import HOME, MINUTE, catalogue_of, row


def paths(catalogue: Catalog) -> list[str]:
    """Return the names of what is marked, in the order of the list."""
    return [path.rpartition("_")[2].removesuffix(".jsonl") for path in catalogue.marked]


def three() -> Catalog:
    return catalogue_of(
        row("a", size=10, ago_ms=MINUTE),
        row("b", size=200, ago_ms=2 * MINUTE),
        row("c", size=3000, ago_ms=3 * MINUTE, project="web"),
    )


def groups(catalogue: Catalog) -> list[str]:
    """Return how much of each project shown is marked."""
    lines = catalogue.lines(0, catalogue.height)
    return [catalogue.mark_of(line) for line in lines if isinstance(line, GroupLine)]


def test_marks_count_sessions_and_bytes_while_these_change() -> None:
    catalogue = three()
    marks = catalogue.marks
    a, b = row("a", size=10, ago_ms=MINUTE), row("b").path
    marks.toggle(a.path)
    marks.toggle(b)
    assert (len(marks), marks.bytes) == (2, 210)
    catalogue.upsert([msgspec.structs.replace(a, size=15)])
    assert marks.bytes == 215
    marks.toggle(b)
    assert (len(marks), marks.bytes, b in marks) == (1, 15, False)
    marks.add([b, "/unknown.jsonl"])
    assert (len(marks), marks.bytes) == (2, 215)
    catalogue.remove([a.path])
    assert (len(marks), marks.bytes) == (1, 200)
    marks.clear()
    assert (len(marks), marks.bytes, bool(marks)) == (0, 0, False)


def test_a_mark_follows_a_rename_and_so_does_the_beginning_of_a_range() -> None:
    catalogue = three()
    old = catalogue.rows[row("a").path]
    catalogue.marks.toggle(old.path)
    new = msgspec.structs.replace(old, path="/sessions/-code-api/new.jsonl", size=11)
    catalogue.rename(old.path, new)
    assert list(catalogue.marks) == [new.path]
    assert (catalogue.marks.last, catalogue.marks.bytes) == (new.path, 11)
    catalogue.rename(row("b").path, msgspec.structs.replace(old, path="/other.jsonl"))
    assert list(catalogue.marks) == [new.path]


def test_a_mark_goes_with_its_session_and_is_not_there_when_the_path_comes_back() -> None:
    catalogue = three()
    one = catalogue.rows[row("a").path]
    catalogue.marks.toggle(one.path)
    catalogue.remove([one.path])
    assert catalogue.marks.last is None
    catalogue.upsert([one])
    assert one.path not in catalogue.marks


def test_marks_survive_order_search_and_folding_and_are_listed_in_the_order_shown() -> None:
    catalogue = three()
    catalogue.marks.add(catalogue.fitting)
    assert paths(catalogue) == ["a", "b", "c"]
    catalogue.order_by("size")
    assert paths(catalogue) == ["c", "b", "a"]
    catalogue.fold_all(closed=True)
    catalogue.filter("web")
    assert paths(catalogue) == ["c", "b", "a"]


def test_all_and_the_opposite_are_about_what_fits_the_search_folded_away_or_not() -> None:
    catalogue = three()
    catalogue.fold_all(closed=True)
    catalogue.marks.add(catalogue.fitting)
    assert paths(catalogue) == ["a", "b", "c"]
    catalogue.filter("web")
    catalogue.marks.invert(catalogue.fitting)
    assert paths(catalogue) == ["a", "b"]
    catalogue.filter("")
    catalogue.marks.invert(catalogue.fitting)
    assert paths(catalogue) == ["c"]


def test_all_that_fit_are_more_than_the_best_that_are_shown() -> None:
    catalogue = Catalog(home=HOME)
    catalogue.upsert(row(f"{number:05}", ago_ms=number) for number in range(1500))
    catalogue.filter("session")
    assert catalogue.height < 1500
    catalogue.marks.add(catalogue.fitting)
    assert len(catalogue.marks) == 1500


def test_a_heading_tells_whether_some_or_all_of_its_project_are_marked() -> None:
    catalogue = three()
    assert groups(catalogue) == ["none", "none"]
    catalogue.marks.toggle(row("a").path)
    assert groups(catalogue) == ["some", "none"]
    catalogue.marks.toggle(row("b").path)
    assert groups(catalogue) == ["all", "none"]
    catalogue.upsert([row("d", ago_ms=5 * MINUTE)])
    assert groups(catalogue) == ["some", "none"]
    catalogue.remove([row("d").path])
    assert groups(catalogue) == ["all", "none"]


def test_a_heading_tells_of_what_fits_the_search_however_alike_two_results_are() -> None:
    catalogue = catalogue_of(row("a", "Zebra"), row("b", "Quokka"))
    catalogue.marks.toggle(row("b").path)
    catalogue.filter("quokka")
    assert groups(catalogue) == ["all"]
    catalogue.filter("zebra")
    assert groups(catalogue) == ["none"]


def test_lines_stand_for_their_sessions_and_a_closed_heading_for_its_project() -> None:
    catalogue = three()
    a, b, c = (row(name, project=p).path for name, p in (("a", "api"), ("b", "api"), ("c", "web")))
    assert catalogue.paths(0, 2) == [a]
    assert catalogue.paths(2, 5) == [b, c]
    catalogue.fold_group("~/code/api", closed=True)
    assert catalogue.paths(0, 1) == [a, b]
    assert catalogue.paths(1, 3) == [c]
    assert catalogue.members("~/code/api") == [a, b]
    assert catalogue.members("nowhere") == []
    catalogue.set_flat(True)
    assert catalogue.paths(0, 9) == [a, b, c]


def test_lines_of_a_family_are_as_before() -> None:
    parent = row("p", ago_ms=MINUTE)
    fork = row("f", parent="p", ago_ms=2 * MINUTE)
    catalogue = catalogue_of(parent, fork, row("q", ago_ms=3 * MINUTE))
    lines = catalogue.lines(1, 4)
    assert [line.depth for line in lines if isinstance(line, RowLine)] == [0, 1, 0]
    assert catalogue.paths(2, 3) == [fork.path]
    assert sorted(catalogue.members("~/code/api")) == sorted(catalogue.rows)
