"""All sessions of a source in the order in which they are shown.

`rows` is what is known; the order, the groups, the hierarchy and what fits the
filter follow from it. They are brought up to date when they are looked at, so
that a burst of changes costs one update, and a change of one session touches
that session's lines alone.
"""

from __future__ import annotations

from heapq import nsmallest
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

from sessiontui.catalog.filter import Filter
from sessiontui.catalog.hierarchy import Hierarchy, RowChanges
from sessiontui.catalog.outline import Folds, Layout, Outline, list_layout, match_layout
from sessiontui.catalog.pinned import SessionKinds
from sessiontui.catalog.projects import Projects
from sessiontui.catalog.row import ListLine, RowLine
from sessiontui.catalog.selection import Selection, SelectionState
from sessiontui.catalog.sorting import COUNTED, SORTS, Sort, sort_key
from sessiontui.times import now_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from sessiontui.catalog.query import Query
    from sessiontui.catalog.row import Row
    from sessiontui.catalog.sorting import SortKey
    from sessiontui.catalog.stats import SessionStats

_RENAMED: Final = 100
"""How many renames are remembered."""


class CatalogTotals(msgspec.Struct, frozen=True):
    """Totals over all sessions, whatever is shown."""

    sessions: int
    bytes: int
    groups: int


class Renames:
    """The last `_RENAMED` renames, to find a session by its old path."""

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


class RecentSessions:
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


_REBUILD = 2
"""Arranged anew when more than one in so many sessions changed."""


