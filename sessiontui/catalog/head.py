"""The head of a session: agent, project, time and first message from its first bytes."""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from sessiontui.catalog.titles import NO_TITLES, Titles, flat_text, shared
from sessiontui.formats.base import UNKNOWN_AGENT
from sessiontui.formats.jsonl import Entry, split_lines
from sessiontui.formats.registry import (
    AGENTS,
    agent_of,
    decode_line,
    header_of,
    says_nothing,
    signal_of,
)
from sessiontui.formats.title_slot import Title, parse_slot, title_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessiontui.formats.base import Agent
    from sessiontui.formats.jsonl import Item

_MAX_ENTRIES: Final = 200


class HeadFacts(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What the beginning of a session tells; names as in `Row`."""

    agent: Agent = UNKNOWN_AGENT
    id: str | None = None
    cwd: str | None = None
    created_ms: int | None = None
    parent: str | None = None
    has_slot: bool = False
    titles: Titles = NO_TITLES
    first_message: str = ""
    model: str | None = None
    answered: bool = False
    quiet: bool = False
    """Whether there is a header, these bytes are the whole session, and none of its whole lines
    says anything."""
    complete: bool
    """Whether these bytes are the whole session."""
    enough: bool
    """Whether more bytes would not tell more that matters."""


def read_head(head: bytes, *, complete: bool) -> HeadFacts:
    """Return what the beginning of a session tells.

    Args:
        head: Its first bytes; 4 KB mostly do. The last line may be cut.
        complete: Whether these are all its bytes.
    """
    slot = parse_slot(head)
    titles = NO_TITLES
    if slot is not None:
        titles = Titles(slot=Title(shared(title_line(slot.title)), slot.source))
    entries: list[Entry] = []
    model: str | None = None
    answered, first_message = False, ""
    quiet = complete
    whole = head.rfind(b"\n") + 1
    for item in _items(head, complete):
        quiet = quiet and (says_nothing(item) or item.offset >= whole)
        if not isinstance(item, Entry):
            continue
        if len(entries) >= _MAX_ENTRIES:
            quiet = False
            break
        entry = item
        entries.append(entry)
        sign = signal_of(entry)
        if sign is None:
            continue
        model = sign.model or model
        answered = answered or sign.ending in ("answer", "calls", "results")
        if sign.name is not None:
            titles = titles.renamed(sign.name)
        if sign.summary:
            titles = replace(titles, summary=sign.summary)
        if sign.text and not first_message and (first_message := shared(flat_text(sign.text))):
            line = title_line(sign.text)
            # One string where both are the same: they are kept for every session.
            titles = replace(titles, message=first_message if line == first_message else line)
        if not complete and first_message and model and titles.slot and titles.slot.text:
            break  # what follows is told better by the tail
    agent = agent_of(entries)
    header = header_of(entries, agent)
    if header.title is not None:
        titles = replace(titles, header=replace(header.title, text=shared(header.title.text)))
    named = titles.slot or titles.header or titles.entry
    known = header.id is not None and bool(first_message or (named and named.text))
    return HeadFacts(
        agent=agent,
        id=header.id,
        cwd=intern(header.cwd) if header.cwd else None,
        created_ms=header.created_ms,
        parent=header.parent,
        has_slot=slot is not None and slot.exact,
        titles=titles,
        first_message=first_message,
        model=intern(model or header.model or "") or None,
        answered=answered,
        quiet=quiet and _begins_well(agent, entries),
        complete=complete,
        enough=complete or known,
    )


def _begins_well(agent: Agent, entries: list[Entry]) -> bool:
    """Tell whether the header is there with which sessions of the agent begin."""
    fmt = AGENTS.get(agent)
    if fmt is None:
        return False
    return fmt.header_type is None or any(one.type == fmt.header_type for one in entries)


def _items(head: bytes, complete: bool) -> Iterable[Item]:
    for line in split_lines(head):
        cut = not complete and line.offset + line.size == len(head)
        yield from decode_line(line.data, line.offset, size=line.size + 1 if cut else None)
