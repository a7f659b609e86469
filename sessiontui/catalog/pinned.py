"""Pinned, orphaned and empty sessions.

Pinned ones stand above all projects, with what is beneath them. A subagent whose
session is gone stands among the others below all projects, where it floods
nothing. A session in which nobody said anything, nor in a subagent beneath it, is
empty: begun, and left. It is hidden unless the user named or pinned it or something
stands beneath it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sessiontui.catalog.empty import is_empty
from sessiontui.catalog.projects import NO_PROJECT
from sessiontui.catalog.row import PINNED
from sessiontui.catalog.sorting import folder_of, is_sidecar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sessiontui.catalog.hierarchy import Hierarchy
    from sessiontui.catalog.row import Row
    from sessiontui.catalog.stats import SessionStats

MOST_PINS: Final = 1000
"""The oldest one goes where there would be more."""


class QueryContext(NamedTuple):
    """What a query asks beside a session's row."""

    now: Callable[[], int]
    """The time in milliseconds since the epoch."""
    project: Callable[[Row], str]
    pinned: Callable[[str], bool]
    empty: Callable[[Row], bool]
    kinds: Callable[[str], set[str]]
    """Of a session: `subagent`, `fork`, `orphan`, and what is beneath it: `subagents`, `forks`."""
    figures: Callable[[str], SessionStats | None]
    """None where they are not known yet."""


class SessionKinds:
    """Tells which sessions are pinned, orphaned or empty.

    Args:
        rows: All sessions.
        families: Which stands beneath which.
    """

    def __init__(self, rows: Mapping[str, Row], families: Hierarchy) -> None:
        self._rows = rows
        self._families = families
        self.pins: dict[str, None] = {}
        """Paths, in the order in which they were pinned; also of sessions that are not here."""
        self.placed: dict[str, str] = {}
        """Sessions in a group that is no project -> that group."""
        self.empty: set[str] = set()
        """Sessions to hide, hidden or not."""
        self.hidden: set[str] = set()
        """Sessions that are hidden."""
        self._shows_empty = False
        self._sidecars: dict[str, bool] = {}
        """Folder -> whether it, or one above it, is named after a session; kept until `clear`."""

    @property
    def shows_empty(self) -> bool:
        """Whether empty sessions are shown."""
        return self._shows_empty

    def show_empty(self, shown: bool) -> None:
        """Show or hide empty sessions."""
        self._shows_empty = shown
        self.hidden.clear()
        if not shown:
            self.hidden.update(self.empty)

    def around(
        self,
        now: Callable[[], int],
        project: Callable[[Row], str],
        figures: Callable[[str], SessionStats | None],
    ) -> QueryContext:
        """Return what queries ask beside a session's row."""
        return QueryContext(
            now=now,
            project=project,
            pinned=lambda path: path in self.pins,
            empty=self.is_empty,
            kinds=self.kinds,
            figures=figures,
        )

    def clear(self) -> None:
        """Forget what was learned of folders."""
        self._sidecars.clear()

    def pin(self, path: str, *, pinned: bool) -> list[str]:
        """Pin a session or take its pin away; return the sessions whose pin changed."""
        changed = []
        if pinned and path not in self.pins:
            self.pins[path] = None
            changed.append(path)
            if len(self.pins) > MOST_PINS:
                changed.append(next(iter(self.pins)))
                del self.pins[changed[-1]]
        elif not pinned and path in self.pins:
            del self.pins[path]
            changed.append(path)
        return changed

    def renamed(self, old: str, new: str) -> None:
        """Let a session keep its pin at its new path."""
        if old in self.pins:
            self.pins = {new if path == old else path: None for path in self.pins}

    def look(self, paths: Iterable[str]) -> None:
        """Look again at sessions that changed, came or went."""
        rows, empty, sidecars = self._rows, self.empty, self._sidecars
        marked = self.placed.keys() | self.pins.keys()
        for path in paths:  # All of them when they come, so that every call counts.
            row = rows.get(path)
            if row is not None and row.message_bytes is None and self._is_to_hide(row):
                empty.add(path)
                if not self._shows_empty:
                    self.hidden.add(path)
            elif path in empty:
                empty.discard(path)
                self.hidden.discard(path)
            folder = path.rpartition("/")[0]
            inside = sidecars.get(folder)
            if inside is None:
                inside = self._is_sidecar(folder)
            if inside or path in marked:
                self._place(path, inside=inside)

    def _place(self, path: str, *, inside: bool) -> None:
        """Put a session into a group that is no project, or take it out of that."""
        group = None
        if path in self.pins:
            group = PINNED
        elif inside and self._families.parent(path) is None:
            group = NO_PROJECT
        if group is not None and path in self._rows:
            self.placed[path] = group
        else:
            self.placed.pop(path, None)

    def is_empty(self, row: Row) -> bool:
        """Tell whether it is certain that nobody said anything in a session or its subagents."""
        return is_empty(row) and not any(
            self._families.is_subagent(child) for child in self._families.children(row.path)
        )

    def _is_to_hide(self, row: Row) -> bool:
        return (
            is_empty(row)
            and row.title_source != "user"
            and row.path not in self.pins
            and not self._families.children(row.path)
        )

    def _is_sidecar(self, folder: str) -> bool:
        found, above = False, folder
        while above and not found:
            found = is_sidecar(above)
            above = folder_of(above)
        self._sidecars[folder] = found
        return found

    def kinds(self, path: str) -> set[str]:
        """Return what a session is in its family, and what stands beneath it.

        It is a `subagent` or a `fork`, and an `orphan` without its parent; beneath it are
        `subagents` and `forks`.
        """
        families = self._families
        kinds = {
            "subagents" if families.is_subagent(child) else "forks"
            for child in families.children(path)
        }
        row = self._rows[path]
        if families.is_subagent(path) or self._sidecars.get(folder_of(path)):
            kinds.add("subagent")
        elif row.parent:
            kinds.add("fork")
        if kinds & {"subagent", "fork"} and not families.has_parent(path):
            kinds.add("orphan")
        return kinds
