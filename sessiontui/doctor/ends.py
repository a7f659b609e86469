"""What a session begins with, and which entry is its last: enough to tell a piece from its head."""

from __future__ import annotations

from typing import Literal, NamedTuple

from sessiontui.formats.entries import Entry
from sessiontui.formats.jsonl import decode_line
from sessiontui.formats.lines import split_lines


class Beginning(NamedTuple):
    """What a session begins with, behind its title slot."""

    kind: Literal["header", "entry", "nothing", "other"]
    """`entry`: one of omp's, which belongs behind a header; `nothing`: no whole line."""
    parent_id: str | None = None
    """The entry before that entry."""
    time_ms: int | None = None


def beginning(head: bytes, *, complete: bool) -> Beginning:
    """Return what a session begins with.

    Args:
        head: Its first bytes.
        complete: Whether these are all.
    """
    for line in split_lines(head):
        cut = not complete and line.offset + line.size == len(head)
        for item in decode_line(line.data, line.offset, size=line.size + 1 if cut else None):
            if not isinstance(item, Entry):
                return Beginning("other")
            if item.type == "title":
                continue
            if item.type == "session":
                return Beginning("header")
            if item.id is None or "parentId" not in item.data:
                return Beginning("other")
            return Beginning("entry", item.parent_id, item.timestamp_ms)
    return Beginning("nothing")


def last_id(tail: bytes, *, complete: bool) -> str | None:
    """Return the id of the last entry; None where it is not in these bytes.

    Args:
        tail: The session's last bytes; they may begin inside a line.
        complete: Whether these are all.
    """
    stop = len(tail)
    while stop > 0:
        start = tail.rfind(b"\n", 0, stop - 1) + 1
        whole = complete or start > 0
        for item in reversed(decode_line(tail[start:stop], start) if whole else ()):
            if isinstance(item, Entry) and item.id is not None and item.type != "session":
                return item.id
        stop = start
    return None
