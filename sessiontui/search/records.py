"""What was said, as text that is kept: records in chunks.

A record is one block of one line of a session. Records follow one another in a
chunk, which is searched and stored as a whole, so a chunk is large enough to be
worth it and small enough to be looked through at once. No character that marks
the beginning of a record is ever part of one: its text is safe to show.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from sessiontui.errors import IndexFileError
from sessiontui.formats.jsonl import decode_line
from sessiontui.transcript.said import SAID, lines_of, whole_blocks
from sessiontui.transcript.search import LONGEST_LINE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiontui.formats.blocks import Kind
    from sessiontui.formats.entries import Item
    from sessiontui.formats.lines import Line

CHUNK: Final = 32 * 1024
"""From how many characters on a chunk is closed."""
_BEGIN: Final = "\x1e"
_KINDS: Final[dict[str, Kind]] = {kind[:2]: kind for kind in sorted(SAID)}
_LEVEL: Final = 3


class Record(NamedTuple):
    """A block in which something was said."""

    offset: int
    """Where its line begins in the session."""
    block: int
    """Its number on the line, were every line shown by itself."""
    time_ms: int | None
    kind: Kind
    lines: tuple[str, ...]
    """Its text, safe to show; heading and detail come first, either may be empty."""


def records_of(line: Line, items: tuple[Item, ...] | None = None) -> Iterator[Record]:
    """Yield what was said on a line.

    Args:
        line: The line.
        items: Its entries, where they are decoded already.
    """
    if items is None or line.size > LONGEST_LINE:
        items = decode_line(line.data[:LONGEST_LINE], line.offset, size=line.size)
    number = 0
    for item in items:
        for block in whole_blocks(item):
            if block.kind in SAID:
                lines = tuple(lines_of(block))
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


def before(chunk: str, stop: int) -> str:
    """Return a chunk with the records of lines before `stop` alone."""
    kept = [part for part in chunk.split(_BEGIN)[1:] if int(part[: part.index(",")]) < stop]
    return "".join(_BEGIN + part for part in kept)


def searched(chunk: str) -> str:
    """Return the text of a chunk as it is searched: without what is told about records."""
    bodies = (part.partition("\n")[2] for part in chunk.split(_BEGIN)[1:])
    return "\n".join(bodies).lower()


def pack(chunk: str) -> bytes:
    """Return a chunk as it is stored."""
    return zlib.compress(chunk.encode(), _LEVEL)


def unpack(data: bytes) -> str:
    """Return a chunk that was packed.

    Raises:
        IndexFileError: It is damaged; so `zlib.error` and `ValueError`.
    """
    if not isinstance(data, bytes):
        raise IndexFileError("the index is damaged")
    return zlib.decompress(data).decode()
