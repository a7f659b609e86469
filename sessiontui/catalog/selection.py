"""The selection: sessions that the user selected, to act on many at once.

A mark belongs to a session's path: it survives sorting, filtering and folding,
follows a rename and vanishes with its session. Folding changes what is seen,
not what is meant: a project stands for all sessions in it that fit the search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from sessiontui.catalog.query import Query
    from sessiontui.catalog.row import Row

SelectionState = Literal["none", "some", "all"]
"""How much of what a line stands for is marked."""


class Selection:
    """The selected sessions, with their number and bytes always at hand.

    Args:
        rows: All sessions.
    """

    def __init__(self, rows: Mapping[str, Row]) -> None:
        self._rows = rows
        self._paths: set[str] = set()
        self._groups: dict[str, tuple[tuple[int, int, Query | None], SelectionState]] = {}
        """Projects that were looked at: what it depends on, and how they were marked."""
        self._version = 0
        self.bytes = 0
        """Size of all marked sessions together."""
        self.asked: str | None = None
        """What was searched for when all of them were marked at once, empty for nothing; None
        where some were marked otherwise."""
        self.last: str | None = None
        """The session marked last by itself: where a range begins."""

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, path: object) -> bool:
        return path in self._paths

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    # What the user does

    def toggle(self, path: str) -> None:
        """Mark a session, or take its mark away; the next range begins here."""
        (self.discard if path in self._paths else self.add)((path,))
        self.last = path if path in self._rows else None

    def toggle_all(self, paths: Collection[str]) -> None:
        """Mark these, or take their marks away where all have one."""
        (self.discard if self._paths.issuperset(paths) else self.add)(paths)

    def add(self, paths: Iterable[str], *, asked: str | None = None) -> None:
        """Mark sessions; unknown ones are no matter.

        Args:
            paths: The sessions.
            asked: What was searched for, where these are all that fit; empty for nothing.
        """
        self.asked = asked if not self._paths or asked == self.asked else None
        self._add(paths)

    def _add(self, paths: Iterable[str]) -> None:
        fresh = set(paths) - self._paths
        fresh &= self._rows.keys()
        self._paths |= fresh
        self._count(fresh, 1)

    def discard(self, paths: Iterable[str]) -> None:
        """Take marks away."""
        gone = self._paths.intersection(paths)
        self._paths -= gone
        self._count(gone, -1)

    def invert(self, paths: Iterable[str], *, asked: str | None = None) -> None:
        """Mark those of these that are not, and the other way round; others keep theirs.

        Args:
            paths: The sessions.
            asked: As for `add`.
        """
        all_of_them = set(paths)
        marked = self._paths & all_of_them
        self.discard(marked)
        self.add(all_of_them - marked, asked=asked)

    def clear(self) -> None:
        """Take all marks away."""
        self._paths.clear()
        self._groups.clear()
        self._version += 1
        self.bytes, self.last, self.asked = 0, None, None

    # What happens to the sessions

    def resized(self, old: Row, new: Row) -> None:
        """Take in another size of a session."""
        if old.path in self._paths:
            self.bytes += new.size - old.size

    def removed(self, row: Row) -> None:
        """Forget a session that is gone."""
        if row.path in self._paths:
            self._paths.remove(row.path)
            self._version += 1
            self.bytes -= row.size
        if row.path == self.last:
            self.last = None

    def renamed(self, old: str, new: str) -> None:
        """Let a session keep its mark at its new path; to be told before the old one is gone."""
        if old in self._paths:
            self._add((new,))
        if self.last == old:
            self.last = new

    # How it looks

    def of_session(self, path: str) -> SelectionState:
        """Tell whether a session is marked."""
        return "all" if path in self._paths else "none"

    def of_group(
        self, key: str, members: Iterable[str], sessions: int, query: Query | None
    ) -> SelectionState:
        """Tell how much of a project is marked; looks at its sessions once a change.

        Args:
            key: The project.
            members: Its sessions that fit the search, looked at only where need be.
            sessions: How many those are.
            query: What is searched for.
        """
        if not self._paths:
            return "none"
        known = self._groups.get(key)
        now = (self._version, sessions, query)
        if known is not None and known[0] == now:
            return known[1]
        marked = sum(path in self._paths for path in members)
        found: SelectionState = "none" if not marked else "all" if marked >= sessions else "some"
        self._groups[key] = (now, found)
        return found

    def _count(self, paths: Collection[str], sign: int) -> None:
        self._version += 1
        rows = self._rows
        self.bytes += sign * sum(rows[path].size for path in paths if path in rows)
