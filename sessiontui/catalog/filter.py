"""The filter of the list: which sessions match the query, found step by step from the top.

Where no session holds the words as they were typed, those can be looked for that hold
their letters; these are only shown, and end as soon as one fits literally. What cannot be
understood fits nothing.

What was found is shown before everything was looked at, and again when there is
much more; of many the best are shown, since nobody reads further than that.
"""

from __future__ import annotations

from collections import Counter
from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING, Final

from sessiontui.catalog.search_text import name_lines, search_text
from sessiontui.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Set

    from sessiontui.catalog.outline import Outline
    from sessiontui.catalog.pinned import QueryContext
    from sessiontui.catalog.query import Query
    from sessiontui.catalog.row import Row
    from sessiontui.catalog.sorting import SortKey

SLICE: Final = 250
"""How many sessions one step looks at: about a millisecond."""
PATTERN_SLICE: Final = 10
"""The same for queries with patterns."""
FIRST: Final = 2000
"""How many sessions are looked at before the first are shown."""
_MORE: Final = 6
"""How many times as many are looked at before more are shown."""
FEW_MATCHES: Final = 200
"""How many sessions are shown while the search goes on: to arrange more would take longer."""
MAX_MATCHES: Final = 1000
"""How many sessions are shown at most when a search begins; those that change come on top."""


def best_matches(scores: Mapping[str, int], most: int) -> list[str]:
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


