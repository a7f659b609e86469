"""One search over all sessions, newest first: in the index, else in the stored bytes.

What is found is what reading every session from its beginning to its end would find,
whether the index knows all of it, some of it, or is not there.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from sessiontui.errors import IndexFileError
from sessiontui.search.index import records_in
from sessiontui.search.index_cache import HEAD_BYTES, OVERLAP_BYTES, fingerprint
from sessiontui.storage.backend import Range
from sessiontui.transcript.search import SEARCHED_KINDS, LiteralQuery, TextMatch, WordsQuery, search

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sessiontui.catalog.row import Row
    from sessiontui.formats.blocks import Block
    from sessiontui.search.reader import IndexReader, SearchCandidate
    from sessiontui.transcript.pages import ReadRange
    from sessiontui.transcript.search import TextQuery

GROUP: Final = 64
"""How many sessions are looked at before others have their turn."""
SMALL_BYTES: Final = 256 * 1024
"""Sessions up to this length are read several at a time."""
GROUP_BYTES: Final = 2 << 20
"""How much of those is read at once."""
_CHUNKS: Final = 32
"""How many chunks of the index are read at a time."""

_Result = TypeVar("_Result")


class SessionMatch(msgspec.Struct, frozen=True, gc=False):
    """A match in a session."""

    path: str
    hit: TextMatch
    more: bool = False
    """Whether the session holds more than is told; with the last that is told of it."""


class SearchProgress(msgspec.Struct, frozen=True, gc=False):
    """The progress of a search; all matches before are told."""

    sessions: int
    of: int


class SearchedText:
    """A text query, limited to blocks that are searched.

    Args:
        wanted: What.
    """

    def __init__(self, wanted: TextQuery) -> None:
        self._wanted = wanted
        self.next = wanted.next
        self.possible = wanted.possible

    def __bool__(self) -> bool:
        """Tell whether there is anything to find."""
        return bool(self._wanted)

    def line_in(self, block: Block) -> str | None:
        """Return the line to tell a block by; None if it is not wanted."""
        return self._wanted.line_in(block) if block.kind in SEARCHED_KINDS else None


class SessionSearch:
    """One search over all sessions.

    Args:
        wanted: What to look for; an empty one finds nothing.
        rows: The rows as they are now, by path.
        read_many: Reads ranges in one round trip; None for a session that is gone.
        file: The index, if there is one.
        most: How many hits of one session are told at most; None for all.
    """

    def __init__(
        self,
        wanted: TextQuery,
        rows: Mapping[str, Row],
        read_many: Callable[[Sequence[Range]], Awaitable[list[bytes | None]]],
        file: Path | None,
        most: int | None,
    ) -> None:
        self._wanted = wanted
        self._rows = rows
        self._read_many = read_many
        self._file = file
        self._most = most
        self._held: Mapping[str, SearchCandidate] = {}
        self._reader: IndexReader | None = None

    async def run(self) -> AsyncGenerator[SessionMatch | SearchProgress]:
        """Yield what is found as it is found; close the generator to stop.

        Raises:
            StorageError: The source could not be read.
            TooSlowError: The pattern takes too long.
        """
        if not self._wanted:
            return
        self._threads = ThreadPoolExecutor(1, "search")
        try:
            rows = list(self._rows.values())
            paths = await self._in_thread(_newest_first, rows)
            del rows
            await self._open_index()
            for start in range(0, len(paths), GROUP):
                group = paths[start : start + GROUP]
                small = await self._read_small(group)
                for path in group:
                    if self._is_done(path):
                        continue
                    async with aclosing(self._session(path, small)) as hits:
                        async for found in hits:
                            yield found
                yield SearchProgress(min(start + GROUP, len(paths)), len(paths))
                await asyncio.sleep(0)
        finally:
            # Nobody waits for what the thread still does.
            if self._reader is not None:
                self._reader.interrupt()
            self._threads.submit(self._close_index)
            self._threads.shutdown(wait=False)

    async def _open_index(self) -> None:
        file = self._file
        if file is not None:
            with suppress(IndexFileError):
                await self._in_thread(self._look_up, file)

    def _look_up(self, file: Path) -> None:
        from sessiontui.search.reader import IndexReader

        self._reader = IndexReader(file)
        self._held = self._reader.look_up(self._wanted)

    def _close_index(self) -> None:
        if self._reader is not None:
            self._reader.close()

    async def _read_small(self, paths: Sequence[str]) -> dict[str, tuple[int, bytes]]:
        """Return small sessions that the index does not know: length, and bytes."""
        wanted: list[Row] = []
        room = GROUP_BYTES
        for path in paths:
            row = self._rows.get(path)
            if row is not None and path not in self._held and row.size <= min(SMALL_BYTES, room):
                wanted.append(row)
                room -= row.size
        if not wanted:
            return {}
        replies = await self._read_many([Range(row.path, 0, row.size) for row in wanted])
        return {
            row.path: (row.size, data)
            for row, data in zip(wanted, replies, strict=True)
            if data is not None
        }

    def _is_done(self, path: str) -> bool:
        """Tell whether the index knows that a session holds nothing of it."""
        held, row = self._held.get(path), self._rows.get(path)
        if row is None:
            return True
        if held is None or held.chunks or not _is_whole(held, row):
            return False
        return held.text_stop >= row.size

    async def _session(
        self, path: str, small: Mapping[str, tuple[int, bytes]]
    ) -> AsyncGenerator[SessionMatch]:
        """Yield what one session holds, in order."""
        last: TextMatch | None = None
        count = 0
        async with aclosing(self._hits(path, small)) as hits:
            async for hit in hits:
                if last is not None:
                    count += 1
                    if count == self._most:
                        yield SessionMatch(path, last, more=True)
                        return
                    yield SessionMatch(path, last)
                last = hit
        if last is not None:
            yield SessionMatch(path, last)

    async def _hits(
        self, path: str, small: Mapping[str, tuple[int, bytes]]
    ) -> AsyncGenerator[TextMatch]:
        row, held = self._rows.get(path), self._held.get(path)
        if row is None:
            return
        start, stop, last = 0, row.size, (-1, -1)
        if held is not None and (_is_whole(held, row) or await self._has_grown(row, held)):
            start = held.text_stop if _is_whole(held, row) else min(held.stop, held.text_stop)
            try:
                async for hit in self._indexed(held.chunks, start):
                    last = (hit.offset, hit.block)
                    yield hit
            except IndexFileError:
                self._held, start = {}, 0  # Read on without it.
        read = self._reading(path)
        if path in small:
            stop, data = small[path]

            async def read(first: int, last: int) -> bytes:
                return data[first:last]

        if start < stop:
            async with aclosing(search(read, SearchedText(self._wanted), start, stop)) as results:
                async for found in results:
                    if isinstance(found, TextMatch) and (found.offset, found.block) > last:
                        yield found

    async def _indexed(self, chunks: Sequence[int], stop: int) -> AsyncGenerator[TextMatch]:
        """Yield what chunks of the index hold of lines before `stop`."""
        reader = self._reader
        if reader is None:
            return
        for first in range(0, len(chunks), _CHUNKS):
            texts = await self._in_thread(reader.texts, chunks[first : first + _CHUNKS])
            for text in texts:
                for hit in chunk_matches(text, self._wanted):
                    if hit.offset < stop:
                        yield hit
                await asyncio.sleep(0)

    async def _has_grown(self, row: Row, held: SearchCandidate) -> bool:
        """Tell whether a session is what the index knows, with more at its end."""
        if row.size < held.stop or held.stop == 0 or self._reader is None:
            return False
        try:
            marks = await self._in_thread(self._reader.marks, held.id)
        except IndexFileError:
            return False
        head, overlap = await self._read_many(
            [
                Range(row.path, 0, min(HEAD_BYTES, held.stop)),
                Range(row.path, max(0, held.stop - OVERLAP_BYTES), held.stop),
            ]
        )
        return (
            row.size > held.size
            and head is not None
            and overlap is not None
            and fingerprint(head) == marks.head
            and fingerprint(overlap) == marks.overlap
        )

    def _reading(self, path: str) -> ReadRange:
        async def read(start: int, stop: int) -> bytes:
            (data,) = await self._read_many([Range(path, start, stop)])
            return data or b""  # Gone meanwhile: then there is nothing to find.

        return read

    async def _in_thread(self, call: Callable[..., _Result], *arguments: object) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)


def _newest_first(rows: list[Row]) -> list[str]:
    return [row.path for row in sorted(rows, key=lambda row: -row.mtime_ms)]


def _is_whole(held: SearchCandidate, row: Row) -> bool:
    """Tell whether the index knows a session to its end, as it is now."""
    return held.size == row.size and held.mtime_ms == row.mtime_ms


def chunk_matches(chunk: str, wanted: TextQuery) -> Iterator[TextMatch]:
    """Yield what a chunk of the index holds."""
    needles = wanted.needles if isinstance(wanted, WordsQuery) else (wanted,)
    lowered = chunk.lower()
    if any(isinstance(one, LiteralQuery) and one.text not in lowered for one in needles):
        return
    for record in records_in(chunk):
        line = wanted.pick(record.lines)
        if line is not None:
            heading = record.lines[0]
            yield TextMatch(record.offset, record.block, line, record.time_ms, record.kind, heading)
