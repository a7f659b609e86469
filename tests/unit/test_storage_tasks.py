"""Tasks are ended for certain: no cancellation is lost on the way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sessiontui.errors import StorageError
from sessiontui.storage.redis.connection import RedisConnection
from sessiontui.storage.redis.keys import RedisKeys
from sessiontui.storage.redis.settings import RedisSettings
from sessiontui.storage.redis.watch import RedisWatch, WatchTiming
from sessiontui.storage.tasks import end_task
from tests.servers import real_server
from tests.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Collection


async def slow_to_end(began: asyncio.Event, let: asyncio.Event) -> None:
    """Wait for ever, and when cancelled until one may end."""
    try:
        began.set()
        await asyncio.Event().wait()
    finally:
        await let.wait()


async def test_who_is_cancelled_while_a_task_ends_is_so_afterwards() -> None:
    began, let = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(slow_to_end(began, let))
    await began.wait()
    ending = asyncio.create_task(end_task(task))
    await asyncio.sleep(0)
    ending.cancel()
    await asyncio.sleep(0)
    let.set()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert task.done()


async def test_what_a_task_failed_with_is_raised_and_that_it_was_cancelled_is_not() -> None:
    async def fail() -> None:
        raise StorageError("broken")

    failed = asyncio.create_task(fail())
    await asyncio.wait({failed})
    with pytest.raises(StorageError, match="broken"):
        await end_task(failed)
    await end_task(asyncio.create_task(asyncio.Event().wait()))


async def test_a_watch_ends_however_far_a_break_has_come() -> None:
    def nothing() -> Collection[str]:
        return ()

    with real_server() as server:
        for turns in range(12):
            async with server.client() as client:
                settings = RedisSettings.of_client(client)
                reads = RedisConnection(settings, changes=False)
                watch = RedisWatch(
                    settings, reads, RedisKeys("omp:sessions:"), nothing, WatchTiming(poll=0.01)
                )
                async with watch:
                    server.stop()
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    leaving = asyncio.create_task(watch.__aexit__(None, None, None))
                    done, _ = await asyncio.wait({leaving}, timeout=DEADLINE_S)
                    assert done, f"still running after it was left in turn {turns}"
                await reads.aclose()
            server.start()


async def test_closing_a_link_fails_what_was_asked_before_it_began_to_serve() -> None:
    with real_server() as server:
        async with server.client() as client:
            link = RedisConnection(RedisSettings.of_client(client), changes=False)
            asked = asyncio.create_task(link.ask([(b"PING",)]))
            await asyncio.sleep(0)
            await link.aclose()
            with pytest.raises(StorageError):
                await asyncio.wait_for(asked, DEADLINE_S)
