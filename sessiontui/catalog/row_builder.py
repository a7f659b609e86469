"""Builds a session's row from its first and last bytes, and updates it by what is appended.

    row = row_from(row, read_head(first_bytes, …), read_tail(last_bytes, …))
    row = append_facts(row, new_bytes)          # for each growth, nothing read again
    row = retitled(row, title_field)            # the title field of Redis changed

Rows come back new; `path`, `size`, `mtime_ms`, `grew_ms`, `note` and `failed` are the
caller's and stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from sessiontui.catalog.empty import line_says_nothing
from sessiontui.catalog.head import HeadFacts, read_head
from sessiontui.catalog.row import SessionTail, shared_number, shared_tail
from sessiontui.catalog.status import in_use_reason, session_status
from sessiontui.catalog.tail import REST_BYTES, TailFacts, TailState, read_tail
from sessiontui.catalog.titles import choose_title, flat_text, pack_titles
from sessiontui.formats.registry import parse_file_name
from sessiontui.formats.title_slot import title_line

if TYPE_CHECKING:
    from datetime import tzinfo

    from sessiontui.catalog.row import Row
    from sessiontui.catalog.titles import Titles

__all__ = [
    "HeadFacts",
    "TailFacts",
    "build_row",
    "extend_row",
    "id_from_path",
    "in_use_reason",
    "read_head",
    "read_tail",
    "retitle_row",
    "session_status",
]


def build_row(
    previous: Row, head: HeadFacts, tail: TailFacts, *, zone: tzinfo | None = None
) -> Row:
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
    # What lies between head and tail has been answered if anything was.
    answered = head.answered or tail.answered or not head.complete
    row = replace(
        previous,
        read=True,
        id=head.id or id_from_path(previous.path),
        cwd=head.cwd,
        agent=head.agent,
        created_ms=head.created_ms or parse_file_name(previous.path).created_ms,
        parent=head.parent,
        has_slot=head.has_slot,
        first_message=head.first_message,
        model=tail.model or head.model,
        **_tail_fields(
            tail, answered=answered, quiet=head.quiet, grows=previous.grew_ms is not None
        ),
    )
    return _named(row, titles, row.title_field, zone)


def extend_row(row: Row, data: bytes, *, zone: tzinfo | None = None) -> Row:
    """Return the row after its session grew by `data`.

    Args:
        row: A row that was read, as of before; only its size may be newer.
        data: All that was appended since.
        zone: As in `build_row`.

    Returns:
        The row. Where a line ended that was too long to keep, or another branch became
        active, with `read` False: only reading head and tail again tells how it stands.
    """
    rest = row.tail.rest
    if rest is None:
        longer = None if row.message_bytes is None else row.message_bytes + len(data)
        return replace(row, message_bytes=longer, read=row.read and b"\n" not in data)
    titles = held = row.titles
    state = TailState(_tail_of(row, titles))
    state.grow(len(data))
    text = rest + data
    end = text.rfind(b"\n") + 1
    start = 0
    quiet = row.tail.quiet
    while start < end:
        newline = text.find(b"\n", start)
        state.take_line(text[start:newline], len(text) - start)
        quiet = quiet and line_says_nothing(text[start:newline])
        start = newline + 1
    tail = state.facts(rest=text[end:] if len(text) - end <= REST_BYTES else None)
    grows = row.grew_ms is not None
    fields = _tail_fields(tail, answered=tail.answered, quiet=quiet, grows=grows)
    grown = replace(row, **fields, model=tail.model, read=row.read and not state.branched)
    if tail.name is not None and tail.name is not titles.entry:
        titles = replace(titles, entry=tail.name)
    if tail.summary and tail.summary != titles.summary:
        titles = replace(titles, summary=tail.summary)
    if tail.text and not row.first_message and not row.answered:
        grown = replace(grown, first_message=flat_text(tail.text))
        titles = replace(titles, message=title_line(tail.text))
    return grown if titles is held else _named(grown, titles, row.title_field, zone)


def retitle_row(row: Row, title_field: bytes | None, *, zone: tzinfo | None = None) -> Row:
    """Return the row with another title field, and the title that counts with it."""
    if not row.read:
        return replace(row, title_field=title_field)
    return _named(row, row.titles, title_field, zone)


def _named(row: Row, titles: Titles, title_field: bytes | None, zone: tzinfo | None) -> Row:
    """Return the row with these titles, and the one of them that counts."""
    name = choose_title(titles, title_field, time_ms=row.created_ms or row.mtime_ms, zone=zone)
    return replace(
        row,
        title_field=title_field,
        title=name.text,
        title_source=name.source,
        naming=pack_titles(titles, name, row.first_message),
    )


def id_from_path(path: str) -> str | None:
    """Return the session's id where its file name holds one."""
    return parse_file_name(path).id


def _tail_fields(facts: TailFacts, *, answered: bool, quiet: bool, grows: bool) -> dict[str, Any]:
    tail = SessionTail(
        ending=facts.ending,
        word=facts.word,
        calls=facts.calls,
        closed=facts.closed,
        exit_kind=facts.exit_kind,
        answered=answered,
        quiet=quiet,
        rest=facts.rest,
        leaf=facts.leaf if grows else "",
    )
    return {
        "tail": tail if tail.calls or tail.rest or tail.leaf else shared_tail(tail),
        "message_bytes": shared_number(facts.message_bytes),
        "last_message_ms": facts.last_message_ms,
    }


def _tail_of(row: Row, titles: Titles) -> TailFacts:
    tail = row.tail
    return TailFacts(
        ending=tail.ending,
        word=tail.word,
        message_bytes=row.message_bytes,
        calls=tail.calls,
        closed=tail.closed,
        exit_kind=tail.exit_kind,
        answered=tail.answered,
        last_message_ms=row.last_message_ms,
        model=row.model,
        name=titles.entry,
        summary=titles.summary,
        leaf=tail.leaf,
        rest=tail.rest,
    )
