"""From a source to its backend, and from an error to what the user can do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiontui.errors import (
    AccessError,
    BackendDownError,
    ConfigError,
    LoginError,
    SessionTuiError,
)
from sessiontui.sources import DirectorySource, RedisSource
from sessiontui.workspace.events import Problem, reason_of

if TYPE_CHECKING:
    from sessiontui.sources import Source
    from sessiontui.storage.backend import Backend


def open_backend(source: Source, password: str | None = None) -> Backend:
    """Return the backend of a source, not connected yet.

    What a backend needs is imported here, so that a folder never loads Redis
    and the first paint waits for neither.

    Args:
        source: Where the sessions are.
        password: Used instead of the one in the source, if given.
    """
    if isinstance(source, RedisSource):
        from sessiontui.storage.redis.backend import RedisBackend

        return RedisBackend.from_source(source, password=password)
    from sessiontui.storage.directory.backend import DirectoryBackend

    return DirectoryBackend(source.path, absolute=True)


def problem_of(error: SessionTuiError, source: Source, *, retry_s: float | None) -> Problem:
    """Return what to tell the user when the source cannot be shown."""
    message = reason_of(error)
    if isinstance(error, ConfigError):
        return Problem("invalid", message, "Correct the source and start again.")
    if isinstance(error, AccessError):
        if isinstance(error, LoginError):
            return Problem("password", message, "Enter the password to try again.", retry_s)
        return Problem("permission", message, "Ask for this right, or use another source.", retry_s)
    if isinstance(error.__cause__, NotADirectoryError):
        return Problem("file", message, "Name the folder that it lies in.", retry_s)
    if isinstance(error, BackendDownError) and isinstance(source, DirectorySource):
        return Problem("missing", message, "It is shown as soon as it exists.", retry_s)
    if isinstance(error, BackendDownError):
        return Problem(
            "unreachable", message, "Check the address, and that the server runs.", retry_s
        )
    return Problem("invalid", message, "Use another source, or look at it by hand.", retry_s)


def first_error(group: BaseExceptionGroup[SessionTuiError]) -> SessionTuiError:
    """Return the first error of a group, however deep."""
    for error in group.exceptions:
        return first_error(error) if isinstance(error, BaseExceptionGroup) else error
    raise group
