"""The trash of a folder: what goes in comes back exactly."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from msgspec import structs

from sessiontui.errors import (
    InvalidPathError,
    SessionExistsError,
    SessionNotFoundError,
    StorageError,
)
from sessiontui.storage.directory.backend import DirectoryBackend
from tests.unit.directory_support import add, names, put, run_script, scanned, with_mounts
from tests.unit.directory_trash_support import (
    DAY,
    KEEP,
    NOW,
    PATHS,
    Clock,
    exactly,
    fill,
    item,
    move,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


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


async def test_a_session_goes_and_comes_back_exactly(
    backend: DirectoryBackend, root: Path, tmp_path: Path
) -> None:
    before = exactly(root)
    sidecar_ns = (root / "p" / "a").stat().st_mtime_ns
    inode = (root / "p" / "a.jsonl").stat().st_ino
    await backend.trash(item())
    assert names(root) == {"p", "p/b.jsonl"}
    assert await backend.trashed() == [item()]
    assert await backend.restore(item().id) == item()
    assert exactly(root) == before
    assert (root / "p" / "a").stat().st_mtime_ns == sidecar_ns
    assert (root / "p" / "a.jsonl").stat().st_ino == inode
    assert await backend.trashed() == []
    assert {name for name in names(tmp_path / "trash") if not name.endswith(".lock")} == {
        folder.name for folder in (tmp_path / "trash").iterdir()
    }


async def test_the_trash_is_for_the_owner_alone_and_nothing_in_it_looks_like_a_session(
    backend: DirectoryBackend, tmp_path: Path
) -> None:
    await backend.trash(item())
    trash = tmp_path / "trash"
    for file in (trash, *trash.rglob("*")):
        assert ".jsonl" not in file.name
        assert not file.name.endswith(".bak")
        if file.is_dir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o700
    (manifest,) = trash.rglob("manifest.json")
    assert stat.S_IMODE(manifest.stat().st_mode) == 0o600
    told = json.loads(manifest.read_text())
    assert [record["path"] for record in told["files"]] == [path[1:] for path in PATHS]


async def test_what_an_agent_still_writes_is_restored_too(
    backend: DirectoryBackend, root: Path
) -> None:
    agent = os.open(root / "p" / "a.jsonl", os.O_WRONLY | os.O_APPEND)
    await backend.trash(item())
    os.write(agent, b"late\n")
    os.close(agent)
    await backend.restore(item().id)
    assert (root / "p" / "a.jsonl").read_bytes() == b"session\nlate\n"


async def test_artifacts_that_are_gone_are_no_hindrance(
    backend: DirectoryBackend, root: Path
) -> None:
    thrown = item(paths=(*PATHS, "/p/a/gone.log", "/q/gone.log"))
    await backend.trash(thrown)
    assert await backend.restore(thrown.id) == thrown
    assert set(await scanned(backend)) == {"/p/a.jsonl", "/p/a/worker/w.jsonl", "/p/b.jsonl"}


async def test_a_missing_session_moves_nothing(backend: DirectoryBackend, root: Path) -> None:
    before = exactly(root)
    with pytest.raises(SessionNotFoundError):
        await backend.trash(item(paths=("/p/none.jsonl", "/p/b.jsonl")))
    assert exactly(root) == before
    assert await backend.trashed() == []
    for unknown in ("1790000000000-none", "none"):
        with pytest.raises(SessionNotFoundError):
            await backend.restore(unknown)


@pytest.mark.parametrize("item_id", ["", ".", "..", "../x", "a/b", "a~gone", ".lock", "a\n"])
async def test_an_id_is_no_way_out_of_the_trash(backend: DirectoryBackend, item_id: str) -> None:
    with pytest.raises(InvalidPathError):
        await backend.trash(item(item_id))
    with pytest.raises(InvalidPathError):
        await backend.restore(item_id)


async def test_the_same_id_is_not_taken_twice(backend: DirectoryBackend, root: Path) -> None:
    await backend.trash(item())
    fill(root)
    before = exactly(root)
    with pytest.raises(StorageError, match="already"):
        await backend.trash(item())
    assert exactly(root) == before


@pytest.mark.parametrize("taken", PATHS)
async def test_a_taken_place_restores_nothing(
    backend: DirectoryBackend, root: Path, taken: str
) -> None:
    before = exactly(root)
    await backend.trash(item())
    put(root / taken[1:], b"new owner\n")
    meanwhile = exactly(root)
    with pytest.raises(SessionExistsError) as exists:
        await backend.restore(item().id)
    assert exists.value.path == taken
    assert exactly(root) == meanwhile
    await backend.delete([taken])
    await backend.restore(item().id)
    assert exactly(root) == before


async def test_items_are_listed_newest_first_and_expire(
    backend: DirectoryBackend, root: Path, clock: Clock, tmp_path: Path
) -> None:
    await backend.trash(item("1790000000001-a"))
    await backend.trash(item("1790000000002-b", paths=("/p/b.jsonl",)))
    assert [thrown.id for thrown in await backend.trashed()] == [
        "1790000000002-b",
        "1790000000001-a",
    ]
    clock.now = NOW + KEEP
    assert len(await backend.trashed()) == 2
    clock.now += DAY - 1
    assert len(await backend.trashed()) == 2
    clock.now += 1
    assert await backend.trashed() == []
    assert not list((tmp_path / "trash").rglob("manifest.json"))
    with pytest.raises(SessionNotFoundError):
        await backend.restore("1790000000001-a")


async def test_a_clock_that_is_ahead_for_one_look_empties_no_trash(
    backend: DirectoryBackend, root: Path, clock: Clock
) -> None:
    await backend.trash(item())
    for _ in range(3):
        clock.now = NOW + KEEP + 10 * DAY
        assert len(await backend.trashed()) == 1
        clock.now = NOW + DAY
        assert await backend.trashed() == [item()]
    await backend.restore(item().id)
    assert (root / "p" / "a.jsonl").read_bytes() == b"session\n"


async def test_what_was_deleted_under_a_clock_that_was_behind_is_kept_as_long_as_anything(
    backend: DirectoryBackend, root: Path, clock: Clock
) -> None:
    """The file was written in 2026, and the clock said 2020 when it was deleted."""
    put(root / "p" / "a.jsonl", b"session\n", mtime_ns=NOW * 1_000_000)
    past = NOW - 6 * 365 * DAY
    clock.now = past
    thrown = structs.replace(item(), deleted_ms=past, expires_ms=past + KEEP)
    await backend.trash(thrown)
    for day in range(31):
        clock.now = NOW + day * DAY
        [kept] = await backend.trashed()
        assert kept.expires_ms == NOW + KEEP
    clock.now += DAY
    assert await backend.trashed() == []


async def test_an_old_session_deleted_under_such_a_clock_stays_for_a_day_of_use(
    backend: DirectoryBackend, clock: Clock
) -> None:
    past = NOW - 6 * 365 * DAY
    clock.now = past
    await backend.trash(structs.replace(item(), deleted_ms=past, expires_ms=past + KEEP))
    clock.now = NOW
    for _ in range(3):
        assert len(await backend.trashed()) == 1
    clock.now += DAY - 1
    await backend.restore((await backend.trashed())[0].id)


async def test_a_mark_that_is_damaged_costs_nothing(
    backend: DirectoryBackend, clock: Clock, tmp_path: Path
) -> None:
    await backend.trash(item())
    clock.now = NOW + KEEP
    await backend.trashed()
    [mark] = (tmp_path / "trash").rglob("expired")
    mark.write_bytes(b"\xff")
    clock.now += DAY
    assert len(await backend.trashed()) == 1
    clock.now += DAY
    assert await backend.trashed() == []


async def test_a_deletion_removes_what_expired_where_nobody_looks(
    root: Path, clock: Clock, tmp_path: Path
) -> None:
    for path, now in (("/p/a.jsonl", NOW), ("/p/b.jsonl", NOW + KEEP)):
        opened = DirectoryBackend(root, trash_root=tmp_path / "trash", clock=clock)
        clock.now = now
        await opened.trash(item(f"{now}-a", paths=(path,)))
        await opened.aclose()
    fill(root)
    clock.now = NOW + KEEP + DAY
    last = DirectoryBackend(root, trash_root=tmp_path / "trash", clock=clock)
    await last.trash(item(f"{clock.now}-a"))
    assert not list((tmp_path / "trash").rglob(f"{NOW}-a"))
    assert len(await last.trashed()) == 2
    await last.aclose()


async def test_names_that_are_no_utf_8_come_back(backend: DirectoryBackend, root: Path) -> None:
    path = "/p/\udcff.jsonl"
    await backend.append(path, b"x\n", mtime_ms=5)
    await backend.trash(item(paths=(path,)))
    assert (await backend.trashed())[0].path == path
    await backend.restore(item().id)
    assert path in await scanned(backend)


async def test_a_trash_is_of_one_root_however_it_is_opened(
    backend: DirectoryBackend, root: Path, tmp_path: Path, clock: Clock
) -> None:
    await backend.trash(item())
    (tmp_path / "other").mkdir()
    other = DirectoryBackend(tmp_path / "other", trash_root=tmp_path / "trash", clock=clock)
    assert await other.trashed() == []
    await other.aclose()
    absolute = DirectoryBackend(root, absolute=True, trash_root=tmp_path / "trash", clock=clock)
    (listed,) = await absolute.trashed()
    assert listed.path == str(root / "p" / "a.jsonl")
    await absolute.restore(listed.id)
    await absolute.aclose()
    assert (root / "p" / "a.jsonl").is_file()


async def test_the_list_is_there_while_the_root_is_not(
    backend: DirectoryBackend, root: Path
) -> None:
    await backend.trash(item())
    elsewhere = move(root, root.with_name("elsewhere"))
    assert await backend.trashed() == [item()]
    move(elsewhere, root)
    await backend.restore(item().id)


async def test_the_trash_never_lies_under_the_root(root: Path, clock: Clock) -> None:
    backend = DirectoryBackend(root, trash_root=root / "trash", clock=clock)
    await backend.trash(item())
    assert not (root / "trash").exists()
    assert (root.parent / ".sessiontui-trash").is_dir()
    await backend.restore(item().id)
    await backend.aclose()


async def test_damaged_items_are_left_alone(
    backend: DirectoryBackend, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await backend.trash(item())
    (manifest,) = (tmp_path / "trash").rglob("manifest.json")
    whole = manifest.read_bytes()
    for damaged in (b"{", b"[]", whole.replace(b'"version": 1', b'"version": 2')):
        manifest.write_bytes(damaged)
        assert await backend.trashed() == []
        with pytest.raises(SessionNotFoundError):
            await backend.restore(item().id)
    assert "manifest" in caplog.text
    manifest.write_bytes(whole)
    await backend.restore(item().id)


@pytest.mark.parametrize("path", ["../outside.jsonl", "p/../../x", "/etc/x", "p//a.jsonl", ""])
@pytest.mark.parametrize("kind", ["files", "folders"])
async def test_a_manifest_leads_nowhere_outside(
    backend: DirectoryBackend, root: Path, tmp_path: Path, path: str, kind: str
) -> None:
    await backend.trash(item())
    (manifest,) = (tmp_path / "trash").rglob("manifest.json")
    told = json.loads(manifest.read_text())
    told[kind][0]["path"] = path
    manifest.write_text(json.dumps(told))
    assert await backend.trashed() == []
    with pytest.raises(SessionNotFoundError):
        await backend.restore(item().id)
    assert names(root) == {"p", "p/b.jsonl"}
    assert (manifest.parent / "0").read_bytes() == b"session\n"


async def test_an_item_that_lost_its_session_is_not_said_to_be_restored(
    backend: DirectoryBackend, root: Path, tmp_path: Path
) -> None:
    await backend.trash(item())
    (file,) = (tmp_path / "trash").rglob("0")
    elsewhere = move(file, tmp_path / "elsewhere")
    with pytest.raises(SessionNotFoundError) as missing:
        await backend.restore(item().id)
    assert missing.value.path == PATHS[0]
    assert names(root) == {"p", "p/b.jsonl"}
    assert await backend.trashed() == [item()]
    move(elsewhere, file)
    await backend.restore(item().id)
    assert (root / "p" / "a.jsonl").read_bytes() == b"session\n"


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on another disk than `tmp_path`."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second disk to write to")
    folder = Path(tempfile.mkdtemp(dir=memory, prefix="sessiontui-test-"))
    yield folder
    shutil.rmtree(folder)


async def test_a_root_on_another_disk_has_its_trash_beside_it(
    other_disk: Path, tmp_path: Path, clock: Clock
) -> None:
    root = other_disk / "sessions"
    fill(root)
    before = exactly(root)
    inode = (root / "p" / "a.jsonl").stat().st_ino
    backend = DirectoryBackend(root, trash_root=tmp_path / "trash", clock=clock)
    await backend.trash(item())
    assert (other_disk / ".sessiontui-trash").is_dir()
    assert not (tmp_path / "trash").exists()
    assert await backend.trashed() == [item()]
    await backend.restore(item().id)
    assert exactly(root) == before
    assert (root / "p" / "a.jsonl").stat().st_ino == inode
    await backend.aclose()


def test_where_the_root_is_a_disk_of_its_own_files_are_copied(tmp_path: Path) -> None:
    root = tmp_path / "disk"
    root.mkdir()
    done = run_script(
        """
        import subprocess
        root = Path(sys.argv[1])
        subprocess.run(["mount", "-t", "tmpfs", "none", root], check=True)
        data = os.urandom(3_000_000)
        file = root / "p" / "a.jsonl"
        file.parent.mkdir()
        file.write_bytes(data)
        file.chmod(0o640)
        os.utime(file, ns=(1, 1_234_567_890_123_456_789))
        async def main():
            trash = root.parent / "trash"
            backend = DirectoryBackend(root, trash_root=trash)
            stats = (Stat("/p/a.jsonl", len(data), 1),)
            await backend.trash(TrashItem("1-a", "/p/a.jsonl", stats, 1, 2**50))
            print(file.exists(), sorted(os.listdir(next(trash.glob("*/1-a")))))
            await backend.restore("1-a")
            found = file.stat()
            print(file.read_bytes() == data, oct(found.st_mode), found.st_mtime_ns)
            print(os.listdir(file.parent), list(trash.glob("*/1-a*")))
            await backend.aclose()
        asyncio.run(main())
        """,
        root,
        within=with_mounts(),
    )
    assert done.stdout.splitlines() == [
        "False ['0', 'manifest.json']",
        "True 0o100640 1234567890123456789",
        "['a.jsonl'] []",
    ]


async def test_a_trash_that_another_process_keeps_is_waited_for_only_so_long(
    backend: DirectoryBackend, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessiontui.storage.directory.trash._BUSY_S", 0.1)
    await backend.trash(item())
    (file,) = (tmp_path / "trash").rglob(".lock")
    with file.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        other = item("2-b", paths=("/p/b.jsonl",))
        for work in (backend.trashed(), backend.restore(item().id), backend.trash(other)):
            with pytest.raises(StorageError, match="another sessiontui is using the trash"):
                await work
    assert await backend.trashed() == [item()]
    await backend.restore(item().id)


def test_a_trash_that_can_only_be_read_is_listed(root: Path, tmp_path: Path) -> None:
    done = run_script(
        """
        import subprocess
        root, trash = map(Path, sys.argv[1:])
        async def main():
            backend = DirectoryBackend(root, trash_root=trash, clock=lambda: 9)
            for name, expires in (("a", 2**50), ("b", 10)):
                stats = (Stat(f"/p/{name}.jsonl", 8, 1),)
                await backend.trash(TrashItem(f"1-{name}", stats[0].path, stats, 1, expires))
            await backend.aclose()
            subprocess.run(["mount", "--bind", trash, trash], check=True)
            subprocess.run(["mount", "-o", "remount,ro,bind", trash], check=True)
            backend = DirectoryBackend(root, trash_root=trash, clock=lambda: 10)
            print([item.id for item in await backend.trashed()])
            try:
                await backend.restore("1-a")
            except AccessError as error:
                print(error)
            await backend.aclose()
        asyncio.run(main())
        """,
        root,
        tmp_path / "trash",
        within=with_mounts(),
    )
    listed, refused = done.stdout.splitlines()
    assert listed == "['1-b', '1-a']"  # What has expired stays until it is removed.
    assert "read-only" in refused


async def test_two_processes_share_a_trash(
    backend: DirectoryBackend, root: Path, tmp_path: Path, clock: Clock
) -> None:
    second = DirectoryBackend(root, trash_root=tmp_path / "trash", clock=clock)
    await backend.trash(item("1-a"))
    add(put(root / "p" / "a.jsonl", b"again"), b"\n")
    await second.trash(item("2-a", paths=PATHS[:1]))
    assert [thrown.id for thrown in await backend.trashed()] == ["2-a", "1-a"]
    await backend.restore("2-a")
    with pytest.raises(SessionExistsError):
        await second.restore("1-a")
    await second.aclose()
