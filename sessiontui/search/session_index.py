"""What is in all sessions of a source: their figures and their text, and the search for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sessiontui.errors import StorageError
from sessiontui.search.counting import Counting, count_whole
from sessiontui.search.indexer import Indexing
from sessiontui.search.place import index_file
from sessiontui.workspace.events import RowsChanged

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from sessiontui.catalog.row import Row
    from sessiontui.catalog.stats import SessionFigures
    from sessiontui.search.session_search import Found, Swept
    from sessiontui.sources import Source
    from sessiontui.storage.backend import Range
    from sessiontui.storage.changes import Change
    from sessiontui.transcript.search import Sought
    from sessiontui.workspace.events import Update
    from sessiontui.workspace.row_reader import RowReader

_RETRY_S: Final = 1.0


class Library:
    """Owns the index of a source and what was counted besides; a workspace gives it its sessions.

    Args:
        folder: Where indexes are kept; None to keep none.
        eager: Whether the index is built without pausing, for one who waits for it.
        keep: Whether it is kept current; else it is only read.
    """

    indexing: Indexing
    _counting: Counting
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
        self.indexing = Indexing(
            file, reader.rows, read_many, changed, reader.settled, eager=self._eager
        )
        self._counting = Counting(reader.rows, read_many, self._is_known, changed)

    def figures(self, path: str) -> SessionFigures | None:
        """Return a session in figures as last counted, None if it was not yet; costs nothing."""
        known = self.indexing.known.get(path)
        if known is None or not self._is_known(path):
            counted = self._counting.figures(path)
            if counted is not None:
                return counted
        return None if known is None else known.figures

    async def count(self, paths: Sequence[str]) -> dict[str, SessionFigures]:
        """Return sessions in figures as they are now, read where the index does not know them.

        Raises:
            StorageError: The source cannot be read.
        """
        known = await self.indexing.look()
        found: dict[str, SessionFigures] = {}
        for path in paths:
            row, item = self._rows.get(path), known.get(path)
            if row is not None and item is not None and item.is_current(row.size, row.mtime_ms):
                found[path] = item.figures
            elif row is not None:
                found[path] = await count_whole(row, self._read_many)
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

    def search(self, wanted: Sought, *, most: int | None = None) -> AsyncGenerator[Found | Swept]:
        """Yield where something was said, newest sessions first; see `Searching.run`.

        Args:
            wanted: What to look for.
            most: How many hits of one session are told at most; None for all.
        """
        from sessiontui.search.session_search import Searching

        file = self.indexing.file
        return Searching(wanted, self._rows, self._read_many, file, most).run()

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
