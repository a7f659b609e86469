"""Commands beside an agent that replaces its session as fast as it can: no version is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.command import ROOT, Command
from tests.faults.versions import version
from tests.sessions import Omp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "2026-09-10T00-26-40-000Z_aaaa.jsonl"
MOST = 100_000
SIDE_FILES = 500
SAYS_SO = "wrote at the old path meanwhile"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A session with many side files."""
    file = tmp_path / "sessions" / "-code-api" / NAME
    beside = file.with_suffix("")
    beside.mkdir(parents=True)
    for number in range(SIDE_FILES):
        (beside / f"{number}.bash.log").write_bytes(b"log\n")
    session = Omp()
    session.user()
    file.write_bytes(session.data)
    return file


@pytest.fixture
def command(tmp_path: Path, file: Path) -> Command:
    return Command(tmp_path / "home", str(file.parent.parent))


@contextmanager
def agent(file: Path) -> Iterator[subprocess.Popen[str]]:
    """Have an agent at work, which has begun."""
    line = [sys.executable, "-m", "tests.faults.versions", str(file), str(MOST)]
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def report(process: subprocess.Popen[str]) -> dict[str, Any]:
    said, _ = process.communicate(timeout=60)
    told: dict[str, Any] = json.loads(said)
    return told


@pytest.mark.parametrize("kind", ["rename", "rm", "mv"])
def test_the_last_version_of_an_agent_is_found(
    command: Command, file: Path, tmp_path: Path, kind: str
) -> None:
    new = file.with_name("2026-09-10T00-26-41-000Z_bbbb.jsonl")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    line = {
        "rename": ["rename", str(file), "--path", str(new), "--force"],
        "rm": ["rm", str(file), "--force", "--yes"],
        "mv": ["mv", "--to", str(elsewhere), str(file), "--force", "--yes"],
    }[kind]
    with agent(file) as process:
        done = command(*line)
        if file.exists():
            # It is there again, or it was refused: the agent would go on for ever.
            process.kill()
            process.wait()
            assert done.returncode != 0 or SAYS_SO in done.stderr
            assert version(file.read_bytes()) > 0
            told = None
        else:
            told = report(process)
            assert told["lost"] == []
    if kind != "mv":
        assert done.returncode == 0, done.stderr
    if told is not None:
        places = [tmp_path / "sessions", elsewhere, tmp_path / "home"]
        files = [one for place in places for one in place.rglob("*") if one.is_file()]
        ends = [one.read_bytes().splitlines()[-1:] for one in files]
        numbers = [json.loads(end[0]) for end in ends if end and b'"number"' in end[0]]
        assert told["last"] in [one["number"] for one in numbers if "number" in one]
