"""How figures, times and states read."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

import pytest
from rich.cells import cell_len

from sessiontui.app import format as formats

NOW = 1_795_442_529_000
"""2026-11-23 14:02:09 UTC."""


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 KB"),
        (9_949, "9.9 KB"),
        (9_950, "10 KB"),
        (999_499, "999 KB"),
        (999_500, "1.0 MB"),
        (812_000_000, "812 MB"),
        (3_000_000_000_000, "3.0 TB"),
        (5 * 10**18, "5000 PB"),
    ],
)
def test_a_size_has_one_unit(number: int, text: str) -> None:
    assert formats.size(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (3_120, "3.1k"), (214_000, "214k"), (999_500, "1.0M")],
)
def test_tokens_are_short(number: int, text: str) -> None:
    assert formats.tokens(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "now"),
        (4, "now"),
        (12, "12s"),
        (59, "59s"),
        (60, "1m"),
        (3_599, "59m"),
        (7_200, "2h"),
        (3 * 86_400, "3d"),
        (35 * 86_400, "5w"),
        (800 * 86_400, "2y"),
    ],
)
def test_an_age_has_one_unit_of_one_letter(seconds: int, text: str) -> None:
    assert formats.age(NOW - seconds * 1000, NOW) == text


def test_costs_and_counts() -> None:
    assert [formats.cost(value) for value in (0, 0.004, 0.84, 1204.4)] == [
        "$0.00",
        "<$0.01",
        "$0.84",
        "$1,204",
    ]
    assert [formats.plural(number, "match", "matches") for number in (0, 1, 2_000)] == [
        "0 matches",
        "1 match",
        "2,000 matches",
    ]


def test_a_time_is_as_short_as_it_is_clear() -> None:
    day = 86_400_000
    shown = [formats.clock_time(NOW - ago * day, NOW, UTC) for ago in (0, 3, 400)]
    assert shown == ["14:02", "20 Nov 14:02", "19 Oct 2025"]
    east = timezone(timedelta(hours=9))
    assert formats.exact_time(NOW, UTC) == "2026-11-23 14:02:09"
    assert formats.exact_time(NOW, east) == "2026-11-23 23:02:09"


@pytest.mark.parametrize("ms", [10**17, -(10**17), 10**30])
def test_a_time_that_no_calendar_has_is_unknown(ms: int) -> None:
    assert formats.exact_time(ms) == "unknown"
    assert formats.clock_time(ms, NOW) == "unknown"


@pytest.mark.parametrize("width", [0, 1, 2, 3, 5, 8, 30])
@pytest.mark.parametrize("text", ["plain words", "日本語のタイトル", "👩‍💻 work 🎉🎉🎉", "é" * 20])
def test_cut_text_fits_its_cells(text: str, width: int) -> None:
    assert cell_len(formats.cut_end(text, width)) <= width
    assert cell_len(formats.cut_middle(text, width)) <= width


def test_titles_are_cut_at_the_end_and_paths_in_the_middle() -> None:
    assert formats.cut_end("Fix the flaky test", 10) == "Fix the f…"
    assert formats.cut_middle("/sessions/-code-api/2026_ab12.jsonl", 16) == "/sess…ab12.jsonl"


def test_every_state_has_a_symbol_of_one_cell_with_an_ascii_fallback() -> None:
    for sign in (*formats.STATUS_SYMBOLS.values(), formats.FORK_SYMBOL):
        assert cell_len(sign.glyph()) == 1
        assert sign.glyph(ascii_only=True).isascii()
        assert len(sign.glyph(ascii_only=True)) == 1
