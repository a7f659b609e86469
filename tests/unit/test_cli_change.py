"""`rename`, `rm`, `restore` and `trash`, on a real folder and a real server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

from sessiontui.demo.sessions import demo_sessions
from sessiontui.formats.jsonl import encode_entries
from sessiontui.formats.title_slot import make_title_field
from tests.app.terminal import Terminal
from tests.command import NOW_MS, ROOT, Command, command_environment, write_sessions
from tests.sessions import START_MS, Omp, pi_session
from tests.unit.directory_support import without_rights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import RealServer

RETRY = "Fix the flaky retry test"
ORDERS = "Add cursor pagination to /orders"
PREFIX = "omp:sessions:"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


@pytest.fixture
def files(folder: Path) -> dict[str, Path]:
    return write_sessions(folder)


@pytest.fixture
def command(tmp_path: Path, folder: Path, files: dict[str, Path]) -> Command:
    assert files
    return Command(tmp_path, str(folder))


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
    return Command(tmp_path, redis_server.url)


def _snapshot(client: redis.Redis) -> dict[bytes, object]:
    """Return everything the server holds outside the trash."""
    keys = [key for key in client.scan_iter() if not key.startswith(b"omp:sessions:trash")]
    return {
        key: client.hgetall(key) if client.type(key) == b"hash" else client.get(key) for key in keys
    }


def _tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file()
    }


def _path(command: Command, title: str) -> str:
    found = [item["path"] for item in command.json("ls", "--json") if item["title"] == title]
    assert len(found) == 1
    return str(found[0])


def test_a_new_title_is_everywhere_and_nothing_else_changed(
    command: Command, files: dict[str, Path]
) -> None:
    before = files[RETRY].read_bytes()
    done = command("rename", files[RETRY].stem, "--title", "A new title")
    assert (done.returncode, done.stderr) == (0, "")
    after = files[RETRY].read_bytes()
    assert len(after) == len(before)
    assert after[256:] == before[256:]
    assert _path(command, "A new title") == str(files[RETRY])


@pytest.mark.parametrize(
    ("given", "stored", "told"),
    [
        ("two\nlines\tand a tab", "two lines and a tab", "“two lines and a tab”"),
        (" \r\n ", "", "removed"),
    ],
)
def test_a_title_is_told_as_it_is_stored(
    command: Command, files: dict[str, Path], given: str, stored: str, told: str
) -> None:
    done = command("rename", str(files[RETRY]), "--title", given)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f": title {told}\n")
    slot = json.loads(files[RETRY].read_bytes().partition(b"\n")[0])
    assert slot["title"] == stored


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("where", ["folder", "server"])
def test_a_title_beside_an_agent_says_what_that_may_do(
    where: str, as_json: bool, request: pytest.FixtureRequest
) -> None:
    if where == "folder":
        files: dict[str, Path] = request.getfixturevalue("files")
        command: Command = request.getfixturevalue("command")
        os.utime(files[RETRY])
    else:
        client: redis.Redis = request.getfixturevalue("server")
        command = request.getfixturevalue("remote")
        now = str(time.time_ns() // 1_000_000)
        client.hset(f"{PREFIX}meta", _path(command, RETRY), now)
    path = _path(command, RETRY)
    arguments = ("--json",) if as_json else ()
    done = command("rename", path, "--title", "By hand", *arguments)
    assert done.returncode == 0
    said = "Its agent may set its own title again."
    if as_json:
        [told] = json.loads(done.stdout)
        assert done.stderr == ""
        assert (told["path"], told["new_path"], told["title"]) == (path, path, "By hand")
        assert told["warning"].endswith(f". {said}")
        assert told["running"]
    else:
        assert done.stdout.endswith(": title “By hand”\n")
        assert done.stderr.endswith(f". {said}\n")
        assert len(done.stderr.splitlines()) == 1
    assert _path(command, "By hand") == path


@pytest.mark.parametrize("slot", [True, False])
@pytest.mark.parametrize("where", ["folder", "server"])
def test_a_title_that_is_taken_away_is_nowhere_any_more(
    where: str, slot: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    header = {"title": "Old “title”", "titleSource": "auto", "more": [1, {"title": "kept"}, "é"]}
    session = Omp(title="Old title" if slot else None, header=header)
    session.user("First words.")
    session.add("title_change", title="Old title", source="auto")
    session.assistant()
    session.exited()
    body = session.data
    if where == "folder":
        file = tmp_path / "own" / "p" / "a.jsonl"
        file.parent.mkdir(parents=True)
        file.write_bytes(body)
        os.utime(file, (START_MS / 1000, START_MS / 1000))
        command = Command(tmp_path, str(tmp_path / "own"))
    else:
        client: redis.Redis = request.getfixturevalue("server")
        command = request.getfixturevalue("remote")
        client.flushall()
        client.set(f"{PREFIX}file:/p/a.jsonl", body)
        client.hset(f"{PREFIX}meta", "/p/a.jsonl", str(START_MS))
        if slot:
            client.hset(
                f"{PREFIX}title", "/p/a.jsonl", make_title_field("Old title", "auto", START_MS)
            )
    assert command.json("ls", "--json")[0]["title"].startswith("Old")
    [path] = [item["path"] for item in command.json("ls", "--json")]
    done = command("rename", path, "--title", "")
    assert (done.returncode, done.stderr) == (0, "")
    assert [item["title"] for item in command.json("ls", "--json")] == ["First words."]
    data = command.raw("show", "--raw", path)
    own, first, *rest = data.split(b"\n")
    assert (json.loads(own)["title"], len(own)) == ("", 255)
    told = json.loads(first)
    assert not told.keys() & {"title", "titleSource"}
    before = body.split(b"\n")[1:] if slot else body.split(b"\n")
    kept = json.loads(before[0])
    assert told == {key: kept[key] for key in kept if key not in ("title", "titleSource")}
    assert (len(first), rest) == (len(before[0]), before[1:])
    if where == "server":
        field = json.loads(client.hget(f"{PREFIX}title", path) or b"{}")
        assert field["title"] == ""


def test_a_new_path_takes_the_draft_along(command: Command, files: dict[str, Path]) -> None:
    old = files[RETRY]
    new = old.with_name("moved.jsonl")
    before = old.read_bytes()
    assert command("rename", str(old), "--path", str(new)).returncode == 0
    assert new.read_bytes() == before
    assert not old.exists()
    assert (new.with_suffix("") / "draft.txt").is_file()
    assert not (old.with_suffix("") / "draft.txt").exists()


def test_a_path_that_is_taken_is_refused(command: Command, files: dict[str, Path]) -> None:
    before = files[ORDERS].read_bytes()
    done = command("rename", str(files[RETRY]), "--path", str(files[ORDERS]))
    assert done.returncode == 1
    assert "already" in done.stderr
    assert files[ORDERS].read_bytes() == before
    assert files[RETRY].exists()


def test_a_deletion_is_taken_back_exactly_in_a_folder(
    command: Command, folder: Path, files: dict[str, Path]
) -> None:
    before = _tree(folder)
    done = command("rm", "--yes", files[RETRY].stem)
    assert (done.returncode, done.stderr) == (0, "")
    assert not files[RETRY].exists()
    assert len(_tree(folder)) == len(before) - 2  # its draft went too
    assert command("restore").returncode == 0
    assert _tree(folder) == before
    assert command("restore").stderr == "sessiontui: the trash is empty\n"


def test_a_deletion_is_taken_back_exactly_on_a_server(remote: Command, server: redis.Redis) -> None:
    before = _snapshot(server)
    path = _path(remote, RETRY)
    [gone] = remote.json("rm", "--yes", "--json", path)
    assert gone["path"] == path
    assert gone["with"] == [path.removesuffix(".jsonl") + "/draft.txt"]
    after = _snapshot(server)
    assert len(after) == len(before) - 2
    assert path.encode() not in server.hkeys(f"{PREFIX}meta")
    assert path.encode() not in server.hkeys(f"{PREFIX}title")
    [item] = remote.json("trash", "--json")
    assert item["trash_id"] == gone["trash_id"]
    assert item["expires_ms"] > time.time() * 1000
    assert remote("restore", gone["trash_id"]).returncode == 0
    assert _snapshot(server) == before
    assert remote.json("trash", "--json") == []


def test_a_title_on_a_server_is_in_the_hash(remote: Command, server: redis.Redis) -> None:
    path = _path(remote, RETRY)
    assert remote("rename", path, "--title", "Anders: 日本").returncode == 0
    field = server.hget(f"{PREFIX}title", path)
    assert isinstance(field, bytes)
    assert json.loads(field)["title"] == "Anders: 日本"
    assert json.loads(field)["source"] == "user"
    assert _path(remote, "Anders: 日本") == path


def test_a_session_of_pi_gets_no_title_on_a_server_either(
    remote: Command, server: redis.Redis
) -> None:
    path = "/sessions/-srv-app/pi.jsonl"
    data = encode_entries(pi_session())
    server.set(f"{PREFIX}file:{path}", data)
    server.hset(f"{PREFIX}meta", path, str(NOW_MS))
    done = remote("rename", path, "--title", "Mine")
    assert done.returncode == 1
    assert "pi cannot open a session with a title before its header" in done.stderr
    assert server.get(f"{PREFIX}file:{path}") == data
    assert not server.hexists(f"{PREFIX}title", path)


def test_raw_bytes_from_a_server_are_exact(remote: Command, server: redis.Redis) -> None:
    path = _path(remote, ORDERS)
    stored = server.get(f"{PREFIX}file:{path}")
    assert isinstance(stored, bytes)
    assert remote.raw("show", "--raw", path) == stored


def test_several_are_deleted_together_or_not_at_all(
    command: Command, folder: Path, files: dict[str, Path]
) -> None:
    before = _tree(folder)
    done = command("rm", "--yes", files[RETRY].stem, "nobody")
    assert done.returncode == 1
    assert _tree(folder) == before
    done = command("rm", "--yes", files[RETRY].stem, files[ORDERS].stem, str(files[RETRY]))
    assert done.returncode == 0
    assert done.stdout.count("deleted ") == 2
    items = command.json("trash", "--json")
    assert {item["path"] for item in items} == {str(files[RETRY]), str(files[ORDERS])}
    for item in items:
        assert command("restore", item["path"]).returncode == 0
    assert _tree(folder) == before


def test_what_was_deleted_together_comes_back_together(
    command: Command, folder: Path, files: dict[str, Path]
) -> None:
    before = _tree(folder)
    others = [str(file) for file in files.values()][:3]
    assert command("rm", "--yes", others[0]).returncode == 0
    between = _tree(folder)
    assert command("rm", "--yes", *others[1:]).returncode == 0
    assert command("restore").stdout.count("restored ") == 2
    assert _tree(folder) == between
    assert command("restore").stdout.count("restored ") == 1
    assert _tree(folder) == before


def test_a_dry_run_only_tells(command: Command, folder: Path, files: dict[str, Path]) -> None:
    before = _tree(folder)
    [planned] = command.json("rm", "--dry-run", "--json", files[RETRY].stem)
    assert planned["path"] == str(files[RETRY])
    assert len(planned["with"]) == 1
    assert planned["running"] is None
    told = command.raw("rm", "--dry-run", files[RETRY].stem).decode()
    assert RETRY in told
    assert "draft.txt" in told
    assert _tree(folder) == before


def test_where_nobody_can_be_asked_it_wants_yes(
    command: Command, folder: Path, files: dict[str, Path]
) -> None:
    before = _tree(folder)
    done = command("rm", files[RETRY].stem, text_in="y\n")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert _tree(folder) == before


@pytest.mark.parametrize(("answer", "goes"), [(b"y\n", True), (b"n\n", False), (b"\n", False)])
def test_at_a_terminal_it_asks(
    files: dict[str, Path], folder: Path, tmp_path: Path, answer: bytes, goes: bool
) -> None:
    environ = command_environment(tmp_path, {"SESSIONTUI_SOURCE": str(folder)})
    with Terminal(["rm", str(files[RETRY])], environ=environ) as terminal:
        terminal.until(b"1 session, 2 keys or files", b"Delete? [y/N]")
        terminal.press(answer)
        assert terminal.finish() == (0 if goes else 1)
    assert files[RETRY].exists() is not goes


def test_interrupting_the_question_deletes_nothing(
    files: dict[str, Path], folder: Path, tmp_path: Path
) -> None:
    environ = command_environment(tmp_path, {"SESSIONTUI_SOURCE": str(folder)})
    with Terminal(["rm", str(files[RETRY])], environ=environ) as terminal:
        terminal.until(b"Delete? [y/N]")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.finish() == 130
        assert b"Traceback" not in terminal.output
    assert files[RETRY].exists()


def test_a_running_session_is_held_back_unless_forced(
    command: Command, files: dict[str, Path]
) -> None:
    file = files["Ingest a million lines in half a second"]
    os.utime(file)
    for arguments in (["rm", "--yes"], ["rename", "--path", str(file.with_name("new.jsonl"))]):
        done = command(arguments[0], str(file), *arguments[1:])
        assert done.returncode == 1
        assert "is held open" in done.stderr
        assert "--force" in done.stderr
        assert file.exists()
    assert command("rm", "--yes", "--force", str(file)).returncode == 0
    assert not file.exists()


def test_restoring_onto_a_path_that_is_taken_again_is_refused(
    command: Command, files: dict[str, Path]
) -> None:
    file = files[ORDERS]
    assert command("rm", "--yes", str(file)).returncode == 0
    file.write_bytes(b"another\n")
    done = command("restore")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert file.read_bytes() == b"another\n"
    assert len(command.json("trash", "--json")) == 1


def test_the_trash_lists_what_can_be_restored(command: Command, files: dict[str, Path]) -> None:
    assert command.raw("trash") == b""
    assert command("rm", "--yes", str(files[ORDERS])).returncode == 0
    for arguments in (["trash"], ["restore", "--list"]):
        [line] = command.raw(*arguments).decode().splitlines()
        assert line.endswith(str(files[ORDERS]))
    assert files[ORDERS].name not in [file.name for file in files[ORDERS].parent.iterdir()]


def test_at_a_terminal_the_trash_is_a_table_with_whole_ids(
    command: Command, files: dict[str, Path], folder: Path, tmp_path: Path
) -> None:
    assert command("rm", "--yes", str(files[ORDERS])).returncode == 0
    [item] = command.json("trash", "--json")
    environ = command_environment(tmp_path, {"SESSIONTUI_SOURCE": str(folder), "NO_COLOR": "1"})
    with Terminal(["trash"], size=(80, 24), environ=environ) as terminal:
        assert terminal.finish() == 0
    head, line = terminal.output.decode().splitlines()
    assert max(len(head), len(line)) <= 80
    assert head.index("id") == line.index(item["trash_id"])
    assert line.endswith(files[ORDERS].name[-12:])


@pytest.fixture
def user(redis_server: RealServer, server: redis.Redis) -> Iterator[str]:
    """The name of a user made by the documented command; the password is `PASSWORD`."""
    lines = (ROOT / "docs" / "servers.md").read_text(encoding="utf-8").splitlines()
    [line] = [line for line in lines if line.startswith("ACL SETUSER manager ")]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(redis_server.socket))
        connection.sendall(line.encode() + b"\r\n")
        assert connection.recv(64) == b"+OK\r\n"
    name = line.split()[2]
    yield name
    server.acl_deluser(name)


def test_the_rights_in_the_readme_are_enough_for_everything(
    tmp_path: Path, redis_server: RealServer, server: redis.Redis, user: str
) -> None:
    before = _snapshot(server)
    command = Command(tmp_path, redis_server.tcp_url.replace("//", f"//{user}@"))
    assert command("ls", SESSIONTUI_PASSWORD="WRONG").returncode == 1
    (tmp_path / "password").write_text("PASSWORD\n")
    own = ["--password-file", str(tmp_path / "password")]
    path = next(i["path"] for i in command.json(*own, "ls", "--json") if i["title"] == RETRY)
    assert command.raw(*own, "show", "--raw", path) == server.get(f"{PREFIX}file:{path}")
    moved = "/sessions/moved.jsonl"
    for arguments in (
        ["rename", path, "--title", "Renamed", "--path", moved],
        ["rename", moved, "--path", path, "--force"],
        ["rm", "--yes", "--force", path],
        ["restore"],
        ["rename", path, "--title", RETRY],
    ):
        done = command(*own, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
    after = _snapshot(server)
    assert after.keys() == before.keys()


def test_following_as_the_user_of_the_readme_is_pushed(
    tmp_path: Path, redis_server: RealServer, server: redis.Redis, user: str
) -> None:
    command = Command(tmp_path, redis_server.tcp_url.replace("//", f"//{user}:PASSWORD@"))
    path = _path(command, ORDERS)
    with command.running("tail", "-f", "--raw", "-n", "1", path) as tail:
        assert tail.stdout is not None
        assert tail.stdout.readline()
        server.append(f"{PREFIX}file:{path}", b'{"type":"pushed"}\n')
        server.hset(f"{PREFIX}meta", path, str(NOW_MS))
        assert tail.stdout.readline() == b'{"type":"pushed"}\n'
        tail.send_signal(signal.SIGINT)
        assert tail.wait(30) == 130


def _cut_others(client: redis.Redis) -> None:
    """End every connection of the server but this client's."""
    own = client.client_id()
    for entry in client.client_list():
        if int(entry["id"]) != own:
            client.client_kill_filter(_id=entry["id"])


