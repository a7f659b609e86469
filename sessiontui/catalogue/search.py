"""The search through all sessions, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiontui.catalogue.query import Query, haystack

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from sessiontui.catalogue.outline import Outline
    from sessiontui.catalogue.row import Row

SLICE = 1000
"""How many sessions one step looks at: a few milliseconds."""


class Search:
    """What fits the query, kept up to date while sessions change.

    Args of the constructor:
        rows: All sessions.
        project: Says how a session's project is shown.
        outline: Makes an outline, still empty, for sessions with these scores.
    """

    def __init__(
        self,
        rows: Mapping[str, Row],
        project: Callable[[Row], str],
        outline: Callable[[Mapping[str, int]], Outline],
    ) -> None:
        self._rows = rows
        self._project = project
        self._outline = outline
        self.query: Query | None = None
        """What is searched for and shown; None: no search."""
        self.found: Outline | None = None
        """The sessions that fit, the best first."""
        self._scores: dict[str, int] = {}
        self._hays: dict[str, str] = {}
        """What is searched of each session; only while there is a search."""
        self._running: Query | None = None
        self._arrangement = 0
        self._late: set[str] = set()
        """Sessions that changed while a search was running."""

    def start(self, text: str, sync: Callable[[], None]) -> Iterator[None]:
        """Begin to search; what was running ends without effect.

        Args:
            text: What the user typed; blank ends the search at once.
            sync: Has everything that changed told to `follow`.

        Returns:
            The steps; once they are exhausted the result is there.
        """
        query = Query(text)
        if query:
            self._running = query
            return self._steps(query, sync)
        self._running = self.query = self.found = None
        self._scores, self._hays = {}, {}
        return iter(())

    def _steps(self, query: Query, sync: Callable[[], None]) -> Iterator[None]:
        if self._running is not query:
            return
        sync()
        self._late = late = set[str]()
        narrowed = self.query is not None and query.narrows(self.query)
        paths = list(self._scores if narrowed else self._rows)
        scores: dict[str, int] = {}
        for start in range(0, len(paths), SLICE):
            for path in paths[start : start + SLICE]:
                self._rate(path, query, scores)
            yield
            if self._running is not query:
                return
        found = self._outline(scores)
        arrangement = self._arrangement
        rows = [row for path in scores if (row := self._rows.get(path)) is not None]
        for _ in found.build_steps(rows, SLICE):
            yield
            if self._running is not query:
                return
        sync()
        for path in late:
            self._rate(path, query, scores)
        found.update(late, scores.__contains__)
        self._running = None
        self.query, self.found, self._scores = query, found, scores
        if arrangement != self._arrangement:
            self.rearrange()

    def rearrange(self) -> None:
        """Show what was, or is being, found in another order."""
        self._arrangement += 1
        if self.found is not None:
            self.found = self._outline(self._scores)
            self.found.build([self._rows[path] for path in self._scores])

    def follow(self, changed: Collection[str]) -> None:
        """Look again at sessions that changed, came or went."""
        for path in changed:
            self._hays.pop(path, None)
        if self._running is not None:
            self._late.update(changed)
        if self.found is not None and self.query is not None:
            for path in changed:
                self._rate(path, self.query, self._scores)
            self.found.update(changed, self._scores.__contains__)

    def _rate(self, path: str, query: Query, scores: dict[str, int]) -> None:
        row = self._rows.get(path)
        if row is not None:
            hay = self._hays.get(path)
            if hay is None:
                hay = self._hays[path] = haystack(row, self._project(row))
            if score := query.score(hay):
                scores[path] = score
                return
        scores.pop(path, None)
