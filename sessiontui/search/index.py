"""The index file: SQLite, one a source, private to the user, with one writer at a time.

Text is kept in chunks, packed; a contentless full text index of their trigrams tells
which of them may hold what is looked for. It holds the lower case that searching goes
by, so nothing is missed that reading the sessions would find. The number of a chunk
is that of its session times 2^20 and its own, so no table has to be asked whose it is.

A file that cannot be read, is of another version, or no database at all is thrown
away by the one process that may write: everything in it can be read again.

A record is one block of one line of a session. Records follow one another in a
chunk, which is searched and stored as a whole, so a chunk is large enough to be
worth it and small enough to be looked through at once. No character that marks
the beginning of a record is ever part of one: its text is safe to show.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import zlib
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from sessiontui.errors import IndexFileError
from sessiontui.formats.registry import decode_line
from sessiontui.paths import make_private, open_private
from sessiontui.transcript.search import LONGEST_LINE, SEARCHED_KINDS, full_blocks, searchable_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sessiontui.formats.blocks import BlockKind
    from sessiontui.formats.jsonl import Item, RawLine

VERSION: Final = 1
"""Rises whenever what is kept changes its meaning."""
CHUNK_BITS: Final = 20
_BUSY_MS: Final = 5_000
_SCHEMA: Final = f"""
CREATE TABLE sessions(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path BLOB NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    mtime_ms INTEGER NOT NULL,
    stop INTEGER NOT NULL,
    text_stop INTEGER NOT NULL,
    chunks INTEGER NOT NULL,
    text_bytes INTEGER NOT NULL,
    head BLOB NOT NULL,
    overlap BLOB NOT NULL,
    figures BLOB NOT NULL,
    count BLOB NOT NULL
);
CREATE TABLE chunks(id INTEGER PRIMARY KEY, first INTEGER NOT NULL, text BLOB NOT NULL);
CREATE VIRTUAL TABLE words USING fts5(
    text, content='', detail='none', tokenize='trigram case_sensitive 1'
);
PRAGMA user_version={VERSION};
"""


def path_key(path: str) -> bytes:
    """Return how a session's path is stored; it may be no text."""
    return path.encode("utf-8", "surrogateescape")


def key_path(key: bytes) -> str:
    """Return the path that was stored."""
    return key.decode("utf-8", "surrogateescape")


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Let every error of SQLite, of the disk and of what is stored be an `IndexFileError`."""
    try:
        yield
    except (sqlite3.Error, OSError, zlib.error, msgspec.DecodeError, ValueError) as error:
        raise IndexFileError(f"the index cannot be used: {error}: {path}") from error


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open the file, made anew if it is not there or cannot be used.

    Only who holds the lock may do so.

    Raises:
        IndexFileError: There is no room, no permission, or SQLite lacks full text.
    """
    with file_errors(path):
        make_private(path.parent)
        if path.is_symlink():
            remove_index(path)  # What it leads to is not ours.
        with suppress(sqlite3.DatabaseError):
            connection = _ours(_connect(path))
            if connection is not None:
                return connection
        remove_index(path)
        connection = _connect(path)
        with _closed_on_error(connection):
            connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        return connection


def open_to_read(path: Path) -> sqlite3.Connection | None:
    """Open the file as it is; None if there is none, or none that can be used."""
    if not path.is_file():
        return None
    try:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
        with _closed_on_error(connection):
            connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        return _ours(connection)
    except sqlite3.Error:
        return None


def _connect(path: Path) -> sqlite3.Connection:
    os.close(open_private(path, os.O_RDWR))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    with _closed_on_error(connection):
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA journal_size_limit=8000000")
    return connection


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _ours(connection: sqlite3.Connection) -> sqlite3.Connection | None:
    """Return it if the file is of this version, else close it; another one may raise as well."""
    with _closed_on_error(connection):
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == VERSION:
            connection.execute("SELECT count(*) FROM sessions").fetchone()
            connection.execute("SELECT rowid FROM words LIMIT 1").fetchone()
            return connection
    connection.close()
    return None


def remove_index(path: Path) -> bool:
    """Delete the file and what SQLite keeps beside it; return whether it was there."""
    there = path.exists()
    for ending in ("-wal", "-shm", ""):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    return there


def file_bytes(path: Path) -> int:
    """Return how much of the disk the file takes, with what SQLite keeps beside it."""
    total = 0
    for ending in ("", "-wal", "-shm"):
        with suppress(OSError):
            total += path.with_name(path.name + ending).stat().st_size
    return total


