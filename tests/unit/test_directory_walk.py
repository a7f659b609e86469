"""Which files of a folder are sessions, and what is said of the others."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from sessiontui.errors import InvalidPathError
from sessiontui.storage.backend import Stat
from sessiontui.storage.directory.backend import DirectoryBackend
from tests.unit.directory_support import (
    batches,
    open_files,
    put,
    run_script,
    scanned,
    without_rights,
)

if TYPE_CHECKING:
    from pathlib import Path


async def test_sessions_and_those_of_subagents_are_listed_and_nothing_else(
    backend: DirectoryBackend, root: Path
) -> None:
    put(root / "-code-app" / "a.jsonl", b"12345", mtime_ns=1_700_000_000_123_999_999)
    for name in (
        "a/worker.jsonl",
        "a/worker/worker.child.jsonl",
        "a/worker.md",
        "a/1.bash.log",
        "a/draft.txt",
        "a/.draft-only-session",
        "a.jsonl.1.bak",
        ".a.jsonl.lock",
        ".a.jsonl.lock.os",
        ".a.jsonl.1.tmp",
        ".hidden.jsonl",
        ".versions/a.jsonl",
        "a.jsonl.gz",
    ):
        put(root / "-code-app" / name)
    put(root / "top.jsonl")
    found = await scanned(backend)
    assert set(found) == {
        "/-code-app/a.jsonl",
        "/-code-app/a/worker.jsonl",
        "/-code-app/a/worker/worker.child.jsonl",
        "/top.jsonl",
    }
    assert found["/-code-app/a.jsonl"] == Stat("/-code-app/a.jsonl", 5, 1_700_000_000_123)
    assert [batch.warnings for batch in await batches(backend)] == [()]


async def test_what_is_passed_over_is_named_and_safe_to_show(
    backend: DirectoryBackend, root: Path
) -> None:
    put(root / "folder.jsonl" / "inside.jsonl")
    os.mkfifo(root / "pipe\x1b]0;x.jsonl")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(root / "socket.jsonl"))
    listener.close()
    (root / "link.jsonl").symlink_to(put(root.parent / "outside.jsonl"))
    (root / "dangling.jsonl").symlink_to("nowhere")
    (root / "up").symlink_to(root.parent)
    (root / "loop").symlink_to(root)
    (root / "log").symlink_to(root.parent / "outside.jsonl")
    (root / "circle").symlink_to("circle")
    (root / "through").symlink_to(root.parent / "outside.jsonl" / "x")
    (batch,) = await batches(backend)
    assert [stat.path for stat in batch.stats] == ["/folder.jsonl/inside.jsonl"]
    assert sorted(batch.warnings) == [
        "passed over (a folder): /folder.jsonl",
        "passed over (a pipe): /pipe\u241b]0;x.jsonl",
        "passed over (a socket): /socket.jsonl",
        "passed over (a symbolic link to a folder): /loop",
        "passed over (a symbolic link to a folder): /up",
        "passed over (a symbolic link): /dangling.jsonl",
        "passed over (a symbolic link): /link.jsonl",
    ]


async def test_batches_come_while_the_folder_is_read(backend: DirectoryBackend, root: Path) -> None:
    file = put(root / "file")
    for folder in range(10):
        (root / str(folder)).mkdir()
        for number in range(450):
            os.link(file, root / str(folder) / f"{number}.jsonl")
    sizes = [len(batch.stats) for batch in await batches(backend)]
    assert sum(sizes) == 4_500
    assert sizes[0] == 200
    assert max(sizes) == 4_000


async def test_a_scan_may_be_left_early(backend: DirectoryBackend, root: Path) -> None:
    for number in range(300):
        put(root / f"{number}.jsonl")
    assert len(await scanned(backend)) == 300
    before = open_files()
    scan = backend.scan()
    assert len((await anext(scan)).stats) == 200
    await scan.aclose()
    assert open_files() == before
    assert len(await scanned(backend)) == 300


async def test_everything_that_begins_with_a_prefix_is_found(
    backend: DirectoryBackend, root: Path
) -> None:
    for name in (
        "p/a.jsonl",
        "p/a/draft.txt",
        "p/a/.draft-only-session",
        "p/a/worker/x.log",
        "p/a.jsonl.1.bak",
        "p/ab.jsonl",
        "p/.a.jsonl.lock",
        "q/a.jsonl",
    ):
        put(root / name)
    (root / "p" / "a" / "link").symlink_to("/etc/passwd")
    os.mkfifo(root / "p" / "a" / "pipe")

    async def under(prefix: str) -> set[str]:
        found = await batches(backend, prefix)
        return {stat.path for batch in found for stat in batch.stats}

    assert await under("/p/a/") == {
        "/p/a/draft.txt",
        "/p/a/.draft-only-session",
        "/p/a/worker/x.log",
        "/p/a/link",
        "/p/a/pipe",
    }
    assert await under("/p/a.jsonl") == {"/p/a.jsonl", "/p/a.jsonl.1.bak"}
    assert await under("/p/.a.jsonl") == {"/p/.a.jsonl.lock"}
    assert await under("/p/a") == {
        "/p/a.jsonl",
        "/p/a.jsonl.1.bak",
        "/p/ab.jsonl",
    } | await under("/p/a/")
    assert await under("/") == await under("") == await under("/p/") | await under("/q/")
    assert await under("/none/a") == await under("/p/a.jsonl/") == set()
    with pytest.raises(InvalidPathError):
        await under("/../")
    assert await under("/p/a/worker/..") == set()


async def test_prefixes_are_real_paths_where_paths_are(root: Path, tmp_path: Path) -> None:
    backend = DirectoryBackend(root, absolute=True, trash_root=tmp_path / "trash")
    put(root / "p" / "a.jsonl")
    put(root / "p" / "a" / "draft.txt")
    for prefix, count in ((f"{root}/p/a/", 1), (f"{root}/", 2), (str(root), 2), ("", 2), ("/", 2)):
        assert sum(len(batch.stats) for batch in await batches(backend, prefix)) == count
    with pytest.raises(InvalidPathError):
        await batches(backend, f"{root}x/")
    await backend.aclose()


async def test_a_tree_deeper_than_any_path_ends_in_a_warning(
    backend: DirectoryBackend, root: Path
) -> None:
    above = os.open(root, os.O_RDONLY)
    for _ in range(70):
        os.mkdir("deep", dir_fd=above)
        below = os.open("deep", os.O_RDONLY, dir_fd=above)
        os.close(above)
        above = below
        os.close(os.open("s.jsonl", os.O_CREAT | os.O_WRONLY, dir_fd=above))
    os.close(above)
    (batch,) = await batches(backend)
    assert len(batch.stats) == 63
    assert batch.warnings == (
        "passed over (more than 64 folders deep): /" + "/".join(["deep"] * 64),
    )


def test_what_this_user_may_not_look_at_is_named_and_hides_no_other(tmp_path: Path) -> None:
    root = tmp_path / "sessions"
    put(root / "listed" / "b.jsonl")
    put(root / "open" / "a.jsonl")
    put(tmp_path / "closed" / "c.jsonl")
    (root / "open" / "link").symlink_to(tmp_path / "closed" / "folder")
    (tmp_path / "closed").chmod(0)
    (root / "listed").chmod(0o444)
    done = run_script(
        """
        root = sys.argv[1]
        async def main():
            backend = DirectoryBackend(root, trash_root=root + "-trash")
            async for batch in backend.scan():
                print([stat.path for stat in batch.stats], *batch.warnings, sep="\\n")
            await backend.aclose()
        asyncio.run(main())
        """,
        root,
        within=without_rights(),
    )
    (root / "listed").chmod(0o755)
    (tmp_path / "closed").chmod(0o755)
    assert done.stdout.splitlines() == [
        "['/open/a.jsonl']",
        "passed over: no permission: /listed/b.jsonl",
    ]
