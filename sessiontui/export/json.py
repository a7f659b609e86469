"""JSON and JSONL export: entries in one JSON object, or the bytes as stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sessiontui.export.text_writer import machine_time
from sessiontui.formats.jsonl import BadLine, LineBuffer, decode_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiontui.export.text_writer import SessionFacts
    from sessiontui.formats.jsonl import RawLine

MAX_LINE: Final = 32 * 1024 * 1024
"""A line longer than this is not read whole: its beginning stands in its place."""
BEGINNING: Final = 64 * 1024

_check = msgspec.json.Decoder().decode


class BytesWriter:
    """Writes the stored bytes exactly."""

    def begin(self) -> bytes:
        """Return nothing."""
        return b""

    def feed(self, data: bytes) -> bytes:
        """Return the same bytes."""
        return data

    def finish(self) -> bytes:
        """Return nothing."""
        return b""


class JsonWriter:
    """Writes an object with `session`, what is known of it, and `entries`, an array.

    An entry is an element as it is stored. A line that is none is an object with
    `badLine`: where it begins, how long it is, why it is bad, and its text.
    """

    def __init__(self, facts: SessionFacts) -> None:
        self._facts = facts
        self._buffer = LineBuffer(limit=MAX_LINE + 1)
        self._any = False

    def begin(self) -> bytes:
        """Return what comes before the first entry."""
        facts = self._facts
        known = {
            "id": facts.id,
            "title": facts.title,
            "path": facts.path,
            "project": facts.project,
            "agent": facts.agent,
            "model": facts.model,
            "created": machine_time(facts.created_ms) or None,
            "modified": machine_time(facts.modified_ms) or None,
            "size": facts.size,
        }
        return b'{"session": ' + _encoded(known) + b',\n"entries": ['

    def feed(self, data: bytes) -> bytes:
        """Return the entries that these bytes complete."""
        return b"".join(
            self._separated(entry) for line in self._buffer.feed(data) for entry in _entries(line)
        )

    def finish(self) -> bytes:
        """Return the last entry, if its line has no newline, and the end."""
        rest = self.feed(b"\n") if self._buffer.rest_size else b""
        return rest + b"\n]}\n"

    def _separated(self, entry: bytes) -> bytes:
        before = b",\n" if self._any else b"\n"
        self._any = True
        return before + entry


def _entries(line: RawLine) -> Iterator[bytes]:
    """Yield the entries of a line: as stored where that is JSON by the letter."""
    if line.size > len(line.data):
        yield _bad(line, "it is too long", line.data[:BEGINNING])
        return
    data = line.data.strip()
    if not data:
        return
    try:
        if isinstance(_check(data), dict):
            yield data
            return
    except (ValueError, RecursionError):
        pass
    # Lone surrogates, NaN, several objects on a line: read more kindly, and written anew.
    items = decode_line(line.data, line.offset, size=line.size)
    if any(isinstance(item, BadLine) or item.partial for item in items):
        reasons = [item.reason for item in items if isinstance(item, BadLine)]
        yield _bad(line, reasons[0] if reasons else "it is too long", line.data)
        return
    for item in items:
        if not isinstance(item, BadLine):
            try:
                yield _encoded(item.data)
            except (ValueError, RecursionError):
                yield _bad(line, "it holds what JSON does not have", line.data)


def _bad(line: RawLine, reason: str, data: bytes) -> bytes:
    told: dict[str, Any] = {"offset": line.offset, "size": line.size, "reason": reason}
    return _encoded({"badLine": told | {"text": data.decode("utf-8", "replace")}})


def _encoded(value: object) -> bytes:
    """Return a value as JSON in ASCII, so that any text can be in it."""
    return json.dumps(value, allow_nan=False).encode()
