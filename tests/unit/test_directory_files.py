"""Reading and changing single files of a folder, beside agents that do the same."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from sessiontui.errors import (
    InvalidPathError,
    OutcomeUnknownError,
    SessionNotFoundError,
    WriteConflictError,
    WrongTypeError,
)
from sessiontui.storage.backend import Range, Stat
from sessiontui.storage.directory import atomic
from sessiontui.storage.directory.io import set_mtime
from tests.unit.directory_support import (
    PROJECT,
    add,
    names,
    no_leftovers,
    put,
    run_script,
    with_mounts,
    without_rights,
)

if TYPE_CHECKING:
    from pathlib import Path

    from sessiontui.storage.directory.backend import DirectoryBackend

A = "/p/a.jsonl"


async def test_an_append_makes_file_and_folders_for_the_owner_alone(
    backend: DirectoryBackend, root: Path
) -> None:
    assert await backend.append("/p/q/a.jsonl", b"one\n", mtime_ms=1_700_000_000_123) == Stat(
        "/p/q/a.jsonl", 4, 1_700_000_000_123
    )
    file = root / "p" / "q" / "a.jsonl"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.parent.parent.stat().st_mode) == 0o700
    assert file.stat().st_mtime_ns == 1_700_000_000_123 * 1_000_000
    assert (await backend.append("/p/q/a.jsonl", b"two\n", mtime_ms=9)).size == 8
    assert file.read_bytes() == b"one\ntwo\n"


async def test_an_append_says_where_its_own_bytes_end(
    backend: DirectoryBackend, root: Path
) -> None:
    file = put(root / "p" / "a.jsonl", b"one\n")
    add(file, b"peer\n")
    assert (await backend.append(A, b"two\n", mtime_ms=9)).size == 13
    assert (await backend.append(A, b"", mtime_ms=10)) == Stat(A, 13, 10)


async def test_lines_of_a_peer_and_ours_do_not_mix(backend: DirectoryBackend, root: Path) -> None:
    file = put(root / "p" / "a.jsonl", b"")
    line = "x" * 3_000
    peer = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c"),
        "import os, sys\n"
        "file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)\n"
        "for number in range(1000):\n"
        "    os.write(file, f'peer {number} {sys.argv[2]}\\n'.encode())\n",
        *(str(file), line),
        cwd=PROJECT,
    )
    for number in range(500):
        await backend.append(A, f"ours {number} {line}\n".encode(), mtime_ms=number)
    assert await peer.wait() == 0
    found = file.read_text().splitlines()
    assert [words for words in found if words.startswith("ours")] == [
        f"ours {number} {line}" for number in range(500)
    ]
    assert [words for words in found if words.startswith("peer")] == [
        f"peer {number} {line}" for number in range(1000)
    ]
    assert len(found) == 1500


async def test_an_append_to_a_file_that_is_replaced_meanwhile_has_an_unknown_outcome(
    backend: DirectoryBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(root / "p" / "a.jsonl", b"one\n")

    def meanwhile(descriptor: int, mtime_ms: int) -> None:
        put(file.with_name(".a.jsonl.1.tmp"), b"rewritten\n").replace(file)
        set_mtime(descriptor, mtime_ms)

    monkeypatch.setattr("sessiontui.storage.directory.files.set_mtime", meanwhile)
    with pytest.raises(OutcomeUnknownError, match="replaced it meanwhile"):
        await backend.append(A, b"two\n", mtime_ms=9)
    assert file.read_bytes() == b"rewritten\n"


def test_a_line_that_does_not_fit_on_the_disk_is_taken_back(tmp_path: Path) -> None:
    done = run_script(
        """
        import subprocess
        disk = Path(sys.argv[1])
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], check=True)
        async def main():
            backend = DirectoryBackend(disk, trash_root=disk / "trash")
            file = disk / "a.jsonl"
            await backend.append("/a.jsonl", b"a" * 40_000, mtime_ms=1)
            for refused in (
                backend.append("/a.jsonl", b"b" * 60_000, mtime_ms=2),
                backend.write("/a.jsonl", b"b" * 60_000, mtime_ms=2),
                backend.prepend("/a.jsonl", b"b", expected_size=40_000, mtime_ms=2, title=b""),
            ):
                try:
                    await refused
                except StorageError as error:
                    print(type(error).__name__, error)
                print(file.read_bytes() == b"a" * 40_000, sorted(os.listdir(disk)))
            await backend.append("/a.jsonl", b"c", mtime_ms=2)
            print(file.stat().st_size)
            await backend.aclose()
        asyncio.run(main())
        """,
        tmp_path,
        within=with_mounts(),
    )
    assert done.stdout.splitlines() == [
        "WritesRefusedError the disk is full: /a.jsonl",
        "True ['a.jsonl']",
    ] * 3 + ["40001"]


def test_half_a_line_is_left_where_another_line_follows_it(tmp_path: Path) -> None:
    done = run_script(
        """
        import resource
        file = Path(sys.argv[1]) / "a.jsonl"
        file.write_bytes(b"one\\n")
        resource.setrlimit(resource.RLIMIT_FSIZE, (8, resource.RLIM_INFINITY))
        write = os.write
        def interrupted(descriptor, data):
            count = write(descriptor, data)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            with file.open("ab") as peer:
                peer.write(b"peer\\n")
            resource.setrlimit(resource.RLIMIT_FSIZE, (8, resource.RLIM_INFINITY))
            return count
        async def main():
            backend = DirectoryBackend(file.parent, trash_root=file.parent / "trash")
            os.write = interrupted
            try:
                await backend.append("/a.jsonl", b"two and more\\n", mtime_ms=1)
            except StorageError as error:
                os.write = write
                print(error)
            await backend.aclose()
        asyncio.run(main())
        """,
        tmp_path,
    )
    assert done.stdout == "the file would grow larger than the system allows: /a.jsonl\n"
    assert (tmp_path / "a.jsonl").read_bytes() == b"one\ntwo peer\n"


def test_missing_rights_are_told_in_plain_words(tmp_path: Path) -> None:
    root = tmp_path / "sessions"
    put(root / "p" / "a.jsonl", b"one\n").chmod(0o400)
    put(root / "p" / "hidden.jsonl").chmod(0o200)
    put(root / "closed" / "b.jsonl")
    (root / "closed").chmod(0)
    (root / "p").chmod(0o500)
    done = run_script(
        """
        async def main():
            backend = DirectoryBackend(sys.argv[1], trash_root=sys.argv[1] + "-trash")
            async for batch in backend.scan():
                print([stat.path for stat in batch.stats], *sorted(batch.warnings), sep="\\n")
            for refused in (
                backend.append("/p/a.jsonl", b"x", mtime_ms=1),
                backend.append("/p/new.jsonl", b"x", mtime_ms=1),
                backend.write("/p/a.jsonl", b"x", mtime_ms=1),
                backend.delete(["/p/a.jsonl"]),
                backend.rename([("/p/a.jsonl", "/q/a.jsonl")]),
            ):
                try:
                    await refused
                except AccessError as error:
                    print(error)
            print(await backend.read([Range("/p/a.jsonl", 0), Range("/p/hidden.jsonl", 0)]))
            print(await backend.read([Range("/closed/b.jsonl", 0)]))
            await backend.aclose()
        asyncio.run(main())
        """,
        root,
        within=without_rights(),
    )
    (root / "closed").chmod(0o700)
    (root / "p").chmod(0o700)
    assert done.stdout.splitlines() == [
        "['/p/a.jsonl']",
        "passed over (no permission to read it): /closed",
        "passed over (no permission to read it): /p/hidden.jsonl",
        "no permission: /p/a.jsonl",
        "no permission: /p/new.jsonl",
        "no permission: /p/a.jsonl",
        "no permission: /p/a.jsonl",
        "no permission: /p/a.jsonl",
        "[b'one\\n', None]",
        "[None]",
    ]
    assert not (root / "q").exists()
    assert (root / "p" / "a.jsonl").read_bytes() == b"one\n"


def test_a_disk_that_is_read_only_is_told_in_plain_words(tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", b"one\n")
    done = run_script(
        """
        import subprocess
        folder = sys.argv[1]
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        async def main():
            backend = DirectoryBackend(folder, trash_root=folder + "-trash")
            for refused in (
                backend.append("/a.jsonl", b"x", mtime_ms=1),
                backend.write("/b.jsonl", b"x", mtime_ms=1, expected_size="absent"),
                backend.delete(["/a.jsonl"]),
            ):
                try:
                    await refused
                except AccessError as error:
                    print(error)
            await backend.aclose()
        asyncio.run(main())
        """,
        tmp_path,
        within=with_mounts(),
    )
    assert done.stdout.splitlines() == [
        "the file system is read-only: /a.jsonl",
        "the file system is read-only: /b.jsonl",
        "the file system is read-only: /a.jsonl",
    ]


async def test_a_write_replaces_the_file_and_keeps_its_owner_and_permissions(
    backend: DirectoryBackend, root: Path
) -> None:
    file = put(root / "p" / "a.jsonl", b"old\n")
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 12345, 54321)
    before = file.stat()
    written = await backend.write(A, b"new and longer\n", mtime_ms=1_700_000_000_001)
    after = file.stat()
    assert written == Stat(A, 15, 1_700_000_000_001)
    assert file.read_bytes() == b"new and longer\n"
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    assert after.st_ino != before.st_ino
    assert after.st_mtime_ns == 1_700_000_000_001 * 1_000_000
    assert no_leftovers(root)
    await backend.write("/new/b.jsonl", b"x", mtime_ms=1)
    assert stat.S_IMODE((root / "new" / "b.jsonl").stat().st_mode) == 0o600


async def test_a_write_asks_for_the_size_that_was_seen(
    backend: DirectoryBackend, root: Path
) -> None:
    file = put(root / "p" / "a.jsonl", b"old\n")
    with pytest.raises(WriteConflictError) as conflict:
        await backend.write(A, b"new", mtime_ms=1, expected_size=3)
    assert (conflict.value.expected_size, conflict.value.actual_size) == (3, 4)
    with pytest.raises(WriteConflictError) as conflict:
        await backend.write(A, b"new", mtime_ms=1, expected_size="absent")
    assert (conflict.value.expected_size, conflict.value.actual_size) == (None, 4)
    for missing in ("/p/b.jsonl", "/q/b.jsonl"):
        with pytest.raises(WriteConflictError) as conflict:
            await backend.write(missing, b"new", mtime_ms=1, expected_size=0)
        assert (conflict.value.expected_size, conflict.value.actual_size) == (0, None)
    with pytest.raises(WriteConflictError):
        await backend.prepend("/q/b.jsonl", b"x", expected_size=0, mtime_ms=1, title=b"")
    assert file.read_bytes() == b"old\n"
    assert names(root) == {"p", "p/a.jsonl"}

    await backend.write(A, b"new\n", mtime_ms=1, expected_size=4)
    await backend.write("/p/b.jsonl", b"", mtime_ms=1, expected_size="absent")
    await backend.write("/p/b.jsonl", b"b", mtime_ms=1, expected_size=0)
    assert file.read_bytes() == b"new\n"
    assert (root / "p" / "b.jsonl").read_bytes() == b"b"


@pytest.mark.parametrize("exchange", [True, False])
async def test_what_a_peer_appends_in_the_last_instant_is_not_lost(
    backend: DirectoryBackend, root: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    file = put(root / "p" / "a.jsonl", b"old\n")
    if not exchange:
        monkeypatch.setattr(atomic, "_function", lambda: None)
    module, name = (atomic, "system_rename") if exchange else (os, "replace")
    replace = getattr(module, name)

    def meanwhile(*arguments: Any, **options: Any) -> None:
        add(file, b"peer\n")
        replace(*arguments, **options)

    monkeypatch.setattr(module, name, meanwhile)
    first = await backend.prepend(A, b"slot\n", expected_size=4, mtime_ms=7, title=b"")
    assert first == Stat(A, 9, 7)
    assert file.read_bytes() == b"slot\nold\npeer\n"
    second = await backend.write(A, b"whole\n", mtime_ms=8, expected_size=14)
    assert second == Stat(A, 6, 8)
    assert file.read_bytes() == b"whole\npeer\n"


async def test_a_file_system_without_hard_links_does_as_well(
    backend: DirectoryBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "as FAT says")

    monkeypatch.setattr(os, "link", refused)
    await backend.write(A, b"new\n", mtime_ms=1, expected_size="absent")
    with pytest.raises(WriteConflictError):
        await backend.write(A, b"newer\n", mtime_ms=1, expected_size="absent")
    assert (root / "p" / "a.jsonl").read_bytes() == b"new\n"
    assert no_leftovers(root)


async def test_a_prepend_reads_no_large_session_into_memory(
    backend: DirectoryBackend, root: Path
) -> None:
    size = 48 << 20
    file = root / "p" / "a.jsonl"
    put(file, b"start\n")
    os.truncate(file, size)
    tracemalloc.start()
    try:
        done = await backend.prepend(A, b"slot\n", expected_size=size, mtime_ms=7, title=b"")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert done == Stat(A, size + 5, 7)
    with file.open("rb") as stream:
        assert stream.read(11) == b"slot\nstart\n"
    assert peak < 8 << 20
    assert no_leftovers(root)


async def test_a_patch_changes_bytes_in_place(backend: DirectoryBackend, root: Path) -> None:
    file = put(root / "p" / "a.jsonl", b"0123456789\n")
    inode = file.stat().st_ino
    patched = await backend.patch(A, old=b"0123", new=b"abcd", mtime_ms=7, title="keep")
    assert patched == Stat(A, 11, 7)
    assert file.read_bytes() == b"abcd456789\n"
    assert file.stat().st_ino == inode
    with pytest.raises(WriteConflictError):
        await backend.patch(A, old=b"0123", new=b"wxyz", mtime_ms=8, title="keep")
    with pytest.raises(ValueError, match="keep the length"):
        await backend.patch(A, old=b"abcd", new=b"x", mtime_ms=8, title="keep")
    with pytest.raises(SessionNotFoundError):
        await backend.patch("/p/b.jsonl", old=b"", new=b"", mtime_ms=8, title="keep")
    assert (await backend.patch(A, old=b"", new=b"", mtime_ms=9, title=b"{}")).mtime_ms == 9
    assert file.read_bytes() == b"abcd456789\n"


async def test_ranges_are_read_as_slices(backend: DirectoryBackend, root: Path) -> None:
    put(root / "p" / "a.jsonl", b"0123456789")
    put(root / "p" / "empty.jsonl", b"")
    assert await backend.read(
        [
            Range(A, 0),
            Range(A, 2, 5),
            Range(A, -3),
            Range(A, -30, 2),
            Range(A, 20),
            Range(A, 8, 20),
            Range(A, 5, 2),
            Range("/p/empty.jsonl", -5),
            Range("/p/none.jsonl", 0),
            Range("/q/none.jsonl", 0),
        ]
    ) == [b"0123456789", b"234", b"789", b"01", b"", b"89", b"", b"", None, None]


async def test_a_probe_tells_a_replaced_file_of_the_same_size(
    backend: DirectoryBackend, root: Path
) -> None:
    file = put(root / "p" / "a.jsonl", b"x" * 300, mtime_ns=5_000_000)
    (seen,) = await backend.probe([Range(A, -4)])
    assert seen is not None
    assert seen.stat == Stat(A, 300, 5)
    assert (seen.head, seen.data) == (b"x" * 256, b"xxxx")
    add(file, b"more")
    (grown,) = await backend.probe([Range(A, 300)])
    assert grown is not None
    assert (grown.data, grown.identity) == (b"more", seen.identity)
    put(file.with_name(".a.jsonl.1.tmp"), b"y" * 304).replace(file)
    (replaced,) = await backend.probe([Range(A, 300)])
    assert replaced is not None
    assert replaced.identity != seen.identity


async def test_nothing_but_a_regular_file_is_opened(backend: DirectoryBackend, root: Path) -> None:
    (root / "folder.jsonl").mkdir()
    os.mkfifo(root / "pipe.jsonl")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(root / "socket.jsonl"))
    for path in ("/folder.jsonl", "/pipe.jsonl", "/socket.jsonl"):
        assert await backend.read([Range(path, 0)]) == [None]
        assert await backend.probe([Range(path, 0)]) == [None]
        for refused in (
            backend.append(path, b"x", mtime_ms=1),
            backend.write(path, b"x", mtime_ms=1),
            backend.patch(path, old=b"", new=b"", mtime_ms=1, title="keep"),
            backend.delete([path]),
            backend.rename([(path, "/b.jsonl")]),
        ):
            with pytest.raises(WrongTypeError):
                await refused
    listener.close()


async def test_a_write_to_a_longest_name_finds_a_shorter_one_for_its_temporary_file(
    backend: DirectoryBackend, root: Path
) -> None:
    path = f"/{'n' * 249}.jsonl"
    await backend.write(path, b"x", mtime_ms=1)
    await backend.rename([(path, f"/{'m' * 249}.jsonl")])
    assert names(root) == {f"{'m' * 249}.jsonl"}


async def test_a_change_whose_caller_gave_up_is_over_after_the_fence(
    backend: DirectoryBackend, root: Path
) -> None:
    writing = asyncio.ensure_future(backend.write(A, b"x" * 5_000_000, mtime_ms=1))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await backend.fence()
    before = names(root)
    await backend.fence()
    assert names(root) == before
    assert no_leftovers(root)


async def test_an_invalid_path_is_a_value_error(backend: DirectoryBackend) -> None:
    with pytest.raises(ValueError, match="does not begin") as refused:
        await backend.read([Range("a.jsonl", 0)])
    assert isinstance(refused.value, InvalidPathError)
    assert refused.value.path == "a.jsonl"
