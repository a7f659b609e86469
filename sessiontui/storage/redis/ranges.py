"""Reads byte ranges of sessions, and snapshots that tell an append from a rewrite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from sessiontui.storage.backend import HEAD_BYTES, Range, Snapshot, Stat
from sessiontui.storage.redis.errors import reply_error
from sessiontui.storage.redis.index import fields_of
from sessiontui.storage.redis.keys import hash_field, mtime_ms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiontui.storage.redis.connection import Command, RedisConnection
    from sessiontui.storage.redis.keys import RedisKeys

PIECE_BYTES = 4_000_000
"""The most that one command of `read_ranges` reads: more would keep other clients waiting."""


async def read_ranges(
    link: RedisConnection, keys: RedisKeys, ranges: Sequence[Range]
) -> list[bytes | None]:
    """Return the bytes of each range, None where there is no such session.

    Short ranges take one round trip together. A long one is read in pieces and
    is no snapshot: a rewrite meanwhile shows in the mtime that follows it.

    Raises:
        WrongTypeError: A key of another type stands in the place of a session.
        StorageError: The server cannot be reached or refuses.
    """
    if not ranges:
        return []
    ranges = await _from_the_start(link, keys, ranges)
    replies = await link.ask(
        get_range(keys.file(wanted.path), wanted.start, _piece_end(wanted)) for wanted in ranges
    )
    results: list[bytes | None] = [
        await _all_pieces(link, keys, wanted, reply)
        for wanted, reply in zip(ranges, replies, strict=True)
    ]
    # No bytes is what a missing key has too; one that is there by now is read once more.
    empty = [number for number, data in enumerate(results) if not data]
    if empty:
        replies = await link.ask(
            command
            for wanted in map(ranges.__getitem__, empty)
            for command in (
                (b"EXISTS", keys.file(wanted.path)),
                get_range(keys.file(wanted.path), wanted.start, _piece_end(wanted)),
            )
        )
        for number, exists, reply in zip(empty, replies[::2], replies[1::2], strict=True):
            if isinstance(exists, RedisError):
                raise reply_error(exists, path=ranges[number].path)
            found = await _all_pieces(link, keys, ranges[number], reply)
            results[number] = found if exists else None
    return results


async def _from_the_start(
    link: RedisConnection, keys: RedisKeys, ranges: Sequence[Range]
) -> Sequence[Range]:
    """Return the ranges, long ones that count from the end as positions from the start."""
    long = [number for number, wanted in enumerate(ranges) if wanted.start < -PIECE_BYTES]
    if not long:
        return ranges
    sizes = await link.ask((b"STRLEN", keys.file(ranges[number].path)) for number in long)
    changed = list(ranges)
    for number, size in zip(long, sizes, strict=True):
        wanted = ranges[number]
        if isinstance(size, RedisError):
            raise reply_error(size, path=wanted.path)
        changed[number] = Range(wanted.path, max(0, size + wanted.start), wanted.stop)
    return changed


def _piece_end(wanted: Range) -> int | None:
    """Return where the first piece of a range ends."""
    if wanted.start < 0:
        return wanted.stop
    end = wanted.start + PIECE_BYTES
    return end if wanted.stop is None else min(end, wanted.stop)


async def _all_pieces(
    link: RedisConnection, keys: RedisKeys, wanted: Range, first: bytes | RedisError
) -> bytes:
    """Return the bytes of a range, of which the server answered the first."""
    pieces: list[bytes] = []
    piece, start = first, wanted.start
    while True:
        if isinstance(piece, RedisError):
            raise reply_error(piece, path=wanted.path)
        pieces.append(piece)
        if wanted.start < 0 or len(piece) < PIECE_BYTES:
            return b"".join(pieces)
        start += PIECE_BYTES
        end = _piece_end(Range(wanted.path, start, wanted.stop))
        [piece] = await link.ask([get_range(keys.file(wanted.path), start, end)])


def get_range(key: bytes, start: int, stop: int | None) -> Command:
    """Return the command for bytes `[start, stop)`; in Redis the last byte counts too."""
    if stop is not None and (stop <= 0 or start >= stop):
        return (b"GETRANGE", key, b"1", b"0")
    return (b"GETRANGE", key, b"%d" % start, b"%d" % (-1 if stop is None else stop - 1))


async def probe_ranges(
    link: RedisConnection, keys: RedisKeys, ranges: Sequence[Range]
) -> list[Snapshot | None]:
    """Return sessions as one snapshot shows them, each with the bytes of its range.

    What is no string is no session: None, as for a missing one. Whether one
    without bytes exists is asked afterwards: the feed tells when it is created.

    Args:
        link: Where to read.
        keys: Names of the keys.
        ranges: What to read; whole sessions are read with the least commands.

    Raises:
        StorageError: The server cannot be reached or refuses.
    """
    paths = [hash_field(wanted.path) for wanted in ranges]
    whole = [keys.file(wanted.path) for wanted in ranges if _is_whole(wanted)]
    commands: list[Command] = [
        (b"MULTI",),
        (b"HMGET", keys.meta, *paths),
        (b"HMGET", keys.title, *paths),
    ]
    if whole:
        commands.append((b"MGET", *whole))
    for wanted in ranges:
        if not _is_whole(wanted):
            key = keys.file(wanted.path)
            commands.append((b"STRLEN", key))
            commands.append((b"GETRANGE", key, b"0", b"%d" % (HEAD_BYTES - 1)))
            commands.append(get_range(key, wanted.start, wanted.stop))
    commands.append((b"EXEC",))
    replies = await link.ask(commands)
    for reply in replies:
        if isinstance(reply, RedisError):
            raise reply_error(reply)
    times, titles, *parts = replies[-1]
    times = fields_of(times, keys.meta, len(ranges))
    titles = fields_of(titles, keys.title, len(ranges))
    wholes = iter(parts.pop(0) if whole else ())
    told = iter(parts)
    seen: list[Snapshot | None] = []
    for wanted, time, title in zip(ranges, times, titles, strict=True):
        if _is_whole(wanted):
            head = data = next(wholes)
            size = None if data is None else len(data)
        else:
            size, head, data = next(told), next(told), next(told)
        if isinstance(size, int):
            stat = Stat(wanted.path, size, mtime_ms(time), title)
            seen.append(Snapshot(stat, head[:HEAD_BYTES], data))
        else:
            seen.append(None)
    return await drop_missing(link, keys, seen)


def _is_whole(wanted: Range) -> bool:
    return wanted.start == 0 and wanted.stop is None


async def drop_missing(
    link: RedisConnection, keys: RedisKeys, seen: list[Snapshot | None]
) -> list[Snapshot | None]:
    """Return what was seen with None for the sessions that have no bytes and do not exist."""
    empty = [number for number, one in enumerate(seen) if one is not None and not one.stat.size]
    paths = [one.stat.path for one in seen if one is not None and not one.stat.size]
    for number, exists in zip(
        empty, await link.ask((b"EXISTS", keys.file(path)) for path in paths), strict=True
    ):
        if isinstance(exists, RedisError):
            raise reply_error(exists)
        if not exists:
            seen[number] = None
    return seen
