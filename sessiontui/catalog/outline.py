"""The outline of the list: sessions in their order, grouped and nested, and their lines.

Each shown session has a key: its place among its siblings after the places of
all its ancestors. Sorted, these keys are the lines of a group from top to
bottom, so a line is found by bisection and a session that moves costs one
deletion and one insertion, whatever the number of sessions.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from sessiontui.catalog.height_index import HeightIndex
from sessiontui.catalog.projects import NO_PROJECT
from sessiontui.catalog.row import PINNED, FoldState, GroupLine, ListLine, Row, RowLine
from sessiontui.catalog.sorting import text_sort_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from sessiontui.catalog.hierarchy import Hierarchy
    from sessiontui.catalog.pinned import SessionKinds
    from sessiontui.catalog.sorting import Sort, SortKey


class Layout(msgspec.Struct, frozen=True):
    """The layout of an outline: sort keys, grouping, nesting."""

    place: Callable[[Row], SortKey]
    group_place: Callable[[Group], SortKey] | None
    """Where a group stands; None: where its first session does."""
    lifted: bool
    """Whether a family stands where its first member would, rather than where its head would."""
    grouped: bool = True
    nested: bool = True
    width: int = 2
    """How many items a place has."""


class Folds(msgspec.Struct):
    """The groups and sessions that the user collapsed or expanded."""

    groups: set[str] = msgspec.field(default_factory=set)
    """Groups that are closed."""
    sessions: dict[str, bool] = msgspec.field(default_factory=dict)
    """Sessions that are open (True) or closed; otherwise forks are shown and subagents are not."""


class Group:
    """The sessions of one project."""

    __slots__ = ("bytes", "key", "keys", "newest_ms", "order", "sessions")

    def __init__(self, key: str) -> None:
        self.key = key
        self.keys: list[SortKey] = []
        self.sessions = 0
        self.bytes = 0
        self.newest_ms: int | None = 0
        self.order: SortKey = ()


class OutlinePosition(msgspec.Struct, gc=False):
    """The position of a session in the outline: key (empty while collapsed), group, row."""

    key: SortKey
    group: Group
    row: Row


def list_layout(
    sort: Sort, place: Callable[[Row], SortKey], *, reverse: bool, flat: bool
) -> Layout:
    """Return how the whole list is arranged."""
    group_place: Callable[[Group], SortKey] | None = None
    if sort == "title":
        group_place = lambda group: (text_sort_key(group.key, reverse=reverse),)  # noqa: E731
    elif sort == "size":
        group_place = lambda group: (group.bytes if reverse else -group.bytes,)  # noqa: E731
    return Layout(
        place=place,
        group_place=group_place,
        lifted=sort != "title",
        grouped=not flat,
    )


def match_layout(
    place: Callable[[Row], SortKey], *, flat: bool, scores: Mapping[str, int] | None
) -> Layout:
    """Return how found sessions are arranged: by their scores first, where there are any."""
    return Layout(
        place=place if scores is None else lambda row: (-scores[row.path], *place(row)),
        group_place=None,
        lifted=False,
        grouped=not flat,
        nested=False,
        width=2 if scores is None else 3,
    )


_RANKS = {PINNED: 0.0, NO_PROJECT: 2.0}
"""Groups that stand above or below all others."""
_MANY = 64
"""From how many insertions into a group on sorting is cheaper than inserting one by one."""


class Outline:
    """Lines of groups and sessions over `rows`."""

    def __init__(
        self,
        rows: Mapping[str, Row],
        families: Hierarchy,
        project: Callable[[Row], str],
        layout: Layout,
        folds: Folds,
        special: SessionKinds,
    ) -> None:
        self._rows = rows
        self._families = families
        self._project = project
        self._special = special
        self._placed = special.placed
        self._hidden: Collection[str] = special.hidden if layout.nested else ()
        self.layout = layout
        self.folds = folds
        self._spots: dict[str, OutlinePosition] = {}
        self._groups: dict[str, Group] = {}
        self._shelf = HeightIndex()

    @property
    def height(self) -> int:
        """How many lines there are."""
        return self._shelf.height

    @property
    def sessions(self) -> int:
        """How many sessions there are, shown or folded away."""
        return len(self._spots)

    @property
    def paths(self) -> Collection[str]:
        """Every session, shown or folded away."""
        return self._spots.keys()

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self._groups)

    # Building and changing

    def build(self, rows: Collection[Row]) -> None:
        """Arrange `rows` anew; families must be whole in it where the layout is nested."""
        for _ in self.build_steps(rows, len(rows) + 1):
            pass

    def build_steps(self, rows: Iterable[Row], slice_size: int) -> Iterator[None]:
        """Do the same, yielding after every `slice_size` sessions and every large group.

        What changed between two steps is to be told to `update` afterwards.
        """
        place, name_of, hidden = self.layout.place, self._group_name(), self._hidden
        nested = self._families.nested if self.layout.nested else {}
        heads = set(nested.values())
        spots: dict[str, OutlinePosition] = {}
        groups: dict[str, Group] = {}
        self._spots, self._groups = spots, groups
        # One pass in the order of the rows: memory, not arithmetic, takes the time.
        for number, row in enumerate(rows, 1):
            if not number % slice_size:
                yield
            path = row.path
            if (nested and path in nested) or path in hidden:
                continue
            name = name_of(row)
            if (group := groups.get(name)) is None:
                group = groups[name] = Group(name)
            if path in heads:
                for member, key in self._family(path).items():
                    self._enter(member, key, group, group.keys)
                    group.sessions -= 1 if key else 0
                continue
            key = place(row)
            spots[path] = OutlinePosition(key, group, row)
            group.keys.append(key)
            group.bytes += row.size
            if group.newest_ms is not None and row.mtime_ms > group.newest_ms:
                group.newest_ms = row.mtime_ms
        for group in groups.values():
            group.sessions += len(group.keys)
            group.keys.sort()
            if len(group.keys) > slice_size:
                yield
        self._arrange_groups()

    def rearrange(self, layout: Layout) -> None:
        """Put the same sessions into another order; groups and families stay as they are."""
        self.layout = layout
        place = layout.place
        nested = self._families.nested if layout.nested else {}
        heads = set(nested.values())
        for group in self._groups.values():
            group.keys = []
        for path, spot in self._spots.items():
            if path in nested:
                continue
            if path in heads:
                for member, key in self._family(path).items():
                    self._spots[member].key = key
                    if key:
                        spot.group.keys.append(key)
            else:
                spot.key = key = place(spot.row)
                spot.group.keys.append(key)
        for group in self._groups.values():
            group.keys.sort()
        self._arrange_groups()

    def _arrange_groups(self) -> None:
        for group in self._groups.values():
            group.order = self._group_place(group)
        self._shelf = HeightIndex(
            (group.order, name, self._height(group)) for name, group in self._groups.items()
        )

    def update(self, paths: Collection[str], keep: Callable[[str], bool]) -> None:
        """Put sessions where they belong now.

        Args:
            paths: Sessions that are new, changed or gone, and whoever their going
                or coming leaves in another family.
            keep: Tells whether a session is to be in the outline at all.
        """
        touched: dict[str, Group] = {}
        added: dict[str, list[SortKey]] = {}
        heads: dict[str, None] = {}
        for path in paths:
            if keep(path):
                heads[self._families.root(path) if self.layout.nested else path] = None
            elif (spot := self._spots.pop(path, None)) is not None:
                self._leave(spot, touched)
                if self.layout.nested and keep(head := self._families.root(path)):
                    heads[head] = None
        name_of = self._group_name()
        for head in heads:
            name = name_of(self._rows[head])
            group = self._groups.get(name)
            if group is None:
                group = self._groups[name] = Group(name)
            touched[name] = group
            for path, key in self._family(head).items():
                self._move(path, key, group, touched, added)
        for name, keys in added.items():
            group = touched[name]
            if len(keys) < _MANY:
                for key in keys:
                    insort(group.keys, key)
            else:
                group.keys.extend(keys)
                group.keys.sort()
        for group in touched.values():
            self._regroup(group)

    def _move(
        self,
        path: str,
        key: SortKey,
        group: Group,
        touched: dict[str, Group],
        added: dict[str, list[SortKey]],
    ) -> None:
        row, spot = self._rows[path], self._spots.get(path)
        if spot is None or spot.group is not group:
            if spot is not None:
                self._leave(spot, touched)
            self._enter(path, key, group, added.setdefault(group.key, []))
            return
        group.bytes += row.size - spot.row.size
        _age(group, spot.row.mtime_ms, row.mtime_ms)
        spot.row = row
        if spot.key != key:
            if spot.key:
                del group.keys[bisect_left(group.keys, spot.key)]
            if key:
                added.setdefault(group.key, []).append(key)
            spot.key = key

    def _leave(self, spot: OutlinePosition, touched: dict[str, Group]) -> None:
        group = spot.group
        touched[group.key] = group
        group.sessions -= 1
        group.bytes -= spot.row.size
        _age(group, spot.row.mtime_ms, 0)
        if spot.key:
            del group.keys[bisect_left(group.keys, spot.key)]

    def _enter(self, path: str, key: SortKey, group: Group, keys: list[SortKey]) -> None:
        """Count a session in, and put its key to `keys` where it is shown."""
        row = self._rows[path]
        self._spots[path] = OutlinePosition(key, group, row)
        group.sessions += 1
        group.bytes += row.size
        _age(group, 0, row.mtime_ms)
        if key:
            keys.append(key)

    def _group_name(self) -> Callable[[Row], str]:
        """Return what tells the group of a session that stands beneath none."""
        placed, project = self._placed, self._project
        if not self.layout.nested:
            return project if self.layout.grouped else lambda _: ""
        if not self.layout.grouped:
            return lambda row: PINNED if placed.get(row.path) == PINNED else ""
        if not placed:
            return project
        return lambda row: placed.get(row.path) or project(row)

    def _children(self, path: str) -> Collection[str]:
        """Return the sessions directly beneath one, those left out that are hidden."""
        if not self.layout.nested:
            return ()
        children = self._families.children(path)
        if self._hidden and children:
            return [child for child in children if child not in self._hidden]
        return children

    def _family(self, head: str) -> dict[str, SortKey]:
        """Return the keys of a family's members, empty for those folded away."""
        children = self._children
        if not children(head):
            return {head: self.layout.place(self._rows[head])}
        order = [head]
        for member in order:
            order.extend(children(member))
        places = {member: self.layout.place(self._rows[member])[:-1] for member in order}
        if self.layout.lifted:
            for member in reversed(order[1:]):
                parent = self._families.parent(member)
                if parent is not None:
                    places[parent] = min(places[parent], places[member])
        keys: dict[str, SortKey] = {head: (*places[head], head)}
        for member in order:
            key = keys[member]
            for child in children(member):
                shown = bool(key) and self._shows(member, child)
                keys[child] = (*key, *places[child], child) if shown else ()
        return keys

    def _shows(self, parent: str, child: str) -> bool:
        chosen = self.folds.sessions.get(parent)
        return not self._families.is_subagent(child) if chosen is None else chosen

    def _group_place(self, group: Group) -> SortKey:
        rank = _RANKS.get(group.key, 1.0) if self.layout.nested else 1.0
        if self.layout.group_place is not None:
            return (rank, *self.layout.group_place(group))
        return (rank, *group.keys[0][: self.layout.width - 1])

    def _headed(self, group: Group) -> bool:
        """Tell whether a group has a heading."""
        return self.layout.grouped or group.key == PINNED

    def _height(self, group: Group) -> int:
        if not self._headed(group):
            return len(group.keys)
        return 1 if group.key in self.folds.groups else 1 + len(group.keys)

    def _regroup(self, group: Group) -> None:
        """Put a group where it belongs now, or take it away when it is empty."""
        if not group.keys:
            self._shelf.take(group.order, group.key)
            if self._groups.get(group.key) is group:
                del self._groups[group.key]
            return
        order = self._group_place(group)
        self._shelf.put(order, group.key, self._height(group), group.order)
        group.order = order

    # Folding

    def fold_group(self, key: str, *, closed: bool) -> None:
        """Close or open a group."""
        (self.folds.groups.add if closed else self.folds.groups.discard)(key)
        if (group := self._groups.get(key)) is not None:
            self._regroup(group)

    def fold_groups(self, *, closed: bool) -> None:
        """Close or open every group."""
        for key in list(self._groups):
            self.fold_group(key, closed=closed)

    def fold_session(self, path: str, opened: bool | None) -> None:
        """Show everything beneath a session (True), nothing (False), or what is usual (None)."""
        if opened is None:
            self.folds.sessions.pop(path, None)
        else:
            self.folds.sessions[path] = opened
        if path in self._spots:
            self.update((path,), self._spots.__contains__)

    # Looking up

    def group_of(self, path: str) -> str | None:
        """Return the group in which a session stands."""
        spot = self._spots.get(path)
        return None if spot is None else spot.group.key

    def first(self, count: int) -> list[str]:
        """Return so many sessions that come first, whatever their groups; those folded away not."""
        keys = merge(*(group.keys for group in self._groups.values()))
        return [str(key[-1]) for key in islice(keys, count)]

    def line_of(self, path: str) -> int | None:
        """Return the line of a session; None where it is folded away or not here."""
        spot = self._spots.get(path)
        if spot is None or not spot.key:
            return None
        headed = self._headed(spot.group)
        if headed and spot.group.key in self.folds.groups:
            return None
        offset = bisect_left(spot.group.keys, spot.key)
        return self._start(spot.group) + offset + headed

    def line_of_group(self, key: str) -> int | None:
        """Return the line of a group's heading."""
        group = self._groups.get(key)
        return None if group is None or not self._headed(group) else self._start(group)

    def _start(self, group: Group) -> int:
        index = self._shelf.index(group.order, group.key)
        return 0 if index is None else self._shelf.start(index)

    def lines(self, start: int, stop: int) -> Iterator[ListLine]:
        """Yield the lines from `start` to before `stop`, as far as there are any."""
        for group, key in self._on(start, stop):
            yield self._row_line(key) if key else self._group_line(group)

    def paths_on(self, start: int, stop: int) -> Iterator[str]:
        """Yield the sessions of these lines; a closed heading stands for all beneath it."""
        for group, key in self._on(start, stop):
            if key:
                yield str(key[-1])
            elif group.key in self.folds.groups:
                yield from self._members(group)

    def members(self, key: str) -> Iterator[str]:
        """Yield the sessions of a group, shown or folded away."""
        group = self._groups.get(key)
        return iter(()) if group is None else self._members(group)

    def _on(self, start: int, stop: int) -> Iterator[tuple[Group, SortKey]]:
        """Yield for each line its group and the key of its session; empty for a heading."""
        y, stop = max(start, 0), min(stop, self.height)
        index = self._shelf.at(y) if y < stop else 0
        while y < stop:
            group = self._groups[self._shelf.key(index)]
            first = y - self._shelf.start(index) - self._headed(group)
            end = min(stop, self._shelf.end(index))
            if first < 0:
                yield group, ()
                first, y = 0, y + 1
            yield from ((group, key) for key in group.keys[first : first + end - y])
            y, index = end, index + 1

    def _group_line(self, group: Group) -> GroupLine:
        if group.newest_ms is None:
            group.newest_ms = max(
                self._spots[member].row.mtime_ms for member in self._members(group)
            )
        return GroupLine(
            key=group.key,
            sessions=group.sessions,
            bytes=group.bytes,
            time_ms=group.newest_ms,
            fold="closed" if group.key in self.folds.groups else "open",
        )

    def _members(self, group: Group) -> Iterator[str]:
        width = self.layout.width
        for key in group.keys:
            if len(key) == width:
                head = str(key[-1])
                yield head
                if self._children(head):
                    yield from (member for member in self._family(head) if member != head)

    def _row_line(self, key: SortKey) -> RowLine:
        path = str(key[-1])
        spot = self._spots[path]
        row = spot.row
        children = self._children(path)
        hidden = sum(not self._spots[child].key for child in children)
        fold: FoldState = "none"
        if children:
            fold = "open" if not hidden else "closed" if hidden == len(children) else "partly"
        subagent = self._families.is_subagent(path)
        return RowLine(
            row=row,
            depth=len(key) // self.layout.width - 1,
            kind="subagent" if subagent else "fork" if row.parent else "session",
            fold=fold,
            hidden=hidden,
            project="" if self.layout.grouped and spot.group.key != PINNED else self._project(row),
            pinned=path in self._special.pins,
        )


def _age(group: Group, old_ms: int, new_ms: int) -> None:
    """Keep the newest time of a group; None: to be looked for when it is asked."""
    newest = group.newest_ms
    if newest is None:
        return
    if new_ms >= newest:
        group.newest_ms = new_ms
    elif old_ms >= newest:
        group.newest_ms = None
