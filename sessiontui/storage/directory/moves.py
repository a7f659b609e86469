"""Move and remove files of a folder of sessions, all or none, without ever copying on a disk.

A move gives the file its second name first and takes away the first name
after, so that no file is without a name at any moment and none is ever
written over: the second name must be free for the system to give it. All
files get their second names before any loses its first. Where the file system
has no hard links, a name is claimed by an empty file, which is then replaced.
Only where two folders of a store lie on different disks is a file copied, beside its
second name, and forced to the disk there.

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
from sessiontui.models.text import clean
from sessiontui.storage.directory.io import (
    NO_LINKS,
    claim,
    copy_bytes,
    look,
    opened,
    put_new,
    spare_name,
    take_over,
    temporary,
)
from sessiontui.storage.directory.paths import (
    OPEN_FOLDER,
    SUFFIX,
    explained,
    is_backup_name,
    is_hidden,
    refuse_special,
    sidecar_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiontui.storage.directory.paths import Handles, Root

_log = logging.getLogger(__name__)


@dataclass
class _Move:
    source: str
    target: str
    how: Literal["linked", "claimed", "copied", "same"] = "linked"
    placed: bool = False
    """Whether the target stands."""
    taken: bool = False
    """Whether the source is gone."""
    aside: str | None = None
    """Name, in the target's folder, of what stood at the target before."""
    moved_aside: bool = False
    """Whether it has that name alone, for want of hard links."""
    copied: int = 0
    """Bytes that were copied to another disk."""


class Moves:
    """Moves and removes files below a root. Everything blocks."""

    def __init__(self, root: Root) -> None:
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
            try:
                for move in planned:
                    _place(handles, move, overwrite=overwrite)
                for move in planned:
                    _take_away(handles, move)
            except StorageError:
                for move in reversed(planned):
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
                with suppress(SessionNotFoundError), explained(path):
                    folder, name = handles.parent(path)
                    os.unlink(name, dir_fd=folder)
            for path in paths:
                prune_sidecar(handles, path)


def exists(handles: Handles, path: str) -> bool:
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
        return look(folder, name, path) is not None
    with explained(path):
        try:
            os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return False
    return True


def remove_empty(handles: Handles, folders: Sequence[tuple[str, ...]]) -> None:
    """Remove folders, given outermost first by their names from the root down, where empty."""
    for parts in reversed(folders):
        handles.forget(parts)
        with suppress(OSError):
            os.rmdir(parts[-1], dir_fd=handles.folder(parts[:-1], "/".join(parts)))


def prune_sidecar(handles: Handles, path: str) -> None:
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


def _check(handles: Handles, source: str, target: str) -> None:
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


def _place(handles: Handles, move: _Move, *, overwrite: bool) -> None:
    """Make the target stand while the source stays; only a claimed target is still empty."""
    handles.parent(move.source)
    folder, name = handles.parent(move.target, create=True)
    with explained(move.target):
        found = _stat(folder, name)
        if found is not None:
            source_folder, source_name = handles.parent(move.source)
            source = os.stat(source_name, dir_fd=source_folder, follow_symlinks=False)
            _refuse_other_spelling(move.target, (source_folder, source_name), (folder, name))
            if os.path.samestat(found, source):
                move.how, move.placed = "same", True  # an earlier move ended half way
                return
            if not overwrite:
                raise SessionExistsError(move.target)
            if stat.S_ISDIR(found.st_mode):
                refuse_special(found, move.target)
            _keep_aside(folder, name, move)
        try:
            _give_name(handles, move, free=found is None or move.moved_aside)
        except FileExistsError:
            raise SessionExistsError(move.target) from None
        move.placed = True


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


def _keep_aside(folder: int, name: str, move: _Move) -> None:
    """Give what stands at the target another name, to be put back by an undo."""
    aside = spare_name(name)
    try:
        os.link(name, aside, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        os.rename(name, aside, src_dir_fd=folder, dst_dir_fd=folder)
        move.moved_aside = True
    move.aside = aside


def _give_name(handles: Handles, move: _Move, *, free: bool) -> None:
    """Give the source its second name, in the place of another file unless it must be `free`."""
    source_folder, source_name = handles.parent(move.source)
    folder, name = handles.parent(move.target)
    second = name if free else spare_name(name)
    try:
        os.link(
            source_name, second, src_dir_fd=source_folder, dst_dir_fd=folder, follow_symlinks=False
        )
    except OSError as error:
        if error.errno == errno.EXDEV:
            move.how = "copied"
            move.copied = _copy(source_folder, source_name, folder, name, move, free=free)
        elif error.errno in NO_LINKS:
            move.how = "claimed"
            if free:
                claim(folder, name)
        else:
            raise
        return
    if not free:
        try:
            os.replace(second, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            os.unlink(second, dir_fd=folder)
            raise


def _copy(
    source_folder: int, source_name: str, folder: int, name: str, move: _Move, *, free: bool
) -> int:
    """Copy a file to another disk, with owner, permissions and times; returns its size."""
    with (
        opened(move.source, source_name, os.O_RDONLY, source_folder) as old,
        temporary(folder, name) as (new, temporary_name),
    ):
        size = os.fstat(old).st_size
        copy_bytes(old, new, 0, size)
        take_over(old, new)
        if free:
            put_new(folder, temporary_name, name)
        else:
            os.replace(temporary_name, name, src_dir_fd=folder, dst_dir_fd=folder)
        return size


def _take_away(handles: Handles, move: _Move) -> None:
    """Take the first name away, once all second names stand."""
    source_folder, source_name = handles.parent(move.source)
    folder, name = handles.parent(move.target)
    with explained(move.source):
        if move.how == "claimed":
            os.replace(source_name, name, src_dir_fd=source_folder, dst_dir_fd=folder)
        else:
            if move.how == "copied":
                _copy_late(source_folder, source_name, folder, name, move)
            os.unlink(source_name, dir_fd=source_folder)
        move.taken = True


def _copy_late(source_folder: int, source_name: str, folder: int, name: str, move: _Move) -> None:
    """Copy what was appended to the source since it was copied."""
    with opened(move.source, source_name, os.O_RDONLY, source_folder) as old:
        found = os.fstat(old)
        if found.st_size > move.copied:
            with opened(move.target, name, os.O_WRONLY | os.O_APPEND, folder) as new:
                copy_bytes(old, new, move.copied, found.st_size)
                os.utime(new, ns=(found.st_atime_ns, found.st_mtime_ns))


def _undo(handles: Handles, move: _Move) -> None:
    """Put back what a move did; where even that fails, both names are left and it is logged."""
    try:
        stands = move.placed and move.how != "same"
        if move.taken:
            back = _Move(move.target, move.source)
            _place(handles, back, overwrite=False)
            if back.how == "claimed":
                _take_away(handles, back)
                stands = False
        folder, name = handles.parent(move.target)
        with explained(move.target):
            if move.aside is not None:
                os.replace(move.aside, name, src_dir_fd=folder, dst_dir_fd=folder)
                _forget_aside(handles, move)  # two names of one file: the system left both
            elif stands:
                os.unlink(name, dir_fd=folder)
    except StorageError as error:
        _log.warning("could not undo a move: %s", clean(str(error)))


def _forget_aside(handles: Handles, move: _Move) -> None:
    if move.aside is not None:
        folder, _ = handles.parent(move.target)
        with suppress(OSError):
            os.unlink(move.aside, dir_fd=folder)
