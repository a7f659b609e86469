"""Copies the bytes of a session that may be growing, and rewrites its header for the target.

Read piece by piece; what is appended meanwhile is read after it. Where what was
read may not be what stands there any more it is all read anew. Only the title line and
the header change, and only where they must; every other byte is the original's.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec.structs import replace

from sessiontui.catalog.head import read_head
from sessiontui.errors import SessionNotFoundError, StorageError, WriteConflictError, WrongTypeError
from sessiontui.formats.jsonl import encode_entry
from sessiontui.formats.title_slot import (
    SLOT_BYTES,
    make_slot,
    make_title_field,
    parse_slot,
    parse_title_field,
)
from sessiontui.storage.backend import Range
from sessiontui.times import time_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sessiontui.formats.title_slot import TitleSlot
    from sessiontui.storage import SessionStorage
    from sessiontui.storage.backend import Snapshot, Stat

PIECE: Final = 1 << 20
"""Bytes read at once; a header is no longer."""
_OVERLAP: Final = 64
_ROUNDS: Final = 8
"""How often to read on after what was appended; then it is taken as it was a moment ago."""
_TRIES: Final = 5
"""How often to begin anew with a session that is rewritten."""


class CopySink(Protocol):
    """A sink for the bytes of a copy."""

    def begin(self) -> None:
        """Forget what came so far."""
        ...

    async def take(self, data: bytes) -> None:
        """Take the next bytes."""
        ...


class DigestSink:
    """A sink that only counts and hashes bytes."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget what came so far."""
        self.size = 0
        self._hash = hashlib.sha256()

    async def take(self, data: bytes) -> None:
        """Take the next bytes."""
        self.size += len(data)
        self._hash.update(data)

    @property
    def value(self) -> tuple[int, bytes]:
        """How many bytes, and their hash."""
        return self.size, self._hash.digest()


class StagingSink(DigestSink):
    """A sink that stages a file in another store, and hashes it."""

    def __init__(self, storage: SessionStorage, token: str, number: int) -> None:
        self._storage = storage
        self._token = token
        self._number = number
        self._longest = 0
        super().__init__()

    async def take(self, data: bytes) -> None:
        """Take the next bytes."""
        await self._storage.stage(self._token, self._number, self.size, data)
        await super().take(data)
        self._longest = max(self._longest, self.size)

    @property
    def overshot(self) -> bool:
        """Whether more was staged once than belongs to the file: it has to be staged anew."""
        return self._longest > self.size


async def copy_session(
    storage: SessionStorage,
    path: str,
    sink: CopySink,
    shape: Callable[[bytes, Stat], RewrittenHeader],
) -> Stat:
    """Copy all bytes of a session to `sink`, with the beginning rewritten by `shape`.

    Args:
        storage: Where it is.
        path: The session, or something that belongs to one.
        sink: Takes the bytes.
        shape: Says how the copy begins, from the first `PIECE` bytes.

    Returns:
        Size, time and title of the original as it was when it was copied.

    Raises:
        SessionNotFoundError: It is gone.
        StorageError: It is rewritten faster than it can be read.
    """
    for _ in range(_TRIES):
        sink.begin()
        stat = await _copy_once(storage, path, sink, shape)
        if stat is not None:
            return stat
    raise StorageError(f"it changes faster than it can be read: {path}", path=path)


async def _copy_once(
    storage: SessionStorage,
    path: str,
    sink: CopySink,
    shape: Callable[[bytes, Stat], RewrittenHeader],
) -> Stat | None:
    """Do that; None where it was rewritten meanwhile."""
    known = await _seen(storage, Range(path, 0, PIECE))
    how = shape(known.data, known.stat)
    for piece in (how.data, known.data[how.skip :]):
        if piece:
            await sink.take(piece)
    start, last = len(known.data), known.data[-_OVERLAP:]
    for _ in range(_ROUNDS):
        while start < known.stat.size:
            seen = await _seen(storage, Range(path, start, start + PIECE))
            if not seen.data or not _goes_on(known, seen):
                return None
            await sink.take(seen.data)
            known, start = seen, start + len(seen.data)
            last = (last + seen.data)[-_OVERLAP:]
        seen = await _seen(storage, Range(path, start - len(last), start))
        if seen.data != last or not _goes_on(known, seen):
            return None
        if seen.stat.size == start:
            return seen.stat
        known = seen
    return replace(known.stat, size=start)


async def _seen(storage: SessionStorage, wanted: Range) -> Snapshot:
    (seen,) = await storage.probe([wanted])
    if seen is None:
        raise SessionNotFoundError(wanted.path)
    return seen


