"""Every exception sessiontui raises on purpose.

SessionTuiError
├── ConfigError                a setting cannot be used          CLI: message, exit 2
├── PagerError                 a text cannot be shown in a pager  UI: in the status line
├── ExportError                a session cannot be exported      CLI: message; UI: in the dialog
├── ResumeError                no agent can go on with a session  UI: in the status line
├── TooSlowError               a pattern would take for ever     UI: beside the pattern
├── IndexFileError             the file of the index is unusable  searches read the sessions
├── QueryError                 a query cannot be understood        UI: under the query; CLI: exit 2
└── StorageError               a backend failed; has `path`      UI: on the row, in the status line
    ├── SessionNotFoundError     also a FileNotFoundError (errno ENOENT)
    ├── SessionExistsError       also a FileExistsError: a rename or restore would overwrite
    ├── WriteConflictError       it changed since we read it       re-read, decide
    ├── InvalidPathError         also a ValueError: refused before anything was touched
    ├── WrongTypeError           a key or file of another kind stands in the place
    ├── TitleNeedsRewriteError   a title has no room in the session yet: ask, then allow it
    ├── SessionHeldError         a running agent may hold it open: ask, then insist
    ├── StorageClosedError       it was used after `aclose`
    ├── WriterClosedError        a line was written after `close`
    ├── WritesRefusedError       full, or cannot save: no writes now   the command did not run
    ├── AccessError              no permission, or a wrong password
    │   ├── LoginError           it wants a password, or another one
    │   └── ReadOnlyError        nothing may be changed here, as asked or by what the source allows
    └── BackendDownError         no connection; the command did not run
        └── OutcomeUnknownError  the connection died after a write was sent
"""

from __future__ import annotations

import errno
import os
from typing import Any

_OS_FIELDS = ("errno", "strerror", "filename")


class SessionTuiError(Exception):
    """Base of every error that sessiontui raises on purpose; pickles and unpickles whole."""

    def __reduce__(self) -> tuple[Any, ...]:
        state = dict(self.__dict__)
        if isinstance(self, OSError):
            state |= {name: getattr(self, name) for name in _OS_FIELDS}
        return _restore, (type(self), self.args), state


def _restore(kind: type[SessionTuiError], args: tuple[object, ...]) -> SessionTuiError:
    """Make an error from its message, whatever its constructor takes."""
    error = kind.__new__(kind, *args)
    error.args = args
    return error


class ConfigError(SessionTuiError):
    """A setting, a source URL or an option cannot be used."""


class PagerError(SessionTuiError):
    """A text cannot be shown in the user's pager."""


class ExportError(SessionTuiError):
    """A session cannot be written to a file; says why in one line."""


class ResumeError(SessionTuiError):
    """No agent can go on with a session; says why in one line."""


class TooSlowError(SessionTuiError):
    """A pattern takes longer on one line than anybody waits."""


class IndexFileError(SessionTuiError):
    """The file that holds the index cannot be read or written."""


class QueryError(SessionTuiError):
    """What the user typed to find sessions cannot be understood; says what is allowed."""


class StorageError(SessionTuiError):
    """A backend failed."""

    path: str | None
    """Path of the session concerned, or None where the whole source is."""

    def __init__(self, message: str, *, path: str | None = None) -> None:
        super().__init__(message)
        self.path = path


class SessionNotFoundError(StorageError, FileNotFoundError):
    """No session has this path."""

    def __init__(self, path: str) -> None:
        super().__init__(f"no such session: {path}", path=path)
        self.errno = errno.ENOENT
        self.strerror = os.strerror(errno.ENOENT)
        self.filename = path

    def __str__(self) -> str:
        return f"no such session: {self.path}"


class SessionExistsError(StorageError, FileExistsError):
    """A session already stands where another was to be put."""

    def __init__(self, path: str) -> None:
        super().__init__(f"a session already has this path: {path}", path=path)
        self.errno = errno.EEXIST
        self.strerror = os.strerror(errno.EEXIST)
        self.filename = path

    def __str__(self) -> str:
        return f"a session already has this path: {self.path}"


class WriteConflictError(StorageError):
    """The session is not what the caller saw when it decided to write."""

    expected_size: int | None
    """Size in bytes the caller expected; None: that it did not exist."""
    actual_size: int | None
    """Size in bytes found; None: it does not exist."""

    def __init__(self, path: str, *, expected_size: int | None, actual_size: int | None) -> None:
        expected = "absent" if expected_size is None else f"{expected_size} bytes"
        actual = "absent" if actual_size is None else f"{actual_size} bytes"
        super().__init__(
            f"the session changed meanwhile ({expected} expected, {actual} found): {path}",
            path=path,
        )
        self.expected_size = expected_size
        self.actual_size = actual_size


class InvalidPathError(StorageError, ValueError):
    """A path that this operation refuses; nothing was touched."""


class WrongTypeError(StorageError):
    """Something that is not a session stands where one is expected."""


class TitleNeedsRewriteError(StorageError):
    """The session has no slot for a title: it must be rewritten to get one; nothing was touched."""

    def __init__(self, path: str) -> None:
        super().__init__(
            "the session has no room for a title; to make some it must be rewritten, "
            f"which an agent that has it open does not survive: {path}",
            path=path,
        )


class SessionHeldError(StorageError):
    """A running agent may hold the session open, and nobody insisted; nothing was touched."""

    reason: str
    """The evidence, in plain words."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"an agent may be at work on it: {reason}: {path}", path=path)
        self.reason = reason


class StorageClosedError(StorageError):
    """A storage was used after it was closed."""


class WriterClosedError(StorageError):
    """A line was written to a writer after it was closed."""


class AccessError(StorageError):
    """The source refuses: wrong password, missing right, read-only."""


class LoginError(AccessError):
    """The source wants a password, or another one, or does not let this user in."""


class ReadOnlyError(AccessError):
    """Nothing may be changed here; nothing was touched."""

    def __init__(self, reason: str, *, path: str | None = None) -> None:
        super().__init__(f"read-only ({reason}): nothing was changed", path=path)


class WritesRefusedError(StorageError):
    """The source takes no writes for now, as its memory or disk is full, say; nothing was changed.

    It stays so until somebody makes room, so who waits for a change is told at once.
    """


class BackendDownError(StorageError):
    """The source cannot be reached; what was asked did not run."""


class OutcomeUnknownError(BackendDownError):
    """The connection died after a write was sent: it may or may not have run."""
