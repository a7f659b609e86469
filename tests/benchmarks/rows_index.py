"""Reading the index of many sessions from Redis."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import statistics
import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sessiontui.sources import parse_source
from sessiontui.storage import RedisSessionStorage, SessionStorage
from sessiontui.storage.storage import open_backend
from tests.benchmarks.data import PREFIX, client, session_path, store
from tests.benchmarks.harness import REPEATS, Bench, Figure, expect, paired, ratio, row
from tests.benchmarks.pinger import pings

if TYPE_CHECKING:
    from collections.abc import Iterator

SESSIONS: Final = 100_000
_Index = dict[str, tuple[int, int, bytes | None]]
"""Path -> size, time, title field."""


async def load(url: str) -> SessionStorage:
    """Load the index as the app does; the caller closes it."""
    storage = SessionStorage(open_backend(parse_source(url)), contents="on_demand")
    await storage.load()
    return storage


async def raw_index(url: str) -> tuple[list[Any], list[int], dict[Any, Any], dict[Any, Any]]:
    """Read the same index with redis-py's pipelines: SCAN, STRLEN, two HGETALL."""
    async with client(url) as connection:
        times = await connection.hgetall(f"{PREFIX}meta")
        titles = await connection.hgetall(f"{PREFIX}title")
        cursor = 0
        paths: list[Any] = []
        sizes: list[int] = []
        while True:
            cursor, keys = await connection.scan(cursor, match=f"{PREFIX}file:*", count=1000)
            pipeline = connection.pipeline(transaction=False)
            for key in keys:
                pipeline.strlen(key)
            paths += keys
            sizes += await pipeline.execute()
            if cursor == 0:
                return paths, sizes, times, titles


async def slow_index(url: str) -> _Index:
    """Return the index as it should be."""
    keys, sizes, times, titles = await raw_index(url)
    start = len(f"{PREFIX}file:")
    return {
        (path := key[start:]).decode(): (size, int(times[path]), titles.get(path))
        for key, size in zip(keys, sizes, strict=True)
    }


def expect_index(storage: SessionStorage, slow: _Index) -> None:
    """See that the mirror holds exactly the index."""
    ours = {stat.path: (stat.size, stat.mtime_ms or 0, stat.title) for stat in storage.stats()}
    expect(ours == slow, f"another index: {len(ours)} and {len(slow)} sessions")


@row("index.load", "index of 100k vs raw SCAN + STRLEN + 2 HGETALL", target=2.0)
async def index(bench: Bench) -> Figure:
    url = store(bench, SESSIONS).url
    slow = await slow_index(url)
    storage = await load(url)
    expect_index(storage, slow)
    await storage.refresh()
    expect_index(storage, slow)
    await storage.aclose()

    async def ours() -> None:
        await (await load(url)).aclose()

    async def peer() -> None:
        await raw_index(url)

    return ratio(*await paired(ours, peer))


@row("index.first_rows", "first rows at 100k vs the two HGETALLs", target=1.3)
async def first_rows(bench: Bench) -> Figure:
    url = store(bench, SESSIONS).url

    async def ours() -> None:
        backend = open_backend(parse_source(url))
        async with (
            SessionStorage(backend, contents="on_demand") as storage,
            storage.changes(own=True) as feed,
        ):
            loading = asyncio.create_task(storage.load())
            async for batch in feed.batches():
                expect(batch, "an empty batch")
                break
            loading.cancel()
            await asyncio.wait([loading])

    async def peer() -> None:
        async with client(url) as connection:
            await connection.hgetall(f"{PREFIX}meta")
            await connection.hgetall(f"{PREFIX}title")

    return ratio(*await paired(ours, peer))


@row(
    "index.stall",
    "longest PING beside loading and refreshing 100k, over that beside other work",
    target=5,
    unit="ms",
)
async def stall(bench: Bench) -> Figure:
    url = store(bench, SESSIONS).url
    busy_worst: list[float] = []
    quiet_worst: list[float] = []
    for _ in range(REPEATS):
        with pings(url) as quiet, _spinning():
            await asyncio.sleep(1.5)
        with pings(url) as busy:
            storage = await load(url)
            await storage.refresh()
        await storage.aclose()
        quiet_worst.append(max(quiet))
        busy_worst.append(max(busy))
    beside, alone = statistics.median(busy_worst), statistics.median(quiet_worst)
    return Figure(
        max(0.0, beside - alone) * 1e3,
        f"{beside * 1e3:.1f} ms, {alone * 1e3:.1f} ms beside a process that only computes; "
        f"median of {REPEATS} runs' longest; longest command {await _longest(url):.2f} ms",
    )


@contextmanager
def _spinning() -> Iterator[None]:
    """Keep a processor busy without touching the server."""
    process = multiprocessing.get_context("spawn").Process(target=_spin, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def _spin() -> None:
    while True:
        sum(range(1000))


async def _longest(url: str) -> float:
    """Return how long the longest command of a load took by the server's own clock, in ms."""
    async with client(url) as connection:
        await connection.config_set("slowlog-log-slower-than", 100)
        await connection.config_set("slowlog-max-len", 100_000)
        await connection.slowlog_reset()
        storage = await load(url)
        await storage.refresh()
        await storage.aclose()
        slow = await connection.slowlog_get(100_000)
        await connection.config_set("slowlog-log-slower-than", -1)
        return max((entry["duration"] for entry in slow), default=0) / 1000


@row("index.memory", "memory of a mirrored session at 100k", target=1024, unit="B")
async def memory(bench: Bench) -> Figure:
    data = store(bench, SESSIONS)
    gc.collect()
    tracemalloc.start()
    storage = await load(data.url)
    gc.collect()
    used, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    await storage.aclose()
    return Figure(used / data.count, f"{used / 1e6:.1f} MB for {data.count} sessions")


@row(
    "index.resident", "contents-resident create of 10k vs a pipelined MGET of the same", target=1.5
)
async def resident(bench: Bench) -> Figure:
    data = store(bench, 10_000)
    async with client(data.url) as connection:
        paths = [session_path(number) for number in range(data.count)]

        async def create() -> RedisSessionStorage:
            return await RedisSessionStorage.create(connection)

        async def ours() -> None:
            await (await create()).aclose()

        async def peer() -> list[bytes]:
            values: list[bytes] = []
            pipeline = connection.pipeline(transaction=False)
            for start in range(0, data.count, 500):
                pipeline.mget([f"{PREFIX}file:{path}" for path in paths[start : start + 500]])
            for part in await pipeline.execute():
                values.extend(part)
            return values

        storage = await create()
        for path, value in zip(paths, await peer(), strict=True):
            expect(storage.read_text_sync(path).encode() == value, f"other bytes of {path}")
        await storage.aclose()
        return ratio(*await paired(ours, peer))
