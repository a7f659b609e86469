"""Runs one atomic step and turns what it says into a result or an error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from sessiontui.errors import (
    BackendDownError,
    SessionExistsError,
    SessionNotFoundError,
    StorageError,
    WriteConflictError,
    WritesRefusedError,
)
from sessiontui.storage.redis.apart import run_apart
from sessiontui.storage.redis.cluster import ClusterLink
from sessiontui.storage.redis.errors import OUT_OF_MEMORY, refusal
from sessiontui.storage.redis.keys import ApartKeys, decode
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiontui.storage.redis.connection import Link, Script
    from sessiontui.storage.redis.keys import Keys


_LIMIT: Final = re.compile(rb"^maxmemory_human:(\S+)", re.MULTILINE)
_POLICY: Final = re.compile(rb"^maxmemory_policy:([a-z-]+)", re.MULTILINE)


async def run_step(
    link: Link,
    keys: Keys,
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


async def _full(link: Link, keys: Keys) -> str:
    """Return what is full, as far as this user may know, and what makes room."""
    limit = ""
    try:
        [info] = await link.ask([(b"INFO", b"memory")])
    except StorageError:
        info = None
    if isinstance(info, bytes):
        found = [facts.search(info) for facts in (_LIMIT, _POLICY)]
        told = [decode(one.group(1)) for one in found if one is not None]
        limit = f" (maxmemory {', '.join(told)})" if len(told) == len(found) else ""
    trash = clean(decode(keys.trash))
    return (
        f"the server's memory is full{limit}, and it takes no writes; raise its maxmemory, "
        f"or remove keys there: {trash}* holds what was deleted"
    )


async def _run(
    link: Link,
    keys: Keys,
    script: Script,
    names: Sequence[bytes],
    arguments: Sequence[bytes],
    paths: Sequence[str],
    targets: Sequence[str] | None,
    expected_size: int | None,
) -> list[Any]:
    """Run a script and turn its answer into a result or an error; see `run_step`."""
    fence = keys.fence(link.token, paths[0])
    if isinstance(link, ClusterLink) and isinstance(keys, ApartKeys):
        answer = await run_apart(link, keys, script, names[2:], [fence, *arguments], paths[0])
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
        raise refusal(text, command=command, key=key, path=paths[0])
    raise StorageError("the server answered a step with something else", path=paths[0])
