"""What the command line says before it opens anything: help, versions, wrong usage."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sessiontui import __version__
from sessiontui.cli import main
from sessiontui.cli.root import COMMANDS
from tests.command import ROOT, Command, command_environment

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


def test_the_version_is_one_line(command: Command) -> None:
    done = command("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"sessiontui {__version__}\n", "")


@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_every_command_explains_itself_with_examples(
    name: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*([name] if name else []), "--help"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith("Usage: sessiontui")
    if name not in ("demo", "trash"):
        assert "Examples:" in said.out


def test_help_and_version_load_neither_the_app_nor_redis(tmp_path: Path) -> None:
    code = (
        "import sys; from sessiontui.cli import main; main([sys.argv[1]]); "
        "print(sorted({'textual', 'redis', 'watchfiles', 'asyncio', 'msgspec'} & set(sys.modules)))"
    )
    for option in ("--help", "--version"):
        done = subprocess.run(
            [sys.executable, "-c", code, option],
            env=command_environment(tmp_path),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ls", "--sort", "colour"], "'colour' is not one of"),
        (["ls", "--limit", "-1"], "-1 is not in the range"),
        (["ls", "--limit", "x"], "'x' is not a valid number"),
        (["ls", "~/x"], "name the source with --source ~/x"),
        (["~/x", "ls"], "name the source with --source ~/x"),
        (["completion", "bash", "x"], "'x' is one word too many (see"),
        (["ls", "--no-such-option"], "No such option"),
        (["show"], "Missing argument 'SESSION'"),
        (["rename", "x"], "nothing to change: pass --title, --path or both"),
        (["rm"], "Missing argument 'SESSION"),
        (["completion", "tcsh"], "'tcsh' is not one of"),
        (["lss"], "'lss' is neither a command nor a folder; did you mean 'ls'?"),
        (["ls", "--source", "redis://h:port"], "port"),
        (["ls", "--source", "http://x"], "http://"),
        (["ls", "--source", "redis://x", "--password-file", "/nowhere"], "/nowhere"),
        (["show", "x"], "no sessions were found"),
        (["ls"], "sessiontui demo"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_told_on_one_line_with_exit_code_2(
    command: Command, arguments: list[str], says: str
) -> None:
    done = command(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("sessiontui: ")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_the_app_refuses_to_open_without_a_terminal(command: Command, tmp_path: Path) -> None:
    for arguments in ([str(tmp_path)], ["--source", str(tmp_path)], ["demo"]):
        done = command(*arguments)
        assert done.returncode == 2
        assert done.stderr.startswith("sessiontui: the app needs a terminal")


def test_a_password_is_in_no_message(command: Command) -> None:
    for source in (
        "redis://u:hunter2@h:x",
        "redis://:hunter2@127.0.0.1:1",
        "unix:///no?password=hunter2",
    ):
        for arguments in (["ls", "--source", source], ["ls", source], [source, "ls"]):
            done = command(*arguments)
            assert done.returncode in (1, 2)
            assert "hunter2" not in done.stderr + done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_asks_the_command_back(command: Command, shell: str) -> None:
    done = command("completion", shell)
    assert done.returncode == 0
    assert f"_SESSIONTUI_COMPLETE={shell}_complete" in done.stdout


@pytest.mark.parametrize(
    ("closed", "code", "error"),
    [(">&-", 1, "sessiontui: standard output is closed\n"), ("<&-", 0, ""), ("2>&-", 0, "")],
)
def test_closed_streams_are_no_internal_error(
    tmp_path: Path, closed: str, code: int, error: str
) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m sessiontui ls --source "$1" {closed}', sys.executable, "."],
        env=command_environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (code, error)
