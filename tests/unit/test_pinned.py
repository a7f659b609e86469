"""Pinned, orphaned and empty sessions: where they stand, and that nothing is lost by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from sessiontui.catalog.pinned import MOST_PINS
from sessiontui.catalog.row import NO_TAIL, PINNED, GroupLine, RowLine, SessionTail
from tests.unit.test_catalog import catalogue_of, read, row, text

if TYPE_CHECKING:
    from sessiontui.catalog.catalog import Catalog

EMPTY: dict[str, Any] = {"tail": SessionTail(quiet=True), "agent": "omp"}
LOST = "/s/2026-01-01T00-00-00-000Z_gone/agent.jsonl"


def shown(catalogue: Catalog) -> list[str]:
    return [line.replace(PINNED, "Pinned") for line in text(catalogue)]


def test_pinned_sessions_stand_above_all_with_their_project() -> None:
    catalogue = catalogue_of(
        read("/s/a.jsonl", 1), read("/s/b.jsonl", 2, "/x"), read("/s/c.jsonl", 3)
    )
    catalogue.pin(["/s/a.jsonl", "/s/b.jsonl"], pinned=True)
    assert shown(catalogue) == ["Pinned (2)", "  b", "  a", "~/api (1)", "  c"]
    line = catalogue.line(2)
    assert isinstance(line, RowLine)
    assert (line.project, line.pinned) == ("~/api", True)
    catalogue.set_flat(True)
    assert shown(catalogue) == ["Pinned (2)", "  b", "  a", "  c"]
    catalogue.fold_group(PINNED, closed=True)
    assert shown(catalogue) == ["Pinned (2)", "  c"]
    catalogue.set_flat(False)
    catalogue.pin(["/s/a.jsonl", "/s/b.jsonl"], pinned=False)
    assert shown(catalogue) == ["~/api (2)", "  c", "  a", "/x (1)", "  b"]


def test_pinned_sessions_stay_on_top_in_every_order() -> None:
    catalogue = catalogue_of(read("/s/a.jsonl", 1, title="Z", size=1), read("/s/b.jsonl", 2, "/x"))
    catalogue.pin(["/s/a.jsonl"], pinned=True)
    for sort in ("created", "title", "size", "modified"):
        for reverse in (True, False):
            catalogue.order_by(sort, reverse=reverse)
            assert shown(catalogue)[:2] == ["Pinned (1)", "  a"]


def test_a_pinned_fork_leaves_its_family_and_takes_its_own_along() -> None:
    catalogue = catalogue_of(
        read("/s/a.jsonl", 1, id="a"),
        read("/s/b.jsonl", 2, id="b", parent="a"),
        read("/s/c.jsonl", 3, id="c", parent="b"),
    )
    catalogue.pin(["/s/b.jsonl"], pinned=True)
    assert shown(catalogue) == ["Pinned (2)", "  b", "    c", "~/api (1)", "  a"]
    catalogue.pin(["/s/b.jsonl"], pinned=False)
    assert shown(catalogue) == ["~/api (3)", "  a", "    b", "      c"]


def test_a_pin_waits_for_its_session_and_follows_it() -> None:
    catalogue = catalogue_of(read("/s/b.jsonl", 2))
    catalogue.pin(["/s/a.jsonl"], pinned=True)
    assert shown(catalogue) == ["~/api (1)", "  b"]
    one = read("/s/a.jsonl", 1)
    catalogue.upsert([one])
    assert shown(catalogue)[:2] == ["Pinned (1)", "  a"]
    catalogue.rename("/s/a.jsonl", replace(one, path="/s/z.jsonl"))
    assert shown(catalogue)[:2] == ["Pinned (1)", "  z"]
    assert catalogue.pins == ["/s/z.jsonl"]
    catalogue.remove(["/s/z.jsonl"])
    assert shown(catalogue) == ["~/api (1)", "  b"]


def test_pins_are_bounded_and_the_oldest_goes() -> None:
    catalogue = catalogue_of()
    catalogue.pin([f"/s/{number}.jsonl" for number in range(MOST_PINS + 2)], pinned=True)
    assert len(catalogue.pins) == MOST_PINS
    assert catalogue.pins[0] == "/s/2.jsonl"


def test_what_is_pinned_can_be_asked_for() -> None:
    catalogue = catalogue_of(read("/s/a.jsonl", 1), read("/s/b.jsonl", 2))
    catalogue.pin(["/s/a.jsonl"], pinned=True)
    catalogue.filter("is:pinned")
    assert shown(catalogue) == ["~/api (1)", "  a"]
    catalogue.pin(["/s/b.jsonl"], pinned=True)
    assert catalogue.shown == 2
    catalogue.pin(["/s/a.jsonl", "/s/b.jsonl"], pinned=False)
    assert catalogue.shown == 0


def test_empty_sessions_are_hidden_until_they_are_asked_for() -> None:
    catalogue = catalogue_of(
        read("/s/a.jsonl", 1), read("/s/b.jsonl", 2, **EMPTY), read("/s/c.jsonl", 3, "/x", **EMPTY)
    )
    assert shown(catalogue) == ["~/api (1)", "  a"]
    assert (catalogue.empty, catalogue.totals.sessions) == (2, 3)
    catalogue.show_empty(True)
    assert shown(catalogue) == ["/x (1)", "  c", "~/api (2)", "  b", "  a"]
    catalogue.show_empty(False)
    assert shown(catalogue) == ["~/api (1)", "  a"]
    catalogue.filter("is:empty")
    assert catalogue.shown == 2
    catalogue.filter("jsonl")
    assert catalogue.shown == 0
    catalogue.filter("")
    assert catalogue.reveal("/s/c.jsonl") == 1


def test_a_session_is_shown_with_its_first_message() -> None:
    one = read("/s/a.jsonl", 1, **EMPTY)
    catalogue = catalogue_of(one, read("/s/b.jsonl", 2))
    assert catalogue.empty == 1
    catalogue.upsert([replace(one, first_message="Hello")])
    assert shown(catalogue) == ["~/api (2)", "  b", "  a"]
    assert catalogue.empty == 0


def test_what_is_named_pinned_unread_foreign_or_has_children_is_not_hidden() -> None:
    catalogue = catalogue_of(
        read("/s/named.jsonl", 9, title_source="user", **EMPTY),
        read("/s/pinned.jsonl", 8, **EMPTY),
        row("/s/unread.jsonl", 7),
        read("/s/foreign.jsonl", 6, tail=NO_TAIL, size=10),
        read("/s/parent.jsonl", 5, id="p", **EMPTY),
        read("/s/child.jsonl", 4, parent="p"),
        read("/s/void.jsonl", 3, tail=NO_TAIL, size=0),
    )
    catalogue.pin(["/s/pinned.jsonl"], pinned=True)
    assert catalogue.empty == 1
    assert not any("void" in line for line in shown(catalogue))
    catalogue.remove(["/s/child.jsonl"])
    assert catalogue.empty == 2
    assert not any("parent" in line for line in shown(catalogue))


def test_orphans_and_sessions_without_project_stand_below_all_others() -> None:
    catalogue = catalogue_of(
        read(LOST, 9, "/home/mira/api"), row("/rootless.jsonl", 8), read("/s/a.jsonl", 1)
    )
    assert text(catalogue) == ["~/api (1)", "  a", "other (2)", "  agent", "  rootless"]
    catalogue.order_by("title")
    assert text(catalogue)[0] == "~/api (1)"
    catalogue.order_by("size", reverse=True)
    assert text(catalogue)[0] == "~/api (1)"
    catalogue.filter("is:orphan")
    assert text(catalogue) == ["~/api (1)", "  agent"]
    catalogue.pin([LOST], pinned=True)
    assert catalogue.shown == 1
    catalogue.pin([LOST], pinned=False)
    catalogue.filter("is:subagent")
    assert catalogue.shown == 1
    catalogue.filter("")
    catalogue.order_by("modified")
    parent = "/s/2026-01-01T00-00-00-000Z_gone.jsonl"
    catalogue.upsert([read(parent, 5)])
    assert text(catalogue)[0] == "~/api (3)"
    assert catalogue.parent_of(LOST) == parent
    catalogue.remove([parent])
    assert text(catalogue)[:3] == ["~/api (1)", "  a", "other (2)"]


def test_a_fork_whose_parent_is_gone_stays_in_its_project() -> None:
    catalogue = catalogue_of(read("/s/f.jsonl", 1, parent="gone"))
    assert text(catalogue) == ["~/api (1)", "  f"]
    catalogue.filter("is:orphan")
    assert catalogue.shown == 1


def test_ten_thousand_levels_and_pins_among_them_lose_nobody() -> None:
    rows = [
        read(f"/s/{number:05}.jsonl", 1, id=str(number), parent=str(number - 1) if number else None)
        for number in range(10_000)
    ]
    catalogue = catalogue_of(*rows)
    catalogue.pin(["/s/05000.jsonl", "/s/00003.jsonl"], pinned=True)
    lines = catalogue.lines(0, catalogue.height)
    keys = [line.key for line in lines if isinstance(line, RowLine)]
    assert len(keys) == len(set(keys)) == 10_000
    heads = [line for line in lines if isinstance(line, RowLine) and not line.depth]
    assert {"/s/05000.jsonl", "/s/00003.jsonl", "/s/00000.jsonl"} <= {line.key for line in heads}
    groups = [line for line in lines if isinstance(line, GroupLine)]
    assert sum(group.sessions for group in groups) == 10_000
