"""The app and every reading command, on sessions that nobody should ever write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from sessiontui.storage.memory import MemoryStore
from tests.app.support import NOW_MS, rows, running, settle
from tests.command import Command
from tests.faults.hostile import EMPTY_LINES, LONG_LINE, hostile_sessions, offences
from tests.unit.redis_parts import FILE, META
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import redis.asyncio

    from tests.servers import RealServer

NAMES = tuple(hostile_sessions(long_line=10, empty_lines=1))


def path_of(name: str) -> str:
    return f"/-code-api/2026-11-20T10-00-00-000Z_{name}.jsonl"


async def show_and_press(name: str, data: bytes) -> None:
    """Read a session in the app with every key, and see that what comes after is shown."""
    store = MemoryStore(clock=lambda: NOW_MS)
    store.write(path_of(name), data, mtime_ms=NOW_MS - 1000)
    async with running(store, size=(120, 30)) as (app, pilot):
        await pilot.press("z", "enter")
        await settle(pilot)
        for keys in ("gv", "xv", "XTw", "][", "}{", "JKb"):
            await pilot.press(*keys)
            await settle(pilot)
            assert not offences("\n".join(rows(app)))
        await pilot.press("escape", "slash", *"before", "enter", "escape")
        await settle(pilot)
        assert app.main.sessions.highlighted == path_of(name)
        await pilot.press("enter", "end")
        await settle(pilot)
        store.append(
            path_of(name), b'\n{"type":"message","message":{"role":"user","content":"more"}}\n'
        )
        await until(lambda: any("more" in row for row in rows(app)))


@pytest.mark.parametrize("name", NAMES)
async def test_the_app_shows_it_and_answers_every_key(name: str) -> None:
    await show_and_press(name, hostile_sessions()[name])


@pytest.mark.long
@pytest.mark.parametrize("name", ["long-line", "empty-lines"])
async def test_the_app_shows_the_largest_and_answers_every_key(name: str) -> None:
    largest = hostile_sessions(long_line=LONG_LINE, empty_lines=EMPTY_LINES)
    await show_and_press(name, largest[name])


@pytest_asyncio.fixture(params=["folder", "server"])
async def command(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    redis_server: RealServer,
    redis_client: redis.asyncio.Redis,
) -> AsyncIterator[Command]:
    """The command on a source with all of the sessions."""
    home = tmp_path / "home"
    home.mkdir()
    sessions = hostile_sessions()
    if request.param == "server":
        for name, data in sessions.items():
            await redis_client.set(FILE + path_of(name).encode(), data)
            await redis_client.hset(META, path_of(name), "1795000000000")
        yield Command(home, redis_server.url)
        return
    folder = tmp_path / "sessions" / "-code-api"
    folder.mkdir(parents=True)
    for name, data in sessions.items():
        (folder / path_of(name).rpartition("/")[2]).write_bytes(data)
    yield Command(home, str(folder.parent))


@pytest.mark.parametrize("command", ["folder"], indirect=True)
async def test_every_reading_command_copes_and_its_text_is_safe(command: Command) -> None:
    listed = json.loads(command("ls", "--json").stdout)
    assert {entry["path"].rpartition("_")[2] for entry in listed} >= {
        f"{name}.jsonl" for name in NAMES if name != "nothing"
    }
    names = [entry["path"] for entry in listed]
    for arguments in (["ls"], ["ls", "--sort", "title"], *(["show", name] for name in names)):
        done = command(*arguments)
        assert (done.returncode, done.stderr) == (0, ""), arguments
        assert not offences(done.stdout), arguments
    for name in names:
        done = command("tail", "-n", "3", name)
        assert (done.returncode, done.stderr) == (0, ""), name
        assert not offences(done.stdout), name


async def test_the_stored_bytes_come_out_as_they_are(command: Command) -> None:
    sessions = hostile_sessions()
    listed: list[dict[str, Any]] = json.loads(command("ls", "--json").stdout)
    for entry in listed:
        name = entry["path"].rpartition("_")[2].removesuffix(".jsonl")
        assert command.raw("show", "--raw", entry["path"]) == sessions[name]
