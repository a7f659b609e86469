"""Deleted sessions that can be brought back, until they expire.

Nothing is copied: the keys are renamed out of what agents look at, in the same
step that takes mtime and title away. They get a time to live that is no limit in practice: a
server that is short of memory takes such keys first, and what is left of it tells by the server's
own clock how long ago the deletion was.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from sessiontui.errors import SessionNotFoundError
from sessiontui.storage.backend import Stat, TrashItem
from sessiontui.storage.redis import scripts
from sessiontui.storage.redis.errors import reply_error
from sessiontui.storage.redis.keys import decode_name, hash_field, mtime_ms, prefix_pattern
from sessiontui.storage.redis.steps import run_step
from sessiontui.storage.retention import DAY_MS, kept_until, may_go, next_mark
from sessiontui.times import now_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessiontui.storage.redis.connection import RedisConnection
    from sessiontui.storage.redis.keys import RedisKeys

LIFE_MS: Final = 100 * 365 * DAY_MS
"""Time to live of what is in the trash."""
_MARK: Final = b"expired"
"""Field of a record: when a look first found that its time is over, by our clock and how long
after the deletion by the server's."""
_NUMBER: Final = re.compile(rb"[0-9]{1,18}")
"""What a record that we wrote has for numbers; anything else is no record of ours."""
_MARKED: Final = re.compile(rb"([0-9]{1,18}) ([0-9]{1,18})")
_ABOUT: Final = ((b"PTTL",), (b"HMGET", b"life", _MARK))
"""What is asked of a record, to decide whether it goes."""


