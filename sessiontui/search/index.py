"""The file of the index: SQLite, one a source, nobody's but the user's.

Text is kept in chunks, packed; a contentless full text index of their trigrams tells
which of them may hold what is looked for. It holds the lower case that searching goes
by, so nothing is missed that reading the sessions would find. The number of a chunk
is that of its session times 2^20 and its own, so no table has to be asked whose it is.

A file that cannot be read, is of another version, or no database at all is thrown
away by the one process that may write: everything in it can be read again.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import msgspec

from sessiontui.errors import IndexFileError
from sessiontui.paths import make_private, open_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
            remove(path)  # What it leads to is not ours.
        with suppress(sqlite3.DatabaseError):
            connection = _ours(_connect(path))
            if connection is not None:
                return connection
        remove(path)
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


def remove(path: Path) -> bool:
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
