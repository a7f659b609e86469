"""A password is shown nowhere and sent nowhere but to the source; nothing else is connected to."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

from sessiontui.cli import main
from sessiontui.cli.root import COMMANDS
from sessiontui.cli.sources import SourceOptions
from sessiontui.config import PASSWORD_VARIABLE, SOURCE_VARIABLE, Config, without_secrets
from sessiontui.sources import RedisSource, parse_source
from sessiontui.storage.redis.settings import RedisSettings
from tests.app.support import path_of, session
from tests.app.terminal import Terminal
from tests.servers import free_port, real_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import RealServer

SECRET = "s3cr3tPassw0rd"
WRONG = "wr0ngPassw0rd"
NAME = "alpha"
NO_SOURCE = {"completion", "demo", "open", "serve", "doctor"}
"""Commands that take no source, or do not end by themselves."""

BROKEN = """
import sys
from sessiontui.app.app import SessionApp
from sessiontui.cli import main
def broken(self):
    raise RuntimeError("this is broken")
SessionApp.action_show_keys = broken
sys.exit(main())
"""

WATCHED = """
import os, sys
log = os.open(sys.argv.pop(), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
def told(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        where = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments[0]
        os.write(log, f"{event} {where!r}\\n".encode())
sys.addaudithook(told)
from sessiontui.cli import main
sys.exit(main())
"""


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    """A server with a password and one session."""
    with real_server(tcp=True, arguments=("--requirepass", SECRET)) as running:
        with redis.Redis(port=running.port, password=SECRET) as client:
            data = session(f"Title {NAME}", "Question", session_id=NAME)
            client.set("omp:sessions:file:" + path_of(NAME), data)
            client.hset("omp:sessions:meta", path_of(NAME), "1700000000000")
        yield running


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "home"
    home.mkdir()
    return {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_STATE_HOME": str(home)}


def sources(port: int) -> list[str]:
    """Return URLs with a password: one that works, and some that fail in different ways."""
    nobody = free_port()
    return [
        f"redis://:{SECRET}@127.0.0.1:{port}",
        f"redis://:{WRONG}@127.0.0.1:{port}",
        f"redis://someone:{SECRET}@127.0.0.1:{port}",
        f"redis://:{SECRET}@127.0.0.1:{nobody}",
        f"rediss://:{SECRET}@127.0.0.1:{nobody}",
        f"unix://:{SECRET}@/nowhere/at/all.sock",
        f"redis://127.0.0.1:{nobody}?password={SECRET}",
        f"redis://:{SECRET}@127.0.0.1:99999",
        f"redis://:x#{SECRET}@127.0.0.1:{nobody}",
        f"redis://:x/{SECRET}@127.0.0.1:{nobody}",
        f"redis://:x?{SECRET}@127.0.0.1:{nobody}",
        f"redis://:{SECRET}@127.0.0.1:{nobody}?pasword={SECRET}",
        f"redis://[{SECRET}@127.0.0.1",
        f"mysql://:{SECRET}@127.0.0.1",
        f"someone:{SECRET}@127.0.0.1",
        f"redis:someone:{SECRET}@127.0.0.1",
    ]


def words_of(command: str) -> list[list[str]]:
    """Return command lines that make a command do something, or at least complain."""
    return {
        "ls": [["ls"], ["ls", "--json"]],
        "rename": [["rename", NAME, "--title", f"Title {NAME}"]],
        "rm": [["rm", "--dry-run", NAME]],
        "trash": [["trash", "--json"]],
        "resume": [["resume", "--show", NAME]],
    }.get(command, [[command, NAME]])


@pytest.mark.parametrize("command", sorted({*COMMANDS, "open"} - NO_SOURCE))
def test_no_command_tells_a_password(
    command: str,
    server: RealServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    caplog.set_level(logging.DEBUG)
    said = []
    for source in sources(server.port):
        for words in words_of(command):
            for line in ([*words, "--source", source], ["--source", source, *words]):
                main(line)
                told = capsys.readouterr()
                said.append(told.out + told.err)
        for line in ([*words_of(command)[0], source], [command, "--limit", source]):
            main(line)  # one word too many, or a wrong one, and it is the URL
            told = capsys.readouterr()
            said.append(told.out + told.err)
    everything = "\n".join([*said, *(record.getMessage() for record in caplog.records)])
    assert any(said)
    assert SECRET not in everything
    assert WRONG not in everything


def test_no_word_of_a_value_tells_a_password() -> None:
    source = parse_source(f"rediss://me:{SECRET}@h")
    assert isinstance(source, RedisSource)
    for value in (
        source,
        source.label,
        source.key,
        Config(source=f"redis://:{SECRET}@h"),
        SourceOptions(source=f"redis://:{SECRET}@h"),
        RedisSettings.of_source(source, SECRET),
    ):
        assert SECRET not in repr(value)


def leaves_nothing(terminal: Terminal, home: Path) -> None:
    """Check all that came out, and all files that were left."""
    assert SECRET.encode() not in terminal.output
    assert WRONG.encode() not in terminal.output
    for file in home.rglob("*"):
        if file.is_file():
            assert SECRET.encode() not in file.read_bytes()


def test_the_app_shows_no_password_wherever_one_looks(
    server: RealServer, environ: dict[str, str], tmp_path: Path
) -> None:
    source = f"redis://:{SECRET}@127.0.0.1:{server.port}"
    asks = tmp_path / "asks"
    pager = tmp_path / "pager"
    pager.write_text(f"#!/bin/sh\nenv > {asks}\n")
    pager.chmod(0o700)
    variables = {**environ, SOURCE_VARIABLE: source, PASSWORD_VARIABLE: SECRET, "PAGER": str(pager)}
    with Terminal([], environ=variables) as terminal:
        terminal.until(b"Title alpha", b"Question", b"live")
        line = Path(f"/proc/{terminal.process.pid}/cmdline")
        if line.exists():
            assert SECRET.encode() not in line.read_bytes()
        for keys, shows in (
            (b"?", b"Open transcript"), (b"\x10", b"A command, or the title"),
            (b"\x1c", b"memory"), (b"r", b"Title"), (b"d", b"Cancel"),
        ):  # fmt: skip
            terminal.press(keys)
            terminal.until(shows)
            terminal.rest()
            terminal.press(b"\x1b")
            terminal.rest()
        terminal.press(b"\r")
        terminal.rest()
        terminal.press(b"P")
        while not asks.exists() or not asks.read_text().endswith("\n"):
            terminal.read()
        terminal.rest()
        terminal.press(b"\x11")
        assert terminal.finish() == 0
        leaves_nothing(terminal, Path(environ["HOME"]))
    assert SECRET not in asks.read_text()


def test_a_password_that_is_wrong_or_typed_is_not_shown(
    server: RealServer, environ: dict[str, str]
) -> None:
    source = f"redis://:{WRONG}@127.0.0.1:{server.port}"
    with Terminal([source], environ=environ) as terminal:
        terminal.until(b"Wrong password")
        terminal.rest()
        terminal.press(SECRET.encode() + b"\r")
        terminal.until(b"Title alpha")
        terminal.rest()
        terminal.press(b"q")
        assert terminal.finish() == 0
        leaves_nothing(terminal, Path(environ["HOME"]))


def test_an_error_nobody_expected_tells_no_password(
    server: RealServer, environ: dict[str, str]
) -> None:
    source = f"redis://:{SECRET}@127.0.0.1:{server.port}"
    with Terminal([source], environ=environ, program=("-c", BROKEN)) as terminal:
        terminal.until(b"Title alpha")
        terminal.press(b"?")
        assert terminal.finish() == 1
        assert list(Path(environ["HOME"]).rglob("crashes/*.txt"))
        leaves_nothing(terminal, Path(environ["HOME"]))


def test_programs_that_are_started_get_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for source, kept in (
        (f"redis://:{SECRET}@h", False),
        (f"redis://h?password={SECRET}", False),
        ("redis://h", True),
    ):
        given = without_secrets({SOURCE_VARIABLE: source, PASSWORD_VARIABLE: SECRET, "HOME": "/h"})
        assert SECRET not in json.dumps(given)
        assert (SOURCE_VARIABLE in given) is kept
        assert given["HOME"] == "/h"
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
    assert PASSWORD_VARIABLE not in without_secrets()


def connected(log: Path) -> set[str]:
    return set(log.read_text().splitlines()) if log.exists() else set()


def test_nothing_is_connected_to_but_the_server(
    server: RealServer, environ: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "connects"
    arguments = [f"redis://:{SECRET}@127.0.0.1:{server.port}", str(log)]
    with Terminal(arguments, environ=environ, program=("-c", WATCHED)) as terminal:
        terminal.until(b"Title alpha", b"live")
        terminal.press(b"\r")
        terminal.rest()
        terminal.press(b"q")
        assert terminal.finish() == 0
    asked = connected(log)
    assert f"socket.connect ('127.0.0.1', {server.port})" in asked
    assert asked <= {
        f"socket.connect ('127.0.0.1', {server.port})",
        "socket.getaddrinfo '127.0.0.1'",
    }


def test_with_a_folder_nothing_is_connected_to_at_all(
    environ: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "sessions" / path_of(NAME)[1:]
    file.parent.mkdir(parents=True)
    file.write_bytes(session(f"Title {NAME}", "Question", session_id=NAME))
    log = tmp_path / "connects"
    arguments = [str(tmp_path / "sessions"), str(log)]
    with Terminal(arguments, environ=environ, program=("-c", WATCHED)) as terminal:
        terminal.until(b"Title alpha", b"live")
        terminal.press(b"\r")
        terminal.rest()
        terminal.press(b"q")
        assert terminal.finish() == 0
    assert log.exists()
    assert connected(log) == set()


def test_the_hook_would_see_a_connection(tmp_path: Path) -> None:
    """A check of the check: what another program does is told."""
    log = tmp_path / "connects"
    script = WATCHED.replace(
        "from sessiontui.cli import main\nsys.exit(main())",
        "import socket\nsocket.socket(socket.AF_UNIX).connect_ex('/nowhere')",
    )
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", script, str(log)]) == 0
    assert connected(log) == {"socket.connect '/nowhere'"}
