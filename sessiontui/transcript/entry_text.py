"""An entry as plain text without any limit of the screen: for a pager.

Only the lines that the entry stands on are read. A line longer than
`WHOLE_BYTES` is not decoded: it comes as it is stored, in pieces.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from sessiontui.formats.blocks import uncut
from sessiontui.formats.jsonl import WHOLE_BYTES, decode_line
from sessiontui.formats.registry import blocks_of, results_of
from sessiontui.text import clean
from sessiontui.transcript.links import links_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sessiontui.formats.blocks import Block, Result
    from sessiontui.formats.entries import Item
    from sessiontui.transcript.document import Document
    from sessiontui.transcript.pairing import Pairs

_PIECE_BYTES = 1024 * 1024


async def whole_text(
    document: Document, offset: int, number: int, *, stored: bool = False
) -> AsyncIterator[str]:
    """Yield the text of an entry in pieces that are safe to show; newlines are in them.

    Args:
        document: Its window holds the entry.
        offset: Where the entry's line begins.
        number: Of its block in the line; a heading of the agent belongs to the text beneath it.
        stored: Whether the line is wanted as it is stored.

    Raises:
        StorageError: The backend could not read.
    """
    place = document.place(offset)
    if place is None:
        return
    size = document.pages[place[0]].line(place[1]).size
    if stored or size > WHOLE_BYTES:
        async for piece in _stored(document, offset, offset + size):
            yield piece
        return
    for block in await _blocks(document, offset, number, size):
        for line in _lines(block):
            yield line + "\n"


async def whole_blocks(document: Document, offset: int, number: int) -> list[Block]:
    """Return a block of an entry with all its lines, and before it the agent's heading.

    Empty for a line that is not in the window, or longer than `WHOLE_BYTES`.

    Raises:
        StorageError: The backend could not read.
    """
    place = document.place(offset)
    size = 0 if place is None else document.pages[place[0]].line(place[1]).size
    if not 0 < size <= WHOLE_BYTES:
        return []
    return await _blocks(document, offset, number, size)


async def _blocks(document: Document, offset: int, number: int, size: int) -> list[Block]:
    items = await _items(document, offset, size)
    results: dict[str, Result] = {}
    for call_id in links_of(items).calls:
        result = await _result(document, call_id)
        if result is not None:
            results[call_id] = result
    with uncut():
        pairing = _Whole(document.pairs, results)
        blocks = [block for item in items for block in blocks_of(item, pairing)]
    first = number - (0 < number < len(blocks) and blocks[number - 1].kind == "assistant")
    return blocks[first : number + 1]


def _lines(block: Block) -> Iterator[str]:
    heading = "  ".join(filter(None, (block.heading, block.detail)))
    if heading:
        yield heading
        yield ""
    for part in block.parts:
        yield from part.lines


async def _items(document: Document, offset: int, size: int) -> tuple[Item, ...]:
    return decode_line(await document.read(offset, offset + size), offset, size=size)


async def _result(document: Document, call_id: str) -> Result | None:
    """Return the whole result of a call, if that is in the window and not too long."""
    offset = document.pairs.result_at(call_id)
    place = document.place(offset) if offset is not None else None
    if offset is None or place is None:
        return None
    size = document.pages[place[0]].line(place[1]).size
    if size > WHOLE_BYTES:
        return document.pairs.result(call_id)
    items = await _items(document, offset, size)
    with uncut():
        found = (result for item in items for result in results_of(item))
        return next((result for result in found if result.call_id == call_id), None)


async def _stored(document: Document, start: int, stop: int) -> AsyncIterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while start < stop:
        data = await document.read(start, min(start + _PIECE_BYTES, stop))
        if not data:
            break
        start += len(data)
        yield clean(decoder.decode(data), tab_size=1)
    yield clean(decoder.decode(b"", final=True)) + "\n"


class _Whole:
    """Brings together what `pairs` does, with results that were read whole."""

    def __init__(self, pairs: Pairs, results: dict[str, Result]) -> None:
        self._pairs = pairs
        self._results = results

    def result(self, call_id: str) -> Result | None:
        """Return what the call got."""
        return self._results.get(call_id)

    def started_ms(self, call_id: str) -> int | None:
        """Return when the call began to run."""
        return self._pairs.started_ms(call_id)

    def is_shown(self, call_id: str, offset: int) -> bool:
        """Return whether the call's own block shows what stands on the line at `offset`."""
        return self._pairs.is_shown(call_id, offset)
