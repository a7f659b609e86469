"""`search`, `index` and `ls --figures` on a folder and a server, in processes of their own."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest
import redis

from tests.command import Command, write_sessions
from tests.servers import real_server
from tests.sessions import Omp

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of sessions."""
    root = tmp_path / "sessions"
    write_sessions(root)
    hostile = Omp(title="Hostile \x1b]52;c;AAAA\x07")
    hostile.user("zanzibar \x1b[31mred\x1b]0;title\x07 [/x] \u202egnihton")
    hostile.message("assistant", usage={"input": 3, "cost": {"total": 0.25}}, model="opus-5")
    (root / "-x").mkdir()
    (root / "-x" / "2026-09-10T00-26-40-000Z_hostile.jsonl").write_bytes(hostile.data)
    return root


@pytest.fixture
def command(tmp_path: Path, folder: Path) -> Command:
    """Return the command on that folder."""
    return Command(tmp_path, str(folder))


def places(text: str) -> list[list[str]]:
    """Return the fields of each line."""
    return [line.split("\t") for line in text.splitlines()]


def test_search_tells_the_same_before_and_after_the_index_is_built(command: Command) -> None:
    before = command("search", "retry", "test")
    built = command("index", "--build", "--json")
    after = command("search", "retry", "test")

    assert before.returncode == after.returncode == 0
    assert len(places(before.stdout)) > 3
    assert after.stdout == before.stdout
    told = json.loads(built.stdout)
    assert told["exists"]
    assert told["sessions"] == len(json.loads(command("ls", "--json").stdout))


def test_an_argument_with_blanks_must_be_there_as_it_is(command: Command) -> None:
    assert command("search", "zanzibar", "gnihton").returncode == 0
    assert command("search", "gnihton zanzibar").returncode == 1
    assert command("search", "--regex", "zan.ibar").returncode == 0
    assert command("search", "zan.ibar").returncode == 1


def test_nothing_hostile_is_written(command: Command) -> None:
    found = command("search", "zanzibar")

    assert places(found.stdout)[0][3].startswith("zanzibar red␛]0;title␇ [/x] \ufffdgnihton")
    assert not set(found.stdout) & {"\x1b", "\x07", "\u202e"}


def test_search_tells_json_and_no_more_than_asked_for(command: Command) -> None:
    [place] = json.loads(command("search", "--json", "zanzibar").stdout)

    assert place["kind"] == "user"
    assert place["path"].endswith("_hostile.jsonl")
    assert place["text"].startswith("zanzibar")
    assert len(json.loads(command("search", "--json", "--limit", "2", "the").stdout)) == 2
    assert json.loads(command("search", "--json", "nowhere-at-all").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["search", "--regex", "("], 2, "no pattern"),
        (["search", '""'], 2, "nothing to search for"),
        (["search", "--regex", r"(\S+\s?)+$(?!)"], 1, "takes too long"),
        (["ls", "--figures"], 2, "goes with --json"),
    ],
)
def test_what_cannot_be_done_is_said_on_one_line(
    command: Command, arguments: list[str], code: int, said: str
) -> None:
    failed = command(*arguments)

    assert failed.returncode == code
    assert said in failed.stderr
    assert failed.stderr.count("\n") == 1


def test_the_index_is_deleted_and_built_anew(command: Command, tmp_path: Path) -> None:
    assert "no index of" in command("index").stdout
    command("index", "--build")
    [file] = tmp_path.rglob("*.sqlite")
    assert str(file) in command("index", "--status").stdout

    assert "deleted the index" in command("index", "--clear").stdout
    assert list(tmp_path.rglob("*.sqlite")) == []
    assert "there is no index" in command("index", "--clear").stdout
    assert command("index", "--build").returncode == 0


def test_an_index_of_an_unknown_version_is_read_by_nobody(command: Command, tmp_path: Path) -> None:
    command("index", "--build")
    [file] = tmp_path.rglob("*.sqlite")
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version = 1234")
    database.close()

    assert command("search", "zanzibar").returncode == 0
    assert "no index of" in command("index").stdout
    assert json.loads(command("index", "--build", "--json").stdout)["sessions"] > 1


def test_figures_are_told_where_they_are_asked_for(command: Command) -> None:
    plain = json.loads(command("ls", "--json").stdout)
    before = json.loads(command("ls", "--json", "--figures").stdout)
    command("index", "--build")
    after = json.loads(command("ls", "--json", "--figures").stdout)
    [hostile] = [row for row in after if row["path"].endswith("_hostile.jsonl")]

    assert not any("cost" in row for row in plain)
    assert [row["tokens"] for row in before] == [row["tokens"] for row in after]
    assert sum(row["cost"] for row in before) == sum(row["cost"] for row in after) > 0.25
    assert hostile["tokens"] == {"input": 3, "output": 0, "cache_read": 0, "cache_write": 0}
    assert (hostile["entries"], hostile["turns"], hostile["cost"]) == (2, 1, 0.25)
    assert hostile["models"] == ["opus-5"]


def test_sessions_on_a_server_are_searched_too(tmp_path: Path) -> None:
    made = Omp()
    made.user("zanzibar")
    with real_server() as server, redis.Redis.from_url(server.url, protocol=2) as client:
        client.set("omp:sessions:file:/sessions/-x/a.jsonl", made.data)
        client.hset("omp:sessions:meta", "/sessions/-x/a.jsonl", "1795000000000")
        command = Command(tmp_path, server.url)
        before = command("search", "zanzibar")
        command("index", "--build")
        made.user("zanzibar again")
        client.set("omp:sessions:file:/sessions/-x/a.jsonl", made.data)
        client.hset("omp:sessions:meta", "/sessions/-x/a.jsonl", "1795000001000")
        after = command("search", "zanzibar")

    assert len(places(before.stdout)) == 1
    assert [fields[3] for fields in places(after.stdout)] == ["zanzibar", "zanzibar again"]
