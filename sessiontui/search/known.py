"""What the index says of sessions, in little memory.

There may be a hundred thousand, and most never change again. Of one that is known whole
and as it is now only its figures are held: everything else its row says.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from sessiontui.search.index_cache import Known
from sessiontui.storage.changes import Appended

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiontui.catalog.row import Row
    from sessiontui.storage.changes import Created, Retitled, Rewritten


class KnownSessions(Mapping[str, Known]):
    """What the index knows, by path.

    Args:
        rows: The rows as they are now; where one changes, `note` is called before
            anything else is asked here.
    """

    def __init__(self, rows: Mapping[str, Row]) -> None:
        self._rows = rows
        self._held: dict[str, Known | bytes] = {}
        """Figures alone of sessions that are known whole and as they are now."""

    def __getitem__(self, path: str) -> Known:
        held = self._held[path]
        if not isinstance(held, bytes):
            return held
        row = self._rows[path]
        return Known(row.size, row.mtime_ms, row.size, row.size, held)

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def is_current(self, path: str) -> bool:
        """Tell whether a session that there is is known as it is now."""
        row = self._rows.get(path)
        held = self._held.get(path)
        if row is None or held is None:
            return False
        return isinstance(held, bytes) or held.is_current(row.size, row.mtime_ms)

    def put(self, path: str, known: Known) -> None:
        """Take in what the index says of a session now."""
        row = self._rows.get(path)
        whole = known.size == known.stop == known.text_stop
        if row is not None and whole and known.is_current(row.size, row.mtime_ms):
            self._held[row.path] = _alike(known.packed)
        else:
            self._held[path if row is None else row.path] = known

    def drop(self, path: str) -> None:
        """Forget a session."""
        self._held.pop(path, None)

    def move(self, path: str, new_path: str) -> None:
        """Let a session have another path; whether it is the same is for the index to tell."""
        held = self._held.pop(path, None)
        if held is not None:
            self._held[new_path] = _figures_alone(held)

    def note(self, change: Appended | Created | Retitled | Rewritten) -> None:
        """Take note that a session is another one than its row said until now."""
        held = self._held.get(change.path)
        if isinstance(held, bytes):
            stop = change.start if isinstance(change, Appended) else 0
            self._held[change.path] = _figures_alone(held, stop)

    def others_than(self, before: KnownSessions) -> frozenset[str]:
        """Return the sessions of which something else is known than before."""
        held = before._held
        return frozenset(path for path, item in self._held.items() if held.get(path) != item)


def _figures_alone(held: Known | bytes, stop: int = 0) -> Known:
    """Return a session that must be read again, from `stop` on where it did but grow."""
    return Known(stop, -1, stop, stop, held) if isinstance(held, bytes) else held


@lru_cache(maxsize=4096)
def _alike(packed: bytes) -> bytes:
    """Return figures as one object for all sessions that had the same lately: short ones do."""
    return packed
