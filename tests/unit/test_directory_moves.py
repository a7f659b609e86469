"""Renaming and deleting files of a folder: all or none, nothing written over, nothing copied."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from sessiontui.errors import (
    AccessError,
    InvalidPathError,
    SessionExistsError,
    SessionNotFoundError,
)
from sessiontui.storage.directory import atomic
from tests.unit.directory_support import names, put, run_script, with_mounts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sessiontui.storage.directory.backend import DirectoryBackend


@pytest.fixture(params=["links", "no links"])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With hard links, and without, as FAT is."""

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "as FAT says")

    if request.param == "no links":
        monkeypatch.setattr(os, "link", refused)


def look(root: Path) -> dict[str, bytes]:
    """Return all files under a folder with their bytes."""
    return {name: (root / name).read_bytes() for name in names(root) if (root / name).is_file()}


@pytest.mark.usefixtures("links")
async def test_a_session_moves_with_its_artifacts_and_is_not_copied(
    backend: DirectoryBackend, root: Path
) -> None:
    file = put(root / "p" / "a.jsonl", b"a", mtime_ns=1_234_567_890_123_456_789)
    put(root / "p" / "a" / "draft.txt", b"draft")
    put(root / "p" / "a" / "worker" / "w.jsonl", b"w")
    (root / "p" / "a" / "btw-history").mkdir()
    before = file.stat()
    await backend.rename(
        [
            ("/p/a.jsonl", "/q/r/b.jsonl"),
            ("/p/a/draft.txt", "/q/r/b/draft.txt"),
            ("/p/a/worker/w.jsonl", "/q/r/b/worker/w.jsonl"),
        ]
    )
    assert look(root) == {
        "q/r/b.jsonl": b"a",
        "q/r/b/draft.txt": b"draft",
        "q/r/b/worker/w.jsonl": b"w",
    }
    assert (root / "p").is_dir()
    assert not (root / "p" / "a").exists()
    after = (root / "q" / "r" / "b.jsonl").stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_nlink) == (
        before.st_ino,
        before.st_mtime_ns,
        1,
    )


@pytest.mark.usefixtures("links")
async def test_a_taken_target_or_a_missing_source_moves_nothing(
    backend: DirectoryBackend, root: Path
) -> None:
    put(root / "p" / "a.jsonl", b"a")
    put(root / "p" / "a" / "draft.txt", b"draft")
    put(root / "q" / "b" / "draft.txt", b"taken")
    before = look(root), names(root)
    with pytest.raises(SessionExistsError) as exists:
        await backend.rename([("/p/a.jsonl", "/new/b.jsonl"), ("/p/a/draft.txt", "/q/b/draft.txt")])
    assert exists.value.path == "/q/b/draft.txt"
    with pytest.raises(SessionNotFoundError) as missing:
        await backend.rename([("/p/a.jsonl", "/new/b.jsonl"), ("/p/none", "/q/none")])
    assert missing.value.path == "/p/none"
    assert (look(root), names(root)) == before


@pytest.mark.usefixtures("links")
async def test_a_target_is_replaced_where_that_is_wanted(
    backend: DirectoryBackend, root: Path
) -> None:
    put(root / "p" / "a.jsonl", b"a")
    put(root / "p" / "b.jsonl", b"b")
    await backend.rename([("/p/a.jsonl", "/p/b.jsonl")], overwrite=True)
    assert look(root) == {"p/b.jsonl": b"a"}
    put(root / "p" / "c.jsonl" / "inside")
    with pytest.raises(Exception, match="a folder stands"):
        await backend.rename([("/p/b.jsonl", "/p/c.jsonl")], overwrite=True)
    assert look(root) == {"p/b.jsonl": b"a", "p/c.jsonl/inside": b"{}\n"}


