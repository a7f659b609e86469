"""An index that is damaged, or is no index: nothing fails but the index, and that is made anew."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from sessiontui.catalog.row import Row
from sessiontui.search.index_cache import HEAD_BYTES, SessionPiece
from sessiontui.search.indexer import Indexer
from sessiontui.search.reader import IndexReader
from sessiontui.search.session_search import SessionMatch, SessionSearch
from sessiontui.search.writer import IndexWriter
from sessiontui.storage.changes import Appended
from sessiontui.transcript.search import parse_search_terms
from tests.sessions import START_MS, Omp
from tests.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sessiontui.storage.backend import Range

DAMAGE = {
    "a path that is text": "UPDATE sessions SET path = 'text' || id",
    "a size that is text": "UPDATE sessions SET size = 'x'",
    "a time that is a number with a point": "UPDATE sessions SET mtime_ms = 0.5",
    "an end before the beginning": "UPDATE sessions SET stop = -5",
    "text up to nowhere": "UPDATE sessions SET text_stop = x'00'",
    "figures that are none": "UPDATE sessions SET figures = x'ff'",
    "figures that are text": "UPDATE sessions SET figures = 'zz'",
    "marks that are text": "UPDATE sessions SET head = 'h', overlap = 'o'",
    "a count that is none": "UPDATE sessions SET count = 'c'",
    "a number of chunks that is none": "UPDATE sessions SET chunks = 'c'",
    "chunks that are text": "UPDATE chunks SET text = 'abc'",
    "chunks that are not packed": "UPDATE chunks SET text = x'00ff00'",
}


class Sessions:
    """Sessions, and how they are read."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}
        self.rows: dict[str, Row] = {}
        for number in range(6):
            made = Omp(title=f"Number {number}")
            made.user(f"pelican {number}")
            made.assistant("So be it.")
            self.write(f"/p/{number}.jsonl", made.data)

    def write(self, path: str, data: bytes) -> None:
        self.data[path] = data
        self.rows[path] = Row(path=path, size=len(data), mtime_ms=START_MS + len(data))

    async def read_many(self, ranges: Sequence[Range]) -> list[bytes | None]:
        return [self.data[one.path][one.start : one.stop] for one in ranges]

    def index(self, file: Path) -> None:
        writer = IndexWriter(file)
        writer.add(
            SessionPiece(path, len(data), row.mtime_ms, 0, data, data[:HEAD_BYTES])
            for (path, data), row in zip(self.data.items(), self.rows.values(), strict=True)
        )
        writer.tidy()
        writer.close()

    async def found(self, file: Path) -> set[str]:
        search = SessionSearch(parse_search_terms("pelican"), self.rows, self.read_many, file, None)
        return {one.path async for one in search.run() if isinstance(one, SessionMatch)}

    async def keep(self, file: Path) -> Indexer:
        """Let the index be brought up to date, as after one session has grown."""

        async def quiet() -> None:
            pass

        path = "/p/0.jsonl"
        more = self.data[path] + b'{"type":"custom","id":"zz","parentId":null}\n'
        indexing = Indexer(file, self.rows, self.read_many, lambda _paths: None, quiet, eager=True)
        self.write(path, more)
        indexing.apply([Appended(path, 0, b"", START_MS)])
        keeping = asyncio.create_task(indexing.run())
        try:
            async with asyncio.timeout(DEADLINE_S):
                await indexing.settled()
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
        return indexing


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "index.sqlite"


@pytest.mark.parametrize("statement", DAMAGE.values(), ids=DAMAGE)
async def test_what_is_damaged_costs_time_and_nothing_else(file: Path, statement: str) -> None:
    sessions = Sessions()
    sessions.index(file)
    table = statement.split()[1]
    ends = f"(SELECT min(id) FROM {table} UNION SELECT max(id) FROM {table})"
    with sqlite3.connect(file) as database:
        assert database.execute(f"{statement} WHERE id IN {ends}").rowcount == 2
    database.close()
    assert await sessions.found(file) == set(sessions.data)
    indexing = await sessions.keep(file)
    assert indexing.problem == ""
    assert set(indexing.known) == set(sessions.data)
    assert all(known.figures.turns == 1 for known in indexing.known.values())
    assert await sessions.found(file) == set(sessions.data)


def test_a_link_in_place_of_the_index_is_not_followed(file: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "mine.db"
    with sqlite3.connect(elsewhere) as database:
        database.execute("CREATE TABLE mine(text)")
    database.close()
    before = elsewhere.read_bytes()
    file.parent.mkdir()
    file.symlink_to(elsewhere)
    sessions = Sessions()
    sessions.index(file)
    assert elsewhere.read_bytes() == before
    assert not file.is_symlink()
    assert IndexReader(file)
