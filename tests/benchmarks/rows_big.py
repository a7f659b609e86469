"""One session of a gigabyte: its ends, and a word in it."""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sessiontui.sources import parse_source
from sessiontui.storage import SessionStorage
from sessiontui.storage.storage import open_backend
from sessiontui.transcript.search import LiteralQuery, TextMatch, search
from tests.benchmarks.data import LAST_ID, big_session, lines, session_path
from tests.benchmarks.harness import Bench, Figure, expect, row
from tests.benchmarks.terminal import terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BYTES: Final = 1_000_000_000
_FIRST: Final = b"the-first-of-all"
_LAST: Final = b"the-last-of-all"
_WORD: Final = "Zyzzogeton"
_REPEATS: Final = 7


@contextmanager
def _session(bench: Bench) -> Iterator[tuple[Path, int]]:
    """Write the session; yield its file and where the line with the word begins."""
    file = bench.folder / "gigabyte" / session_path(1).removeprefix("/sessions/")
    file.parent.mkdir(parents=True)
    found = big_session(file, round(BYTES * bench.scale), rare=_WORD, first=_marked(_FIRST))
    with file.open("ab") as stream:
        stream.write(_marked(_LAST))
    yield file, found
    file.unlink()


def _marked(mark: bytes) -> bytes:
    line = lines(1, 1)[1].replace(b'"parentId":null', b'"parentId":"%s"' % LAST_ID, 1)
    return line.replace(b'"text":"', b'"text":"' + mark + b" ", 1)


@row("big.ends", "Home and End in a 1 GB session, key to painted", target=150, unit="ms")
async def ends(bench: Bench) -> Figure:
    file, _ = bench.shared("gigabyte", lambda: _session(bench))
    home, end = await asyncio.to_thread(_ends, str(file.parent.parent))
    return Figure(
        max(home, end) * 1e3, f"Home {home * 1e3:.0f} ms, End {end * 1e3:.0f} ms, medians"
    )


def _ends(root: str) -> tuple[float, float]:
    durations: dict[bytes, list[float]] = {_FIRST: [], _LAST: []}
    with terminal(root) as screen:
        screen.wait_for(_LAST)
        screen.press(b"\r")
        screen.rest()
        for _ in range(_REPEATS):
            for key, shown in ((b"g", _FIRST), (b"G", _LAST)):
                mark = len(screen.output)
                start = time.monotonic()
                screen.press(key)
                durations[shown].append(screen.wait_for(shown, since=mark) - start)
                screen.read_until_still(0.3)
    return statistics.median(durations[_FIRST]), statistics.median(durations[_LAST])


@row("big.search", "search for a rare word in 1 GB vs `grep -i`", target=5.0)
async def search_all(bench: Bench) -> Figure:
    file, expected = bench.shared("gigabyte", lambda: _session(bench))
    backend = open_backend(parse_source(str(file.parent.parent)))
    ours: list[float] = []
    first: list[float] = []
    peer: list[float] = []
    async with SessionStorage(backend, contents="on_demand", follow=False) as storage:
        await storage.load()
        [stat] = storage.stats()

        async def read(start: int, stop: int) -> bytes:
            return await storage.read_range(stat.path, start, stop)

        for _ in range(3):
            start = time.perf_counter()
            async for found in search(read, LiteralQuery(_WORD), 0, stat.size):
                if isinstance(found, TextMatch):
                    expect(found.offset == expected, f"found at {found.offset} not {expected}")
                    first.append(time.perf_counter() - start)
            ours.append(time.perf_counter() - start)
            start = time.perf_counter()
            process = await asyncio.create_subprocess_exec(
                *("grep", "-i", "-F", "-c", _WORD, str(file)), stdout=asyncio.subprocess.PIPE
            )
            output, _ = await process.communicate()
            peer.append(time.perf_counter() - start)
            expect(int(output) == 1, "grep found another number")
    expect(len(first) == len(ours), "the word was found another number of times")
    own_s, peer_s = statistics.median(ours), statistics.median(peer)
    return Figure(
        own_s / peer_s,
        f"{own_s:.2f} s / {peer_s:.2f} s; the hit, nine tenths into it, after "
        f"{statistics.median(first):.2f} s",
    )
