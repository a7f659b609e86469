"""A write whose connection broke never runs after we looked whether it did."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING

import pytest

from sessiontui.errors import AccessError, BackendDownError, OutcomeUnknownError
from sessiontui.storage.redis.backend import RedisBackend
from sessiontui.storage.redis.settings import RedisSettings
from tests.faults.proxy import Proxy, proxied
from tests.servers import real_server
from tests.unit.redis_parts import FILE, META, PASSWORD, answer, opened, user
from tests.waiting import until

if TYPE_CHECKING:
    import redis.asyncio

    from tests.servers import RealServer

NO_KILL = ("-client", "+client|id", "+client|setname")
"""Takes the right to end other connections from a user who has all, on Redis 6.2 too."""


def through(proxy: Proxy, client: redis.asyncio.Redis) -> RedisBackend:
    """Return a backend with the client's settings that goes through the proxy."""
    settings = RedisSettings.of_client(client)
    arguments = dict(settings.arguments) | {"path": str(proxy.socket)}
    return RedisBackend(
        RedisSettings(settings.connection_class, arguments, "proxy", patience_s=5.0)
    )


async def lose_a_write(proxy: Proxy, backend: RedisBackend) -> None:
    """Let the second append of a session be held back while its connection ends for us."""
    await backend.append("/a", b"1\n", mtime_ms=1)
    proxy.strike("hold")
    with pytest.raises(OutcomeUnknownError):
        await backend.append("/a", b"2\n", mtime_ms=2)
    assert proxy.held


async def test_without_a_fence_what_is_held_back_runs_late(
    each_redis_server: RealServer, each_redis: redis.asyncio.Redis
) -> None:
    async with proxied(each_redis_server.socket, random.Random(1)) as proxy:
        backend = through(proxy, each_redis)
        await lose_a_write(proxy, backend)
        assert await each_redis.get(FILE + b"/a") == b"1\n"
        proxy.release()
        await answer(lambda: each_redis.get(FILE + b"/a"), lambda data: data == b"1\n2\n")
        await backend.aclose()


async def test_after_a_fence_what_is_held_back_never_runs(
    each_redis_server: RealServer, each_redis: redis.asyncio.Redis
) -> None:
    async with proxied(each_redis_server.socket, random.Random(2)) as proxy:
        backend = through(proxy, each_redis)
        await lose_a_write(proxy, backend)
        await backend.fence()
        proxy.release()
        await until(lambda: not proxy.held)
        await backend.append("/a", b"3\n", mtime_ms=3)
        assert await each_redis.get(FILE + b"/a") == b"1\n3\n"
        assert [key async for key in each_redis.scan_iter(match="*fence*")] == []
        await backend.aclose()


async def test_where_connections_may_not_be_killed_a_key_keeps_late_writes_out(
    each_redis_server: RealServer, each_redis: redis.asyncio.Redis
) -> None:
    async with (
        user(each_redis, "ada", "~omp:sessions:*", "+@all", *NO_KILL),
        each_redis_server.client(username="ada", password=PASSWORD) as client,
        proxied(each_redis_server.socket, random.Random(3)) as proxy,
    ):
        backend = through(proxy, client)
        await lose_a_write(proxy, backend)
        await backend.fence()
        proxy.release()
        await until(lambda: proxy.late)
        await answer(each_redis.client_list, lambda all_: len(all_) <= 3)
        await backend.append("/a", b"3\n", mtime_ms=3)
        assert await each_redis.get(FILE + b"/a") == b"1\n3\n"
        assert await each_redis.hget(META, "/a") == b"3"
        (fence,) = [key async for key in each_redis.scan_iter(match="omp:sessions:fence:*")]
        assert 0 < await each_redis.ttl(fence) <= 86_400
        await backend.aclose()


async def test_a_write_that_was_given_up_says_so_and_changes_nothing(
    each_redis: redis.asyncio.Redis,
) -> None:
    async with opened(each_redis) as backend:
        await backend.append("/a", b"1\n", mtime_ms=1)
        fence = backend._keys.fence(backend._writes.token, "/a")
        await each_redis.set(fence, "1")
        with pytest.raises(BackendDownError, match="given up when the connection broke"):
            await backend.append("/a", b"2\n", mtime_ms=2)
        assert await each_redis.get(FILE + b"/a") == b"1\n"
        assert await each_redis.hget(META, "/a") == b"1"
        await each_redis.delete(fence)
        await backend.append("/a", b"2\n", mtime_ms=2)
        assert await each_redis.get(FILE + b"/a") == b"1\n2\n"


async def test_a_fence_that_cannot_be_raised_says_so(
    each_redis_server: RealServer, each_redis: redis.asyncio.Redis
) -> None:
    rules = ("~omp:sessions:file:*", "~omp:sessions:meta", "~omp:sessions:title", "+@all")
    async with (
        user(each_redis, "ada", *rules, *NO_KILL),
        each_redis_server.client(username="ada", password=PASSWORD) as client,
        proxied(each_redis_server.socket, random.Random(4)) as proxy,
    ):
        backend = through(proxy, client)
        await lose_a_write(proxy, backend)
        with pytest.raises(AccessError, match="a key"):
            await backend.fence()
        await backend.aclose()


async def test_a_fence_waits_for_a_server_that_is_away_and_spares_its_new_clients() -> None:
    with real_server() as server:
        async with (
            contextlib.AsyncExitStack() as stack,
            server.client() as client,
            proxied(server.socket, random.Random(5)) as proxy,
        ):
            backend = through(proxy, client)
            await lose_a_write(proxy, backend)
            [lost] = backend._writes.lost
            server.stop()
            with pytest.raises(BackendDownError):
                await backend.fence()
            server.start()
            # Client ids begin anew: the one that was lost is somebody else's now.
            taken = 0
            while taken < (lost.client_id or 0) + 5:
                other = await stack.enter_async_context(server.client())
                taken = await other.client_id()
                await other.client_setname("other")
            named = [entry["id"] for entry in await client.client_list(_type="normal")]
            assert str(lost.client_id) in named
            await backend.fence()
            left = [entry["id"] for entry in await client.client_list(_type="normal")]
            assert set(named) <= set(left)
            proxy.release()
            await backend.append("/a", b"3\n", mtime_ms=3)
            assert await client.get(FILE + b"/a") == b"3\n"
            await backend.aclose()


async def test_one_fence_serves_all_who_wait_for_it(
    each_redis_server: RealServer, each_redis: redis.asyncio.Redis
) -> None:
    async with proxied(each_redis_server.socket, random.Random(6)) as proxy:
        backend = through(proxy, each_redis)
        await backend.append("/a", b"1\n", mtime_ms=1)
        proxy.strike("lose reply")
        outcomes = await asyncio.gather(
            *(backend.append(f"/{number}", b"x", mtime_ms=2) for number in range(20)),
            return_exceptions=True,
        )
        assert all(isinstance(outcome, OutcomeUnknownError) for outcome in outcomes)
        await asyncio.gather(*(backend.fence() for _ in outcomes))
        assert not backend._writes.lost
        await backend.aclose()