def failing(function: Callable[..., None], number: int, code: int) -> Callable[..., None]:
    """Return a system call that is refused at its `number`-th time, from 1."""
    calls = 0

    def call(*arguments: object, **options: object) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            raise OSError(code, "refused")
        function(*arguments, **options)

    return call


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["system_rename", "rename", "link", "unlink", "replace"])
@pytest.mark.parametrize("number", range(1, 7))
@pytest.mark.parametrize("code", [errno.EPERM, errno.EACCES])
async def test_a_move_that_fails_anywhere_leaves_everything_as_it_was(
    backend: DirectoryBackend,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    number: int,
    code: int,
    overwrite: bool,
) -> None:
    put(root / "p" / "a.jsonl", b"a")
    put(root / "p" / "a" / "1.log", b"1")
    put(root / "p" / "a" / "2.log", b"2")
    if overwrite:
        put(root / "q" / "b.jsonl", b"b")
        put(root / "q" / "b" / "1.log", b"b1")
    before = look(root), names(root)
    moves = [
        ("/p/a.jsonl", "/q/b.jsonl"),
        ("/p/a/1.log", "/q/b/1.log"),
        ("/p/a/2.log", "/q/b/2.log"),
    ]
    with monkeypatch.context() as patched:
        module = atomic if name == "system_rename" else os
        if name != "system_rename":  # As where the system knows no such step.
            patched.setattr(atomic, "_function", lambda: None)
        patched.setattr(module, name, failing(getattr(module, name), number, code))
        try:
            await backend.rename(moves, overwrite=overwrite)
        except AccessError:
            assert (look(root), names(root)) == before
            return
    assert look(root) | {} == {"q/b.jsonl": b"a", "q/b/1.log": b"1", "q/b/2.log": b"2"} | {
        name: data for name, data in look(root).items() if name.endswith(".tmp")
    }


async def test_a_move_that_died_half_way_is_finished_by_the_next(
    backend: DirectoryBackend, root: Path
) -> None:
    file = put(root / "p" / "a.jsonl", b"a")
    os.link(file, root / "p" / "b.jsonl")
    await backend.rename([("/p/a.jsonl", "/p/b.jsonl")])
    assert look(root) == {"p/b.jsonl": b"a"}


async def test_a_move_onto_itself_does_nothing(backend: DirectoryBackend, root: Path) -> None:
    put(root / "p" / "a.jsonl", b"a")
    await backend.rename([("/p/a.jsonl", "/p/a.jsonl")])
    assert look(root) == {"p/a.jsonl": b"a"}
    with pytest.raises(SessionNotFoundError):
        await backend.rename([("/p/b.jsonl", "/p/b.jsonl")])


async def test_no_session_gets_the_name_of_a_backup(backend: DirectoryBackend, root: Path) -> None:
    put(root / "p" / "a.jsonl", b"a")
    put(root / "p" / "a.jsonl.1.bak", b"old")
    with pytest.raises(InvalidPathError, match="backup"):
        await backend.rename([("/p/a.jsonl", "/p/b.jsonl.x.bak")])
    await backend.rename([("/p/a.jsonl", "/p/b.jsonl"), ("/p/a.jsonl.1.bak", "/p/b.jsonl.1.bak")])
    assert look(root) == {"p/b.jsonl": b"a", "p/b.jsonl.1.bak": b"old"}


async def test_links_and_pipes_in_a_sidecar_move_and_go_as_themselves(
    backend: DirectoryBackend, root: Path
) -> None:
    outside = put(root.parent / "outside", b"kept")
    put(root / "p" / "a.jsonl", b"a")
    (root / "p" / "a").mkdir()
    (root / "p" / "a" / "link").symlink_to(outside)
    os.mkfifo(root / "p" / "a" / "pipe")
    await backend.rename(
        [
            ("/p/a.jsonl", "/p/b.jsonl"),
            ("/p/a/link", "/p/b/link"),
            ("/p/a/pipe", "/p/b/pipe"),
        ]
    )
    assert (root / "p" / "b" / "link").is_symlink()
    assert (root / "p" / "b" / "pipe").is_fifo()
    await backend.delete(["/p/b.jsonl", "/p/b/link", "/p/b/pipe"])
    assert names(root) == {"p"}
    assert outside.read_bytes() == b"kept"


async def test_a_deletion_takes_what_is_still_there(backend: DirectoryBackend, root: Path) -> None:
    put(root / "p" / "a.jsonl", b"a")
    put(root / "p" / "a" / "draft.txt")
    put(root / "p" / "a" / "deep" / "er" / "x.log")
    put(root / "p" / "b.jsonl", b"b")
    await backend.delete(
        ["/p/a.jsonl", "/p/a/draft.txt", "/p/a/gone", "/p/gone/x", "/p/a/deep/er/x.log"]
    )
    assert names(root) == {"p", "p/b.jsonl"}
    with pytest.raises(SessionNotFoundError):
        await backend.delete(["/p/a.jsonl", "/p/b.jsonl"])
    assert names(root) == {"p", "p/b.jsonl"}


async def test_a_deletion_keeps_a_sidecar_that_is_not_empty(
    backend: DirectoryBackend, root: Path
) -> None:
    put(root / "p" / "a.jsonl", b"a")
    put(root / "p" / "a" / "kept.log")
    await backend.delete(["/p/a.jsonl"])
    assert names(root) == {"p", "p/a", "p/a/kept.log"}


