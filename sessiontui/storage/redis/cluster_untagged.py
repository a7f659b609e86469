"""Sessions in a cluster whose prefix has no hash tag.

What concerns one session is one atomic step, as on one server. What concerns
several is a row of such steps, in an order that leaves nothing lost wherever it stops,
and written down beforehand, so that whoever comes next can finish:

- deleting to the trash writes what it takes, marked `moving`, moves each session within its
  slot, and takes the mark away;
- restoring moves each back, the session itself last, then removes the record;
- renaming copies to the new slot, reads the copy again, makes it the session, and removes the
  old one only if it still is what was copied, else carries over what was added.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from contextlib import suppress
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from sessiontui.errors import (
    BackendDownError,
    InvalidPathError,
    SessionExistsError,
    SessionNotFoundError,
    StorageError,
    WriteConflictError,
    WritesRefusedError,
)
from sessiontui.storage.backend import Range, TrashItem
from sessiontui.storage.redis import scripts
from sessiontui.storage.redis.backend import RedisBackend
from sessiontui.storage.redis.cluster import ClusterConnection
from sessiontui.storage.redis.errors import reply_error
from sessiontui.storage.redis.keys import UntaggedClusterKeys, decode_name, hash_field
from sessiontui.storage.redis.ranges import read_ranges
from sessiontui.storage.redis.steps import probe_untagged, run_step, settle_owed_fields
from sessiontui.storage.redis.trash import LIFE_MS
from sessiontui.times import now_ms

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sessiontui.storage.backend import HashFieldChange, Snapshot, Stat
    from sessiontui.storage.redis.connection import Script
    from sessiontui.storage.redis.keys import RedisKeys

_PIECE_BYTES: Final = 1_000_000
_COPY_LIFE_MS: Final = 600_000
_TURNS: Final = 20
"""How often to go after a session that keeps growing while it is renamed."""
_OLD_MS: Final = 60_000
"""What was begun so long ago is finished by others."""
_FIELD_STEP: Final = """
local now = redis.call('HGET', KEYS[1], ARGV[1])
now = now and '+' .. now or '-'
if now == ARGV[3] then return {1} end
if now ~= ARGV[2] then return {0} end
if ARGV[3] == '-' then redis.call('HDEL', KEYS[1], ARGV[1])
else redis.call('HSET', KEYS[1], ARGV[1], string.sub(ARGV[3], 2)) end
return {1}
"""
_RECORD_STEP: Final = b"""
redis.call('PERSIST', KEYS[1])
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return {1}
"""
"""Writes a record of the trash. A full server lets it pass behind what takes no memory."""


class UntaggedClusterBackend(RedisBackend):
    """Keeps sessions in a cluster, each in a slot of its own; see `Backend`."""

    def _named(self, prefix: str) -> RedisKeys:
        return UntaggedClusterKeys(prefix)

    async def probe(self, ranges: Sequence[Range]) -> list[Snapshot | None]:
        """Return each session with some of its bytes, each of a snapshot of its own."""
        return await probe_untagged(self._reads, self._keys, ranges)

    async def fence(self) -> None:
        """Return once nothing sent earlier can take effect; let times and titles follow."""
        await super().fence()
        if isinstance(self._writes, ClusterConnection):
            with suppress(BackendDownError, WritesRefusedError):  # They may be late.
                await settle_owed_fields(self._writes)

    # Removing.

    async def delete(self, paths: Sequence[str]) -> None:
        """Remove sessions with mtime and title for good; the first must exist."""
        await self._finish()
        for number, path in enumerate(paths):
            try:
                await self._one(scripts.DELETE, path, [], [hash_field(path)])
            except SessionNotFoundError:
                if not number:
                    raise

    async def trash(self, item: TrashItem) -> None:
        """Move sessions to where no agent looks, until they expire."""
        await self._finish()
        if not await self._exist([item.path]):
            raise SessionNotFoundError(item.path)
        record = self._keys.record(item.id)
        own = await self.lives([stat.path for stat in item.stats])
        lasts = LIFE_MS if own[0] is None else max(1, min(LIFE_MS, own[0]))
        fields: dict[bytes, bytes] = {
            b"deleted": b"%d" % item.deleted_ms,
            b"expires": b"%d" % min(item.expires_ms, item.deleted_ms + lasts),
            b"life": b"%d" % lasts,
            b"count": b"%d" % len(item.stats),
            b"moving": b"1",
        }
        for number, stat in enumerate(item.stats, start=1):
            fields[b"path:%d" % number] = hash_field(stat.path)
            fields[b"size:%d" % number] = b"%d" % stat.size
            if stat.mtime_ms is not None:
                fields[b"mtime:%d" % number] = b"%d" % stat.mtime_ms
            if stat.title is not None:
                fields[b"title:%d" % number] = stat.title
            if (left := own[number - 1]) is not None:
                fields[b"rest:%d" % number] = b"%d" % max(0, left - LIFE_MS)
        flat = [part for pair in fields.items() for part in pair]
        await self._told([(b"EVAL", _RECORD_STEP, b"1", record, b"%d" % lasts, *flat)])
        await self._throw(item)
        await self._tidy_once()

    async def _rests(self, item: TrashItem) -> list[bytes]:
        """Return how much longer than the trash keeps it each would have lived; empty for ever."""
        names = [b"rest:%d" % number for number in range(1, len(item.stats) + 1)]
        [rests] = await self._told([(b"HMGET", self._keys.record(item.id), *names)])
        return [rest or b"" for rest in rests]

    async def _throw(self, item: TrashItem) -> None:
        """Move what an item lists, the session first, and take the mark away."""
        rests = await self._rests(item)
        for number, stat in enumerate(item.stats, start=1):
            kept = self._keys.trashed(item.id, number, stat.path)
            arguments = [hash_field(stat.path), b"%d" % LIFE_MS, rests[number - 1]]
            try:
                await self._one(scripts.THROW, stat.path, [kept], arguments)
            except (SessionNotFoundError, SessionExistsError):
                continue  # It has moved already, or is gone.
        await self._told([(b"HDEL", self._keys.record(item.id), b"moving")])

    async def trashed(self, *, tidy: bool = True) -> list[TrashItem]:
        """Return what can be restored, newest first; what is half done is finished if `tidy`."""
        if tidy:
            await self._finish_trash()
            await self._trash.tidy()
        return await self._trash.items()

    async def _finish_trash(self) -> None:
        """Finish what was begun: where the session has moved, all the rest follows."""
        for item in await self._trash.items(moving=True):
            kept = self._keys.trashed(item.id, 1, item.path)
            [there] = await self._told([(b"EXISTS", kept)])
            if there:
                await self._throw(item)
            elif item.deleted_ms < now_ms() - _OLD_MS:
                await self._told([(b"UNLINK", self._keys.record(item.id))])

    async def restore(self, item_id: str) -> TrashItem:
        """Bring back exactly what was deleted, the session itself last."""
        item = next((one for one in await self.trashed() if one.id == item_id), None)
        if item is None:
            raise SessionNotFoundError(item_id)
        kept = {
            number: self._keys.trashed(item_id, number, stat.path)
            for number, stat in enumerate(item.stats, start=1)
        }
        there = await self._told([(b"EXISTS", key) for key in kept.values()])
        wanted = [number for number, here in zip(kept, there, strict=True) if here]
        if not wanted and not await self._exist([item.path]):
            raise SessionNotFoundError(item.path)
        taken = await self._exist([item.stats[number - 1].path for number in wanted])
        if taken:
            raise SessionExistsError(taken[0])
        rests = await self._rests(item)
        for number in reversed(wanted):
            stat = item.stats[number - 1]
            mtime = b"" if stat.mtime_ms is None else b"%d" % stat.mtime_ms
            step = [self._keys.meta, self._keys.title, kept[number], self._keys.file(stat.path)]
            arguments = [hash_field(stat.path), mtime, stat.title or b"", rests[number - 1]]
            await run_step(*(self._writes, self._keys, scripts.BRING, step, arguments, [stat.path]))
        await self._told([(b"UNLINK", self._keys.record(item_id))])
        return item

    # Renaming.

    async def rename(self, moves: Sequence[tuple[str, str]], *, overwrite: bool = False) -> None:
        """Move sessions with mtime and title, one after the other, the first one first."""
        paths = [path for move in moves for path in move]
        if len(set(paths)) != len(paths):
            raise InvalidPathError("a path is named twice in one renaming")
        await self._finish()
        sources = [source for source, _ in moves]
        missing = set(sources) - set(await self._exist(sources))
        if missing:
            raise SessionNotFoundError(next(path for path in sources if path in missing))
        taken = [] if overwrite else await self._exist([target for _, target in moves])
        if taken:
            raise SessionExistsError(taken[0])
        number = secrets.token_hex(8).encode()
        plan = json.dumps({"ms": now_ms(), "moves": [list(move) for move in moves]}).encode()
        await self._told([(b"HSET", self._moves, number, plan)])
        try:
            for source, target in moves:
                await self._carry(source, target, overwrite=overwrite)
        except (SessionExistsError, SessionNotFoundError, WriteConflictError):
            await self._told([(b"HDEL", self._moves, number)])
            raise
        await self._told([(b"HDEL", self._moves, number)])

    async def _carry(self, source: str, target: str, *, overwrite: bool) -> None:
        """Copy a session to where its new path belongs, verify, and remove the old one."""
        [seen] = await self.probe([Range(source, 0, 0)])
        if seen is None:
            raise SessionNotFoundError(source)
        mtime = b"" if seen.stat.mtime_ms is None else b"%d" % seen.stat.mtime_ms
        title = seen.stat.title or b""
        key = self._keys.file(source)
        size = await self._settle(key, target, mtime, title, overwrite=overwrite, like=source)
        await self._let_go(source, target, size)

    async def _settle(
        self,
        key: bytes,
        target: str,
        mtime: bytes,
        title: bytes,
        *,
        overwrite: bool,
        like: str | None = None,
        life: int | None = None,
    ) -> int:
        """Make a verified copy of a key the session of a path; return its size.

        It lives for `life` milliseconds, or as long as the session `like` has to live.
        """
        copy = self._keys.temporary(secrets.token_hex(8), target)
        size, digest = await self._copied(key, target, copy)
        if await self._digest(copy, size) != digest:
            raise StorageError("the copy is not what was copied; the session stays", path=target)
        flag = b"1" if overwrite else b"0"
        if like is not None:
            [life] = await self.lives([like])
        arguments = [hash_field(target), flag, b"%d" % size, mtime, title]
        arguments.append(b"-1" if life is None else b"%d" % life)
        await self._one(scripts.PUBLISH, target, [copy], arguments)
        return size

    async def _let_go(self, source: str, target: str, size: int) -> None:
        """Remove the old session once the new one has all it has."""
        for _ in range(_TURNS):
            try:
                await self._one(scripts.REMOVE, source, [], [hash_field(source), b"%d" % size])
            except WriteConflictError as conflict:
                if conflict.actual_size is None or conflict.actual_size < size:
                    # Somebody wrote it anew: theirs stays, and the copy goes.
                    await self._one(scripts.REMOVE, target, [], [hash_field(target), b"%d" % size])
                    raise
                [more] = await read_ranges(self._reads, self._keys, [Range(source, size)])
                await self._one(scripts.GROW, target, [], [b"%d" % size, more or b""])
                size += len(more or b"")
            else:
                return
        raise StorageError("the session grows too fast to be renamed; it is at both paths")

    async def _copied(self, key: bytes, target: str, copy: bytes) -> tuple[int, bytes]:
        """Copy all there is now, piece by piece; return how many bytes, and their digest."""
        digest = hashlib.sha256()
        size = 0
        while True:
            end = b"%d" % (size + _PIECE_BYTES - 1)
            [data] = await self._told([(b"GETRANGE", key, b"%d" % size, end)])
            if data or not size:
                step = [self._keys.meta, self._keys.title, copy]
                await run_step(
                    *(self._writes, self._keys, scripts.PUT, step),
                    *([b"%d" % size, data, b"%d" % _COPY_LIFE_MS], [target]),
                )
            if not data:
                return size, digest.digest()
            digest.update(data)
            size += len(data)

    async def _digest(self, copy: bytes, size: int) -> bytes:
        digest = hashlib.sha256()
        for start in range(0, size, _PIECE_BYTES):
            end = b"%d" % (min(start + _PIECE_BYTES, size) - 1)
            [data] = await self._told([(b"GETRANGE", copy, b"%d" % start, end)])
            digest.update(data)
        return digest.digest()

    async def place(
        self, token: str, files: Sequence[Stat], lives: Sequence[int | None] = ()
    ) -> None:
        """Put staged files in place, the session itself last; none where a path is taken."""
        await self._finish()
        taken = await self._exist([stat.path for stat in files])
        if taken:
            raise SessionExistsError(taken[0])
        staged = [self._staged(token, number) for number in range(len(files))]
        sizes = await self._told([(b"STRLEN", key) for key in staged])
        for stat, size in zip(files, sizes, strict=True):
            if size != stat.size:
                raise WriteConflictError(stat.path, expected_size=stat.size, actual_size=size)
        placed: list[Stat] = []
        try:
            for key, stat, life in reversed(list(zip_longest(staged, files, lives))):
                mtime = b"" if stat.mtime_ms is None else b"%d" % stat.mtime_ms
                title = stat.title or b""
                await self._settle(key, stat.path, mtime, title, overwrite=False, life=life)
                placed.append(stat)
        except StorageError:
            for stat in placed:
                size = b"%d" % stat.size
                await self._one(scripts.REMOVE, stat.path, [], [hash_field(stat.path), size])
            raise
        self._on_the_way.pop(token, None)

    # Finishing what others left half done.

    @property
    def _moves(self) -> bytes:
        return self._keys.prefix + b"moves"

    async def _finish(self) -> None:
        """Finish, once for each backend, what a process that died had begun."""
        if self._finished:
            return
        await self._finish_trash()
        [flat] = await self._told([(b"HGETALL", self._moves)])
        for number, text in zip(flat[::2], flat[1::2], strict=True):
            plan = _plan(text)
            if plan is None:
                continue
            begun_ms, moves = plan
            if begun_ms < now_ms() - _OLD_MS:
                for source, target in moves:
                    await self._finish_move(source, target)
                await self._told([(b"HDEL", self._moves, number)])
        self._finished = True

    async def _finish_move(self, source: str, target: str) -> None:
        old, new = await self.probe([Range(source, 0, 0), Range(target, 0, 0)])
        if old is None:
            return
        if new is None:
            await self._carry(source, target, overwrite=False)
            return
        size = new.stat.size
        same = old.stat.size >= size and await self._digest(
            self._keys.file(source), size
        ) == await self._digest(self._keys.file(target), size)
        if same:
            await self._let_go(source, target, size)

    # The rest.

    async def join(
        self,
        item: TrashItem,
        target: Stat,  # noqa: ARG002
        *,
        between: bytes,  # noqa: ARG002
        skip: int,  # noqa: ARG002
        mtime_ms: int,  # noqa: ARG002
    ) -> Stat:
        """Refuse: two sessions are never in one place here.

        Raises:
            StorageError: Always.
        """
        raise StorageError(
            "in a cluster sessions are joined only where the prefix has a hash tag", path=item.path
        )

    async def change_fields(self, changes: Sequence[HashFieldChange]) -> list[bool]:
        """Change fields, each for itself."""
        done: list[bool] = []
        for change in changes:
            here = bool(await self._exist([change.path]))
            if here is not change.session:
                done.append(False)
                continue
            key = self._keys.meta if change.kind == "meta" else self._keys.title
            values = (_marked(change.old), _marked(change.new))
            step = (b"EVAL", _FIELD_STEP.encode(), b"1", key, hash_field(change.path), *values)
            [[answer]] = await self._told([step])
            done.append(answer == 1)
        return done

    async def _one(
        self, script: Script, path: str, more: Sequence[bytes], arguments: Sequence[bytes]
    ) -> list[Any]:
        """Run a step of one session."""
        names = [self._keys.meta, self._keys.title, self._keys.file(path), *more]
        return await run_step(self._writes, self._keys, script, names, arguments, [path])

    async def _exist(self, paths: Sequence[str]) -> list[str]:
        """Return those of the paths that are sessions."""
        replies = await self._told([(b"EXISTS", self._keys.file(path)) for path in paths])
        return [path for path, here in zip(paths, replies, strict=True) if here]

    async def _told(self, commands: list[tuple[bytes, ...]]) -> list[Any]:
        """Send commands that may be sent again, and return their replies."""
        replies = await self._writes.ask(commands)
        for reply in replies:
            if isinstance(reply, RedisError):
                raise reply_error(reply)
        return replies


def _plan(text: bytes) -> tuple[int, list[tuple[str, str]]] | None:
    """Return when a renaming was begun and what moves; None for what we did not write."""
    try:
        plan = json.loads(decode_name(text))
        return int(plan["ms"]), [(str(source), str(target)) for source, target in plan["moves"]]
    except (ValueError, KeyError, TypeError):
        return None


def _marked(value: bytes | None) -> bytes:
    return b"-" if value is None else b"+" + value
