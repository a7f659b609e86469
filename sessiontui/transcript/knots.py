"""How the entries of a session hang together: each names the one it follows.

omp and pi store `id` and `parentId`, Claude Code `uuid` and `parentUuid`; Codex, and
pi in its first version, store a plain list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from sessiontui.formats.content import first_text, items, mapping, number
from sessiontui.formats.entries import BadLine
from sessiontui.formats.jsonl import decode_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiontui.formats.entries import Entry, Item

Role = Literal[
    "entry",  # a link of the chain
    "beside",  # a link that is shown whatever branch it is of: progress, results
    "veil",  # it may be a link: nobody can tell
    "loose",  # it is none
]
UNKNOWN = ""
"""The parent of a link that does not tell it, and follows something all the same."""

_BESIDE = {"progress", "attachment", "system", "file-history-snapshot"}


class Knot(NamedTuple):
    """An entry as a link of the chain."""

    role: Role
    id: str = ""
    parent: str | None = None
    """Id of the entry it follows; None for the first one, `UNKNOWN` where nobody can tell."""
    cut: Literal["", "compaction", "reset"] = ""
    """Whether the model sees nothing before it any more, but for what is kept."""
    kept: str = ""
    """Id of the first entry before a compaction that the model still sees."""
    kept_number: int = -1
    """Number of that entry from the beginning of the session, where it has no id."""
    group: str = ""
    """Links of one group belong together, though one of them alone is followed."""


class Strand(NamedTuple):
    """A line of a session and its links."""

    offset: int
    stop: int
    """Offset after it and its newline."""
    knots: tuple[Knot, ...]
    ended: bool = True
    """Whether it has its newline."""


LOOSE = Knot("loose")
VEIL = Knot("veil")


def knots_of(found: Sequence[Item]) -> tuple[Knot, ...]:
    """Return the links that the entries of one line are."""
    if len(found) == 1 and not isinstance(found[0], BadLine):
        return (_knot(found[0]),)
    return tuple(VEIL if isinstance(item, BadLine) else _knot(item) for item in found)


def _knot(item: Entry) -> Knot:
    data = item.data
    if "uuid" in data:
        return _record(item)
    if item.type == "message" and item.id and "parentId" in data:
        return Knot("entry", item.id, item.parent_id)
    if "parentId" not in data or not item.id:
        cut = "compaction" if item.type in {"compaction", "compacted"} else ""
        if cut:
            first = data.get("firstKeptEntryIndex")
            known = isinstance(first, int) and not isinstance(first, bool)
            return Knot("loose", cut="compaction", kept_number=number(first) if known else -1)
        return VEIL if item.partial and "id" not in data and "type" in data else LOOSE
    if item.type == "compaction":
        kept = data.get("firstKeptEntryId")
        kept = kept if isinstance(kept, str) else ""
        return Knot("entry", item.id, item.parent_id, "compaction", kept)
    if item.type == "reset_boundary":
        return Knot("entry", item.id, item.parent_id, "reset")
    return Knot("entry", item.id, item.parent_id)


def _record(item: Entry) -> Knot:
    """Return the link that a record of Claude Code is."""
    data = item.data
    parent = first_text(data, "parentUuid", "logicalParentUuid") or UNKNOWN
    if not item.id:
        return VEIL
    if item.type == "system" and data.get("subtype") == "compact_boundary":
        return Knot("entry", item.id, parent, "compaction")
    message = mapping(data.get("message"))
    if data.get("isSidechain") is True or item.type in _BESIDE or _answers(message):
        return Knot("beside", item.id, parent)
    group = message.get("id") if item.type == "assistant" else ""
    return Knot("entry", item.id, parent, group=group if isinstance(group, str) else "")


def _answers(message: dict[str, Any]) -> bool:
    pieces = items(message.get("content"))
    return any(mapping(piece).get("type") == "tool_result" for piece in pieces)


class _Ids(msgspec.Struct, gc=False):
    """What is read of a line of omp or pi where only its links matter."""

    type: str
    id: str
    parentId: str | None  # noqa: N815 - as it is stored
    firstKeptEntryId: str = ""  # noqa: N815


_ids = msgspec.json.Decoder(_Ids).decode


def scanned(raw: bytes, offset: int, size: int) -> tuple[Knot, ...]:
    """Return the links of a line as `knots_of` does, from its bytes and faster.

    Args:
        raw: The line, or its beginning.
        offset: Where it begins.
        size: Its true length.
    """
    try:
        found = _ids(raw)
    except (ValueError, RecursionError):
        return knots_of(decode_line(raw, offset, size=size))
    if not found.id or raw.find(b'"uuid"', 0, 4096) >= 0:
        return knots_of(decode_line(raw, offset, size=size))
    if found.type == "compaction":
        kept = found.firstKeptEntryId
        return (Knot("entry", found.id, found.parentId, "compaction", kept),)
    if found.type == "reset_boundary":
        return (Knot("entry", found.id, found.parentId, "reset"),)
    return (Knot("entry", found.id, found.parentId),)
