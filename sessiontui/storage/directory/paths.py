"""Paths of a folder of sessions, and the safe way from a path to an open folder.

A path is text of one spelling: it begins with `/`, and none of its parts is
empty, `.` or `..`. It is relative to the root of the store, or, where the store is
opened with `absolute`, the real path of the file, which then begins with the
root. Bytes of a name that are no UTF-8 are lone surrogates (`surrogateescape`).

Below the root no symbolic link is ever followed: folders are opened one after
the other, each relative to the one before, so that nothing outside can be
reached, also not while somebody swaps a folder for a link. The root itself
may be a link.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections import OrderedDict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sessiontui.errors import (
    AccessError,
    BackendDownError,
    InvalidPathError,
    SessionExistsError,
    SessionNotFoundError,
    StorageError,
    WritesRefusedError,
    WrongTypeError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SUFFIX = ".jsonl"
"""How the name of a session ends."""

OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
"""Flags to open a folder with; `O_NOFOLLOW` comes on top below the root."""

FOLDER_MODE = 0o700
"""Permissions of folders that are made here, as omp makes them."""

MAX_DEPTH = 64
"""How many names a path has at most; deeper folders are passed over with a warning."""

MAX_OPEN_FOLDERS = 3 * MAX_DEPTH
"""How many folders one piece of work keeps open; the one used longest ago is closed first.

Enough for the folders of a source and of a target to be open together.
"""

_BACKUP = re.compile(r"\.jsonl\..*\.bak\Z", re.DOTALL)


def is_session_name(name: str) -> bool:
    """Tell whether a file of this name is listed as a session.

    Names that begin with a dot are not: omp finds sessions by a glob that passes them over.
    """
    return name.endswith(SUFFIX) and not name.startswith(".")


def is_hidden(parts: Sequence[str]) -> bool:
    """Tell whether a file is passed over for a name on the way to it that begins with a dot."""
    return any(name.startswith(".") for name in parts)


def is_backup_name(name: str) -> bool:
    """Tell whether omp takes a file of this name for a backup, which it renames back."""
    return _BACKUP.search(name) is not None


def sidecar_of(path: str) -> str | None:
    """Return the path of the folder that belongs to a session; None for what is no session."""
    return path.removesuffix(SUFFIX) if path.endswith(SUFFIX) else None


_PLAIN: dict[int, tuple[type[StorageError], str]] = {
    errno.EACCES: (AccessError, "no permission"),
    errno.EPERM: (AccessError, "no permission"),
    errno.EROFS: (AccessError, "the file system is read-only"),
    errno.ENOSPC: (WritesRefusedError, "the disk is full"),
    errno.EDQUOT: (WritesRefusedError, "the disk quota is used up"),
    errno.EFBIG: (StorageError, "the file would grow larger than the system allows"),
    errno.EMFILE: (StorageError, "too many files are open"),
    errno.ENFILE: (StorageError, "too many files are open"),
    errno.ENAMETOOLONG: (InvalidPathError, "a name in it is too long"),
    errno.EILSEQ: (InvalidPathError, "the file system does not allow such a name"),
    errno.ELOOP: (InvalidPathError, "symbolic links are not followed"),
    errno.ENOTDIR: (WrongTypeError, "a file stands where a folder is needed"),
    errno.EISDIR: (WrongTypeError, "a folder stands where a session is expected"),
    errno.ENXIO: (WrongTypeError, "it is not a regular file"),
    errno.ESTALE: (BackendDownError, "the network file system lost it"),
}


def storage_error(error: OSError, path: str) -> StorageError:
    """Return the error of this project, in plain words, for one of the system.

    Args:
        error: What the system raised.
        path: The session concerned.
    """
    if isinstance(error, StorageError):
        return error
    if error.errno == errno.ENOENT:
        return SessionNotFoundError(path)
    if error.errno == errno.EEXIST:
        return SessionExistsError(path)
    kind, words = _PLAIN.get(error.errno or 0, (StorageError, ""))
    return kind(f"{words or error.strerror or 'the system refused'}: {path}", path=path)


@contextmanager
def storage_errors(path: str) -> Iterator[None]:
    """Raise errors of the system inside as ours, naming `path`."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise storage_error(error, path) from error


def refuse_special(found: os.stat_result, path: str) -> None:
    """Refuse what is not a regular file.

    Raises:
        InvalidPathError: It is a symbolic link.
        WrongTypeError: It is a folder, a pipe, a socket or a device.
    """
    if stat.S_ISREG(found.st_mode):
        return
    if stat.S_ISLNK(found.st_mode):
        raise InvalidPathError(f"symbolic links are not followed: {path}", path=path)
    if stat.S_ISDIR(found.st_mode):
        raise WrongTypeError(f"a folder stands where a session is expected: {path}", path=path)
    raise WrongTypeError(f"it is not a regular file: {path}", path=path)


