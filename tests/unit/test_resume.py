"""Which command goes on with a session, and what may be configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sessiontui.config import load_config
from sessiontui.errors import ConfigError, ResumeError
from sessiontui.formats.resume import (
    find_program,
    resume_command,
    shell_line,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ID = "0199a1b2-0000-7000-8000-000000000001"
PATH = "/home/mira/.omp/agent/sessions/-code/2026-11-23T10-00-00-000Z_a b.jsonl"


def command(
    agent: str = "omp",
    commands: Mapping[str, tuple[str, ...]] | None = None,
    *,
    session_id: str | None = ID,
    path: str = PATH,
    cwd: str | None = "/home/mira/code",
    on_disk: bool = True,
) -> tuple[str, ...]:
    return resume_command(
        agent, commands or {}, session_id=session_id, path=path, cwd=cwd, on_disk=on_disk
    )


def test_each_agent_is_told_the_session_in_its_own_way() -> None:
    assert command("omp") == ("omp", "--resume", PATH)
    assert command("pi") == ("pi", "--session", PATH)
    assert command("claude") == ("claude", "--resume", ID)
    assert command("codex") == ("codex", "resume", ID)


def test_a_configured_command_counts_and_is_filled_in_once() -> None:
    mine = {"omp": ("wrap", "--in={cwd}", "{id}:{path}", "{}")}
    assert command("omp", mine, path="/{id}.jsonl") == (
        "wrap",
        "--in=/home/mira/code",
        f"{ID}:/{{id}}.jsonl",
        "{}",
    )


@pytest.mark.parametrize(
    "session_id",
    [None, "", "--dangerously-skip", "-x", "a b", "a\n", "a;b", "../a", "é", "a" * 300],
)
def test_no_id_is_taken_for_an_option_or_for_more(session_id: str | None) -> None:
    with pytest.raises(ResumeError, match="no id"):
        command("codex", session_id=session_id)


@pytest.mark.parametrize("path", ["--help.jsonl", "a.jsonl", "/a\0b.jsonl"])
def test_no_path_is_taken_for_an_option(path: str) -> None:
    with pytest.raises(ResumeError, match="path"):
        command("omp", path=path)


def test_a_session_in_redis_is_not_resumed_but_by_a_command_of_the_users_own() -> None:
    with pytest.raises(ResumeError, match="omp resumes only from disk"):
        command("omp", on_disk=False)
    mine = {"omp": ("from-redis", "{path}")}
    assert command("omp", mine, path="/s/a.jsonl", on_disk=False) == ("from-redis", "/s/a.jsonl")


def test_what_no_agent_is_known_of_cannot_be_resumed() -> None:
    with pytest.raises(ResumeError, match="which agent"):
        command("unknown")


def test_the_line_for_a_shell_quotes_everything() -> None:
    line = shell_line(command("omp"), "/home/mira/it's here; rm")
    assert line == ("""cd '/home/mira/it'"'"'s here; rm' && omp --resume """ + f"'{PATH}'")
    assert shell_line(("pi", "x"), None) == "pi x"


def test_a_program_is_the_one_found_here_and_not_one_in_the_sessions_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bin" / "omp"
    file.parent.mkdir()
    file.touch(0o755)
    monkeypatch.chdir(tmp_path)
    assert find_program(("omp",), "bin") == str(file)
    assert find_program(("bin/omp",), "") == str(file)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "omp").write_text("#!/bin/sh\n")
    (tmp_path / "omp").chmod(0o700)
    assert find_program(("omp",), str(tmp_path)) == str(tmp_path / "omp")
    with pytest.raises(ResumeError, match="pi is not installed"):
        find_program(("pi",), str(tmp_path))


def test_the_commands_can_be_configured(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[resume]\nomp = "omp --resume \'{id}\' -m \\"opus 5\\""\npi = "pi {path}"\n')
    config = load_config(file, {})
    assert dict(config.resume) == {
        "omp": ("omp", "--resume", "{id}", "-m", "opus 5"),
        "pi": ("pi", "{path}"),
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("resume = 1", "a table such as"),
        ('[resume]\nvim = "vim {path}"', "'vim' is none of them"),
        ('[resume]\nomp = ""', "a command in quotes for omp"),
        ("[resume]\nomp = 3", "a command in quotes for omp"),
        ('[resume]\nomp = "omp \'{id}"', "no closing quotation"),
        ('[resume]\nomp = "omp {name} {id}"', "no {name} for omp"),
        ('[resume]\nomp = "omp --continue"', "to name the session"),
        ('[resume]\nomp = "{path} {id}"', "a program for omp"),
        ("[resume]\nomp = \"'' {id}\"", "begins with a program"),
    ],
)
def test_a_command_that_cannot_be_meant_is_refused(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(line + "\n")
    with pytest.raises(ConfigError) as raised:
        load_config(file, {})
    assert message in str(raised.value)
