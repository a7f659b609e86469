"""The trash of a folder of sessions: a folder of its own, where no agent looks.

It never lies under the root, where omp would list what is in it, and is
readable to its owner alone. An item is a folder named by its id:

    <id>/manifest.json   what was where; on the disk before anything moves
    <id>/0               the session's file
    <id>/1, <id>/2, …    its artifacts, in the order of the manifest
    <id>/expired         when a look first found that its time is over; see `retention`

Files are renamed, so bytes, times, permissions and owner stay, and an agent that
still appends does so to the file in the trash. What an item is going
through stands in its folder's name, so that whoever comes after a crash can tell:

    <id>~moving      going in: finished where the session is in, else undone
    <id>~restoring   going out: finished, or taken back where a place is taken
    <id>~gone        to be removed for good

One process at a time works on a trash; a lock on a file in it sees to that. All of this
blocks and runs in a worker thread.

Move single files between a folder of sessions and its trash.

On one disk a file is renamed; only on another one it is copied, and forced to
the disk there before the original goes. All of this blocks and runs in a worker thread.

Adds one file to the end of another and moves it to the trash, or does neither.

The file goes to the trash first: whoever dies in between leaves it there, where
`restore` finds it. All of this blocks and runs in a worker thread.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import re
import shutil
import stat
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sessiontui.errors import (
    AccessError,
    InvalidPathError,
    SessionExistsError,
    SessionNotFoundError,
    StorageError,
    WriteConflictError,
)
from sessiontui.paths import make_private
from sessiontui.storage.backend import Range
from sessiontui.storage.directory.atomic import put_new, remove_exactly, rename_new
from sessiontui.storage.directory.io import (
    NO_LINKS,
    begins_with,
    copy_bytes,
    copy_metadata,
    identity,
    is_abandoned,
    open_file,
    sync_folder,
    temporary_file,
)
from sessiontui.storage.directory.manifest import (
    PART,
    Manifest,
    make_manifest,
    put_back_folders,
    read_manifest,
    read_mark,
    write_manifest,
    write_mark,
)
from sessiontui.storage.directory.moves import exists, prune_sidecar, remove_empty
from sessiontui.storage.directory.paths import FOLDER_MODE, storage_errors
from sessiontui.storage.retention import may_go, next_mark
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessiontui.storage.backend import Stat, TrashItem
    from sessiontui.storage.directory.files import Files
    from sessiontui.storage.directory.paths import FolderHandles, StoreRoot


def move_to_trash(handles: FolderHandles, path: str, target: Path) -> bool:
    """Move a file of the store to a free place outside of it.

    Returns:
        False where there is no such file.
    """
    try:
        folder, name = handles.parent(path)
    except SessionNotFoundError:
        return False
    with storage_errors(path):
        try:
            os.rename(name, target, src_dir_fd=folder)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with open_file(path, name, os.O_RDONLY, folder) as old:
                copied = _copy_out(old, target)
                # What another program put there since then stays.
                remove_exactly(folder, name, os.fstat(old), path)
                _copy_late(old, target, copied)
    return True


def move_from_trash(handles: FolderHandles, source: Path, path: str) -> None:
    """Move a file from outside to a place in the store that must be free.

    Raises:
        SessionExistsError: The place is taken.
    """
    folder, name = handles.parent(path, create=True)
    with storage_errors(path):
        try:
            os.link(source, name, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            if not is_restored(handles, source, path):
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


def is_restored(handles: FolderHandles, source: Path, path: str) -> bool:
    """Tell whether a file from outside stands in the store already, as after a crash.

    It does as a second name of the same file, or as a copy of the same bytes.
    """
    folder, name = handles.parent(path)
    with storage_errors(path):
        inside = os.stat(name, dir_fd=folder, follow_symlinks=False)
        outside = source.lstat()
    return inside.st_size == outside.st_size and holds_file(handles, source, path)


def holds_file(handles: FolderHandles, source: Path, path: str) -> bool:
    """Tell whether a file in the store is one outside, or begins with all bytes of it.

    False also where that cannot be told: either is no regular file, or may not be read.
    """
    folder, name = handles.parent(path)
    with storage_errors(path):
        inside = os.stat(name, dir_fd=folder, follow_symlinks=False)
        outside = source.lstat()
    if os.path.samestat(outside, inside):
        return True
    if not (stat.S_ISREG(inside.st_mode) and stat.S_ISREG(outside.st_mode)):
        return False
    with (
        suppress(AccessError),
        open_file(path, name, os.O_RDONLY, folder) as whole,
        _outside(source) as beginning,
    ):
        return begins_with(whole, beginning)
    return False


def remove_leftovers(handles: FolderHandles, source: Path, path: str) -> None:
    """Remove the copies that a process which died in `move_from_trash` left beside a path.

    What a file holds besides bytes of `source` is not ours to remove: it stays.
    """
    # Nothing depends on it: what cannot be read or entered is passed over.
    with suppress(StorageError), storage_errors(path), _outside(source) as whole:
        folder, name = handles.parent(path)
        for spare in os.listdir(folder):  # noqa: PTH208 - of a descriptor
            if not is_abandoned(spare, name):
                continue
            with open_file(path, spare, os.O_RDONLY, folder) as leftover:
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
        copy_metadata(old, new)
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
            copy_metadata(old, new)
        finally:
            os.close(new)


def _copy_in(source: Path, folder: int, name: str) -> None:
    with _outside(source) as old, temporary_file(folder, name) as (new, temporary_name):
        copy_bytes(old, new, 0, os.fstat(old).st_size)
        copy_metadata(old, new)
        put_new(folder, temporary_name, name)


SIBLING = ".sessiontui-trash"
"""Name of the trash beside the root, where the preferred one lies on another disk."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")
_MOVING, _RESTORING, _GONE = "~moving", "~restoring", "~gone"
_BUSY_S, _BUSY_STEP_S = 5.0, 0.05
"""How long to wait for another process that works on the trash, and how often to ask."""
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL})

