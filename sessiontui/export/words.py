"""Figures and times as an exported text tells them."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo


def local_time(ms: int | None, zone: tzinfo | None) -> str:
    """Return a time with its time zone, `2026-11-23 14:02:09 UTC`; empty for none."""
    then = _moment(ms)
    return "" if then is None else then.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def machine_time(ms: int | None) -> str:
    """Return a time in UTC as ISO 8601 has it; empty for none."""
    then = _moment(ms)
    return "" if then is None else then.strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(ms: int | None) -> datetime | None:
    if ms is None:
        return None
    try:
        return datetime.fromtimestamp(ms / 1000, tz=UTC)
    except (OverflowError, OSError, ValueError):
        return None


def seconds(ms: int) -> str:
    """Return how long something took: `0.4 s`, `12 s`, `3 min 5 s`."""
    if ms < 10_000:
        return f"{ms / 1000:.1f} s"
    minutes, rest = divmod(ms // 1000, 60)
    return f"{minutes:,} min {rest} s" if minutes else f"{rest} s"


def counted(number: int, one: str) -> str:
    """Return a number with its noun: `1 turn`, `1,284 turns`."""
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def dollars(cost: float) -> str:
    """Return a cost: `$0.84`, `<$0.01`."""
    return "<$0.01" if 0 < cost < 0.01 else f"${cost:,.2f}"
