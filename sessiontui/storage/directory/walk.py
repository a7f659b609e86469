"""Walk a folder of sessions: every folder read once, every session looked at once.

All of this blocks and runs in a worker thread; batches are yielded as they
are read. Names are joined to paths here, so nothing is resolved twice, and a
file is looked at relative to its open folder, which costs half of a look by
its full path. Nothing is opened but folders.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sessiontui.errors import (
    AccessError,
    InvalidPathError,
    SessionNotFoundError,
    StorageError,
    WrongTypeError,
)
from sessiontui.storage.artifacts import PASSED_OVER, UNREADABLE, odd_names
from sessiontui.storage.backend import PassedOver, ScanBatch, Stat
from sessiontui.storage.directory.paths import (
    MAX_DEPTH,
    OPEN_FOLDER,
    SUFFIX,
    is_session_name,
    storage_error,
)
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from sessiontui.storage.directory.paths import StoreRoot

BATCH = 4_000
"""Sessions in a batch; the first is a twentieth, so that something can be shown at once."""

_KIND = 0o170000
_MS = 1_000_000


def kind_of(mode: int) -> str:
    """Return what an entry of a folder is, in plain words, for the warnings."""
    for test, words in (
        (stat.S_ISLNK, "a symbolic link"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
    ):
        if test(mode):
            return words
    return "not a regular file"


def leads_to_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether it is a symbolic link to a folder; one that cannot be followed is none."""
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:  # in a circle, through a file, or to where we may not look
        return False


def may_read(found: os.stat_result, name: str, folder: int) -> bool:
    """Tell whether a file may be read; asks the system only where the mode leaves a doubt."""
    mode = found.st_mode
    if mode & 0o444 == 0o444 or (mode & stat.S_IRUSR and found.st_uid == os.geteuid()):
        return True
    return os.access(name, os.R_OK, dir_fd=folder)


@dataclass
class _Batch:
    stats: list[Stat] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    passed: list[PassedOver] = field(default_factory=list)
    limit: int = BATCH // 20

    def take(self) -> ScanBatch:
        batch = ScanBatch(tuple(self.stats), tuple(self.warnings), passed=tuple(self.passed))
        self.stats, self.warnings, self.passed, self.limit = [], [], [], BATCH
        return batch


