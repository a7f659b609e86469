"""The mirror of a store: its sessions as confirmed, and as pending writes will leave them.

Two layers. *Confirmed* entries are what the store has told us; each change of
them is published at once as exactly one `Change` (or two, where title and bytes
changed), so that whoever applies the changes in order holds what the mirror
holds. *Views* lie over them for the few sessions with pending writes, and are
rebuilt from the confirmed entry and the writes still pending whenever one of
these is done or has failed: that is the rollback.

Sizes and offsets are bytes, times integer milliseconds since the epoch.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import msgspec

from sessiontui.storage.backend import HEAD_BYTES, Stat
from sessiontui.storage.changes import Appended, Created, Removed, Renamed, Retitled, Rewritten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sessiontui.storage.changes import Change

OVERLAP_BYTES: Final = 64
"""How many of a session's last bytes must still be there for growth to count as an append."""


_STAT_FIELDS: Final = attrgetter("path", "size", "mtime_ms", "title")


class MirrorEntry(msgspec.Struct, gc=False):
    """A session of the mirror, as the store confirmed it."""

    size: int
    mtime_ms: int
    title: bytes | None = None
    """The title hash field as stored."""
    version: int = 0
    """Another number whenever bytes changed in another way than by growing."""
    dated: bool = True
    """Whether the store has a valid time; else `mtime_ms` is when we saw it come or grow."""
    head: bytes | int | None = None
    """The first bytes, once known and not in `content` anyway; as `head_mark` says."""
    overlap: bytes | int | None = None
    """The last bytes, once known and not in `content` anyway; as `overlap_mark` says, or
    themselves where the session was seen growing."""
    identity: object = None
    """`Snapshot.identity`, once known."""
    content: bytes | bytearray | None = None
    """All bytes, where contents are resident; can be changed once they were."""
    own: tuple[tuple[int, int], ...] = ()
    """Bytes beyond `size` that are known to be ours: a peer's, not seen yet, lie before them."""

    def may_begin(self, head: bytes) -> bool:
        """Tell whether the first bytes seen now do not contradict what is known of them."""
        known = self.head if self.content is None else bytes(self.content[:HEAD_BYTES])
        if known is None:
            return True
        return head.startswith(known) if isinstance(known, bytes) else head_mark(head) == known

    def may_end(self, data: bytes) -> bool:
        """Tell whether `data`, up to the known end, does not contradict what is known of it."""
        known = self.overlap if self.content is None else bytes(self.content[-OVERLAP_BYTES:])
        if known is None:
            return True
        return data.endswith(known) if isinstance(known, bytes) else overlap_mark(data) == known


def _changeable(entry: MirrorEntry, content: bytes | bytearray) -> bytearray:
    """Return a session's bytes so that they can be changed in place."""
    if not isinstance(content, bytearray):
        content = entry.content = bytearray(content)
    return content


def head_mark(head: bytes) -> bytes | int:
    """Return what is kept of a session's first bytes, to know them again.

    Of `HEAD_BYTES` bytes that is a digest, of fewer themselves: they are still added to.
    """
    return head if len(head) < HEAD_BYTES else _digest(head[:HEAD_BYTES])


def overlap_mark(data: bytes) -> bytes | int:
    """Return what is kept of a session's last bytes: a digest, or themselves where there are few.

    Most sessions never grow again, and a digest is a third as large.
    """
    return data if len(data) < OVERLAP_BYTES else _digest(data[-OVERLAP_BYTES:])


def _digest(data: bytes) -> int:
    """Return 60 bits: so much Python keeps in 32 bytes."""
    return int.from_bytes(blake2b(data, digest_size=8).digest()) >> 4


class StoredRange(msgspec.Struct, frozen=True, gc=False):
    """Bytes `[start, stop)` of a confirmed session."""

    path: str
    start: int
    stop: int


class PendingView(msgspec.Struct, gc=False):
    """A session as it will be once pending writes are done."""

    size: int
    mtime_ms: int
    title: bytes | None
    pieces: list[StoredRange | bytearray]
    """Its bytes from first to last: parts of confirmed sessions, and what we write."""


