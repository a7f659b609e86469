"""Deleting with a way back: what a deletion would take, doing it, undoing it."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Final

from sessiontui.workspace.values import DeletePlan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from sessiontui.storage import SessionStorage
    from sessiontui.storage.backend import TrashItem
    from sessiontui.workspace.holding import Holding

_DAY_MS: Final = 86_400_000


def last_deletion(items: Sequence[TrashItem]) -> list[TrashItem]:
    """Return the newest item, and those that were deleted together with it.

    The ids of one deletion have the same mark between time and number:
    `<time>-<mark>-<number>`.

    Args:
        items: All there is in the trash, newest first.
    """
    return [item for item in items if _mark(item) == _mark(items[0])]


def _mark(item: TrashItem) -> str:
    return item.id.partition("-")[2].partition("-")[0]


class Deletions:
    """Remembers what was deleted in this run, so that the last can be undone.

    Args:
        holding: Judges whether a running agent may hold a session open.
        noted: Shows a note on a session's row while something is done with it.
        retention_days: How long the trash keeps what is deleted.
    """

    def __init__(
        self,
        holding: Holding,
        noted: Callable[[str, str], AbstractContextManager[None]],
        retention_days: int,
    ) -> None:
        self._holding = holding
        self._noted = noted
        self._keep_ms = retention_days * _DAY_MS
        self._done: list[tuple[str, ...]] = []
        """Ids in the trash, a tuple a deletion: as many as the user made in this run."""

    async def plan(self, storage: SessionStorage, paths: Sequence[str]) -> DeletePlan:
        """Find out what a deletion of these sessions would take; nothing is changed.

        Raises:
            SessionNotFoundError: One of them is gone.
        """
        stats = await asyncio.gather(*(storage.artifacts(path) for path in paths))
        held = tuple(item for path in paths if (item := self._holding.item(path)) is not None)
        return DeletePlan(tuple(paths), tuple(tuple(items) for items in stats), held)

    async def delete(self, storage: SessionStorage, plan: DeletePlan) -> list[TrashItem]:
        """Move the plan's sessions to the trash, each with what belongs to it.

        What the plan says of agents was agreed to; a session that one has taken up since
        is not.

        Raises:
            SessionHeldError: An agent has taken up one meanwhile; it stays.
            StorageError: Of the first session that could not be deleted; those
                before it are in the trash, and `undo` brings them back.
        """
        items: list[TrashItem] = []
        together = secrets.token_hex(4)
        agreed = {item.path for item in plan.held}
        try:
            for number, path in enumerate(plan.paths, 1):
                with self._noted(path, "deleting…"):
                    item = await storage.trash_session(
                        path,
                        keep_ms=self._keep_ms,
                        mark=f"{together}-{number}",
                        guard=None if path in agreed else self._holding.guard(path),
                    )
                    items.append(item)
        finally:
            if items:
                self._done.append(tuple(item.id for item in items))
        return items

    async def undo(self, storage: SessionStorage) -> list[TrashItem]:
        """Bring back what the last `delete` took; empty if there is nothing to undo.

        Raises:
            StorageError: Some could not be brought back; they stay in the trash
                and can be tried again.
        """
        if not self._done:
            return []
        left = list(self._done.pop())
        restored: list[TrashItem] = []
        try:
            while left:
                restored.append(await storage.restore(left[-1]))
                left.pop()
        finally:
            if left:
                self._done.append(tuple(left))
        return restored
