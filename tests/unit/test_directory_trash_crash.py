"""The trash of a folder after what went wrong in the middle: crashes, refusals, full disks."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from sessiontui.errors import (
    AccessError,
    StorageError,
)
from sessiontui.storage.directory import atomic
from sessiontui.storage.directory.backend import DirectoryBackend
from tests.unit.directory_support import names, put, run_script, with_mounts
from tests.unit.directory_trash_support import (
    NOW,
    PATHS,
    Clock,
    exactly,
    fill,
    item,
    move,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a session, its artifacts, and an empty folder between them."""
    folder = tmp_path / "sessions"
    fill(folder)
    return folder


@pytest_asyncio.fixture
async def backend(root: Path, tmp_path: Path, clock: Clock) -> AsyncIterator[DirectoryBackend]:
    opened = DirectoryBackend(root, trash_root=tmp_path / "trash", clock=clock)
    yield opened
    await opened.aclose()


@pytest.mark.parametrize("step", ["write", "fsync"])
async def test_a_full_disk_leaves_nothing_half_done(
    backend: DirectoryBackend,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    step: str,
) -> None:
    before = exactly(root)
    await backend.trashed()
    with monkeypatch.context() as patched:
        patched.setattr(os, step, refusing(getattr(os, step), 1, errno.ENOSPC))
        with pytest.raises(StorageError, match="full"):
            await backend.trash(item())
    assert exactly(root) == before
    assert [name for name in names(tmp_path / "trash") if "~" in name] == []
    await backend.trash(item())
    assert caplog.text == ""


async def test_what_is_strange_in_the_trash_is_told_of_once(
    backend: DirectoryBackend, root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await backend.trash(item())
    place = next((tmp_path / "trash").rglob("manifest.json")).parent.parent
    (place / "1-empty~moving").mkdir()
    put(place / "2-part~moving" / "manifest.json.part", b"{")
    strange = [put(place / "stray"), put(place / "file~moving"), place / "3-lost~moving"]
    put(strange[2] / "0", b"a session")
    for _ in range(2):
        assert await backend.trashed() == [item()]
    assert len(caplog.records) == len(strange)
    assert all(file.exists() for file in strange)
    assert not [name for name in names(place) if "empty" in name or "part" in name]


def refusing(function: Callable[..., None], number: int, code: int) -> Callable[..., None]:
    """Return a system call that is refused at its `number`-th time, from 1."""
    calls = 0

    def call(*arguments: object, **options: object) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            raise OSError(code, "refused")
        function(*arguments, **options)

    return call


@pytest.mark.parametrize("code", [errno.EPERM, errno.EACCES])
@pytest.mark.parametrize("number", [1, 2, 3])
async def test_what_is_refused_in_the_middle_is_undone(
    backend: DirectoryBackend,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    code: int,
) -> None:
    before = exactly(root)
    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", refusing(os.rename, number, code))
        with pytest.raises(AccessError):
            await backend.trash(item())
    assert exactly(root) == before
    assert await backend.trashed() == []
    await backend.trash(item())
    with monkeypatch.context() as patched:
        patched.setattr(os, "link", refusing(os.link, number, code))
        patched.setattr(os, "replace", refusing(os.replace, 1, code))
        patched.setattr(atomic, "system_rename", refusing(atomic.system_rename, 1, code))
        with pytest.raises(AccessError):
            await backend.restore(item().id)
    assert names(root) == {"p", "p/b.jsonl"}
    assert await backend.trashed() == [item()]
    await backend.restore(item().id)
    assert exactly(root) == before


CRASH = """
    import json
    calls = 0
    def dying(function, last):
        def call(*arguments, **options):
            global calls
            calls += 1
            if calls == last:
                os._exit(7)
            return function(*arguments, **options)
        return call
    async def work(root, kind):
        backend = DirectoryBackend(root, trash_root=root + "-trash", clock=lambda: %d)
        if kind == "trash":
            stats = tuple(Stat(path, 8, 1_234) for path in json.loads(%r))
            await backend.trash(TrashItem(%r, stats[0].path, stats, %d, 2**50))
        else:
            await backend.restore(%r)
        await backend.aclose()
    for number, root in enumerate(sys.argv[2:], 1):
        child = os.fork()
        if child == 0:
            for name in ("rename", "link", "unlink", "replace", "rmdir", "mkdir"):
                setattr(os, name, dying(getattr(os, name), number))
            asyncio.run(work(root, sys.argv[1]))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize("kind", ["trash", "restore"])
async def test_a_crash_at_any_step_is_finished_or_undone(
    tmp_path: Path, clock: Clock, kind: str
) -> None:
    """Processes die at the first, the second … call that changes anything, the last at none."""
    roots = [tmp_path / str(number) for number in range(1, 21)]
    before: list[dict[str, tuple[object, ...]]] = []
    backends: list[DirectoryBackend] = []
    for root in roots:
        fill(root)
        before.append(exactly(root))
        backends.append(DirectoryBackend(root, trash_root=f"{root}-trash", clock=clock))
        if kind == "restore":
            await backends[-1].trash(item())
    done = run_script(CRASH % (NOW, json.dumps(PATHS), item().id, NOW, item().id), kind, *roots)
    codes = [int(code) for code in done.stdout.split()]
    assert codes[0] == 7
    assert codes[-1] == 0
    outcomes = set()
    for root, backend, was in zip(roots, backends, before, strict=True):
        listed = await backend.trashed()
        outcomes.add(bool(listed))
        if listed:
            assert names(root) == {"p", "p/b.jsonl"}
            await backend.restore(item().id)
        assert exactly(root) == was
        assert await backend.trashed() == []
        left = names(root.with_name(f"{root.name}-trash"))
        assert [name for name in left if "~" in name or item().id in name] == []
        await backend.aclose()
    assert outcomes == {True, False}


CRASH_ON_ANOTHER_DISK = """
    import subprocess
    FILES = {
        "p/a.jsonl": b"session" * 999, "p/a/draft.txt": b"draft", "p/a/worker/w.jsonl": b"worker"
    }
    calls = 0
    def dying(function, last, after):
        def call(*arguments, **options):
            global calls
            calls += 1
            if calls != last:
                return function(*arguments, **options)
            try:
                if after:
                    function(*arguments, **options)
            finally:
                os._exit(7)
        return call
    def backend(root):
        return DirectoryBackend(root, trash_root=str(root) + "-trash")
    async def trash(root):
        stats = tuple(Stat("/" + name, len(data), 1_234) for name, data in FILES.items())
        opened = backend(root)
        await opened.trash(TrashItem("1-a", stats[0].path, stats, 1, 2**50))
        await opened.aclose()
    async def restore(root):
        opened = backend(root)
        await opened.restore("1-a")
        await opened.aclose()
    def found(root):
        return {str(file.relative_to(root)): file.read_bytes()
                for file in root.rglob("*") if file.is_file()}
    async def check(root):
        opened = backend(root)
        if await opened.trashed():
            assert found(root) == {}, found(root)
            await opened.restore("1-a")
        assert found(root) == FILES, found(root)
        assert await opened.trashed() == []
        await opened.aclose()
        left = [name for name in found(Path(str(root) + "-trash")) if not name.endswith(".lock")]
        assert left == [], left
    def crashed(root, work, number, after):
        root.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "none", root], check=True)
        for name, data in FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)
        if work is restore:
            asyncio.run(trash(root))
        child = os.fork()
        if child == 0:
            for name in ("rename", "link", "unlink", "replace", "rmdir", "mkdir", "write", "fsync"):
                setattr(os, name, dying(getattr(os, name), number, after))
            asyncio.run(work(root))
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    work, after = {"trash": trash, "restore": restore}[sys.argv[2]], sys.argv[3] == "after"
    number, code = 0, 7
    while code == 7:
        number += 1
        root = Path(sys.argv[1], str(number))
        code = crashed(root, work, number, after)
        asyncio.run(check(root))
    print(number > 10, code)