def test_following_misses_nothing_while_the_connection_is_cut_again_and_again(
    remote: Command, server: redis.Redis
) -> None:
    path = _path(remote, ORDERS)
    with remote.running("tail", "-f", "--raw", "-n", "1", path) as tail:
        assert tail.stdout is not None
        assert tail.stdout.readline()
        for turn in range(8):
            lines = [b'{"type":"cut","turn":%d,"number":%d}\n' % (turn, n) for n in range(40)]
            for number, line in enumerate(lines):
                server.append(f"{PREFIX}file:{path}", line)
                server.hset(f"{PREFIX}meta", path, str(NOW_MS + number))
                if number == 20:
                    _cut_others(server)
            assert b"".join(tail.stdout.readline() for _ in lines) == b"".join(lines)
        tail.send_signal(signal.SIGINT)
        assert tail.wait(30) == 130


def test_drafts_are_no_sessions(remote: Command) -> None:
    assert {item["path"][-6:] for item in remote.json("ls", "--json")} == {".jsonl"}


@pytest.mark.parametrize("arguments", [("rm", "--yes"), ("rename", "--title", "x"), ("show",)])
def test_an_empty_name_is_no_session(
    command: Command, files: dict[str, Path], arguments: tuple[str, ...]
) -> None:
    for path in list(files.values())[1:]:
        path.unlink()
    done = command(*arguments, "")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no session is called" in done.stderr
    assert next(iter(files.values())).is_file()