def _goes_on(before: Snapshot, after: Snapshot) -> bool:
    """Tell whether at most something was appended between two looks."""
    grew = after.stat.size - before.stat.size
    return (
        grew >= 0
        and (grew > 0 or after.stat.mtime_ms == before.stat.mtime_ms)
        and after.stat.title == before.stat.title
        and after.head.startswith(before.head)
        and after.identity == before.identity
    )


async def stored_digest(storage: SessionStorage, path: str, size: int) -> tuple[int, bytes]:
    """Return how many bytes, and their hash, of the first `size` of something in a store.

    Raises:
        SessionNotFoundError: It is gone.
        WriteConflictError: It is shorter.
    """
    digest = DigestSink()
    while digest.size < size:
        seen = await _seen(storage, Range(path, digest.size, min(size, digest.size + PIECE)))
        if not seen.data:
            raise WriteConflictError(path, expected_size=size, actual_size=seen.stat.size)
        await digest.take(seen.data)
    return digest.value


@dataclass(frozen=True, slots=True)
class SessionHeader:
    """The first lines of a session."""

    slot: TitleSlot | None
    start: int
    """Offset of the header."""
    stop: int
    """Offset of what follows it."""
    header: dict[str, Any] | None
    """None where the first line after the title is no header of omp or pi."""

    @classmethod
    def of(cls, data: bytes) -> SessionHeader:
        """Read the first lines of `data`, which is a session from its first byte."""
        slot = parse_slot(data)
        start = 0 if slot is None else data.index(b"\n") + 1
        end = data.find(b"\n", start)
        stop = len(data) if end < 0 else end + 1
        try:
            fields = json.loads(data[start:stop].decode("utf-8", "surrogatepass"))
        except (ValueError, RecursionError):
            fields = None
        is_header = isinstance(fields, dict) and fields.get("type") == "session" and end >= 0
        return cls(slot, start, stop, fields if is_header else None)

    def text(self, name: str) -> str | None:
        """Return a field of the header that is some text."""
        value = None if self.header is None else self.header.get(name)
        return value if isinstance(value, str) and value else None


@dataclass(frozen=True, slots=True)
class RewrittenHeader:
    """How the copy's beginning is made from the original's."""

    skip: int
    """How many of the original's first bytes have another form in the copy."""
    data: bytes
    """What stands there in the copy."""
    title: bytes | None
    """The title field of the copy."""


def rewrite_header(
    data: bytes, stat: Stat, *, to_folder: bool, cwd: str | None, parents: Mapping[str, str]
) -> RewrittenHeader:
    """Return the rewritten header for the copy of a session.

    A title of the field, which a folder has not, goes into the title line; not before a
    header of pi, which could not open it then. In Redis the field says what the title line
    does, as omp leaves it.

    Args:
        data: The original from its first byte, with the whole header.
        stat: What the index knows of it.
        to_folder: Whether the copy will be a file.
        cwd: The project of the copy; None leaves it.
        parents: Paths of sessions that are copied too -> where to.

    Raises:
        WrongTypeError: There is no header in which to say the project.
    """
    beginning = SessionHeader.of(data)
    if beginning.header is None:
        if cwd is not None and stat.path.endswith(".jsonl"):
            message = f"it has no header to say the folder of the project in: {stat.path}"
            raise WrongTypeError(message, path=stat.path)
        return RewrittenHeader(0, b"", None if to_folder else stat.title)
    first, title = _title(data, beginning, stat, to_folder=to_folder)
    header = dict(beginning.header)
    if cwd is not None:
        header["cwd"] = cwd
    parent = beginning.text("parentSession")
    if parent is not None and parent in parents:
        header["parentSession"] = parents[parent]
    changed = header != beginning.header
    line = encode_entry(header) if changed else data[beginning.start : beginning.stop]
    made = first + line
    if made == data[: beginning.stop]:
        return RewrittenHeader(0, b"", title)
    return RewrittenHeader(beginning.stop, made, title)


def _title(
    data: bytes, beginning: SessionHeader, stat: Stat, *, to_folder: bool
) -> tuple[bytes, bytes | None]:
    """Return the title line of the copy, and its title field."""
    slot, line = beginning.slot, data[: beginning.start]
    field = parse_title_field(stat.title)
    if field is not None:
        if not to_folder:
            return line, stat.title
        if slot is None and read_head(data, complete=len(data) == stat.size).agent == "pi":
            return line, None
        when = time_ms(field.updated_at) or stat.mtime_ms or 0
        if slot is None or (slot.title, slot.source) != (field.title, field.source):
            line = make_slot(field.title, source=field.source, updated_at=when)
        return line, None
    if to_folder or slot is None or not slot.exact or len(line) != SLOT_BYTES:
        return line, None
    when = time_ms(slot.updated_at) or stat.mtime_ms or 0
    return line, make_title_field(slot.title, slot.source, when)
