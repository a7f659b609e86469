"""Reading sessions from a storage: existence, sizes, times, bytes.

What is synchronous is answered from the mirror, with our own pending writes in
it; so are existence, sizes and times. What is confirmed is read from the store or,
where contents are resident, from the mirror; what is pending is at hand. Nothing is read
beyond the size that the mirror knows, so that reads and changes fit together: whoever has
read to the end misses nothing and gets nothing twice from the next `Appended`.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from sessiontui.errors import SessionNotFoundError, StorageError
from sessiontui.storage.artifacts import find_all_artifacts, find_artifacts
from sessiontui.storage.backend import HEAD_BYTES, Range, Stat
from sessiontui.storage.mirror import OVERLAP_BYTES, StoredRange, head_mark, overlap_mark

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from sessiontui.storage.backend import Backend, HashField, ScanBatch, Snapshot, TrashItem
    from sessiontui.storage.mirror import Mirror, MirrorEntry, PendingView
    from sessiontui.storage.write_queue import WriteQueue


class SessionStat(msgspec.Struct, frozen=True):
    """Size and time of a session."""

    size: int
    mtime_ms: int

    @property
    def mtime(self) -> datetime:
        """The time, aware, in UTC."""
        return datetime.fromtimestamp(self.mtime_ms / 1000, UTC)


class SessionReads:
    """Reads over a mirror.

    Args:
        backend: The store.
        mirror: What is known and pending.
        reader: Reads bytes.
    """

    def __init__(self, backend: Backend, mirror: Mirror, reader: RangeReader) -> None:
        self.read_only: str | None = None
        """Why every change is refused, in a few plain words; None where they are allowed."""
        self._backend = backend
        self._mirror = mirror
        self._reader = reader

    @property
    def label(self) -> str:
        """Where the sessions are, without any secret."""
        return self._backend.label

    @property
    def root(self) -> str:
        """What the path of a new session begins with, before a slash and its project's folder."""
        return self._backend.root

    @property
    def bytes_read(self) -> int:
        """Bytes of sessions that reads have fetched from the store so far."""
        return self._reader.bytes_read

    @property
    def cached_bytes(self) -> int:
        """Bytes of them that are kept."""
        return self._reader.cached

    def ensure_dir_sync(self, path: str) -> None:
        """Do nothing: folders come with what is in them."""

    def exists_sync(self, path: str) -> bool:
        """Tell whether there is such a session."""
        return self._mirror.exists(path)

    def stat_sync(self, path: str) -> SessionStat:
        """Return size and time of a session.

        Raises:
            SessionNotFoundError: There is none.
        """
        stat = self._mirror.stat(path)
        if stat is None:
            raise SessionNotFoundError(path)
        return SessionStat(stat.size, stat.mtime_ms or 0)

    def confirmed_size(self, path: str) -> int | None:
        """Return how long a session is by the last word of the store; None where there is none.

        Pending writes are left out, those that are confirmed are in.
        """
        entry = self._mirror.confirmed.get(path)
        return None if entry is None else entry.size

    def read_text_sync(self, path: str) -> str:
        """Return a session as text, what is no UTF-8 replaced.

        Raises:
            SessionNotFoundError: There is none.
            StorageError: Contents are read on demand.
        """
        return self._reader.at_hand(path).decode("utf-8", "replace")

    def list_files_sync(self, folder: str, pattern: str) -> list[str]:
        """Return the paths right under `folder` that match `*`, `*.ext` or a name."""
        prefix = folder if folder.endswith("/") else folder + "/"
        cut = len(prefix)
        return [
            path
            for path in self._mirror.paths()
            if path.startswith(prefix)
            and "/" not in (name := path[cut:])
            and (name == pattern or (pattern[:1] == "*" and name.endswith(pattern[1:])))
        ]

    def stats(self) -> list[Stat]:
        """Return the whole index, pending writes included."""
        stats = (self._mirror.stat(path) for path in self._mirror.paths())
        return [stat for stat in stats if stat is not None]

    async def exists(self, path: str) -> bool:
        """Tell whether there is such a session."""
        return self._mirror.exists(path)

    async def read_text(self, path: str) -> str:
        """Return a session as text, what is no UTF-8 replaced; raises as `read_range`.

        It is what is stored, byte by byte: a slot is there as its line of 256 bytes, pad and
        all, and may be staler than the title field, which is never laid over it. So what is
        read and written again stays the same, up to the field, which follows the slot then.
        """
        return (await self.read_range(path, 0, None)).decode("utf-8", "replace")

    async def read_text_prefix(self, path: str, max_bytes: int) -> str:
        """Return the first bytes as text, a cut character replaced; raises as `read_range`."""
        data = await self.read_range(path, 0, max(0, max_bytes))
        return data.decode("utf-8", "replace")

    async def read_range(self, path: str, start: int, stop: int | None) -> bytes:
        """Return bytes `[start, stop)`; a negative offset counts from the end, None is the end.

        Raises:
            SessionNotFoundError: There is no such session.
            StorageError: The store could not be asked.
        """
        (data,) = await self._reader.read([Range(path, start, stop)], keep=True)
        if data is None:
            raise SessionNotFoundError(path)
        return data

    async def read_many(self, ranges: Sequence[Range]) -> list[bytes | None]:
        """Return the bytes of many ranges at once, None for a session that is gone.

        Raises:
            StorageError: The store could not be asked.
        """
        return await self._reader.read(ranges, keep=False)

    async def probe(self, ranges: Sequence[Range]) -> list[Snapshot | None]:
        """Return anything as it stands in the store now, listed or not, with some of its bytes.

        Raises:
            StorageError: The store could not be asked.
        """
        return await self._backend.probe(ranges)

    async def artifacts(self, path: str) -> list[Stat]:
        """Return everything that is deleted with a session, itself first.

        Raises:
            InvalidPathError: The path does not end in `.jsonl`.
            SessionNotFoundError: There is no such session.
        """
        return await find_artifacts(self._backend, path)

    async def all_artifacts(self, paths: Sequence[str]) -> dict[str, list[Stat]]:
        """Return the same for many sessions at once, without those that are gone.

        Where one lies in the folder of another, it is among what belongs to that.

        Raises:
            InvalidPathError: A path does not end in `.jsonl`.
        """
        return await find_all_artifacts(self._backend, paths)

    def took(self, path: str) -> bool:
        """Tell whether it was this process that removed what was at a path last."""
        return path in self._mirror.taken

    async def survey(self) -> AsyncIterator[ScanBatch]:
        """Yield all that the store holds, listed as a session or not, as it is read.

        Raises:
            StorageError: The store could not be asked.
        """
        async for batch in self._backend.scan_under(""):
            yield batch

    async def loose_fields(self) -> AsyncIterator[list[HashField]]:
        """Yield times and titles of no session; see `Backend.loose_fields`."""
        async for fields in self._backend.loose_fields():
            yield fields

    async def trashed(self) -> list[TrashItem]:
        """Return what can be restored, newest first."""
        return await self._backend.trashed(tidy=self.read_only is None)

    async def trash_item(self, item_id: str) -> TrashItem:
        """Return an item of the trash.

        Raises:
            SessionNotFoundError: The trash does not hold it (any more).
        """
        for item in await self.trashed():
            if item.id == item_id:
                return item
        raise SessionNotFoundError(item_id)

    async def lives(self, paths: Sequence[str]) -> list[int | None]:
        """Return how long each still has to live, in milliseconds; None for ever.

        Raises:
            StorageError: The store could not be asked.
        """
        return await self._backend.lives(paths)

    async def staged(self, token: str) -> bool:
        """Tell whether something is built aside here under a token, by whomever."""
        return await self._backend.staged(token)

    async def why_read_only(self) -> str | None:
        """Return why the store allows no change, in a few plain words; None where it may.

        Raises:
            StorageError: The store could not be asked.
        """
        return await self._backend.read_only()


