"""Who may write the index: one process at a time, the first that asks."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING

from sessiontui.errors import IndexFileError
from sessiontui.paths import make_private, open_private

if TYPE_CHECKING:
    from pathlib import Path


class WriteLock:
    """Held until `release`, or until the process ends however that comes.

    Args:
        path: The file of the index; the lock stands beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        self._file: int | None = None

    def take(self) -> bool:
        """Take it unless another process holds it; return whether it is ours.

        Raises:
            IndexFileError: There is no room or no permission.
        """
        if self._file is not None:
            return True
        try:
            make_private(self._path.parent)
            file = open_private(self._path, os.O_RDWR)
        except OSError as error:
            raise IndexFileError(f"the index cannot be used: {error}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES):
                return False
            raise IndexFileError(f"the index cannot be used: {error}") from error
        self._file = file
        return True

    def release(self) -> None:
        """Let others take it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
