"""The library as docs/library.md describes it: its programs run, its names are there."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sessiontui import errors, storage
from sessiontui.formats.title_slot import parse_slot
from sessiontui.storage import SessionStorage

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    import redis.asyncio

    from tests.servers import RealServer

PAGE = (Path(__file__).parents[2] / "docs" / "library.md").read_text(encoding="utf-8")
AGENT, LISTING, FOLLOWER = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
NAMES = set(re.findall(r"`([A-Za-z_]+)", PAGE.partition("## What stays")[2]))
CALLS = {name for name in NAMES if name.islower()} - {"sessiontui", "aclose", "create"}


@pytest.fixture(params=["folder", "redis"])
def source(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    redis_server: RealServer,
    redis_client: redis.asyncio.Redis,
) -> str:
    """An empty folder, or an empty server."""
    return str(tmp_path) if request.param == "folder" else f"unix://{redis_server.socket}"


async def begin(code: str, source: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", code, source),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def output(code: str, source: str) -> str:
    """Return what a program of the page prints."""
    program = await begin(code, source)
    printed, problems = await program.communicate()
    assert (program.returncode, problems) == (0, b"")
    return printed.decode()


async def test_the_agent_writes_a_session_that_the_other_programs_read(source: str) -> None:
    follower = await begin(FOLLOWER, source)
    try:
        assert follower.stdout is not None
        assert await follower.stdout.readline() == b"following\n"
        path = (await output(AGENT, source)).strip()
        assert (await follower.stdout.readline()).decode().split()[1] == path
    finally:
        follower.kill()
        await follower.communicate()
    async with await SessionStorage.open(source, follow=False) as opened:
        data = await opened.read_range(path, 0, None)
    slot = parse_slot(data)
    assert slot is not None
    assert (slot.title, slot.source) == ("Say hello", "auto")
    _, header, first, second = map(json.loads, data.splitlines())
    assert header["cwd"] == str(Path.cwd())
    assert second["parentId"] == first["id"]
    assert await output(LISTING, source) == f"{path} {len(data)} 4\n"


def test_the_agent_takes_as_many_lines_as_the_page_says() -> None:
    said = re.search(r"An agent in (\d+) lines", PAGE)
    assert said is not None
    assert sum(bool(line.strip()) for line in AGENT.splitlines()) == int(said[1])


def test_every_name_in_the_page_is_there() -> None:
    assert len(CALLS) > 20
    for name in CALLS:
        assert callable(getattr(SessionStorage, name)), name
    table = PAGE.partition("## Errors")[2].partition("## What stays")[0]
    told = set(re.findall(r"`(\w+Error)`", table))
    named = {name for name in storage.__all__ if name.endswith("Error")}
    assert named <= told
    of_storage = {
        name
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.StorageError)
    }
    assert of_storage <= named


def test_everything_public_is_there_and_sorted() -> None:
    assert sorted(storage.__all__) == storage.__all__
    for name in storage.__all__:
        assert getattr(storage, name) is not None


def test_the_calls_that_stay_speak_of_public_types_alone() -> None:
    known = {"AsyncIterator", "Callable", "Sequence", "Exception", "Self", "Unpack", "Path"}
    for name in CALLS:
        signature = str(inspect.signature(getattr(SessionStorage, name)))
        types = set(re.findall(r"\b[A-Z][A-Za-z]+", signature)) - {"True", "False", "None"}
        assert types <= known | set(storage.__all__), name
