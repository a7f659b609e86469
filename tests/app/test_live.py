"""Another process writes to a session; the open app shows each line."""

from __future__ import annotations

import os
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE, Process
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from sessiontui.storage.storage import open_backend
from sessiontui.times import now_ms
from tests.app.support import (
    HOUR_MS,
    NOW_MS,
    path_of,
    rows,
    running,
    session,
    settle,
    shows,
    store_with,
)
from tests.servers import real_server
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sessiontui.app.app import SessionApp
    from sessiontui.sources import Source
    from sessiontui.storage.backend import Backend

LINES = 10_000

_LINE = """
import json, os, sys, time
def line(number):
    entry = {"type": "message", "id": f"{number:08}", "parentId": None,
             "message": {"role": "user", "content": f"line {number} of the other process"}}
    return json.dumps(entry, separators=(",", ":")).encode() + b"\\n"
"""
REDIS_WRITER = (
    _LINE
    + """
import redis
client = redis.Redis(unix_socket_path=sys.argv[1])
for command in sys.stdin:
    first, last = map(int, command.split())
    for number in range(first, last):
        client.append("omp:sessions:file:" + sys.argv[2], line(number))
        client.hset("omp:sessions:meta", sys.argv[2], str(time.time_ns() // 1_000_000))
    print("done", flush=True)
"""
)
FILE_WRITER = (
    _LINE
    + """
file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
for command in sys.stdin:
    first, last = map(int, command.split())
    for number in range(first, last):
        os.write(file, line(number))
    print("done", flush=True)
"""
)


def connect(source: Source, password: str | None) -> Backend:
    return open_backend(source, password=password)


@asynccontextmanager
async def writer(program: str, *arguments: str) -> AsyncIterator[Process]:
    """Run a process of its own that appends the lines it is told to."""
    process = await create_subprocess_exec(
        sys.executable, "-c", program, *arguments, stdin=PIPE, stdout=PIPE
    )
    try:
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        assert await process.wait() == 0


OLD_MS = {name: now_ms() - hours * HOUR_MS for name, hours in (("alpha", 2), ("beta", 3))}


async def let_write(process: Process, first: int, last: int) -> None:
    """Let the process write lines `[first, last)`, and wait until it has."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{first} {last}\n".encode())
    assert await process.stdout.readline() == b"done\n"


def title_row(app: SessionApp, title: str) -> int:
    return next(number for number, row in enumerate(rows(app)) if title in row[:55])


def complete(app: SessionApp, stored: bytes) -> bool:
    document = app.main.transcript.document
    return document is not None and document.size == len(stored)


async def follow(app: SessionApp, process: Process) -> None:
    """Let the process write some lines one by one, then thousands, and see each arrive."""
    assert title_row(app, "Title beta") > title_row(app, "Title alpha")
    for number in range(10):
        await let_write(process, number, number + 1)
        await until(partial(shows, app, f"line {number} of the other"))
    assert title_row(app, "Title beta") < title_row(app, "Title alpha")
    assert app.main.reading.path == app.main.sessions.highlighted
    await let_write(process, 10, LINES)
    await until(lambda: shows(app, f"line {LINES - 1} of the other"))


async def compare(app: SessionApp, stored: bytes) -> None:
    """Compare every row of the view, as stored lines, with the bytes that are stored."""
    view = app.main.transcript
    await until(lambda: complete(app, stored) and view.quiet)
    view.action_raw()
    await until(lambda: view.quiet)
    assert view.flow is not None
    assert view.flow.text() + "\n" == stored.decode()


async def test_lines_that_another_process_appends_to_redis_are_painted() -> None:
    with real_server() as server:
        async with server.client() as client:
            for name in ("beta", "alpha"):
                key = f"omp:sessions:file:{path_of(name)}"
                await client.set(key, session(f"Title {name}", session_id=name))
                await client.hset("omp:sessions:meta", path_of(name), str(OLD_MS[name]))
            async with (
                running(source=server.url, connect=connect, clock=now_ms) as (app, pilot),
                writer(REDIS_WRITER, str(server.socket), path_of("beta")) as process,
            ):
                await pilot.press("down")
                await settle(pilot)
                await follow(app, process)
                stored = await client.get(f"omp:sessions:file:{path_of('beta')}")
                assert isinstance(stored, bytes)
                await compare(app, stored)


async def test_lines_that_another_process_appends_to_a_file_are_painted(tmp_path: Path) -> None:
    files = {name: tmp_path / path_of(name)[1:] for name in ("beta", "alpha")}
    for name, file in files.items():
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(session(f"Title {name}", session_id=name))
        os.utime(file, ns=(OLD_MS[name] * 1_000_000,) * 2)
    async with (
        running(source=str(tmp_path), connect=connect, clock=now_ms) as (app, pilot),
        writer(FILE_WRITER, str(files["beta"])) as process,
    ):
        await pilot.press("down")
        await settle(pilot)
        await follow(app, process)
        await compare(app, files["beta"].read_bytes())


async def test_a_session_deleted_by_others_while_it_is_read_says_so_until_one_goes_back() -> None:
    store = store_with("alpha", "beta")
    async with running(store) as (app, pilot):
        await pilot.press("enter")
        await settle(pilot)
        store.delete(path_of("alpha"))
        await until(lambda: shows(app, "This session was deleted elsewhere"))
        assert shows(app, "Answer to Question 0 about alpha")
        await pilot.press("d")
        await until(lambda: shows(app, "nothing to delete"))
        assert app.screen is app.main
        assert path_of("beta") in store.sessions
        await pilot.press("escape")
        await settle(pilot)
        assert shows(app, "Answer to Question 0 about beta")
        assert not shows(app, "deleted elsewhere")


async def test_a_session_that_comes_back_is_read_on() -> None:
    store = store_with("alpha", "beta")
    data = store.data(path_of("alpha")) or b""
    async with running(store) as (app, pilot):
        await pilot.press("enter")
        await settle(pilot)
        store.delete(path_of("alpha"))
        await until(lambda: shows(app, "This session was deleted elsewhere"))
        store.write(path_of("alpha"), data, mtime_ms=NOW_MS)
        await until(lambda: not shows(app, "deleted elsewhere"))
        await settle(pilot)
        assert app.main.reading.path == path_of("alpha")


async def test_a_highlighted_session_deleted_by_others_is_told_in_one_line() -> None:
    store = store_with("alpha", "beta")
    async with running(store) as (app, pilot):
        store.delete(path_of("alpha"))
        await until(lambda: shows(app, "“Title alpha” was deleted elsewhere"))
        await settle(pilot)
        assert app.main.sessions.highlighted == path_of("beta")
        assert shows(app, "Answer to Question 0 about beta")
