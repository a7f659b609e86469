"""`export`: to standard output, to a file, to a folder; on a folder and on a server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import redis

from sessiontui.demo.sessions import demo_sessions
from tests.command import NOW_MS, Command, write_sessions
from tests.unit.test_export_html import checked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import RealServer

RETRY = "Fix the flaky retry test"
ORDERS = "Add cursor pagination to /orders"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return write_sessions(tmp_path / "sessions")


@pytest.fixture
def command(tmp_path: Path, files: dict[str, Path]) -> Command:
    assert files
    return Command(tmp_path, str(tmp_path / "sessions"))


@pytest.fixture
def remote(tmp_path: Path, redis_server: RealServer) -> Iterator[Command]:
    """The command on a server with the demo's sessions."""
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as client:
        client.flushall()
        for session in demo_sessions(NOW_MS):
            client.set(f"omp:sessions:file:{session.path}", session.content)
            client.hset("omp:sessions:meta", session.path, str(session.mtime_ms))
        yield Command(tmp_path, redis_server.url)
        client.flushall()


def test_one_session_goes_to_standard_output(command: Command, files: dict[str, Path]) -> None:
    file = files[RETRY]
    assert command.raw("export", "--format", "jsonl", str(file)) == file.read_bytes()
    page = command.raw("export", "--format", "html", str(file)).decode()
    checked(page)
    assert f"<h1>{RETRY}</h1>" in page
    text = command.raw("export", str(file)).decode()
    assert text.startswith(f"# {RETRY}\n")
    assert "## You · " in text
    made = command.json("export", "--format", "json", "-o", "-", str(file))
    assert made["session"]["title"] == RETRY
    assert len(made["entries"]) == len(file.read_bytes().splitlines())


def test_a_file_gets_the_format_that_its_name_says_and_is_replaced_only_by_force(
    command: Command, files: dict[str, Path], tmp_path: Path
) -> None:
    target = tmp_path / "out.html"
    done = command("export", str(files[RETRY]), "-o", str(target))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"exported “{RETRY}” to {target}\n"
    assert target.stat().st_mode & 0o777 == 0o600
    checked(target.read_text(encoding="utf-8"))
    target.write_text("mine", encoding="utf-8")
    again = command("export", str(files[RETRY]), "-o", str(target))
    assert again.returncode == 1
    there = f"there is such a file already: {target}; --force replaces it"
    assert again.stderr == f"sessiontui: {there}\n"
    assert target.read_text(encoding="utf-8") == "mine"
    assert command("export", str(files[RETRY]), "-o", str(target), "--force").returncode == 0
    assert target.read_text(encoding="utf-8") != "mine"


def test_several_go_into_a_folder_each_with_a_name_of_its_own(
    command: Command, files: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "backup"
    names = (str(files[RETRY]), str(files[ORDERS]))
    told = command.json("export", "--format", "jsonl", "--json", "-o", f"{folder}/", *names)
    assert [item["title"] for item in told] == [RETRY, ORDERS]
    assert [item["path"] for item in told] == list(names)
    for item in told:
        written = (folder / item["file"]).read_bytes()
        assert written == (tmp_path / item["path"]).read_bytes()
        assert item["bytes"] == len(written)
    assert sorted(file.name for file in folder.iterdir()) == sorted(
        item["file"].rpartition("/")[2] for item in told
    )
    done = command("export", "--format", "jsonl", "-o", str(folder), *names)
    assert done.returncode == 1
    assert "(and 1 more); --force" in done.stderr


def test_a_session_on_a_server_is_exported_exactly(remote: Command, tmp_path: Path) -> None:
    session = next(item for item in demo_sessions(NOW_MS) if item.path.endswith(".jsonl"))
    assert remote.raw("export", "--format", "jsonl", session.path) == session.content
    target = tmp_path / "a.md"
    assert remote("export", session.path, "-o", str(target)).returncode == 0
    assert target.read_text(encoding="utf-8").startswith("# ")


def test_tools_and_thinking_are_chosen(command: Command, files: dict[str, Path]) -> None:
    file = str(files[RETRY])
    usual = command.raw("export", file)
    assert b"**bash**" in usual
    assert b"**bash**" not in command.raw("export", "--no-tools", file)
    assert len(command.raw("export", "--thinking", file)) >= len(usual)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("RETRY", "ORDERS"), 2, "several sessions need a folder"),
        (("RETRY", "--json"), 2, "--json tells of files"),
        (("nothing-like-this",), 1, "no session is called"),
        (("~no-such-user/like-this.jsonl",), 1, "no session is called"),
        (("RETRY", "-o", "~no-such-user/a.md"), 2, "stands for no known home"),
        (("RETRY", "-o", "/no/such/folder/a.md"), 1, "cannot be written"),
        (("RETRY", "-o", "/no/such/folder/"), 1, "is no folder"),
        (("RETRY", "--format", "pdf"), 2, "'pdf'"),
    ],
)
def test_what_cannot_be_done_is_told_on_one_line(
    command: Command, files: dict[str, Path], arguments: tuple[str, ...], code: int, says: str
) -> None:
    known = {"RETRY": str(files[RETRY]), "ORDERS": str(files[ORDERS])}
    done = command("export", *(known.get(word, word) for word in arguments))
    assert done.returncode == code
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_nothing_is_written_where_one_name_is_not_found(
    command: Command, files: dict[str, Path], tmp_path: Path
) -> None:
    done = command("export", "-o", f"{tmp_path / 'new'}/", str(files[RETRY]), "no-such")
    assert done.returncode == 1
    assert not (tmp_path / "new").exists()


def test_the_summary_is_plain_json(
    command: Command, files: dict[str, Path], tmp_path: Path
) -> None:
    out = command.raw("export", "--json", "-o", str(tmp_path / "a.md"), str(files[RETRY]))
    assert out.isascii()
    assert json.loads(out)[0]["format"] == "md"


def test_an_ending_that_no_format_has_is_refused(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "session.foo"
    name = command.json("ls", "--json")[0]["id"]
    done = command("export", "-o", str(file), name)
    assert done.returncode == 2
    assert "no format has the ending .foo: name one of .md, .html, .json, .jsonl" in done.stderr
    assert not file.exists()
    assert command("export", "--format", "md", "-o", str(file), name).returncode == 0
    assert file.exists()