def test_between_two_disks_a_file_is_copied_whole(tmp_path: Path) -> None:
    done = run_script(
        """
        import subprocess
        root = Path(sys.argv[1])
        (root / "disk").mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "none", root / "disk"], check=True)
        data = os.urandom(3_000_000)
        file = root / "a.jsonl"
        file.write_bytes(data)
        file.chmod(0o640)
        os.utime(file, ns=(1, 1_234_567_890_123_456_789))
        async def main():
            backend = DirectoryBackend(root, trash_root=root.parent / "trash")
            await backend.rename([("/a.jsonl", "/disk/p/b.jsonl")])
            moved = root / "disk" / "p" / "b.jsonl"
            print(file.exists(), moved.read_bytes() == data, oct(moved.stat().st_mode))
            print(moved.stat().st_mtime_ns, os.listdir(moved.parent))
            file.write_bytes(b"new")
            try:
                await backend.rename([("/disk/p/b.jsonl", "/a.jsonl")])
            except SessionExistsError as error:
                print(error)
            await backend.rename([("/disk/p/b.jsonl", "/a.jsonl")], overwrite=True)
            print(moved.exists(), file.read_bytes() == data, sorted(os.listdir(root)))
            await backend.aclose()
        asyncio.run(main())
        """,
        tmp_path,
        within=with_mounts(),
    )
    assert done.stdout.splitlines() == [
        "False True 0o100640",
        "1234567890123456789 ['b.jsonl']",
        "a session already has this path: /a.jsonl",
        "False True ['a.jsonl', 'disk']",
    ]


@pytest.mark.parametrize("target", ["/p/.b.jsonl", "/.q/b.jsonl", "/q/.r/s/b.jsonl"])
async def test_a_session_is_not_renamed_to_where_it_would_not_be_listed(
    backend: DirectoryBackend, root: Path, target: str
) -> None:
    put(root / "p" / "a.jsonl", b"a")
    put(root / "p" / "a" / ".hidden", b"h")
    before = look(root), names(root)
    artifact = target.removesuffix(".jsonl") + "/.hidden"
    with pytest.raises(InvalidPathError, match="begins with a dot"):
        await backend.rename([("/p/a.jsonl", target), ("/p/a/.hidden", artifact)])
    assert (look(root), names(root)) == before
    await backend.rename([("/p/a.jsonl", "/p/b.jsonl"), ("/p/a/.hidden", "/p/b/.hidden")])
    assert look(root) == {"p/b.jsonl": b"a", "p/b/.hidden": b"h"}


@pytest.fixture
def one_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk on which capital and small letters are the same, as on most Macs.

    There is none to be had here; what the calls find is what such a disk finds.
    """

    def folding(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(name: Any, *arguments: Any, dir_fd: int | None = None, **options: Any) -> Any:
            if dir_fd is not None and isinstance(name, str):
                with os.scandir(dir_fd) as entries:
                    known = [entry.name for entry in entries]
                same = [one for one in known if one.casefold() == name.casefold()]
                name = name if name in same or not same else same[0]
            return function(name, *arguments, dir_fd=dir_fd, **options)

        return call

    for name in ("stat", "open", "mkdir", "unlink"):
        monkeypatch.setattr(os, name, folding(getattr(os, name)))


@pytest.mark.usefixtures("one_case")
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("target", ["/p/A.jsonl", "/P/a.jsonl", "/P/A.jsonl", "/p/B.jsonl"])
async def test_another_spelling_of_a_name_on_a_disk_that_folds_case_is_refused(
    backend: DirectoryBackend, root: Path, target: str, overwrite: bool
) -> None:
    put(root / "p" / "a.jsonl", b"a")
    put(root / "p" / "b.jsonl", b"b")
    with pytest.raises(InvalidPathError, match="another spelling"):
        await backend.rename([("/p/a.jsonl", target)], overwrite=overwrite)
    assert look(root) == {"p/a.jsonl": b"a", "p/b.jsonl": b"b"}


@pytest.mark.usefixtures("one_case")
async def test_other_moves_work_on_a_disk_that_folds_case(
    backend: DirectoryBackend, root: Path
) -> None:
    put(root / "p" / "a.jsonl", b"a")
    await backend.rename([("/p/a.jsonl", "/q/a.jsonl")])
    await backend.rename([("/q/a.jsonl", "/q/c.jsonl")])
    assert look(root) == {"q/c.jsonl": b"a"}
