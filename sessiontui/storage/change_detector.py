"""The change detector: tells what peers did to a session from a snapshot, and updates the mirror.

The rule, for a session that was known `size` bytes long: it is gone, or it was
rewritten (shorter; the last bytes before `size` or the first bytes differ;
another file; another time without growth), or it grew by exactly the bytes
after `size`. Our own writes never run at the same session between the look and
its effect on the mirror: the caller sees to that.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sessiontui.errors import InvalidPathError, WrongTypeError
from sessiontui.storage.backend import Range
from sessiontui.storage.mirror import OVERLAP_BYTES, head_mark
from sessiontui.storage.operations import is_unchanged, overlap_start

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sessiontui.storage.backend import Backend, Snapshot, Stat
    from sessiontui.storage.mirror import Mirror, MirrorEntry

MOST_GROWTH: Final = 1 << 20
"""How much of a session's growth one look fetches, in bytes."""
MOST_TOGETHER: Final = 1 << 22
"""How much growth one look at many sessions fetches, in bytes; each has an equal share."""


@dataclass(frozen=True, slots=True)
class Detection:
    """What the change detector found of one session."""

    path: str
    entry: MirrorEntry | None
    """What was known of it."""
    seen: Snapshot | None
    start: int
    """Offset of the first byte of `seen.data`."""
    rewritten: bool = False


