"""What belongs to many sessions, found in one scan: the same as for each alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sessiontui.errors import InvalidPathError
from sessiontui.storage.artifacts import find_all_artifacts, find_artifacts, outermost_sessions
from sessiontui.storage.directory.backend import DirectoryBackend
from sessiontui.storage.memory import MemoryBackend, MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sessiontui.storage.backend import ScanBatch

SESSIONS = (
    "/p/a.jsonl",
    "/p/a.jsonl.b.jsonl",
    "/p/ab.jsonl",
    "/p/.jsonl.jsonl",
    "/q/a.jsonl",
    "/r/deep/er/a.jsonl",
    "/top.jsonl",
)
BESIDE = (
    "/p/a/draft.txt",
    "/p/a/1.bash.log",
    "/p/a/Task.jsonl",
    "/p/a/Task/Task.Sub.jsonl",
    "/p/a.jsonl.1.bak",
    "/p/.a.jsonl.lock",
    "/p/.a.jsonl.lock.os",
    "/p/.a.jsonl.7.tmp",
    "/p/.ab.jsonl.7.tmp",
    "/p/ab/draft.txt",
    "/p/abc/draft.txt",
    "/p/a.jsonl.other",
    "/q/a/draft.txt",
    "/r/deep/er/a/x/y/z.log",
    "/top/draft.txt",
    "/other/top/draft.txt",
)


class Counting(MemoryBackend):
    scans = 0

    async def scan_under(self, prefix: str) -> AsyncIterator[ScanBatch]:
        self.scans += 1
        async for batch in super().scan_under(prefix):
            yield batch


def filled() -> Counting:
    store = MemoryStore()
    for path in (*SESSIONS, *BESIDE):
        store.write(path, path.encode())
    return Counting(store)


async def test_each_session_gets_what_it_gets_alone_in_one_scan() -> None:
    backend = filled()
    alone = {path: await find_artifacts(backend, path) for path in SESSIONS}
    backend.scans = 0
    assert await find_all_artifacts(backend, SESSIONS) == alone
    assert backend.scans == 1
    assert len(alone["/p/a.jsonl"]) == 9


async def test_a_backup_of_two_belongs_to_the_one_whose_name_is_longer() -> None:
    backend = filled()
    backup = "/p/a.jsonl.b.jsonl.2.bak"
    backend.store.write(backup, b"")
    found = await find_all_artifacts(backend, SESSIONS)
    assert [path for path, stats in found.items() for stat in stats if stat.path == backup] == [
        "/p/a.jsonl.b.jsonl"
    ]


async def test_sessions_of_some_folders_of_a_folder(tmp_path: Path) -> None:
    for path in (*SESSIONS, *BESIDE):
        file = tmp_path / "root" / path[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    backend = DirectoryBackend(tmp_path / "root", trash_root=tmp_path / "trash")
    try:
        for chosen in (SESSIONS[:3], ("/p/ab.jsonl", "/q/a.jsonl"), SESSIONS):
            alone = {path: await find_artifacts(backend, path) for path in chosen}
            assert await find_all_artifacts(backend, chosen) == alone
    finally:
        await backend.aclose()


async def test_gone_ones_are_left_out_and_those_inside_others_are_part_of_them() -> None:
    backend = filled()
    chosen = ["/p/a/Task/Task.Sub.jsonl", "/p/gone.jsonl", "/p/a.jsonl", "/p/a/Task.jsonl"]
    found = await find_all_artifacts(backend, chosen)
    assert list(found) == ["/p/a.jsonl"]
    assert found["/p/a.jsonl"] == await find_artifacts(backend, "/p/a.jsonl")
    assert await find_all_artifacts(backend, ["/p/gone.jsonl"]) == {}
    assert outermost_sessions(["/p/a.jsonl", "/p/b.jsonl", "/p/a.jsonl"]) == [
        "/p/a.jsonl",
        "/p/b.jsonl",
    ]


async def test_what_is_no_session_is_refused() -> None:
    with pytest.raises(InvalidPathError):
        await find_all_artifacts(filled(), ["/p/a.jsonl", "/p/a/draft.txt"])
