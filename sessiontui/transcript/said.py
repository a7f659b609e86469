"""What was said in a session: the words of the user, of the agent and of tools.

Searching all sessions looks at these and nothing else: not at what an agent noted
beside them (a model was changed, a record that nobody knows), which a transcript shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sessiontui.formats.blocks import uncut
from sessiontui.formats.blocks_events import started
from sessiontui.formats.entries import BadLine
from sessiontui.formats.registry import blocks_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiontui.formats.blocks import Block, Kind
    from sessiontui.formats.entries import Item

SAID: Final[frozenset[Kind]] = frozenset(
    {"user", "text", "thinking", "tool", "command", "summary", "message", "error"}
)
"""Kinds of blocks in which something was said."""


def lines_of(block: Block) -> Iterator[str]:
    """Yield the lines of a block's text, its heading first, safe to show."""
    yield block.heading
    yield block.detail
    for part in block.parts:
        yield from part.lines
        yield from part.last


def whole_blocks(item: Item) -> tuple[Block, ...]:
    """Return the blocks of an entry by itself, with all their lines.

    That a tool began to run is left out: its call tells the same.
    """
    if not isinstance(item, BadLine) and started(item) is not None:
        return ()
    with uncut():
        return blocks_of(item)
