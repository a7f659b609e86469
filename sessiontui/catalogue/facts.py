"""From a session's first and last bytes to its row, and from what is appended to its next row.

    row = row_from(row, read_head(first_bytes, …), read_tail(last_bytes, …))
    row = append_facts(row, new_bytes)          # for each growth, nothing read again
    row = retitled(row, title_field)            # the title field of Redis changed

Rows come back new; `path`, `size`, `mtime_ms`, `grew_ms`, `note` and `failed` are the
caller's and stay as they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from sessiontui.catalogue.activity import activity, held
from sessiontui.catalogue.heads import HeadFacts, read_head
from sessiontui.catalogue.tails import REST_BYTES, TailFacts, TailState, read_tail
from sessiontui.catalogue.titles import choose_title, flat_text, one_line
from sessiontui.models.times import time_ms

if TYPE_CHECKING:
    from datetime import tzinfo

    from sessiontui.catalogue.row import Row, Status

__all__ = [
    "HeadFacts",
    "TailFacts",
    "activity",
    "append_facts",
    "created_from_path",
    "held",
    "id_from_path",
    "read_head",
    "read_tail",
    "retitled",
    "row_from",
]

STATUS_BYTES: Final = 32_768
"""omp looks for the last message in this many bytes before the end, and no further."""

_OMP_NAME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d)-(\d{3})Z?_([^/]+)\.jsonl")
_CODEX_NAME = re.compile(r"rollout-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-([0-9a-fA-F-]{36})\.jsonl")
_UUID_NAME = re.compile(r"([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\.jsonl")


def row_from(previous: Row, head: HeadFacts, tail: TailFacts, *, zone: tzinfo | None = None) -> Row:
    """Return the row with everything that head and tail tell.

    Args:
        previous: The row so far; its path, size, times and title field count.
        head: What the session's beginning tells.
        tail: What its end tells.
        zone: For the time in `Untitled · HH:MM`; the user's own where None.
    """
    titles = head.titles
    if tail.name is not None:
        titles = titles.renamed(tail.name)
    if tail.summary:
        titles = replace(titles, summary=tail.summary)
    row = replace(
        previous,
        read=True,
        id=head.id or id_from_path(previous.path),
        cwd=head.cwd,
        agent=head.agent,
        created_ms=head.created_ms or created_from_path(previous.path),
        parent=head.parent,
        has_slot=head.has_slot,
        first_message=head.first_message,
        # What lies between head and tail has been answered if anything was.
        answered=head.answered or tail.answered or not head.complete,
        titles=titles,
        **_tail_fields(tail),
    )
    row = replace(row, model=tail.model or head.model, status=_status(row))
    return retitled(row, row.title_field, zone=zone)


def append_facts(row: Row, data: bytes, *, zone: tzinfo | None = None) -> Row:
    """Return the row after its session grew by `data`.

    Args:
        row: A row that was read, as of before; only its size may be newer.
        data: All that was appended since.
        zone: As in `row_from`.

    Returns:
        The row. Where a line ended that was too long to keep, with `read` False: only
        reading head and tail again tells what it was.
    """
    if row.rest is None:
        longer = None if row.message_bytes is None else row.message_bytes + len(data)
        grown = replace(row, message_bytes=longer, read=row.read and b"\n" not in data)
        return replace(grown, status=_status(grown))
    state = TailState(_tail_of(row))
    state.grow(len(data))
    text = row.rest + data
    end = text.rfind(b"\n") + 1
    start = 0
    while start < end:
        newline = text.find(b"\n", start)
        state.take_line(text[start:newline], len(text) - start)
        start = newline + 1
    rest = text[end:] if len(text) - end <= REST_BYTES else None
    tail = state.facts(rest=rest)
    grown = replace(row, **_tail_fields(tail), answered=tail.answered, model=tail.model)
    titles = row.titles
    if tail.name is not None and tail.name is not titles.entry:
        titles = replace(titles, entry=tail.name)
    if tail.summary and tail.summary != titles.summary:
        titles = replace(titles, summary=tail.summary)
    first_message = row.first_message
    if tail.text and not first_message and not row.answered:
        first_message = flat_text(tail.text)
        titles = replace(titles, message=one_line(tail.text))
    grown = replace(grown, titles=titles, first_message=first_message, status=_status(grown))
    return grown if titles is row.titles else retitled(grown, row.title_field, zone=zone)


def retitled(row: Row, title_field: bytes | None, *, zone: tzinfo | None = None) -> Row:
    """Return the row with another title field, and the title that counts with it."""
    if not row.read:
        return replace(row, title_field=title_field)
    name = choose_title(row.titles, title_field, time_ms=row.created_ms or row.mtime_ms, zone=zone)
    return replace(row, title_field=title_field, title=name.text, title_source=name.source)


def id_from_path(path: str) -> str | None:
    """Return the session's id where its file name holds one: omp, pi, Codex, Claude Code."""
    name = path.rpartition("/")[2]
    if match := _OMP_NAME.fullmatch(name):
        return match[6]
    match = _CODEX_NAME.fullmatch(name) or _UUID_NAME.fullmatch(name)
    return match[1] if match else None


def created_from_path(path: str) -> int | None:
    """Return the time in the file name that omp and pi give, in milliseconds since the epoch."""
    match = _OMP_NAME.fullmatch(path.rpartition("/")[2])
    if match is None:
        return None
    day, hour, minute, second, millisecond = match.groups()[:5]
    return time_ms(f"{day}T{hour}:{minute}:{second}.{millisecond}Z")


def _status(row: Row) -> Status:
    """Return omp's word: none where the last message begins too far from the end."""
    near = row.message_bytes is not None and row.message_bytes <= STATUS_BYTES
    return row.word if near or row.agent in ("claude", "codex") else "unknown"


def _tail_fields(tail: TailFacts) -> dict[str, Any]:
    last = tail.calls[-1] if tail.calls else None
    return {
        "ending": tail.ending,
        "word": tail.word,
        "message_bytes": tail.message_bytes,
        "calls": tail.calls,
        "tool": last.name if last else None,
        "tool_since_ms": last.since_ms if last else None,
        "closed": tail.closed,
        "exit_kind": tail.exit_kind,
        "last_message_ms": tail.last_message_ms,
        "rest": tail.rest,
    }


def _tail_of(row: Row) -> TailFacts:
    return TailFacts(
        ending=row.ending,
        word=row.word,
        message_bytes=row.message_bytes,
        calls=row.calls,
        closed=row.closed,
        exit_kind=row.exit_kind,
        answered=row.answered,
        last_message_ms=row.last_message_ms,
        model=row.model,
        name=row.titles.entry,
        summary=row.titles.summary,
        rest=row.rest,
    )
