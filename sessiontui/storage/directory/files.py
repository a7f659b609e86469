"""Reads and changes single files of a folder, so that a running agent survives it.

All of this blocks and runs in a worker thread. What is promised:

* An append is one write with `O_APPEND`, so lines of several writers do not
  mix. It is handed to the system, not forced to the disk: it survives the end
  of any program, not a loss of power, the same as the agent's own lines.
* A whole write goes to a temporary file in the same folder, is forced to the
  disk, takes over permissions and owner, and replaces the file in one step.
* A patch writes the same number of bytes in place.
* The modification time is set to what the caller says, in milliseconds; where
  the system allows that to the owner alone, it stays what the system set.

Every call takes paths of `paths.StoreRoot` and raises errors of
`sessiontui.errors` only.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Literal, TypeVar

from sessiontui.errors import (
    AccessError,
    InvalidPathError,
    OutcomeUnknownError,
    SessionNotFoundError,
    StorageError,
    WriteConflictError,
    WrongTypeError,
)
from sessiontui.storage.backend import HEAD_BYTES, Range, Snapshot, Stat
from sessiontui.storage.directory.atomic import put_new, replace_exactly
from sessiontui.storage.directory.io import (
    copy_bytes,
    identity,
    keep_owner_and_mode,
    milliseconds,
    open_file,
    read_bytes,
    set_mtime,
    set_mtime_ns,
    stat_file,
    temporary_file,
    write_all,
)
from sessiontui.storage.directory.paths import storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sessiontui.storage.directory.paths import FolderHandles, StoreRoot

Expected = int | Literal["any", "absent"]
Taken = TypeVar("Taken")

_SNAPSHOT_ATTEMPTS = 3


def _range_of(descriptor: int, wanted: Range) -> bytes:
    return read_bytes(descriptor, *_bounds(wanted, os.fstat(descriptor).st_size))


def _bounds(wanted: Range, size: int) -> tuple[int, int]:
    start, stop, _ = slice(wanted.start, wanted.stop).indices(size)
    return start, stop


def _snapshot_of(descriptor: int, wanted: Range) -> Snapshot:
    """Read until nothing changed meanwhile; a file that grows all the time is cut where it was.

    Bytes below the size of before stay what they were while a file grows, so the
    last attempt is a snapshot too unless somebody rewrites the file in place just then.
    """
    for _ in range(_SNAPSHOT_ATTEMPTS):
        before = os.fstat(descriptor)
        head = read_bytes(descriptor, 0, min(HEAD_BYTES, before.st_size))
        data = read_bytes(descriptor, *_bounds(wanted, before.st_size))
        after = os.fstat(descriptor)
        if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
            break
    stat_seen = Stat(wanted.path, before.st_size, milliseconds(before))
    return Snapshot(stat_seen, head, data, identity(before))


class Files:
    """Reads and changes single files below a root. Everything blocks."""

    def __init__(self, root: StoreRoot) -> None:
        self._root = root

    def read(self, ranges: Sequence[Range]) -> list[bytes | None]:
        """Return the bytes of each range; None for what is no readable session."""
        with self._root.handles() as handles:
            return [self._read_one(handles, wanted, _range_of) for wanted in ranges]

    def probe(self, ranges: Sequence[Range]) -> list[Snapshot | None]:
        """Return each session as one snapshot shows it; None for what is no readable session."""
        with self._root.handles() as handles:
            return [self._read_one(handles, wanted, _snapshot_of) for wanted in ranges]

    def _read_one(
        self, handles: FolderHandles, wanted: Range, take: Callable[[int, Range], Taken]
    ) -> Taken | None:
        self._root.parts(wanted.path)  # a wrong spelling is an error, not a missing session
        try:
            folder, name = handles.parent(wanted.path)
            with open_file(wanted.path, name, os.O_RDONLY, folder) as descriptor:
                return take(descriptor, wanted)
        except (SessionNotFoundError, InvalidPathError, WrongTypeError, AccessError):
            return None

    def marks(self, paths: Sequence[str]) -> list[tuple[int, ...] | None]:
        """Return for each path what differs once the file changed; None where there is none."""
        marks: list[tuple[int, ...] | None] = []
        with self._root.handles() as handles:
            for path in paths:
                try:
                    folder, name = handles.parent(path)
                    found = stat_file(folder, name, path)
                except (SessionNotFoundError, InvalidPathError, WrongTypeError, AccessError):
                    found = None
                marks.append(found and (found.st_size, found.st_ctime_ns, found.st_ino))
        return marks

    def append(
        self, path: str, data: bytes, *, mtime_ms: int, expected_size: int | None = None
    ) -> Stat:
        """Add `data` at the end in one write, making the file and its folders where needed.

        Where a size is expected nothing is made.

        Returns:
            The size after `data`; what others add afterwards is not in it.

        Raises:
            WriteConflictError: The size is not the expected one; nothing changed.
            OutcomeUnknownError: Another file took the path in the same instant; `data` went
                to the one before.
            StorageError: The disk is full, say; what was written in part is taken back,
                unless another program wrote behind it.
        """
        known = expected_size is not None
        flags = os.O_RDWR | os.O_APPEND | (0 if known else os.O_CREAT)
        with self._root.handles() as handles:
            folder, name = handles.parent(path, create=not known)
            with open_file(path, name, flags, folder) as descriptor:
                if known and (before := os.fstat(descriptor)).st_size != expected_size:
                    raise _conflict(path, expected_size, before)
                end = _append(descriptor, data, path)
                set_mtime(descriptor, mtime_ms)
                written = os.fstat(descriptor)
                _still_there(folder, name, written, path)
        return Stat(path, end, milliseconds(written))

    def write(
        self, path: str, data: bytes, *, mtime_ms: int, expected_size: Expected = "any"
    ) -> Stat:
        """Replace the whole file in one step.

        Where a size is expected and somebody appends between the last look and
        the replacement, what was appended follows behind `data`.

        Raises:
            WriteConflictError: The size is not the expected one; nothing changed.
        """
        if not isinstance(expected_size, str):
            return self._rewrite(path, data, expected_size, mtime_ms, kept=(0, 0))
        with self._root.handles() as handles:
            folder, name = handles.parent(path, create=True)
            found = stat_file(folder, name, path)
            if expected_size == "absent" and found is not None:
                raise _conflict(path, None, found)
            with storage_errors(path), temporary_file(folder, name) as (descriptor, temporary_name):
                write_all(descriptor, data)
                settled = _settle(descriptor, found, mtime_ms)
                if expected_size == "any":
                    os.replace(temporary_name, name, src_dir_fd=folder, dst_dir_fd=folder)
                else:
                    try:
                        put_new(folder, temporary_name, name)
                    except FileExistsError:
                        raise _conflict(path, None, stat_file(folder, name, path)) from None
                os.fsync(folder)
        return Stat(path, len(data), settled)

    def prepend(self, path: str, data: bytes, *, expected_size: int, mtime_ms: int | None) -> Stat:
        """Put `data` before the first byte; the rest is copied in pieces beside the file.

        With `mtime_ms` None the time stays what it is.

        Raises:
            WriteConflictError: The size is not the expected one; nothing changed.
        """
        return self._rewrite(path, data, expected_size, mtime_ms, kept=(0, expected_size))

    def keep(self, path: str, start: int, stop: int, *, expected_size: int, mtime_ms: int) -> Stat:
        """Keep only the bytes `[start, stop)`.

        Raises:
            WriteConflictError: The size is not the expected one; nothing changed.
        """
        return self._rewrite(path, b"", expected_size, mtime_ms, kept=(start, stop))

    def _rewrite(
        self,
        path: str,
        data: bytes,
        expected_size: int,
        mtime_ms: int | None,
        *,
        kept: tuple[int, int],
    ) -> Stat:
        """Replace a file of known size by `data`, followed by the bytes of it that are kept."""
        with self._root.handles() as handles, ExitStack() as stack:
            try:
                folder, name = handles.parent(path)
                old = stack.enter_context(open_file(path, name, os.O_RDONLY, folder))
            except SessionNotFoundError:
                raise _conflict(path, expected_size, None) from None
            before = os.fstat(old)
            if before.st_size != expected_size:
                raise _conflict(path, expected_size, before)
            new, temporary_name = stack.enter_context(temporary_file(folder, name))
            write_all(new, data)
            copy_bytes(old, new, *kept)
            size = os.fstat(new).st_size
            settled = _settle(new, before, mtime_ms)
            current = stat_file(folder, name, path)
            if (
                current is None
                or identity(current) != identity(before)
                or current.st_size != expected_size
            ):
                raise _conflict(path, expected_size, current)
            try:
                replaced = replace_exactly(temporary_name, name, folder, before)
            except FileNotFoundError:
                replaced = False
            if not replaced:
                raise _conflict(path, expected_size, stat_file(folder, name, path))
            late = os.fstat(old).st_size
            if late > expected_size:
                copy_bytes(old, new, expected_size, late)
                _date(new, os.fstat(old), mtime_ms)
            os.fsync(folder)
        return Stat(path, size, settled)

    def patch(self, path: str, *, old: bytes, new: bytes, mtime_ms: int | None) -> Stat:
        """Replace the first bytes by as many others, in place, beside a running agent.

        With `mtime_ms` None the time stays what it is, or becomes that of what an agent adds.

        Raises:
            SessionNotFoundError: There is no such file.
            WriteConflictError: It does not begin with `old`; nothing changed.
            InvalidPathError: The lengths differ, which would move every other byte.
            OutcomeUnknownError: Another file took the path in the same instant.
        """
        if len(old) != len(new):
            raise InvalidPathError(f"a patch must keep the length: {path}", path=path)
        with self._root.handles() as handles:
            folder, name = handles.parent(path)
            with open_file(path, name, os.O_RDWR, folder) as descriptor:
                before = os.fstat(descriptor)
                if read_bytes(descriptor, 0, len(old)) != old:
                    raise _conflict(path, before.st_size, before)
                _patch(descriptor, old, new)
                if mtime_ms is not None or os.fstat(descriptor).st_size == before.st_size:
                    _date(descriptor, before, mtime_ms)
                after = os.fstat(descriptor)
                _still_there(folder, name, after, path)
        return Stat(path, after.st_size, milliseconds(after))


def _still_there(folder: int, name: str, written: os.stat_result, path: str) -> None:
    """Look whether what was written to still has its path.

    Raises:
        OutcomeUnknownError: Another file has it.
    """
    current = stat_file(folder, name, path)
    if current is None or identity(current) != identity(written):
        raise OutcomeUnknownError(f"another program replaced it meanwhile: {path}", path=path)


def _conflict(
    path: str, expected_size: int | None, found: os.stat_result | None
) -> WriteConflictError:
    return WriteConflictError(
        path, expected_size=expected_size, actual_size=None if found is None else found.st_size
    )


def _date(descriptor: int, before: os.stat_result, mtime_ms: int | None) -> None:
    """Set the modification time; None: to what it was."""
    if mtime_ms is None:
        set_mtime_ns(descriptor, before.st_mtime_ns)
    else:
        set_mtime(descriptor, mtime_ms)


def _settle(descriptor: int, before: os.stat_result | None, mtime_ms: int | None) -> int:
    """Finish a temporary file: owner, permissions, time, all of it on the disk.

    Returns:
        Its modification time in milliseconds.
    """
    if before is not None:
        keep_owner_and_mode(descriptor, before)
        _date(descriptor, before, mtime_ms)
    elif mtime_ms is not None:
        set_mtime(descriptor, mtime_ms)
    os.fsync(descriptor)
    return milliseconds(os.fstat(descriptor))


def _append(descriptor: int, data: bytes, path: str) -> int:
    """Write `data` at the end, and return where it ends.

    The system takes it in one piece unless the disk gets full in its middle. A
    piece is then taken back, so that no half line stands before the next one.
    Between the look at the size and the cut another writer would have to
    find room on the full disk to lose its line; behind a line that is already there
    nothing is cut.
    """
    rest = memoryview(data)
    start = end = os.fstat(descriptor).st_size
    while rest:
        try:
            count = os.write(descriptor, rest)
        except OSError:
            if len(rest) < len(data) and os.fstat(descriptor).st_size == end:
                os.ftruncate(descriptor, start)
            raise
        position = os.lseek(descriptor, 0, os.SEEK_CUR)
        if len(rest) == len(data):
            start = position - count
        elif position - count != end:
            raise StorageError(
                f"the line was cut in two by a full disk and another program: {path}", path=path
            )
        end = position
        rest = rest[count:]
    return end


def _patch(descriptor: int, old: bytes, new: bytes) -> None:
    """Write over the first bytes; if the system stops in the middle, put back what was there."""
    done = 0
    try:
        while done < len(new):
            done += os.pwrite(descriptor, new[done:], done)
    except OSError:
        if done:
            os.pwrite(descriptor, old[:done], 0)
        raise
