"""Times: parsing what agents write to milliseconds since the epoch, UTC; the time now."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROUNDING = 0.0005
"""Half a microsecond, in milliseconds: more than a float loses, less than a clock tells."""
_ISO = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:[zZ]|[+-]\d\d:?\d\d)", re.ASCII
)

EARLIEST_MS = 946_684_800_000
"""2000-01-01: no agent wrote anything before."""
LATEST_MS = 4_102_444_800_000
"""2100-01-01."""


def now_ms() -> int:
    """Return the time now, in milliseconds since the epoch: the clock where none is given."""
    return time.time_ns() // 1_000_000


def time_ms(value: object) -> int | None:
    """Return the time that a field of a session tells.

    Args:
        value: ISO 8601 text with a zone (omp, pi, Claude Code, Codex), or a number of
            milliseconds (messages of omp and pi) or seconds (some events of Codex).

    Returns:
        None for anything else, and for times outside the years 2000 to 2099.
    """
    if isinstance(value, str):
        return _from_iso(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if EARLIEST_MS <= value < LATEST_MS:
        return int(value)
    if EARLIEST_MS <= value * 1000 < LATEST_MS:
        return int(value * 1000)
    return None


def iso_time(ms: int) -> str:
    """Return `ms` as JavaScript's `toISOString` writes it: 24 characters, UTC, milliseconds.

    Raises:
        OverflowError: It is outside the years 1 to 9999.
    """
    moment = _EPOCH + timedelta(milliseconds=ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _from_iso(text: str) -> int | None:
    try:
        if len(text) != 24 or not (
            text[4] == text[7] == "-" and text[10] == "T" and text[23] == "Z"
        ):
            # Not what JavaScript writes.
            if len(text) > 40 or _ISO.fullmatch(text) is None:
                return None
            text = text.upper()
        ms = int(datetime.fromisoformat(text).timestamp() * 1000 + _ROUNDING)
    except (ValueError, OverflowError):
        return None
    return ms if EARLIEST_MS <= ms < LATEST_MS else None
