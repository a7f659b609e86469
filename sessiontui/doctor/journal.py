"""The journal of repairs and their undo, as lines of JSON.

A line tells a repair, or that one was taken back. Bytes are base64; paths with
bytes that are no UTF-8 keep them as escaped surrogates.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from sessiontui.doctor.findings import FindingKind, Undo  # noqa: TC001 - read by msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable


class Repair(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was put right."""

    id: str
    run: str
    """The same for all repairs of one run."""
    made_ms: int
    kind: FindingKind
    path: str
    undo: tuple[Undo, ...]
    """What takes it back, in this order."""


class UndoneRepair(msgspec.Struct, frozen=True):
    """A record that a repair was undone."""

    undone: str
    """Its id."""


def journal_line(record: Repair | UndoneRepair) -> bytes:
    """Return the line that tells it, with its newline."""
    return json.dumps(msgspec.to_builtins(record), separators=(",", ":")).encode() + b"\n"


def open_repairs(lines: Iterable[bytes]) -> list[Repair]:
    """Return the repairs that were not taken back, oldest first; what is no record is passed over.

    Args:
        lines: All lines of the journal; the last one may be cut.
    """
    repairs: dict[str, Repair] = {}
    for line in lines:
        try:
            fields = json.loads(line)
            if isinstance(fields, dict) and "undone" in fields:
                repairs.pop(msgspec.convert(fields, UndoneRepair).undone, None)
            else:
                repair = msgspec.convert(fields, Repair)
                repairs[repair.id] = repair
        except ValueError:  # msgspec's ValidationError is one too
            continue
    return list(repairs.values())
