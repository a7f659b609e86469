"""`ls`, `show` and `tail` on a real folder, in processes of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from tests.app.terminal import Terminal
from tests.command import Command, command_environment, write_sessions
from tests.servers import real_server
from tests.waiting import until_sync

if TYPE_CHECKING:
    from collections.abc import Iterator

RETRY = "Fix the flaky retry test"
LONG = "Why do p99 latencies double at noon?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of sessions that no test changes."""
    return tmp_path_factory.mktemp("sessions")


@pytest.fixture(scope="module")
def files(folder: Path) -> dict[str, Path]:
    return write_sessions(folder)


@pytest.fixture
def command(tmp_path: Path, folder: Path, files: dict[str, Path]) -> Command:
    assert files
    return Command(tmp_path, str(folder))


def _id(file: Path) -> str:
    return file.stem.rpartition("_")[2]


@pytest.fixture
def growing(tmp_path: Path) -> Path:
    """A small session of its own, with one bad byte, that a test may change."""
    file = tmp_path / "sessions" / "-code-x" / "2026-01-01T00-00-00-000Z_abcdef01.jsonl"
    file.parent.mkdir(parents=True)
    header = {"type": "session", "version": 3, "id": "abcdef01", "cwd": "/x", "title": "Grows"}
    file.write_bytes(json.dumps(header).encode() + b"\n" + b'{"broken \xff\x00\x1b[31m\n')
    return file


# ls


def test_json_is_one_array_with_what_scripts_need(command: Command, files: dict[str, Path]) -> None:
    listed = command.json("ls", "--json")
    assert len(listed) == len(files) + 1  # two have no title
    retry = next(item for item in listed if item["title"] == RETRY)
    file = files[RETRY]
    assert retry["path"] == str(file)
    assert retry["id"] == _id(file)
    assert retry["size"] == file.stat().st_size
    assert retry["mtime_ms"] == round(file.stat().st_mtime_ns / 1e6)
    assert retry["created"].endswith("Z")
    assert retry["project"] == "/home/mira/code/api"
    assert retry["agent"] == "omp"
    assert retry["status"] == "complete"
    assert {item["status"] for item in listed} >= {"complete", "error", "aborted", "interrupted"}


def test_the_newest_comes_first_and_the_order_can_be_chosen(command: Command) -> None:
    def column(name: str, *options: str) -> list[object]:
        return [item[name] for item in command.json("ls", "--json", *options)]

    times = column("mtime_ms")
    assert times == sorted(times, reverse=True)  # type: ignore[type-var] # all are numbers
    assert column("mtime_ms", "--reverse") == times[::-1]
    sizes = column("size", "--sort", "size", "--limit", "3")
    assert sizes == sorted(column("size"), reverse=True)[:3]  # type: ignore[type-var] # the same
    assert column("title", "--sort", "title", "--limit", "1") == [
        "A parser for the 1987 tape format"
    ]
    assert column("title", "--limit", "0") == []


def test_a_query_chooses_the_sessions(command: Command) -> None:
    def titles(query: str) -> set[object]:
        return {item["title"] for item in command.json("ls", "--json", "--filter", query)}

    assert titles("flaky retry") == {RETRY}
    assert titles('"flaky retry test" status:complete size:>1k agent:omp') == {RETRY}
    assert titles("title:flaky -status:complete") == set()
    told = command.json("ls", "--json", "--figures")
    costly = {item["title"] for item in told if item["cost"] > 0.05 and item["turns"] <= 2}
    assert titles("cost:>0.05 turns:<=2") == costly != set()
    assert titles("-cost:>0.05") == {item["title"] for item in told if item["cost"] <= 0.05}
    wanted = {item["title"] for item in told if item["status"] == "error"}
    assert titles("status:error") == wanted != set()


def test_a_query_that_is_not_understood_is_told_before_anything_is_read(command: Command) -> None:
    done = command("ls", "--source", "/nowhere", "--filter", "size:>5Q")
    assert done.returncode == 2
    assert done.stderr == "sessiontui: size:>5Q: a size is like >5M, <200k or 1M..5M\n"


