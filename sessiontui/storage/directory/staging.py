"""Staging: files built aside in a folder, put in place when they are whole.

They are built in a hidden folder of the root, where no agent looks, so that
they only have to get their name in the end. What a process left there that is no
more is removed by the next one. All of this blocks and runs in a worker thread.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sessiontui.errors import (
    InvalidPathError,
    SessionExistsError,
    SessionNotFoundError,
    StorageError,
    WriteConflictError,
)
from sessiontui.storage.directory.io import (
    FILE_MODE,
    is_process_running,
    milliseconds,
    set_mtime,
    sync_folder,
)
from sessiontui.storage.directory.moves import exists, remove_empty
from sessiontui.storage.directory.paths import (
    FOLDER_MODE,
    SUFFIX,
    is_backup_name,
    is_hidden,
    storage_errors,
)
from sessiontui.storage.directory.trash import is_restored, move_from_trash, move_to_trash

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sessiontui.storage.backend import Stat
    from sessiontui.storage.directory.paths import FolderHandles, StoreRoot

FOLDER: Final = ".sessiontui-incoming"
_TOKEN: Final = re.compile(r"([0-9a-f]+)-[0-9a-f]+")


class Staging:
    """Builds files for one root. Everything blocks."""

    def __init__(self, root: StoreRoot) -> None:
        self._root = root
        self._all = root.folder / FOLDER

    def stage(self, token: str, number: int, start: int, data: bytes) -> None:
        """Keep bytes of a file from `start` on."""
        folder = self._folder(token)
        with storage_errors(str(folder)):
            if not folder.is_dir():
                os.close(self._root.open())  # The root itself is never made.
                self._all.mkdir(FOLDER_MODE, exist_ok=True)
                if self._all.is_symlink():
                    raise InvalidPathError(f"this leads elsewhere: {self._all}")
                self._remove_abandoned()
                folder.mkdir(FOLDER_MODE)
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(folder / str(number), flags, FILE_MODE)
            try:
                rest = memoryview(data)
                while rest:
                    done = os.pwrite(descriptor, rest, start)
                    rest, start = rest[done:], start + done
            finally:
                os.close(descriptor)

    def holds(self, token: str) -> bool:
        """Tell whether something is kept under a token."""
        return self._folder(token).is_dir()

    def place(self, token: str, files: Sequence[Stat]) -> None:
        """Put what was built in place, the first file last.

        Raises:
            WriteConflictError: Something was not built whole; nothing was put in place.
            SessionExistsError: A place is taken by something else; the same.
            InvalidPathError: A session would not be listed there; the same.
        """
        folder = self._folder(token)
        if not any(stat.size for stat in files):
            self.stage(token, 0, 0, b"")  # Nothing was ever kept of them.
        with self._root.handles() as handles:
            for number, stat in enumerate(files):
                self._check(handles, stat)
                self._settle(folder / str(number), stat)
            for number, stat in enumerate(files):
                if exists(handles, stat.path) and not is_restored(
                    handles, folder / str(number), stat.path
                ):
                    raise SessionExistsError(stat.path)
            placed: list[int] = []
            try:
                for number in reversed(range(len(files))):
                    move_from_trash(handles, folder / str(number), files[number].path)
                    placed.append(number)
                for stat in files:
                    with storage_errors(stat.path):
                        os.fsync(handles.parent(stat.path)[0])
            except StorageError:
                for number in reversed(placed):
                    _take_back(handles, files[number], folder / str(number))
                remove_empty(handles, handles.made)
                raise
        self.unstage(token)

    def unstage(self, token: str) -> None:
        """Remove what was built and not put in place, also by processes that are no more."""
        if self._all.is_symlink():
            return
        with suppress(OSError):
            shutil.rmtree(self._folder(token))
        with suppress(OSError):
            self._remove_abandoned()
            self._all.rmdir()

    def _folder(self, token: str) -> Path:
        if _TOKEN.fullmatch(token) is None:
            raise InvalidPathError(f"this is no name for what is on its way: {token!r}")
        return self._all / token

    def _check(self, handles: FolderHandles, stat: Stat) -> None:
        parts = self._root.parts(stat.path)
        *folders, name = parts
        unseen = is_hidden(parts if name.endswith(SUFFIX) else folders)
        if unseen or is_backup_name(name):
            raise InvalidPathError(f"it would not be listed there: {stat.path}", path=stat.path)
        with suppress(SessionNotFoundError):  # Links and files on the way are told at once.
            handles.parent(stat.path)

    def _settle(self, built: Path, stat: Stat) -> None:
        """Finish a file: its length, its time, all of it on the disk."""
        flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | (0 if stat.size else os.O_CREAT)
        with storage_errors(stat.path):
            try:
                descriptor = os.open(built, flags, FILE_MODE)
            except FileNotFoundError:
                raise _not_whole(stat, 0) from None
            try:
                size = os.fstat(descriptor).st_size
                if size != stat.size:
                    raise _not_whole(stat, size)
                if stat.mtime_ms is not None:
                    set_mtime(descriptor, stat.mtime_ms)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            sync_folder(built.parent)

    def _remove_abandoned(self) -> None:
        for folder in list(self._all.iterdir()):
            token = _TOKEN.fullmatch(folder.name)
            if token is not None and not is_process_running(int(token[1], 16)):
                shutil.rmtree(folder, ignore_errors=True)


def _take_back(handles: FolderHandles, stat: Stat, built: Path) -> None:
    """Take a file out of its place again; what another program put there meanwhile stays."""
    if not move_to_trash(handles, stat.path, built):
        return
    with storage_errors(stat.path):
        found = built.lstat()
    if (found.st_size, milliseconds(found)) != (stat.size, stat.mtime_ms or milliseconds(found)):
        move_from_trash(handles, built, stat.path)


def _not_whole(stat: Stat, size: int) -> WriteConflictError:
    return WriteConflictError(stat.path, expected_size=stat.size, actual_size=size)
