"""`cp` and `mv`, on a real folder and a real server; omp finds what they brought."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest
import redis

from sessiontui.demo.sessions import demo_sessions
from sessiontui.formats.title_slot import parse_title_field
from tests.app.terminal import Terminal
from tests.command import NOW_MS, Command, write_sessions
from tests.omp_reader import resumable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import RealServer

PREFIX = "omp:sessions:"
RETRY = "Fix the flaky retry test"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "sessions"
    write_sessions(folder)
    return folder


@pytest.fixture
def server(redis_server: RealServer) -> Iterator[redis.Redis]:
    """A plain client of a server that holds the demo's sessions."""
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as client:
        client.flushall()
        for session in demo_sessions(NOW_MS):
            client.set(f"{PREFIX}file:{session.path}", session.content)
            client.hset(f"{PREFIX}meta", session.path, str(session.mtime_ms))
            if session.title_field:
                client.hset(f"{PREFIX}title", session.path, session.title_field)
        yield client
        client.flushall()


@pytest.fixture
def remote(tmp_path: Path, redis_server: RealServer, server: redis.Redis) -> Command:
    assert server.ping()
    (tmp_path / ".omp/agent/sessions").mkdir(parents=True)
    return Command(tmp_path, redis_server.url)


def contents(client: redis.Redis) -> dict[bytes, object]:
    """Return everything the server holds."""
    return {
        key: client.hgetall(key) if client.type(key) == b"hash" else client.get(key)
        for key in client.scan_iter()
    }


def by_title(command: Command, *arguments: str) -> dict[str, dict[str, object]]:
    """Return the sessions of a source by their titles."""
    return {row["title"]: row for row in command.json("ls", "--json", *arguments)}


def test_omp_resumes_what_was_copied_from_redis(
    remote: Command, server: redis.Redis, tmp_path: Path
) -> None:
    home, root = str(tmp_path), tmp_path / ".omp/agent/sessions"
    before = contents(server)
    rows = remote.json("ls", "--json")
    ids = [row["id"] for row in rows]
    done = remote("cp", "--to", "omp", "--force", *(row["path"] for row in rows))
    assert (done.returncode, done.stderr) == (0, "")
    assert contents(server) == before
    found: dict[str, dict[str, object]] = {}
    for cwd in {row["cwd"] for row in rows}:
        found |= resumable(root, cwd, home)
    assert sorted(found) == sorted(ids)
    assert sum(bool(session["title"]) for session in found.values()) > len(ids) // 2
    for row in rows:
        session = found[row["id"]]
        file = session["file"]
        # Without one in its first lines a session is called by its first message.
        assert session["title"] in (row["title"], "", None)
        assert file.stat().st_mtime_ns // 10**6 == row["mtime_ms"]  # type: ignore[attr-defined]
    again = remote("cp", "--to", "omp", "--force", *(row["path"] for row in rows))
    assert again.stdout.count("was there already") == len(rows)


def test_the_folder_of_omp_is_made_where_it_never_wrote(remote: Command, tmp_path: Path) -> None:
    row = by_title(remote)[RETRY]
    (tmp_path / ".omp/agent/sessions").rmdir()
    done = remote("cp", "--to", "omp", "--force", str(row["id"]))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"copied “{RETRY}” to {tmp_path}/.omp/agent/sessions/")
    elsewhere = remote("cp", "--to", str(tmp_path / "backup"), "--force", str(row["id"]))
    assert elsewhere.returncode == 1
    assert not (tmp_path / "backup").exists()


def test_a_project_elsewhere_is_resumed_there(remote: Command, tmp_path: Path) -> None:
    row = by_title(remote)[RETRY]
    project = tmp_path / "work:here"
    done = remote("cp", "--to", "omp", "--cwd", str(project), str(row["id"]))
    assert done.returncode == 0
    found = resumable(tmp_path / ".omp/agent/sessions", str(project), str(tmp_path))
    assert list(found) == [row["id"]]


def test_a_move_to_redis_leaves_nothing_but_the_trash(
    tmp_path: Path, folder: Path, redis_server: RealServer
) -> None:
    command = Command(tmp_path, str(folder))
    row = by_title(command)[RETRY]
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as client:
        client.flushall()
        body = (tmp_path / str(row["path"])).read_bytes()
        [moved] = command.json("mv", "--yes", "--json", "--to", redis_server.url, str(row["path"]))
        assert client.get(f"{PREFIX}file:{moved['new_path']}") == body
        assert client.hget(f"{PREFIX}meta", moved["new_path"]) == str(row["mtime_ms"]).encode()
        field = parse_title_field(client.hget(f"{PREFIX}title", moved["new_path"]))
        assert field is not None
        assert field.title == RETRY
        assert not os.path.lexists(str(row["path"]))
        done = command("restore", moved["trash_id"])
        assert done.returncode == 0
        assert (tmp_path / str(row["path"])).read_bytes() == body
        client.flushall()