def test_in_a_pipe_a_line_a_session_has_tabs_and_no_codes(
    command: Command, files: dict[str, Path]
) -> None:
    lines = command.raw("ls").decode().splitlines()
    assert len(lines) == len(files) + 1
    fields = [line.split("\t") for line in lines]
    assert {len(row) for row in fields} == {6}
    assert _id(files[RETRY]) in [row[3] for row in fields]
    assert "\x1b" not in "".join(lines)


def test_a_reader_that_leaves_early_is_no_failure(command: Command, files: dict[str, Path]) -> None:
    long = str(files[LONG])
    for arguments in (["ls"], ["ls", "--json"], ["show", long], ["show", "--raw", long]):
        with command.running(*arguments) as writer:
            assert writer.stdout is not None
            assert writer.stderr is not None
            writer.stdout.read(1)
            writer.stdout.close()
            assert writer.stderr.read() == b""
            assert writer.wait() == 0


def test_an_empty_folder_lists_nothing(command: Command, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert command.raw("ls", "--source", str(empty)) == b""
    assert command.json("--source", str(empty), "ls", "--json") == []


def test_a_folder_that_is_not_there_is_told_on_one_line(command: Command, tmp_path: Path) -> None:
    done = command("ls", "--source", str(tmp_path / "none"))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert str(tmp_path / "none") in done.stderr


def test_a_file_is_told_from_a_folder_that_is_not_there(command: Command, growing: Path) -> None:
    done = command("ls", "--source", str(growing))
    assert done.returncode == 1
    assert "a file, not a folder" in done.stderr
    assert done.stderr.endswith("Name the folder that it lies in.\n")


def test_the_roots_of_omp_and_pi_are_found_without_a_source(
    tmp_path: Path, files: dict[str, Path]
) -> None:
    command = Command(tmp_path)
    for agent in (".pi", ".omp"):  # omp's comes before pi's
        root = tmp_path / agent / "agent" / "sessions"
        target = root / "-x" / files[RETRY].name
        target.parent.mkdir(parents=True)
        target.write_bytes(files[RETRY].read_bytes())
        assert [item["path"] for item in command.json("ls", "--json")] == [str(target)]


# show


def test_raw_is_what_is_stored_byte_for_byte(
    command: Command, files: dict[str, Path], growing: Path
) -> None:
    for file in (files[RETRY], files[LONG]):
        assert command.raw("show", "--raw", _id(file)) == file.read_bytes()
    source = str(growing.parent.parent)
    assert command.raw("show", "--raw", "--source", source, "abcdef01") == growing.read_bytes()


def test_text_shows_turns_tools_and_answers(command: Command, files: dict[str, Path]) -> None:
    text = command.raw("show", str(files[RETRY])).decode()
    assert "The retry test fails one time in ten." in text
    assert "time.sleep(0.05)" in text
    assert "Fifty runs, no failure" in text
    assert "bash" in text
    assert "bash started" not in text  # the call itself is there


def test_at_a_terminal_the_table_fits_and_is_coloured(
    folder: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    environ = command_environment(tmp_path, {"SESSIONTUI_SOURCE": str(folder)})
    for no_colour in ({}, {"NO_COLOR": "1"}):
        with Terminal(["ls"], size=(80, 24), environ=environ | no_colour) as terminal:
            assert terminal.finish() == 0
        text = terminal.output.decode()
        assert ("\x1b[" in text) is not bool(no_colour)
        lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
        assert len(lines) == len(files) + 2
        assert max(cell_len(line) for line in lines) <= 80


def test_control_codes_become_visible_in_text(command: Command, growing: Path) -> None:
    text = command.raw("show", "--source", str(growing.parent.parent), "abcdef01").decode()
    assert "\x1b" not in text
    assert "\x00" not in text
    assert "broken" in text


def test_records_of_no_turn_are_one_line_each(command: Command, growing: Path) -> None:
    records = [
        {"type": "permission-mode", "permissionMode": "plan", "sessionId": "abcdef01"},
        {"type": "custom", "customType": "plugin", "data": {"state": ["kept", 1]}},
        {"type": "brand_new", "id": "1", "payload": {"some": "thing"}},
    ]
    growing.write_text("".join(json.dumps(record) + "\n" for record in records))
    source = str(growing.parent.parent)
    text = command.raw("tail", "--source", source, str(growing)).decode()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    assert len(lines) == len(records)
    for line, words in zip(
        lines, ("permission-mode plan", "plugin kept", "brand_new thing"), strict=True
    ):
        assert all(word in line for word in words.split())


@pytest.mark.parametrize("shape", ["path", "file name", "stem", "id", "beginning of the id"])
def test_a_session_has_many_names(command: Command, files: dict[str, Path], shape: str) -> None:
    file = files[RETRY]
    name = {
        "path": str(file),
        "file name": file.name,
        "stem": file.stem,
        "id": _id(file),
        "beginning of the id": _id(file)[:14],
    }[shape]
    assert command.raw("show", "--raw", name) == file.read_bytes()


def test_a_path_may_be_relative_to_where_one_stands(
    command: Command, files: dict[str, Path]
) -> None:
    file = files[RETRY]
    shown = subprocess.run(
        command.line("show", "--raw", f"./{file.name}"),
        env=command.environment(),
        cwd=file.parent,
        capture_output=True,
        check=True,
    )
    assert shown.stdout == file.read_bytes()


def test_an_ambiguous_name_lists_the_candidates_and_does_nothing(
    command: Command, files: dict[str, Path]
) -> None:
    done = command("show", "01a")
    assert done.returncode == 1
    assert done.stdout == ""
    first, *candidates, last = done.stderr.splitlines()
    assert "'01a' may be any of" in first
    assert len(candidates) == 20
    assert "more" in last
    assert all("\t" in line for line in candidates)
    assert all(len(line.expandtabs()) <= 80 for line in candidates)


def test_an_unknown_name_says_so(command: Command) -> None:
    done = command("show", "nobody")
    assert done.returncode == 1
    assert done.stderr == (
        "sessiontui: no session is called 'nobody'; list them with: sessiontui ls\n"
    )


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("unix://{socket}", "unix://{socket}"),
        ("unix://{socket}?prefix=omp:sessions:", "'unix://{socket}?prefix=omp:sessions:'"),
        ("unix://:s%2Fcret@{socket}?db=0", "'unix://{socket}?db=0'"),
        ("unix://default:s%2Fcret@{socket}", "'unix://{socket}?user=default'"),
        ("unix://{socket}?password=s/cret", "unix://{socket}"),
    ],
)
def test_what_is_to_be_pasted_names_the_server_and_no_password(
    command: Command, source: str, shown: str
) -> None:
    with real_server(arguments=("--requirepass", "s/cret")) as server:
        socket = str(server.socket)
        done = command(
            *("show", "--source", source.format(socket=socket), "nobody"),
            SESSIONTUI_PASSWORD="s/cret",
        )
        assert done.stderr == (
            "sessiontui: no session is called 'nobody'; list them with: sessiontui ls --source "
            f"{shown.format(socket=socket)}\n"
        )


