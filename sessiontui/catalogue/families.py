"""Which session stands beneath which: subagents and forks under their parent.

A subagent lies in the sidecar folder of its parent: the parent's path without
`.jsonl`. A fork names its parent by id or by path in its header, and stands
beneath it where both belong to the same project.

What headers claim may be wrong: of sessions that are each other's ancestors,
the one with the smallest path stands at the top; a line of descent longer than
`MAX_ANCESTORS` is not followed; deeper than `MAX_DEPTH` everyone is a sibling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sessiontui.catalogue.order import file_name, folder_of
from sessiontui.catalogue.row import Row  # noqa: TC001  (a NamedTuple reads it)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

MAX_DEPTH = 6
"""How many levels below a project's first one are shown."""
MAX_ANCESTORS = 64
"""How far a line of descent is followed."""

_SUFFIX = ".jsonl"


class Told(NamedTuple):
    """A session before and after; None where there was or is none."""

    path: str
    old: Row | None
    new: Row | None

    @staticmethod
    def concerns(old: Row | None, new: Row | None) -> bool:
        """Tell whether families or projects may change: by id, parent, or the project's sources."""
        if old is None or new is None:
            row = old or new
            return row is not None and (row.read or row.id is not None or row.parent is not None)
        return (
            old.id != new.id
            or old.parent != new.parent
            or old.cwd != new.cwd
            or old.read != new.read
        )


class Families:
    """Parents and children among the sessions of `rows`."""

    def __init__(self, rows: Mapping[str, Row], project: Callable[[Row], str]) -> None:
        self._rows = rows
        self._project = project
        self._inside: dict[str, set[str]] = {}
        """Folder -> the sessions and folders directly in it."""
        self._ids: dict[str, str] = {}
        """Id -> its session; of several, the one with the smallest path."""
        self._twins: dict[str, set[str]] = {}
        """Ids that several sessions share -> all of them."""
        self._wanting: dict[str, set[str]] = {}
        """Id or path -> the sessions whose header names it as their parent."""
        self._claimed: dict[str, str] = {}
        """Session -> its parent, as found; may contain circles."""
        self._claimants: dict[str, set[str]] = {}
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

    def is_subagent(self, path: str) -> bool:
        """Tell whether the session lies in the sidecar folder of its parent."""
        claimed = self._claimed.get(path)
        return claimed is not None and path.startswith(claimed.removesuffix(_SUFFIX) + "/")

    def with_id(self, identity: str) -> Collection[str]:
        """Return the sessions whose header has this id; a copied file shares it."""
        if (twins := self._twins.get(identity)) is not None:
            return twins
        return (self._ids[identity],) if identity in self._ids else ()

    def inside(self, folder: str) -> Collection[str]:
        """Return the sessions and folders directly in a folder."""
        return self._inside.get(folder, ())

    def update(
        self, came: Sequence[str], gone: Sequence[str], told: Sequence[Told], moved: Iterable[str]
    ) -> set[str]:
        """Follow a change of the rows.

        Args:
            came: Sessions that are new.
            gone: Sessions that are no more.
            told: Sessions of which `Told.concerns` holds, also of those that came and went.
            moved: Sessions whose project changed without a change of their row.

        Returns:
            Sessions that left or joined a family, and the parents that lost or won one.
        """
        owners: dict[str, str | None] = {}
        doubtful = self._list(came, owners)
        for path in gone:
            doubtful.add(path)
            self._unlist(path)
        doubtful.update(self._sidecars([*came, *gone]))
        wanting = self._wanting
        if wanting:
            for path in (*came, *gone):
                doubtful.update(wanting.get(path, ()))
        for path, old, new in told:
            self._note(path, old, new)
            for row in (old, new):
                if row is not None and wanting:
                    doubtful.update(self._wanting_row(row))
                if row is not None and row.parent is not None:
                    doubtful.add(path)
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

    def _note(self, path: str, old: Row | None, new: Row | None) -> None:
        """Take over a session's id and what it names as its parent."""
        old_id, new_id = (row.id if row is not None else None for row in (old, new))
        if old_id != new_id:
            self._forget_id(old_id, path)
            self._learn_id(new_id, path)
        old_parent, new_parent = (row.parent if row is not None else None for row in (old, new))
        if old_parent != new_parent:
            for name in _names_of(old_parent):
                _discard(self._wanting, name, path)
            for name in _names_of(new_parent):
                _add(self._wanting, name, path)

    def _learn_id(self, identity: str | None, path: str) -> None:
        if identity is not None and (first := self._ids.setdefault(identity, path)) != path:
            self._twins.setdefault(identity, {first}).add(path)
            self._ids[identity] = min(first, path)

    def _forget_id(self, identity: str | None, path: str) -> None:
        if identity is None:
            return
        twins = self._twins.get(identity)
        if twins is None:
            if self._ids.get(identity) == path:
                del self._ids[identity]
            return
        twins.discard(path)
        self._ids[identity] = min(twins)
        if len(twins) == 1:
            del self._twins[identity]

    def _wanting_row(self, row: Row) -> set[str]:
        """Return the sessions whose header names this one as their parent."""
        found = self._wanting.get(row.path, set())
        return found if row.id is None else found | self._wanting.get(row.id, set())

    def _list(self, paths: Iterable[str], owners: dict[str, str | None]) -> set[str]:
        """Enter new sessions into their folders; return those that lie in a sidecar folder."""
        arrived: dict[str, list[str]] = {}
        for path in paths:
            folder = path.rpartition("/")[0]
            entries = arrived.get(folder)
            if entries is None:
                arrived[folder] = [path]
            else:
                entries.append(path)
        found: set[str] = set()
        for folder, entries in arrived.items():
            if self._owner(folder, owners) is not None:
                found.update(entries)
            self._inside.setdefault(folder, set()).update(entries)
            below = folder
            while below:
                above = folder_of(below)
                if below in (known := self._inside.setdefault(above, set())):
                    break
                known.add(below)
                below = above
        return found

    def _unlist(self, path: str) -> None:
        folder = folder_of(path)
        _discard(self._inside, folder, path)
        while folder and folder not in self._inside:
            folder, gone = folder_of(folder), folder
            _discard(self._inside, folder, gone)

    def _sidecars(self, paths: Collection[str]) -> set[str]:
        """Return every session in the sidecar folders of these."""
        if len(paths) > len(self._inside):
            within = set(paths)
            waiting = [folder for folder in self._inside if folder + _SUFFIX in within]
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
        above = self._claimed.get(path)
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
            above = self._claimed.get(above)
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
