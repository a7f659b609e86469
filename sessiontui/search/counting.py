"""Counts the session that is looked at, where the index does not know it as it is now."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sessiontui.catalog.stats import Count
from sessiontui.errors import StorageError
from sessiontui.formats.jsonl import decode_line
from sessiontui.formats.lines import LineBuffer
from sessiontui.storage.backend import Range
from sessiontui.storage.changes import Appended

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from sessiontui.catalog.row import Row
    from sessiontui.catalog.stats import SessionFigures
    from sessiontui.storage.changes import Change

STEP_BYTES: Final = 256 * 1024
WHOLE_STEP_BYTES: Final = 1 << 20
MOST_BYTES: Final = 64 << 20
"""How much is counted at once; a session with more to count is left to the index."""
KEPT: Final = 64
"""Of how many sessions the figures are kept."""
_EVERY_S: Final = 1.0
"""How often a session that grows is counted on at most."""
_SHARE: Final = 0.05
"""Share of the time that this may take then."""


class Counting:
    """Figures of sessions that were looked at lately.

    Args:
        rows: The rows as they are now, by path.
        read_many: Reads ranges in one round trip; None for a session that is gone.
        is_known: Tells whether the index knows a session as it is now.
        changed: Called with the paths of sessions that have other figures now.
    """

    def __init__(
        self,
        rows: Mapping[str, Row],
        read_many: Callable[[Sequence[Range]], Awaitable[list[bytes | None]]],
        is_known: Callable[[str], bool],
        changed: Callable[[frozenset[str]], None],
    ) -> None:
        self._rows = rows
        self._read_many = read_many
        self._is_known = is_known
        self._changed = changed
        self._path: str | None = None
        self._count = Count()
        self._buffer = LineBuffer()
        self._at = 0
        """Up to here it was read."""
        self._figures: OrderedDict[str, SessionFigures] = OrderedDict()
        self._wake = asyncio.Event()
        self._other = asyncio.Event()
        """Another session is looked at: it does not wait."""
        self._counted = asyncio.Event()
        self._counted.set()

    async def settled(self) -> None:
        """Wait until the session that is looked at was counted once, or cannot be."""
        await self._counted.wait()

    def figures(self, path: str) -> SessionFigures | None:
        """Return what was counted last of a session."""
        return self._figures.get(path)

    def look_at(self, path: str) -> None:
        """Count this session, and go on with it as it grows."""
        if path != self._path:
            self._begin(path)
            self._counted.clear()
            self._other.set()
            self._wake.set()

    def apply(self, changes: Iterable[Change]) -> None:
        """Take note of what happened to sessions."""
        for change in changes:
            if not isinstance(change, Appended):
                self._figures.pop(change.path, None)
                if change.path == self._path:
                    self._begin(change.path)
            if change.path == self._path:
                self._wake.set()

    async def run(self) -> None:
        """Count until cancelled.

        Raises:
            StorageError: The source cannot be read; call it again when it can.
        """
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._other.clear()
            path = self._path
            if path is None or self._is_known(path):
                self._counted.set()
                continue
            began = time.monotonic()
            try:
                await self._read_on(path)
            except StorageError:
                self._wake.set()  # The next run begins with it.
                raise
            finally:
                if path == self._path:
                    self._counted.set()
            rest_s = max(_EVERY_S, (time.monotonic() - began) / _SHARE)
            # Not `wait_for`: in Python 3.11 it loses a cancellation that comes with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(rest_s):
                    await self._other.wait()

    def _begin(self, path: str) -> None:
        self._path = path
        self._count, self._buffer, self._at = Count(), LineBuffer(), 0

    async def _read_on(self, path: str) -> None:
        buffer = self._buffer
        while True:
            row = self._rows.get(path)
            if row is None or row.size - self._at > MOST_BYTES or buffer is not self._buffer:
                return
            if self._at >= row.size:
                break
            stop = min(self._at + STEP_BYTES, row.size)
            (data,) = await self._read_many([Range(path, self._at, stop)])
            if not data or buffer is not self._buffer:
                return
            self._at += len(data)
            await asyncio.to_thread(_count, self._count, buffer, data)
        if buffer is self._buffer:
            self._figures[path] = self._count.figures()
            self._figures.move_to_end(path)
            while len(self._figures) > KEPT:
                self._figures.popitem(last=False)
            self._changed(frozenset((path,)))


def _count(count: Count, buffer: LineBuffer, data: bytes) -> None:
    """Count whole lines; gives way as long as it computed."""
    began = time.perf_counter()
    _add_lines(count, buffer, data)
    time.sleep(time.perf_counter() - began)


async def count_whole(
    row: Row, read_many: Callable[[Sequence[Range]], Awaitable[list[bytes | None]]]
) -> SessionFigures:
    """Return a session in figures, read from its beginning to its end.

    Raises:
        StorageError: The source cannot be read.
    """
    count, buffer = Count(), LineBuffer()
    for start in range(0, row.size, WHOLE_STEP_BYTES):
        stop = min(start + WHOLE_STEP_BYTES, row.size)
        (data,) = await read_many([Range(row.path, start, stop)])
        await asyncio.to_thread(_add_lines, count, buffer, data or b"")
    _add_lines(count, buffer, b"\n")  # A last line may lack its end.
    return count.figures()


def _add_lines(count: Count, buffer: LineBuffer, data: bytes) -> None:
    for line in buffer.feed(data):
        for item in decode_line(line.data, line.offset, size=line.size):
            count.add(item)
