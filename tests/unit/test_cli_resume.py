"""`resume`: the agent takes the command's place, in the session's folder."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
import redis

from tests.app.support import session
from tests.command import Command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import RealServer

AGENT = '#!/bin/sh\necho "$0 $* in $PWD"\nexit 7\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A session of omp in a folder that is there."""
    (tmp_path / "work").mkdir()
    folder = tmp_path / "sessions"
    folder.mkdir()
    file = folder / "2026-11-23T10-00-00-000Z_0199.jsonl"
    file.write_bytes(
        session("Go on", session_id="0199", cwd=str(tmp_path / "work"), start_ms=1_700_000_000_000)
    )
    os.utime(file, (1_700_000_000, 1_700_000_000))
    return file


@pytest.fixture
def command(tmp_path: Path, file: Path) -> Command:
    """The command, on a machine with an omp."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "omp").write_text(AGENT)
    (tmp_path / "bin" / "omp").chmod(0o700)
    return Command(tmp_path, str(file.parent))


def search(tmp_path: Path) -> str:
    return f"{tmp_path / 'bin'}:{os.defpath}"


def test_the_agent_runs_in_the_sessions_folder_and_its_exit_code_counts(
    command: Command, file: Path, tmp_path: Path
) -> None:
    done = command("resume", "0199", PATH=search(tmp_path))
    program = tmp_path / "bin" / "omp"
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout == f"{program} --resume {file} in {tmp_path / 'work'}\n"


def test_print_only_writes_the_command_for_a_shell(
    command: Command, file: Path, tmp_path: Path
) -> None:
    done = command("resume", "--print", "0199")
    assert done.stdout == f"cd {tmp_path / 'work'} && omp --resume {file}\n"
    assert done.returncode == 0


def test_a_folder_that_is_gone_is_told_with_the_way_out(
    command: Command, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "work").rmdir()
    done = command("resume", "0199", PATH=search(tmp_path))
    assert done.returncode == 1
    assert "folder is gone" in done.stderr
    assert "--here" in done.stderr
    here = command("resume", "--here", "0199", PATH=search(tmp_path))
    assert here.returncode == 7
    assert here.stdout.startswith(f"{tmp_path / 'bin' / 'omp'} --resume {file} in ")


def test_a_running_session_is_refused_unless_told(
    command: Command, file: Path, tmp_path: Path
) -> None:
    os.utime(file, (time.time(), time.time()))
    with file.open("ab") as growing:
        growing.write(session("x", session_id="z", slot=False).splitlines(keepends=True)[1])
    done = command("resume", "0199", PATH=search(tmp_path))
    assert done.returncode == 1
    assert "is running" in done.stderr
    assert command("resume", "--force", "0199", PATH=search(tmp_path)).returncode == 7


def test_an_agent_that_is_not_installed_is_named(command: Command) -> None:
    done = command("resume", "0199", PATH=os.defpath)
    assert done.returncode == 1
    assert done.stderr == "sessiontui: omp is not installed, or not in $PATH\n"


def test_a_session_in_redis_is_to_be_copied_first(
    file: Path, tmp_path: Path, redis_server: RealServer
) -> None:
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as client:
        client.flushall()
        client.set("omp:sessions:file:/s/-work/2026_0199.jsonl", file.read_bytes())
        done = Command(tmp_path, redis_server.url)("resume", "0199")
        client.flushall()
    assert done.returncode == 1
    assert "copy it: sessiontui cp --to omp 0199; then: sessiontui resume --source" in done.stderr
    assert done.stderr.endswith("/.omp/agent/sessions 0199\n")
