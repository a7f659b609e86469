"""Sums over all sessions, which of them changed lately, and where renamed ones went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessiontui.catalog.row import Row

_RENAMED: Final = 100
"""How many renames are remembered."""


class Totals(msgspec.Struct, frozen=True):
    """What there is in all, whatever is shown."""

    sessions: int
    bytes: int
    groups: int


class Renames:
    """The last `_RENAMED` old paths, and where their sessions went."""

    def __init__(self) -> None:
        self._went: dict[str, str] = {}

    def note(self, old: str, new: str) -> None:
        """Remember a rename."""
        self._went.pop(new, None)
        self._went[old] = new
        if len(self._went) > _RENAMED:
            del self._went[next(iter(self._went))]

    def now_at(self, path: str, rows: Mapping[str, Row]) -> str | None:
        """Return where a session is now; None if it is gone."""
        for _ in range(_RENAMED):
            if path in rows or path not in self._went:
                break
            path = self._went[path]
        return path if path in rows else None

    def clear(self) -> None:
        """Forget everything."""
        self._went.clear()


class Recent:
    """The sessions modified since some time.

    Args:
        rows: All sessions.
    """

    def __init__(self, rows: Mapping[str, Row]) -> None:
        self._rows = rows
        self.paths: set[str] = set()
        """To these is added what is modified at `since_ms` or later."""
        self.since_ms: int | None = None

    def rows(self, since_ms: int) -> list[Row]:
        """Return the sessions modified at `since_ms` or later, in no order.

        Looks at all of them only when it is asked further back than before.
        """
        if self.since_ms is None or since_ms < self.since_ms:
            self.paths = {path for path, row in self._rows.items() if row.mtime_ms >= since_ms}
        self.since_ms = since_ms
        rows = [self._rows[path] for path in self.paths]
        fresh = [row for row in rows if row.mtime_ms >= since_ms]
        if len(fresh) < len(rows):
            self.paths = {row.path for row in fresh}
        return fresh
