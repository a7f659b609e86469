"""`--filter` where something is changed: words as they are written; nothing for what is none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import redis

from tests.command import NOW_MS, Command
from tests.sessions import Omp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import RealServer

PREFIX = "omp:sessions:"
SESSIONS = (
    ("All pending incidents", "hello", "/srv/one"),
    ("A plan for the invoices", "hello", "/srv/two"),
    ("API gateway timeouts", "hello", "/srv/three"),
    ("Fix the login", "the api answers with 500", "/srv/four"),
    ("Map tiles", "hello", "/srv/rest-api"),
    ("A public interface", "hello", "/srv/six"),
)
LITERALLY = {2, 3, 4}


def _written(number: int) -> tuple[str, bytes]:
    title, said, cwd = SESSIONS[number]
    session = f"{number}aD1e200-d1d1-7000-8000-00000000ad1e"
    data = Omp(title=title, header={"id": session, "cwd": cwd})
    data.user(said)
    data.assistant()
    return f"--srv-{number}--/2026-01-01T08-00-00-000Z_{session}.jsonl", data.data


@pytest.fixture(params=["folder", "server"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, redis_server: RealServer
) -> Iterator[Command]:
    """The command over these sessions, in a folder or on a server."""
    if request.param == "folder":
        for number in range(len(SESSIONS)):
            name, data = _written(number)
            file = tmp_path / "sessions" / name
            file.parent.mkdir(parents=True)
            file.write_bytes(data)
            os.utime(file, (NOW_MS / 1000, NOW_MS / 1000))
        yield Command(tmp_path, str(tmp_path / "sessions"))
        return
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as client:
        client.flushall()
        for number in range(len(SESSIONS)):
            name, data = _written(number)
            client.set(f"{PREFIX}file:/sessions/{name}", data)
            client.hset(f"{PREFIX}meta", f"/sessions/{name}", str(NOW_MS))
        yield Command(tmp_path, redis_server.url)
        client.flushall()


def numbers(rows: list[dict[str, str]]) -> set[int]:
    """Return which of the sessions these are."""
    return {int(row["path"].partition("--srv-")[2][0]) for row in rows}


def left(store: Command) -> set[int]:
    return numbers(store.json("ls", "--json"))


def test_words_are_taken_as_they_are_written(store: Command, tmp_path: Path) -> None:
    assert numbers(store.json("ls", "--json", "--filter", "api")) == LITERALLY
    assert numbers(store.json("rm", "--dry-run", "--json", "--filter", "api")) == LITERALLY
    target = ("--to", str(tmp_path / "target"), "--filter", "api")
    (tmp_path / "target").mkdir()
    for command in ("cp", "mv"):
        assert numbers(store.json(command, "--dry-run", "--json", *target)) == LITERALLY
    assert store("cp", *target).returncode == 0
    assert len(list((tmp_path / "target").rglob("*.jsonl"))) == len(LITERALLY)
    for word in ("D1", "7000", "ad1e", "apin", "pgt", "01-01"):
        done = store("rm", "--yes", "--filter", word)
        assert (done.returncode, done.stdout) == (1, ""), word
        assert "nothing matches" in done.stderr
    assert left(store) == set(range(6))
    assert numbers(store.json("ls", "--json", "--filter", "5ad1e2")) == {5}
    assert numbers(store.json("ls", "--json", "--filter", "id:ad1e200")) == set(range(6))
    assert store("rm", "--yes", "--filter", "api").returncode == 0
    assert left(store) == set(range(6)) - LITERALLY


WRONG = (
    "age:>30days", "age:", "age:>3", "size:>abc", "status:nonsense", "is:nonsense", "has:",
    "cost:>x", "created:2026-99", "turns:>>3", "re:/(/", "re:/x", "staus:error", '""', 'api ""',
)  # fmt: skip


@pytest.mark.parametrize("query", WRONG)
def test_a_filter_that_is_not_understood_is_refused_before_anything_is_opened(
    tmp_path: Path, query: str
) -> None:
    command = Command(tmp_path, "/nowhere")
    for arguments in (
        ("ls",),
        ("ls", "--json"),
        ("rm", "--yes"),
        ("rm", "--yes", "nosuch"),
        ("rm", "--dry-run"),
        ("cp", "--to", "omp"),
        ("mv", "--yes", "--to", "omp"),
    ):
        done = command(*arguments, "--filter", query)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert len(done.stderr.splitlines()) == 1
        assert "nowhere" not in done.stderr


@pytest.mark.parametrize("command", ["ls", "rm --yes", "cp --to omp", "mv --yes --to omp"])
def test_a_filter_is_given_once(store: Command, command: str) -> None:
    done = store(*command.split(), "--filter", "is:empty", "--filter", "age:>1d")
    assert done.returncode == 2
    assert "given twice" in done.stderr


@pytest.mark.parametrize("query", ["", " ", '""', '" "', '-""'])
def test_a_filter_that_asks_for_nothing_takes_nothing(store: Command, query: str) -> None:
    for arguments in (("rm", "--yes"), ("mv", "--yes", "--to", "omp"), ("cp", "--to", "omp")):
        done = store(*arguments, "--filter", query)
        assert (done.returncode, done.stdout) == (2, ""), arguments
    assert left(store) == set(range(6))
