"""Runs one atomic step and turns what it says into a result or an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessiontui.errors import (
    BackendDownError,
    SessionExistsError,
    SessionNotFoundError,
    StorageError,
    WriteConflictError,
)
from sessiontui.storage.redis.apart import run_apart
from sessiontui.storage.redis.cluster import ClusterLink
from sessiontui.storage.redis.errors import refusal
from sessiontui.storage.redis.keys import ApartKeys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiontui.storage.redis.keys import Keys
    from sessiontui.storage.redis.link import Link, Script


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
        StorageError: The server refuses, or cannot be reached.
    """
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
