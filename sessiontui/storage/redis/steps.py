"""Runs one atomic step and turns what it says into a result or an error.

In a cluster whose prefix has no hash tag, a session has a slot of its own, and so have the
hashes of times and titles. A step changes the session by one script, atomically, and tells
what is to become of its fields; these follow right after. If they cannot, they are owed, and
paid before the next step: a time or a title may be late, a session never is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError

from sessiontui.errors import (
    BackendDownError,
    OutcomeUnknownError,
    SessionExistsError,
    SessionNotFoundError,
    StorageError,
    WriteConflictError,
    WritesRefusedError,
)
from sessiontui.storage.backend import HEAD_BYTES, Snapshot, Stat
from sessiontui.storage.redis.cluster import ClusterConnection
from sessiontui.storage.redis.errors import OUT_OF_MEMORY, reply_error, reply_refused
from sessiontui.storage.redis.index import fields_of
from sessiontui.storage.redis.keys import UntaggedClusterKeys, decode_name, hash_field, mtime_ms
from sessiontui.storage.redis.ranges import drop_missing, get_range
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiontui.storage.backend import Range
    from sessiontui.storage.redis.connection import Command, RedisConnection, Script
    from sessiontui.storage.redis.keys import RedisKeys


async def run_untagged_step(
    link: ClusterConnection,
    keys: RedisKeys,
    script: Script,
    names: Sequence[bytes],
    arguments: Sequence[bytes],
    path: str,
) -> list[Any]:
    """Run a script on keys of one slot, and let the fields of the session follow.

    Args:
        link: The link for changes.
        keys: Names of the keys.
        script: What to run.
        names: The keys it takes, without the two hashes.
        arguments: The fence, and what follows it.
        path: The session whose fields it may read and change.

    Raises:
        StorageError: As for `RedisConnection.run`; of unknown outcome also where fields failed.
    """
    if script.apart is None:
        raise StorageError("this is no step of a single session")
    await settle_owed_fields(link)
    hashes = {b"meta": keys.meta, b"title": keys.title}
    given: list[bytes] = []
    held = await link.ask((b"HGET", key, hash_field(path)) for key in hashes.values())
    for kind, value in zip(hashes, held, strict=True):
        if isinstance(value, RedisError):
            raise reply_error(value, path=path)
        if value is not None:
            given += [kind, hash_field(path), value]
    count = b"%d" % (len(given) // 3)
    fence, *rest = arguments
    reply, changed = await link.run(script.apart, names, [fence, count, *given, *rest])
    for kind, name, value in zip(changed[::3], changed[1::3], changed[2::3], strict=True):
        link.owed[hashes[kind], name] = value[1:] if value.startswith(b"+") else None
    try:
        await settle_owed_fields(link)
    except (BackendDownError, WritesRefusedError) as error:
        raise OutcomeUnknownError(f"the session changed, its time did not: {error}") from error
    return list(reply)


async def settle_owed_fields(link: ClusterConnection) -> None:
    """Write the hash fields that are still owed by earlier steps.

    Raises:
        StorageError: They still cannot.
    """
    owed = dict(link.owed)
    commands: list[Command] = [
        (b"HDEL", key, name) if value is None else (b"HSET", key, name, value)
        for (key, name), value in owed.items()
    ]
    replies = await link.ask(commands) if commands else []
    for item, reply in zip(owed.items(), replies, strict=True):
        if link.owed.get(item[0], b"") == item[1]:
            del link.owed[item[0]]
        if isinstance(reply, RedisError):
            problem = reply_error(reply)
            if isinstance(problem, BackendDownError | WritesRefusedError):
                link.owed.setdefault(*item)
            raise problem


async def probe_untagged(
    link: RedisConnection, keys: RedisKeys, ranges: Sequence[Range]
) -> list[Snapshot | None]:
    """Return sessions, each as a snapshot shows it, with its time and title from just before.

    So a session may seem older than it is, which is found by the next look; never newer.

    Raises:
        StorageError: A server cannot be reached or refuses.
    """
    if not ranges:
        return []
    paths = [hash_field(wanted.path) for wanted in ranges]
    times, titles = await link.ask([(b"HMGET", keys.meta, *paths), (b"HMGET", keys.title, *paths)])
    times = fields_of(times, keys.meta, len(ranges))
    titles = fields_of(titles, keys.title, len(ranges))
    commands: list[Command] = []
    for wanted in ranges:
        key = keys.file(wanted.path)
        head = get_range(key, 0, HEAD_BYTES)
        data = get_range(key, wanted.start, wanted.stop)
        commands += [(b"MULTI",), (b"STRLEN", key), head, data, (b"EXEC",)]
    seen: list[Snapshot | None] = []
    replies = await link.ask(commands)
    for wanted, told, time, title in zip(ranges, replies[4::5], times, titles, strict=True):
        if isinstance(told, RedisError):
            raise reply_error(told, path=wanted.path)
        size, start, data = told
        for part in told:
            if isinstance(part, RedisError) and not str(part).startswith("WRONGTYPE"):
                raise reply_error(part, path=wanted.path)
        if isinstance(size, int):
            stat = Stat(wanted.path, size, mtime_ms(time), title)
            seen.append(Snapshot(stat, start, data))
        else:
            seen.append(None)
    return await drop_missing(link, keys, seen)


_LIMIT: Final = re.compile(rb"^maxmemory_human:(\S+)", re.MULTILINE)
_POLICY: Final = re.compile(rb"^maxmemory_policy:([a-z-]+)", re.MULTILINE)


async def run_step(
    link: RedisConnection,
    keys: RedisKeys,
    script: Script,
    names: Sequence[bytes],
    arguments: Sequence[bytes],
    paths: Sequence[str],
    *,
    targets: Sequence[str] | None = None,
    expected_size: int | None = None,
) -> list[Any]:
    """Run a script of `scripts`.

    Args:
        link: The link for changes.
        keys: Names of the keys.
        script: What to run.
        names: The keys it takes, meta and title first.
        arguments: Its arguments after the fence.
        paths: The sessions concerned, in the order the script numbers them.
        targets: The paths that must be free, where these are others.
        expected_size: Told in a `WriteConflictError`; None for an absent session.

    Returns:
        What follows its `ok`.

    Raises:
        SessionNotFoundError: It answers `missing`.
        SessionExistsError: It answers `exists`.
        WriteConflictError: It answers `conflict`.
        WritesRefusedError: The server takes no writes for now, and why.
        StorageError: The server refuses, or cannot be reached.
    """
    try:
        return await _run(link, keys, script, names, arguments, paths, targets, expected_size)
    except WritesRefusedError as error:
        if str(error) != OUT_OF_MEMORY:
            raise
        raise WritesRefusedError(await _full(link, keys), path=paths[0]) from error


async def _full(link: RedisConnection, keys: RedisKeys) -> str:
    """Return what is full, as far as this user may know, and what makes room."""
    limit = ""
    try:
        [info] = await link.ask([(b"INFO", b"memory")])
    except StorageError:
        info = None
    if isinstance(info, bytes):
        found = [facts.search(info) for facts in (_LIMIT, _POLICY)]
        told = [decode_name(one.group(1)) for one in found if one is not None]
        limit = f" (maxmemory {', '.join(told)})" if len(told) == len(found) else ""
    trash = clean(decode_name(keys.trash))
    return (
        f"the server's memory is full{limit}, and it takes no writes; raise its maxmemory, "
        f"or remove keys there: {trash}* holds what was deleted"
    )


async def _run(
    link: RedisConnection,
    keys: RedisKeys,
    script: Script,
    names: Sequence[bytes],
    arguments: Sequence[bytes],
    paths: Sequence[str],
    targets: Sequence[str] | None,
    expected_size: int | None,
) -> list[Any]:
    """Run a script and turn its answer into a result or an error; see `run_step`."""
    fence = keys.fence(link.token, paths[0])
    if isinstance(link, ClusterConnection) and isinstance(keys, UntaggedClusterKeys):
        answer = await run_untagged_step(
            link, keys, script, names[2:], [fence, *arguments], paths[0]
        )
    else:
        answer = await link.run(script, names, [fence, *arguments])
    outcome, *facts = answer
    if outcome == b"ok":
        return facts
    if outcome == b"missing":
        raise SessionNotFoundError(paths[facts[0] - 1])
    if outcome == b"exists":
        raise SessionExistsError((targets or paths)[facts[0] - 1])
    if outcome == b"conflict":
        actual = None if facts[0] < 0 else facts[0]
        raise WriteConflictError(paths[0], expected_size=expected_size, actual_size=actual)
    if outcome == b"fenced":
        raise BackendDownError("this write was given up when the connection broke", path=paths[0])
    if outcome == b"refused":
        command, key, text = (part.decode("utf-8", "replace") for part in facts)
        raise reply_refused(text, command=command, key=key, path=paths[0])
    raise StorageError("the server answered a step with something else", path=paths[0])
