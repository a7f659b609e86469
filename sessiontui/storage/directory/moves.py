"""Move and remove files of a folder of sessions, all or none, without ever copying on a disk.

A file is renamed in one step that needs a free name: whatever stands at its path in that
instant goes along, nothing is ever written over, and what an agent puts at the old path later
stays there. The session goes last. So a move that is killed half way leaves the session and
what has not moved at the old path, and the same move finishes it. Only where two
folders of a store lie on different disks is a file copied, beside its new name, and forced to
the disk there, before exactly that file goes.

All of this blocks and runs in a worker thread.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sessiontui.errors import (
    InvalidPathError,
    SessionExistsError,
    SessionNotFoundError,
    StorageError,
)
from sessiontui.storage.directory.atomic import put_new, remove_exactly, rename_new
from sessiontui.storage.directory.io import (
    copy_bytes,
    copy_metadata,
    open_file,
    spare_name,
    stat_file,
    temporary_file,
)
from sessiontui.storage.directory.paths import (
    OPEN_FOLDER,
    SUFFIX,
    is_backup_name,
    is_hidden,
    refuse_special,
    sidecar_of,
    storage_errors,
)
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiontui.storage.directory.paths import FolderHandles, StoreRoot

_COPIES = 3
"""How often a file is copied to another disk that is replaced meanwhile."""

_log = logging.getLogger(__name__)


@dataclass
class _Move:
    source: str
    target: str
    how: Literal["renamed", "copied", "same"] = "renamed"
    done: bool = False
    aside: str | None = None
    """Name, in the target's folder, of what stood at the target before."""


class Moves:
    """Moves and removes files below a root. Everything blocks."""

    def __init__(self, root: StoreRoot) -> None:
        self._root = root

    def rename(self, moves: Sequence[tuple[str, str]], *, overwrite: bool = False) -> None:
        """Move files, all or none, and remove the sidecar folders that are empty then.

        Raises:
            SessionNotFoundError: A source is missing; nothing moved.
            SessionExistsError: A target is taken and `overwrite` is false; nothing moved.
            InvalidPathError: A target would not be listed any more, for a name that begins with a
                dot, or omp would take it for a backup and rename it back.
        """
        with self._root.handles() as handles:
            planned = [_Move(source, target) for source, target in moves if source != target]
            for source, target in moves:
                _check(handles, source, target)
            for move in planned:
                _look_ahead(handles, move, overwrite=overwrite)
            try:
                for move in reversed(planned):
                    _carry_out(handles, move, overwrite=overwrite)
            except StorageError:
                for move in planned:
                    _undo(handles, move)
                remove_empty(handles, handles.made)
                raise
            for move in planned:
                _forget_aside(handles, move)
            for move in planned:
                prune_sidecar(handles, move.source)

    def delete(self, paths: Sequence[str]) -> None:
        """Remove files for good, and the sidecar folders that are empty then.

        The first goes last: should this end in the middle, the session is still
        there to be deleted again.

        Raises:
            SessionNotFoundError: The first is missing; nothing was removed.
        """
        with self._root.handles() as handles:
            for path in paths:
                self._root.parts(path)
            if not exists(handles, paths[0]):
                raise SessionNotFoundError(paths[0])
            for path in (*paths[1:], paths[0]):
                with suppress(SessionNotFoundError), storage_errors(path):
                    folder, name = handles.parent(path)
                    os.unlink(name, dir_fd=folder)
            for path in paths:
                prune_sidecar(handles, path)


def exists(handles: FolderHandles, path: str) -> bool:
    """Tell whether something other than a folder stands there; links count as themselves.

    Raises:
        WrongTypeError: A session's file is expected, and something else is there.
        InvalidPathError: The same, and it is a symbolic link.
    """
    try:
        folder, name = handles.parent(path)
    except SessionNotFoundError:
        return False
    if name.endswith(SUFFIX):
        return stat_file(folder, name, path) is not None
    with storage_errors(path):
        try:
            os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return False
    return True


def remove_empty(handles: FolderHandles, folders: Sequence[tuple[str, ...]]) -> None:
    """Remove folders, given outermost first by their names from the root down, where empty."""
    for parts in reversed(folders):
        handles.forget(parts)
        with suppress(OSError):
            os.rmdir(parts[-1], dir_fd=handles.folder(parts[:-1], "/".join(parts)))


def prune_sidecar(handles: FolderHandles, path: str) -> None:
    """Remove the folder that belongs to a session, and those in it, as far as they are empty."""
    sidecar = sidecar_of(path)
    if sidecar is None or sidecar.endswith("/"):
        return
    with suppress(OSError, StorageError):
        folder, name = handles.parent(sidecar)
        handles.forget(handles.root.parts(sidecar))
        _prune(folder, name)


def _prune(folder: int, name: str) -> None:
    descriptor = os.open(name, OPEN_FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    try:
        with os.scandir(descriptor) as entries:
            below = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        for inner in below:
            with suppress(OSError):
                _prune(descriptor, inner)
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=folder)


def _check(handles: FolderHandles, source: str, target: str) -> None:
    *_, target_name = parts = handles.root.parts(target)
    if is_hidden(parts) and not is_hidden(handles.root.parts(source)):
        raise InvalidPathError(
            f"a session is not listed where a name begins with a dot: {target}", path=target
        )
    if is_backup_name(target_name) and not is_backup_name(source):
        raise InvalidPathError(
            f"omp would take this for a backup and rename it back: {target}", path=target
        )
    if not exists(handles, source):
        raise SessionNotFoundError(source)