def test_a_dry_run_tells_what_would_go_where_and_changes_nothing(
    remote: Command, server: redis.Redis, tmp_path: Path
) -> None:
    row = by_title(remote)[RETRY]
    root = tmp_path / ".omp/agent/sessions"
    [fact] = remote.json("mv", "--dry-run", "--json", "--to", str(root), str(row["id"]))
    assert fact["path"] == row["path"]
    assert fact["new_path"].startswith(str(root))
    assert fact["exists"] is False
    assert list(root.iterdir()) == []
    told = remote("cp", "--dry-run", "--to", str(root), str(row["id"])).stdout
    assert f"“{RETRY}”  {row['path']} -> {fact['new_path']}" in told
    assert server.exists(f"{PREFIX}file:{row['path']}")


def test_what_cannot_be_done_is_said_in_one_line(
    remote: Command, redis_server: RealServer, tmp_path: Path
) -> None:
    identity = str(by_title(remote)[RETRY]["id"])
    root = tmp_path / ".omp/agent/sessions"
    for arguments, code, said in (
        (["cp", "--to", redis_server.url], 2, "the sessions are there already"),
        (["cp", "--to", str(tmp_path / "nowhere")], 1, "the folder is not there"),
        (["mv", "--to", str(root)], 2, "not a terminal: pass --yes"),
        (["mv", "--yes", "--read-only", "--to", str(root)], 1, "read-only"),
        (["cp", "--read-only", "--to", str(root)], 1, "read-only"),
        (["cp", "--cwd", "~no-such-user/x", "--to", str(root)], 2, "stands for no known home"),
    ):
        done = remote(*arguments, identity)
        assert done.returncode == code, done
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
        assert list(root.iterdir()) == []
    assert remote("cp", "--to", str(root), identity).returncode == 0
    [copy] = root.rglob("*.jsonl")
    copy.write_bytes(b"mine")
    done = remote("cp", "--to", str(root), identity)
    assert done.returncode == 1
    assert "a session already has this path" in done.stderr
    assert copy.read_bytes() == b"mine"
    done = remote("cp", "--overwrite", "--to", str(root), identity)
    assert "what was there is in its trash as" in done.stdout
    assert copy.read_bytes() != b"mine"


@pytest.mark.parametrize(("answer", "goes"), [(b"y\r", True), (b"\r", False)])
def test_a_move_asks_first(
    remote: Command, server: redis.Redis, tmp_path: Path, answer: bytes, goes: bool
) -> None:
    row = by_title(remote)[RETRY]
    environ = remote.environment()
    with Terminal(["mv", "--to", "omp", str(row["id"])], environ=environ) as terminal:
        terminal.until(b"Move? [y/N]")
        terminal.press(answer)
        assert terminal.finish() == (0 if goes else 1)
    assert server.exists(f"{PREFIX}file:{row['path']}") != goes
    assert bool(list((tmp_path / ".omp").rglob("*.jsonl"))) == goes


def test_headers_of_a_copy_are_as_omp_writes_them(remote: Command, tmp_path: Path) -> None:
    row = by_title(remote)[RETRY]
    remote("cp", "--to", "omp", "--cwd", "/srv/app", str(row["id"]))
    [copy] = (tmp_path / ".omp/agent/sessions/--srv-app--").glob("*.jsonl")
    header = json.loads(copy.read_bytes().split(b"\n")[1])
    assert list(header)[:3] == ["type", "version", "id"]
    assert header["cwd"] == "/srv/app"


def test_a_filter_finds_what_goes_and_leaves_out_what_runs(
    remote: Command, server: redis.Redis, tmp_path: Path
) -> None:
    rows = remote.json("ls", "--json", "--filter", "project:api")
    assert len(rows) > 2
    root = tmp_path / ".omp/agent/sessions"
    held = rows[0]["path"]
    server.append(f"{PREFIX}file:{held}", b"{}\n")
    server.hset(f"{PREFIX}meta", held, str(int(time.time() * 1000)))
    done = remote("cp", "--to", "omp", "--filter", "project:api")
    assert done.returncode == 0
    assert "left out: " in done.stderr
    free = {row["path"] for row in rows if not row["held"]} - {held}
    assert len(list(root.rglob("*.jsonl"))) == len(free)
    assert remote("rm", "--yes", "--filter", "project:api").returncode == 0
    left = {row["path"] for row in remote.json("ls", "--json", "--filter", "project:api")}
    assert left == {row["path"] for row in rows} - free
    for arguments, said in (
        (("rm", "--yes"), "Missing argument"),
        (("rm", "--yes", "--filter", " "), "an empty filter matches everything"),
        (("cp", "--to", "omp", "--filter", "project:nowhere"), "nothing matches"),
        (("rm", "--yes", "--filter", "project:api"), "an agent may hold each of them open"),
    ):
        done = remote(*arguments)
        assert done.returncode != 0
        assert said in done.stderr


def test_a_server_by_another_name_is_no_other_place(
    remote: Command, server: redis.Redis, redis_server: RealServer
) -> None:
    path = str(by_title(remote)[RETRY]["path"])
    before = contents(server)
    done = remote("mv", "--yes", "--force", "--to", redis_server.tcp_url, path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "sessiontui: the sessions are there already\n"
    assert contents(server) == before
