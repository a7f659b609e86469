"""Which file a path of a folder stands for, and which paths are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sessiontui.errors import (
    BackendDownError,
    InvalidPathError,
    SessionNotFoundError,
    WrongTypeError,
)
from sessiontui.storage.backend import Range
from sessiontui.storage.directory.backend import DirectoryBackend
from tests.unit.directory_support import names, put, scanned

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "a.jsonl",
        "p/a.jsonl",
        "//a.jsonl",
        "/p//a.jsonl",
        "/p/",
        "/./a.jsonl",
        "/../a.jsonl",
        "/p/../../a.jsonl",
        "/p/..",
        "/p/a\0.jsonl",
        "/p/\ud800.jsonl",
        "/" + "d/" * 64 + "a.jsonl",
    ],
)
async def test_a_path_has_one_spelling_and_does_not_leave_the_root(
    backend: DirectoryBackend, root: Path, path: str
) -> None:
    put(root.parent / "a.jsonl", b"outside\n")
    put(root / "p" / "b.jsonl")
    before = names(root.parent)
    for refused in (
        backend.append(path, b"x\n", mtime_ms=1),
        backend.write(path, b"x\n", mtime_ms=1),
        backend.rename([("/p/b.jsonl", path)]),
        backend.delete([path]),
        backend.delete(["/p/b.jsonl", path]),
        backend.read([Range(path, 0)]),
        backend.probe([Range(path, 0)]),
    ):
        with pytest.raises(InvalidPathError):
            await refused
    assert names(root.parent) == before


async def test_a_name_that_is_too_long_is_refused(backend: DirectoryBackend) -> None:
    with pytest.raises(InvalidPathError, match="too long"):
        await backend.append(f"/{'n' * 300}.jsonl", b"x\n", mtime_ms=1)
    assert await backend.read([Range(f"/{'n' * 300}.jsonl", 0)]) == [None]


async def test_a_name_that_is_no_utf_8_is_read_and_written(
    backend: DirectoryBackend, root: Path
) -> None:
    path = "/p/\udcff\udcfe.jsonl"
    await backend.append(path, b"x\n", mtime_ms=5)
    assert [file.name.encode("utf-8", "surrogateescape") for file in (root / "p").iterdir()] == [
        b"\xff\xfe.jsonl"
    ]
    assert set(await scanned(backend)) == {path}
    assert await backend.read([Range(path, 0)]) == [b"x\n"]


async def test_absolute_paths_are_the_files_own(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)
    backend = DirectoryBackend(link, absolute=True)
    put(root / "p" / "a.jsonl", b"one\n")
    path = str(root / "p" / "a.jsonl")
    assert set(await scanned(backend)) == {path}
    assert await backend.read([Range(path, 0)]) == [b"one\n"]
    assert backend.file_of(path) == root / "p" / "a.jsonl"
    assert backend.path_of(link / "p" / "a.jsonl") == path
    for outside in ("/p/a.jsonl", f"{root}x/a.jsonl", str(root)):
        with pytest.raises(InvalidPathError):
            await backend.append(outside, b"x\n", mtime_ms=1)
    await backend.aclose()


async def test_files_and_relative_paths_are_told_from_each_other(
    backend: DirectoryBackend, root: Path
) -> None:
    assert backend.file_of("/p/a.jsonl") == root / "p" / "a.jsonl"
    assert backend.path_of(root / "p" / "a.jsonl") == "/p/a.jsonl"
    assert backend.path_of(root.parent / "a.jsonl") is None
    assert backend.path_of(root) is None
    assert backend.path_of("p/a.jsonl") is None
    with pytest.raises(InvalidPathError):
        backend.file_of("/../a.jsonl")


async def test_links_are_never_followed(backend: DirectoryBackend, root: Path) -> None:
    outside = put(root.parent / "outside" / "a.jsonl", b"secret\n")
    (root / "folder").symlink_to(outside.parent)
    (root / "link.jsonl").symlink_to(outside)
    put(root / "b.jsonl")
    for path in ("/folder/a.jsonl", "/link.jsonl"):
        for refused in (
            backend.append(path, b"x\n", mtime_ms=1),
            backend.write(path, b"x\n", mtime_ms=1),
            backend.patch(path, old=b"s", new=b"S", mtime_ms=1, title="keep"),
            backend.prepend(path, b"x\n", expected_size=7, mtime_ms=1, title=b""),
            backend.rename([(path, "/c.jsonl")]),
            backend.rename([("/b.jsonl", "/folder/b.jsonl")]),
            backend.delete([path]),
        ):
            with pytest.raises(InvalidPathError, match="links are not followed"):
                await refused
        assert await backend.read([Range(path, 0)]) == [None]
        assert await backend.probe([Range(path, 0)]) == [None]
    assert outside.read_bytes() == b"secret\n"
    assert set(outside.parent.iterdir()) == {outside}


async def test_a_file_in_the_place_of_a_folder_is_named(
    backend: DirectoryBackend, root: Path
) -> None:
    put(root / "p")
    with pytest.raises(WrongTypeError, match="a file stands where a folder is needed"):
        await backend.append("/p/a.jsonl", b"x\n", mtime_ms=1)
    assert await backend.read([Range("/p/a.jsonl", 0)]) == [None]
    assert [batch.stats for batch in [b async for b in backend.scan_under("/p/")]] == []


async def test_a_missing_root_is_a_backend_that_is_down(tmp_path: Path) -> None:
    backend = DirectoryBackend(tmp_path / "gone", trash_root=tmp_path / "trash")
    for refused in (
        scanned(backend),
        backend.read([Range("/a.jsonl", 0)]),
        backend.append("/a.jsonl", b"x\n", mtime_ms=1),
        backend.rename([("/a.jsonl", "/b.jsonl")]),
        backend.delete(["/a.jsonl"]),
    ):
        with pytest.raises(BackendDownError, match="the folder is not there"):
            await refused
    assert not (tmp_path / "gone").exists()
    assert await backend.trashed() == []
    put(tmp_path / "gone")
    with pytest.raises(BackendDownError, match="a file, not a folder"):
        await scanned(backend)
    await backend.aclose()


async def test_what_is_not_there_is_not_found(backend: DirectoryBackend) -> None:
    for refused in (
        backend.patch("/p/a.jsonl", old=b"", new=b"", mtime_ms=1, title="keep"),
        backend.rename([("/p/a.jsonl", "/p/b.jsonl")]),
        backend.delete(["/p/a.jsonl"]),
    ):
        with pytest.raises(SessionNotFoundError):
            await refused
