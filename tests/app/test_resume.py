"""Going on with a session in its agent: the terminal is lent, and everything asked first."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

from sessiontui.config import Config
from sessiontui.times import now_ms
from tests.app.support import running, session, shows, store_with
from tests.app.terminal import Terminal
from tests.servers import real_server
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import RealServer

AGENT = """#!{python}
import os, sys, termios
print("AGENT", *sys.argv[1:], "IN", os.getcwd(), flush=True)
modes = termios.tcgetattr(0)
print("COOKED", bool(modes[3] & termios.ECHO and modes[3] & termios.ICANON), flush=True)
modes[3] &= ~termios.ECHO
termios.tcsetattr(0, termios.TCSANOW, modes)  # it leaves the terminal without echo
sys.exit(3 if sys.stdin.readline() == "fail\\n" else 0)
"""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The folder that the session worked in."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def file(tmp_path: Path, work: Path) -> Path:
    """A session of omp, of long ago."""
    folder = tmp_path / "sessions" / "-work"
    folder.mkdir(parents=True)
    file = folder / "2026-11-23T10-00-00-000Z_0199.jsonl"
    file.write_bytes(session("Go on", session_id="0199", cwd=str(work), start_ms=1_700_000_000_000))
    os.utime(file, (1_700_000_000, 1_700_000_000))
    return file


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An empty home, and a program called omp."""
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    agent = home / "bin" / "omp"
    agent.write_text(AGENT.replace("{python}", sys.executable))
    agent.chmod(0o700)
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "PATH": f"{home / 'bin'}:{os.defpath}",
        "SESSIONTUI_CONFIG": "",
    }


def test_the_agent_has_the_terminal_and_gives_it_back(
    file: Path, work: Path, environ: dict[str, str]
) -> None:
    with Terminal([str(file.parent.parent)], environ=environ) as terminal:
        terminal.until(b"Go on")
        terminal.press(b"o")
        terminal.until(f"AGENT --resume {file} IN {work}".encode(), b"COOKED True")
        assert terminal.output.rfind(b"\x1b[?1049l") > terminal.output.rfind(b"\x1b[?1049h")
        os.kill(terminal.process.pid, signal.SIGINT)  # as ctrl+c in the agent sends it to both
        terminal.press(b"\n")
        terminal.until(b"\x1b[?1049h", b"Back from omp")
        terminal.press(b"\t")
        terminal.rest()
        terminal.press(b"o")
        terminal.until(b"AGENT", b"COOKED True")
        terminal.press(b"fail\n")
        terminal.until(b"omp ended with code 3. Press Enter")
        terminal.press(b"\n")
        terminal.until(b"\x1b[?1049h", b"omp ended with code 3")
        terminal.press(b"q")
        assert terminal.finish() == 0
        assert terminal.restored


@pytest.mark.parametrize("name", ["work", 300 * "a"])
def test_where_the_folder_is_gone_it_asks(
    file: Path, work: Path, environ: dict[str, str], name: str
) -> None:
    work.rmdir()
    gone, stat = str(work.with_name(name)).encode(), file.stat()
    file.write_bytes(file.read_bytes().replace(str(work).encode(), gone))
    os.utime(file, (stat.st_atime, stat.st_mtime))  # Nobody is at work on it.
    with Terminal([str(file.parent.parent)], environ=environ) as terminal:
        terminal.until(b"Go on")
        terminal.press(b"o")
        terminal.until(b"Resume in another folder?", b"No such folder")
        terminal.press(b"y")
        terminal.until(b"AGENT", f"IN {Path.cwd()}".encode())
        terminal.press(b"\n")
        terminal.until(b"Back from omp")
        terminal.press(b"q")
        assert terminal.finish() == 0


def test_a_missing_agent_and_a_missing_command_are_told(
    file: Path, environ: dict[str, str]
) -> None:
    environ["PATH"] = os.defpath
    with Terminal([str(file.parent.parent)], environ=environ) as terminal:
        terminal.until(b"Go on")
        terminal.press(b"o")
        terminal.until(b"Not resumed: omp is not installed, or not in $PATH")
        terminal.press(b"q")
        assert terminal.finish() == 0


def test_where_another_agent_may_have_it_it_asks_first(file: Path, environ: dict[str, str]) -> None:
    with Terminal([str(file.parent.parent)], environ=environ) as terminal:
        terminal.until(b"Go on", b"live")
        grown = session("x", "More", session_id="y", start_ms=now_ms(), slot=False)
        question = grown.splitlines(keepends=True)[1]
        with file.open("ab") as growing:
            growing.write(question)
        terminal.until(b"thinking")
        terminal.press(b"o")
        terminal.until(b"Resume a running session?", b"overwrite each other")
        terminal.press(b"\x1b[27u")
        terminal.rest()
        terminal.press(b"o")
        terminal.until(b"Resume a running session?")
        terminal.press(b"y")
        terminal.until(b"AGENT")
        terminal.press(b"\n")
        terminal.until(b"Back from omp")
        terminal.press(b"q")
        assert terminal.finish() == 0


@pytest.fixture
def server(file: Path) -> Iterator[RealServer]:
    """A server with the session, which is on no disk then."""
    with real_server() as running:
        with redis.Redis(unix_socket_path=str(running.socket)) as client:
            client.set("omp:sessions:file:/sessions/-work/2026_0199.jsonl", file.read_bytes())
            client.hset("omp:sessions:meta", "/sessions/-work/2026_0199.jsonl", "1700000000000")
        file.unlink()
        yield running


def test_a_session_in_redis_is_copied_to_disk_first_if_the_user_wants(
    server: RealServer, file: Path, work: Path, environ: dict[str, str]
) -> None:
    home = Path(environ["HOME"])
    with Terminal([server.url], environ=environ) as terminal:
        terminal.until(b"Go on", b"live")
        terminal.press(b"o")
        terminal.until(b"Copy it to disk and resume?", b"~/.omp/agent/sessions")
        terminal.press(b"\x1b[27u")
        terminal.rest()
        assert not (home / ".omp").exists()
        terminal.press(b"o")
        terminal.until(b"Copy it to disk and resume?")
        terminal.press(b"y")
        terminal.until(b"AGENT --resume", f"IN {work}".encode())
        (copy,) = (home / ".omp" / "agent" / "sessions").rglob("*.jsonl")
        assert f"AGENT --resume {copy} IN".encode() in terminal.output
        assert copy.stat().st_mtime == 1_700_000_000
        with copy.open("ab") as growing:  # as the agent does
            growing.write(b'{"type":"message"}\n')
        grown = copy.read_bytes()
        terminal.press(b"\n")
        terminal.until(b"Back from omp")
        terminal.press(b"o")
        terminal.until(b"Copy it to disk and resume?")
        terminal.press(b"y")
        terminal.until(b"Resume what is on disk?")
        terminal.press(b"y")
        terminal.until(f"AGENT --resume {copy} IN".encode())
        assert copy.read_bytes() == grown
        terminal.press(b"\n")
        terminal.until(b"Back from omp")
        terminal.press(b"q")
        assert terminal.finish() == 0
        assert terminal.restored


async def test_without_a_terminal_nothing_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    config = Config(resume={"omp": (sys.executable, "-c", f"open({str(mark)!r}, 'w')", "{id}")})
    async with running(store_with("alpha"), config=config) as (app, pilot):
        await pilot.press("o")
        await until(lambda: shows(app, "an agent needs a terminal"))
        assert not mark.exists()