class _Walk:
    """One walk; `everything` takes all files, else only the sessions."""

    def __init__(self, *, everything: bool) -> None:
        self._everything = everything
        self.batch = _Batch()

    def folder(
        self, descriptor: int, prefix: str, *, beginning: str = "", depth: int = 0
    ) -> Generator[ScanBatch, None, None]:
        """Yield what is in an open folder and below; the descriptor stays the caller's.

        Args:
            descriptor: The open folder.
            prefix: Its path with a slash at the end.
            beginning: Passes over names in this folder that begin otherwise.
            depth: How deep the folder lies below where the walk began.
        """
        folders: list[str] = []
        with os.scandir(descriptor) as entries:
            look = self._all if self._everything else self._sessions
            chosen = (entry for entry in entries if entry.name.startswith(beginning))
            yield from look(chosen if beginning else entries, prefix, descriptor, folders)
        for name in folders:
            yield from self._below(descriptor, prefix, name, depth)

    def _sessions(
        self,
        entries: Iterable[os.DirEntry[str]],
        prefix: str,
        descriptor: int,
        folders: list[str],
    ) -> Generator[ScanBatch, None, None]:
        """Note the sessions of one folder; in one flat loop, for the sake of 100,000 of them."""
        batch, suffix, kind, regular, millisecond = self.batch, SUFFIX, _KIND, stat.S_IFREG, _MS
        stats = batch.stats
        for entry in entries:
            name = entry.name
            if name[0] == ".":
                batch.warnings += odd_names((prefix + name,))
                continue
            if not name.endswith(suffix):
                if entry.is_dir(follow_symlinks=False):
                    folders.append(name)
                elif leads_to_folder(entry):
                    self._warn(prefix + name, "a symbolic link to a folder")
                continue
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError as error:
                batch.warnings.append(
                    clean(f"{PASSED_OVER}: {storage_error(error, prefix + name)}")
                )
                continue
            if found.st_mode & kind != regular:
                self._warn(prefix + name, kind_of(found.st_mode))
                if stat.S_ISDIR(found.st_mode):
                    folders.append(name)
            elif not may_read(found, name, descriptor):
                self._warn(prefix + name, UNREADABLE)
            else:
                modified = found.st_mtime_ns // millisecond
                stats.append(Stat(prefix + name, found.st_size, modified))
                if len(stats) >= batch.limit:
                    yield batch.take()
                    stats = batch.stats

    def _all(
        self,
        entries: Iterable[os.DirEntry[str]],
        prefix: str,
        descriptor: int,
        folders: list[str],
    ) -> Generator[ScanBatch, None, None]:
        """Note whatever is in one folder."""
        batch = self.batch
        for entry in entries:
            path = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
                if is_session_name(entry.name):
                    batch.passed.append(PassedOver(path, _called_so("a folder")))
                continue
            with suppress(FileNotFoundError):
                found = entry.stat(follow_symlinks=False)
                if found.st_mode & _KIND != stat.S_IFREG and is_session_name(entry.name):
                    batch.passed.append(PassedOver(path, _called_so(kind_of(found.st_mode))))
                elif not may_read(found, entry.name, descriptor):
                    batch.passed.append(PassedOver(path, UNREADABLE))
                batch.stats.append(Stat(path, found.st_size, found.st_mtime_ns // _MS))
            if len(batch.stats) >= batch.limit:
                yield batch.take()

    def _below(
        self, above: int, prefix: str, name: str, depth: int
    ) -> Generator[ScanBatch, None, None]:
        if depth >= MAX_DEPTH - 1:
            self._warn(prefix + name, f"more than {MAX_DEPTH} folders deep")
            return
        try:
            descriptor = os.open(name, OPEN_FOLDER | os.O_NOFOLLOW, dir_fd=above)
        except (FileNotFoundError, NotADirectoryError):
            return  # gone, or another thing by now
        except OSError as error:
            failure = storage_error(error, prefix + name)
            if not isinstance(failure, AccessError):
                self.batch.warnings.append(clean(f"{PASSED_OVER}: {failure}"))
                return
            self._warn(prefix + name, UNREADABLE)
            self.batch.passed.append(PassedOver(prefix + name, UNREADABLE))
            return
        try:
            yield from self.folder(descriptor, f"{prefix}{name}/", depth=depth + 1)
        finally:
            os.close(descriptor)

    def _warn(self, path: str, words: str) -> None:
        self.batch.warnings.append(clean(f"{PASSED_OVER} ({words}): {path}"))


def _called_so(kind: str) -> str:
    return f"it has the name of a session, and is {kind}"


def walk_sessions(
    root: StoreRoot, *, under: tuple[str, ...] = ()
) -> Generator[ScanBatch, None, None]:
    """Yield the sessions in a folder of the store and below; nothing where it is gone.

    Args:
        root: The store.
        under: Names of the folder from the root down; empty for the whole.

    Raises:
        BackendDownError: The root is not there.
    """
    yield from _walk(root, under, everything=False)


def walk_everything(root: StoreRoot, prefix: str) -> Generator[ScanBatch, None, None]:
    """Yield every file whose path begins with `prefix`, links and special files too.

    Links are named, never followed: their size is that of the link.

    Raises:
        BackendDownError: The root is not there.
        InvalidPathError: The prefix is refused.
    """
    start = f"{root.base}/"
    if start.startswith(prefix):
        yield from _walk(root, (), everything=True)
        return
    above, _, beginning = prefix.rpartition("/")
    under = () if above == root.base else root.parts(above)
    yield from _walk(root, under, everything=True, beginning=beginning)


def _walk(
    root: StoreRoot, under: tuple[str, ...], *, everything: bool, beginning: str = ""
) -> Generator[ScanBatch, None, None]:
    walk = _Walk(everything=everything)
    prefix = root.path("".join(f"{name}/" for name in under))
    with root.handles() as handles:
        try:
            descriptor = handles.folder(under, prefix)
        except (SessionNotFoundError, InvalidPathError, WrongTypeError):
            return
        try:
            yield from walk.folder(descriptor, prefix, beginning=beginning)
        except StorageError:
            raise
        except OSError as error:
            raise storage_error(error, prefix) from error
    yield walk.batch.take()


def find_folders(root: StoreRoot, under: tuple[str, ...] = ()) -> tuple[set[str], str | None]:
    """Return the folders of the store, hidden ones too, without looking at any file.

    Args:
        root: The store.
        under: Names of the folder to begin with, itself included; empty for the whole.

    Returns:
        Their paths relative to the root, without slashes at the ends, and the path of a
        symbolic link to a folder, if there is one.

    Raises:
        BackendDownError: The root is not there.
    """
    found: set[str] = set()
    link: str | None = None
    todo = ["/".join(under)]
    with root.handles() as handles:
        while todo:
            relative = todo.pop()
            parts = tuple(relative.split("/")) if relative else ()
            try:
                descriptor = handles.folder(parts, root.path(relative))
                entries = os.scandir(descriptor)
            except (OSError, StorageError):
                continue
            found.add(relative)
            with entries:
                for entry in entries:
                    below = f"{relative}/{entry.name}" if relative else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(below)
                    elif link is None and leads_to_folder(entry):
                        link = root.path(below)
    return found, link
