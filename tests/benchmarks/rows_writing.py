"""Writing through the chain, and hearing of what peers write."""

from __future__ import annotations

import resource
import time
from typing import TYPE_CHECKING, Final

from sessiontui.storage.changes import Appended
from tests.benchmarks.agents import agents, stamps
from tests.benchmarks.data import PREFIX, client, fill_redis, lines, server, session_path
from tests.benchmarks.harness import Bench, Figure, expect, paired, percentile, row
from tests.benchmarks.rows_index import load

if TYPE_CHECKING:
    import redis.asyncio

LINE: Final = b'{"type":"message","id":"00000000","message":{"role":"user","content":"%b"}}\n' % (
    b"x" * 200
)
_SESSIONS: Final = 500
_RATE: Final = 2000.0


async def _pipeline(connection: redis.asyncio.Redis, path: str, count: int) -> None:
    """Append `count` lines with redis-py's pipeline, mtime with each."""
    pipeline = connection.pipeline(transaction=False)
    for number in range(count):
        pipeline.append(f"{PREFIX}file:{path}", LINE)
        pipeline.hset(f"{PREFIX}meta", path, str(number))
    await pipeline.execute()


@row(
    "writer.queued",
    "10,000 lines queued at once, acknowledged, vs a pipeline of APPEND + HSET (rate)",
    target=0.5,
    better="higher",
)
async def queued(bench: Bench) -> Figure:
    return await _written(bench, bench.count(10_000), at_once=True)


@row(
    "writer.awaited",
    "lines awaited one by one vs redis-py, one round trip of APPEND + HSET each (rate)",
    target=0.5,
    better="higher",
)
async def awaited(bench: Bench) -> Figure:
    return await _written(bench, bench.count(2_000), at_once=False)


async def _written(bench: Bench, count: int, *, at_once: bool) -> Figure:
    """Write lines through one writer, all queued or each awaited, and the same with redis-py."""
    text = LINE.decode()
    runs = 0
    with server(bench.folder / "writer") as url:
        async with client(url) as connection:
            storage = await load(url)

            async def ours() -> None:
                nonlocal runs
                runs += 1
                writer = storage.open_writer(f"/sessions/w/{runs}.jsonl")
                for _ in range(count):
                    if at_once:
                        writer.write_line_sync(text)
                    else:
                        await writer.write_line(text)
                await writer.close()

            async def peer() -> None:
                await connection.delete(f"{PREFIX}file:peer")
                for _ in range(1 if at_once else count):
                    await _pipeline(connection, "peer", count if at_once else 1)

            own_s, peer_s = await paired(ours, peer)
            slow = await connection.get(f"{PREFIX}file:peer")
            stored = await connection.get(f"{PREFIX}file:/sessions/w/{runs}.jsonl")
            expect(stored == slow == count * LINE, "other bytes than were written")
            await storage.aclose()
    return Figure(peer_s / own_s, f"{count / own_s:,.0f} lines/s, peer {count / peer_s:,.0f}/s")


@row("feed.latency", "feed p99 at 2,000 appends/s over 500 sessions", target=50, unit="ms")
async def latency(bench: Bench) -> Figure:
    delays, _share = await _follow(bench)
    return Figure(
        percentile(delays, 0.99) * 1e3,
        f"p50 {percentile(delays, 0.5) * 1e3:.1f} ms of {len(delays)} lines, none lost",
    )


@row("feed.cpu", "CPU of the feed at 2,000 appends/s", target=20, unit="%")
async def cpu(bench: Bench) -> Figure:
    _delays, share = await _follow(bench)
    return Figure(share * 100, "of one core, the feed's process alone")


async def _follow(bench: Bench) -> tuple[list[float], float]:
    """Follow agents that stamp each line with the time; return delays in seconds and CPU share."""
    delays: list[float] = []
    followed = {session_path(number): b"".join(lines(number)) for number in range(_SESSIONS)}
    with server(bench.folder / "feed") as url:
        fill_redis(url, _SESSIONS)
        storage = await load(url)
        seconds = bench.seconds(10)
        async with storage.changes() as feed:
            with agents(url, rate=_RATE, seconds=seconds, sessions=_SESSIONS) as total:
                used = cpu_here()
                began = time.monotonic()
                async for batch in feed.batches():
                    now = time.time()
                    for change in batch:
                        if isinstance(change, Appended):
                            delays.extend(now - sent for sent in stamps(change.data))
                            expect(len(followed[change.path]) == change.start, "a gap")
                            followed[change.path] += change.data
                    if len(delays) >= total:
                        break
                share = (cpu_here() - used) / (time.monotonic() - began)
        await storage.aclose()
        async with client(url) as connection:
            for path, data in followed.items():
                stored = await connection.get(f"{PREFIX}file:{path}")
                expect(stored == data, f"followed other bytes of {path}")
    return delays, share


def cpu_here() -> float:
    """Return how much processor time this process has used, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
