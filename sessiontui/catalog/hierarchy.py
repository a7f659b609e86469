"""The hierarchy of sessions: subagents and forks under their parent.

A subagent lies in the sidecar folder of its parent: the parent's path without
`.jsonl`. A fork names its parent by id or by path in its header, and stands
beneath it where both belong to the same project.

What headers claim may be wrong: of sessions that are each other's ancestors,
the one with the smallest path stands at the top; a line of descent longer than
`MAX_ANCESTORS` is not followed; deeper than `MAX_DEPTH` everyone is a sibling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sessiontui.catalog.sorting import file_name, folder_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from sessiontui.catalog.row import Row

MAX_DEPTH = 6
"""How many levels below a project's first one are shown."""
MAX_ANCESTORS = 64
"""How far a line of descent is followed."""

_SUFFIX = ".jsonl"
_NOBODY: frozenset[str] = frozenset()


class RowChanges(NamedTuple):
    """The changes of rows since the last update: came, gone, changed."""

    paths: Collection[str]
    """Every session that changed in any way."""
    came: dict[str, list[Row]]
    """New sessions, by folder."""
    gone: list[Row]
    """Sessions that are no more, as they were."""
    changed: list[tuple[Row, Row]]
    """Sessions before and after whose id, parent or sources of the project changed."""

    @classmethod
    def between(cls, before: Mapping[str, Row | None], rows: Mapping[str, Row]) -> RowChanges:
        """Compare the sessions that changed with what they were; None: they were not there."""
        came: dict[str, list[Row]] = {}
        gone: list[Row] = []
        changed: list[tuple[Row, Row]] = []
        for path, old in before.items():
            new = rows.get(path)
            if new is None:
                if old is not None:
                    gone.append(old)
            elif old is None:
                folder = path.rpartition("/")[0]
                entries = came.get(folder)
                if entries is None:
                    came[folder] = [new]
                else:
                    entries.append(new)
            elif (
                old.id != new.id
                or old.parent != new.parent
                or old.cwd != new.cwd
                or old.read != new.read
            ):
                changed.append((old, new))
        return cls(before.keys(), came, gone, changed)


