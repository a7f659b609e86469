"""Single steps on files, none of which follows a link or waits for a pipe.

Names are relative to the descriptor of an open folder; see `paths.FolderHandles`.
All of this blocks and runs in a worker thread.
"""

from __future__ import annotations

import errno
import itertools
import os
import re
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sessiontui.storage.directory.paths import OPEN_FOLDER, refuse_special, storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE_MODE = 0o600
"""Permissions of sessions that are made here, as omp makes them."""

CHUNK = 1 << 20
"""Bytes copied at once."""

NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""What systems say that cannot or will not make a hard link."""

_LONGEST_NAME = 255
_MARK = re.compile(r"\.([0-9a-f]+)-[0-9a-f]+\.tmp")
_temporary_numbers = itertools.count()


def milliseconds(found: os.stat_result) -> int:
    """Return the modification time in milliseconds since the epoch."""
    return found.st_mtime_ns // 1_000_000


def identity(found: os.stat_result) -> tuple[object, ...]:
    """Return what tells a file from another one that took its path."""
    return (found.st_dev, found.st_ino, getattr(found, "st_birthtime", None))


@contextmanager
def open_file(path: str, name: str, flags: int, folder: int) -> Iterator[int]:
    """Open a regular file, and nothing else, without waiting for anything.

    Args:
        path: Named in errors.
        name: The file's name in the folder.
        flags: As of `os.open`; no link is followed, a missing file is made where they say so.
        folder: Descriptor of its folder.

    Raises:
        SessionNotFoundError: It is missing and not to be made.
        InvalidPathError: It is a symbolic link.
        WrongTypeError: It is no regular file.
    """
    with storage_errors(path):
        with suppress(FileNotFoundError):
            # Looked at first: opening a pipe or a device can have effects.
            refuse_special(os.stat(name, dir_fd=folder, follow_symlinks=False), path)
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(name, flags, FILE_MODE, dir_fd=folder)
    try:
        refuse_special(os.fstat(descriptor), path)
        with storage_errors(path):
            yield descriptor
    finally:
        os.close(descriptor)


def spare_name(name: str) -> str:
    """Return a name beside `name` that no agent takes for a session or a backup.

    omp removes files of such a name together with the session.
    """
    mark = f".{os.getpid():x}-{next(_temporary_numbers):x}.tmp"
    spare = f".{name}{mark}"
    return spare if len(os.fsencode(spare)) <= _LONGEST_NAME else f".sessiontui{mark}"


def is_abandoned(spare: str, name: str) -> bool:
    """Tell whether a name was made by `spare_name` for `name`, in a process that is no more."""
    for front in (f".{name}", ".sessiontui"):
        mark = _MARK.fullmatch(spare.removeprefix(front))
        if mark is not None and spare.startswith(front):
            return not is_process_running(int(mark[1], 16))
    return False


def is_process_running(process: int) -> bool:
    """Tell whether a process of this number runs on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


@contextmanager
def temporary_file(folder: int, name: str) -> Iterator[tuple[int, str]]:
    """Make a file beside `name`, removed at the end; yields the descriptor and its name.

    Everything written to the descriptor goes to the end of the file.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        temporary_name = spare_name(name)
        try:
            descriptor = os.open(temporary_name, flags, FILE_MODE, dir_fd=folder)
        except FileExistsError:
            continue
        break
    try:
        yield descriptor, temporary_name
    finally:
        os.close(descriptor)
        with suppress(FileNotFoundError):
            os.unlink(temporary_name, dir_fd=folder)


def read_bytes(descriptor: int, start: int, stop: int) -> bytes:
    """Return the bytes `[start, stop)` of an open file; fewer where it is shorter."""
    pieces: list[bytes] = []
    while start < stop:
        piece = os.pread(descriptor, stop - start, start)
        if not piece:
            break
        pieces.append(piece)
        start += len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of `data` to a file that nobody else writes to."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def copy_bytes(source: int, target: int, start: int, stop: int) -> None:
    """Copy the bytes `[start, stop)` of one file to the end of another, in pieces."""
    while start < stop:
        piece = os.pread(source, min(CHUNK, stop - start), start)
        if not piece:
            break
        write_all(target, piece)
        start += len(piece)


def begins_with(whole: int, beginning: int) -> bool:
    """Tell whether one open file begins with all bytes of another one."""
    start = 0
    while piece := read_bytes(beginning, start, start + CHUNK):
        if read_bytes(whole, start, start + len(piece)) != piece:
            return False
        start += len(piece)
    return True


def sync_folder(folder: Path) -> None:
    """Put what stands in a folder on the disk."""
    descriptor = os.open(folder, OPEN_FOLDER)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def set_mtime(descriptor: int, mtime_ms: int) -> None:
    """Set the modification time, where the system allows it."""
    set_mtime_ns(descriptor, mtime_ms * 1_000_000)


def set_mtime_ns(descriptor: int, mtime_ns: int) -> None:
    """Do the same, to the nanosecond."""
    with suppress(PermissionError):  # the owner's right alone; writing set it to now
        accessed = os.fstat(descriptor).st_atime_ns
        os.utime(descriptor, ns=(accessed, mtime_ns))


def keep_owner_and_mode(descriptor: int, found: os.stat_result) -> None:
    """Give an open file the owner and the permissions of another one."""
    with suppress(PermissionError):  # only root may give files away
        os.fchown(descriptor, found.st_uid, found.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(found.st_mode))


def copy_metadata(old: int, new: int) -> None:
    """Give a copy the owner, permissions and times of the original, and put it on the disk."""
    found = os.fstat(old)
    keep_owner_and_mode(new, found)
    os.utime(new, ns=(found.st_atime_ns, found.st_mtime_ns))
    os.fsync(new)


def stat_file(folder: int, name: str, path: str) -> os.stat_result | None:
    """Return what the system knows of a regular file, or None where there is none.

    Raises:
        InvalidPathError: It is a symbolic link.
        WrongTypeError: It is no regular file.
    """
    with storage_errors(path):
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        refuse_special(found, path)
        return found
