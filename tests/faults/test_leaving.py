"""The app is closed while a server hangs: the user is asked, and nothing is lost silently."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.app.support import path_of, session
from tests.app.terminal import Terminal
from tests.servers import real_server
from tests.unit.redis_parts import FILE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.servers import RealServer

PATH = path_of("alpha", "/sessions/-code-api")


def kept_in(folder: Path) -> list[Path]:
    return list(folder.rglob("unconfirmed-*.jsonl"))


@asynccontextmanager
async def renaming(state: Path) -> AsyncIterator[tuple[RealServer, Terminal]]:
    """Yield a server with one session, and the app there with the dialog for its title open."""
    home = {"HOME": str(state), "XDG_CONFIG_HOME": str(state), "XDG_STATE_HOME": str(state)}
    with real_server() as server:
        async with server.client() as client:
            await client.set(FILE + PATH.encode(), session("Title alpha", session_id="alpha"))
        with Terminal([f"unix://{server.socket}"], environ=home) as terminal:
            terminal.until(b"Title alpha", b"live")
            terminal.press(b"r")
            terminal.until(b"Rename")
            yield server, terminal


async def test_a_title_that_a_hanging_server_did_not_take_is_kept_in_a_file(
    tmp_path: Path,
) -> None:
    async with renaming(tmp_path) as (server, terminal):
        with server.frozen():
            terminal.press(b"Later\r")
            terminal.until(b"1 write pending")
            terminal.press(b"q")
            terminal.until(b"Quit with", b"Later")
            terminal.press(b"y")
            assert terminal.finish() == 0
        assert terminal.restored
        assert b"1 write was not confirmed by the source; kept in " in terminal.output
    (kept,) = kept_in(tmp_path)
    assert json.loads(kept.read_text()) == {"action": "title", "path": PATH, "title": "Later"}


async def test_a_title_that_the_server_takes_while_one_waits_is_written(tmp_path: Path) -> None:
    async with renaming(tmp_path) as (server, terminal):
        with server.frozen():
            terminal.press(b"Later\r")
            terminal.until(b"1 write pending")
            terminal.press(b"q")
            terminal.until(b"Quit with")
            terminal.press(b"w")
            terminal.until(b"\x1b[?1049l")
        assert terminal.finish() == 0
        assert b"not confirmed" not in terminal.output
        async with server.client() as client:
            stored = await client.get(FILE + PATH.encode())
        assert isinstance(stored, bytes)
        assert b'"title":"Later"' in stored[:256]
    assert not kept_in(tmp_path)
