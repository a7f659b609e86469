"""What a copy of a session begins with: its title, its project and its parent where it goes.

Only the title line and the header change, and only where they must; every other
byte is the original's. Pure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessiontui.catalog.head import read_head
from sessiontui.errors import WrongTypeError
from sessiontui.formats.encode import encode_entry
from sessiontui.formats.title_slot import (
    SLOT_BYTES,
    make_slot,
    parse_slot,
    parse_title_field,
    title_field,
)
from sessiontui.times import time_ms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessiontui.formats.title_slot import Slot
    from sessiontui.storage.backend import Stat


@dataclass(frozen=True, slots=True)
class Beginning:
    """The first lines of a session."""

    slot: Slot | None
    start: int
    """Offset of the header."""
    stop: int
    """Offset of what follows it."""
    header: dict[str, Any] | None
    """None where the first line after the title is no header of omp or pi."""

    @classmethod
    def of(cls, data: bytes) -> Beginning:
        """Read the first lines of `data`, which is a session from its first byte."""
        slot = parse_slot(data)
        start = 0 if slot is None else data.index(b"\n") + 1
        end = data.find(b"\n", start)
        stop = len(data) if end < 0 else end + 1
        try:
            fields = json.loads(data[start:stop].decode("utf-8", "surrogatepass"))
        except (ValueError, RecursionError):
            fields = None
        is_header = isinstance(fields, dict) and fields.get("type") == "session" and end >= 0
        return cls(slot, start, stop, fields if is_header else None)

    def text(self, name: str) -> str | None:
        """Return a field of the header that is some text."""
        value = None if self.header is None else self.header.get(name)
        return value if isinstance(value, str) and value else None


@dataclass(frozen=True, slots=True)
class Recast:
    """How a copy is made from the original."""

    skip: int
    """How many of the original's first bytes have another form in the copy."""
    data: bytes
    """What stands there in the copy."""
    title: bytes | None
    """The title field of the copy."""


def recast(
    data: bytes, stat: Stat, *, to_folder: bool, cwd: str | None, parents: Mapping[str, str]
) -> Recast:
    """Return how the copy of a session begins.

    A title of the field, which a folder has not, goes into the title line; not before a
    header of pi, which could not open it then. In Redis the field says what the title line
    does, as omp leaves it.

    Args:
        data: The original from its first byte, with the whole header.
        stat: What the index knows of it.
        to_folder: Whether the copy will be a file.
        cwd: The project of the copy; None leaves it.
        parents: Paths of sessions that are copied too -> where to.

    Raises:
        WrongTypeError: There is no header in which to say the project.
    """
    beginning = Beginning.of(data)
    if beginning.header is None:
        if cwd is not None and stat.path.endswith(".jsonl"):
            message = f"it has no header to say the folder of the project in: {stat.path}"
            raise WrongTypeError(message, path=stat.path)
        return Recast(0, b"", None if to_folder else stat.title)
    first, title = _title(data, beginning, stat, to_folder=to_folder)
    header = dict(beginning.header)
    if cwd is not None:
        header["cwd"] = cwd
    parent = beginning.text("parentSession")
    if parent is not None and parent in parents:
        header["parentSession"] = parents[parent]
    changed = header != beginning.header
    line = encode_entry(header) if changed else data[beginning.start : beginning.stop]
    made = first + line
    if made == data[: beginning.stop]:
        return Recast(0, b"", title)
    return Recast(beginning.stop, made, title)


def _title(
    data: bytes, beginning: Beginning, stat: Stat, *, to_folder: bool
) -> tuple[bytes, bytes | None]:
    """Return the title line of the copy, and its title field."""
    slot, line = beginning.slot, data[: beginning.start]
    field = parse_title_field(stat.title)
    if field is not None:
        if not to_folder:
            return line, stat.title
        if slot is None and read_head(data, complete=len(data) == stat.size).agent == "pi":
            return line, None
        when = time_ms(field.updated_at) or stat.mtime_ms or 0
        if slot is None or (slot.title, slot.source) != (field.title, field.source):
            line = make_slot(field.title, source=field.source, updated_at=when)
        return line, None
    if to_folder or slot is None or not slot.exact or len(line) != SLOT_BYTES:
        return line, None
    when = time_ms(slot.updated_at) or stat.mtime_ms or 0
    return line, title_field(slot.title, slot.source, when)