_TRIES = 50
"""How often to begin again when sessions move under a read, before it fails."""


def range_bounds(item: Range, size: int) -> tuple[int, int]:
    """Return a range of a session of `size` bytes as `(start, stop)`, both within it."""
    start = max(0, size + item.start) if item.start < 0 else min(item.start, size)
    stop = size if item.stop is None else item.stop
    if stop < 0:
        stop += size
    return start, max(start, min(stop, size))


def pieces_of(view: PendingView, start: int, stop: int) -> list[StoredRange | bytes]:
    """Return the pieces that bytes `[start, stop)` of a view consist of."""
    parts: list[StoredRange | bytes] = []
    at = 0
    for piece in view.pieces:
        length = piece.stop - piece.start if isinstance(piece, StoredRange) else len(piece)
        first, last = max(start - at, 0), min(stop - at, length)
        if first < last:
            if isinstance(piece, StoredRange):
                parts.append(StoredRange(piece.path, piece.start + first, piece.start + last))
            else:
                parts.append(bytes(piece[first:last]))
        at += length
    return parts


class RangeReader:
    """Reads ranges.

    Args:
        backend: The store.
        mirror: What is known and pending.
        write_queue: Tells what is on its way to the store.
        cache: Keeps what single reads have read.
        mark: Called with sessions that may be other than the mirror says.
    """

    def __init__(
        self,
        backend: Backend,
        mirror: Mirror,
        write_queue: WriteQueue,
        cache: RangeCache,
        mark: Callable[[Iterable[str]], None],
    ) -> None:
        self._backend = backend
        self._mirror = mirror
        self._write_queue = write_queue
        self._cache = cache
        self.bytes_read = 0
        """Bytes the store has answered with so far."""
        self._mark = mark

    @property
    def cached(self) -> int:
        """How many bytes of what was read are kept."""
        return self._cache.bytes

    def at_hand(self, path: str) -> bytes:
        """Return a whole session without asking the store.

        Raises:
            SessionNotFoundError: There is none.
            StorageError: Its contents are not resident.
        """
        view = self._mirror.view(path)
        if view is None:
            raise SessionNotFoundError(path)
        return b"".join(self._resident(part) for part in pieces_of(view, 0, view.size))

    async def read(self, ranges: Sequence[Range], *, keep: bool) -> list[bytes | None]:
        """Return the bytes of each range, None for a session that does not exist.

        Args:
            ranges: What to read.
            keep: Whether to remember what the store answers.

        Raises:
            StorageError: The store could not be asked.
        """
        for _ in range(_TRIES):
            parts = [self._cut(item) for item in ranges]
            if self._mirror.resident:
                return [None if p is None else b"".join(map(self._resident, p)) for p in parts]
            stored = [
                part for some in parts for part in some or () if isinstance(part, StoredRange)
            ]
            found = await self._fetch(list(dict.fromkeys(stored)), keep=keep)
            if found is not None:
                return [None if some is None else _joined(some, found) for some in parts]
        raise StorageError("the sessions change faster than they can be read")

    def _cut(self, item: Range) -> list[StoredRange | bytes] | None:
        view = self._mirror.view(item.path)
        return None if view is None else pieces_of(view, *range_bounds(item, view.size))

    def _resident(self, part: StoredRange | bytes) -> bytes:
        if isinstance(part, bytes):
            return part
        content = self._mirror.confirmed[part.path].content
        if content is None:
            raise StorageError(
                "contents are read on demand here: await read_text or read_range", path=part.path
            )
        return bytes(content[part.start : part.stop])

    async def _fetch(
        self, parts: list[StoredRange], *, keep: bool
    ) -> dict[StoredRange, bytes | None] | None:
        """Return what the store holds there, None if it moved meanwhile."""
        paths = dict.fromkeys(part.path for part in parts)
        moving = [one for path in paths if (one := self._write_queue.moving(path)) is not None]
        if moving:
            await moving[0].done
            return None
        entries = {path: self._mirror.confirmed[path] for path in paths}
        versions = {path: entry.version for path, entry in entries.items()}
        found: dict[StoredRange, bytes | None] = {}
        missing: list[StoredRange] = []
        for part in parts:
            data = self._cache.get(part.path, versions[part.path], part.start, part.stop)
            if data is None:
                missing.append(part)
            else:
                found[part] = data
        if not missing:
            return found
        learnt = [item for path in paths for item in _to_learn(path, entries[path], missing)]
        asked = [*missing, *learnt]
        answers = await self._backend.read([Range(p.path, p.start, p.stop) for p in asked])
        self.bytes_read += sum(len(data) for data in answers if data is not None)
        if any(self._has_moved(path, entries[path], versions[path]) for path in paths):
            return None
        for part, data in zip(asked, answers, strict=True):
            found[part] = data
            if data is None or len(data) < part.stop - part.start:
                self._mark((part.path,))
                continue
            _learn(entries[part.path], part, data)
            if keep:
                self._cache.put(part.path, versions[part.path], part.start, data)
        return found

    def _has_moved(self, path: str, entry: MirrorEntry, version: int) -> bool:
        return (
            self._mirror.confirmed.get(path) is not entry
            or entry.version != version
            or self._write_queue.moving(path) is not None
        )


