"""The registry of formats: every agent that is known, a line each; who reads which record.

What no agent here writes shows as itself, and says nothing of its session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sessiontui.formats import jsonl
from sessiontui.formats.base import (
    NO_CALL_IDS,
    NO_USAGE,
    UNKNOWN_AGENT,
    UNREADABLE,
    ByteMarks,
    CallIds,
    FileName,
    Format,
    Header,
    Signal,
    Translator,
    header_of_records,
    parent_link,
)
from sessiontui.formats.blocks import NO_PAIRING, bad_line_block, unknown_block
from sessiontui.formats.claude import CLAUDE
from sessiontui.formats.codex import CODEX
from sessiontui.formats.jsonl import BadLine, Entry
from sessiontui.formats.omp import OMP
from sessiontui.formats.pi import PI
from sessiontui.formats.qwen import QWEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from sessiontui.formats.base import Agent, EntryLink, EntryUsage
    from sessiontui.formats.blocks import Block, CallPairing, Result
    from sessiontui.formats.jsonl import Item

FORMATS: Final[tuple[Format, ...]] = (
    OMP,
    PI,
    CLAUDE,
    CODEX,
)
"""Where several own a type of record, the first one reads it."""

TRANSLATORS: Final[tuple[Translator, ...]] = (QWEN,)

AGENTS: Final[Mapping[Agent, Format]] = {fmt.agent: fmt for fmt in FORMATS}
AGENT_NAMES: Final[Mapping[Agent, str]] = {
    **{fmt.agent: fmt.name for fmt in FORMATS},
    **{fmt.agent: fmt.name for fmt in TRANSLATORS},
}
"""How agents call themselves."""
MARKS: Final[tuple[ByteMarks, ...]] = (
    *(fmt.marks for fmt in FORMATS),
    *(fmt.marks for fmt in TRANSLATORS),
)

_OWNERS: Final[dict[str, Format]] = {kind: fmt for fmt in reversed(FORMATS) for kind in fmt.types}

_TRANSLATORS: Final[dict[str, tuple[Translator, ...]]] = {
    kind: tuple(one for one in TRANSLATORS if kind in one.types)
    for kind in {kind for one in TRANSLATORS for kind in one.types}
}


def decode_line(raw: bytes, offset: int, *, size: int | None = None) -> tuple[Item, ...]:
    """Decode one line as `jsonl.decode_line`; records that have a translator come translated."""
    items = jsonl.decode_line(raw, offset, size=size)
    for item in items:
        if isinstance(item, Entry) and item.type in _TRANSLATORS:
            return tuple(entry for item in items for entry in _translated(item))
    return items


def _translated(item: Item) -> Iterable[Item]:
    if isinstance(item, BadLine):
        return (item,)
    for one in _TRANSLATORS.get(item.type, ()):
        entries = one.translate(item.data)
        if entries is not None:
            return [
                jsonl.make_entry(
                    data, item.offset, item.size, agent=one.agent, partial=item.partial
                )
                for data in entries
            ]
    return (item,)


def owner_of(entry: Entry) -> Format | None:
    """Return the format that reads an entry: by its type, else by what only one agent writes."""
    owner = _OWNERS.get(entry.type)
    if owner is None:
        owner = next((one for one in FORMATS if one.recognises(entry) == "certain"), None)
    return owner


def agent_of(entries: Iterable[Entry]) -> Agent:
    """Return the agent that wrote a session, by its first entries; `unknown` where none did."""
    likely: Agent | None = None
    for entry in entries:
        if entry.agent:
            return entry.agent
        for fmt in FORMATS:
            sure = fmt.recognises(entry)
            if sure == "certain":
                return fmt.agent
            if sure == "likely" and likely is None:
                likely = fmt.agent
    return likely or UNKNOWN_AGENT


def header_of(entries: Sequence[Entry], agent: Agent) -> Header:
    """Return what the first entries of an agent's session tell of the whole."""
    fmt = AGENTS.get(agent)
    if fmt is not None:
        return fmt.header(entries)
    if agent == UNKNOWN_AGENT:
        return Header()
    header = OMP.header(entries)
    return header if header.id is not None else header_of_records(entries)


def signal_of(entry: Entry) -> Signal | None:
    """Return what an entry changes in the state of its session; None where nothing."""
    owner = _OWNERS.get(entry.type)
    return owner.signal(entry) if owner is not None else None


def says_nothing(item: Item) -> bool:
    """Tell whether it is certain that a line holds nothing that anybody said.

    A kind that is not known, a message of a shape that nobody knows and a broken line all count
    as something that was said: to show a session too many costs nothing.
    """
    if isinstance(item, BadLine) or item.partial:
        return False
    owner = _OWNERS.get(item.type)
    return owner is not None and owner.says_nothing(item)


def usage_of(entry: Entry) -> EntryUsage:
    """Return what an entry adds to the stats of its session."""
    owner = _OWNERS.get(entry.type)
    return owner.usage(entry) if owner is not None else NO_USAGE


def link_of(item: Item) -> EntryLink:
    """Return how a line is linked to others."""
    if isinstance(item, BadLine):
        return UNREADABLE
    owner = owner_of(item)
    return owner.link(item) if owner is not None else parent_link(item)


def in_context(item: Item) -> bool:
    """Tell whether a model is sent what an entry holds; the cut that leaves others out is."""
    if isinstance(item, BadLine):
        return False
    owner = _OWNERS.get(item.type)
    return owner is not None and owner.in_context(item)


def blocks_of(item: Item, pairing: CallPairing = NO_PAIRING) -> tuple[Block, ...]:
    """Return how an entry, or a line that is none, shows; nothing if another block shows it."""
    if isinstance(item, BadLine):
        return (bad_line_block(item),)
    owner = owner_of(item)
    blocks = owner.blocks(item, pairing) if owner is not None else None
    return (unknown_block(item),) if blocks is None else blocks


def results_of(item: Item) -> tuple[Result, ...]:
    """Return the results of tool calls that a line holds."""
    if isinstance(item, BadLine):
        return ()
    owner = _OWNERS.get(item.type)
    return owner.results(item) if owner is not None else ()


def call_ids(items: Iterable[Item]) -> CallIds:
    """Return the tool calls that the entries of one line make, answer and start."""
    found = NO_CALL_IDS
    for item in items:
        owner = None if isinstance(item, BadLine) else _OWNERS.get(item.type)
        if owner is not None and not isinstance(item, BadLine):
            one = owner.call_ids(item)
            if one is not NO_CALL_IDS:
                found = CallIds(*map(tuple.__add__, found, one))
    return found


def parse_file_name(path: str) -> FileName:
    """Return what a session's path tells of it, by the names that agents give."""
    name = path.rpartition("/")[2]
    found = (fmt.file_name(name) for fmt in FORMATS)
    return next((one for one in found if one is not None), FileName())


def session_roots(environ: Mapping[str, str], home: Path) -> list[Path]:
    """Return the folders to look at when nobody named one, the likeliest first.

    None of them need exist.

    Args:
        environ: Environment variables.
        home: The user's home folder.
    """
    return [*OMP.roots(environ, home), *PI.roots(environ, home)]
