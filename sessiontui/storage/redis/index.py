"""Reads the index of all sessions without ever stopping the server for long.

One SCAN step and the sizes, times and titles of the keys that the step before
found travel in the same round trip. No value is read, and no hash as a whole:
a server with 100,000 sessions is never busy with us for more than a millisecond or so.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from sessiontui.storage.backend import PassedOver, ScanBatch, Stat
from sessiontui.storage.changes import is_session
from sessiontui.storage.redis.errors import reply_error
from sessiontui.storage.redis.keys import decode_name, mtime_ms, prefix_pattern
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sessiontui.storage.redis.connection import Command, RedisConnection
    from sessiontui.storage.redis.keys import RedisKeys

LITTLE_BYTES = 1 << 26
"""A server that holds no more than this in all is asked for contents without their sizes before."""
_TURNS = 2
"""How many turns of the loop it takes until a link has sent what a new task asks."""
_SHOWN_CHARACTERS = 200
"""How much of a hostile name or value a warning shows."""
_HELD = re.compile(rb"^used_memory_dataset:(\d+)", re.MULTILINE)


async def scan_contents(
    link: RedisConnection, keys: RedisKeys, *, count: int
) -> AsyncIterator[ScanBatch]:
    """Yield the sessions with all their bytes, of a server that holds little; else without.

    Sizes are not asked for, since no value can be large: that is half of the time. The
    contents, times and titles of one SCAN step are of one snapshot.

    Args:
        link: Where to read.
        keys: Names of the keys.
        count: About how many keys the server looks at in one step.

    Raises:
        StorageError: The server cannot be reached or refuses.
    """
    [info] = await link.ask([(b"INFO", b"memory")])
    held = _HELD.search(info) if isinstance(info, bytes) else None
    if held is None or int(held[1]) > LITTLE_BYTES:
        async for batch in scan_index(link, keys, count=count):
            yield batch
        return
    scan = (b"MATCH", prefix_pattern(keys.files), b"COUNT", b"%d" % count)
    cursor: bytes | None = b"0"
    found: list[bytes] = []
    others: list[bytes] = []
    asked: asyncio.Task[list[Any]] | None = await _sent(link, [(b"SCAN", b"0", *scan)])
    try:
        while asked is not None:
            replies = await asked
            next_found: list[bytes] = []
            if cursor is not None:
                cursor, next_found = _step(keys.files, replies.pop())
            warnings = _about(keys, others, replies)
            whole = _snapshot(replies) if found else ((), (), ())
            others = [key for key, data in zip(found, whole[2], strict=True) if data is None]
            commands = _questions(keys, others)
            if next_found:
                read = (b"MGET", *next_found)
                commands += [(b"MULTI",), *_fields(keys, next_found), read, (b"EXEC",)]
            if cursor is not None:
                commands.append((b"SCAN", cursor, *scan))
            # The server answers while we take in what it answered before.
            asked = await _sent(link, commands) if commands else None
            stats, contents = _whole(keys, found, whole, warnings)
            if found or warnings:
                yield ScanBatch(tuple(stats), tuple(warnings), tuple(contents))
            found = next_found
    finally:
        if asked is not None:
            asked.cancel()


async def _sent(
    link: RedisConnection, commands: list[Command], at: RedisConnection | None = None
) -> asyncio.Task[list[Any]]:
    """Send commands; who is not interested in the replies any more need not look at them.

    The link of a cluster has not sent them yet: it first asks which server has what.
    """
    asked = asyncio.get_running_loop().create_task(link.ask(commands, at=at))
    asked.add_done_callback(lambda task: task.cancelled() or task.exception())
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    return asked


def _about(keys: RedisKeys, others: Sequence[bytes], replies: list[Any]) -> list[str]:
    """Take the answers to `_questions` out; return warnings: these keys are no sessions.

    What has a length by now is told by the feed.
    """
    split = len(_questions(keys, others))
    _, warnings = _answers(keys, others, replies[:split])
    del replies[:split]
    return warnings


def _snapshot(replies: Sequence[Any]) -> tuple[Any, Any, Sequence[bytes | None]]:
    """Return times, titles and contents from what a transaction answered."""
    for reply in replies:
        if isinstance(reply, ResponseError):
            raise reply_error(reply)
    times, titles, contents = replies[-1]
    return times, titles, contents


def _whole(
    keys: RedisKeys, found: Sequence[bytes], replies: Sequence[Any], warnings: list[str]
) -> tuple[list[Stat], list[bytes]]:
    """Return the sessions that have bytes, and these; the others are gone or no sessions."""
    times = fields_of(replies[0], keys.meta, len(found), warnings)
    titles = fields_of(replies[1], keys.title, len(found), warnings)
    contents: Sequence[bytes | None] = replies[2]
    stats: list[Stat] = []
    whole: list[bytes] = []
    for key, time, title, data in zip(found, times, titles, contents, strict=True):
        if data is not None:
            stats.append(_stat(keys, key, len(data), time, title, warnings))
            whole.append(data)
    return stats, whole


def _step(start: bytes, reply: Any) -> tuple[bytes | None, list[bytes]]:
    """Return where a scan goes on, None at its end, and the keys that were found."""
    if isinstance(reply, ResponseError):
        raise reply_error(reply)
    cursor, found = reply
    return cursor if cursor != b"0" else None, [key for key in found if key.startswith(start)]


async def scan_index(
    link: RedisConnection, keys: RedisKeys, *, under: bytes = b"", count: int
) -> AsyncIterator[ScanBatch]:
    """Yield the sessions whose path starts with `under`.

    Args:
        link: Where to read.
        keys: Names of the keys.
        under: Start of the paths, as bytes; empty for all.
        count: About how many keys the server looks at in one step.

    Raises:
        StorageError: The server cannot be reached or refuses.
    """
    start = keys.files + under
    scan = (b"MATCH", prefix_pattern(start), b"COUNT", b"%d" % count)
    at, *nodes = await link.nodes()
    cursor: bytes | None = b"0"
    found: list[bytes] = []
    empty: list[Stat] = []
    asked: asyncio.Task[list[Any]] | None = await _sent(link, [(b"SCAN", b"0", *scan)], at)
    try:
        while asked is not None:
            replies = await asked
            next_found: list[bytes] = []
            if cursor is not None:
                cursor, next_found = _step(start, replies.pop())
                if cursor is None and nodes:
                    at, cursor = nodes.pop(0), b"0"
            split = len(replies) - len(empty)
            still = [stat for stat, here in zip(empty, replies[split:], strict=True) if here == 1]
            passed: list[PassedOver] = []
            stats, warnings = _answers(keys, found, replies[:split], passed)
            # A size of 0 is what a missing key has too: those are asked about in the next step.
            empty = [stat for stat in stats if stat.size == 0]
            commands = _questions(keys, next_found)
            commands += [(b"EXISTS", keys.file(stat.path)) for stat in empty]
            if cursor is not None:
                commands.append((b"SCAN", cursor, *scan))
            # The server answers while the sessions it told before are taken in.
            asked = await _sent(link, commands, at) if commands else None
            told = (*still, *(stat for stat in stats if stat.size))
            if told or warnings:
                yield ScanBatch(told, tuple(warnings), passed=tuple(passed))
            found = next_found
    finally:
        if asked is not None:
            asked.cancel()


def _questions(keys: RedisKeys, found: Sequence[bytes]) -> list[Command]:
    if not found:
        return []
    return [*((b"STRLEN", key) for key in found), *_fields(keys, found)]


def _fields(keys: RedisKeys, found: Sequence[bytes]) -> tuple[Command, Command]:
    paths = [key[len(keys.files) :] for key in found]
    return (b"HMGET", keys.meta, *paths), (b"HMGET", keys.title, *paths)


def _answers(
    keys: RedisKeys,
    found: Sequence[bytes],
    replies: Sequence[Any],
    passed: list[PassedOver] | None = None,
) -> tuple[list[Stat], list[str]]:
    if not found:
        return [], []
    warnings: list[str] = []
    *sizes, times, titles = replies
    times = fields_of(times, keys.meta, len(found), warnings)
    titles = fields_of(titles, keys.title, len(found), warnings)
    stats = []
    for key, size, time, title in zip(found, sizes, times, titles, strict=True):
        if isinstance(size, ResponseError):
            if not str(size).startswith("WRONGTYPE"):
                raise reply_error(size)
            warnings.append(f"passed over, not a session but another type of key: {_shown(key)}")
            if passed is not None and is_session(keys.path(key)):
                passed.append(PassedOver(keys.path(key), "it is another type of key"))
            continue
        stats.append(_stat(keys, key, size, time, title, warnings))
    return stats, warnings


def _stat(
    keys: RedisKeys,
    key: bytes,
    size: int,
    time: bytes | None,
    title: bytes | None,
    warnings: list[str],
) -> Stat:
    mtime = mtime_ms(time)
    if time is not None and mtime is None:
        warnings.append(
            f"the time of {_shown(key)} is not a number of milliseconds: {_shown(time)}"
        )
    return Stat(keys.path(key), size, mtime, title)


def fields_of(
    reply: Any, key: bytes, count: int, warnings: list[str] | None = None
) -> Sequence[bytes | None]:
    """Return the fields of a hash; none where the key is of another type, with a warning."""
    if not isinstance(reply, ResponseError):
        fields: Sequence[bytes | None] = reply
        return fields
    if not str(reply).startswith("WRONGTYPE"):
        raise reply_error(reply)
    if warnings is not None:
        warnings.append(f"passed over, not a hash but another type of key: {_shown(key)}")
    return (None,) * count


def _shown(name: bytes) -> str:
    return clean(decode_name(name[:_SHOWN_CHARACTERS]))