def test_a_full_disk_is_told_in_plain_words(command: Command) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command.line("ls"),
            env=command.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "sessiontui: no space left on device\n")


def test_what_lists_the_sessions_repeats_the_source(command: Command, folder: Path) -> None:
    done = command("show", "--source", str(folder), "nobody")
    assert done.stderr.endswith(f"list them with: sessiontui ls --source {folder}\n")


# tail


def test_the_last_lines_are_the_last_lines(command: Command, files: dict[str, Path]) -> None:
    data = files[LONG].read_bytes()
    for count in (1, 10, 2000, 100_000):
        tail = command.raw("tail", "--raw", "-n", str(count), _id(files[LONG]))
        assert tail == b"".join(data.splitlines(keepends=True)[-count:])
    assert command.raw("tail", "--raw", "-n", "0", _id(files[LONG])) == b""


def test_a_last_line_without_a_newline_counts(command: Command, growing: Path) -> None:
    with growing.open("ab") as file:
        file.write(b'{"type":"cut')
    source = str(growing.parent.parent)
    assert command.raw("tail", "--raw", "-n1", "--source", source, "abcd") == b'{"type":"cut'


class _Following:
    """`tail -f` as a child, its output collected."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self.data = b""

    def has(self, text: bytes) -> bool:
        assert self.process.stdout is not None
        self.data += self.process.stdout.read() or b""
        return text in self.data

    def interrupt(self) -> tuple[int, bytes]:
        """Press Ctrl-C; the exit code and what it said on stderr."""
        assert self.process.stderr is not None
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        self.has(b"")
        return code, self.process.stderr.read()


@pytest.fixture
def following(command: Command, growing: Path) -> Iterator[_Following]:
    source = str(growing.parent.parent)
    with command.running("tail", "-f", "--raw", "--source", source, "abcdef01") as process:
        tail = _Following(process)
        until_sync(lambda: tail.has(b"broken"))
        yield tail


def _append(file: Path, data: bytes) -> None:
    with file.open("ab") as opened:
        opened.write(data)


def test_following_writes_what_is_added_and_ends_clean_on_interrupt(
    following: _Following, growing: Path
) -> None:
    for number in range(50):
        _append(growing, b'{"n":%d,"bytes":"\xf0\x9f"}\n' % number)
    until_sync(lambda: following.has(b'{"n":49,'))
    assert following.interrupt() == (130, b"")
    assert following.data == growing.read_bytes()


def test_following_goes_on_after_a_rewrite_that_keeps_the_entries(
    following: _Following, growing: Path
) -> None:
    _append(growing, b'{"id":"aaaa0001","text":"one"}\n')
    until_sync(lambda: following.has(b"aaaa0001"))
    before = following.data
    new = growing.with_suffix(".tmp")
    new.write_bytes(b'{"type":"title"}\n' + growing.read_bytes() + b'{"id":"aaaa0002"}\n')
    new.replace(growing)
    until_sync(lambda: following.has(b"aaaa0002"))
    _append(growing, b'{"id":"aaaa0003"}\n')
    until_sync(lambda: following.has(b"aaaa0003"))
    assert following.data == before + b'{"id":"aaaa0002"}\n{"id":"aaaa0003"}\n'


def test_following_begins_again_after_a_rewrite_that_keeps_nothing(
    following: _Following, growing: Path
) -> None:
    new = growing.with_suffix(".tmp")
    new.write_bytes(b'{"type":"session","id":"abcdef01"}\n{"id":"bbbb0001"}\n')
    new.replace(growing)
    until_sync(lambda: following.has(b"bbbb0001"))
    code, said = following.interrupt()
    assert code == 130
    assert said == b"sessiontui: the session was rewritten; its last entries follow\n"
    assert following.data.endswith(growing.read_bytes())


def test_following_ends_when_the_session_is_deleted(following: _Following, growing: Path) -> None:
    growing.unlink()
    assert following.process.wait(30) == 1
    assert following.process.stderr is not None
    assert following.process.stderr.read() == b"sessiontui: the session was deleted\n"


# completion


def _offers(command: Command, *words: str) -> list[str]:
    """Return what the shell would offer in place of the last word: values and their help."""
    done = command(
        _SESSIONTUI_COMPLETE="zsh_complete",
        COMP_WORDS=" ".join(["sessiontui", *words]),
        COMP_CWORD=str(len(words)),
    )
    assert done.returncode == 0
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_sessions_are_completed_with_their_titles(command: Command, files: dict[str, Path]) -> None:
    file = files[RETRY]
    assert _offers(command, "show", _id(file)[:16]) == ["plain", _id(file), RETRY]
    assert _offers(command, "tail", str(file)[:-9]) == ["plain", str(file), RETRY]
    assert "rename" in _offers(command, "re")
    assert not any(_offers(command, "--source", "/nowhere", "show", "0"))


def test_a_session_is_completed_by_its_file_name_and_by_an_id_that_no_path_tells(
    command: Command, growing: Path
) -> None:
    source = ["--source", str(growing.parent.parent)]
    assert _offers(command, *source, "show", "2026-01") == ["plain", growing.name, "Grows"]
    renamed = growing.rename(growing.with_name("x.jsonl"))
    assert _offers(command, *source, "show", "abcd") == ["plain", "abcdef01", "Grows"]
    assert _offers(command, *source, "show", "x.j") == ["plain", renamed.name, "Grows"]
    assert not any(_offers(command, *source, "show", "nobody"))
