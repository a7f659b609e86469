"""Move single files between a folder of sessions and its trash.

On one disk a file is renamed; only on another one it is copied, and forced to
the disk there before the original goes. All of this blocks and runs in a worker thread.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from sessiontui.errors import SessionNotFoundError
from sessiontui.storage.directory.io import (
    NO_LINKS,
    copy_bytes,
    opened,
    put_new,
    replace_claim,
    take_over,
    temporary,
)
from sessiontui.storage.directory.paths import explained

if TYPE_CHECKING:
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
                _copy_out(old, target)
            os.unlink(name, dir_fd=folder)
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
            elif error.errno in NO_LINKS:
                replace_claim(folder, name, source, None)
                return
            else:
                raise
        source.unlink()


def stands_at(handles: Handles, source: Path, path: str) -> bool:
    """Tell whether a file from outside has a name in the store already, as after a crash."""
    folder, name = handles.parent(path)
    with explained(path):
        inside = os.stat(name, dir_fd=folder, follow_symlinks=False)
        return os.path.samestat(source.lstat(), inside)


def _copy_out(old: int, target: Path) -> None:
    """Copy an open file, with owner, permissions and times, to a free place on another disk."""
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
    except OSError:
        part.unlink(missing_ok=True)
        raise
    finally:
        os.close(new)


def _copy_in(source: Path, folder: int, name: str) -> None:
    old = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with temporary(folder, name) as (new, temporary_name):
            copy_bytes(old, new, 0, os.fstat(old).st_size)
            take_over(old, new)
            put_new(folder, temporary_name, name)
    finally:
        os.close(old)
