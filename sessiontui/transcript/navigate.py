"""Finding the next block of a kind in a session, beyond what is in the window."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessiontui.formats.blocks import Block
    from sessiontui.transcript.document import Document


async def seek(
    document: Document, offset: int, number: int, wanted: Callable[[Block], bool], *, forward: bool
) -> tuple[int, int] | None:
    """Find the nearest block after or before another one that is not hidden by the lens.

    Moves the window along as far as it looks, page by page; the loop runs in between.

    Args:
        document: Where to look.
        offset: Where the line of the block begins that is started from.
        number: Number of that block in its line.
        wanted: Tells whether a block is what is looked for.
        forward: Whether to look towards the end.

    Returns:
        The offset of the block's line and its number there, or None to the very end.

    Raises:
        StorageError: The backend could not read.
    """
    while True:
        for line, blocks in _lines(document, offset, forward=forward):
            for found in range(len(blocks)) if forward else reversed(range(len(blocks))):
                passed = line == offset and (found <= number if forward else found >= number)
                if not passed and wanted(blocks[found]):
                    return line, found
            if line != offset:
                await asyncio.sleep(0)
        edge = document.stop if forward else document.start
        more = await (document.load_after() if forward else document.load_before())
        if not more:
            return None
        offset, number = (edge, -1) if forward else (edge - 1, 1 << 30)
        if not forward:
            place = document.place(offset)
            if place is not None:
                offset = document.pages[place[0]].offset(place[1])


def _lines(
    document: Document, offset: int, *, forward: bool
) -> Iterator[tuple[int, tuple[Block, ...]]]:
    """Yield offset and blocks of the lines of the window from `offset` on."""
    place = document.place(offset)
    if place is None:
        place = (0, 0) if forward else (len(document.pages) - 1, 1 << 30)
    pages = list(document.pages)
    order = range(place[0], len(pages)) if forward else range(place[0], -1, -1)
    for page_number in order:
        page = pages[page_number]
        first = place[1] if page_number == place[0] else (0 if forward else len(page) - 1)
        first = min(first, len(page) - 1)
        numbers = range(first, len(page)) if forward else range(first, -1, -1)
        for number in numbers:
            line = page.offset(number)
            yield line, () if document.lens.hides(line) else document.blocks(page, number)
