"""What the tests of the Redis backend have in common."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypeVar

from sessiontui.storage.backend import Range
from sessiontui.storage.redis.backend import RedisBackend
from tests.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import redis.asyncio

    from sessiontui.storage.backend import Stat

FILE = b"omp:sessions:file:"
META = b"omp:sessions:meta"
TITLE = b"omp:sessions:title"
PASSWORD = "s3cret-Pass"

T = TypeVar("T")


async def answer(ask: Callable[[], Awaitable[T]], fits: Callable[[T], object]) -> T:
    """Ask again until the answer fits, and return it."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            reply = await ask()
            if fits(reply):
                return reply
            await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def opened(
    client: redis.asyncio.Redis, *, prefix: str = "omp:sessions:", patience_s: float = 10.0
) -> AsyncIterator[RedisBackend]:
    """Run a backend beside a plain client of the same server."""
    backend = RedisBackend.from_client(client, prefix=prefix, patience_s=patience_s)
    try:
        yield backend
    finally:
        await backend.aclose()


@contextlib.asynccontextmanager
async def user(client: redis.asyncio.Redis, name: str, *rules: str) -> AsyncIterator[None]:
    """Have a user with these rights for a while; the password is `PASSWORD`."""
    await client.acl_setuser(
        name,
        enabled=True,
        reset=True,
        reset_channels=True,
        passwords=[f"+{PASSWORD}"],
        keys=[rule[1:] for rule in rules if rule.startswith("~")],
        channels=[rule[1:] for rule in rules if rule.startswith("&")],
        commands=[rule for rule in rules if rule.startswith(("+", "-"))],
    )
    try:
        yield
    finally:
        await client.acl_deluser(name)


async def kill_others(client: redis.asyncio.Redis) -> None:
    """End every connection of the server but this client's."""
    own = await client.client_id()
    for entry in await client.client_list():
        if int(entry["id"]) != own:
            await client.client_kill_filter(_id=entry["id"])


async def indexed(backend: RedisBackend) -> tuple[dict[str, Stat], list[str]]:
    """Return the whole index by path, and the warnings; both kinds of scan tell the same."""
    stats: dict[str, Stat] = {}
    warnings: list[str] = []
    async for batch in backend.scan():
        stats |= {stat.path: stat for stat in batch.stats}
        warnings += batch.warnings
    whole: dict[str, tuple[Stat, bytes]] = {}
    told: set[str] = set()
    async for batch in backend.scan_contents():
        told.update(batch.warnings)
        for stat, data in zip(batch.stats, batch.contents or (), strict=True):
            whole[stat.path] = stat, data
    paths = list(stats)
    held = await backend.read([Range(path, 0) for path in paths])
    assert whole == {path: (stats[path], data) for path, data in zip(paths, held, strict=True)}
    assert told == set(warnings)
    return stats, warnings


async def everything(client: redis.asyncio.Redis) -> dict[bytes, object]:
    """Return all keys with what they hold, to compare before and after."""
    held: dict[bytes, object] = {}
    async for key in client.scan_iter():
        if await client.type(key) == b"hash":
            held[key] = await client.hgetall(key)
        elif await client.type(key) == b"string":
            held[key] = await client.get(key)
        else:
            held[key] = await client.type(key)
    return held