_log = logging.getLogger(__name__)


class Trash:
    """Takes sessions of one root, and gives them back. Everything blocks.

    Args:
        root: Where the sessions are.
        preferred: Folder that holds the trashes of all roots; used unless it lies on another
            disk than the root, and a folder beside the root does not.
        clock: Milliseconds since the epoch.
    """

    def __init__(self, root: StoreRoot, preferred: Path, clock: Callable[[], int]) -> None:
        self._root = root
        self._clock = clock
        digest = hashlib.sha256(os.fsencode(root.folder)).hexdigest()[:16]
        outside = [
            place
            for place in (Path(os.path.realpath(preferred)), root.folder.parent / SIBLING)
            if not place.is_relative_to(root.folder)
        ]
        self._places = [place / digest for place in outside]
        self._tidied = False
        """Whether a deletion has removed what expired."""
        self._told: dict[Path, str] = {}
        """What was warned of; no more than lies in the trash unreadable."""

    def trash(self, item: TrashItem) -> dict[str, os.stat_result]:
        """Move what the item lists out of the store, all or none.

        Returns:
            What went by its path, the session first; another program may have put it there in
            the very last instant.

        Raises:
            SessionNotFoundError: The session itself is missing; nothing moved.
        """
        folder_name = _checked(item.id)
        paths = list(dict.fromkeys([item.path, *(stat.path for stat in item.stats)]))
        with self._root.handles() as handles:
            if not exists(handles, item.path):
                raise SessionNotFoundError(item.path)
            with self._locked(self._place_for_new()) as place:
                self._recover(place, handles)
                if not self._tidied:
                    self._tidied = True
                    self._remove_expired(place)
                moving = place / f"{folder_name}{_MOVING}"
                with storage_errors(item.path):
                    if (place / folder_name).exists():
                        raise StorageError(f"it is in the trash already: {item.path}")
                    moving.mkdir(FOLDER_MODE)
                    try:
                        manifest = make_manifest(handles, item, paths)
                        write_manifest(moving, manifest)
                        sync_folder(place)
                    except (OSError, StorageError):  # the disk is full, say; nothing has moved
                        shutil.rmtree(moving, ignore_errors=True)
                        raise
                taken = self._take(handles, moving, manifest)
                prune_sidecar(handles, item.path)
                with storage_errors(item.path):
                    moving.rename(place / folder_name)
                    sync_folder(place)
                    return {
                        path: (place / folder_name / str(number)).lstat()
                        for number, path in taken.items()
                    }

    def restore(self, item_id: str) -> TrashItem:
        """Bring an item back, all or nothing.

        Raises:
            SessionNotFoundError: It is not in the trash, or its session is not there any more;
                then the item stays.
            SessionExistsError: One of its paths is taken; nothing moved.
        """
        folder_name = _checked(item_id)
        for candidate in self._places:
            if not candidate.is_dir():
                continue
            with self._locked(candidate) as place, self._root.handles() as handles:
                self._recover(place, handles)
                folder = place / folder_name
                manifest = self._manifest(folder) if folder.is_dir() else None
                if manifest is not None:
                    self._give_back(handles, folder, manifest)
                    return manifest.item(self._root, self._clock())
        raise SessionNotFoundError(item_id)

    def trashed(self, *, tidy: bool = True) -> list[TrashItem]:
        """Return what can be restored, newest first; what has expired for certain is removed.

        A trash that can only be read is listed without a lock, and left as it is; so is
        any without `tidy`.
        """
        items: list[TrashItem] = []
        for candidate in self._places:
            if not candidate.is_dir():
                continue
            with ExitStack() as stack:
                if tidy:
                    self._tidy(candidate, stack)
                items += [
                    manifest.item(self._root, self._clock())
                    for _, manifest in self._manifests(candidate)
                ]
        return sorted(items, key=lambda item: item.id, reverse=True)

    def _tidy(self, candidate: Path, stack: ExitStack) -> None:
        """Lock a trash until `stack` ends, finish what was left half done, remove what expired."""
        with suppress(AccessError):
            place = stack.enter_context(self._locked(candidate))
            # Without the root nothing can be finished, but the list is still true.
            with suppress(StorageError):
                self._recover(place, stack.enter_context(self._root.handles()))
            self._remove_expired(place)

    def _manifests(self, place: Path) -> Iterator[tuple[Path, Manifest]]:
        """Yield the folders of what is whole in the trash."""
        with storage_errors(str(place)):
            found = sorted(place.iterdir())
        for folder in found:
            manifest = self._manifest(folder) if _ID.fullmatch(folder.name) else None
            if manifest is not None:
                yield folder, manifest

    def _manifest(self, folder: Path) -> Manifest | None:
        """Return the manifest of an item; None, and a warning, where there is none to be read."""
        try:
            return read_manifest(folder)
        except (OSError, ValueError) as error:
            self._warn(folder, f"no manifest to be read: {error}")
            return None

    def _warn(self, folder: Path, what: str) -> None:
        """Log what is wrong with something in the trash, once as long as it is the same."""
        if self._told.get(folder) != what:
            self._told[folder] = what
            _log.warning("in the trash: %s: %s", clean(str(folder)), clean(what))

    def _remove_expired(self, place: Path) -> None:
        """Remove what two looks at least a day apart found expired."""
        now = self._clock()
        for folder, manifest in self._manifests(place):
            before = read_mark(folder)
            mark = next_mark(before, now, expired=manifest.kept_until(now) <= now)
            if may_go(mark, now):
                _remove(folder)
            elif mark != before:
                write_mark(folder, mark)

    def _place_for_new(self) -> Path:
        """Return the first place on the disk of the root, else the first at all."""
        with storage_errors(str(self._root.folder)):
            if not self._places:
                raise StorageError("there is no folder for the trash outside of the sessions")
            device = self._root.folder.stat().st_dev
            for place in self._places:
                above = next(folder for folder in place.parents if folder.exists())
                if above.stat().st_dev == device and os.access(above, os.W_OK):
                    return place
            return self._places[0]

    @contextmanager
    def _locked(self, place: Path) -> Iterator[Path]:
        """Keep other processes from working on a trash.

        Raises:
            AccessError: It can only be read.
            StorageError: Another process has worked on it for longer than `_BUSY_S`.
        """
        with storage_errors(str(place)):
            make_private(place)
            lock = os.open(place / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with storage_errors(str(place)):
                _wait_for(lock)
                yield place
        finally:
            os.close(lock)

    def _take(self, handles: FolderHandles, folder: Path, manifest: Manifest) -> dict[int, str]:
        """Move the files of the manifest in, the session first; on a failure all go back.

        Where another program has written anew at a place, what was there stays in the trash.

        Returns:
            The paths of those that were there.
        """
        taken: dict[int, str] = {}
        try:
            for number, path in enumerate(manifest.paths(self._root)):
                if move_to_trash(handles, path, folder / str(number)):
                    taken[number] = path
                elif number == 0:
                    raise SessionNotFoundError(path)
        except StorageError as error:
            for number, path in reversed(taken.items()):
                try:
                    move_from_trash(handles, folder / str(number), path)
                except SessionExistsError:
                    settled = folder.with_name(manifest.id)
                    with storage_errors(path):
                        folder.rename(settled)
                    raise StorageError(
                        f"{error}; another program wrote anew at {path}: what was there before "
                        f"is in the trash as {manifest.id}",
                        path=path,
                    ) from error
            _remove(folder)
            raise
        return taken

    def _give_back(self, handles: FolderHandles, folder: Path, manifest: Manifest) -> None:
        """Move the files of an item out, the session last; on a failure all go in again."""
        present = _present(folder, manifest)
        paths = manifest.paths(self._root)
        if 0 not in present:
            raise SessionNotFoundError(paths[0])
        for number in present:
            if _taken(handles, folder / str(number), paths[number]):
                raise SessionExistsError(paths[number])
        restoring = folder.with_name(f"{folder.name}{_RESTORING}")
        folder.rename(restoring)
        given: list[int] = []
        try:
            for number in reversed(present):
                move_from_trash(handles, restoring / str(number), paths[number])
                given.append(number)
        except StorageError:
            for number in reversed(given):
                move_to_trash(handles, paths[number], restoring / str(number))
            remove_empty(handles, handles.made)
            restoring.rename(folder)
            raise
        put_back_folders(handles, manifest)
        _remove(restoring)

    def _recover(self, place: Path, handles: FolderHandles) -> None:
        """Finish or undo what a process left half done when it died."""
        with os.scandir(place) as entries:
            unsettled = sorted(entry.name for entry in entries if "~" in entry.name)
        for folder in map(place.joinpath, unsettled):
            name, _, state = folder.name.partition("~")
            try:
                if f"~{state}" == _GONE:
                    _remove(folder)
                elif f"~{state}" in {_MOVING, _RESTORING}:
                    self._recover_one(handles, folder, place / name)
            except (OSError, StorageError) as error:
                self._warn(folder, f"could not clear it up: {error}")

    def _recover_one(self, handles: FolderHandles, folder: Path, settled: Path) -> None:
        """Finish or undo one item; a file that is not proven to be of it stays where it is."""
        if set(os.listdir(folder)) <= {PART}:  # noqa: PTH208 - names alone
            shutil.rmtree(folder)  # nothing had moved
            return
        manifest = self._manifest(folder)
        if manifest is None:
            return
        present = _present(folder, manifest)
        paths = manifest.paths(self._root)
        for number in present:
            remove_leftovers(handles, folder / str(number), paths[number])
        outward = folder.name.endswith(_RESTORING) or 0 not in present
        if outward and not any(
            _taken(handles, folder / str(number), paths[number]) for number in present
        ):
            for number in reversed(present):
                move_from_trash(handles, folder / str(number), paths[number])
            put_back_folders(handles, manifest, all_new=True)
            _remove(folder)
            return
        for number, path in enumerate(paths):
            target = folder / str(number)
            if number not in present:
                ours = manifest.is_untouched(handles, number, path)
            elif ours := manifest.is_inode(handles, number, path) and holds_file(
                handles, target, path
            ):
                target.unlink()  # a second name of it, or a copy from another disk
            if ours:
                move_to_trash(handles, path, target)
        prune_sidecar(handles, paths[0])
        folder.rename(settled)


def _wait_for(lock: int) -> None:
    """Take the lock of a trash, waiting for it no longer than `_BUSY_S`.

    The system's own waiting would end with the other process only, which may be stopped.
    """
    until = time.monotonic() + _BUSY_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise StorageError("another sessiontui is using the trash") from None
            time.sleep(_BUSY_STEP_S)
            continue
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        return


def _checked(item_id: str) -> str:
    if _ID.fullmatch(item_id) is None:
        raise InvalidPathError(f"this is no id of something in the trash: {item_id!r}")
    return item_id


def _taken(handles: FolderHandles, source: Path, path: str) -> bool:
    return exists(handles, path) and not is_restored(handles, source, path)


def _present(folder: Path, manifest: Manifest) -> list[int]:
    return [
        number for number in range(len(manifest.files)) if os.path.lexists(folder / str(number))
    ]


def _remove(folder: Path) -> None:
    """Remove an item for good; its name says so first, so that it cannot half come back."""
    gone = folder.with_name(folder.name.partition("~")[0] + _GONE)
    with storage_errors(str(folder)):
        if gone != folder:
            if gone.exists():
                shutil.rmtree(gone)
            folder.rename(gone)
        shutil.rmtree(gone)


def join_files(
    files: Files,
    trash: Trash,
    item: TrashItem,
    target: Stat,
    *,
    between: bytes,
    skip: int,
    mtime_ms: int,
) -> Stat:
    """Join two files; see `Backend.join`."""
    [stat] = item.stats
    [seen, head] = files.probe([Range(stat.path, 0, None), Range(target.path, -1, None)])
    if seen is None:
        raise SessionNotFoundError(stat.path)
    if len(seen.data) != stat.size:
        raise WriteConflictError(stat.path, expected_size=stat.size, actual_size=len(seen.data))
    if head is None:
        raise WriteConflictError(target.path, expected_size=target.size, actual_size=None)
    taken = trash.trash(item)[stat.path]
    try:
        if (taken.st_size, identity(taken)) != (stat.size, seen.identity):
            raise WriteConflictError(stat.path, expected_size=stat.size, actual_size=taken.st_size)
        return files.append(
            target.path, between + seen.data[skip:], mtime_ms=mtime_ms, expected_size=target.size
        )
    except StorageError:
        trash.restore(item.id)
        raise
