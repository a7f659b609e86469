"""All sessions of a source in the order in which they are shown.

`rows` is what is known; the order, the groups, the families and what fits the
search follow from it. They are brought up to date when they are looked at, so
that a burst of changes costs one update, and a change of one session touches
that session's lines alone.
"""

from __future__ import annotations

from heapq import nsmallest
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from sessiontui.catalogue.families import Batch, Families
from sessiontui.catalogue.lines import Line, RowLine
from sessiontui.catalogue.marks import Mark, Marks
from sessiontui.catalogue.order import Sort, folder_of, place_of, text_place
from sessiontui.catalogue.outline import Folds, Group, Layout, Outline
from sessiontui.catalogue.projects import project_label
from sessiontui.catalogue.search import Search

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from sessiontui.catalogue.order import Place
    from sessiontui.catalogue.query import Query
    from sessiontui.catalogue.row import Row

_RENAMED = 100
"""How many renames are remembered."""
_REBUILD = 2
"""Arranged anew when more than one in so many sessions changed."""

NO_PROJECT = "(no project)"


class Totals(msgspec.Struct, frozen=True):
    """What there is in all, whatever is shown."""

    sessions: int
    bytes: int
    groups: int


class Catalogue:
    """Rows, ordered, grouped by project, nested, and searched."""

    def __init__(
        self, *, home: str, sort: Sort = "modified", reverse: bool = False, flat: bool = False
    ) -> None:
        self._home = home
        self.sort: Sort = sort
        self.reverse = reverse
        self.flat = flat
        self._rows: dict[str, Row] = {}
        self.rows: Mapping[str, Row] = MappingProxyType(self._rows)
        """Every session by its path; always up to date."""
        self.marks = Marks(self._rows)
        """The sessions that the user marked."""
        self._bytes = 0
        self._before: dict[str, Row | None] = {}
        """Sessions changed since the last look, each as it was then."""
        self._folds = Folds()
        self._agreed: dict[str, str | None] = {}
        """Folder -> the one project of the sessions read in it; None: there are several."""
        self._renamed: dict[str, str] = {}
        """The last `_RENAMED` old paths -> where their sessions went."""
        self._labels: dict[str, str] = {}
        """Working directory -> how it is shown; kept until `clear`."""
        self._folder_labels: dict[str, str] = {}
        """Folder -> how it is shown where no header tells the working directory; kept too."""
        self._recent: set[str] = set()
        self._recent_since: int | None = None
        self._families = Families(self._rows, self.project)
        self._full = Outline(self._rows, self._families, self.project, self._layout(), self._folds)
        self._search = Search(self._rows, self.project, self._outline_of)

    # Changing

    def upsert(self, rows: Iterable[Row]) -> None:
        """Enter sessions that are new or changed."""
        known, before, since, marks = self._rows, self._before, self._recent_since, self.marks
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
                self._recent.add(path)
        self._bytes += grown

    def remove(self, paths: Iterable[str]) -> None:
        """Take sessions away; unknown ones are no matter."""
        for path in paths:
            old = self._rows.pop(path, None)
            if old is not None:
                self._bytes -= old.size
                self.marks.removed(old)
                self._before.setdefault(path, old)
                self._recent.discard(path)

    def rename(self, old: str, row: Row) -> None:
        """Let a session stand at another path, folded and marked as it was."""
        self.upsert((row,))
        if old != row.path:
            folded = self._folds.sessions.pop(old, None)
            if folded is not None:
                self._folds.sessions[row.path] = folded
            self.marks.renamed(old, row.path)
            self.remove((old,))
            self._renamed.pop(row.path, None)
            self._renamed[old] = row.path
            if len(self._renamed) > _RENAMED:
                del self._renamed[next(iter(self._renamed))]

    def now_at(self, path: str) -> str | None:
        """Return where a session is that stood at `path` when it was last looked at; None: gone."""
        for _ in range(_RENAMED):
            if path in self._rows or path not in self._renamed:
                break
            path = self._renamed[path]
        return path if path in self._rows else None

    def clear(self) -> None:
        """Forget every session; order, folds and search stay."""
        self.remove(list(self._rows))
        self._sync()
        self._renamed.clear()
        self._agreed.clear()
        self._labels.clear()
        self._folder_labels.clear()

    def order_by(self, sort: Sort, *, reverse: bool = False) -> None:
        """Choose the order of sessions and groups."""
        if (sort, reverse) != (self.sort, self.reverse):
            self._sync()
            self.sort, self.reverse = sort, reverse
            self._full.rearrange(self._layout())
            self._search.rearrange()

    def set_flat(self, flat: bool) -> None:
        """Show the sessions without their projects (True) or grouped by them."""
        if flat != self.flat:
            self._sync()
            self.flat = flat
            self._full = Outline(
                self._rows, self._families, self.project, self._layout(), self._folds
            )
            self._full.build(self._rows.values())
            self._search.rearrange()

    def _layout(self) -> Layout:
        group_place = None
        if self.sort == "title":
            group_place = self._group_by_title
        elif self.sort == "size":
            group_place = self._group_by_size
        return Layout(
            place=place_of(self.sort, reverse=self.reverse),
            group_place=group_place,
            lifted=self.sort != "title",
            by_creation=self.sort == "created",
            grouped=not self.flat,
        )

    def _group_by_title(self, group: Group) -> Place:
        return (text_place(group.key, reverse=self.reverse),)

    def _group_by_size(self, group: Group) -> Place:
        return (group.bytes if self.reverse else -group.bytes,)

    # Projects

    def project(self, row: Row) -> str:
        """Return the project of a session as it is shown: `~/code/api`.

        Without a header it is what the folder's name tells. A session not read
        yet is taken to belong where those read in its folder do, if they agree.
        """
        cwd = row.cwd
        if cwd:
            return self._labels.get(cwd) or self._label(cwd)
        folder = folder_of(row.path)
        if not row.read and (agreed := self._agreed.get(folder)) is not None:
            return agreed
        label = self._folder_labels.get(folder)
        if label is None:
            label = project_label(None, row.path, home=self._home) or NO_PROJECT
            self._folder_labels[folder] = label
        return label

    def _label(self, cwd: str) -> str:
        label = self._labels[cwd] = project_label(cwd, "", home=self._home)
        return label

    def _agree(self, batch: Batch) -> set[str]:
        """Learn projects of folders; return the unread sessions that change theirs by it."""
        read = [
            (folder, {row.cwd for row in rows if row.read and row.cwd})
            for folder, rows in batch.came.items()
        ]
        read += [
            (folder_of(new.path), {new.cwd}) for _, new in batch.changed if new.read and new.cwd
        ]
        moved: set[str] = set()
        for folder, cwds in read:
            agreed = self._agreed.get(folder, "")
            if agreed is None:
                continue
            projects = {self._labels.get(cwd) or self._label(cwd) for cwd in cwds}
            if agreed:
                projects.add(agreed)
            if not projects or projects == {agreed}:
                continue
            self._agreed[folder] = projects.pop() if len(projects) == 1 else None
            moved.update(
                other
                for other in self._families.inside(folder)
                if (seen := self._rows.get(other)) is not None and not seen.read
            )
        return moved

    # Keeping up

    def _sync(self) -> None:
        """Bring everything that follows from the rows up to date."""
        if not self._before:
            return
        before, self._before = self._before, {}
        batch = Batch.between(before, self._rows)
        moved = self._agree(batch)
        shifted = self._families.update(batch, moved)
        changed = shifted.union(before, moved) if shifted or moved else before.keys()
        if len(changed) * _REBUILD > len(self._rows):
            self._full.build(self._rows.values())
        else:
            self._full.update(changed, self._rows.__contains__)
        self._search.follow(changed)

    # Searching

    def search(self, text: str) -> Iterator[bool]:
        """Search step by step, so that a key pressed meanwhile is not kept waiting.

        Yields after every few milliseconds of work, true where more was found to
        show; when it is exhausted everything was looked at. A newer search makes
        an older one end without effect.

        Args:
            text: What the user typed; blank shows everything again.
        """
        return self._search.start(text, self._sync)

    @property
    def query(self) -> Query | None:
        """What is searched for and shown; None where everything is."""
        return self._search.query

    def filter(self, text: str) -> None:
        """Search at once."""
        for _ in self.search(text):
            pass

    def _outline_of(self, scores: Mapping[str, int]) -> Outline:
        """Return the outline, still empty, of sessions that were found, the best first."""
        place = place_of(self.sort, reverse=self.reverse)
        layout = Layout(
            place=lambda row: (-scores[row.path], *place(row)),
            group_place=None,
            lifted=False,
            by_creation=self.sort == "created",
            grouped=not self.flat,
            nested=False,
            width=3,
        )
        return Outline(self._rows, self._families, self.project, layout, Folds())

    # Looking

    @property
    def _shown(self) -> Outline:
        self._sync()
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
        return shown.sessions if self._search.query is None else self._search.count

    @property
    def fitting(self) -> Collection[str]:
        """The sessions that are shown or folded away; with a search all that fit it so far."""
        shown = self._shown
        return shown.paths if self._search.query is None else self._search.paths

    @property
    def marked(self) -> list[str]:
        """The marked sessions in the order of the list, without regard to projects."""
        place = place_of(self.sort, reverse=self.reverse)
        return sorted(self.marks, key=lambda path: place(self._rows[path]))

    @property
    def totals(self) -> Totals:
        """What there is in all."""
        self._sync()
        return Totals(len(self._rows), self._bytes, self._full.groups)

    def line(self, y: int) -> Line:
        """Return one line.

        Raises:
            IndexError: There is no such line.
        """
        for line in self._shown.lines(y, y + 1):
            return line
        raise IndexError(y)

    def lines(self, start: int, stop: int) -> list[Line]:
        """Return the lines from `start` to before `stop`, as far as there are any."""
        return list(self._shown.lines(start, stop))

    def paths(self, start: int, stop: int) -> list[str]:
        """Return the sessions on these lines; a closed project's heading stands for its own."""
        return list(self._shown.paths_on(start, stop))

    def mark_of(self, line: Line) -> Mark:
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
        return nsmallest(count, self._rows.values(), key=place_of("modified", reverse=False))

    def recent(self, since_ms: int) -> list[Row]:
        """Return the sessions modified at `since_ms` or later, in no order.

        Looks at all of them only when it is asked further back than before.
        """
        if self._recent_since is None or since_ms < self._recent_since:
            self._recent = {path for path, row in self._rows.items() if row.mtime_ms >= since_ms}
        self._recent_since = since_ms
        rows = [self._rows[path] for path in self._recent]
        fresh = [row for row in rows if row.mtime_ms >= since_ms]
        if len(fresh) < len(rows):
            self._recent = {row.path for row in fresh}
        return fresh

    # Folding

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
        group = shown.group_of(path)
        if group is None:
            return None
        shown.fold_group(group, closed=False)
        above = self._families.parent(path)
        while above is not None and shown.line_of(path) is None:
            shown.fold_session(above, opened=True)
            above = self._families.parent(above)
        return shown.line_of(path)