class Catalog:
    """Rows, ordered, grouped by project, nested, and searched."""

    def __init__(
        self,
        *,
        home: str,
        sort: Sort = "modified",
        reverse: bool = False,
        flat: bool = False,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self.sort: Sort = sort
        self.reverse = reverse
        self.flat = flat
        self._rows: dict[str, Row] = {}
        self.rows: Mapping[str, Row] = MappingProxyType(self._rows)
        """Every session by its path; always up to date."""
        self.marks = Selection(self._rows)
        """The sessions that the user marked."""
        self._bytes = 0
        self._before: dict[str, Row | None] = {}
        """Sessions changed since the last look, each as it was then."""
        self._folds = Folds()
        self._projects = Projects(home)
        self.project = self._projects.of
        """Tells the project of a session as it is shown: `~/code/api`."""
        self._renames = Renames()
        self._recent = RecentSessions(self._rows)
        self._families = Hierarchy(self._rows, self.project)
        self._special = SessionKinds(self._rows, self._families)
        self._full = self._outline(self._layout(), self._folds)
        self._nothing = self._outline(self._layout(), Folds())
        """Stands for what is shown while a query is not understood."""
        self.figures: Callable[[str], SessionStats | None] = lambda _path: None
        """Tells of a session what only reading it whole does; None: not known yet."""
        around = self._special.around(clock, self.project, lambda path: self.figures(path))
        self._search = Filter(
            self._rows,
            around,
            self._special.hidden,
            self._outline_of,
            self._place,
        )

    # Changing

    def upsert(self, rows: Iterable[Row]) -> None:
        """Enter sessions that are new or changed."""
        known, before, since, marks = self._rows, self._before, self._recent.since_ms, self.marks
        grown = 0
        for row in rows:
            path = row.path
            old = known.get(path)
            if old is not None:
                if old == row:
                    continue
                grown -= old.size
                if row.size != old.size:
                    marks.resized(old, row)
            grown += row.size
            known[path] = row
            if path not in before:
                before[path] = old
            if since is not None and row.mtime_ms >= since:
                self._recent.paths.add(path)
        self._bytes += grown

    def remove(self, paths: Iterable[str]) -> None:
        """Take sessions away; unknown ones are no matter."""
        for path in paths:
            old = self._rows.pop(path, None)
            if old is not None:
                self._bytes -= old.size
                self.marks.removed(old)
                self._before.setdefault(path, old)
                self._recent.paths.discard(path)

    def rename(self, old: str, row: Row) -> None:
        """Let a session stand at another path, folded and marked as it was."""
        self.upsert((row,))
        if old != row.path:
            folded = self._folds.sessions.pop(old, None)
            if folded is not None:
                self._folds.sessions[row.path] = folded
            self.marks.renamed(old, row.path)
            self.remove((old,))
            self._renames.note(old, row.path)
            if self.is_pinned(old):
                self._special.renamed(old, row.path)
                self._repinned((old, row.path))

    def now_at(self, path: str) -> str | None:
        """Return where a session is that stood at `path` when it was last looked at; None: gone."""
        return self._renames.now_at(path, self._rows)

    def clear(self) -> None:
        """Forget every session; order, folds and search stay."""
        self.remove(list(self._rows))
        self._sync()
        self._renames.clear()
        self._projects.clear()
        self._special.clear()

    def order_by(self, sort: Sort, *, reverse: bool = False) -> None:
        """Choose the order of sessions and groups."""
        if (sort, reverse) != (self.sort, self.reverse):
            self._sync()
            self.sort, self.reverse = sort, reverse
            self._full.rearrange(self._layout())
            self._search.rearrange()

    @property
    def ranked(self) -> bool:
        """Whether what was found stands with the best first."""
        return self._search.ranked

    def rank(self, *, best_first: bool) -> None:
        """Show what is found with the best first, or in the order of the whole list."""
        self._search.best_first = best_first
        self._search.rearrange()

    def step_order(self) -> None:
        """Choose the next order; of what was found first the best, then as the whole list."""
        if self.ranked:
            self.rank(best_first=False)
            return
        now = SORTS.index(self.sort) if self.sort in SORTS else -1
        following = SORTS[(now + 1) % len(SORTS)]
        self.order_by(following)
        if following == SORTS[0]:
            self.rank(best_first=True)

    def set_flat(self, flat: bool) -> None:
        """Show the sessions without their projects (True) or grouped by them."""
        if flat != self.flat:
            self._sync()
            self.flat = flat
            self._rebuild()

    def _rebuild(self) -> None:
        self._full = self._outline(self._layout(), self._folds)
        self._full.build(self._rows.values())
        self._search.rearrange()

    def _outline(self, layout: Layout, folds: Folds) -> Outline:
        return Outline(self._rows, self._families, self.project, layout, folds, self._special)

    def _layout(self) -> Layout:
        return list_layout(self.sort, self._place(), reverse=self.reverse, flat=self.flat)

    def _place(self) -> Callable[[Row], SortKey]:
        return sort_key(self.sort, reverse=self.reverse, figures=lambda path: self.figures(path))

    # Pinned, orphaned and empty sessions

    @property
    def pins(self) -> list[str]:
        """The pinned sessions in the order in which they were pinned, also those not here."""
        return list(self._special.pins)

    def is_pinned(self, path: str) -> bool:
        """Tell whether a session is pinned."""
        return path in self._special.pins

    def pin(self, paths: Iterable[str], *, pinned: bool) -> None:
        """Let sessions stand above all others, or where they belong again."""
        self._repinned([one for path in paths for one in self._special.pin(path, pinned=pinned)])

    def _repinned(self, changed: Collection[str]) -> None:
        self._sync()
        shifted = self._families.set_apart(changed, self.is_pinned)
        concerned = shifted.union(path for path in changed if path in self._rows)
        self._special.look(concerned)
        self._full.update(concerned, self._is_shown)
        self._search.follow(concerned)

    @property
    def empty(self) -> int:
        """How many empty sessions are hidden, or would be."""
        self._sync()
        return len(self._special.empty)

    @property
    def shows_empty(self) -> bool:
        """Whether empty sessions are shown."""
        return self._special.shows_empty

    def show_empty(self, shown: bool) -> None:
        """Show or hide the sessions without any message."""
        self._sync()
        self._special.show_empty(shown)
        self._full.update(self._special.empty, self._is_shown)
        self._search.follow(self._special.empty)

    def _is_shown(self, path: str) -> bool:
        return path in self._rows and path not in self._special.hidden

    # Keeping up

    def _sync(self) -> None:
        """Bring everything that follows from the rows up to date."""
        if not self._before:
            return
        before, self._before = self._before, {}
        batch = RowChanges.between(before, self._rows)
        moved = self._projects.agree(batch, self._rows, self._families.inside)
        shifted = self._families.update(batch, moved)
        changed = shifted.union(before, moved) if shifted or moved else before.keys()
        self._special.look(changed)
        if len(changed) * _REBUILD > len(self._rows):
            self._full.build(self._rows.values())
        else:
            self._full.update(changed, self._is_shown)
        self._search.follow(changed)

    # Searching

    def search(self, text: str, *, similar: bool = False, typing: bool = False) -> Iterator[bool]:
        """Search step by step, so that a key pressed meanwhile is not kept waiting.

        Yields after every few milliseconds of work, true where more was found to
        show; when it is exhausted everything was looked at. A newer search makes
        an older one end without effect.

        Args:
            text: What the user typed; blank shows everything again.
            similar: Whether to show, where nothing holds the words as they were typed, what
                holds their letters. That never fits: see `similar`.
            typing: Whether more of it may come; see `waits`.

        Raises:
            QueryError: It cannot be understood: nothing fits, and `wrong` tells why.
        """
        return self._search.start(
            text, self._sync, self._full.first, similar=similar, typing=typing
        )

    @property
    def wrong(self) -> str:
        """Why what was typed last is not understood, so that nothing fits; else empty."""
        return self._search.wrong

    @property
    def waits(self) -> bool:
        """Whether that is the beginning of a query, whose rest is awaited.

        What stands before the condition that is being typed is shown so long; nothing fits.
        """
        return self._search.keeps

    def end_typing(self) -> bool:
        """Expect no more of a query; tell whether something else is shown now."""
        waited, self._search.keeps = self._search.keeps, False
        return waited

    @property
    def similar(self) -> int:
        """How many sessions are shown that do not fit: their titles hold the words' letters."""
        self._sync()
        return self._search.similar

    def is_result_of(self, text: str) -> bool:
        """Tell whether what fits is the whole result of `text`, not of what was typed before."""
        return self._search.is_done(text)

    @property
    def query(self) -> Query | None:
        """What is searched for and shown; None where everything is."""
        return self._search.query

    @property
    def unsure(self) -> Collection[str]:
        """The sessions of which it is not known yet whether they fit: they were not read enough."""
        return self._search.unsure

    def figured(self, paths: Collection[str]) -> None:
        """Look again at sessions of which `figures` tells other figures than before."""
        query = self._search.query
        counted = self.sort in COUNTED
        if counted or (query is not None and query.conditional):
            self._sync()
            known = [path for path in paths if path in self._rows]
            if counted:
                self._full.update(known, self._is_shown)
            self._search.follow(known)

    def filter(self, text: str) -> None:
        """Search at once."""
        for _ in self.search(text):
            pass

    def _outline_of(self, scores: Mapping[str, int]) -> Outline:
        """Return the outline, still empty, of sessions that were found, the best first."""
        layout = match_layout(
            self._place(),
            flat=self.flat,
            scores=scores if self._search.ranked else None,
        )
        return self._outline(layout, Folds())

    # Looking

    @property
    def _shown(self) -> Outline:
        self._sync()
        if self.wrong and not self.waits:
            return self._nothing
        found = self._search.found
        return self._full if found is None else found

    @property
    def height(self) -> int:
        """How many lines there are."""
        return self._shown.height

    @property
    def shown(self) -> int:
        """How many sessions fit the search, as far as it got; all where there is none."""
        shown = self._shown
        searched = self.wrong or self._search.query is not None
        return self._search.count if searched else shown.sessions

    @property
    def fitting(self) -> Collection[str]:
        """The sessions that are shown or folded away; with a search all that fit it so far."""
        shown = self._shown
        searched = self.wrong or self._search.query is not None
        return self._search.paths if searched else shown.paths

    @property
    def marked(self) -> list[str]:
        """The marked sessions in the order of the list, without regard to projects."""
        place = self._place()
        return sorted(self.marks, key=lambda path: place(self._rows[path]))

    @property
    def totals(self) -> CatalogTotals:
        """What there is in all."""
        self._sync()
        return CatalogTotals(len(self._rows), self._bytes, self._full.groups)

    def line(self, y: int) -> ListLine:
        """Return one line.

        Raises:
            IndexError: There is no such line.
        """
        for line in self._shown.lines(y, y + 1):
            return line
        raise IndexError(y)

    def lines(self, start: int, stop: int) -> list[ListLine]:
        """Return the lines from `start` to before `stop`, as far as there are any."""
        return list(self._shown.lines(start, stop))

    def paths(self, start: int, stop: int) -> list[str]:
        """Return the sessions on these lines; a closed project's heading stands for its own."""
        return list(self._shown.paths_on(start, stop))

    def mark_of(self, line: ListLine) -> SelectionState:
        """Tell how much of what a line stands for is marked."""
        if isinstance(line, RowLine):
            return self.marks.of_session(line.key)
        members = self._shown.members(line.key)
        return self.marks.of_group(line.key, members, line.sessions, self._search.query)

    def members(self, group: str) -> list[str]:
        """Return the sessions of a project, folded away or not, as far as they fit the search."""
        return list(self._shown.members(group))

    def line_of(self, path: str) -> int | None:
        """Return the line of a session; None where it is folded away or does not fit the search."""
        return self._shown.line_of(path)

    def line_of_group(self, key: str) -> int | None:
        """Return the line of a project's heading."""
        return self._shown.line_of_group(key)

    def group_of(self, path: str) -> str | None:
        """Return the project under which a session stands, folded away or not."""
        return self._shown.group_of(path)

    def parent_of(self, path: str) -> str | None:
        """Return the session beneath which this one is nested."""
        self._sync()
        return self._families.parent(path)

    def children_of(self, path: str) -> list[str]:
        """Return the sessions nested directly beneath this one, by path."""
        self._sync()
        return sorted(self._families.children(path))

    def with_id(self, identity: str) -> list[str]:
        """Return the paths of the sessions whose header has this id."""
        self._sync()
        return sorted(self._families.with_id(identity))

    def newest(self, count: int) -> list[Row]:
        """Return the sessions modified last, the newest first."""
        return nsmallest(count, self._rows.values(), key=sort_key("modified", reverse=False))

    def recent(self, since_ms: int) -> list[Row]:
        """Return the sessions modified at `since_ms` or later, unordered; see `RecentSessions`."""
        return self._recent.rows(since_ms)

    # Folding

    @property
    def folds(self) -> tuple[Collection[str], Mapping[str, bool]]:
        """The closed groups, and the sessions that were unfolded (True) or folded."""
        return self._folds.groups, self._folds.sessions

    def restore_folds(self, groups: Iterable[str], sessions: Mapping[str, bool]) -> None:
        """Fold and unfold as it once was."""
        self._sync()
        self._folds.groups = set(groups)
        self._folds.sessions = dict(sessions)
        self._rebuild()

    def fold_group(self, key: str, *, closed: bool) -> None:
        """Close or open a project."""
        self._shown.fold_group(key, closed=closed)

    def fold_session(self, path: str, *, opened: bool | None) -> None:
        """Show all that is nested beneath a session (True), nothing (False), or what is usual."""
        self._shown.fold_session(path, opened)

    def fold_all(self, *, closed: bool) -> None:
        """Close or open every project."""
        self._shown.fold_groups(closed=closed)

    def reveal(self, path: str) -> int | None:
        """Unfold whatever hides a session; return its line, None where the search hides it."""
        shown = self._shown
        if path in self._special.hidden:
            self.show_empty(True)
        group = shown.group_of(path)
        if group is None:
            return None
        shown.fold_group(group, closed=False)
        above = self._families.parent(path)
        while above is not None and shown.line_of(path) is None:
            shown.fold_session(above, opened=True)
            above = self._families.parent(above)
        return shown.line_of(path)
