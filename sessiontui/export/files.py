"""Writes exported files: private, atomic, with portable names."""

from __future__ import annotations

import errno
import os
import re
import secrets
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from sessiontui.errors import ExportError
from sessiontui.paths import open_private

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_NAME_BYTES: Final = 120
"""How long a name made of a title may be; systems take 255 with everything."""
_ID_LENGTH: Final = 8
_NO_LINKS: Final = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


class NewFile:
    """Is written beside its place and takes it at the end; what fails leaves nothing.

    Args:
        target: Where it is to stand.
        replace: Whether it may take the place of a file that is there.
    """

    def __init__(self, target: Path, *, replace: bool) -> None:
        self.target = target
        self._replace = replace
        self._place = target
        self._beside = target
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Begin the file.

        Raises:
            ExportError: Something stands in its place, or it cannot be written there.
        """
        try:
            self._place = Path(os.path.realpath(self.target))
            if os.path.lexists(self._place) and not self._place.is_file():
                raise ExportError(f"this is no file: {self.target}")
            if not self._replace and os.path.lexists(self.target):
                raise ExportError(f"there is such a file already: {self.target}")
            self._beside = self._place.with_name(f".sessiontui-{secrets.token_hex(6)}.part")
            flags = os.O_WRONLY | os.O_EXCL | os.O_NOFOLLOW
            self._descriptor = open_private(self._beside, flags)
        except (OSError, ValueError) as error:
            raise _not_written(self.target, error) from error
        return self

    def write(self, data: bytes) -> None:
        """Write the next bytes.

        Raises:
            ExportError: They cannot be written.
        """
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise _not_written(self.target, error) from error

    def commit(self) -> None:
        """Put the file in its place.

        Raises:
            ExportError: It cannot be put there; nothing is left of it then.
        """
        try:
            os.fsync(self._descriptor)
            if self._replace:
                self._beside.replace(self._place)
            else:
                self._link()
        except FileExistsError as error:
            raise ExportError(f"there is such a file already: {self.target}") from error
        except OSError as error:
            raise _not_written(self.target, error) from error

    def _link(self) -> None:
        """Take a place that is free, and no other: a rename would replace what came meanwhile."""
        try:
            os.link(self._beside, self._place)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # A file system without links; an empty file takes the place first.
            os.close(open_private(self._place, os.O_WRONLY | os.O_EXCL))
            self._beside.replace(self._place)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file, and remove what is not in its place."""
        os.close(self._descriptor)
        with suppress(OSError):
            self._beside.unlink(missing_ok=True)


def _not_written(target: Path, error: OSError | ValueError) -> ExportError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ExportError(f"cannot be written ({reason}): {target}")


def file_name(
    title: str, session_id: str | None, extension: str, taken: Callable[[str], bool]
) -> str:
    """Return a name for a session's file that no other has, told by title and id.

    Letters and digits of any script stay; all else becomes a dash.

    Args:
        title: The session's title, as it is stored.
        session_id: Its id; the end of it tells sessions apart that were made together.
        extension: With its dot.
        taken: Tells whether there is such a name; asked with names in lower case.
    """
    stem = _slug(title)
    short = _slug(session_id or "")[-_ID_LENGTH:].strip("-")
    stem = "-".join(filter(None, (stem, short))) or "session"
    name, number = stem + extension, 1
    while taken(name.casefold()):
        number += 1
        name = f"{stem}-{number}{extension}"
    return name


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFC", text[:1000]).casefold()
    words = re.sub(r"[\W_]+", "-", plain.encode("utf-8", "ignore").decode())
    short = words.encode()[:_NAME_BYTES].decode("utf-8", "ignore")
    return short.strip("-")
