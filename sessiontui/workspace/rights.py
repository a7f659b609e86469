"""Whether anything may be changed: as the user wishes, and as the source allows."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sessiontui.errors import StorageError
from sessiontui.storage.backend import REPLICA

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiontui.storage import SessionStorage

ASKED: Final = "as asked"
"""Why nothing may be changed where the user said so."""


_LOOK_S: Final = 5.0
"""How often a replica is asked whether it is one still."""
_RETRY_S: Final = 1.0
"""After how long rights are looked at again that could not be."""


class Rights:
    """Closes a storage to changes where they are not wished or not possible.

    Args:
        asked: Whether the user wishes that nothing is changed.
        tell: Takes as `read_only` why nothing may be changed, in a few plain words, or None.
    """

    def __init__(self, tell: Callable[..., None], *, asked: bool) -> None:
        self._tell = tell
        self._reason = ASKED if asked else None

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
