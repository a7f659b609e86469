"""Sizes, times, counts and states as short text; pure, and safe to show as they come.

Times are milliseconds since the epoch, durations milliseconds, sizes bytes.
Everything here returns one short line without any text from outside, but for
`as_sentence` and `snippet`.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from rich.cells import cell_len

from sessiontui.text import clean

if TYPE_CHECKING:
    from sessiontui.catalog.row import Status
    from sessiontui.catalog.selection import SelectionState
    from sessiontui.formats.blocks import BlockKind
    from sessiontui.transcript.search import TextMatch, TextQuery

Tone = Literal["live", "attention", "failed", "past", "plain"]
"""What a colour means: a design token of the theme, or `plain` for the foreground."""

SAFE_TEXT = r"[^\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]*"
"""What may be typed or pasted into a field: nothing that a terminal or a reader would obey."""

_STEPS = ((60_000, 1_000, "s"), (3_600_000, 60_000, "m"), (86_400_000, 3_600_000, "h"))
_DAY = 86_400_000
_NEVER = "unknown"
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


class StatusSymbol(NamedTuple):
    """The symbol, word and colour of a status."""

    symbol: str
    ascii: str
    """The symbol where the terminal or the user wants ASCII alone."""
    word: str
    """Empty where the symbol says it all."""
    tone: Tone

    def glyph(self, *, ascii_only: bool = False) -> str:
        """Return the symbol to draw; always one cell wide."""
        return self.ascii if ascii_only else self.symbol


STATUS_SYMBOLS: dict[Status, StatusSymbol] = {
    "running": StatusSymbol("●", "*", "running", "live"),
    "thinking": StatusSymbol("●", "*", "thinking", "live"),
    "waiting": StatusSymbol("◐", "?", "waiting", "attention"),
    "stalled": StatusSymbol("◌", "o", "stalled", "attention"),
    "crashed": StatusSymbol("!", "!", "crashed", "failed"),
    "error": StatusSymbol("✗", "x", "error", "failed"),
    "aborted": StatusSymbol("⊘", "/", "aborted", "past"),
    "done": StatusSymbol("✓", "+", "", "past"),
    "exited": StatusSymbol("✓", "+", "", "past"),
    "unknown": StatusSymbol("·", ".", "", "past"),
}
"""Every state a session can be in."""

FORK_SYMBOL = StatusSymbol("⑂", "Y", "", "past")
"""A session that was forked from another."""

PIN_SYMBOL = StatusSymbol("▴", "^", "", "past")
"""A pinned session among others."""

SELECTION_SYMBOLS: dict[SelectionState, StatusSymbol] = {
    "none": StatusSymbol(" ", " ", "", "plain"),
    "some": StatusSymbol("▖", "-", "", "attention"),
    "all": StatusSymbol("▌", "#", "", "attention"),
}
"""What stands in front of a session that is marked, and of a project by its sessions."""


def size(count: int) -> str:
    """Return a number of bytes in at most 7 cells, in steps of 1,000: `812 MB`, `1.2 MB`."""
    value = float(count)
    unit = 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value /= 1000
        unit += 1
    digits = f"{value:.1f}" if unit and value < 9.95 else f"{value:.0f}"
    return f"{digits} {_UNITS[unit]}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: `1 session`, `1,284 sessions`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def tokens(number: int) -> str:
    """Return a number of tokens in at most 5 cells: `940`, `3.1k`, `214k`, `1.2M`."""
    if number < 1000:
        return str(number)
    value, unit = (number / 1e3, "k") if number < 999_500 else (number / 1e6, "M")
    return f"{value:.1f}{unit}" if value < 9.95 else f"{value:.0f}{unit}"


def cost(dollars: float) -> str:
    """Return a cost: `$0.84`, `<$0.01` for what is nearly nothing, `$1,204` without cents."""
    if 0 < dollars < 0.01:
        return "<$0.01"
    return f"${dollars:,.2f}" if dollars < 1000 else f"${dollars:,.0f}"


def duration(ms: int) -> str:
    """Return a span of time in one unit: `12s`, `4m`, `2h`, `3d`, `5w`; years from 104 weeks on."""
    span = max(0, ms)
    for below, unit_ms, letter in _STEPS:
        if span < below:
            return f"{span // unit_ms}{letter}"
    days = span // _DAY
    if days < 14:
        return f"{days}d"
    return f"{days // 7}w" if days < 728 else f"{days // 365}y"


def age(then_ms: int, now_ms: int) -> str:
    """Return how long ago something was: `now` within five seconds, else as `duration`."""
    return "now" if now_ms - then_ms < 5_000 else duration(now_ms - then_ms)


def clock_time(then_ms: int, now_ms: int, zone: tzinfo | None = None) -> str:
    """Return a time as short as it is clear: `14:02` today, else with its day or its year.

    Args:
        then_ms: The time.
        now_ms: What counts as today is told from this.
        zone: Time zone to show it in; None for the local one.
    """
    then, now = _local(then_ms, zone), _local(now_ms, zone)
    if then is None or now is None:
        return _NEVER
    if then.date() == now.date():
        return then.strftime("%H:%M")
    return then.strftime("%d %b %H:%M" if then.year == now.year else "%d %b %Y")


def exact_time(then_ms: int, zone: tzinfo | None = None) -> str:
    """Return a time in full, `2026-11-23 14:02:09`; `unknown` for one no calendar has."""
    then = _local(then_ms, zone)
    return _NEVER if then is None else then.strftime("%Y-%m-%d %H:%M:%S")


def _local(ms: int, zone: tzinfo | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(ms / 1000, tz=UTC).astimezone(zone)
    except (OverflowError, OSError, ValueError):
        return None


def cut_end(text: str, width: int) -> str:
    """Return `text` in at most `width` cells, its end cut: for titles."""
    if len(text) <= width * 2 and cell_len(text) <= width:
        return text
    return _first_cells(text, width - 1) + "…" if width > 0 else ""


def cut_middle(text: str, width: int) -> str:
    """Return `text` in at most `width` cells, its middle cut: for paths."""
    if len(text) <= width * 2 and cell_len(text) <= width:
        return text
    if width < 2:
        return "…"[: max(0, width)]
    end = (width - 1) * 2 // 3
    return f"{_first_cells(text, width - 1 - end)}…{_last_cells(text, end)}"


def _first_cells(text: str, width: int) -> str:
    """Return as much of the beginning as fits; looks at no more than may fit."""
    kept = text[: max(0, width) * 2]
    while kept and cell_len(kept) > width:
        kept = kept[:-1]
    return kept


def _last_cells(text: str, width: int) -> str:
    kept = text[-width * 2 :] if width > 0 else ""
    while kept and cell_len(kept) > width:
        kept = kept[1:]
    return kept


def as_sentence(reason: str) -> str:
    """Return a reason in plain words as a sentence that is safe to show."""
    text = clean(reason)
    return f"{text[:1].upper()}{text[1:]}."


_SPEAKERS: Final[dict[BlockKind, str]] = {"user": "You", "text": "Agent", "thinking": "thinking"}
_BEFORE: Final = 3
"""One part in so many of the width stands before what was found, where the line is cut."""


def speaker(hit: TextMatch) -> str:
    """Return in a word who said it: `You`, `Agent`, or the name of a tool; safe to show."""
    return _SPEAKERS.get(hit.kind) or hit.heading or hit.kind


def snippet(hit: TextMatch, wanted: TextQuery, width: int) -> tuple[str, list[tuple[int, int]]]:
    """Return the part of a line that tells what was found, and where in it to light it.

    Args:
        hit: The place; its text is safe to show.
        wanted: What was looked for.
        width: How many cells there are.
    """
    text = hit.text.strip()
    first = next(iter(wanted.spans(text)), (0, 0))
    start = 0
    if first[1] > width * (_BEFORE - 1) // _BEFORE:
        start = max(0, first[0] - width // _BEFORE)
    begin = "…" if start else ""
    shown = cut_end(begin + text[start : start + 2 * width], width)
    spans = list(wanted.spans(shown))
    if not spans and first[1] > first[0]:
        # What stood around it decided that it matches.
        moved = [place - start + len(begin) for place in first]
        spans = [(moved[0], min(moved[1], len(shown)))] if moved[0] < len(shown) else []
    return shown, spans
