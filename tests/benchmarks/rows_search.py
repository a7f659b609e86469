"""Searching the texts of many sessions on a server, with an index and without."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import statistics
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import redis

from sessiontui.formats.jsonl import decode_lines
from sessiontui.search.index import file_bytes
from sessiontui.search.index_cache import index_file
from sessiontui.search.session_search import SessionMatch
from sessiontui.sources import parse_source
from sessiontui.transcript.search import SEARCHED_KINDS, full_blocks, parse_search_terms
from sessiontui.workspace import SessionIndex, Workspace, open_workspace
from tests.benchmarks.data import FIRST_MTIME_MS, PREFIX, server, session_path
from tests.benchmarks.harness import Bench, Figure, expect, percentile, row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

SESSIONS: Final = 10_000
_MESSAGES: Final = 24
_WORDS_EACH: Final = 60
_VOCABULARY: Final = 6_000
_RARE: Final = "zanzibar"
"""In one session of a thousand."""
_QUERIES: Final = (_RARE, f'"{_RARE} 7"', "타임아웃", "qua zan", "nowhere at all")
_REPEATS: Final = 5


@dataclass(frozen=True, slots=True)
class _Texts:
    """A server with sessions full of text, and a folder for the index."""

    url: str
    count: int
    bytes: int
    folder: Path


def _vocabulary() -> list[str]:
    chance = random.Random(5)
    syllables = ("ba", "qua", "ri", "sto", "nel", "ex", "fu", "my", "to", "zan", "ik", "lo", "ped")
    made = [
        "".join(chance.choices(syllables, k=chance.randrange(1, 5))) for _ in range(_VOCABULARY)
    ]
    return [*made, "타임아웃", "재시도"]


def _session(number: int, vocabulary: list[str]) -> bytes:
    """Return one session; its words are its own, and some of them rare."""
    chance = random.Random(number)
    lines = [{"type": "session", "version": 3, "id": f"{number:08x}", "cwd": "/home/ada/code"}]
    for position in range(_MESSAGES):
        text = " ".join(chance.choices(vocabulary, k=_WORDS_EACH))
        if number % 1000 == 7 and position == 3:
            text += f" {_RARE} {number}"
        content = [{"type": "text", "text": text}]
        role = "assistant" if position % 2 else "user"
        message = {"role": role, "content": content, "usage": {"input": position, "output": 1}}
        lines.append({"type": "message", "id": f"{position:08x}", "message": message})
    return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)


@contextmanager
def _filled(bench: Bench) -> Iterator[_Texts]:
    count = bench.count(SESSIONS)
    vocabulary = _vocabulary()
    total = 0
    with (
        server(bench.folder / "texts") as url,
        redis.Redis.from_url(url, protocol=2) as connection,
    ):
        for start in range(0, count, 200):
            pipeline = connection.pipeline(transaction=False)
            for number in range(start, min(start + 200, count)):
                data = _session(number, vocabulary)
                total += len(data)
                pipeline.set(f"{PREFIX}file:{session_path(number)}", data)
                pipeline.hset(f"{PREFIX}meta", session_path(number), str(FIRST_MTIME_MS + number))
            pipeline.execute()
        yield _Texts(url, count, total, bench.folder / "texts-index")


def _texts(bench: Bench) -> _Texts:
    return bench.shared("texts", lambda: _filled(bench))


@asynccontextmanager
async def _opened(texts: _Texts, library: SessionIndex) -> AsyncIterator[Workspace]:
    async with open_workspace(parse_source(texts.url), library=library) as workspace:
        await workspace.settled()
        yield workspace


async def _build(texts: _Texts) -> float:
    """Build the index if it is not there; return how many seconds that took."""
    library = SessionIndex(texts.folder, eager=True)
    async with open_workspace(parse_source(texts.url), library=library) as workspace:
        await workspace.settled()
        began = time.perf_counter()
        await library.indexing.settled()
        return time.perf_counter() - began


async def _search(workspace: Workspace, text: str) -> tuple[float, float, set[tuple[str, int]]]:
    """Return seconds to the first hit and to the end, and where it was."""
    began = time.perf_counter()
    first_s = 0.0
    places = set()
    async for item in workspace.library.search(parse_search_terms(text)):
        if isinstance(item, SessionMatch):
            first_s = first_s or time.perf_counter() - began
            places.add((item.path, item.hit.offset))
    return first_s, time.perf_counter() - began, places


def _plain(texts: _Texts, queries: tuple[str, ...]) -> list[set[tuple[str, int]]]:
    """Return what decoding every session finds."""
    wanted = [parse_search_terms(text) for text in queries]
    found: list[set[tuple[str, int]]] = [set() for _ in queries]
    with redis.Redis.from_url(texts.url, protocol=2) as connection:
        for number in range(texts.count):
            path = session_path(number)
            stored = connection.get(f"{PREFIX}file:{path}")
            for item in decode_lines(stored if isinstance(stored, bytes) else b""):
                blocks = [block for block in full_blocks(item) if block.kind in SEARCHED_KINDS]
                for one, places in zip(wanted, found, strict=True):
                    if any(one.line_in(block) is not None for block in blocks):
                        places.add((path, item.offset))
    return found


@row("search.without", "10,000 sessions searched without an index, whole", target=5_000, unit="ms")
async def without(bench: Bench) -> Figure:
    texts = _texts(bench)
    async with _opened(texts, SessionIndex()) as workspace:
        first_s, whole_s, places = await _search(workspace, _RARE)
    expect(places == _plain(texts, (_RARE,))[0], "another result than a plain scan's")
    return Figure(
        whole_s * 1e3,
        f"first of {len(places)} after {first_s * 1e3:.0f} ms; {texts.bytes / 1e6:.0f} MB",
    )


@row("search.build", "index of them built at once", target=30_000, unit="ms")
async def build(bench: Bench) -> Figure:
    texts = _texts(bench)
    seconds = await _build(texts)
    return Figure(seconds * 1e3, f"{texts.bytes / seconds / 1e6:.1f} MB/s")


@row("search.size", "size of the index over that of the sessions", target=1.0)
async def size(bench: Bench) -> Figure:
    texts = _texts(bench)
    await _build(texts)
    kept = file_bytes(index_file(texts.folder, parse_source(texts.url)))
    return Figure(kept / texts.bytes, f"{kept / 1e6:.0f} MB / {texts.bytes / 1e6:.0f} MB")


@row("search.again", "10,000 sessions searched with the index, whole", target=100, unit="ms")
async def again(bench: Bench) -> Figure:
    texts = _texts(bench)
    await _build(texts)
    slow = _plain(texts, _QUERIES)
    spent: dict[str, list[float]] = {text: [] for text in _QUERIES}
    firsts: list[float] = []
    async with _opened(texts, SessionIndex(texts.folder, keep=False)) as workspace:
        for text, places in zip(_QUERIES, slow, strict=True):
            for _ in range(_REPEATS if len(places) < texts.count / 10 else 1):
                first_s, whole_s, found = await _search(workspace, text)
                expect(found == places, f"another result than a plain scan's: {text}")
                spent[text].append(whole_s)
                if text == _RARE:
                    firsts.append(first_s)
    detail = ", ".join(
        f"{text} {len(places):,} in {statistics.median(spent[text]) * 1e3:.0f} ms"
        for text, places in zip(_QUERIES, slow, strict=True)
    )
    first_ms = statistics.median(firsts) * 1e3
    return Figure(statistics.median(spent[_RARE]) * 1e3, f"first after {first_ms:.0f} ms; {detail}")


@row(
    "search.beside",
    "longest wait of the event loop while the index is built beside",
    target=50,
    unit="ms",
)
async def beside(bench: Bench) -> Figure:
    texts = _texts(bench)
    waits: list[float] = []

    async def watch() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            waits.append(time.perf_counter() - began - 0.005)

    folder = texts.folder.with_name("texts-index-beside")
    library = SessionIndex(folder)
    async with open_workspace(parse_source(texts.url), library=library) as workspace:
        await workspace.settled()
        watching = asyncio.create_task(watch())
        began = time.perf_counter()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(bench.seconds(60)):
                await library.indexing.settled()
        seconds = time.perf_counter() - began
        watching.cancel()
    known = len(library.indexing.known)
    expect(known, "nothing was indexed")
    return Figure(
        max(waits) * 1e3,
        f"p99 {percentile(waits, 0.99) * 1e3:.1f} ms; {known:,} sessions in {seconds:.1f} s",
    )
