"""Move single files between a folder of sessions and its trash.

On one disk a file is renamed; only on another one it is copied, and forced to
the disk there before the original goes. All of this blocks and runs in a worker thread.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sessiontui.errors import AccessError, SessionNotFoundError, StorageError
from sessiontui.storage.directory.atomic import put_new, remove_exactly, rename_new
from sessiontui.storage.directory.io import (
    NO_LINKS,
    begins_with,
    copy_bytes,
    is_abandoned,
    opened,
    sync_folder,
    take_over,
    temporary,
)
from sessiontui.storage.directory.paths import explained

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sessiontui.storage.directory.paths import Handles


def move_in(handles: Handles, path: str, target: Path) -> bool:
    """Move a file of the store to a free place outside of it.

    Returns:
        False where there is no such file.
    """
    try:
        folder, name = handles.parent(path)
    except SessionNotFoundError:
        return False
    with explained(path):
        try:
            os.rename(name, target, src_dir_fd=folder)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with opened(path, name, os.O_RDONLY, folder) as old:
                copied = _copy_out(old, target)
                # What another program put there since then stays.
                remove_exactly(folder, name, os.fstat(old), path)
                _copy_late(old, target, copied)
    return True


def move_out(handles: Handles, source: Path, path: str) -> None:
    """Move a file from outside to a place in the store that must be free.

    Raises:
        SessionExistsError: The place is taken.
    """
    folder, name = handles.parent(path, create=True)
    with explained(path):
        try:
            os.link(source, name, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            if not stands_at(handles, source, path):
                raise
        except OSError as error:
            if error.errno == errno.EXDEV:
                _copy_in(source, folder, name)
                os.fsync(folder)
            elif error.errno in NO_LINKS:
                rename_new(source, name, folder=folder)
                return
            else:
                raise
        source.unlink()


def stands_at(handles: Handles, source: Path, path: str) -> bool:
    """Tell whether a file from outside stands in the store already, as after a crash.

    It does as a second name of the same file, or as a copy of the same bytes.
    """
    folder, name = handles.parent(path)
    with explained(path):
        inside = os.stat(name, dir_fd=folder, follow_symlinks=False)
        outside = source.lstat()
    return inside.st_size == outside.st_size and holds(handles, source, path)


def holds(handles: Handles, source: Path, path: str) -> bool:
    """Tell whether a file in the store is one outside, or begins with all bytes of it.

    False also where that cannot be told: either is no regular file, or may not be read.
    """
    folder, name = handles.parent(path)
    with explained(path):
        inside = os.stat(name, dir_fd=folder, follow_symlinks=False)
        outside = source.lstat()
    if os.path.samestat(outside, inside):
        return True
    if not (stat.S_ISREG(inside.st_mode) and stat.S_ISREG(outside.st_mode)):
        return False
    with (
        suppress(AccessError),
        opened(path, name, os.O_RDONLY, folder) as whole,
        _outside(source) as beginning,
    ):
        return begins_with(whole, beginning)
    return False


def remove_leftovers(handles: Handles, source: Path, path: str) -> None:
    """Remove the copies that a process which died in `move_out` left beside a path.

    What a file holds besides bytes of `source` is not ours to remove: it stays.
    """
    # Nothing depends on it: what cannot be read or entered is passed over.
    with suppress(StorageError), explained(path), _outside(source) as whole:
        folder, name = handles.parent(path)
        for spare in os.listdir(folder):  # noqa: PTH208 - of a descriptor
            if not is_abandoned(spare, name):
                continue
            with opened(path, spare, os.O_RDONLY, folder) as leftover:
                ours = begins_with(whole, leftover)
            if ours:
                os.unlink(spare, dir_fd=folder)


@contextmanager
def _outside(source: Path) -> Iterator[int]:
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _copy_out(old: int, target: Path) -> int:
    """Copy an open file, with owner, permissions and times, to a free place on another disk.

    Returns:
        How many bytes were copied.
    """
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    new = os.open(part, flags, 0o600)
    try:
        copied = 0
        while (size := os.fstat(old).st_size) > copied:  # it may grow meanwhile
            copy_bytes(old, new, copied, size)
            copied = size
        take_over(old, new)
        part.rename(target)
        sync_folder(target.parent)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    finally:
        os.close(new)
    return copied


def _copy_late(old: int, target: Path, copied: int) -> None:
    """Copy what was appended to a file since it was copied out."""
    late = os.fstat(old)
    if late.st_size > copied:
        new = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            copy_bytes(old, new, copied, late.st_size)
            take_over(old, new)
        finally:
            os.close(new)


def _copy_in(source: Path, folder: int, name: str) -> None:
    with _outside(source) as old, temporary(folder, name) as (new, temporary_name):
        copy_bytes(old, new, 0, os.fstat(old).st_size)
        take_over(old, new)
        put_new(folder, temporary_name, name)
