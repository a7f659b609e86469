"""The registry of formats: display blocks of any entry, whichever agent wrote it.

Knows the entries of omp and pi of every version, and the records of Claude Code
and Codex; what it does not know shows as itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiontui.formats import claude, codex, omp
from sessiontui.formats.blocks import (
    NO_PAIRING,
    Block,
    CallPairing,
    Result,
    bad_line_block,
    unknown_block,
)
from sessiontui.formats.jsonl import BadLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiontui.formats.jsonl import Entry, Item

__all__ = ["NO_PAIRING", "Block", "CallPairing", "Result", "blocks_of", "results_of"]

_BLOCKS: tuple[Callable[[Entry, CallPairing], tuple[Block, ...] | None], ...] = (
    omp.message_blocks,
    omp.event_blocks,
    codex.blocks,
    claude.blocks,
)
_RESULTS: tuple[Callable[[Entry], tuple[Result, ...]], ...] = (
    omp.results,
    codex.results,
    claude.results,
)


def blocks_of(item: Item, pairing: CallPairing = NO_PAIRING) -> tuple[Block, ...]:
    """Return how an entry, or a line that is none, shows; nothing if another block shows it."""
    if isinstance(item, BadLine):
        return (bad_line_block(item),)
    for make in _BLOCKS:
        blocks = make(item, pairing)
        if blocks is not None:
            return blocks
    return (unknown_block(item),)


def results_of(item: Item) -> tuple[Result, ...]:
    """Return the results of tool calls that a line holds."""
    if isinstance(item, BadLine):
        return ()
    for find in _RESULTS:
        results = find(item)
        if results:
            return results
    return ()
