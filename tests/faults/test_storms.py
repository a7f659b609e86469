"""The storms of `make faults`, each for a moment."""

from __future__ import annotations

import pytest

from tests.faults.storms import STORMS, Tally, numbered


@pytest.mark.parametrize("name", STORMS)
async def test_nothing_is_lost_or_doubled(name: str) -> None:
    storm, count = STORMS[name]
    tally = await storm(3, max(2, count // 100))
    assert (tally.lost, tally.doubled, tally.wrong) == (0, 0, [])
    assert tally.lines
    assert tally.faults


def test_what_is_lost_doubled_or_out_of_order_is_counted() -> None:
    lines = numbered("line", 0, 5)
    cases = {
        "".join(lines[1:]): (1, 0, 0),
        "".join(lines + lines[:2]): (0, 2, 0),
        "".join(reversed(lines)): (0, 0, 1),
        "".join(lines): (0, 0, 0),
    }
    for stored, expected in cases.items():
        tally = Tally("")
        tally.compare("a", stored.encode(), lines)
        assert (tally.lost, tally.doubled, len(tally.wrong)) == expected
        assert tally.failed == any(expected)
