"""The index writer: adds sessions, each in a transaction.

Everything here runs in one thread. What is appended to a session costs only what is
new: reading goes on behind the last whole line that is known, if the bytes before are
the same.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sessiontui.catalog.stats import StatsCounter
from sessiontui.formats.jsonl import WHOLE_BYTES, LineBuffer
from sessiontui.formats.registry import decode_line
from sessiontui.search.index import (
    CHUNK,
    CHUNK_BITS,
    Chunks,
    file_bytes,
    file_errors,
    key_path,
    open_to_write,
    pack_chunk,
    path_key,
    records_before,
    records_of,
    searchable_text,
    unpack_chunk,
)
from sessiontui.search.index_cache import (
    HEAD_BYTES,
    OVERLAP_BYTES,
    Fingerprint,
    IndexedSession,
    IndexTotals,
    SessionPiece,
    Whole,
    fingerprint,
    indexed_row,
    pack_stats,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from sessiontui.formats.jsonl import RawLine

SESSION_TEXT: Final = 16 << 20
"""How many characters of one session are kept; what comes after is read when it is searched."""
ALL_TEXT: Final = 1 << 30
"""How many characters of all sessions are kept, about twice what the file takes; the oldest go."""
SLICE_S: Final = 0.003
"""How long is computed before others have their turn."""
_LEFT: Final = 0.9
"""Which share of `ALL_TEXT` is left when the oldest had to go."""


class _Row(msgspec.Struct, array_like=True):
    """A session as it is stored."""

    id: int
    stop: Whole = 0
    text_stop: Whole = 0
    chunks: Whole = 0
    text_bytes: Whole = 0
    head: bytes = b""
    overlap: bytes = b""
    count: bytes = b""


class IndexWriter:
    """The one writer of a file; only who holds the `WriteLock` may have one.

    Args:
        path: The file; made if it is not there.
        pause: Called every few milliseconds with the seconds that were computed since.
        session_text: How many characters of one session are kept.
        all_text: How many of all of them.

    Raises:
        IndexFileError: The file cannot be made; so all methods if it cannot be used any more.
    """

    def __init__(
        self,
        path: Path,
        pause: Callable[[float], None] = lambda _spent: None,
        *,
        session_text: int = SESSION_TEXT,
        all_text: int = ALL_TEXT,
    ) -> None:
        self._path = path
        self._pause = pause
        self._session_text = session_text
        self._all_text = all_text
        self._began = time.perf_counter()
        self._database = open_to_write(path)
        with file_errors(path):
            (text_bytes,) = self._one("SELECT coalesce(sum(text_bytes), 0) FROM sessions")
        self._text_bytes: int = text_bytes
        self._too_old = -1
        """No text is kept of sessions that are not newer: there is no room for it."""

    def interrupt(self) -> None:
        """End what is being done, as if it had not begun; the one call for other threads."""
        self._database.interrupt()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def known(self) -> Iterator[tuple[str, IndexedSession]]:
        """Yield every session of the index."""
        with file_errors(self._path):
            rows = self._database.execute(
                "SELECT path, size, mtime_ms, stop, text_stop, figures FROM sessions"
            )
            for row in rows:
                key, known = indexed_row(row)
                yield key_path(key), known

    def contents(self) -> IndexTotals:
        """Return how much is in the index."""
        with file_errors(self._path):
            sessions, texts = self._one(
                "SELECT count(*), coalesce(sum(text_bytes > 0), 0) FROM sessions"
            )
        return IndexTotals(sessions, texts, self._text_bytes, file_bytes(self._path))

    def add(self, pieces: Iterable[SessionPiece]) -> list[tuple[str, IndexedSession | None]]:
        """Take what was read of sessions.

        Returns:
            For each the session as it is in the index now; None where it is another one
            than the index knew: then it is out, and must be read from its beginning.
        """
        with self._transaction():
            return [(piece.path, self._add(piece)) for piece in pieces]

    def move(self, moves: Iterable[tuple[str, str | None]]) -> list[tuple[str, IndexedSession]]:
        """Give sessions other paths, or take them out where there is none, in order.

        What the index knew of another session at the new path is forgotten.

        Returns:
            What it knows of those that have other paths now.
        """
        moved: list[tuple[str, IndexedSession]] = []
        with self._transaction():
            for path, new_path in moves:
                if new_path is None:
                    self._forget(path)
                elif self._row(path) is not None:
                    self._forget(new_path)
                    self._database.execute(
                        "UPDATE sessions SET path = ? WHERE path = ?",
                        (path_key(new_path), path_key(path)),
                    )
                    found = self._one(
                        "SELECT path, size, mtime_ms, stop, text_stop, figures FROM sessions"
                        " WHERE path = ?",
                        (path_key(new_path),),
                    )
                    moved.append((new_path, indexed_row(found)[1]))
        return moved

    def tidy(self) -> None:
        """Make searching faster after much was added."""
        with self._transaction():
            self._database.execute("INSERT INTO words(words) VALUES('optimize')")
        with file_errors(self._path):
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._database.execute("PRAGMA shrink_memory")

    # -- one session

    def _add(self, piece: SessionPiece) -> IndexedSession | None:
        row = self._row(piece.path)
        if piece.start:
            if row is None or not _goes_on(row, piece):
                self._forget(piece.path)
                return None
            count = StatsCounter.load(row.count)
        else:
            if row is not None:
                self._forget(piece.path)
            row = self._new_row(piece.path)
            count = StatsCounter()
        chunks, kept = self._begun(row), row.text_stop >= row.stop and self._has_room(piece)
        buffer = LineBuffer(piece.start, limit=WHOLE_BYTES)
        text_stop = row.stop if kept else row.text_stop
        for line in buffer.feed(piece.data):
            kept = self._add_line(line, count, chunks if kept else None) and kept
            if kept:
                text_stop = line.offset + line.size + 1
        stop = buffer.offset
        dump, figures = count.dump(), count.figures()
        if piece.whole and buffer.rest:
            line = next(iter(LineBuffer(stop, limit=WHOLE_BYTES).feed(buffer.rest + b"\n")))
            line = line._replace(size=buffer.rest_size)
            if self._add_line(line, count, chunks if kept else None) and kept:
                text_stop = piece.size
            figures = count.figures()
        read_on = not piece.whole and stop > piece.start
        known = IndexedSession(
            size=stop if read_on else piece.size,
            mtime_ms=-1 if read_on else piece.mtime_ms,
            stop=stop,
            text_stop=text_stop,
            packed=pack_stats(figures),
        )
        self._store(row, known, chunks, _marks(piece, stop), dump)
        return known

    def _add_line(self, line: RawLine, count: StatsCounter, chunks: Chunks | None) -> bool:
        """Count a line and keep its text; return whether there was room for it."""
        self._breathe()
        items = decode_line(line.data, line.offset, size=line.size)
        for item in items:
            count.add(item)
        if chunks is None or chunks.length > self._session_text:
            return False
        for record in records_of(line, items):
            chunks.add(record)
        return True

    def _begun(self, row: _Row) -> Chunks:
        """Take out the last chunk of a session if it has room left, or holds what was no line."""
        first = row.id << CHUNK_BITS
        last = self._one(
            "SELECT id, text FROM chunks WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1",
            (first, first + (1 << CHUNK_BITS) - 1),
        )
        chunks = Chunks()
        if last is not None:
            text = unpack_chunk(last[1])
            if len(text) < CHUNK or row.text_stop > row.stop:
                self._drop(last[0], text)
                row.text_bytes -= len(text)
                chunks = Chunks(records_before(text, row.stop))
        chunks.length += row.text_bytes
        return chunks

    def _store(
        self, row: _Row, known: IndexedSession, chunks: Chunks, marks: Fingerprint, count: bytes
    ) -> None:
        number, text_bytes = row.chunks, row.text_bytes
        for first, text in chunks.take():
            chunk_id = (row.id << CHUNK_BITS) + number
            self._database.execute(
                "INSERT INTO chunks(id, first, text) VALUES(?, ?, ?)",
                (chunk_id, first, pack_chunk(text)),
            )
            self._database.execute(
                "INSERT INTO words(rowid, text) VALUES(?, ?)", (chunk_id, searchable_text(text))
            )
            number += 1
            text_bytes += len(text)
            self._text_bytes += len(text)
            self._breathe()
        self._database.execute(
            "UPDATE sessions SET size = ?, mtime_ms = ?, stop = ?, text_stop = ?, chunks = ?,"
            " text_bytes = ?, head = ?, overlap = ?, figures = ?, count = ? WHERE id = ?",
            (
                known.size,
                known.mtime_ms,
                known.stop,
                known.text_stop,
                number,
                text_bytes,
                marks.head,
                marks.overlap,
                known.packed,
                count,
                row.id,
            ),
        )

    def _row(self, path: str) -> _Row | None:
        found = self._one(
            "SELECT id, stop, text_stop, chunks, text_bytes, head, overlap, count"
            " FROM sessions WHERE path = ?",
            (path_key(path),),
        )
        return None if found is None else msgspec.convert(found, _Row)

    def _new_row(self, path: str) -> _Row:
        made = self._database.execute(
            "INSERT INTO sessions(path, size, mtime_ms, stop, text_stop, chunks, text_bytes,"
            " head, overlap, figures, count) VALUES(?, 0, -1, 0, 0, 0, 0, '', '', '', '')",
            (path_key(path),),
        )
        return _Row(int(made.lastrowid or 0))

    # -- what goes

    def _forget(self, path: str) -> None:
        row = self._row(path)
        if row is not None:
            self._drop_text(row.id)
            self._database.execute("DELETE FROM sessions WHERE id = ?", (row.id,))

    def _drop_text(self, session: int) -> None:
        first = session << CHUNK_BITS
        chunks = self._database.execute(
            "SELECT id, text FROM chunks WHERE id BETWEEN ? AND ?",
            (first, first + (1 << CHUNK_BITS) - 1),
        ).fetchall()
        for chunk_id, text in chunks:
            self._drop(chunk_id, unpack_chunk(text))
            self._breathe()

    def _drop(self, chunk_id: int, text: str) -> None:
        self._database.execute(
            "INSERT INTO words(words, rowid, text) VALUES('delete', ?, ?)",
            (chunk_id, searchable_text(text)),
        )
        self._database.execute("DELETE FROM chunks WHERE id = ?", (chunk_id,))
        self._text_bytes -= len(text)

    def _has_room(self, piece: SessionPiece) -> bool:
        """Tell whether text of a session may be kept; makes room for one that is newer."""
        if self._text_bytes < self._all_text:
            return True
        if piece.mtime_ms <= self._too_old:
            return False
        kept = self._database.execute(
            "SELECT id, mtime_ms FROM sessions WHERE text_bytes > 0 AND mtime_ms >= 0"
            " AND path != ? ORDER BY mtime_ms",
            (path_key(piece.path),),
        ).fetchall()
        for session, mtime_ms in kept:
            if self._text_bytes <= self._all_text * _LEFT or mtime_ms >= piece.mtime_ms:
                self._too_old = max(self._too_old, mtime_ms - 1)
                break
            self._drop_text(session)
            self._database.execute(
                "UPDATE sessions SET text_stop = 0, text_bytes = 0 WHERE id = ?", (session,)
            )
            self._too_old = mtime_ms
        return self._text_bytes < self._all_text

    # -- how it is done

    def _one(self, query: str, values: Sequence[object] = ()) -> Any:
        """Return the first row, None without any."""
        return self._database.execute(query, values).fetchone()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._began = time.perf_counter()
        text_bytes = self._text_bytes
        with file_errors(self._path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                self._text_bytes = text_bytes
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def _breathe(self) -> None:
        spent = time.perf_counter() - self._began
        if spent > SLICE_S:
            self._pause(spent)
            self._began = time.perf_counter()


def _goes_on(row: _Row, piece: SessionPiece) -> bool:
    """Tell whether a piece follows what is known of the very same session."""
    return (
        piece.start == row.stop
        and fingerprint(piece.head[: min(HEAD_BYTES, row.stop)]) == row.head
        and fingerprint(piece.overlap) == row.overlap
        and row.chunks < (1 << CHUNK_BITS) // 2
    )


def _marks(piece: SessionPiece, stop: int) -> Fingerprint:
    """Return by what a session is known again that was read up to `stop`."""
    known = piece.overlap + piece.data[: stop - piece.start]
    return Fingerprint(
        fingerprint(piece.head[: min(HEAD_BYTES, stop)]),
        fingerprint(known[-min(OVERLAP_BYTES, stop) :]),
    )
