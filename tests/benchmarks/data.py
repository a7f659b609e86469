"""Data for the benchmarks: the same bytes in every run, written fast."""

from __future__ import annotations

import json
import random
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import redis
import redis.asyncio

from sessiontui.catalog.row import Row
from sessiontui.storage.redis.embedded import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.harness import Bench

PREFIX: Final = "omp:sessions:"
FIRST_MTIME_MS: Final = 1_780_000_000_000
_WORDS: Final = (
    *("retry", "flaky", "cursor", "pagination", "upgrade", "client", "move", "runner", "second"),
    *("draw", "tree", "follow", "lines", "fix", "test", "schema", "worker", "cache", "index"),
    *("parser", "token", "stream", "socket", "folder", "rename", "delete", "undo"),
)
_PROJECTS: Final = 200
MESSAGES: Final = 4
"""How many messages a session has, unless it is said otherwise."""


@dataclass(frozen=True, slots=True)
class Store:
    """A server of one's own with sessions in it."""

    url: str
    count: int


def project(number: int) -> str:
    """Return the working directory of a session."""
    first, second = divmod(number % _PROJECTS, len(_WORDS))
    return f"/home/ada/code/{_WORDS[first]}-{_WORDS[second]}"


def title(number: int) -> str:
    """Return the title of a session: five words."""
    count = len(_WORDS)
    return " ".join(_WORDS[number * step // 7 % count] for step in (5, 11, 17, 23, 31))


def session_path(number: int) -> str:
    """Return the path of the session of this number, in one of 200 projects."""
    folder = project(number).replace("/home/ada/", "-").replace("/", "-")
    return f"/sessions/{folder}/2026-06-01T10-00-00-000Z_{number:08x}.jsonl"


def lines(number: int, count: int = MESSAGES, size: int = 300) -> list[bytes]:
    """Return the lines of a session: a header, then `count` messages of about `size` bytes."""
    header = (
        f'{{"type":"session","version":3,"id":"{number:08x}","timestamp":"2026-06-01T10:00:00.000Z"'
        f',"cwd":"{project(number)}","title":"{title(number)}"}}\n'
    )
    return [header.encode(), *(message(position, number, size) for position in range(count))]


def message(position: int, seed: int, size: int) -> bytes:
    """Return one message line of about `size` bytes."""
    parent = f'"{position - 1:08x}"' if position else "null"
    role = "assistant" if position % 2 else "user"
    stop = ',"stopReason":"stop"' if position % 2 else ""
    return (
        f'{{"type":"message","id":"{position:08x}","parentId":{parent},'
        f'"timestamp":"2026-06-01T10:{position // 60 % 60:02d}:{position % 60:02d}.000Z",'
        f'"message":{{"role":"{role}","content":[{{"type":"text","text":"{words(seed, size)}"}}]'
        f"{stop}}}}}\n"
    ).encode()


def words(seed: int, size: int) -> str:
    """Return text of about `size` bytes: one of 64 for each size."""
    return _text(seed % 64, size)


@cache
def _text(seed: int, size: int) -> str:
    return " ".join(random.Random(seed).choices(_WORDS, k=max(1, size // 7)))


def row_of(number: int) -> Row:
    """Return what the program should know of a session once it is read, as far as shown."""
    return Row(
        path=session_path(number),
        size=1000 + number,
        mtime_ms=FIRST_MTIME_MS + number * 7919 % 9_999_991,
        read=True,
        id=f"{number:08x}",
        title=title(number),
        cwd=project(number),
        created_ms=FIRST_MTIME_MS + number,
        first_message=words(number, 300),
    )


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run a server of one's own; yield its URL."""
    folder.mkdir(exist_ok=True)
    with EmbeddedServer(folder) as started:
        yield started.url


@contextmanager
def filled_server(bench: Bench, full: int) -> Iterator[Store]:
    """Run a server with so many sessions, at the scale of this run."""
    count = bench.count(full)
    with server(bench.folder / f"store-{full}") as url:
        fill_redis(url, count)
        yield Store(url, count)


def store(bench: Bench, full: int) -> Store:
    """Return a server with so many sessions that rows of a group share and do not change."""
    return bench.shared(f"store-{full}", lambda: filled_server(bench, full))


def client(url: str) -> redis.asyncio.Redis:
    """Return a plain client that waits as long as it takes."""
    return redis.asyncio.Redis.from_url(url, protocol=2, socket_timeout=None)


def fill_redis(url: str, count: int, *, messages: int = MESSAGES, size: int = 300) -> None:
    """Write `count` sessions with their mtimes; a tenth of them have a title field too."""
    with redis.Redis.from_url(url, protocol=2) as connection:
        for start in range(0, count, 500):
            pipeline = connection.pipeline(transaction=False)
            for number in range(start, min(start + 500, count)):
                path = session_path(number)
                pipeline.set(f"{PREFIX}file:{path}", b"".join(lines(number, messages, size)))
                pipeline.hset(f"{PREFIX}meta", path, str(FIRST_MTIME_MS + number))
                if number % 10 == 0:
                    field = {"title": title(number), "updatedAt": "2026-06-01T10:00:00.000Z"}
                    pipeline.hset(f"{PREFIX}title", path, json.dumps(field))
            pipeline.execute()


def fill_folder(root: Path, count: int) -> None:
    """Write `count` sessions as files."""
    for number in range(count):
        file = root / session_path(number).removeprefix("/sessions/")
        if number < _PROJECTS:
            file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"".join(lines(number)))


LAST_ID: Final = b"%08x" % 999
"""Id of the last entry of a big session."""


def big_session(file: Path, size: int, *, rare: str = "", first: bytes = b"") -> int:
    """Write one session of about `size` bytes, in lines of many lengths.

    Args:
        file: Where to.
        size: Bytes, roughly.
        rare: A word that occurs once, at nine tenths of the file.
        first: A line that follows the header.

    Returns:
        Where the line with the rare word begins.
    """
    sizes = random.Random(7)
    block = b"".join(
        message(number, number, sizes.choice((80, 300, 300, 1000, 6000))) for number in range(1000)
    )
    # Each copy of the block goes on where the one before it ends.
    block = block.replace(b'"parentId":null', b'"parentId":"%s"' % LAST_ID, 1)
    found = 0
    with file.open("wb") as stream:
        stream.writelines((*lines(1, 0), first))
        while stream.tell() < size:
            stream.write(block)
            if rare and not found and stream.tell() >= size * 0.9:
                found = stream.tell()
                stream.write(message(1, 1, 80).replace(b'"text":"', f'"text":"{rare} '.encode()))
    return found
