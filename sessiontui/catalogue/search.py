"""The search through all sessions, step by step, from the top of the list on.

What was found is shown before everything was looked at, and again when there is
much more; of many the best are shown, since nobody reads further than that.
"""

from __future__ import annotations

from collections import Counter
from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING, Final

from sessiontui.catalogue.haystacks import haystack, names_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set

    from sessiontui.catalogue.order import Place
    from sessiontui.catalogue.outline import Outline
    from sessiontui.catalogue.query import Query
    from sessiontui.catalogue.row import Row
    from sessiontui.catalogue.special import Surroundings

SLICE: Final = 250
"""How many sessions one step looks at: about a millisecond."""
PATTERN_SLICE: Final = 10
"""The same for queries with patterns."""
FIRST: Final = 2000
"""How many sessions are looked at before the first are shown."""
_MORE: Final = 6
"""How many times as many are looked at before more are shown."""
FEW: Final = 200
"""How many sessions are shown while the search goes on: to arrange more would take longer."""
MOST: Final = 1000
"""How many sessions are shown at most when a search begins; those that change come on top."""


def best(scores: Mapping[str, int], most: int) -> list[str]:
    """Return the paths with the highest scores, at most so many; of equals those in front."""
    if len(scores) <= most:
        return list(scores)
    left = most
    least = 0
    for score, count in sorted(Counter(scores.values()).items(), reverse=True):
        least = score
        if count >= left:
            break
        left -= count
    equals = islice((path for path, score in scores.items() if score == least), left)
    return [*(path for path, score in scores.items() if score > least), *equals]


