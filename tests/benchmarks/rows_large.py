"""The whole program in a terminal on 100,000 sessions."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sessiontui.catalog.query import Query
from sessiontui.catalog.row import Row
from sessiontui.catalog.row_builder import build_row, read_head, read_tail
from sessiontui.catalog.search_text import search_text
from tests.benchmarks.agents import agents
from tests.benchmarks.data import lines, project, session_path, store
from tests.benchmarks.harness import Bench, Figure, expect, percentile, row
from tests.benchmarks.rows_index import SESSIONS
from tests.benchmarks.terminal import Terminal, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

_MATCHES: Final = re.compile(rb"(\d[\d,]*) match")


@contextmanager
def _resting(url: str) -> Iterator[Terminal]:
    """Run the program until it has read every head and tail."""
    with terminal(url, size=(140, 36)) as screen:
        screen.wait_for(b"following")
        screen.rest()
        yield screen


def _screen(bench: Bench) -> Terminal:
    """Return the one program that the rows of this group share."""
    url = store(bench, SESSIONS).url
    return bench.shared("large", lambda: _resting(url))


@row("large.idle", "CPU of an idle app on 100k sessions", target=1, unit="%")
async def idle(bench: Bench) -> Figure:
    screen = await asyncio.to_thread(_screen, bench)
    seconds = bench.seconds(20)
    before = screen.cpu_seconds()
    await asyncio.to_thread(screen.read_for, seconds)
    share = (screen.cpu_seconds() - before) / seconds
    return Figure(share * 100, f"of one core over {seconds:g} s")


@row("large.memory", "memory of the app on 100k sessions", target=200, unit="MB")
async def memory(bench: Bench) -> Figure:
    screen = await asyncio.to_thread(_screen, bench)
    return Figure(screen.resident_mb(), "resident, after every head and tail was read")


@row(
    "large.refresh",
    "longest time between frames while 100k are refreshed and lines arrive",
    target=100,
    unit="ms",
)
async def refresh(bench: Bench) -> Figure:
    screen = await asyncio.to_thread(_screen, bench)
    data = store(bench, SESSIONS)
    gaps = await asyncio.to_thread(_refresh, screen, data.url, data.count - 1)
    return Figure(
        statistics.median(gaps[1]) * 1e3,
        f"median of {len(gaps[1])} refreshes; {statistics.median(gaps[0]) * 1e3:.0f} ms without",
    )


def _refresh(screen: Terminal, url: str, number: int) -> tuple[list[float], list[float]]:
    """Return the longest times between frames without and with a refresh."""
    quiet: list[float] = []
    busy: list[float] = []
    with agents(url, rate=100.0, seconds=14.0, sessions=1, first=number):
        screen.read_for(1.0)
        for _ in range(3):
            quiet.append(_longest_gap(screen, 2.0))
            screen.press(b"\x1b[15~")
            busy.append(_longest_gap(screen, 2.0))
        mark = len(screen.output)
        screen.read_for(1.0)
        expect(b"sent" in screen.output[mark:], "nothing is followed any more")
    return quiet, busy


def _longest_gap(screen: Terminal, seconds: float) -> float:
    until = time.monotonic() + seconds
    last = time.monotonic()
    longest = 0.0
    while time.monotonic() < until:
        if screen.read(0.5):
            now = time.monotonic()
            longest = max(longest, now - last)
            last = now
    return longest


@row("large.filter", "filter keystroke to painted list at 100k, p90", target=50, unit="ms")
async def filter_keys(bench: Bench) -> Figure:
    screen = await asyncio.to_thread(_screen, bench)
    hays = [_haystack(number) for number in range(store(bench, SESSIONS).count)]
    first, whole = await asyncio.to_thread(_filter, screen, hays)
    return Figure(
        percentile(first, 0.9) * 1e3,
        f"first hits, median {statistics.median(first) * 1e3:.0f} ms of {len(first)} keys; all "
        f"hits: median {statistics.median(whole) * 1e3:.0f} ms, p90 "
        f"{percentile(whole, 0.9) * 1e3:.0f} ms",
    )


def _haystack(number: int) -> str:
    """Return what is searched of a session, read as a whole."""
    data = b"".join(lines(number))
    row = Row(path=session_path(number), size=len(data), mtime_ms=0)
    row = build_row(row, read_head(data, complete=True), read_tail(data, complete=True))
    return search_text(row, project(number))


def _filter(screen: Terminal, hays: list[str]) -> tuple[list[float], list[float]]:
    """Type; return how long it took until the first hits were shown, and until all were."""
    first: list[float] = []
    whole: list[float] = []
    for text in ("flaky", "rename 1", "second draw fol", "zzz", "00001f"):
        screen.press(b"/")
        screen.read_until_still(0.3)
        before = -1
        for end in range(1, len(text) + 1):
            query = Query(text[:end])
            count = sum(query.score(hay) > 0 for hay in hays)
            mark = len(screen.output)
            start = time.monotonic()
            screen.press(text[end - 1].encode())
            if count != before:
                first.append(_wait_for_count(screen, mark, other_than=before) - start)
                whole.append(_wait_for_count(screen, mark, count=count) - start)
            screen.read_until_still(0.3)
            before = count
        screen.press(b"\x1b")
        screen.read_until_still(0.5)
    return first, whole


def _wait_for_count(
    screen: Terminal, mark: int, *, count: int | None = None, other_than: int = -1
) -> float:
    """Read until the program tells how many sessions match; return the monotonic time of that."""
    deadline = time.monotonic() + 20
    while True:
        shown = screen.output[mark:]
        found = [int(text.replace(b",", b"")) for text in _MATCHES.findall(shown)]
        if b"no match" in shown:
            found.append(0)
        if count in found or (count is None and any(one != other_than for one in found)):
            return time.monotonic()
        expect(time.monotonic() < deadline, f"{found} matches instead of {count}")
        screen.read(1.0)
