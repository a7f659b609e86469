"""The connection to a source: its problems in plain words, and write access."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sessiontui.errors import (
    AccessError,
    BackendDownError,
    ConfigError,
    LoginError,
    SessionTuiError,
    StorageError,
)
from sessiontui.sources import DirectorySource
from sessiontui.storage.backend import REPLICA
from sessiontui.workspace.events import Problem, error_reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiontui.sources import Source
    from sessiontui.storage import SessionStorage


def describe_problem(error: SessionTuiError, source: Source, *, retry_s: float | None) -> Problem:
    """Return what to tell the user when the source cannot be shown."""
    message = error_reason(error)
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


READ_ONLY_REQUESTED: Final = "as asked"
"""Why nothing may be changed where the user said so."""


_LOOK_S: Final = 5.0
"""How often a replica is asked whether it is one still."""
_RETRY_S: Final = 1.0
"""After how long rights are looked at again that could not be."""


class WriteAccess:
    """Makes a storage read-only where changes are not wished or not possible.

    Args:
        asked: Whether the user wishes that nothing is changed.
        tell: Takes as `read_only` why nothing may be changed, in a few plain words, or None.
    """

    def __init__(self, tell: Callable[..., None], *, asked: bool) -> None:
        self._tell = tell
        self._reason = READ_ONLY_REQUESTED if asked else None

    async def look(self, storage: SessionStorage) -> None:
        """Find out, close the storage or open it, and tell.

        Raises:
            StorageError: The source could not be asked.
        """
        reason = storage.read_only = self._reason or await storage.why_read_only()
        self._tell(read_only=reason)

    async def keep(self, storage: SessionStorage) -> None:
        """Look again when another server may answer, other rights hold, or a replica takes over.

        That may be so whenever the source was away or refused a change; nobody tells that a
        replica became the primary, so that is asked now and then.
        """
        came = asyncio.Event()
        live, refusals = storage.feed_state.live, storage.refusals

        def told() -> None:
            nonlocal live, refusals
            before = live, refusals
            live, refusals = storage.feed_state.live, storage.refusals
            if (live and not before[0]) or refusals > before[1]:
                came.set()

        remove = storage.on_state(told)
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S if storage.read_only == REPLICA else None):
                        await came.wait()
                came.clear()
                try:
                    await self.look(storage)
                except StorageError:
                    await asyncio.sleep(_RETRY_S)
                    if live:  # Else it is away once more, and will be back.
                        came.set()
        finally:
            remove()
