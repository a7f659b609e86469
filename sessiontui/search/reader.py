"""The index reader: what is indexed, and which chunks may match; safe beside a writer.

A reader sees the index as it was when its search began, whatever is written
meanwhile. Everything here runs in one thread at a time.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sessiontui.search.index import (
    CHUNK_BITS,
    file_bytes,
    file_errors,
    key_path,
    open_to_read,
    unpack_chunk,
)
from sessiontui.search.index_cache import (
    Fingerprint,
    IndexedSession,
    IndexTotals,
    Whole,
    indexed_row,
)
from sessiontui.transcript.search import LiteralQuery, WordsQuery

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from sessiontui.transcript.search import TextQuery

_TRIGRAMS: Final = 24
"""How many trigrams of a text are asked for; more would hardly rule out more."""
_AT_ONCE: Final = 500
"""How many chunks one query names."""


_HeldRow = tuple[bytes, int, Whole, int, Whole, Whole]


class SearchCandidate(msgspec.Struct, frozen=True, gc=False):
    """A candidate of a search: an indexed session with the chunks that may match."""

    id: int
    size: int
    mtime_ms: int
    stop: int
    text_stop: int
    chunks: tuple[int, ...] = ()
    """Numbers of the chunks that may hold what is looked for, in order."""


class IndexReader:
    """The index as one search reads it.

    Args:
        path: The file.

    Raises:
        IndexFileError: All methods may, if the file cannot be read (any more).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = open_to_read(path)

    def __bool__(self) -> bool:
        """Tell whether there is an index."""
        return self._database is not None

    def interrupt(self) -> None:
        """Let what is being read fail; the one call for other threads."""
        if self._database is not None:
            self._database.interrupt()

    def close(self) -> None:
        """Close the file."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def known(self) -> Iterator[tuple[str, IndexedSession]]:
        """Yield every session of the index."""
        rows = self._rows("SELECT path, size, mtime_ms, stop, text_stop, figures FROM sessions")
        for row in rows:
            with file_errors(self._path):
                key, known = indexed_row(row)
            yield key_path(key), known

    def contents(self) -> IndexTotals:
        """Return how much is in the index."""
        for sessions, texts, text_bytes in self._rows(
            "SELECT count(*), coalesce(sum(text_bytes > 0), 0), coalesce(sum(text_bytes), 0)"
            " FROM sessions"
        ):
            return IndexTotals(sessions, texts, text_bytes, file_bytes(self._path))
        return IndexTotals(0, 0, 0, file_bytes(self._path))

    def look_up(self, wanted: TextQuery) -> dict[str, SearchCandidate]:
        """Return every session of the index by path, with the chunks that may match.

        What is read afterwards with `texts` is of the same moment.
        """
        if self._database is None:
            return {}
        with file_errors(self._path):
            self._database.execute("BEGIN")
            match = match_of(wanted)
            if match:
                ids = self._database.execute(
                    "SELECT rowid FROM words WHERE words MATCH ?", (match,)
                )
            else:
                ids = self._database.execute("SELECT id FROM chunks")
            numbers = sorted(number for (number,) in ids)
            chunks = {
                session: tuple(group)
                for session, group in groupby(numbers, lambda number: number >> CHUNK_BITS)
            }
            rows = self._database.execute(
                "SELECT path, id, size, mtime_ms, stop, text_stop FROM sessions"
            )
            held: dict[str, SearchCandidate] = {}
            for row in rows:
                key, session, size, mtime_ms, stop, text_stop = msgspec.convert(row, _HeldRow)
                found = chunks.get(session, ())
                held[key_path(key)] = SearchCandidate(
                    session, size, mtime_ms, stop, text_stop, found
                )
            return held

    def marks(self, session: int) -> Fingerprint:
        """Return by what a session is known again."""
        for head, overlap in self._rows(
            "SELECT head, overlap FROM sessions WHERE id = ?", (session,)
        ):
            with file_errors(self._path):
                return Fingerprint(*msgspec.convert((head, overlap), tuple[bytes, bytes]))
        return Fingerprint(b"", b"")

    def texts(self, chunks: Sequence[int]) -> list[str]:
        """Return chunks that `look_up` named, in the same order."""
        found: dict[int, str] = {}
        for start in range(0, len(chunks), _AT_ONCE):
            some = chunks[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            rows = self._rows(f"SELECT id, text FROM chunks WHERE id IN ({marks})", some)
            with file_errors(self._path):
                found.update((number, unpack_chunk(text)) for number, text in rows)
        return [found[number] for number in chunks if number in found]

    def _rows(self, query: str, values: Collection[object] = ()) -> Iterator[tuple[Any, ...]]:
        if self._database is None:
            return
        with file_errors(self._path):
            cursor = self._database.execute(query, tuple(values))
            # `yield from` would close the cursor of who reads no further, maybe after the file.
            while (row := cursor.fetchone()) is not None:
                yield row


def match_of(wanted: TextQuery) -> str:
    """Return the full text query that finds all chunks that may match; empty where all may."""
    needles = wanted.needles if isinstance(wanted, WordsQuery) else (wanted,)
    trigrams: dict[str, None] = {}
    for needle in needles:
        if isinstance(needle, LiteralQuery):
            trigrams |= dict.fromkeys(_trigrams(needle.text))
    return " AND ".join('"' + trigram.replace('"', '""') + '"' for trigram in trigrams)


def _trigrams(text: str) -> list[str]:
    """Return trigrams of a text, spread over it where there are too many."""
    # What no text holds that is safe to show, no query may hold.
    text = text.encode("utf-8", "replace").decode().replace("\0", "?")
    found = [text[start : start + 3] for start in range(len(text) - 2)]
    step = max(1, -(-len(found) // _TRIGRAMS))
    return found[::step]
