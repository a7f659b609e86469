"""Finding the entry of a time in a session of any length, by halves.

Times rise in a session but for small steps back, so a few reads are enough.
Offsets are bytes from the start, times milliseconds since the epoch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiontui.formats.entries import BadLine
from sessiontui.formats.jsonl import decode_line
from sessiontui.transcript.pages import PAGE_BYTES, SEARCH_STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiontui.transcript.document import Document


async def last_time(document: Document) -> int | None:
    """Return when the last entry was written that says so; None if the end tells nothing.

    Raises:
        StorageError: The backend could not read.
    """
    start = max(0, document.size - PAGE_BYTES)
    data = await document.read(start, document.size)
    return max((when for _, when in _times(data, start, whole=start == 0)), default=None)


async def at_time(document: Document, wanted_ms: int) -> int | None:
    """Return where the first line begins that was written at a time or later.

    Returns:
        The last line with a time if all were written before; None if none tells a time.

    Raises:
        StorageError: The backend could not read.
    """
    low, high = 0, document.size
    before: int | None = None
    while high - low > PAGE_BYTES:
        middle = (low + high) // 2
        found = await _first_time(document, middle, high)
        if found is not None and found[1] < wanted_ms:
            low = before = found[0]
        else:
            high = middle
    # A line that begins before `high` may end, and one with a time begin, behind it.
    stop = min(document.size, high + SEARCH_STEPS * PAGE_BYTES)
    at = low
    rest, begins = b"", low == 0 or low == before
    while at < stop:
        data = await document.read(at, min(at + PAGE_BYTES, document.size))
        if not data:
            break
        base, at = at - len(rest), at + len(data)
        data = rest + data
        end = len(data) if at >= document.size else data.rfind(b"\n") + 1
        for offset, when in _times(data[:end], base, whole=begins):
            if when >= wanted_ms:
                return offset
            before = offset
        rest, begins = data[end:], begins or end > 0
    return before


async def _first_time(document: Document, start: int, stop: int) -> tuple[int, int] | None:
    """Return offset and time of the first line with one that begins after `start`."""
    at, rest, begins = start, b"", False
    while at < stop:
        data = await document.read(at, min(at + PAGE_BYTES, document.size))
        if not data:
            return None
        base, at = at - len(rest), at + len(data)
        data = rest + data
        end = len(data) if at >= document.size else data.rfind(b"\n") + 1
        for offset, when in _times(data[:end], base, whole=begins):
            return (offset, when) if offset < stop else None
        rest, begins = (data[end:] if end else data[:PAGE_BYTES]), begins or end > 0
        if not end:
            rest = b""  # in the midst of a long line
    return None


def _times(data: bytes, base: int, *, whole: bool) -> Iterator[tuple[int, int]]:
    """Yield offset and time of the lines of `data` that tell one.

    Args:
        data: Bytes from `base` on.
        base: Where they begin.
        whole: Whether a line begins there.
    """
    first = 0 if whole else data.find(b"\n") + 1
    if not whole and not first:
        return
    for line in data[first:].split(b"\n"):
        if line:
            for item in decode_line(line, base + first):
                if not isinstance(item, BadLine) and item.timestamp_ms is not None:
                    yield base + first, item.timestamp_ms
                    break
        first += len(line) + 1
