"""Exported files are private, whole or not there, and never take another's place by mistake."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from sessiontui.errors import ExportError
from sessiontui.export import (
    ExportOptions,
    NewFile,
    SessionFacts,
    export_bytes,
    file_name,
    writer_for,
)
from sessiontui.export.run import PIECE_BYTES

if TYPE_CHECKING:
    from pathlib import Path


def write(target: Path, data: bytes = b"new", *, replace: bool = False) -> None:
    with NewFile(target, replace=replace) as file:
        file.write(data)
        file.commit()


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_file_is_private_and_alone_in_its_folder(tmp_path: Path) -> None:
    write(tmp_path / "a.md")
    assert names(tmp_path) == ["a.md"]
    assert (tmp_path / "a.md").read_bytes() == b"new"
    assert (tmp_path / "a.md").stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_there_stays_unless_it_may_be_replaced(tmp_path: Path) -> None:
    target = tmp_path / "a.md"
    target.write_bytes(b"old")
    with pytest.raises(ExportError, match="such a file already"):
        write(target)
    assert target.read_bytes() == b"old"
    write(target, replace=True)
    assert target.read_bytes() == b"new"
    assert names(tmp_path) == ["a.md"]


def test_a_file_that_comes_meanwhile_stays(tmp_path: Path) -> None:
    target = tmp_path / "a.md"
    with NewFile(target, replace=False) as file:
        file.write(b"new")
        target.write_bytes(b"came meanwhile")
        with pytest.raises(ExportError, match="such a file already"):
            file.commit()
    assert target.read_bytes() == b"came meanwhile"
    assert names(tmp_path) == ["a.md"]


def test_without_links_a_free_place_is_taken_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_args: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    write(tmp_path / "a.md")
    assert (tmp_path / "a.md").read_bytes() == b"new"
    with NewFile(tmp_path / "b.md", replace=False) as file:
        (tmp_path / "b.md").write_bytes(b"old")
        with pytest.raises(ExportError, match="such a file already"):
            file.commit()
    assert (tmp_path / "b.md").read_bytes() == b"old"
    assert names(tmp_path) == ["a.md", "b.md"]


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with NewFile(tmp_path / "a.md", replace=False) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert names(tmp_path) == []


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    for target, reason in (
        (tmp_path / "no" / "a.md", "No such file or directory"),
        (tmp_path, "this is no file"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        with pytest.raises(ExportError, match=reason):
            write(target, replace=True)
    with pytest.raises(ExportError, match="cannot be written"):
        write(tmp_path / "a\0.md")


def test_a_link_is_followed_where_it_may_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "real.md").write_bytes(b"old")
    (tmp_path / "link.md").symlink_to("real.md")
    with pytest.raises(ExportError, match="such a file already"):
        write(tmp_path / "link.md")
    write(tmp_path / "link.md", replace=True)
    assert (tmp_path / "link.md").is_symlink()
    assert (tmp_path / "real.md").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("title", "session_id", "name"),
    [
        ("Fix the test", "0199a1b2-0000-7000-8000-00000000abcd", "fix-the-test-0000abcd"),
        ("../../etc/passwd", "a", "etc-passwd-a"),
        (".hidden\x00\x1b[31m", None, "hidden-31m"),
        ("한국어 título", "x_y", "한국어-título-x-y"),
        ("", "", "session"),
        ('/\\:*?"<>|', None, "session"),
        ("\ud800a", "--", "a"),
        ("é" * 500, None, "é" * 60),
    ],
)
def test_names_are_told_by_title_and_id_and_safe_everywhere(
    title: str, session_id: str | None, name: str
) -> None:
    assert file_name(title, session_id, ".md", lambda _name: False) == f"{name}.md"


def test_no_two_names_are_the_same_even_where_case_does_not_count() -> None:
    taken: set[str] = set()
    for title in ("Same", "SAME", "same"):
        name = file_name(title, None, ".html", taken.__contains__)
        assert name.casefold() not in taken
        taken.add(name.casefold())
    assert taken == {"same.html", "same-2.html", "same-3.html"}


async def test_a_session_that_becomes_shorter_is_no_export() -> None:
    data = b"x" * PIECE_BYTES

    async def read(start: int, stop: int) -> bytes:
        return data[start:stop]

    writer = writer_for("jsonl", SessionFacts(title="", path="/a", size=1), ExportOptions())
    done: list[int] = []
    with pytest.raises(ExportError, match="was rewritten"):
        await export_bytes(read, 2 * PIECE_BYTES, writer, lambda _data: None, done.append)
    assert done == [PIECE_BYTES]