def _joined(
    parts: list[StoredRange | bytes], found: dict[StoredRange, bytes | None]
) -> bytes | None:
    """Return the parts as one, None if a peer has removed one of them."""
    joined = [found[part] if isinstance(part, StoredRange) else part for part in parts]
    return None if None in joined else b"".join(part for part in joined if part is not None)


def _to_learn(path: str, entry: MirrorEntry, parts: list[StoredRange]) -> list[StoredRange]:
    """Return what must be read beside `parts` to judge a peer's change to the session later."""
    wanted = []
    if entry.head is None:
        wanted.append(StoredRange(path, 0, min(HEAD_BYTES, entry.size)))
    if entry.overlap is None:
        wanted.append(StoredRange(path, max(0, entry.size - OVERLAP_BYTES), entry.size))
    return [
        one
        for one in wanted
        if not any(p.path == path and p.start <= one.start and one.stop <= p.stop for p in parts)
    ]


def _learn(entry: MirrorEntry, part: StoredRange, data: bytes) -> None:
    """Keep the first and last bytes of a session, if `data` holds them and they are not known."""
    head = min(HEAD_BYTES, entry.size)
    if entry.head is None and part.start == 0 and part.stop >= head:
        entry.head = head_mark(data[:head])
    last = entry.size - min(OVERLAP_BYTES, entry.size)
    if entry.overlap is None and part.start <= last and part.stop == entry.size:
        entry.overlap = overlap_mark(data)