class WriteLock:
    """Held until `release`, or until the process ends however that comes.

    Args:
        path: The file of the index; the lock stands beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        self._file: int | None = None

    def take(self) -> bool:
        """Take it unless another process holds it; return whether it is ours.

        Raises:
            IndexFileError: There is no room or no permission.
        """
        if self._file is not None:
            return True
        try:
            make_private(self._path.parent)
            file = open_private(self._path, os.O_RDWR)
        except OSError as error:
            raise IndexFileError(f"the index cannot be used: {error}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES):
                return False
            raise IndexFileError(f"the index cannot be used: {error}") from error
        self._file = file
        return True

    def release(self) -> None:
        """Let others take it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


CHUNK: Final = 32 * 1024
"""From how many characters on a chunk is closed."""
_BEGIN: Final = "\x1e"
_KINDS: Final[dict[str, BlockKind]] = {kind[:2]: kind for kind in sorted(SEARCHED_KINDS)}
_LEVEL: Final = 3


class Record(NamedTuple):
    """A record: the text of one block."""

    offset: int
    """Where its line begins in the session."""
    block: int
    """Its number on the line, were every line shown by itself."""
    time_ms: int | None
    kind: BlockKind
    lines: tuple[str, ...]
    """Its text, safe to show; heading and detail come first, either may be empty."""


def records_of(line: RawLine, items: tuple[Item, ...] | None = None) -> Iterator[Record]:
    """Yield what was said on a line.

    Args:
        line: The line.
        items: Its entries, where they are decoded already.
    """
    if items is None or line.size > LONGEST_LINE:
        items = decode_line(line.data[:LONGEST_LINE], line.offset, size=line.size)
    number = 0
    for item in items:
        for block in full_blocks(item):
            if block.kind in SEARCHED_KINDS:
                lines = tuple(searchable_lines(block))
                yield Record(line.offset, number, block.time_ms, block.kind, lines)
            number += 1


class Chunks:
    """Makes chunks of records.

    Args:
        begun: Text of a chunk that has room left.
    """

    def __init__(self, begun: str = "") -> None:
        self._parts = [begun] if begun else []
        self._length = len(begun)
        self._first = next((record.offset for record in records_in(begun)), None)
        self._done: list[tuple[int, str]] = []
        self.length = self._length
        """How many characters there are in all."""

    def add(self, record: Record) -> None:
        """Add a record at the end."""
        when = "" if record.time_ms is None else record.time_ms
        body = "\n".join(record.lines)
        part = f"{_BEGIN}{record.offset},{record.block},{when},{record.kind[:2]}\n{body}"
        if self._first is None:
            self._first = record.offset
        self._parts.append(part)
        self._length += len(part)
        self.length += len(part)
        if self._length >= CHUNK:
            self._close()

    def _close(self) -> None:
        if self._first is not None:
            self._done.append((self._first, "".join(self._parts)))
        self._parts, self._length, self._first = [], 0, None

    def take(self) -> list[tuple[int, str]]:
        """Return all chunks, each with the offset of its first record."""
        self._close()
        done, self._done = self._done, []
        return done


def records_in(chunk: str) -> Iterator[Record]:
    """Yield the records of a chunk.

    Raises:
        IndexFileError: It is damaged.
    """
    for part in chunk.split(_BEGIN)[1:]:
        head, _, body = part.partition("\n")
        try:
            offset, block, when, kind = head.split(",")
            yield Record(
                int(offset),
                int(block),
                int(when) if when else None,
                _KINDS[kind],
                tuple(body.split("\n")),
            )
        except (ValueError, KeyError) as error:
            raise IndexFileError("the index is damaged") from error


def records_before(chunk: str, stop: int) -> str:
    """Return a chunk with the records of lines before `stop` alone."""
    kept = [part for part in chunk.split(_BEGIN)[1:] if int(part[: part.index(",")]) < stop]
    return "".join(_BEGIN + part for part in kept)


def searchable_text(chunk: str) -> str:
    """Return the text of a chunk as it is searched: without what is told about records."""
    bodies = (part.partition("\n")[2] for part in chunk.split(_BEGIN)[1:])
    return "\n".join(bodies).lower()


def pack_chunk(chunk: str) -> bytes:
    """Return a chunk as it is stored."""
    return zlib.compress(chunk.encode(), _LEVEL)


def unpack_chunk(data: bytes) -> str:
    """Return a chunk that was packed.

    Raises:
        IndexFileError: It is damaged; so `zlib.error` and `ValueError`.
    """
    if not isinstance(data, bytes):
        raise IndexFileError("the index is damaged")
    return zlib.decompress(data).decode()