class Search:
    """What fits the query, kept up to date while sessions change.

    Args of the constructor:
        rows: All sessions.
        around: Tells what a row alone does not, first of all its project.
        hidden: Sessions that are found only by a query that is about them.
        outline: Makes an outline, still empty, for sessions with these scores.
        place: Gives a session its place where it does not depend on its score.
    """

    def __init__(
        self,
        rows: Mapping[str, Row],
        around: Surroundings,
        hidden: Set[str],
        outline: Callable[[Mapping[str, int]], Outline],
        place: Callable[[], Callable[[Row], Place]],
    ) -> None:
        self._rows = rows
        self._around = around
        self._hidden = hidden
        self._outline = outline
        self._place = place
        self.best_first = True
        """Whether of those that fit the best come first; else they stand in their order."""
        self.query: Query | None = None
        """What is searched for and shown; None: no search."""
        self.found: Outline | None = None
        """The sessions that fit, in their order."""
        self._whole: Query | None = None
        """The query, once every session was looked at for it."""
        self._scores: dict[str, int] = {}
        self._unsure: set[str] = set()
        """Sessions of which it is not known yet whether they fit."""
        self._best: set[str] = set()
        """The sessions that are shown."""
        self._hays: dict[str, tuple[str, str]] = {}
        """What is searched of each session, and its names; only while there is a search."""
        self._top: list[str] = []
        """What stood at the top of the list when the search began."""
        self._running: Query | None = None
        self._late: set[str] = set()
        """Sessions that changed while a search was running."""

    def start(
        self, text: str, sync: Callable[[], None], top: Callable[[int], list[str]]
    ) -> Iterator[bool]:
        """Begin to search; what was running ends without effect.

        Args:
            text: What the user typed; blank ends the search at once.
            sync: Has everything that changed told to `follow`.
            top: Returns so many sessions from the top of the list.

        Returns:
            The steps, each true where there is more to show than before; once
            they are exhausted the whole result is there.

        Raises:
            QueryError: It cannot be understood; what is shown stays.
        """
        from sessiontui.catalogue.query import Query

        query = Query(text)
        if query:
            self._running = query
            return self._steps(query, sync, top)
        self.best_first = True
        self._running = self._whole = self.query = self.found = None
        self._scores, self._unsure, self._best, self._hays = {}, set(), set(), {}
        self._top = []
        return iter(())

    def _steps(
        self, query: Query, sync: Callable[[], None], top: Callable[[int], list[str]]
    ) -> Iterator[bool]:
        if self._running is not query:
            return
        sync()
        self._late = late = set[str]()
        paths = self._to_look_at(query, top)
        scores: dict[str, int] = {}
        unsure: set[str] = set()
        show_at = FIRST
        # A pattern may take milliseconds for one session, and a key is not to wait for many.
        size = PATTERN_SLICE if query.patterned else SLICE
        for stop in range(size, len(paths) + size, size):
            self._look_at(paths[stop - size : stop], query, scores, unsure)
            shows = show_at <= stop < len(paths) and bool(scores)
            if shows:
                show_at = stop * _MORE
                self._show(query, scores, unsure)
            yield shows
            if self._running is not query:
                return
        sync()
        for path in late:
            self._rate(path, query, scores, unsure)
        self._running = None
        self._show(query, scores, unsure)
        self._whole = query

    def _to_look_at(self, query: Query, top: Callable[[int], list[str]]) -> list[str]:
        """Return what may fit; only what fitted where letters were added.

        The top of the list stands in front, and again among all others: that costs less than
        leaving it out. It is found once for all that is typed.
        """
        if self._whole is not None and query.narrows(self._whole):
            return [*self._scores, *self._unsure]
        if not self._top:
            self._top = top(FIRST)
        return [*self._top, *self._rows]

    def _show(self, query: Query, scores: dict[str, int], unsure: set[str]) -> None:
        """Show what has been found so far, if it is too much the first of it."""
        self._whole = None
        self.query, self._scores, self._unsure = query, scores, unsure
        self.rearrange()

    def rearrange(self) -> None:
        """Show what was found in another order."""
        if self.query is not None:
            self._best = set(self._first(self._scores))
            self.found = self._outline(self._scores)
            self.found.build([self._rows[path] for path in self._best if path in self._rows])

    def _first(self, scores: Mapping[str, int]) -> Iterable[str]:
        """Return those that fit and come first."""
        most = MOST if self._running is None else FEW
        if self.ranked or len(scores) <= most:
            return best(scores, most)
        rows = (self._rows[path] for path in scores if path in self._rows)
        return (row.path for row in nsmallest(most, rows, key=self._place()))

    def follow(self, changed: Collection[str]) -> None:
        """Look again at sessions that changed, came or went."""
        for path in changed:
            self._hays.pop(path, None)
        if self._running is not None:
            self._late.update(changed)
        if self.found is not None and self.query is not None:
            for path in changed:
                self._rate(path, self.query, self._scores, self._unsure)
            self._best.update(path for path in changed if path in self._scores)
            self._best.intersection_update(self._scores)
            self.found.update(changed, self._best.__contains__)

    @property
    def ranked(self) -> bool:
        """Whether the best stand first; without words no session fits better than another."""
        return self.query is not None and self.query.worded and self.best_first

    @property
    def count(self) -> int:
        """How many sessions fit, shown or not, as far as was looked."""
        return len(self._scores)

    @property
    def paths(self) -> Collection[str]:
        """The sessions that fit, as far as was looked."""
        return self._scores.keys()

    @property
    def unsure(self) -> Collection[str]:
        """The sessions of which it is not known yet whether they fit."""
        return self._unsure

    def _look_at(
        self, paths: list[str], query: Query, scores: dict[str, int], unsure: set[str]
    ) -> None:
        """Score those of many sessions that may fit."""
        known = [path for path in paths if path in self._rows]
        if not query.worded:
            for path in known:
                self._rate(path, query, scores, unsure)
            return
        simple = not (query.conditional or self._hidden)
        hays = [self._hays.get(path) or self._hay(path) for path in known]
        for number in query.sift([hay for hay, _ in hays], [names for _, names in hays]):
            if score := query.score(hays[number][0]):
                if simple:
                    scores[known[number]] = score
                else:
                    self._enter(known[number], score, query, scores, unsure)

    def _enter(
        self, path: str, score: int, query: Query, scores: dict[str, int], unsure: set[str]
    ) -> None:
        """Enter a session whose words fit, if everything else does."""
        if path in self._hidden and not query.about_empty:
            return
        if query.conditional and not (holds := query.holds(self._rows[path], self._around)):
            if holds is None:
                unsure.add(path)
            return
        scores[path] = score

    def _hay(self, path: str) -> tuple[str, str]:
        row = self._rows[path]
        hay = haystack(row, self._around.project(row))
        made = self._hays[path] = (hay, names_of(hay))
        return made

    def _rate(self, path: str, query: Query, scores: dict[str, int], unsure: set[str]) -> None:
        scores.pop(path, None)
        unsure.discard(path)
        if path in self._rows:
            score = 1
            if query.spoken:
                hay, _ = self._hays.get(path) or self._hay(path)
                score = query.score(hay)
            if score:
                self._enter(path, score, query, scores, unsure)
