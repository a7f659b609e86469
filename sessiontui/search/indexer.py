"""The indexer: keeps the index current in the background.

Begins once every row is read. The newest sessions come first; one that grows is read
again when it is quiet for a while, or has grown for long, and then only what is new.
Where there is nothing to do, nothing runs. Another process that keeps the index of the
same source is left to it: its work is read now and then, and taken over when it ends.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from sessiontui.errors import IndexFileError
from sessiontui.search.index_cache import HEAD_BYTES, OVERLAP_BYTES, IndexCache, SessionPiece
from sessiontui.storage.backend import Range
from sessiontui.storage.changes import Removed, Renamed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sessiontui.catalog.row import Row
    from sessiontui.search.index_cache import IndexedSession
    from sessiontui.search.writer import IndexWriter
    from sessiontui.storage.changes import Change

STEP_BYTES: Final = 1 << 20
"""How much is read at a time."""
MOST_SESSIONS: Final = 32
"""Of how many sessions at most."""
LONGEST_SEARCH: Final = 16 << 20
"""How far the end of a line is looked for before a session is left as it is."""
QUIET_S: Final = 5.0
"""How long a session that grew must be quiet before it is read again."""
LATEST_S: Final = 60.0
"""How long one that goes on growing waits at most."""
_AGAIN_S: Final = 30.0
"""How often another process's work is looked at while sessions change, and whether it ended."""
_SHARE: Final = 0.5
"""Share of the time that is computed or read, where it is not foreground."""
_PART: Final = 1000
"""How many sessions of the index are read at a time: all at once would double what it takes."""
_TIDY_AFTER: Final = 500
"""After how many sessions searching is made faster again."""

_Result = TypeVar("_Result")


