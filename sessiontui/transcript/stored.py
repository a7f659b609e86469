"""A line of a session as it is stored, indented to be read, and cut where it is endless."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sessiontui.formats.entries import BadLine
from sessiontui.formats.jsonl import HEAD_BYTES, WHOLE_BYTES, decode_line
from sessiontui.text import clean

if TYPE_CHECKING:
    from sessiontui.transcript.document import Document

MAX_STORED_LINES = 3000
"""How many lines of it are shown at most."""
_MAX_STRING = 1000
"""How many characters of one text."""
_MAX_ITEMS = 500
"""How many members of one list or object."""
_MAX_DEPTH = 50


async def stored_lines(document: Document, offset: int) -> tuple[list[str], bool]:
    """Return the line of a session as indented JSON, and whether that is all of it.

    Args:
        document: Its window holds the line.
        offset: Where the line begins.

    Returns:
        Lines that are safe to show; those of a line that is no JSON are as it is stored.

    Raises:
        StorageError: The backend could not read.
    """
    place = document.place(offset)
    if place is None:
        return [], True
    size = document.pages[place[0]].line(place[1]).size
    raw = await document.read(offset, offset + (size if size <= WHOLE_BYTES else HEAD_BYTES))
    lines: list[str] = []
    cut = _Cut()
    for item in decode_line(raw, offset, size=size):
        if isinstance(item, BadLine):
            text = raw[: _MAX_STRING * 10].decode("utf-8", "replace")
            lines += [clean(f"({item.reason})"), clean(text)]
            cut.happened = cut.happened or len(raw) > _MAX_STRING * 10
        else:
            value = cut.down(item.data, 0)
            text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
            lines += [clean(line) for line in text.split("\n")]
            cut.happened = cut.happened or item.partial
    return lines[:MAX_STORED_LINES], not cut.happened and len(lines) <= MAX_STORED_LINES


class _Cut:
    """Makes values smaller."""

    happened = False

    def down(self, value: Any, depth: int) -> Any:
        """Return a value without what is too long or too deep of it."""
        if isinstance(value, str) and len(value) > _MAX_STRING:
            self.happened = True
            return f"{value[:_MAX_STRING]}… ({len(value) - _MAX_STRING:,} more characters)"
        if not isinstance(value, dict | list):
            return value
        if depth >= _MAX_DEPTH:
            self.happened = True
            return "…"
        if len(value) > _MAX_ITEMS:
            self.happened = True
        if isinstance(value, dict):
            members = list(value.items())[:_MAX_ITEMS]
            return {key[:_MAX_STRING]: self.down(member, depth + 1) for key, member in members}
        return [self.down(member, depth + 1) for member in value[:_MAX_ITEMS]]
