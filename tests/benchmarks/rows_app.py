"""The whole program in a terminal, beside agents that write."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import TYPE_CHECKING, Final

from tests.benchmarks.agents import STAMP, agents
from tests.benchmarks.data import fill_redis, server
from tests.benchmarks.harness import Bench, Figure, expect, percentile, row
from tests.benchmarks.terminal import Terminal, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPENED: Final = b"following"
"""What the rule below the transcript says once it is shown."""


def _delays(screen: Terminal, seconds: float) -> Iterator[float]:
    """Yield for each agent's line how long after it was sent it was on the screen."""
    until = time.monotonic() + seconds
    seen = -1
    at = len(screen.output)
    while (left := until - time.monotonic()) > 0:
        screen.read(left)
        now = time.time()
        for found in STAMP.finditer(bytes(screen.output[max(0, at - 80) :])):
            if int(found[1]) > seen:
                seen = int(found[1])
                yield now - float(found[2])
        at = len(screen.output)


def _beside_agents(
    url: str, rate: float, seconds: float, *, sessions: int, first: int
) -> tuple[list[float], str]:
    """Run the program beside agents; return delays in seconds, and CPU and memory in words."""
    with terminal(url) as screen:
        screen.wait_for(_OPENED)
        screen.rest()
        with agents(url, rate=rate, seconds=seconds, sessions=sessions, first=first) as total:
            used = screen.cpu_seconds()
            began = time.monotonic()
            delays = list(_delays(screen, seconds))
            share = (screen.cpu_seconds() - used) / (time.monotonic() - began)
            memory = screen.resident_mb()
            last = (total - 1) // sessions * sessions + sessions - 1
            last -= sessions if last >= total else 0
            screen.wait_for(b"line %d sent" % last)
    expect(delays, "no line was seen")
    return delays, f"CPU {share * 100:.0f}%, {memory:.0f} MB"


def _latency(delays: list[float], cost: str) -> Figure:
    return Figure(
        percentile(delays, 0.99) * 1e3,
        f"p50 {percentile(delays, 0.5) * 1e3:.0f} ms of {len(delays)} lines seen, {cost}",
    )


@row("app.painted", "append by another process to painted, p99 at 100/s", target=100, unit="ms")
async def painted(bench: Bench) -> Figure:
    with server(bench.folder / "painted") as url:
        fill_redis(url, 1)
        seen = await asyncio.to_thread(
            _beside_agents, url, 100.0, bench.seconds(20), sessions=1, first=0
        )
    return _latency(*seen)


@row(
    "app.many",
    "200 sessions growing at 50 lines/s each, one of them open: p99 to painted",
    target=250,
    unit="ms",
)
async def many(bench: Bench) -> Figure:
    with server(bench.folder / "many") as url:
        fill_redis(url, 1000)
        seen = await asyncio.to_thread(
            _beside_agents, url, 10_000.0, bench.seconds(20), sessions=200, first=800
        )
    return _latency(*seen)


@row("app.keys", "key p90 while following 10,000 lines/s in one session", target=60, unit="ms")
async def keys(bench: Bench) -> Figure:
    with server(bench.folder / "keys") as url:
        fill_redis(url, 30)
        delays, cost = await asyncio.to_thread(_keys, url, bench.seconds(15))
    return Figure(
        percentile(delays, 0.9) * 1e3,
        f"median {statistics.median(delays) * 1e3:.0f} ms of {len(delays)} keys, {cost}",
    )


def _keys(url: str, seconds: float) -> tuple[list[float], str]:
    """Sort the list while a session grows; return how long each key took to show."""
    delays: list[float] = []
    with terminal(url) as screen:
        screen.wait_for(_OPENED)
        screen.rest()
        with agents(url, rate=10_000.0, seconds=seconds, sessions=1, first=29) as total:
            used = screen.cpu_seconds()
            began = time.monotonic()
            while time.monotonic() < began + seconds - 1:
                for shown in (b"newest created", b"title A", b"largest", b"newest first"):
                    mark = len(screen.output)
                    start = time.monotonic()
                    screen.press(b"s")
                    delays.append(screen.wait_for(shown, since=mark) - start)
                    screen.read_for(0.1)
            share = (screen.cpu_seconds() - used) / (time.monotonic() - began)
            memory = screen.resident_mb()
            screen.wait_for(b"line %d sent" % (total - 1), since=len(screen.output) - 4000)
    return delays, f"CPU {share * 100:.0f}%, {memory:.0f} MB, the last line shown"