def _look_ahead(handles: FolderHandles, move: _Move, *, overwrite: bool) -> None:
    """Refuse a taken target before anything moves."""
    try:
        folder, name = handles.parent(move.target)
    except SessionNotFoundError:
        return
    with storage_errors(move.target):
        found = _stat(folder, name)
    if found is not None:
        _meets(handles, move, found, overwrite=overwrite)


def _meets(handles: FolderHandles, move: _Move, found: os.stat_result, *, overwrite: bool) -> None:
    """Decide what becomes of a file at the target.

    Raises:
        SessionExistsError: It stays.
        InvalidPathError: It is the source in another spelling.
        WrongTypeError: It is a folder.
    """
    folder, name = handles.parent(move.target)
    source_folder, source_name = handles.parent(move.source)
    with storage_errors(move.source):
        source = os.stat(source_name, dir_fd=source_folder, follow_symlinks=False)
    with storage_errors(move.target):
        _refuse_other_spelling(move.target, (source_folder, source_name), (folder, name))
    move.how = "same" if os.path.samestat(found, source) else "renamed"
    if move.how == "same":
        return
    if not overwrite:
        raise SessionExistsError(move.target)
    if stat.S_ISDIR(found.st_mode):
        refuse_special(found, move.target)


def _carry_out(handles: FolderHandles, move: _Move, *, overwrite: bool) -> None:
    """Take the source to the target, which must be free unless it is to be written over."""
    handles.parent(move.source)
    folder, name = handles.parent(move.target, create=True)
    with storage_errors(move.target):
        found = _stat(folder, name)
    if found is not None:
        _meets(handles, move, found, overwrite=overwrite)
    source_folder, source_name = handles.parent(move.source)
    with storage_errors(move.source):
        if found is not None and move.how == "same":
            if not remove_exactly(source_folder, source_name, found, move.source):
                raise SessionExistsError(move.target)
        else:
            _rename(source_folder, source_name, folder, name, move, aside=found is not None)
        move.done = True


def _rename(
    source_folder: int, source_name: str, folder: int, name: str, move: _Move, *, aside: bool
) -> None:
    """Rename the source to the target, what stands there to another name first if `aside`."""
    if aside:
        spare = spare_name(name)
        os.rename(name, spare, src_dir_fd=folder, dst_dir_fd=folder)
        move.aside = spare
    try:
        rename_new(source_name, name, source_folder=source_folder, folder=folder)
    except FileExistsError:
        raise SessionExistsError(move.target) from None
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        move.how = "copied"
        _copy(source_folder, source_name, folder, name, move)


def _refuse_other_spelling(target: str, source: tuple[int, str], found: tuple[int, str]) -> None:
    """Refuse a target that the disk takes for another spelling of what it has.

    Many disks make no difference between capital and small letters, or between two ways to
    write an accent: taking away one spelling of a file takes away the file.

    Args:
        target: The path that is to be given.
        source: Folder and name of what is to be moved.
        found: Folder and name under which the disk found something at the target.
    """
    (source_folder, source_name), (folder, name) = source, found
    one_folder = os.path.samestat(os.fstat(source_folder), os.fstat(folder))
    with os.scandir(folder) as entries:
        spelled_so = any(entry.name == name for entry in entries)
    if not spelled_so or (one_folder and name == source_name):
        raise InvalidPathError(
            f"this disk takes it for another spelling of a name it has: {target}", path=target
        )


def _stat(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _copy(source_folder: int, source_name: str, folder: int, name: str, move: _Move) -> None:
    """Move a file to another disk, with owner, permissions and times.

    Raises:
        SessionExistsError: The target is taken.
        StorageError: Another program replaces it faster than it can be copied.
    """
    for _ in range(_COPIES):
        with (
            open_file(move.source, source_name, os.O_RDONLY, source_folder) as old,
            temporary_file(folder, name) as (new, temporary_name),
        ):
            size = os.fstat(old).st_size
            copy_bytes(old, new, 0, size)
            copy_metadata(old, new)
            try:
                put_new(folder, temporary_name, name)
            except FileExistsError:
                raise SessionExistsError(move.target) from None
            if remove_exactly(source_folder, source_name, os.fstat(old), move.source):
                late = os.fstat(old)
                if late.st_size > size:  # appended since it was copied
                    copy_bytes(old, new, size, late.st_size)
                    os.utime(new, ns=(late.st_atime_ns, late.st_mtime_ns))
                return
            remove_exactly(folder, name, os.fstat(new), move.target)
    raise StorageError(f"it is replaced faster than it can be copied: {move.source}")


def _undo(handles: FolderHandles, move: _Move) -> None:
    """Put back what a move did; what has a new owner's file in its place stays, and is logged."""
    try:
        if move.done and move.how == "same":
            _link_back(handles, move)
        elif move.done:
            _carry_out(handles, _Move(move.target, move.source), overwrite=False)
        if move.aside is not None:
            folder, name = handles.parent(move.target)
            with storage_errors(move.target):
                rename_new(move.aside, name, source_folder=folder, folder=folder)
    except StorageError as error:
        _log.warning("could not undo a move: %s", clean(str(error)))


def _link_back(handles: FolderHandles, move: _Move) -> None:
    """Give a file that had both names the first one again."""
    source_folder, source_name = handles.parent(move.source)
    folder, name = handles.parent(move.target)
    with storage_errors(move.source):
        os.link(name, source_name, src_dir_fd=folder, dst_dir_fd=source_folder)


def _forget_aside(handles: FolderHandles, move: _Move) -> None:
    if move.aside is not None:
        folder, _ = handles.parent(move.target)
        with suppress(OSError):
            os.unlink(move.aside, dir_fd=folder)
