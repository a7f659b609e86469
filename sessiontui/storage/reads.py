"""What can be asked of a storage without changing anything.

What is synchronous is answered from the mirror, with our own pending writes in
it; so are existence, sizes and times. Bytes come from the store where contents are
read on demand.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from sessiontui.errors import SessionNotFoundError
from sessiontui.storage.artifacts import find_all_artifacts, find_artifacts
from sessiontui.storage.backend import Range, Stat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sessiontui.storage.backend import Backend, Field, ScanBatch, Seen, TrashItem
    from sessiontui.storage.mirror import Mirror
    from sessiontui.storage.reading import Reader


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

    def __init__(self, backend: Backend, mirror: Mirror, reader: Reader) -> None:
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

    async def probe(self, ranges: Sequence[Range]) -> list[Seen | None]:
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

    async def loose_fields(self) -> AsyncIterator[list[Field]]:
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