class StoreRoot:
    """The root folder of a store and the paths in it."""

    folder: Path
    """The real, absolute path; it need not exist."""
    base: str
    """What every path begins with: nothing, or the root itself."""

    def __init__(self, folder: str | os.PathLike[str], *, absolute: bool) -> None:
        self.folder = Path(os.path.realpath(folder))
        self.base = str(self.folder).rstrip("/") if absolute else ""

    def parts(self, path: str) -> tuple[str, ...]:
        """Return the names of a path from the root down, the file's last.

        Raises:
            InvalidPathError: It is not the one spelling of a path under the root.
        """
        if not path.startswith(f"{self.base}/"):
            where = f"does not lie in {self.base}" if self.base else "does not begin with '/'"
            raise InvalidPathError(f"the path {where}: {path}", path=path)
        parts = tuple(path[len(self.base) + 1 :].split("/"))
        if "" in parts or "." in parts or ".." in parts or "\0" in path:
            raise InvalidPathError(
                f"the path has an empty part, '.', '..' or a zero byte: {path}", path=path
            )
        if len(parts) > MAX_DEPTH:
            raise InvalidPathError(f"more than {MAX_DEPTH} folders deep: {path}", path=path)
        try:
            os.fsencode(path)
        except UnicodeEncodeError as error:
            raise InvalidPathError(f"no file can have this name: {path}", path=path) from error
        return parts

    def path(self, relative: str) -> str:
        """Return the path of a file given relative to the root, without a leading slash."""
        return f"{self.base}/{relative}"

    def file_of(self, path: str) -> Path:
        """Return the real, absolute path of the file that a path stands for."""
        return self.folder.joinpath(*self.parts(path))

    def path_of(self, file: str | os.PathLike[str]) -> str | None:
        """Return the path that stands for a file, or None where it is not under the root.

        Args:
            file: An absolute path; the folders above the file may be links to the root.
        """
        text = os.fspath(file)
        if not Path(text).is_absolute():
            return None
        parent, name = os.path.split(text)
        real = Path(os.path.realpath(parent), name)
        if not real.is_relative_to(self.folder) or real == self.folder:
            return None
        return self.path(str(real.relative_to(self.folder)))

    def open(self) -> int:
        """Open the root folder.

        Raises:
            BackendDownError: It is not there, or not a folder.
            AccessError: It may not be read.
        """
        try:
            return os.open(self.folder, OPEN_FOLDER)
        except FileNotFoundError as error:
            raise BackendDownError(
                f"the folder is not there (moved, or its disk is not mounted?): {self.folder}"
            ) from error
        except NotADirectoryError as error:
            raise BackendDownError(f"it is a file, not a folder: {self.folder}") from error
        except OSError as error:
            raised = storage_error(error, str(self.folder))
            raised.path = None
            raise raised from error

    def handles(self) -> FolderHandles:
        """Return the open folders for one piece of work, to be used as a context."""
        return FolderHandles(self)


class FolderHandles:
    """Descriptors of the folders that one piece of work touches, at most `MAX_OPEN_FOLDERS`.

    A descriptor is good until the call after the next one.
    """

    made: list[tuple[str, ...]]
    """Folders that were made on the way, outermost first, from the root down."""

    def __init__(self, root: StoreRoot) -> None:
        self.root = root
        self.made = []
        self._open: OrderedDict[tuple[str, ...], int] = OrderedDict()
        self._top = -1

    def __enter__(self) -> Self:
        self._top = self.root.open()
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in (*self._open.values(), self._top):
            os.close(descriptor)
        self._open.clear()

    def parent(self, path: str, *, create: bool = False) -> tuple[int, str]:
        """Return the descriptor of the folder a file lies in, and the file's name.

        Args:
            path: The file; it need not exist.
            create: Makes missing folders.

        Raises:
            InvalidPathError: The path is refused, or a link stands on the way.
            SessionNotFoundError: A folder on the way is missing.
            WrongTypeError: A file stands on the way.
        """
        *folders, name = self.root.parts(path)
        return self.folder(tuple(folders), path, create=create), name

    def folder(self, parts: tuple[str, ...], path: str, *, create: bool = False) -> int:
        """Return the descriptor of a folder.

        Args:
            parts: Names from the root down; empty for the root.
            path: The file it is wanted for, named in errors.
            create: Makes missing folders.

        Raises:
            InvalidPathError: A link stands on the way.
            SessionNotFoundError: A folder on the way is missing.
            WrongTypeError: A file stands on the way.
        """
        if not parts:
            return self._top
        known = self._open.get(parts)
        if known is not None:
            self._open.move_to_end(parts)
            return known
        above = self.folder(parts[:-1], path, create=create)
        with storage_errors(path):
            descriptor = self._enter(above, parts, path, create=create)
        self._open[parts] = descriptor
        if len(self._open) > MAX_OPEN_FOLDERS:
            os.close(self._open.popitem(last=False)[1])
        return descriptor

    def forget(self, parts: tuple[str, ...]) -> None:
        """Close a folder and all below it, which are about to be removed or were replaced."""
        for known in [known for known in self._open if known[: len(parts)] == parts]:
            os.close(self._open.pop(known))

    def _enter(self, above: int, parts: tuple[str, ...], path: str, *, create: bool) -> int:
        name = parts[-1]
        try:
            return os.open(name, OPEN_FOLDER | os.O_NOFOLLOW, dir_fd=above)
        except FileNotFoundError:
            if not create:
                raise
        except NotADirectoryError:
            # Linux says so of a link too, where a folder was asked for.
            if stat.S_ISLNK(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode):
                raise InvalidPathError(
                    f"symbolic links are not followed: {path}", path=path
                ) from None
            raise
        try:
            os.mkdir(name, FOLDER_MODE, dir_fd=above)
            self.made.append(parts)
        except FileExistsError:
            pass
        return os.open(name, OPEN_FOLDER | os.O_NOFOLLOW, dir_fd=above)