def test_an_empty_name_restores_nothing(command: Command) -> None:
    assert command("rm", "--yes", command("ls").stdout.split("\t")[3]).returncode == 0
    assert command("restore", "").returncode == 1
    assert len(command("trash").stdout.splitlines()) == 1


def test_a_path_that_is_taken_leaves_the_title(command: Command, files: dict[str, Path]) -> None:
    one, other = list(files.values())[:2]
    before = one.read_bytes()
    done = command("rename", str(one), "--title", "Another", "--path", str(other))
    assert done.returncode == 1
    assert "already has this path" in done.stderr
    assert one.read_bytes() == before


def test_a_title_is_told_as_it_was_stored(command: Command, files: dict[str, Path]) -> None:
    path = str(next(iter(files.values())))
    told = json.loads(command("rename", path, "--json", "--title", "Ω" * 200 + "END").stdout)
    listed = json.loads(command("ls", "--json").stdout)
    assert told[0]["title"] == next(one["title"] for one in listed if one["path"] == path)


def test_a_title_that_is_no_text_is_refused(command: Command, files: dict[str, Path]) -> None:
    path = next(iter(files.values()))
    before = path.read_bytes()
    done = command("rename", str(path), "--title", "\udcff bad")
    assert (done.returncode, path.read_bytes()) == (1, before)
    assert "not valid UTF-8" in done.stderr


def test_output_to_a_full_disk_is_one_line_and_a_failure(tmp_path: Path, folder: Path) -> None:
    write_sessions(folder)
    program = [sys.executable, "-m", "sessiontui", "ls", "--source", str(folder)]
    environment = command_environment(tmp_path)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            program, stdout=full, stderr=subprocess.PIPE, env=environment, cwd=ROOT, text=True
        )
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "no space left" in done.stderr


def test_what_may_not_be_read_is_told(tmp_path: Path, folder: Path, files: dict[str, Path]) -> None:
    hidden = next(iter(files.values()))
    hidden.chmod(0)
    closed = folder / "-closed"
    closed.mkdir()
    closed.chmod(0)
    program = [*without_rights(), sys.executable, "-m", "sessiontui"]
    environment = command_environment(tmp_path)
    try:
        for command in ("ls", "doctor"):
            done = subprocess.run(
                [*program, command, "--source", str(folder)],
                capture_output=True, text=True, env=environment, cwd=ROOT,
            )  # fmt: skip
            assert hidden.name in done.stderr
            assert "-closed" in done.stderr
        assert "no permission to read it" in done.stdout.lower()
        assert done.returncode == 1
    finally:
        closed.chmod(0o700)
