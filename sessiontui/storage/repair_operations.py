"""Repairs as operations in the write queue; each is checked once more in its turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from sessiontui.errors import SessionNotFoundError, StorageError, WriteConflictError
from sessiontui.formats.title_slot import parse_slot
from sessiontui.storage.backend import JOIN_BYTES, Range, Stat, TrashItem
from sessiontui.storage.changes import is_session
from sessiontui.storage.session_operations import SetTitle
from sessiontui.storage.write_queue import Operation, refuse_in_use

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiontui.formats.title_slot import TitleSource
    from sessiontui.storage.backend import HashFieldChange, Snapshot
    from sessiontui.storage.session_operations import TitleResult
    from sessiontui.storage.write_queue import Guard

_FRONT_BYTES = 64
"""How many empty lines at the beginning of a session are noticed."""


class ChangeFields(Operation):
    """Changes fields of the times and titles.

    Args:
        changes: What to change; `changed` tells which are as wished afterwards.
    """

    def __init__(self, changes: Sequence[HashFieldChange]) -> None:
        super().__init__(tuple(dict.fromkeys(change.path for change in changes)))
        self._changes = changes
        self.changed: list[bool] = []

    async def attempt(self) -> list[bool]:
        """Change them; one that is as wished already counts as done."""
        return await self.backend.change_fields(self._changes)

    async def look(self) -> list[bool] | None:
        """Say that it has to be tried again: what was done is found done then."""
        return None

    def confirm(self, answer: list[bool]) -> None:
        """Look at the sessions concerned."""
        self.changed = answer
        self.look_at = tuple(
            change.path for change in self._changes if change.session and is_session(change.path)
        )


class OverwriteStart(Operation):
    """Replaces the first bytes of a session by as many others; its length and title field stay.

    Args:
        path: The session.
        old: What it must begin with.
        new: What it begins with then.
        mtime_ms: Its new time.
    """

    def __init__(self, path: str, *, old: bytes, new: bytes, mtime_ms: int) -> None:
        super().__init__((path,))
        self._old = old
        self._new = new
        self._mtime_ms = mtime_ms

    async def attempt(self) -> Stat:
        """Write over them."""
        return await self.backend.patch(
            *self.paths, old=self._old, new=self._new, mtime_ms=self._mtime_ms, title="keep"
        )

    async def look(self) -> Stat | None:
        """Tell by the bytes."""
        [seen] = await self.backend.probe([Range(self.paths[0], 0, len(self._new))])
        return seen.stat if seen is not None and seen.data == self._new else None

    def confirm(self, answer: Stat) -> None:
        """Take them in."""
        self.mirror.patched(answer, len(self._old), self._new)
        self.look_at = self.paths


class AddTitleSlot(SetTitle):
    """Puts a slot with its title before a session that has none.

    Args:
        stat: The session, with the size and the title field it must have.
        title: Its title.
        source: Who gave it.
        now_ms: When it gets the slot; its own time stays what it is.
        guard: Refuses it in its turn, if given.
    """

    def __init__(
        self, stat: Stat, title: str, source: TitleSource, *, now_ms: int, guard: Guard | None
    ) -> None:
        super().__init__(stat.path, title, source, now_ms, allow_rewrite=guard or True)
        self._stat = stat

    async def attempt(self) -> TitleResult:
        """Put it there, if all is as it was found."""
        seen = await self._seen()
        found = (seen.stat.size, seen.stat.title)
        if found != (self._stat.size, self._stat.title) or parse_slot(seen.data) is not None:
            path = self._stat.path
            raise StorageError(f"it is not as it was found any more: {path}", path=path)
        return await self._write(seen)


class Crop(Operation):
    """Crops a session to some of its bytes.

    Args:
        path: The session.
        start: Its first byte that stays.
        stop: The first byte after them.
        expected_size: Its size before.
        mtime_ms: Its new time.
        title: Its new title field.
        guard: Refuses it in its turn, if given.
    """

    def __init__(
        self,
        path: str,
        start: int,
        stop: int,
        *,
        expected_size: int,
        mtime_ms: int,
        title: bytes | Literal["keep"] | None = "keep",
        guard: Guard | None = None,
    ) -> None:
        super().__init__((path,))
        self._start = start
        self._stop = stop
        self._expected_size = expected_size
        self._mtime_ms = mtime_ms
        self._title: bytes | Literal["keep"] | None = title
        self._guard = guard

    async def attempt(self) -> Stat:
        """Cut off the others."""
        [path] = self.paths
        seen = await _seen(self, Range(path, 0, 0))
        refuse_in_use(self._guard, seen.stat)
        return await self.backend.keep(
            path,
            self._start,
            self._stop,
            expected_size=self._expected_size,
            mtime_ms=self._mtime_ms,
            title=self._title,
        )

    async def look(self) -> Stat | None:
        """Tell by its length and time."""
        [seen] = await self.backend.probe([Range(self.paths[0], 0, 0)])
        wanted = (self._stop - self._start, self._mtime_ms)
        if seen is None or (seen.stat.size, seen.stat.mtime_ms) != wanted:
            return None
        return seen.stat

    def confirm(self, _answer: Stat) -> None:
        """Look at it."""
        self.look_at, self.look_at_own = self.paths, True


class JoinSessions(Operation):
    """Adds a session to the end of another one, and moves it to the trash.

    Args:
        tail: The session, with the size it must have.
        head: The other one, with the size it must have.
        item: Its place in the trash, without what it lists.
        mtime_ms: The new time of the other one.
        guards: Refuse it in its turn, if given: for the session, for the other one.
    """

    def __init__(
        self,
        tail: Stat,
        head: Stat,
        item: TrashItem,
        *,
        mtime_ms: int,
        guards: tuple[Guard | None, Guard | None],
    ) -> None:
        super().__init__((tail.path, head.path))
        self.item = msgspec.structs.replace(item, stats=(tail,))
        self.joined_size = 0
        """How long the other one is then."""
        self._head = head
        self._mtime_ms = mtime_ms
        self._guards = guards

    async def attempt(self) -> TrashItem:
        """Join them, without a line being glued to another or an empty one between them."""
        [tail] = self.item.stats
        if tail.size > JOIN_BYTES:
            most = f"{JOIN_BYTES >> 20} MB"
            raise StorageError(
                f"longer than {most}, too long to be joined: {tail.path}", path=tail.path
            )
        front = await _seen(self, Range(tail.path, 0, _FRONT_BYTES))
        end = await _seen(self, Range(self._head.path, -1, None))
        for seen, wanted, guard in zip((front, end), (tail, self._head), self._guards, strict=True):
            if seen.stat.size != wanted.size:
                raise WriteConflictError(
                    wanted.path, expected_size=wanted.size, actual_size=seen.stat.size
                )
            refuse_in_use(guard, seen.stat)
        between = b"" if end.data in (b"\n", b"") else b"\n"
        skip = len(front.data) - len(front.data.lstrip(b"\n"))
        self.joined_size = self._head.size + len(between) + tail.size - skip
        await self.backend.join(
            self.item, self._head, between=between, skip=skip, mtime_ms=self._mtime_ms
        )
        return self.item

    async def look(self) -> TrashItem | None:
        """Tell by whether it is in the trash."""
        items = await self.backend.trashed()
        return next((item for item in items if item.id == self.item.id), None)

    def confirm(self, answer: TrashItem) -> None:
        """Take in that it is gone, and look at the other one."""
        self.mirror.removed(answer.path, own=True)
        self.look_at, self.look_at_own = (self._head.path,), True


class DiscardFiles(Operation):
    """Moves what is no session to the trash.

    Args:
        stats: What is to go, as it was seen; a session among it is refused.
        item: Its place in the trash, without what it lists.
    """

    def __init__(self, stats: tuple[Stat, ...], item: TrashItem) -> None:
        super().__init__(tuple(stat.path for stat in stats))
        if any(is_session(path) for path in self.paths):
            raise StorageError("a session is nothing to be discarded", path=self.paths[0])
        self.item = msgspec.structs.replace(item, stats=stats)

    async def attempt(self) -> TrashItem:
        """Throw away what still is as it was."""
        for stat in self.item.stats:
            now = [
                found
                async for batch in self.backend.scan_under(stat.path)
                for found in batch.stats
                if found.path == stat.path
            ]
            if not now:
                raise SessionNotFoundError(stat.path)
            if now[-1].size != stat.size:
                raise WriteConflictError(
                    stat.path, expected_size=stat.size, actual_size=now[-1].size
                )
        await self.backend.trash(self.item)
        return self.item

    async def look(self) -> TrashItem | None:
        """Tell by whether it is in the trash."""
        items = await self.backend.trashed()
        return next((item for item in items if item.id == self.item.id), None)

    def confirm(self, answer: TrashItem) -> None:
        """Take in that it is gone."""
        for stat in answer.stats:
            self.mirror.removed(stat.path, own=True)


async def _seen(operation: Operation, wanted: Range) -> Snapshot:
    [seen] = await operation.backend.probe([wanted])
    if seen is None:
        raise SessionNotFoundError(wanted.path)
    return seen
