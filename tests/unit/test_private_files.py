"""What we write for ourselves is for the user's eyes alone, whatever the umask."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sessiontui.paths import make_private
from tests.command import Command, write_sessions

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.lstat().st_mode))


def written(home: Path) -> list[Path]:
    """Return what is in the home folder beside the sessions."""
    return [
        path
        for path in home.rglob("*")
        if not path.is_relative_to(home / "sessions") and path != home / "sessions"
    ]


@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_commands_leave_nothing_that_others_can_read(tmp_path: Path, mask: int) -> None:
    files = write_sessions(tmp_path / "sessions")
    names = [str(file) for file in files.values()][:2]
    for name in names:
        Path(name).chmod(0o644)
    command = Command(tmp_path, source=str(tmp_path / "sessions"))
    with umask(mask):
        assert command("ls").returncode == 0
        assert command("rename", names[0], "--title", "x").returncode == 0
        assert command("export", "-o", str(tmp_path / "one.html"), names[0]).returncode == 0
        assert command("export", "-o", f"{tmp_path}/many/", *names).returncode == 0
        assert command("search", "the").returncode == 0
        assert command("index", "--build").returncode == 0
        (tmp_path / "copies").mkdir(0o700)
        copied = command("cp", "--force", "--to", str(tmp_path / "copies"), names[0])
        assert (copied.returncode, copied.stderr) == (0, "")
        command("doctor", "--fix", "--yes")
        assert command("rm", "--yes", "--force", *names).returncode == 0
        kept = written(tmp_path)
        assert command("restore").returncode == 0
        assert command("rm", "--yes", "--force", names[0]).returncode == 0
    assert kept
    for path in {*kept, *written(tmp_path)}:
        if not path.exists():
            continue
        if path.is_dir():
            assert (path, mode(path)) == (path, "0o700")
        elif path.parent.parent.parent.name == "trash" and path.name.isdigit():
            # A session in the trash keeps its permissions; the folder around it is closed.
            assert (path, mode(path)) == (path, "0o644")
        else:
            assert (path, mode(path)) == (path, "0o600")


@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_a_session_that_is_written_anew_is_private(tmp_path: Path, mask: int) -> None:
    files = write_sessions(tmp_path / "sessions")
    name = next(iter(files.values()))
    target = tmp_path / "sessions" / "-new" / "project" / name.name
    command = Command(tmp_path, source=str(tmp_path / "sessions"))
    with umask(mask):
        done = command("rename", str(name), "--path", str(target), "--force")
    assert done.returncode == 0, done.stderr
    for folder in (target.parent, target.parent.parent):
        assert mode(folder) == "0o700"


@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_folders_that_are_made_are_private_those_that_were_there_are_let_be(
    tmp_path: Path, mask: int
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    there.chmod(0o755)
    with umask(mask):
        make_private(there / "a" / "b")
        make_private(there / "a" / "b")
    assert [mode(there), mode(there / "a"), mode(there / "a" / "b")] == [
        *("0o755", "0o700", "0o700")
    ]