class RangeCache:
    """Ranges of bytes by session, the least recently used forgotten first.

    Args:
        limit: How many bytes it holds at most.
    """

    def __init__(self, limit: int) -> None:
        self.bytes = 0
        """How many it holds."""
        self._limit = limit
        self._ranges: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._starts: dict[str, list[int]] = {}
        self._versions: dict[str, int] = {}

    def get(self, path: str, version: int, start: int, stop: int) -> bytes | None:
        """Return bytes `[start, stop)` of that version of a session, None if not all are here."""
        if self._versions.get(path) != version:
            return None
        starts = self._starts[path]
        at = bisect_right(starts, start) - 1
        if at < 0:
            return None
        key = (path, starts[at])
        held = self._ranges[key]
        if starts[at] + len(held) < stop:
            return None
        self._ranges.move_to_end(key)
        return held[start - starts[at] : stop - starts[at]]

    def put(self, path: str, version: int, start: int, data: bytes) -> None:
        """Keep bytes of a session from `start` on; other versions of it are forgotten."""
        if not data or len(data) > self._limit:
            return
        if self._versions.get(path) != version:
            self.forget(path)
            self._versions[path] = version
        key = (path, start)
        before = self._ranges.get(key)
        if before is None:
            insort(self._starts.setdefault(path, []), start)
        elif len(before) >= len(data):
            return
        self.bytes += len(data) - len(before or b"")
        self._ranges[key] = data
        self._ranges.move_to_end(key)
        while self.bytes > self._limit:
            (old, old_start), dropped = self._ranges.popitem(last=False)
            self.bytes -= len(dropped)
            self._starts[old].remove(old_start)
            if not self._starts[old]:
                del self._starts[old], self._versions[old]

    def forget(self, path: str) -> None:
        """Forget a session."""
        for start in self._starts.pop(path, ()):
            self.bytes -= len(self._ranges.pop((path, start)))
        self._versions.pop(path, None)
