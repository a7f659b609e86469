"""The process that keeps the demo running, and takes everything away afterwards.

It holds the server, the sessions and the agents. What it lives on is its
standard input: when that ends, because the app was closed or because it died in
whatever way, the supervisor stops the server and removes the folder.

Its first line of output is a JSON object: `{"source": …}` as a user would type
it, or `{"error": …}`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from sessiontui.demo.live_agents import live_agents
from sessiontui.demo.sessions import ROOT, demo_sessions
from sessiontui.errors import SessionTuiError
from sessiontui.sources import parse_source
from sessiontui.storage.redis.embedded import EmbeddedServer, find_server, socket_folder
from sessiontui.storage.storage import open_backend
from sessiontui.times import now_ms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiontui.demo.live_agents import Agent
    from sessiontui.storage.backend import Backend


def run_demo(*, folder: bool, seed: int) -> int:
    """Run the demo until standard input ends or a signal asks for the end.

    Args:
        folder: Sessions in a folder instead of a server.
        seed: What the sessions are made from.

    Returns:
        The exit code.
    """
    place = socket_folder("sessiontui-demo-")
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        try:
            if folder:
                source = str(place / "sessions")
                Path(source).mkdir()
            else:
                server = EmbeddedServer(place, binary=find_server(prefer="bundled"))
                source = stack.enter_context(server).url
            asyncio.run(_serve(source, root=source if folder else ROOT, seed=seed))
        except SessionTuiError as error:
            _say("error", str(error))
            return 1
    return 0


async def _serve(source: str, *, root: str, seed: int) -> None:
    """Write the sessions, say where they are, and let the agents work until the end."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    home = str(Path.home())
    backend = open_backend(parse_source(source))
    try:
        await _write_sessions(backend, home=home, root=root, seed=seed)
        agents = live_agents(backend, clock=now_ms, seed=seed, home=home, root=root)
        for agent in agents:
            await agent.begin()
        _say("source", source)
        working = asyncio.create_task(_let_work(agents))
        ends = [asyncio.create_task(ended.wait()), asyncio.create_task(_input_ends())]
        try:
            await asyncio.wait([working, *ends], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, *ends):
                task.cancel()
            await asyncio.wait([working, *ends])
        if not working.cancelled() and (error := working.exception()) is not None:
            raise error
    finally:
        await backend.aclose()


async def _let_work(agents: Sequence[Agent]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for agent in agents:
            tasks.create_task(agent.work())


async def _write_sessions(backend: Backend, *, home: str, root: str, seed: int) -> None:
    subagents = root != ROOT  # Redis holds none.
    for session in demo_sessions(now_ms(), seed, home=home, root=root, subagents=subagents):
        await backend.write(
            session.path, session.content, mtime_ms=session.mtime_ms, title=session.title_field
        )


async def _input_ends() -> None:
    """Wait until whoever started this process closes its input, or dies."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while await reader.read(4096):
        pass


def _say(key: str, text: str) -> None:
    sys.stdout.write(json.dumps({key: text}) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Read the arguments and keep the demo running."""
    parser = argparse.ArgumentParser(prog="sessiontui.demo.supervisor")
    parser.add_argument("--folder", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    return run_demo(folder=arguments.folder, seed=arguments.seed)


if __name__ == "__main__":
    sys.exit(main())
