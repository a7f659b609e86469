"""One line of a session, decoded: an entry, or the reason why it is none.

Offsets and sizes are bytes from the start of the session; times are
milliseconds since the epoch, UTC.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Entry(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A JSON object of a session, whatever its type; unknown types are kept as they are."""

    offset: int
    """Where its line starts."""
    size: int
    """Length of its line without the newline; objects that share a line share both."""
    type: str
    """The `type` field, or `""` where there is none."""
    id: str | None = None
    parent_id: str | None = None
    timestamp_ms: int | None = None
    data: dict[str, Any]
    """The whole object; only its beginning where `partial`."""
    partial: bool = False
    """Whether the line is too long to be decoded whole (`decode.WHOLE_BYTES`)."""


class BadLine(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A line that cannot be decoded; shown as a placeholder with its offset."""

    offset: int
    size: int
    reason: str
    """One short sentence in plain words, safe to show."""
    excerpt: bytes
    """The first bytes of the line, at most 2,000."""


Item = Entry | BadLine
