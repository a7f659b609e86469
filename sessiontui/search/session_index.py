"""The index of a workspace: text and stats of all sessions, and the search for them."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sessiontui.catalog.stats import StatsCounter
from sessiontui.errors import StorageError
from sessiontui.formats.jsonl import LineBuffer
from sessiontui.formats.registry import decode_line
from sessiontui.search.index_cache import index_file
from sessiontui.search.indexer import Indexer
from sessiontui.storage.backend import Range
from sessiontui.storage.changes import Appended
from sessiontui.workspace.events import RowsChanged

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from sessiontui.catalog.row import Row
    from sessiontui.catalog.stats import SessionStats
    from sessiontui.search.session_search import SearchProgress, SessionMatch
    from sessiontui.sources import Source
    from sessiontui.storage.changes import Change
    from sessiontui.transcript.search import TextQuery
    from sessiontui.workspace.events import Update
    from sessiontui.workspace.row_reader import RowReader

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


class StatsTracker:
    """Stats of sessions that were opened lately.

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
        self._count = StatsCounter()
        self._buffer = LineBuffer()
        self._at = 0
        """Up to here it was read."""
        self._figures: OrderedDict[str, SessionStats] = OrderedDict()
        self._wake = asyncio.Event()
        self._other = asyncio.Event()
        """Another session is looked at: it does not wait."""
        self._counted = asyncio.Event()
        self._counted.set()

    async def settled(self) -> None:
        """Wait until the session that is looked at was counted once, or cannot be."""
        await self._counted.wait()

    def figures(self, path: str) -> SessionStats | None:
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
        self._count, self._buffer, self._at = StatsCounter(), LineBuffer(), 0

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


def _count(count: StatsCounter, buffer: LineBuffer, data: bytes) -> None:
    """Count whole lines; gives way as long as it computed."""
    began = time.perf_counter()
    _add_lines(count, buffer, data)
    time.sleep(time.perf_counter() - began)


async def count_session(
    row: Row, read_many: Callable[[Sequence[Range]], Awaitable[list[bytes | None]]]
) -> SessionStats:
    """Return a session in figures, read from its beginning to its end.

    Raises:
        StorageError: The source cannot be read.
    """
    count, buffer = StatsCounter(), LineBuffer()
    for start in range(0, row.size, WHOLE_STEP_BYTES):
        stop = min(start + WHOLE_STEP_BYTES, row.size)
        (data,) = await read_many([Range(row.path, start, stop)])
        await asyncio.to_thread(_add_lines, count, buffer, data or b"")
    _add_lines(count, buffer, b"\n")  # A last line may lack its end.
    return count.figures()


def _add_lines(count: StatsCounter, buffer: LineBuffer, data: bytes) -> None:
    for line in buffer.feed(data):
        for item in decode_line(line.data, line.offset, size=line.size):
            count.add(item)


_RETRY_S: Final = 1.0


class SessionIndex:
    """The session index of a source: indexer, stats and search; serves one workspace.

    Args:
        folder: Where indexes are kept; None to keep none.
        eager: Whether the index is built without pausing, for one who waits for it.
        keep: Whether it is kept current; else it is only read.
    """

    indexing: Indexer
    _counting: StatsTracker
    _rows: Mapping[str, Row]
    _read_many: Callable[[Sequence[Range]], Awaitable[list[bytes | None]]]

    def __init__(
        self, folder: Path | None = None, *, eager: bool = False, keep: bool = True
    ) -> None:
        self._folder = folder
        self._is_kept = keep
        self._eager = eager
        self._ready = asyncio.Event()

    def serve(
        self,
        source: Source,
        reader: RowReader,
        read_many: Callable[[Sequence[Range]], Awaitable[list[bytes | None]]],
        publish: Callable[[Update], None],
    ) -> None:
        """Take over the sessions of a source; called once.

        Args:
            source: The source.
            reader: Has the rows; what it reads is more urgent.
            read_many: Reads ranges in one round trip; None for a session that is gone.
            publish: Called with a `RowsChanged` of sessions that have other figures now.
        """

        def changed(paths: frozenset[str]) -> None:
            publish(RowsChanged(paths))

        file = None if self._folder is None else index_file(self._folder, source)
        self._rows, self._read_many = reader.rows, read_many
        self.indexing = Indexer(
            file, reader.rows, read_many, changed, reader.settled, eager=self._eager
        )
        self._counting = StatsTracker(reader.rows, read_many, self._is_known, changed)

    def figures(self, path: str) -> SessionStats | None:
        """Return a session in figures as last counted, None if it was not yet; costs nothing."""
        known = self.indexing.known.get(path)
        if known is None or not self._is_known(path):
            counted = self._counting.figures(path)
            if counted is not None:
                return counted
        return None if known is None else known.figures

    async def count(self, paths: Sequence[str]) -> dict[str, SessionStats]:
        """Return sessions in figures as they are now, read where the index does not know them.

        Raises:
            StorageError: The source cannot be read.
        """
        known = await self.indexing.look()
        found: dict[str, SessionStats] = {}
        for path in paths:
            row, item = self._rows.get(path), known.get(path)
            if row is not None and item is not None and item.is_current(row.size, row.mtime_ms):
                found[path] = item.figures
            elif row is not None:
                found[path] = await count_session(row, self._read_many)
        return found

    async def settled(self) -> None:
        """Wait until the session that is looked at was counted once, or cannot be."""
        await self._counting.settled()

    def look_at(self, path: str) -> None:
        """Have a session counted now, for one who looks at it."""
        self._counting.look_at(path)

    def apply(self, changes: Sequence[Change]) -> None:
        """Take note of what happened to sessions."""
        self.indexing.apply(changes)
        self._counting.apply(changes)

    def loaded(self) -> None:
        """Let the index be kept from now on: every session is known."""
        self._ready.set()

    def search(
        self, wanted: TextQuery, *, most: int | None = None
    ) -> AsyncGenerator[SessionMatch | SearchProgress]:
        """Yield where something was said, newest sessions first; see `SessionSearch.run`.

        Args:
            wanted: What to look for.
            most: How many hits of one session are told at most; None for all.
        """
        from sessiontui.search.session_search import SessionSearch

        file = self.indexing.file
        return SessionSearch(wanted, self._rows, self._read_many, file, most).run()

    async def run(self) -> None:
        """Keep index and figures current until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._again(self._counting.run))
                tasks.create_task(self._keep())
        finally:
            self._ready.clear()  # Before the next time every session must be known anew.

    async def _keep(self) -> None:
        await self._ready.wait()
        if self._is_kept:
            await self._again(self.indexing.run)

    @staticmethod
    async def _again(run: Callable[[], Awaitable[None]]) -> None:
        """Run something, and again as long as the source fails it."""
        while True:
            with suppress(StorageError):
                await run()
                return
            await asyncio.sleep(_RETRY_S)

    def _is_known(self, path: str) -> bool:
        """Tell whether the index knows a session as it is now."""
        return self.indexing.known.is_current(path)
