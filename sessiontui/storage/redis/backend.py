"""Sessions in Redis or Valkey, under the keys that omp uses.

A backend holds at most three connections: one for reads, one for changes, one
for the feed; a fourth for a moment in `fence`. Everything asked at the same
time shares a round trip. No key is looked for but by SCAN, no script takes long.

The rights a user needs, as `ACL SETUSER` takes them: `~<prefix>*` and

- to read: `+scan +strlen +exists +getrange +mget +hget +hmget +hlen +hgetall +hscan`
  `+pttl +multi +exec +ping`;
- to follow, else sessions are polled: `+client|id +client|tracking +subscribe`
  `&__redis__:invalidate`;
- to change: `+evalsha +eval +append +set +setrange +hset +hdel +rename +unlink +del`
  `+pexpire +persist`, and better also `+client|id +client|kill +info`.

Whether a user can change anything, found out without changing anything.

What is asked needs no right: a server answers `HELLO` to everybody, and says
there whether it is a replica. Whether a user may write is told by commands that can
never do it: each is complete enough to be checked against the user's rights, and refused
for its arguments before anything is looked at. A user without the right is answered
`NOPERM`, which a server notes in its ACL LOG.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal

from redis.exceptions import NoPermissionError

from sessiontui.errors import InvalidPathError, StorageError, WriteConflictError
from sessiontui.sources import DEFAULT_PREFIX, has_hash_tag
from sessiontui.storage.backend import REPLICA, ROOT, Stat
from sessiontui.storage.redis import scripts
from sessiontui.storage.redis.cluster import ClusterConnection, ClusterWatch, open_links
from sessiontui.storage.redis.connection import fence_writes, role_of
from sessiontui.storage.redis.fields import change_fields, orphaned_fields
from sessiontui.storage.redis.index import scan_contents, scan_index
from sessiontui.storage.redis.keys import RedisKeys, hash_field
from sessiontui.storage.redis.keys import mtime_ms as parsed_mtime
from sessiontui.storage.redis.ranges import probe_ranges, read_ranges
from sessiontui.storage.redis.settings import PATIENCE_S, RedisSettings
from sessiontui.storage.redis.steps import run_step
from sessiontui.storage.redis.trash import RedisTrash
from sessiontui.storage.redis.watch import RedisWatch
from sessiontui.times import now_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence

    from redis.asyncio import Redis, RedisCluster

    from sessiontui.sources import RedisSource
    from sessiontui.storage.backend import (
        HashField,
        HashFieldChange,
        Range,
        ScanBatch,
        Snapshot,
        TrashItem,
    )
    from sessiontui.storage.redis.connection import RedisConnection, Script

_NO_SCRIPT = b"0" * 40
"""The digest of no script: running it answers NOSCRIPT."""


async def why_read_only(link: RedisConnection, keys: RedisKeys) -> str | None:
    """Return in a few plain words why nothing can be changed, None if something may.

    Raises:
        StorageError: The server cannot be reached.
    """
    key = keys.file("")
    hello, script, *writes = await link.ask(
        [
            (b"HELLO",),
            (b"EVALSHA", _NO_SCRIPT, b"0"),
            (b"SETRANGE", key, b"-1", b"x"),  # offset is out of range
            (b"SET", key, b"x", b"NX", b"XX"),  # syntax error
            (b"HSET", keys.meta, b"x", b"x", b"x"),  # wrong number of arguments
        ]
    )
    if role_of(hello) in (b"slave", b"replica"):
        return REPLICA
    if _is_refused(script) or all(map(_is_refused, writes)):
        return "no right to write"
    return None


def _is_refused(reply: Any) -> bool:
    # A script that may be run runs nothing either where the user may not use any command.
    return isinstance(reply, NoPermissionError)


SCAN_COUNT = 1000
"""About how many keys the server looks at in one step of a scan."""
_SNAPSHOT = 64
"""At most so many sessions are probed in one step of the server."""
_SMALL_BYTES = 1_000_000
"""Sessions up to this size are put behind a new beginning in one step."""
_TEMPORARY_LIFE_MS = 600_000


class RedisBackend:
    """Keeps sessions in Redis; see `Backend` for what each call promises."""

    label: str
    root = ROOT

    def __init__(
        self,
        settings: RedisSettings,
        *,
        prefix: str = DEFAULT_PREFIX,
        scan_count: int = SCAN_COUNT,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """Prepare a backend; nothing is connected yet.

        Args:
            settings: How to reach the server.
            prefix: Start of all its keys, taken verbatim.
            scan_count: About how many keys the server looks at in one step of a scan.
            clock: Milliseconds since the epoch.
        """
        self.label = f"{settings.where} · {prefix}"
        self._settings = settings
        self._keys = self._named(prefix)
        self._finished = False
        """Whether what others left half done was looked for."""
        self._tidied = False
        self._scan_count = scan_count
        self._reads, self._writes = open_links(settings)
        self._trash = RedisTrash(self._reads, self._writes, self._keys, scan_count, clock)
        self._fencing = asyncio.Lock()
        self._on_the_way: dict[str, set[int]] = {}
        """Numbers of the files that were staged and not put in place, by token."""

    def _named(self, prefix: str) -> RedisKeys:
        return RedisKeys(prefix)

    @classmethod
    def from_source(
        cls, source: RedisSource, *, password: str | None = None, patience_s: float = PATIENCE_S
    ) -> RedisBackend:
        """Return the backend of a source URL.

        Args:
            source: Where the sessions are.
            password: Used instead of the source's, if given.
            patience_s: Longest time to connect, and longest to wait for any answer.
        """
        settings = replace(RedisSettings.of_source(source, password), patience_s=patience_s)
        return cls._over(settings, source.prefix, SCAN_COUNT)

    @classmethod
    def from_client(
        cls,
        client: Redis | RedisCluster,
        *,
        prefix: str = DEFAULT_PREFIX,
        scan_count: int = SCAN_COUNT,
        patience_s: float = PATIENCE_S,
    ) -> RedisBackend:
        """Return a backend with connections of its own to where `client` connects.

        The client is asked for its settings alone, so it may decode responses or
        hold a single connection; it stays open, and the caller's.

        Raises:
            ConfigError: It is no client of a server or a cluster, or the prefix is none for one.
        """
        settings = replace(RedisSettings.of_client(client), patience_s=patience_s)
        return cls._over(settings, prefix, scan_count)

    @classmethod
    def _over(cls, settings: RedisSettings, prefix: str, scan_count: int) -> RedisBackend:
        """Return the backend for these settings: a cluster may hold each session elsewhere."""
        if settings.nodes and not has_hash_tag(prefix):
            from sessiontui.storage.redis.cluster_untagged import UntaggedClusterBackend

            return UntaggedClusterBackend(settings, prefix=prefix, scan_count=scan_count)
        return cls(settings, prefix=prefix, scan_count=scan_count)

    def scan(self) -> AsyncIterator[ScanBatch]:
        """Yield the index in batches, as it is read."""
        return scan_index(self._reads, self._keys, count=self._scan_count)

    def scan_contents(self) -> AsyncIterator[ScanBatch]:
        """Yield the index in batches, with all bytes where the server holds little."""
        if isinstance(self._reads, ClusterConnection):
            return self.scan()
        return scan_contents(self._reads, self._keys, count=self._scan_count)

    def scan_under(self, prefix: str) -> AsyncIterator[ScanBatch]:
        """Yield the sessions and drafts whose path starts with `prefix`."""
        return scan_index(self._reads, self._keys, under=hash_field(prefix), count=self._scan_count)

    async def probe(self, ranges: Sequence[Range]) -> list[Snapshot | None]:
        """Return each session with some of its bytes; 64 at a time are of one snapshot."""
        groups = [ranges[at : at + _SNAPSHOT] for at in range(0, len(ranges), _SNAPSHOT)]
        answers = await asyncio.gather(
            *(probe_ranges(self._reads, self._keys, group) for group in groups)
        )
        return [seen for group in answers for seen in group]

    async def read(self, ranges: Sequence[Range]) -> list[bytes | None]:
        """Return the bytes of each range, None where there is no such session."""
        return await read_ranges(self._reads, self._keys, ranges)

    async def append(self, path: str, data: bytes, *, mtime_ms: int) -> Stat:
        """Add bytes at the end, creating the session where there is none."""
        return await self._step(scripts.APPEND, path, mtime_ms, [data])

    async def write(
        self,
        path: str,
        data: bytes,
        *,
        mtime_ms: int,
        expected_size: int | Literal["any", "absent"] = "any",
        title: bytes | Literal["keep"] | None = "keep",
    ) -> Stat:
        """Replace the whole session."""
        expected = [*_retitling(title), str(expected_size).encode(), data]
        known = expected_size if isinstance(expected_size, int) else None
        return await self._step(scripts.WRITE, path, mtime_ms, expected, expected_size=known)

    async def patch(
        self,
        path: str,
        *,
        old: bytes,
        new: bytes,
        mtime_ms: int | None,
        title: bytes | Literal["keep"],
    ) -> Stat:
        """Replace the first bytes by others of the same length, in place, and set the title.

        Raises:
            ValueError: The lengths differ.
        """
        if len(old) != len(new):
            raise ValueError("a patch keeps the length")
        return await self._step(scripts.PATCH, path, mtime_ms, [*_retitling(title), old, new])

    async def prepend(
        self, path: str, data: bytes, *, expected_size: int, mtime_ms: int | None, title: bytes
    ) -> Stat:
        """Put `data` before the first byte; the server does it, a big one piece by piece."""
        arguments = [*_retitling(title), b"%d" % expected_size]
        if expected_size > _SMALL_BYTES:
            temporary, seen = await self._copy(path, data, (0, expected_size), expected_size)
            names = [temporary, self._keys.temporary(secrets.token_hex(8), path)]
            arguments += [seen, b"%d" % (expected_size + len(data))]
            script = scripts.SWAP
        else:
            names = []
            arguments.append(data)
            script = scripts.PREPEND
        return await self._step(
            script, path, mtime_ms, arguments, more=names, expected_size=expected_size
        )

    async def keep(
        self,
        path: str,
        start: int,
        stop: int,
        *,
        expected_size: int,
        mtime_ms: int,
        title: bytes | Literal["keep"] | None = "keep",
    ) -> Stat:
        """Keep only some bytes of a session; the server copies them piece by piece."""
        temporary, seen = await self._copy(path, b"", (start, stop), expected_size)
        names = [temporary, self._keys.temporary(secrets.token_hex(8), path)]
        numbers = [b"%d" % expected_size, seen, b"%d" % (stop - start)]
        return await self._step(
            scripts.SWAP,
            path,
            mtime_ms,
            [*_retitling(title), *numbers],
            more=names,
            expected_size=expected_size,
        )

    async def _copy(
        self, path: str, before: bytes, kept: tuple[int, int], expected_size: int
    ) -> tuple[bytes, bytes]:
        """Build `before` and some bytes of the session behind it under a temporary key.

        Returns:
            The key, and the session's mtime as stored (empty for none): a rewrite of the
            same size meanwhile changes it.
        """
        temporary = self._keys.temporary(secrets.token_hex(8), path)
        names = [self._keys.meta, self._keys.title, self._keys.file(path), temporary]
        start, stop = kept
        seen: bytes | None = None
        for first in range(start, stop, _SMALL_BYTES):
            last = min(first + _SMALL_BYTES, stop) - 1
            numbers = (expected_size, first, last, len(before) + stop - start)
            arguments = [
                *(b"%d" % number for number in numbers),
                b"" if first > start else before,
                b"%d" % _TEMPORARY_LIFE_MS,
                hash_field(path),
                b"%d" % (len(before) + first - start),
                b"0" if first > start else b"1",
            ]
            [mtime] = await run_step(
                *(self._writes, self._keys, scripts.COPY, names, arguments, [path]),
                expected_size=expected_size,
            )
            mtime = mtime or b""
            if seen not in (None, mtime):
                raise WriteConflictError(
                    path, expected_size=expected_size, actual_size=expected_size
                )
            seen = mtime
        return temporary, seen or b""

    async def join(
        self, item: TrashItem, target: Stat, *, between: bytes, skip: int, mtime_ms: int
    ) -> Stat:
        """Add a session's bytes at the end of another one, and move it to the trash."""
        return await self._trash.join(item, target, between=between, skip=skip, mtime_ms=mtime_ms)

    def loose_fields(self) -> AsyncIterator[list[HashField]]:
        """Yield times and titles that belong to no session, and times that are no numbers."""
        return orphaned_fields(self._reads, self._keys, count=self._scan_count)

    async def change_fields(self, changes: Sequence[HashFieldChange]) -> list[bool]:
        """Change fields, each for itself; a hundred in a step of the server."""
        return await change_fields(self._writes, self._keys, changes)

    async def rename(self, moves: Sequence[tuple[str, str]], *, overwrite: bool = False) -> None:
        """Move sessions with mtime and title, all or none.

        Raises:
            InvalidPathError: A path is named twice; nothing moved.
        """
        paths = [path for move in moves for path in move]
        if len(set(paths)) != len(paths):
            raise InvalidPathError("a path is named twice in one renaming")
        names = [self._keys.meta, self._keys.title, *map(self._keys.file, paths)]
        arguments = [b"1" if overwrite else b"0", *map(hash_field, paths)]
        # A script tells the number of the move: a missing source, or a target that exists.
        await run_step(
            *(self._writes, self._keys, scripts.RENAME, names, arguments),
            [source for source, _ in moves],
            targets=[target for _, target in moves],
        )

    async def delete(self, paths: Sequence[str]) -> None:
        """Remove sessions with mtime and title for good; the first must exist."""
        names = [self._keys.meta, self._keys.title, *map(self._keys.file, paths)]
        arguments = [hash_field(path) for path in paths]
        await run_step(self._writes, self._keys, scripts.DELETE, names, arguments, paths)

    async def stage(self, token: str, number: int, start: int, data: bytes) -> None:
        """Keep bytes under a temporary key, which expires ten minutes after the last of them."""
        names = [self._keys.meta, self._keys.title, self._staged(token, number)]
        arguments = [b"%d" % start, data, b"%d" % _TEMPORARY_LIFE_MS]
        if data:
            self._on_the_way.setdefault(token, set()).add(number)
            await run_step(self._writes, self._keys, scripts.STAGE, names, arguments, [""])

    async def staged(self, token: str) -> bool:
        """Tell whether something is staged under a token."""
        [there] = await self._reads.ask([(b"EXISTS", self._staged(token, 0))])
        return bool(there == 1)

    async def lives(self, paths: Sequence[str]) -> list[int | None]:
        """Return how long each still has to live; 0 for what is gone."""
        replies = await self._reads.ask((b"PTTL", self._keys.file(path)) for path in paths)
        # A user who may only read may lack the right to ask.
        left = [reply if isinstance(reply, int) else -1 for reply in replies]
        return [None if life == -1 else max(0, life) for life in left]

    async def place(
        self, token: str, files: Sequence[Stat], lives: Sequence[int | None] = ()
    ) -> None:
        """Put staged files in place, all in one step."""
        names = [self._keys.meta, self._keys.title]
        arguments: list[bytes] = []
        for number, (stat, life) in enumerate(zip_longest(files, lives)):
            names += [self._staged(token, number), self._keys.file(stat.path)]
            mtime = b"" if stat.mtime_ms is None else b"%d" % stat.mtime_ms
            arguments += [hash_field(stat.path), mtime, b"%d" % stat.size, stat.title or b""]
            arguments.append(b"-1" if life is None else b"%d" % life)
        paths = [stat.path for stat in files]
        await run_step(
            *(self._writes, self._keys, scripts.PLACE, names, arguments, paths),
            expected_size=files[0].size,
        )
        self._on_the_way.pop(token, None)

    async def unstage(self, token: str) -> None:
        """Drop what was staged; would expire by itself."""
        numbers = self._on_the_way.pop(token, set())
        if numbers:
            await self._writes.ask((b"UNLINK", self._staged(token, one)) for one in numbers)

    def _staged(self, token: str, number: int) -> bytes:
        return self._keys.temporary(f"{token}:{number}", "")

    async def trash(self, item: TrashItem) -> None:
        """Move sessions to where no agent looks, until they expire."""
        await self._trash.put(item)
        await self._tidy_once()

    async def restore(self, item_id: str) -> TrashItem:
        """Bring back exactly what was deleted."""
        return await self._trash.restore(item_id)

    async def trashed(self, *, tidy: bool = True) -> list[TrashItem]:
        """Return what can be restored, newest first."""
        if tidy:
            await self._trash.tidy()
        return await self._trash.items()

    async def _tidy_once(self) -> None:
        """Remove what has expired, at the first deletion: nobody may ever look at the trash."""
        if not self._tidied:
            self._tidied = True
            with suppress(StorageError):
                await self._trash.tidy()

    async def read_only(self) -> str | None:
        """Return in a few plain words why this user can change nothing here, None if it can."""
        return await why_read_only(self._reads, self._keys)

    async def fence(self) -> None:
        """Return once no write sent over a broken connection can take effect any more."""
        async with self._fencing:
            await fence_writes(self._writes, self._keys)

    def watch(self, visible: Callable[[], Collection[str]] = tuple) -> RedisWatch | ClusterWatch:
        """Subscribe to what other clients change, at every server that holds some sessions."""
        if isinstance(self._reads, ClusterConnection):
            return ClusterWatch(self._reads, self._keys, visible)
        return RedisWatch(self._settings, self._reads, self._keys, visible)

    async def aclose(self) -> None:
        """Close the connections that the backend opened."""
        await self._reads.aclose()
        await self._writes.aclose()

    async def _step(
        self,
        script: Script,
        path: str,
        mtime: int | None,
        arguments: Sequence[bytes],
        *,
        more: Sequence[bytes] = (),
        expected_size: int | None = None,
    ) -> Stat:
        """Run a script that changes one session; its key `more` and arguments follow the path's."""
        names = [self._keys.meta, self._keys.title, self._keys.file(path), *more]
        values = [hash_field(path), b"" if mtime is None else b"%d" % mtime, *arguments]
        size, title, *dated = await run_step(
            *(self._writes, self._keys, script, names, values, [path]),
            expected_size=expected_size,
        )
        return Stat(path, size, parsed_mtime(dated[0]) if dated else mtime, title)


def _retitling(title: bytes | Literal["keep"] | None) -> tuple[bytes, bytes]:
    """Return the title mode and title that scripts take."""
    if title is None:
        return b"none", b""
    return (b"keep", b"") if isinstance(title, str) else (b"set", title)
