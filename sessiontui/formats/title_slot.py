"""The title slot and the title field: where omp keeps a session's title beside the header.

The *slot* is line 1 of a session: exactly 256 UTF-8 bytes with its newline, so
that a title can be changed in place. The *title field* is the value of
`<prefix>title` in Redis, a small JSON object. Both have the same three facts.
Times are milliseconds since the epoch.
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal

import msgspec

from sessiontui.formats.jsonl import to_json
from sessiontui.times import iso_time

SLOT_BYTES = 256
"""Length of the slot, its newline included."""

TitleSource = Literal["user", "auto"]

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


TITLE_CHARACTERS = 200
"""How much of a title is kept, and of the first message."""


class Title(msgspec.Struct, frozen=True, gc=False):
    """A title and who gave it."""

    text: str
    source: TitleSource | None = None


class TitleSlot(msgspec.Struct, frozen=True, kw_only=True):
    """A title line: what the first line of a session says of its title."""

    title: str
    """As stored; blank means "no title", and masks the header's."""
    source: TitleSource | None = None
    updated_at: str | None = None
    """ISO 8601 as stored."""
    exact: bool
    """Whether it is the fixed slot of 256 bytes, which may be rewritten in place."""


class TitleField(msgspec.Struct, frozen=True, kw_only=True):
    """The title field of Redis, once it counts (it has an `updatedAt`)."""

    title: str
    """Blank means "no title", and masks the slot's and the header's."""
    source: TitleSource | None = None
    updated_at: str
    """ISO 8601 as stored."""


def normalize_title(text: str) -> str:
    """Return the first line of `text` without control characters and outer blanks, as omp does."""
    return _CONTROL.sub("", re.split("\r?\n", text, maxsplit=1)[0]).strip()


def title_line(text: str, limit: int = TITLE_CHARACTERS) -> str:
    """Return the first line of `text` that says something, bounded, without control characters."""
    return normalize_title(text[: 4 * limit].lstrip())[:limit].rstrip()


def parse_title_source(value: object) -> TitleSource | None:
    """Return who named a session, from the field that says so; None for anything unknown."""
    if value == "user":
        return "user"
    return "auto" if value == "auto" else None


def parse_slot(line: bytes) -> TitleSlot | None:
    """Read a title line, or say that it is none.

    Args:
        line: The session from its first byte, as much as there is; what comes after
            the first newline is ignored.

    Returns:
        The title line, exact or of another length; None where the first line is
        no title line or is not whole.
    """
    end = line.find(b"\n")
    if end < 0 or not line.startswith(b"{"):
        return None
    fields = _json_object(line[:end])
    if fields is None or fields.get("type") != "title" or not isinstance(fields.get("title"), str):
        return None
    exact = end == SLOT_BYTES - 1 and fields.get("v") == 1 and isinstance(fields.get("pad"), str)
    return TitleSlot(
        title=fields["title"],
        source=parse_title_source(fields.get("source")),
        updated_at=_text(fields.get("updatedAt")),
        exact=exact,
    )


def make_slot(title: str, *, source: TitleSource | None, updated_at: int) -> bytes:
    """Write the slot for a title; exactly 256 bytes, its newline included.

    Args:
        title: Normalised as by `normalize_title`, then cut between code points so that
            its JSON form fits: 158 bytes with a source, 174 without.
        source: Who named the session: the user, or the agent by itself.
        updated_at: When, in milliseconds since the epoch.
    """
    before = '{"type":"title","v":1,"title":"'
    named = f',"source":"{source}"' if source else ""
    after = f'"{named},"updatedAt":"{iso_time(updated_at)}","pad":"'
    room = SLOT_BYTES - len(before) - len(after) - len('"}\n')
    body = _cut(normalize_title(title), room)
    pad = b" " * (room - len(body))
    return before.encode() + body + after.encode() + pad + b'"}\n'


def parse_title_field(value: bytes | None) -> TitleField | None:
    """Read a title field; None where there is none or it does not count."""
    if not value:
        return None
    fields = _json_object(value)
    if fields is None:
        return None
    updated_at = _text(fields.get("updatedAt"))
    if not updated_at:
        return None
    return TitleField(
        title=_text(fields.get("title")) or "",
        source=parse_title_source(fields.get("source")),
        updated_at=updated_at,
    )


def make_title_field(title: str, source: TitleSource | None, updated_at: int) -> bytes:
    """Write the title field; the title is normalised but not cut.

    Args:
        title: The title; blank clears it and masks the header's.
        source: Who named the session.
        updated_at: When, in milliseconds since the epoch.
    """
    fields: dict[str, str] = {"title": normalize_title(title)}
    if source:
        fields["source"] = source
    return to_json(fields | {"updatedAt": iso_time(updated_at)}).encode()


def field_of_slot(data: bytes) -> bytes | None:
    """Return the title field that goes with a session's first bytes, as omp writes both at once.

    Args:
        data: The session from its first byte, at least the slot.

    Returns:
        The same facts as the slot's; None where there is no exact slot with a time, for omp
        lays the field over the first 256 bytes of whatever stands there.
    """
    slot = parse_slot(data[:SLOT_BYTES])
    if slot is None or not slot.exact or not slot.updated_at:
        return None
    source = {"source": slot.source} if slot.source else {}
    return to_json({"title": slot.title, **source, "updatedAt": slot.updated_at}).encode()


def _cut(title: str, room: int) -> bytes:
    """Return the JSON form of as many whole code points as `room` bytes hold."""
    pieces: list[bytes] = []
    for character in title:
        piece = to_json(character)[1:-1].encode()
        room -= len(piece)
        if room < 0:
            break
        pieces.append(piece)
    return b"".join(pieces)


def _json_object(data: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
