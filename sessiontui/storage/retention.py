"""When the trash lets go of something: never because of a single reading of a clock.

Two looks at it, at least a day apart, must both find that its time is over. And where files were
written long after the time at which they are said to have been deleted, the clock was wrong then:
what they tell counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

DAY_MS: Final = 86_400_000


def kept_until(
    deleted_ms: int, expires_ms: int, written_ms: Iterable[int | None], now_ms: int
) -> int:
    """Return until when something is kept, in milliseconds since the epoch.

    Args:
        deleted_ms: When it was deleted, as the clock said then.
        expires_ms: When it expires, counted from there.
        written_ms: When its files were written, as far as known.
        now_ms: What the clock says; times that are still to come prove nothing.
    """
    known = [time for time in written_ms if time is not None and time <= now_ms + DAY_MS]
    latest = max(known, default=deleted_ms)
    late = latest - deleted_ms
    return expires_ms + late if late > DAY_MS else expires_ms


def next_mark(first_ms: int | None, now_ms: int, *, expired: bool) -> int | None:
    """Return what a look has to remember of something, so that the next one can decide.

    Args:
        first_ms: What the looks before have remembered: the first reading that found it expired.
        now_ms: What the clock says.
        expired: Whether its time is over by this reading.
    """
    if not expired:
        return None
    return now_ms if first_ms is None or first_ms > now_ms else first_ms


def may_go(first_ms: int | None, now_ms: int) -> bool:
    """Tell whether two readings that agree lie far enough apart."""
    return first_ms is not None and now_ms - first_ms >= DAY_MS