class RedisTrash:
    """The trash below one prefix."""

    def __init__(
        self,
        reads: RedisConnection,
        writes: RedisConnection,
        keys: RedisKeys,
        scan_count: int,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """Use these links; `scan_count` as in a scan of the index, `clock` in milliseconds."""
        self._clock = clock
        self._reads = reads
        self._writes = writes
        self._keys = keys
        self._scan_count = scan_count

    async def put(self, item: TrashItem) -> None:
        """Move sessions into the trash; see `Backend.trash`.

        They live for `LIFE_MS`, in which a server's clock that leaps takes nothing; `tidy` removes
        what expired.
        """
        keys = [self._keys.meta, self._keys.title, self._keys.record(item.id)]
        for number, stat in enumerate(item.stats, start=1):
            keys += [self._keys.file(stat.path), self._keys.trashed(item.id, number, stat.path)]
        paths = [stat.path for stat in item.stats]
        numbers = [b"%d" % number for number in (LIFE_MS, item.deleted_ms, item.expires_ms)]
        await run_step(
            self._writes,
            self._keys,
            scripts.TRASH,
            keys,
            [*numbers, *map(hash_field, paths)],
            paths,
        )

    async def join(
        self, item: TrashItem, target: Stat, *, between: bytes, skip: int, mtime_ms: int
    ) -> Stat:
        """Add a session's bytes at the end of another one, and put it into the trash."""
        [stat] = item.stats
        names = [
            self._keys.meta,
            self._keys.title,
            self._keys.record(item.id),
            self._keys.file(stat.path),
            self._keys.trashed(item.id, 1, stat.path),
            self._keys.file(target.path),
        ]
        arguments = [
            *(b"%d" % number for number in (LIFE_MS, item.deleted_ms, item.expires_ms)),
            hash_field(stat.path),
            b"%d" % stat.size,
            hash_field(target.path),
            b"%d" % target.size,
            between,
            b"%d" % skip,
            b"%d" % mtime_ms,
        ]
        size, title = await run_step(
            *(self._writes, self._keys, scripts.JOIN, names, arguments, [stat.path]),
            expected_size=stat.size,
        )
        return Stat(target.path, size, mtime_ms, title)

    async def restore(self, item_id: str) -> TrashItem:
        """Bring sessions back; see `Backend.restore`."""
        [item] = await self._items([self._keys.record(item_id)])
        if item is None:
            raise SessionNotFoundError(item_id)
        numbered, found = item
        keys = [self._keys.meta, self._keys.title, self._keys.record(item_id)]
        arguments: list[bytes] = []
        for number, stat in numbered.items():
            keys += [self._keys.trashed(item_id, number, stat.path), self._keys.file(stat.path)]
            arguments += [b"%d" % number, hash_field(stat.path)]
        paths = [stat.path for stat in numbered.values()]
        back = await run_step(self._writes, self._keys, scripts.RESTORE, keys, arguments, paths)
        stats = tuple(numbered[number] for number in back)
        return TrashItem(found.id, found.path, stats, found.deleted_ms, found.expires_ms)

    async def tidy(self) -> None:
        """Remove what two looks at least a day apart found expired, by our clock and the server's.

        Where nothing may be changed, all stays.
        """
        records = await self._records()
        asked = [(name, record, *more) for record in records for name, *more in _ABOUT]
        told = await self._reads.ask(asked)
        found = zip(records, await self._items(records), told[::2], told[1::2], strict=True)
        changes: list[tuple[bytes, ...]] = []
        for record, one, left, noted in found:
            if one is not None and isinstance(left, int) and isinstance(noted, list):
                changes += self._outdated(record, *one, left, *noted)
        if changes:
            await self._writes.ask(changes)

    def _outdated(
        self,
        record: bytes,
        numbered: dict[int, Stat],
        item: TrashItem,
        left: int,
        life: bytes | None,
        mark: bytes | None,
    ) -> list[tuple[bytes, ...]]:
        """Return what has to be done to an item: nothing, to mark it, or to remove it."""
        now = self._clock()
        at_first = int(life) if life and _NUMBER.fullmatch(life) else LIFE_MS
        age = at_first - left if left > 0 else now - item.deleted_ms
        written = (stat.mtime_ms for stat in item.stats)
        end = kept_until(item.deleted_ms, item.expires_ms, written, now)
        expired = end <= now and age >= item.expires_ms - item.deleted_ms
        before = _MARKED.fullmatch(mark) if mark else None
        ours = next_mark(int(before[1]) if before else None, now, expired=expired)
        theirs = next_mark(int(before[2]) if before else None, age, expired=expired)
        if ours is None or theirs is None:
            return [(b"HDEL", record, _MARK)] if mark else []
        if may_go(ours, now) and may_go(theirs, age):
            kept = (self._keys.trashed(item.id, *each) for each in _paths(numbered))
            return [*((b"UNLINK", key) for key in kept), (b"UNLINK", record)]
        text = b"%d %d" % (ours, theirs)
        return [(b"HSET", record, _MARK, text)] if text != mark else []

    async def items(self, *, moving: bool = False) -> list[TrashItem]:
        """Return what can be restored, newest first; with `moving` what is on its way there."""
        items = [found[1] for found in await self._items(await self._records(), moving) if found]
        return sorted(items, key=lambda item: (item.deleted_ms, item.id), reverse=True)

    async def _records(self) -> list[bytes]:
        records: dict[bytes, None] = {}
        for node in await self._reads.nodes():
            cursor = b"0"
            while True:
                [step] = await self._reads.ask([self._scan_step(cursor)], at=node)
                if isinstance(step, RedisError):
                    raise reply_error(step)
                cursor = step[0]
                records |= dict.fromkeys(key for key in step[1] if key.startswith(self._keys.trash))
                if cursor == b"0":
                    break
        return list(records)

    def _scan_step(self, cursor: bytes) -> tuple[bytes, ...]:
        pattern = prefix_pattern(self._keys.trash)
        count = b"%d" % self._scan_count
        return (b"SCAN", cursor, b"MATCH", pattern, b"COUNT", count, b"TYPE", b"hash")

    async def _items(
        self, records: list[bytes], moving: bool = False
    ) -> list[tuple[dict[int, Stat], TrashItem] | None]:
        """Return what each record tells, its sessions also by number; None for no such record."""
        if not records:
            return []
        replies = await self._reads.ask((b"HGETALL", record) for record in records)
        return [
            self._item(record, reply, moving)
            for record, reply in zip(records, replies, strict=True)
        ]

    def _item(
        self, record: bytes, reply: list[bytes] | RedisError, moving: bool
    ) -> tuple[dict[int, Stat], TrashItem] | None:
        if isinstance(reply, RedisError):
            if str(reply).startswith("WRONGTYPE"):
                return None
            raise reply_error(reply)
        fields = dict(zip(reply[::2], reply[1::2], strict=True))
        deleted = mtime_ms(fields.get(b"deleted"))
        expires = mtime_ms(fields.get(b"expires"))
        if deleted is None or expires is None or (b"moving" in fields) is not moving:
            return None
        stats: dict[int, Stat] = {}
        for name in fields:
            kind, _, number = name.partition(b":")
            if kind == b"path" and _NUMBER.fullmatch(number):
                size = fields.get(b"size:" + number, b"0")
                if not _NUMBER.fullmatch(size):
                    return None
                stats[int(number)] = Stat(
                    decode_name(fields[name]),
                    int(size),
                    mtime_ms(fields.get(b"mtime:" + number)),
                    fields.get(b"title:" + number),
                )
        if 1 not in stats:
            return None
        stats = dict(sorted(stats.items()))
        item_id = decode_name(record[len(self._keys.trash) :])
        return stats, TrashItem(item_id, stats[1].path, tuple(stats.values()), deleted, expires)


def _paths(numbered: dict[int, Stat]) -> Iterator[tuple[int, str]]:
    return ((number, stat.path) for number, stat in numbered.items())