class ChangeDetector:
    """Detects changes of sessions, and updates the mirror.

    Args:
        backend: The store.
        mirror: What is known; changed by `apply` alone.
    """

    def __init__(self, backend: Backend, mirror: Mirror) -> None:
        self._backend = backend
        self._mirror = mirror

    async def look(self, paths: Sequence[str], *, whole: bool = False) -> list[Detection]:
        """Look at sessions, changing nothing.

        Args:
            paths: The sessions.
            whole: Whether to fetch growth without bound; only for resident contents.

        Raises:
            StorageError: The store could not be asked.
        """
        most = None if whole else min(MOST_GROWTH, MOST_TOGETHER // max(1, len(paths)))
        ranges = [self._range(path, most) for path in paths]
        findings = [
            Detection(item.path, self._mirror.confirmed.get(item.path), seen, item.start)
            for item, seen in zip(ranges, await self._probe(ranges), strict=True)
        ]
        suspects = [at for at, finding in enumerate(findings) if self._is_rewritten(finding)]
        if suspects:
            again = [self._last_bytes(findings[at].path) for at in suspects]
            for at, item, seen in zip(suspects, again, await self._probe(again), strict=True):
                before = findings[at]
                findings[at] = Detection(
                    before.path, before.entry, seen, item.start, rewritten=True
                )
        return findings

    def apply(self, findings: Sequence[Detection], *, own: bool = False) -> list[str]:
        """Put findings into the mirror; returns the sessions of which there is more to fetch."""
        findings = self._without_renames(findings, own=own)
        return [finding.path for finding in findings if self._apply(finding, own=own)]

    def differs(self, stat: Stat) -> bool:
        """Tell whether the index says something else of a session than the mirror does."""
        entry = self._mirror.confirmed.get(stat.path)
        return (
            entry is None
            or entry.size != stat.size
            or entry.title != stat.title
            or _is_redated(entry, stat)
        )

    # Looking.

    def _range(self, path: str, most: int | None) -> Range:
        entry = self._mirror.confirmed.get(path)
        if entry is None:
            return self._last_bytes(path)
        stop = None if most is None else entry.size + most
        return Range(path, overlap_start(entry), stop)

    def _last_bytes(self, path: str) -> Range:
        """Return what has to be read of a session of which nothing is known."""
        return Range(path, 0 if self._mirror.resident else -OVERLAP_BYTES)

    async def _probe(self, ranges: list[Range]) -> list[Snapshot | None]:
        """Ask the store; what is no session counts as gone."""
        try:
            return await self._backend.probe(ranges)
        except (InvalidPathError, WrongTypeError):
            if len(ranges) == 1:
                return [None]
        return [seen for item in ranges for seen in await self._probe([item])]

    def _is_rewritten(self, finding: Detection) -> bool:
        entry, seen = finding.entry, finding.seen
        if entry is None or seen is None:
            return False
        if not is_unchanged(entry, seen, finding.start):
            return True
        if seen.stat.size > entry.size or not _is_redated(entry, seen.stat):
            return False
        if self._mirror.resident:
            return True
        return entry.title == seen.stat.title and finding.path not in self._mirror.due

    # Applying.

    def _apply(self, finding: Detection, *, own: bool) -> bool:
        entry, seen = finding.entry, finding.seen
        if self._mirror.confirmed.get(finding.path) is not entry:
            return True
        if seen is None:
            self._mirror.removed(finding.path, own=own)
            return False
        if entry is None or finding.rewritten:
            self._replace(finding, seen, own=own)
            return False
        return self._grow(finding.path, entry, seen, finding.start, own=own)

    def _replace(self, finding: Detection, seen: Snapshot, *, own: bool) -> None:
        """Take in a session that is new, or whose bytes have to be read anew."""
        entry = finding.entry
        if entry is not None and entry.content is not None and entry.content == seen.data:
            entry.identity = seen.identity
            if entry.title != seen.stat.title or _is_redated(entry, seen.stat):
                self._mirror.redated(seen.stat, own=own)
            return
        take_in = self._mirror.created if entry is None else self._mirror.rewrote
        take_in(
            seen.stat,
            own=own,
            content=seen.data,
            head=seen.head,
            overlap=seen.data[-OVERLAP_BYTES:],
            identity=seen.identity,
        )

    def _grow(
        self, path: str, entry: MirrorEntry, seen: Snapshot, start: int, *, own: bool
    ) -> bool:
        """Take in growth and what the index says; tells whether there is more to fetch."""
        self._learn(entry, seen, start)
        retitled = entry.title != seen.stat.title
        new = seen.data[entry.size - start :]
        if new:
            for piece, is_own in _pieces(entry, new):
                self._mirror.grew(path, piece, seen.stat.mtime_ms, own=own or is_own, due=True)
        if retitled or (not new and _is_redated(entry, seen.stat)):
            self._mirror.redated(seen.stat, own=own)
        return seen.stat.size > entry.size

    def _learn(self, entry: MirrorEntry, seen: Snapshot, start: int) -> None:
        """Keep what the next look compares with, where it was not known yet."""
        entry.identity = seen.identity
        if entry.content is not None:
            return
        if entry.head is None:
            entry.head = head_mark(seen.head[: entry.size])
        if entry.overlap is None or seen.stat.size > entry.size:
            entry.overlap = seen.data[: entry.size - start][-OVERLAP_BYTES:]

    def _without_renames(self, findings: Sequence[Detection], *, own: bool) -> list[Detection]:
        """Apply what can be told to be renames; returns the other findings."""
        gone = _by_size((f.entry.size, f) for f in findings if f.entry and not f.seen)
        new = _by_size((f.seen.stat.size, f) for f in findings if f.seen and not f.entry)
        taken: set[str] = set()
        for size in gone.keys() & new.keys():
            source, target = gone[size].path, new[size].path
            entry, seen = gone[size].entry, new[size].seen
            if entry is None or seen is None or self._mirror.confirmed.get(source) is not entry:
                continue
            if target in self._mirror.confirmed or not _is_same(entry, seen):
                continue
            self._mirror.moved(source, target, seen.stat.mtime_ms, own=own)
            self._learn(entry, seen, size - len(seen.data))
            if entry.title != seen.stat.title:
                self._mirror.redated(seen.stat, own=own)
            taken.update((source, target))
        return [finding for finding in findings if finding.path not in taken]


def _is_redated(entry: MirrorEntry, stat: Stat) -> bool:
    """Tell whether the store's time is another one; none is like none."""
    if stat.mtime_ms is None:
        return entry.dated
    return entry.mtime_ms != stat.mtime_ms or not entry.dated


def _pieces(entry: MirrorEntry, new: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield growth from `entry.size` on, parted into ours (True) and peers'."""
    at, end = entry.size, entry.size + len(new)
    first = at
    for start, stop in entry.own:
        for until, is_own in ((min(start, end), False), (min(stop, end), True)):
            if at < until:
                yield new[at - first : until - first], is_own
                at = until
    if at < end:
        yield new[at - first :], False


def _by_size(found: Iterable[tuple[int, Detection]]) -> dict[int, Detection]:
    """Return findings by size, where it is not 0 and belongs to one of them alone."""
    pairs = list(found)
    counts = Counter(size for size, _ in pairs)
    return {size: finding for size, finding in pairs if size and counts[size] == 1}


def _is_same(entry: MirrorEntry, seen: Snapshot) -> bool:
    """Tell whether a session that is new is one that is gone, under another path."""
    if None not in (entry.identity, seen.identity):
        return entry.identity == seen.identity
    if entry.content is not None:
        return entry.content == seen.data
    if entry.head is None or entry.overlap is None:
        return entry.dated and entry.mtime_ms == seen.stat.mtime_ms
    return entry.may_begin(seen.head) and entry.may_end(seen.data)
