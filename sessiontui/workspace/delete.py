"""Deleting sessions: plan, move to the trash, undo."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import msgspec

from sessiontui.catalog.sorting import shown_title
from sessiontui.errors import SessionNotFoundError
from sessiontui.progress import Progress
from sessiontui.storage.backend import TrashItem
from sessiontui.workspace.bulk import Outcome, run_each
from sessiontui.workspace.events import DeletePlan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from sessiontui.catalog.row import Row
    from sessiontui.storage import SessionStorage
    from sessiontui.storage.backend import Stat
    from sessiontui.workspace.events import SessionInUse
    from sessiontui.workspace.in_use import InUseTracker

Trashed = Outcome[TrashItem]
"""What went to the trash, or came back from it."""

_DAY_MS: Final = 86_400_000
_AT_ONCE: Final = 1000
"""How many sessions are looked for at once, for what belongs to them."""


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
        row: Returns the row of a session, or None.
        holding: Judges whether a running agent may hold a session open.
        noted: Shows a note on a session's row while something is done with it.
        retention_days: How long the trash keeps what is deleted.
    """

    def __init__(
        self,
        row: Callable[[str], Row | None],
        holding: InUseTracker,
        noted: Callable[[str, str], AbstractContextManager[None]],
        retention_days: int,
    ) -> None:
        self._row = row
        self._holding = holding
        self._noted = noted
        self.keep_ms = retention_days * _DAY_MS
        """How long the trash keeps what is deleted."""
        self._done: list[tuple[TrashItem, ...]] = []
        """What went to the trash, a tuple a deletion: as many as the user made in this run."""

    async def plan(self, storage: SessionStorage, paths: Sequence[str]) -> DeletePlan:
        """Find out what a deletion of these sessions would take; nothing is changed.

        Of many sessions those that are gone are left out, and those that lie in
        the folder of another are part of that one.

        Raises:
            SessionNotFoundError: They are gone, all of them.
        """
        found = await storage.all_artifacts(paths)
        if not found:
            raise SessionNotFoundError(paths[0])
        held = (self._held_of(path, stats) for path, stats in found.items())
        return DeletePlan(
            paths=tuple(found),
            stats=tuple(tuple(stats) for stats in found.values()),
            held=tuple(item for item in held if item is not None),
        )

    def _held_of(self, path: str, stats: Sequence[Stat]) -> SessionInUse | None:
        """Tell why an agent may hold a session open, or one of its subagents."""
        for stat in stats:
            item = self._holding.item(stat.path)
            if item is not None:
                return msgspec.structs.replace(item, path=path)
        return None

    async def delete(
        self, storage: SessionStorage, plan: DeletePlan, progress: Progress | None = None
    ) -> Trashed:
        """Move the plan's sessions to the trash, each with what belongs to it.

        What the plan says of agents was agreed to; a session that one has taken up since
        is not and fails. What was moved can be brought back by `undo`, also if not all were.

        Raises:
            StorageError: All that was tried failed; why the first one did.
        """
        done: list[TrashItem] = []
        together = secrets.token_hex(4)
        agreed = {item.path for item in plan.held}
        numbers = {path: number for number, path in enumerate(plan.paths, 1)}
        ahead: dict[str, list[Stat]] = {}

        async def one(path: str) -> TrashItem:
            if path not in ahead:
                # Looked for again, a number at once: what came since the plan goes along.
                first = numbers[path] - 1
                ahead.clear()
                ahead.update(await storage.all_artifacts(plan.paths[first : first + _AT_ONCE]))
            with self._noted(path, "deleting…"):
                if path not in ahead:
                    raise SessionNotFoundError(path)
                item = await storage.trash_session(
                    path,
                    keep_ms=self.keep_ms,
                    mark=f"{together}-{numbers[path]}",
                    guard=None if path in agreed else self._holding.guard(path),
                    stats=ahead.pop(path),
                )
            done.append(item)
            return item

        try:
            return (await run_each(plan.paths, one, progress or Progress(), self._name)).or_error()
        finally:
            self.remember(done)

    def remember(self, items: Sequence[TrashItem]) -> None:
        """Let the next `undo` bring these back together; none is no deletion."""
        if items:
            self._done.append(tuple(items))

    async def undo(self, storage: SessionStorage, progress: Progress | None = None) -> Trashed:
        """Bring back what the last `delete` took; empty if there is nothing to undo.

        What was not brought back, because it failed or was stopped, can be tried again,
        unless it is not in the trash any more.

        Raises:
            StorageError: All that was tried failed; why the first one did.
        """
        if not self._done:
            return Outcome()
        items = {item.path: item for item in reversed(self._done.pop())}
        restored: set[str] = set()

        async def one(path: str) -> TrashItem:
            item = await storage.restore(items[path])
            restored.add(path)
            return item

        gone: set[str] = set()
        try:
            outcome = await run_each(list(items), one, progress or Progress(), self._name)
            gone = {
                failure.path
                for failure in outcome.failed
                if isinstance(failure.error, SessionNotFoundError)
            }
        finally:
            left = [item for path, item in items.items() if path not in restored | gone]
            if left:
                self._done.append(tuple(reversed(left)))
        return outcome.or_error()

    def _name(self, path: str) -> str:
        row = self._row(path)
        return path if row is None else shown_title(row)
