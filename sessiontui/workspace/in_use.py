"""Whether a session is in use by a running agent: the one judgement.

Whatever would take an agent's work from it asks here before, and once more in its
turn at the store (`InUseTracker.guard`), with what stands there then. What agents tell of
themselves counts first (`workspace.live`); where they tell nothing, how long ago anything
happened (`catalog.status.in_use_reason`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from sessiontui.catalog.row_builder import in_use_reason
from sessiontui.catalog.status import GREW_MS
from sessiontui.workspace.events import SessionInUse

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiontui.catalog.row import Row
    from sessiontui.formats.base import Evidence
    from sessiontui.storage.backend import Stat
    from sessiontui.storage.write_queue import Guard

_CHANGED = "it changed just now"


class InUseTracker:
    """Judges by their rows whether sessions are in use.

    Args:
        row: Returns the row of a session, or None.
        size: Returns how long a session is by the last word of the store.
        clock: The time in milliseconds since the epoch.
        live: Returns what agents tell of a session.
        guess: Returns what its processes make likely.
    """

    def __init__(
        self,
        row: Callable[[str], Row | None],
        size: Callable[[str], int | None],
        clock: Callable[[], int],
        live: Callable[[Row], Evidence | None] = lambda _row: None,
        guess: Callable[[Row], Evidence | None] = lambda _row: None,
    ) -> None:
        self._row = row
        self._size = size
        self._clock = clock
        self._live = live
        self._guess = guess

    def _why(self, row: Row) -> str | None:
        now_ms = self._clock()
        evidence = self._live(row)
        if evidence is not None and evidence.state != "gone":
            return evidence.reason
        grows = row.grew_ms is not None and now_ms - row.grew_ms <= GREW_MS
        if evidence is None or grows:
            reason = in_use_reason(row, now_ms=now_ms)
            if reason is not None:
                return reason
        guess = self._guess(row)
        return None if guess is None else guess.reason

    def running(self, path: str) -> str | None:
        """Return what tells that an agent has a session open now, however long it was silent."""
        row = self._row(path)
        if row is None:
            return None
        evidence = self._live(row)
        if evidence is None or evidence.state == "gone":
            evidence = self._guess(row)
        return None if evidence is None else evidence.reason

    def item(self, path: str) -> SessionInUse | None:
        """Return why an agent may hold a session open, or None."""
        row = self._row(path)
        reason = None if row is None else self._why(row)
        return None if row is None or reason is None else SessionInUse(path, row.title, reason)

    def guard(self, path: str, *, growth: bool = True, conversation: bool = True) -> Guard:
        """Return what refuses a session that an agent may hold open when its turn comes.

        Args:
            path: The session.
            growth: Whether it counts that it grew; not where that was our own doing.
            conversation: Whether it counts how its conversation stands; not where its agent is
                known to have gone on elsewhere.
        """

        def why(stat: Stat) -> str | None:
            row = self._row(path)
            if row is None or stat.size != self._size(path):
                return _CHANGED
            if growth:
                row = replace(row, mtime_ms=max(row.mtime_ms, stat.mtime_ms or 0))
            else:
                row = replace(row, mtime_ms=row.last_message_ms or 0, grew_ms=None)
            if not conversation:
                row = replace(row, tail=replace(row.tail, ending=None))
            return self._why(row)

        return why

    def growth(self, path: str) -> Guard:
        """Return what refuses a session that somebody else has taken up from now on.

        For the second of two changes of ours: the first has left its row to be read again.
        """
        before = self._row(path)

        def why(stat: Stat) -> str | None:
            now = self._row(path)
            grew = before is None or now is None or now.grew_ms != before.grew_ms
            if grew or stat.size != self._size(path):
                return _CHANGED
            return self.running(path)

        return why