"""


@pytest.mark.parametrize("kind", ["trash", "restore"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_any_step_between_two_disks_is_finished_or_undone(
    tmp_path: Path, kind: str, when: str
) -> None:
    done = run_script(CRASH_ON_ANOTHER_DISK, tmp_path, kind, when, within=with_mounts())
    assert done.stdout.split() == ["True", "0"]


async def test_a_new_file_that_got_the_inode_of_a_deleted_one_costs_nobody_anything(
    backend: DirectoryBackend, root: Path, tmp_path: Path
) -> None:
    """As between two disks: the copy stands in the trash, the original is gone, then a crash."""
    await backend.trash(item())
    new = put(root / "p" / "a.jsonl", b"new\n")
    (manifest,) = (tmp_path / "trash").rglob("manifest.json")
    told = json.loads(manifest.read_text())
    told["files"][0].update(device=new.stat().st_dev, inode=new.stat().st_ino)
    manifest.write_text(json.dumps(told))
    move(manifest.parent, manifest.parent.with_name(f"{item().id}~moving"))
    assert await backend.trashed() == [item()]
    assert new.read_bytes() == b"new\n"
    new.unlink()
    await backend.restore(item().id)
    assert new.read_bytes() == b"session\n"


async def test_a_copy_beside_a_place_is_removed_only_where_it_is_one(
    backend: DirectoryBackend, root: Path, tmp_path: Path
) -> None:
    await backend.trash(item())
    (manifest,) = (tmp_path / "trash").rglob("manifest.json")
    move(manifest.parent, manifest.parent.with_name(f"{item().id}~restoring"))
    dead = f"{2**22 + 1:x}-0.tmp"
    ours = put(root / "p" / f".a.jsonl.{dead}", b"sess")
    others = [
        put(root / "p" / f".b.jsonl.{dead}", b"sess"),
        put(root / "p" / f".a.jsonl.{os.getpid():x}-99.tmp", b"sess"),
        put(root / "p" / ".a.jsonl.tmp", b"sess"),
        put(root / "p" / f".sessiontui.{dead}", b"something else"),
    ]
    assert await backend.trashed() == []
    assert (root / "p" / "a.jsonl").is_file()
    assert not ours.exists()
    assert all(other.exists() for other in others)
