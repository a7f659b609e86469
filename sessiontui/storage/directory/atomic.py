"""Rename a file only where nothing is written over (RENAME_NOREPLACE), or exchange two files.

Each is one step of the system, so that nothing that another program puts at either name in the
same instant is lost. Linux and macOS know both; Python's `os` has neither. Network
file systems often lack them: there a file gets a second name first, and without hard links an
empty file takes the name, which the file then replaces.

All of this blocks and runs in a worker thread.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sessiontui.errors import StorageError
from sessiontui.storage.directory.io import FILE_MODE, NO_LINKS, spare_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_MAC: Final = sys.platform == "darwin"
_NAME: Final = "renameatx_np" if _MAC else "renameat2"
_HERE: Final = -2 if _MAC else -100
"""AT_FDCWD: names are whole paths."""
_ONLY_NEW: Final = 4 if _MAC else 1
_EXCHANGE: Final = 2
_UNSUPPORTED: Final = frozenset(
    {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM}
)
"""What is said by file systems and sandboxes that know no such step."""


def rename_new(
    source: str | Path, name: str, *, source_folder: int | None = None, folder: int
) -> None:
    """Rename a file to a name that must be free; what stands at its name just then goes along.

    Args:
        source: The file.
        name: The new name.
        source_folder: Descriptor of its folder; None where `source` is a whole path.
        folder: Descriptor of the folder of the new name.

    Raises:
        FileExistsError: The name is taken.
    """
    try:
        system_rename(source, name, source_folder, folder, _ONLY_NEW)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        if source_folder is None or not _link_over(str(source), name, source_folder, folder):
            _replace_claim(source, name, source_folder, folder)


def _link_over(source: str, name: str, source_folder: int, folder: int) -> bool:
    """Rename by a second name, which must be free; False where there are no hard links.

    What another program puts in the place of the file in between stays there.
    """
    try:
        os.link(source, name, src_dir_fd=source_folder, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return False
    linked = os.stat(name, dir_fd=folder, follow_symlinks=False)
    try:
        remove_exactly(source_folder, source, linked, source)
    except OSError:
        remove_exactly(folder, name, linked, name)
        raise
    return True


def put_new(folder: int, source: str, name: str) -> None:
    """Give a file of a folder a name that must be free; `source` may remain, the caller's.

    Raises:
        FileExistsError: The name is taken.
    """
    try:
        os.link(source, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        rename_new(source, name, source_folder=folder, folder=folder)


def exchange(first: str, second: str, folder: int) -> bool:
    """Let two files of a folder have each other's name; False where the system cannot."""
    try:
        system_rename(first, second, folder, folder, _EXCHANGE)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        return False
    return True


def remove_exactly(folder: int, name: str, wanted: os.stat_result, path: str) -> bool:
    """Take its name away from one file, and from no other that has it by then.

    The system removes whatever has a name. So it is given another one first and looked at;
    what is not the file gets its name back.

    Args:
        folder: Descriptor of its folder.
        name: The name.
        wanted: The file.
        path: Named in errors.

    Returns:
        False where another file has the name.

    Raises:
        StorageError: Two other files had it meanwhile; the error tells where the first is.
    """
    spare = spare_name(name)
    os.rename(name, spare, src_dir_fd=folder, dst_dir_fd=folder)
    found = os.stat(spare, dir_fd=folder, follow_symlinks=False)
    if os.path.samestat(found, wanted):
        try:
            os.unlink(spare, dir_fd=folder)
        except OSError:
            with suppress(FileExistsError):
                rename_new(spare, name, source_folder=folder, folder=folder)
            raise
        return True
    try:
        rename_new(spare, name, source_folder=folder, folder=folder)
    except FileExistsError:
        raise StorageError(
            f"another program replaces it all the time; one version is beside it as {spare}: "
            f"{path}",
            path=path,
        ) from None
    return False


def replace_exactly(temporary: str, name: str, folder: int, wanted: os.stat_result) -> bool:
    """Put a file in the place of another one, and of no other that is there by then.

    What was replaced has the name `temporary` then. Where the system cannot exchange two names it
    is gone, and whatever came in the very last instant with it.

    Args:
        temporary: The file.
        name: The other one.
        folder: Descriptor of the folder of both.
        wanted: The other one, as it was seen.

    Returns:
        False where another file is there: it stays, and `temporary` is no more than left over.
    """
    placed = os.stat(temporary, dir_fd=folder, follow_symlinks=False)
    if not exchange(temporary, name, folder):
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        return True
    out = os.stat(temporary, dir_fd=folder, follow_symlinks=False)
    if os.path.samestat(out, wanted):
        return True
    # Theirs goes back, and if a still newer one came in its place meanwhile, that one.
    back = False
    while not back:
        exchange(temporary, name, folder)
        theirs, out = out, os.stat(temporary, dir_fd=folder, follow_symlinks=False)
        back = os.path.samestat(out, placed)
        placed = theirs
    return False


def system_rename(
    source: str | Path, name: str, source_folder: int | None, folder: int, flags: int
) -> None:
    """Call the system.

    Raises:
        OSError: It refused, or knows no such step.
    """
    function = _function()
    if function is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    import ctypes

    here = _HERE if source_folder is None else source_folder
    if function(here, os.fsencode(source), folder, os.fsencode(name), flags):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), os.fspath(source), None, name)


@cache
def _function() -> Callable[..., int] | None:
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    try:
        function: Any = getattr(library, _NAME)
    except AttributeError:
        return None
    text, number = ctypes.c_char_p, ctypes.c_int
    function.argtypes = (number, text, number, text, ctypes.c_uint)
    function.restype = number
    return function  # type: ignore[no-any-return]


def _replace_claim(source: str | Path, name: str, source_folder: int | None, folder: int) -> None:
    """Rename a file to a free name, which an empty file takes first.

    Raises:
        FileExistsError: The name is taken, or another program wrote there meanwhile.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    claim = os.open(name, flags, FILE_MODE, dir_fd=folder)
    try:
        ours = os.fstat(claim)
        now = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if now.st_size or not os.path.samestat(now, ours):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
        try:
            os.replace(source, name, src_dir_fd=source_folder, dst_dir_fd=folder)
        except OSError:
            _free(claim, name, folder)
            raise
    finally:
        os.close(claim)


def _free(claim: int, name: str, folder: int) -> None:
    """Free a name that an empty file took, unless another program wrote there."""
    with suppress(OSError):
        now = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not now.st_size and os.path.samestat(now, os.fstat(claim)):
            os.unlink(name, dir_fd=folder)