class Indexer:
    """The index of one source.

    Args:
        file: Where it is kept; None to keep none.
        rows: The rows as they are now, by path.
        read_many: Reads ranges in one round trip; None for a session that is gone.
        changed: Called with the paths of sessions that have other figures now.
        quiet: Waits until nothing more urgent is being read.
        eager: Whether to work without pausing, and at once.
    """

    def __init__(
        self,
        file: Path | None,
        rows: Mapping[str, Row],
        read_many: Callable[[Sequence[Range]], Awaitable[list[bytes | None]]],
        changed: Callable[[frozenset[str]], None],
        quiet: Callable[[], Awaitable[None]],
        *,
        eager: bool = False,
    ) -> None:
        self._file = file
        self._rows = rows
        self._read_many = read_many
        self._changed = changed
        self._quiet = quiet
        self._eager = eager
        self.known = IndexCache(rows)
        """What the index says of the sessions that there are."""
        self._coming: IndexCache | None = None
        """The same, as it is being read anew."""
        self.problem = ""
        """Why there is no index, one line; empty while there is one or none is wanted."""
        self.ours = False
        """Whether this process is the one that writes."""
        self._queue: deque[str] = deque()
        self._dirty: dict[str, tuple[float, float]] = {}
        """Sessions that changed: when first and when last since they were read."""
        self._moves: list[tuple[str, str | None]] = []
        """What moved where, or is gone, in order."""
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._is_timed = False
        """Whether it wakes by itself when the next session is due."""
        self._added = 0

    @property
    def file(self) -> Path | None:
        """Where the index is kept."""
        return self._file

    @property
    def waiting(self) -> int:
        """How many sessions are in line, some maybe twice."""
        return len(self._queue) + len(self._dirty)

    async def settled(self) -> None:
        """Wait until every session is in the index, or there is none."""
        if self._file is not None:
            await self._idle.wait()

    async def look(self) -> Mapping[str, IndexedSession]:
        """Return what the index says, whoever keeps it."""
        if self._file is not None and not self.known:
            found: list[tuple[str, IndexedSession]] = []
            with suppress(IndexFileError):
                found = await asyncio.to_thread(_read_known, self._file)
            return dict(found)
        return self.known

    def apply(self, changes: Iterable[Change]) -> None:
        """Take note of what happened to sessions."""
        if self._file is None:
            return
        now = time.monotonic()
        for change in changes:
            if isinstance(change, Removed):
                self._note_move(change.path, None)
                self.known.drop(change.path)
                self._dirty.pop(change.path, None)
            elif isinstance(change, Renamed):
                self._note_move(change.path, change.new_path)
                self.known.move(change.path, change.new_path)
                self._dirty.pop(change.path, None)
                self._dirty[change.new_path] = (now, now)
            else:
                self.known.note(change)
                if self._coming is not None:
                    self._coming.note(change)
                first, _ = self._dirty.get(change.path, (now, now))
                self._dirty[change.path] = (first, now)
        self._idle.clear()
        if not self._is_timed:  # Else nothing that changed now is due before it wakes by itself.
            self._wake.set()

    def _note_move(self, path: str, new_path: str | None) -> None:
        if self.ours:  # Whoever begins to write looks for himself what is gone.
            self._moves.append((path, new_path))

    # -- as long as the source is open

    async def run(self) -> None:
        """Keep the index current until cancelled; call it when all rows are read.

        Raises:
            StorageError: The source cannot be read; call it again when it can.
        """
        if self._file is None:
            return
        self._ending, self._is_timed = threading.Event(), False
        with ThreadPoolExecutor(1, "index") as threads:
            self._threads = threads
            try:
                await self._keep(self._file)
            except IndexFileError as error:
                self.problem = str(error)
                self._idle.set()
            finally:
                self._ending.set()

    async def _keep(self, file: Path) -> None:
        from sessiontui.search.index import WriteLock

        lock = WriteLock(file)
        try:
            while True:
                self.ours = lock.take()
                if self.ours:
                    await self._write(file)
                await self._learn(file)
                self._idle.set()
                await asyncio.sleep(_AGAIN_S)
                while not (self._wake.is_set() or lock.take()):
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_AGAIN_S):
                            await self._wake.wait()
                self._wake.clear()
        finally:
            self._threads.submit(lock.release)
            self.ours = False

    async def _learn(self, file: Path) -> None:
        """Read what another process wrote."""
        from sessiontui.search.reader import IndexReader

        with suppress(IndexFileError):
            reader = await self._in_thread(lambda: IndexReader(file))
            try:
                await self._take_over(reader.known())
            finally:
                self._threads.submit(reader.close)

    async def _take_over(self, known: Iterator[tuple[str, IndexedSession]]) -> list[str]:
        """Learn what the index says, a part at a time; return what is in it and no session."""
        fresh = self._coming = IndexCache(self._rows)
        gone: list[str] = []
        while part := await self._in_thread(lambda: list(islice(known, _PART))):
            for path, item in part:
                if path in self._rows:
                    fresh.put(path, item)
                else:
                    gone.append(path)
        for path in [path for path in fresh if path not in self._rows]:  # It went meanwhile.
            fresh.drop(path)
            gone.append(path)
        changed = fresh.others_than(self.known)
        self.known, self._coming = fresh, None
        if changed:
            self._changed(changed)
        return gone

    async def _write(self, file: Path) -> None:
        """Write what is missing, then what changes; begin anew once where the file is broken."""
        from sessiontui.search.index import remove_index
        from sessiontui.search.writer import IndexWriter

        for again in (True, False):
            writer = await self._in_thread(lambda: IndexWriter(file, self._pause))
            try:
                await self._follow(writer)
            except IndexFileError:
                if not again:
                    raise
            finally:
                writer.interrupt()
                self._threads.submit(writer.close)
            await self._in_thread(lambda: remove_index(file))

    def _pause(self, spent_s: float) -> None:
        """Give way in the thread that writes, unless all ends."""
        if not self._eager:
            self._ending.wait(spent_s * (1 - _SHARE) / _SHARE)

    async def _follow(self, writer: IndexWriter) -> None:
        self._moves = [(path, None) for path in await self._take_over(writer.known())]
        self._dirty.clear()
        self._queue = deque(
            row.path
            for row in sorted(self._rows.values(), key=lambda row: row.mtime_ms, reverse=True)
            if not self._is_current(row.path)
        )
        while True:
            self._wake.clear()
            await self._move(writer)
            batch, wait_s = self._next_batch()
            if batch:
                await self._add(writer, batch)
                continue
            if self._added >= _TIDY_AFTER and wait_s is None:
                self._added = 0
                await self._in_thread(writer.tidy)
                continue
            if wait_s is None:
                self._idle.set()
            self._is_timed = wait_s is not None
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
            self._is_timed = False

    async def _move(self, writer: IndexWriter) -> None:
        """Let sessions move and go in the index as they did in the source."""
        while self._moves:
            moves = self._moves[:MOST_SESSIONS]
            del self._moves[:MOST_SESSIONS]
            moved = await self._in_thread(partial(writer.move, moves))
            for path, known in moved:
                if path in self.known:
                    self.known.put(path, known)

    def _is_current(self, path: str) -> bool:
        return path not in self._rows or self.known.is_current(path)

    def _next_batch(self) -> tuple[list[str], float | None]:
        """Return sessions to read now; without any, how long to wait (None: for a change)."""
        now = time.monotonic()
        due: list[str] = []
        wait_s: float | None = None
        for path, (first, last) in list(self._dirty.items()):
            if self._is_current(path):
                del self._dirty[path]
                continue
            left = 0.0 if self._eager else min(last + QUIET_S, first + LATEST_S) - now
            if left <= 0:
                due.append(path)
                del self._dirty[path]
                if len(due) == MOST_SESSIONS:
                    return due, None
            else:
                wait_s = left if wait_s is None else min(wait_s, left)
        while self._queue and len(due) < MOST_SESSIONS:
            path = self._queue.popleft()
            if path not in self._dirty and not self._is_current(path):
                due.append(path)
        return due, wait_s

    # -- a few sessions

    async def _add(self, writer: IndexWriter, paths: Sequence[str]) -> None:
        """Read sessions on from where they are known, as much as is read at a time."""
        if not self._eager:
            await self._quiet()
        began = time.monotonic()
        pieces, left = await self._read(paths)
        if not self._eager:
            await asyncio.sleep((time.monotonic() - began) * (1 - _SHARE) / _SHARE)
        results = await self._in_thread(lambda: writer.add(pieces)) if pieces else []
        changed: set[str] = set()
        for path, known in results:
            if known is None:
                self.known.drop(path)
                left.append(path)
            elif path in self._rows:
                self.known.put(path, known)
                changed.add(path)
                if known.mtime_ms < 0:
                    left.append(path)
        self._queue.extendleft(reversed(left))
        self._added += len(results)
        if changed:
            self._changed(frozenset(changed))

    async def _read(self, paths: Sequence[str]) -> tuple[list[SessionPiece], list[str]]:
        """Return what was read of sessions, and those for which there was no room yet."""
        ranges: list[Range] = []
        asked: list[tuple[Row, int, int]] = []
        left: list[str] = []
        room = STEP_BYTES
        for path in paths:
            row = self._rows.get(path)
            if row is None:
                continue
            if room <= 0:
                left.append(path)
                continue
            known = self.known.get(path)
            grew = known is not None and row.size > known.size
            start = known.stop if known is not None and grew else 0
            stop = min(row.size, start + (STEP_BYTES if not asked else room))
            room -= stop - start
            asked.append((row, start, stop))
            ranges.append(Range(path, 0, min(HEAD_BYTES, row.size)))
            ranges.append(Range(path, max(0, start - OVERLAP_BYTES), stop))
        replies = iter(await self._read_many(ranges))
        pieces: list[SessionPiece] = []
        for row, start, stop in asked:
            head, data = next(replies), next(replies)
            first = max(0, start - OVERLAP_BYTES)
            if head is None or data is None or len(data) < stop - first:
                continue  # It changed, and comes again with that change.
            overlap, data = data[: start - first], data[start - first :]
            if stop < row.size and b"\n" not in data:
                data = await self._longer(row, start, data)
            pieces.append(
                SessionPiece(row.path, row.size, row.mtime_ms, start, data, head, overlap)
            )
        return pieces, left

    async def _longer(self, row: Row, start: int, data: bytes) -> bytes:
        """Read on until a line ends, but not for ever."""
        parts = [data]
        stop = start + len(data)
        while stop < row.size and stop - start < LONGEST_SEARCH:
            (more,) = await self._read_many(
                [Range(row.path, stop, min(stop + STEP_BYTES, row.size))]
            )
            if not more:
                break
            parts.append(more)
            stop += len(more)
            if b"\n" in more:
                break
        return b"".join(parts)

    async def _in_thread(self, call: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


def _read_known(file: Path) -> list[tuple[str, IndexedSession]]:
    from sessiontui.search.reader import IndexReader

    reader = IndexReader(file)
    try:
        return list(reader.known())
    finally:
        reader.close()