class Hierarchy:
    """The hierarchy: parents and children among the sessions of `rows`."""

    def __init__(self, rows: Mapping[str, Row], project: Callable[[Row], str]) -> None:
        self._rows = rows
        self._project = project
        self._inside: dict[str, dict[str, None]] = {}
        """Folder -> the sessions and folders directly in it; a dict takes half of a set."""
        self._ids: dict[str, str] = {}
        """Id -> its session; of several, the one with the smallest path."""
        self._twins: dict[str, set[str]] = {}
        """Ids that several sessions share -> all of them."""
        self._wanting: dict[str, set[str]] = {}
        """Id or path -> the sessions whose header names it as their parent."""
        self._claimed: dict[str, str] = {}
        """Session -> its parent, as found; may contain circles."""
        self._claimants: dict[str, set[str]] = {}
        self._apart: set[str] = set()
        """Sessions that stand beneath none, whatever tells their parent."""
        self._parents: dict[str, str] = {}
        self._children: dict[str, set[str]] = {}

    def parent(self, path: str) -> str | None:
        """Return the session beneath which this one stands."""
        return self._parents.get(path)

    def children(self, path: str) -> Collection[str]:
        """Return the sessions directly beneath this one, in no order."""
        return self._children.get(path, ())

    def root(self, path: str) -> str:
        """Return the session at the top of this one's family, maybe itself."""
        while (parent := self._parents.get(path)) is not None:
            path = parent
        return path

    @property
    def nested(self) -> Mapping[str, str]:
        """Every session that stands beneath another, with that other."""
        return self._parents

    def set_apart(self, paths: Iterable[str], apart: Callable[[str], bool]) -> set[str]:
        """Let sessions stand by themselves, or where they belong again.

        Returns:
            Sessions that left or joined a family, and the parents that lost or won one.
        """
        changed = set(paths)
        for path in changed:
            (self._apart.add if apart(path) else self._apart.discard)(path)
        return self._settle({path for path in changed if path in self._rows})

    def is_subagent(self, path: str) -> bool:
        """Tell whether the session lies in the sidecar folder of its parent."""
        claimed = self._claimed.get(path)
        return claimed is not None and path.startswith(claimed.removesuffix(_SUFFIX) + "/")

    def has_parent(self, path: str) -> bool:
        """Tell whether the parent of a session is here, though it may belong elsewhere."""
        if path in self._claimed:
            return True
        names = _names_of(self._rows[path].parent)
        return any(name in self._rows or name in self._ids for name in names)

    def with_id(self, identity: str) -> Collection[str]:
        """Return the sessions whose header has this id; a copied file shares it."""
        if (twins := self._twins.get(identity)) is not None:
            return twins
        return (self._ids[identity],) if identity in self._ids else ()

    def inside(self, folder: str) -> Collection[str]:
        """Return the sessions and folders directly in a folder."""
        return self._inside.get(folder, ())

    def update(self, batch: RowChanges, moved: Iterable[str]) -> set[str]:
        """Follow a change of the rows.

        Args:
            batch: What changed.
            moved: Sessions whose project changed without a change of their row.

        Returns:
            Sessions that left or joined a family, and the parents that lost or won one.
        """
        owners: dict[str, str | None] = {}
        doubtful: set[str] = set()
        for folder, rows in batch.came.items():
            self._enter(folder, rows)
            if self._owner(folder, owners) is not None:
                doubtful.update(row.path for row in rows)
        for row in batch.gone:
            doubtful.add(row.path)
            self._unlist(row.path)
            self._forget(row)
        for old, new in batch.changed:
            self._forget(old)
            self._learn(new)
        if batch.came or batch.gone:
            doubtful.update(self._sidecars(batch.paths))
        if self._wanting:
            doubtful.update(self._involved(batch))
        for path in moved:
            doubtful.add(path)
            doubtful.update(self._wanting_row(self._rows[path]))
        changed = set()
        for path in doubtful:
            claimed = self._find_parent(path, owners) if path in self._rows else None
            if claimed != self._claimed.get(path) or path not in self._rows:
                self._claim(path, claimed)
                changed.add(path)
        return self._settle(changed) if changed else changed

    def _involved(self, batch: RowChanges) -> Iterator[str]:
        """Yield who names a parent, or is named as one, among what changed."""
        for rows in (*batch.came.values(), batch.gone, *batch.changed):
            for row in rows:
                if row.parent is not None:
                    yield row.path
                yield from self._wanting_row(row)

    def _enter(self, folder: str, rows: list[Row]) -> None:
        """Take over new sessions of a folder."""
        self._inside.setdefault(folder, {}).update(dict.fromkeys([row.path for row in rows]))
        while folder:
            above = folder_of(folder)
            known = self._inside.setdefault(above, {})
            if folder in known:
                break
            known[folder] = None
            folder = above
        ids = self._ids
        for row in rows:
            shared = row.id is not None and ids.setdefault(row.id, row.path) != row.path
            if shared or row.parent is not None:
                self._learn(row)

    def _learn(self, row: Row) -> None:
        """Take over a session's id and what it names as its parent."""
        path = row.path
        if row.id is not None and (first := self._ids.setdefault(row.id, path)) != path:
            self._twins.setdefault(row.id, {first}).add(path)
            self._ids[row.id] = min(first, path)
        for name in _names_of(row.parent):
            _add(self._wanting, name, path)

    def _forget(self, row: Row) -> None:
        for name in _names_of(row.parent):
            _discard(self._wanting, name, row.path)
        if row.id is None:
            return
        twins = self._twins.get(row.id)
        if twins is None:
            if self._ids.get(row.id) == row.path:
                del self._ids[row.id]
            return
        twins.discard(row.path)
        self._ids[row.id] = min(twins)
        if len(twins) == 1:
            del self._twins[row.id]

    def _wanting_row(self, row: Row) -> AbstractSet[str]:
        """Return the sessions whose header names this one as their parent."""
        found = self._wanting.get(row.path, _NOBODY)
        return found if row.id is None else found | self._wanting.get(row.id, _NOBODY)

    def _unlist(self, path: str) -> None:
        folder = folder_of(path)
        gone = path
        while (known := self._inside.get(folder)) is not None:
            known.pop(gone, None)
            if known:
                break
            del self._inside[folder]
            folder, gone = folder_of(folder), folder

    def _sidecars(self, paths: Collection[str]) -> set[str]:
        """Return every session in the sidecar folders of these."""
        if len(paths) > len(self._inside):
            waiting = [folder for folder in self._inside if folder + _SUFFIX in paths]
        else:
            stems = (path[: -len(_SUFFIX)] for path in paths if path.endswith(_SUFFIX))
            waiting = [stem for stem in stems if stem in self._inside]
        found = set()
        while waiting:
            for entry in self._inside[waiting.pop()]:
                if entry in self._rows:
                    found.add(entry)
                if entry in self._inside:
                    waiting.append(entry)
        return found

    def _owner(self, folder: str, owners: dict[str, str | None]) -> str | None:
        """Return the session in whose sidecar folder this folder lies; `owners` remembers."""
        if folder not in owners:
            owner: str | None = None
            above = folder
            while above and owner is None:
                owner = above + _SUFFIX if above + _SUFFIX in self._rows else None
                above = folder_of(above)
            owners[folder] = owner
        return owners[folder]

    def _find_parent(self, path: str, owners: dict[str, str | None]) -> str | None:
        """Return the parent that the path or the header tells."""
        owner = self._owner(folder_of(path), owners)
        if owner is not None and owner != path:
            return owner
        row = self._rows[path]
        for name in _names_of(row.parent):
            named = name if name in self._rows else self._ids.get(name)
            if named is not None:
                same = self._project(self._rows[named]) == self._project(row)
                return named if same and named != path else None
        return None

    def _claim(self, path: str, parent: str | None) -> None:
        old = self._claimed.pop(path, None)
        _discard(self._claimants, old, path)
        if parent is not None:
            self._claimed[path] = parent
            _add(self._claimants, parent, path)

    def _settle(self, changed: set[str]) -> set[str]:
        """Work out anew where `changed` and all who descend from them stand."""
        concerned, level = set(changed), changed
        for _ in range(MAX_ANCESTORS):
            level = {child for path in level for child in self._claimants.get(path, ())} - concerned
            if not level:
                break
            concerned |= level
        touched = set(changed)
        for path in concerned:
            parent, old = self._standing(path), self._parents.get(path)
            if parent == old:
                continue
            if old is not None:
                del self._parents[path]
                _discard(self._children, old, path)
                touched.add(old)
            if parent is not None:
                self._parents[path] = parent
                _add(self._children, parent, path)
                touched.add(parent)
            touched.add(path)
        return touched

    def _standing(self, path: str) -> str | None:
        """Return beneath whom a session stands, circles broken and depth bounded."""
        ancestors: list[str] = []
        seen = {path: 0}
        apart = self._apart
        above = None if path in apart else self._claimed.get(path)
        while above is not None:
            if above in seen:
                circle = [path, *ancestors][seen[above] :]
                top = min(circle)
                if top == path:
                    return None
                del ancestors[ancestors.index(top) + 1 :]
                break
            if len(ancestors) == MAX_ANCESTORS:
                return None
            seen[above] = len(ancestors) + 1
            ancestors.append(above)
            above = None if above in apart else self._claimed.get(above)
        if not ancestors:
            return None
        return ancestors[max(0, len(ancestors) - MAX_DEPTH)]


def _names_of(parent: str | None) -> tuple[str, ...]:
    """Return what `parentSession` may be found by: itself, and the id in a file's name."""
    if not parent:
        return ()
    if "/" not in parent and not parent.endswith(_SUFFIX):
        return (parent,)
    identity = file_name(parent).rpartition("_")[2]
    return (parent, identity) if identity else (parent,)


def _add(index: dict[str, set[str]], name: str | None, path: str) -> None:
    if name is not None:
        entries = index.get(name)
        if entries is None:
            index[name] = {path}
        else:
            entries.add(path)


def _discard(index: dict[str, set[str]], name: str | None, path: str) -> None:
    if name is not None and (entries := index.get(name)) is not None:
        entries.discard(path)
        if not entries:
            del index[name]