class Mirror:
    """The sessions of a store.

    Args:
        resident: Whether entries hold their content.
        clock: Milliseconds since the epoch.
        publish: Called with each change of what is confirmed, and whether it is our own doing.
    """

    def __init__(
        self, *, resident: bool, clock: Callable[[], int], publish: Callable[[Change, bool], None]
    ) -> None:
        self.resident = resident
        self.loaded = False
        """Whether a session that is not here is not in the store either."""
        self.confirmed: dict[str, MirrorEntry] = {}
        self.due: set[str] = set()
        """Sessions that were seen growing: their time alone may still follow, once."""
        self.taken: set[str] = set()
        """What we removed, and nobody else since: as many as this process removes."""
        self._views: dict[str, PendingView | None] = {}
        self._clock = clock
        self._publish = publish
        self._last_ms = 0
        self._version = 0

    # What there is, pending writes included.

    def view(self, path: str) -> PendingView | None:
        """Return a session as it will be, None if there is none then."""
        try:
            return self._views[path]
        except KeyError:
            return self._confirmed_view(path)

    def exists(self, path: str) -> bool:
        """Tell whether there is such a session."""
        return self._views[path] is not None if path in self._views else path in self.confirmed

    def stat(self, path: str) -> Stat | None:
        """Return what the index knows of a session, None if there is none."""
        known = self._views[path] if path in self._views else self.confirmed.get(path)
        return None if known is None else Stat(path, known.size, known.mtime_ms, known.title)

    def paths(self) -> Iterator[str]:
        """Yield every path; in the order of appearance, as far as nothing is pending."""
        views = self._views
        for path in self.confirmed:
            if path not in views or views[path] is not None:
                yield path
        for path, view in views.items():
            if view is not None and path not in self.confirmed:
                yield path

    def next_mtime(self) -> int:
        """Return a time above every time given out or loaded before."""
        self._last_ms = max(self._clock(), self._last_ms + 1)
        return self._last_ms

    # What pending writes make of it; `rebase` takes it back.

    def rebase(self, path: str) -> None:
        """Show what is confirmed again."""
        self._views.pop(path, None)

    def preview_append(self, path: str, data: bytes, mtime_ms: int) -> None:
        """Show `data` at the end."""
        view = self._view_to_change(path)
        if view is None:
            view = self._views[path] = PendingView(0, mtime_ms, None, [])
        last = view.pieces[-1] if view.pieces else None
        if isinstance(last, bytearray):
            last += data
        else:
            view.pieces.append(bytearray(data))
        view.size += len(data)
        view.mtime_ms = mtime_ms

    def preview_write(self, path: str, data: bytes, mtime_ms: int, title: bytes | None) -> None:
        """Show `data` as the whole session."""
        self._views[path] = PendingView(len(data), mtime_ms, title, [bytearray(data)])

    def preview_move(self, source: str, target: str) -> None:
        """Show a session under another path."""
        view = self._view_to_change(source)
        if view is not None:
            self._views[source] = None
            self._views[target] = view

    def preview_remove(self, path: str) -> None:
        """Show that a session is gone."""
        self._views[path] = None

    # What the store confirmed.

    def indexed(self, stats: Sequence[Stat], contents: Sequence[bytes] | None = None) -> None:
        """Take in many sessions at once; those known are passed over.

        Args:
            stats: What the index says of each.
            contents: All bytes of each, where they are resident.
        """
        confirmed, publish = self.confirmed, self._publish
        version, last, now = self._next_version(), self._last_ms, self._clock()
        told = zip(map(_STAT_FIELDS, stats), contents or repeat(None, len(stats)), strict=True)
        for (path, size, mtime_ms, title), content in told:
            if path in confirmed:
                continue
            shown = now if mtime_ms is None else mtime_ms
            last = max(last, shown)
            confirmed[path] = MirrorEntry(
                size, shown, title, version, mtime_ms is not None, content=content
            )
            publish(Created(path, size, shown, title), False)
        self._last_ms = last

    def created(
        self,
        stat: Stat,
        *,
        own: bool,
        content: bytes | None = None,
        head: bytes | None = None,
        overlap: bytes | None = None,
        identity: object = None,
    ) -> None:
        """Take in a session that was not there before; `content` where it is resident."""
        entry = self._entry(stat, content=content, head=head, overlap=overlap, identity=identity)
        self.confirmed[stat.path] = entry
        self._publish(Created(stat.path, entry.size, entry.mtime_ms, entry.title), own)

    def grew(
        self, path: str, data: bytes, mtime_ms: int | None, *, own: bool, due: bool = False
    ) -> None:
        """Take in bytes that were added at the end; `mtime_ms` None where the store has none."""
        entry = self.confirmed[path]
        start = entry.size
        if entry.content is not None:
            _changeable(entry, entry.content).extend(data)
        else:
            if start == 0:
                entry.head = entry.overlap = b""
            if isinstance(entry.head, bytes):
                entry.head = head_mark(entry.head + data[:HEAD_BYTES])
            if len(data) >= OVERLAP_BYTES:
                entry.overlap = data[-OVERLAP_BYTES:]
            elif isinstance(entry.overlap, bytes):
                entry.overlap = (entry.overlap + data)[-OVERLAP_BYTES:]
            else:
                entry.overlap = None
        entry.size = start + len(data)
        if due:
            self.due.add(path)
        if entry.own:
            entry.own = tuple(span for span in entry.own if span[1] > entry.size)
        if mtime_ms is None and not entry.dated:
            entry.mtime_ms = self._clock()
        self._date(entry, mtime_ms)
        self._publish(Appended(path, start, data, entry.mtime_ms), own)

    def rewrote(
        self,
        stat: Stat,
        *,
        own: bool,
        content: bytes | None = None,
        head: bytes | None = None,
        overlap: bytes | None = None,
        identity: object = None,
    ) -> None:
        """Take in that a session has other bytes now."""
        self.due.discard(stat.path)
        before = self.confirmed[stat.path]
        entry = self._entry(stat, content=content, head=head, overlap=overlap, identity=identity)
        if not entry.dated and not before.dated:
            entry.mtime_ms = before.mtime_ms
        self.confirmed[stat.path] = entry
        self._publish(Rewritten(stat.path, entry.size, entry.mtime_ms), own)
        if entry.title != before.title:
            self._publish(Retitled(stat.path, entry.title, entry.mtime_ms), own)

    def patched(self, stat: Stat, replaced: int, data: bytes) -> None:
        """Take in that we put `data` in the place of the first `replaced` bytes.

        Args:
            stat: The session as the store confirmed it, with what a peer may have added.
            replaced: 0 where `data` was put before the first byte.
            data: At least `HEAD_BYTES` bytes.
        """
        entry = self.confirmed.get(stat.path)
        if entry is None or entry.size < replaced:
            return
        if entry.content is not None:
            _changeable(entry, entry.content)[:replaced] = data
        else:
            entry.head = head_mark(data)
            if entry.size - replaced < OVERLAP_BYTES:
                entry.overlap = None
        entry.size += len(data) - replaced
        entry.version, entry.identity = self._next_version(), None
        before, entry.title = entry.title, stat.title
        self._date(entry, stat.mtime_ms)
        self._publish(Rewritten(stat.path, entry.size, entry.mtime_ms), True)
        if entry.title != before:
            self._publish(Retitled(stat.path, entry.title, entry.mtime_ms), True)

    def redated(self, stat: Stat, *, own: bool) -> None:
        """Take in another title, or another time alone."""
        entry = self.confirmed[stat.path]
        entry.title = stat.title
        self.due.discard(stat.path)
        self._date(entry, stat.mtime_ms)
        self._publish(Retitled(stat.path, entry.title, entry.mtime_ms), own)

    def moved(self, source: str, target: str, mtime_ms: int | None, *, own: bool) -> None:
        """Take in that a session has another path; what stood there is gone."""
        entry = self.confirmed.pop(source)
        if source in self.due:
            self.due.remove(source)
            self.due.add(target)
        if self.confirmed.pop(target, None) is not None:
            self._publish(Removed(target), own)
        entry.version = self._next_version()
        entry.identity = None
        self._date(entry, mtime_ms)
        self.confirmed[target] = entry
        self._publish(Renamed(source, target, entry.mtime_ms), own)

    def removed(self, path: str, *, own: bool) -> None:
        """Take in that a session is gone; nothing if it was not known."""
        self.due.discard(path)
        if own:
            self.taken.add(path)
        if self.confirmed.pop(path, None) is not None:
            if not own:
                self.taken.discard(path)
            self._publish(Removed(path), own)

    def ours_beyond(self, path: str, start: int, stop: int) -> None:
        """Note that bytes `[start, stop)`, not read yet, are our own."""
        entry = self.confirmed[path]
        spans = entry.own
        if spans and spans[-1][1] == start:
            entry.own = (*spans[:-1], (spans[-1][0], stop))
        else:
            entry.own = (*spans, (start, stop))

    def _entry(
        self,
        stat: Stat,
        *,
        content: bytes | None,
        head: bytes | None,
        overlap: bytes | None,
        identity: object,
    ) -> MirrorEntry:
        entry = MirrorEntry(stat.size, 0, stat.title, self._next_version(), identity=identity)
        if self.resident:
            entry.content = content or b""
        else:
            entry.head, entry.overlap = None if head is None else head_mark(head), overlap
        entry.dated = stat.mtime_ms is not None
        if stat.mtime_ms is None:
            entry.mtime_ms = self._clock()
        self._date(entry, stat.mtime_ms)
        return entry

    def _date(self, entry: MirrorEntry, mtime_ms: int | None) -> None:
        if mtime_ms is not None:
            entry.mtime_ms = mtime_ms
            entry.dated = True
        self._last_ms = max(self._last_ms, entry.mtime_ms)

    def _next_version(self) -> int:
        self._version += 1
        return self._version

    def _confirmed_view(self, path: str) -> PendingView | None:
        entry = self.confirmed.get(path)
        if entry is None:
            return None
        pieces: list[StoredRange | bytearray] = (
            [StoredRange(path, 0, entry.size)] if entry.size else []
        )
        return PendingView(entry.size, entry.mtime_ms, entry.title, pieces)

    def _view_to_change(self, path: str) -> PendingView | None:
        if path in self._views:
            return self._views[path]
        view = self._confirmed_view(path)
        if view is not None:
            self._views[path] = view
        return view
