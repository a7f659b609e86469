"""One line of a session -> its entries, or the reason why it has none. Never raises.

msgspec reads a line at more than twice the speed of the standard library, but
refuses lone surrogates, NaN and two objects on a line, which real sessions
hold; then `json` reads it, and only what that refuses too is a bad line. A
line beyond `WHOLE_BYTES` is not decoded whole: its first bytes tell what it is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from sessiontui.formats.entries import BadLine, Entry, Item
from sessiontui.formats.nesting import DEEP, MAX_DEPTH, too_deep
from sessiontui.formats.partial import partial_object
from sessiontui.text import clean
from sessiontui.times import time_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

WHOLE_BYTES = 8 * 1024 * 1024
"""A line longer than this is known by its first bytes alone."""
HEAD_BYTES = 64 * 1024
"""How many of them are looked at."""
EXCERPT_BYTES = 2000
MAX_OBJECTS = 1000
"""How many objects on one line are kept."""

_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"
_fast = msgspec.json.Decoder().decode
_slow = json.JSONDecoder().raw_decode


def decode_line(raw: bytes, offset: int, *, size: int | None = None) -> tuple[Item, ...]:
    """Decode one line.

    Args:
        raw: The line, with or without its newline; a carriage return and a byte-order
            mark do not count.
        offset: Where it starts in the session, in bytes.
        size: Its true length where `raw` is only its beginning.

    Returns:
        Nothing for a blank line; usually one entry; several where objects share a
        line, followed by a bad line where more follows that is no object.
    """
    line = raw.removesuffix(b"\n")
    length = len(line) if size is None else size
    if len(line) < length or length > WHOLE_BYTES:
        return (_cut_entry(line[:HEAD_BYTES], offset, length),)
    try:
        value = _fast(line)
    except (ValueError, RecursionError):  # msgspec's DecodeError is a ValueError
        return _decode_slowly(line, offset, length)
    if not isinstance(value, dict):
        return (_bad(line, offset, length, "it is JSON, but no object"),)
    may_be_deep = length > 2 * MAX_DEPTH and line.count(b"{") + line.count(b"[") > MAX_DEPTH
    if may_be_deep and too_deep(value):
        return (_bad(line, offset, length, DEEP),)
    return (_entry(value, offset, length),)


def decode_lines(data: bytes, offset: int = 0) -> list[Item]:
    """Decode bytes that begin at the start of a line; what follows the last newline counts too.

    Args:
        data: The lines.
        offset: Where they begin in the session, in bytes.
    """
    items: list[Item] = []
    for line in data.split(b"\n"):
        if line:
            items += decode_line(line, offset)
        offset += len(line) + 1
    return items


def _decode_slowly(line: bytes, offset: int, size: int) -> tuple[Item, ...]:
    text = line.removeprefix(_BOM).strip(_BLANK).decode("utf-8", "replace")
    if not text:
        return ()
    items: list[Item] = []
    try:
        for value in _values(text):
            if not isinstance(value, dict):
                items.append(_bad(line, offset, size, "it is JSON, but no object"))
                break
            if too_deep(value):
                items.append(_bad(line, offset, size, DEEP))
                break
            if len(items) == MAX_OBJECTS:
                reason = f"more than {MAX_OBJECTS} objects on one line"
                items.append(_bad(line, offset, size, reason))
                break
            items.append(_entry(value, offset, size))
    except json.JSONDecodeError as error:
        where = f"{error.msg.rstrip(': ')}, character {error.pos + 1}"
        items.append(_bad(line, offset, size, f"it is not JSON ({where})"))
    except ValueError:  # an integer of more digits than Python converts
        items.append(_bad(line, offset, size, "it holds a number that is too long"))
    except RecursionError:
        items.append(_bad(line, offset, size, DEEP))
    return tuple(items)


def _values(text: str) -> Iterator[Any]:
    """Yield the JSON values that stand one after another in `text`."""
    position = 0
    while position < len(text):
        value, position = _slow(text, position)
        yield value
        while position < len(text) and text[position] in " \t\r\n":
            position += 1


def _entry(data: dict[str, Any], offset: int, size: int, *, partial: bool = False) -> Entry:
    kind, own, parent = data.get("type"), data.get("id"), data.get("parentId")
    if own is None:
        payload = data.get("payload")
        own = data.get("uuid") or (payload.get("id") if isinstance(payload, dict) else None)
        parent = data.get("parentUuid")
    when = time_ms(data.get("timestamp"))
    if when is None and isinstance(message := data.get("message"), dict):
        when = time_ms(message.get("timestamp"))
    return Entry(
        offset=offset,
        size=size,
        type=kind if isinstance(kind, str) else "",
        id=own if isinstance(own, str) else None,
        parent_id=parent if isinstance(parent, str) else None,
        timestamp_ms=when,
        data=data,
        partial=partial,
    )


def _cut_entry(head: bytes, offset: int, size: int) -> Item:
    data = partial_object(head)
    if data is None:
        return _bad(head, offset, size, "it is too long, and does not begin like an entry")
    return _entry(data, offset, size, partial=True)


def _bad(line: bytes, offset: int, size: int, reason: str) -> BadLine:
    return BadLine(offset=offset, size=size, reason=clean(reason), excerpt=line[:EXCERPT_BYTES])
