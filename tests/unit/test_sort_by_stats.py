"""Order by what only reading a whole session tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sessiontui.catalog.sorting import COUNTED, Sort
from sessiontui.catalog.stats import SessionStats
from sessiontui.formats.base import Tokens
from tests.unit.test_catalog import catalog_of, read, text

if TYPE_CHECKING:
    from sessiontui.catalog.catalog import Catalog

KNOWN = {
    "/s/a.jsonl": SessionStats(entries=3, turns=9, tokens=Tokens(input=50, cost=0.1)),
    "/s/b.jsonl": SessionStats(entries=9, turns=3, tokens=Tokens(output=90, cost=2.0)),
}


def three() -> Catalog:
    """Return a catalog of a, b and c, the last one the newest."""
    return catalog_of(*(read(f"/s/{name}.jsonl", time) for time, name in enumerate("abc")))


@pytest.mark.parametrize(
    ("sort", "order"), [("cost", "ba"), ("tokens", "ba"), ("turns", "ab"), ("entries", "ba")]
)
def test_the_most_comes_first_and_what_is_not_counted_last(sort: Sort, order: str) -> None:
    catalog = catalog_of(*(read(f"/s/{name}.jsonl", number) for number, name in enumerate("abc")))
    catalog.figures = KNOWN.get
    catalog.order_by(sort)
    assert text(catalog)[1:] == [f"  {name}" for name in (*order, "c")]
    catalog.order_by(sort, reverse=True)
    assert text(catalog)[1:] == [f"  {name}" for name in (*order[::-1], "c")]
    catalog.filter("size:>0")
    assert text(catalog)[1:] == [f"  {name}" for name in (*order[::-1], "c")]


@pytest.mark.parametrize("flat", [True, False])
def test_sessions_move_when_they_are_counted(flat: bool) -> None:
    catalog = catalog_of(*(read(f"/s/{name}.jsonl", number) for number, name in enumerate("abc")))
    known: dict[str, SessionStats] = {}
    catalog.figures = known.get
    catalog.set_flat(flat)
    catalog.order_by("cost")
    for path, order in (("/s/a.jsonl", "abc"), ("/s/b.jsonl", "bac")):
        known[path] = KNOWN[path]
        catalog.figured([path, "/s/gone.jsonl"])
        assert [line.strip() for line in text(catalog)][-3:] == list(order)
    # Figures may change before it is told: everything is still found where it is.
    known["/s/a.jsonl"] = SessionStats(tokens=Tokens(cost=9.0))
    assert catalog.line_of("/s/b.jsonl") is not None
    catalog.remove(["/s/b.jsonl"])
    catalog.upsert([read("/s/d.jsonl", 1)])
    catalog.figured(["/s/a.jsonl"])
    assert [line.strip() for line in text(catalog)][-3:] == ["a", "c", "d"]


def test_the_key_goes_from_there_to_the_usual_orders() -> None:
    catalog = catalog_of(read("/s/a.jsonl"))
    for sort in COUNTED:
        catalog.order_by(sort)
        catalog.step_order()
        assert catalog.sort == "modified"
