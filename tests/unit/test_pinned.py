"""Pinned, orphaned and empty sessions: where they stand, and that nothing is lost by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from sessiontui.catalog.pinned import MOST_PINS
from sessiontui.catalog.row import NO_TAIL, PINNED, GroupLine, RowLine, SessionTail
from tests.unit.test_catalog import catalog_of, read, row, text

if TYPE_CHECKING:
    from sessiontui.catalog.catalog import Catalog

EMPTY: dict[str, Any] = {"tail": SessionTail(quiet=True), "agent": "omp"}
LOST = "/s/2026-01-01T00-00-00-000Z_gone/agent.jsonl"


def shown(catalog: Catalog) -> list[str]:
    return [line.replace(PINNED, "Pinned") for line in text(catalog)]


def test_pinned_sessions_stand_above_all_with_their_project() -> None:
    catalog = catalog_of(read("/s/a.jsonl", 1), read("/s/b.jsonl", 2, "/x"), read("/s/c.jsonl", 3))
    catalog.pin(["/s/a.jsonl", "/s/b.jsonl"], pinned=True)
    assert shown(catalog) == ["Pinned (2)", "  b", "  a", "~/api (1)", "  c"]
    line = catalog.line(2)
    assert isinstance(line, RowLine)
    assert (line.project, line.pinned) == ("~/api", True)
    catalog.set_flat(True)
    assert shown(catalog) == ["Pinned (2)", "  b", "  a", "  c"]
    catalog.fold_group(PINNED, closed=True)
    assert shown(catalog) == ["Pinned (2)", "  c"]
    catalog.set_flat(False)
    catalog.pin(["/s/a.jsonl", "/s/b.jsonl"], pinned=False)
    assert shown(catalog) == ["~/api (2)", "  c", "  a", "/x (1)", "  b"]


def test_pinned_sessions_stay_on_top_in_every_order() -> None:
    catalog = catalog_of(read("/s/a.jsonl", 1, title="Z", size=1), read("/s/b.jsonl", 2, "/x"))
    catalog.pin(["/s/a.jsonl"], pinned=True)
    for sort in ("created", "title", "size", "modified"):
        for reverse in (True, False):
            catalog.order_by(sort, reverse=reverse)
            assert shown(catalog)[:2] == ["Pinned (1)", "  a"]


def test_a_pinned_fork_leaves_its_family_and_takes_its_own_along() -> None:
    catalog = catalog_of(
        read("/s/a.jsonl", 1, id="a"),
        read("/s/b.jsonl", 2, id="b", parent="a"),
        read("/s/c.jsonl", 3, id="c", parent="b"),
    )
    catalog.pin(["/s/b.jsonl"], pinned=True)
    assert shown(catalog) == ["Pinned (2)", "  b", "    c", "~/api (1)", "  a"]
    catalog.pin(["/s/b.jsonl"], pinned=False)
    assert shown(catalog) == ["~/api (3)", "  a", "    b", "      c"]


def test_a_pin_waits_for_its_session_and_follows_it() -> None:
    catalog = catalog_of(read("/s/b.jsonl", 2))
    catalog.pin(["/s/a.jsonl"], pinned=True)
    assert shown(catalog) == ["~/api (1)", "  b"]
    one = read("/s/a.jsonl", 1)
    catalog.upsert([one])
    assert shown(catalog)[:2] == ["Pinned (1)", "  a"]
    catalog.rename("/s/a.jsonl", replace(one, path="/s/z.jsonl"))
    assert shown(catalog)[:2] == ["Pinned (1)", "  z"]
    assert catalog.pins == ["/s/z.jsonl"]
    catalog.remove(["/s/z.jsonl"])
    assert shown(catalog) == ["~/api (1)", "  b"]


def test_pins_are_bounded_and_the_oldest_goes() -> None:
    catalog = catalog_of()
    catalog.pin([f"/s/{number}.jsonl" for number in range(MOST_PINS + 2)], pinned=True)
    assert len(catalog.pins) == MOST_PINS
    assert catalog.pins[0] == "/s/2.jsonl"


def test_what_is_pinned_can_be_asked_for() -> None:
    catalog = catalog_of(read("/s/a.jsonl", 1), read("/s/b.jsonl", 2))
    catalog.pin(["/s/a.jsonl"], pinned=True)
    catalog.filter("is:pinned")
    assert shown(catalog) == ["~/api (1)", "  a"]
    catalog.pin(["/s/b.jsonl"], pinned=True)
    assert catalog.shown == 2
    catalog.pin(["/s/a.jsonl", "/s/b.jsonl"], pinned=False)
    assert catalog.shown == 0


def test_empty_sessions_are_hidden_until_they_are_asked_for() -> None:
    catalog = catalog_of(
        read("/s/a.jsonl", 1), read("/s/b.jsonl", 2, **EMPTY), read("/s/c.jsonl", 3, "/x", **EMPTY)
    )
    assert shown(catalog) == ["~/api (1)", "  a"]
    assert (catalog.empty, catalog.totals.sessions) == (2, 3)
    catalog.show_empty(True)
    assert shown(catalog) == ["/x (1)", "  c", "~/api (2)", "  b", "  a"]
    catalog.show_empty(False)
    assert shown(catalog) == ["~/api (1)", "  a"]
    catalog.filter("is:empty")
    assert catalog.shown == 2
    catalog.filter("jsonl")
    assert catalog.shown == 0
    catalog.filter("")
    assert catalog.reveal("/s/c.jsonl") == 1


def test_a_session_is_shown_with_its_first_message() -> None:
    one = read("/s/a.jsonl", 1, **EMPTY)
    catalog = catalog_of(one, read("/s/b.jsonl", 2))
    assert catalog.empty == 1
    catalog.upsert([replace(one, first_message="Hello")])
    assert shown(catalog) == ["~/api (2)", "  b", "  a"]
    assert catalog.empty == 0


def test_what_is_named_pinned_unread_foreign_or_has_children_is_not_hidden() -> None:
    catalog = catalog_of(
        read("/s/named.jsonl", 9, title_source="user", **EMPTY),
        read("/s/pinned.jsonl", 8, **EMPTY),
        row("/s/unread.jsonl", 7),
        read("/s/foreign.jsonl", 6, tail=NO_TAIL, size=10),
        read("/s/parent.jsonl", 5, id="p", **EMPTY),
        read("/s/child.jsonl", 4, parent="p"),
        read("/s/void.jsonl", 3, tail=NO_TAIL, size=0),
    )
    catalog.pin(["/s/pinned.jsonl"], pinned=True)
    assert catalog.empty == 1
    assert not any("void" in line for line in shown(catalog))
    catalog.remove(["/s/child.jsonl"])
    assert catalog.empty == 2
    assert not any("parent" in line for line in shown(catalog))


def test_orphans_and_sessions_without_project_stand_below_all_others() -> None:
    catalog = catalog_of(
        read(LOST, 9, "/home/mira/api"), row("/rootless.jsonl", 8), read("/s/a.jsonl", 1)
    )
    assert text(catalog) == ["~/api (1)", "  a", "other (2)", "  agent", "  rootless"]
    catalog.order_by("title")
    assert text(catalog)[0] == "~/api (1)"
    catalog.order_by("size", reverse=True)
    assert text(catalog)[0] == "~/api (1)"
    catalog.filter("is:orphan")
    assert text(catalog) == ["~/api (1)", "  agent"]
    catalog.pin([LOST], pinned=True)
    assert catalog.shown == 1
    catalog.pin([LOST], pinned=False)
    catalog.filter("is:subagent")
    assert catalog.shown == 1
    catalog.filter("")
    catalog.order_by("modified")
    parent = "/s/2026-01-01T00-00-00-000Z_gone.jsonl"
    catalog.upsert([read(parent, 5)])
    assert text(catalog)[0] == "~/api (3)"
    assert catalog.parent_of(LOST) == parent
    catalog.remove([parent])
    assert text(catalog)[:3] == ["~/api (1)", "  a", "other (2)"]


def test_a_fork_whose_parent_is_gone_stays_in_its_project() -> None:
    catalog = catalog_of(read("/s/f.jsonl", 1, parent="gone"))
    assert text(catalog) == ["~/api (1)", "  f"]
    catalog.filter("is:orphan")
    assert catalog.shown == 1


def test_ten_thousand_levels_and_pins_among_them_lose_nobody() -> None:
    rows = [
        read(f"/s/{number:05}.jsonl", 1, id=str(number), parent=str(number - 1) if number else None)
        for number in range(10_000)
    ]
    catalog = catalog_of(*rows)
    catalog.pin(["/s/05000.jsonl", "/s/00003.jsonl"], pinned=True)
    lines = catalog.lines(0, catalog.height)
    keys = [line.key for line in lines if isinstance(line, RowLine)]
    assert len(keys) == len(set(keys)) == 10_000
    heads = [line for line in lines if isinstance(line, RowLine) and not line.depth]
    assert {"/s/05000.jsonl", "/s/00003.jsonl", "/s/00000.jsonl"} <= {line.key for line in heads}
    groups = [line for line in lines if isinstance(line, GroupLine)]
    assert sum(group.sessions for group in groups) == 10_000