class Filter:
    """The sessions that match the query, kept up to date while sessions change.

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
        around: QueryContext,
        hidden: Set[str],
        outline: Callable[[Mapping[str, int]], Outline],
        place: Callable[[], Callable[[Row], SortKey]],
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
        self._literal: Query | None = None
        """The query of what is shown as it was typed."""
        self.wrong = ""
        """Why what was typed last is not understood; then nothing fits."""
        self.keeps = False
        """Whether something is in view nevertheless: the user is still typing."""
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
        self,
        text: str,
        sync: Callable[[], None],
        top: Callable[[int], list[str]],
        *,
        similar: bool,
        typing: bool,
    ) -> Iterator[bool]:
        """Begin to search; what was running ends without effect.

        Args:
            text: What the user typed; blank ends the search at once.
            sync: Has everything that changed told to `follow`.
            top: Returns so many sessions from the top of the list.
            similar: Whether to look for the letters of words that stand nowhere.
            typing: Whether more of it may come: where this is but the beginning of a query, what
                stands before the condition that is being typed is shown, and nothing fits.

        Returns:
            The steps, each true where there is more to show than before; once
            they are exhausted the whole result is there.

        Raises:
            QueryError: It cannot be understood: nothing fits.
        """
        from sessiontui.catalog.query import Query, is_beginning, understood_part

        self._running = None
        self.wrong, self.keeps = "", False
        try:
            query = Query(text)
        except QueryError as error:
            self.wrong = str(error)
            if not (typing and is_beginning(text)):
                raise
            self.keeps = True
            query = Query(understood_part(text))
        if query:
            self._running = query
            return self._steps(query, sync, top, similar=similar)
        self.best_first = True
        self._whole = self._literal = self.query = self.found = None
        self._scores, self._unsure, self._best, self._hays = {}, set(), set(), {}
        self._top = []
        return iter(())

    def _steps(
        self,
        query: Query,
        sync: Callable[[], None],
        top: Callable[[int], list[str]],
        *,
        similar: bool,
    ) -> Iterator[bool]:
        if self._running is not query:
            return
        whole, literal = self._whole, query
        narrows = whole is not None and query.narrows(whole)
        before = [*self._scores, *self._unsure] if narrows else None
        # What did not hold the words does not hold more letters of them.
        known = [] if whole is not None and whole.similar and narrows else before
        scores, unsure, late = yield from self._look(query, query, sync, top, known)
        if self._running is not query:
            return
        if similar and query.may_be_similar and not scores and not unsure:
            loose = type(query)(query.text, similar=True)
            known = before if whole is not None and whole.similar else None
            alike, maybe, late = yield from self._look(query, loose, sync, top, known)
            if self._running is not query:
                return
            for path in late:  # It may hold the words by now.
                self._rate(path, query, scores, unsure)
            if not scores and not unsure:
                query, scores, unsure = loose, alike, maybe
        self._running = None
        self._show(query, scores, unsure)
        self._whole, self._literal = query, literal

    def _look(
        self,
        running: Query,
        query: Query,
        sync: Callable[[], None],
        top: Callable[[int], list[str]],
        known: list[str] | None,
    ) -> Generator[bool, None, tuple[dict[str, int], set[str], set[str]]]:
        """Look at sessions for a query; ends early where another search began.

        Args:
            running: The search.
            query: What is looked for.
            sync: Has everything that changed told to `follow`.
            top: Returns so many sessions from the top of the list.
            known: What may fit, if that is known.

        Returns:
            What fits, what may, and the sessions that changed meanwhile.
        """
        sync()
        self._late = late = set[str]()
        paths = self._in_order(top) if known is None else known
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
            if self._running is not running:
                return scores, unsure, late
        sync()
        for path in late:
            self._rate(path, query, scores, unsure)
        return scores, unsure, late

    def _in_order(self, top: Callable[[int], list[str]]) -> list[str]:
        """Return all sessions, the top of the list in front and again among all others.

        That costs less than leaving it out there. It is found once for all that is typed.
        """
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
        most = MAX_MATCHES if self._running is None else FEW_MATCHES
        if self.ranked or len(scores) <= most:
            return best_matches(scores, most)
        rows = (self._rows[path] for path in scores if path in self._rows)
        return (row.path for row in nsmallest(most, rows, key=self._place()))

    def follow(self, changed: Collection[str]) -> None:
        """Look again at sessions that changed, came or went."""
        for path in changed:
            self._hays.pop(path, None)
        if self._running is not None:
            self._late.update(changed)
        if self.found is not None and self.query is not None:
            if self.query.similar and self._is_literal_now(changed):
                return
            for path in changed:
                self._rate(path, self.query, self._scores, self._unsure)
            self._best.update(path for path in changed if path in self._scores)
            self._best.intersection_update(self._scores)
            self.found.update(changed, self._best.__contains__)

    def _is_literal_now(self, changed: Collection[str]) -> bool:
        """Show what holds the words as they were typed, if any of what changed does by now."""
        query = self._literal
        if query is None or self._running is not None:
            return False
        scores: dict[str, int] = {}
        for path in changed:
            self._rate(path, query, scores, set())
        if scores:
            self._show(query, scores, set())
            self._whole = query
        return bool(scores)

    @property
    def similar(self) -> int:
        """How many sessions are shown only because they hold the letters of the words."""
        return len(self._scores) if self.query is not None and self.query.similar else 0

    def is_done(self, text: str) -> bool:
        """Tell whether what is shown is the whole result of what was typed."""
        if self.wrong or self._running is not None:
            return False
        if not text.strip():
            return self.query is None
        return self._whole is not None and self._whole.text == text

    @property
    def ranked(self) -> bool:
        """Whether the best stand first; without words no session fits better than another."""
        return self.query is not None and self.query.worded and self.best_first

    @property
    def count(self) -> int:
        """How many sessions fit, shown or not, as far as was looked; similar ones do not."""
        return len(self.paths)

    @property
    def paths(self) -> Collection[str]:
        """The sessions that fit, as far as was looked; similar ones do not."""
        if self.wrong or (self.query is not None and self.query.similar):
            return ()
        return self._scores.keys()

    @property
    def unsure(self) -> Collection[str]:
        """The sessions of which it is not known yet whether they fit."""
        return () if self.wrong else self._unsure

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
        hay = search_text(row, self._around.project(row))
        made = self._hays[path] = (hay, name_lines(hay))
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
