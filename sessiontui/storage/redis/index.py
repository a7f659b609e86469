"""Reads the index of all sessions without ever stopping the server for long.

One SCAN step and the sizes, times and titles of the keys that the step before
found travel in the same round trip. No value is read, and no hash as a whole:
a server with 100,000 sessions is never busy with us for more than a millisecond or so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from sessiontui.models.text import clean
from sessiontui.storage.backend import ScanBatch, Stat
from sessiontui.storage.redis.errors import reply_error
from sessiontui.storage.redis.keys import decode, mtime_ms, starting_with

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sessiontui.storage.redis.keys import Keys
    from sessiontui.storage.redis.link import Command, Link

_SHOWN_CHARACTERS = 200
"""How much of a hostile name or value a warning shows."""


async def scan_index(
    link: Link, keys: Keys, *, under: bytes = b"", count: int
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
    pattern = starting_with(start)
    cursor: bytes | None = b"0"
    found: list[bytes] = []
    empty: list[Stat] = []
    while cursor is not None or found or empty:
        commands = _questions(keys, found)
        commands += [(b"EXISTS", keys.file(stat.path)) for stat in empty]
        if cursor is not None:
            commands.append((b"SCAN", cursor, b"MATCH", pattern, b"COUNT", b"%d" % count))
        replies = await link.ask(commands)
        next_found: list[bytes] = []
        if cursor is not None:
            step = replies.pop()
            if isinstance(step, ResponseError):
                raise reply_error(step)
            cursor = step[0] if step[0] != b"0" else None
            next_found = [key for key in step[1] if key.startswith(start)]
        split = len(replies) - len(empty)
        still = [stat for stat, here in zip(empty, replies[split:], strict=True) if here == 1]
        stats, warnings = _answers(keys, found, replies[:split])
        # A size of 0 is what a missing key has too: those are asked about in the next step.
        empty = [stat for stat in stats if stat.size == 0]
        told = (*still, *(stat for stat in stats if stat.size))
        if told or warnings:
            yield ScanBatch(told, tuple(warnings))
        found = next_found


def _questions(keys: Keys, found: Sequence[bytes]) -> list[Command]:
    if not found:
        return []
    paths = [key[len(keys.files) :] for key in found]
    commands: list[Command] = [(b"STRLEN", key) for key in found]
    commands.append((b"HMGET", keys.meta, *paths))
    commands.append((b"HMGET", keys.title, *paths))
    return commands


def _answers(
    keys: Keys, found: Sequence[bytes], replies: Sequence[Any]
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
            continue
        mtime = mtime_ms(time)
        if time is not None and mtime is None:
            warnings.append(
                f"the time of {_shown(key)} is not a number of milliseconds: {_shown(time)}"
            )
        stats.append(Stat(keys.path(key), size, mtime, title))
    return stats, warnings


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
    return clean(decode(name[:_SHOWN_CHARACTERS]))
