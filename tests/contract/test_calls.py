"""Every call of the contract, when nothing goes wrong."""

from __future__ import annotations

import asyncio
import errno
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from sessiontui.errors import (
    SessionNotFoundError,
    StorageError,
    WriteConflictError,
)
from sessiontui.storage import MemorySessionStorage
from sessiontui.storage.backend import Range

if TYPE_CHECKING:
    from sessiontui.storage import SessionStorage
    from tests.contract.worlds import World

A = "/p/a.jsonl"
B = "/p/b.jsonl"


async def test_a_written_session_is_shown_at_once_and_stored_by_drain(
    storage: SessionStorage, world: World
) -> None:
    storage.write_text_sync(A, "one\n")
    assert storage.exists_sync(A)
    assert storage.stat_sync(A).size == 4
    assert storage.pending == 1
    await storage.drain()
    assert storage.pending == 0
    assert await world.peer.data(A) == b"one\n"
    assert await world.peer.mtime_ms(A) == storage.stat_sync(A).mtime_ms


async def test_text_is_read_back_also_while_it_is_pending(storage: SessionStorage) -> None:
    storage.write_text_sync(A, "één\n")
    assert storage.read_text_sync(A) == "één\n"
    assert await storage.read_text(A) == "één\n"
    await storage.drain()
    assert await storage.read_text(A) == "één\n"


async def test_synchronous_reads_work_where_contents_are_resident_and_else_say_what_to_do(
    world: World,
) -> None:
    await world.peer.append(A, b"one\n")
    storage = await world.open()
    if world.contents == "resident":
        assert storage.read_text_sync(A) == "one\n"
    else:
        with pytest.raises(StorageError, match="await read_text"):
            storage.read_text_sync(A)


async def test_what_is_there_before_is_loaded_with_its_time(world: World) -> None:
    await world.peer.append(A, b"one\n")
    storage = await world.open()
    assert storage.stat_sync(A).size == 4
    assert storage.stat_sync(A).mtime_ms == await world.peer.mtime_ms(A)
    assert await storage.exists(A)
    assert not await storage.exists(B)


async def test_the_time_of_a_session_is_aware(storage: SessionStorage) -> None:
    storage.write_text_sync(A, "")
    stat = storage.stat_sync(A)
    assert stat.mtime == datetime.fromtimestamp(stat.mtime_ms / 1000, UTC)
    assert stat.mtime.tzinfo is UTC


async def test_times_rise_strictly_within_one_millisecond(storage: SessionStorage) -> None:
    times = []
    for number in range(50):
        storage.write_text_sync(f"/p/{number}.jsonl", "x")
        times.append(storage.stat_sync(f"/p/{number}.jsonl").mtime_ms)
    assert times == sorted(set(times))


async def test_times_lie_above_every_loaded_one(world: World) -> None:
    await world.peer.append(A, b"one\n")
    first = await world.open()
    await first.write_text(B, "future")
    future = first.stat_sync(B).mtime_ms
    second = await world.open()
    second.write_text_sync(A, "two\n")
    assert second.stat_sync(A).mtime_ms > future


@pytest.mark.parametrize("call", ["stat_sync", "read_text_sync"])
async def test_a_missing_session_is_a_file_not_found(storage: SessionStorage, call: str) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        getattr(storage, call)(A)
    assert isinstance(caught.value, SessionNotFoundError)
    assert caught.value.errno == errno.ENOENT
    assert caught.value.path == A


@pytest.mark.parametrize("call", ["read_text", "unlink", "delete_session_with_artifacts"])
async def test_a_missing_session_is_a_file_not_found_for_awaited_calls_too(
    storage: SessionStorage, call: str
) -> None:
    with pytest.raises(SessionNotFoundError):
        await getattr(storage, call)(A)


async def test_only_direct_children_that_match_are_listed(storage: SessionStorage) -> None:
    for path in ("/p/a.jsonl", "/p/b.txt", "/p/q/c.jsonl", "/pp/d.jsonl"):
        storage.write_text_sync(path, "x")
    assert sorted(storage.list_files_sync("/p", "*")) == ["/p/a.jsonl", "/p/b.txt"]
    assert storage.list_files_sync("/p/", "*.jsonl") == ["/p/a.jsonl"]
    assert storage.list_files_sync("/p", "b.txt") == ["/p/b.txt"]
    assert storage.list_files_sync("/", "*") == []


async def test_ensuring_a_folder_changes_nothing(storage: SessionStorage, world: World) -> None:
    storage.ensure_dir_sync("/p")
    await storage.drain()
    assert await world.peer.paths() == set()


async def test_sizes_are_bytes_also_of_what_is_no_utf8(world: World) -> None:
    await world.peer.append(A, b"\xff\xfe ok\n")
    storage = await world.open()
    assert storage.stat_sync(A).size == 6
    assert await storage.read_text(A) == "\ufffd\ufffd ok\n"
    assert await storage.read_range(A, 0, None) == b"\xff\xfe ok\n"


async def test_a_prefix_cut_inside_a_character_gives_one_replacement_per_cut(
    storage: SessionStorage,
) -> None:
    await storage.write_text(A, "x😀y")
    assert [await storage.read_text_prefix(A, size) for size in range(-1, 7)] == [
        "",
        "",
        "x",
        "x\ufffd",
        "x\ufffd",
        "x\ufffd",
        "x😀",
        "x😀y",
    ]


async def test_ranges_are_cut_to_what_is_there(storage: SessionStorage) -> None:
    await storage.write_text(A, "0123456789")
    assert await storage.read_range(A, 2, 5) == b"234"
    assert await storage.read_range(A, -3, None) == b"789"
    assert await storage.read_range(A, 8, 99) == b"89"
    assert await storage.read_range(A, 99, None) == b""
    assert await storage.read_range(A, 5, 2) == b""


async def test_many_ranges_are_read_at_once_and_missing_sessions_are_none(
    storage: SessionStorage,
) -> None:
    await storage.write_text(A, "0123456789")
    assert await storage.read_many([Range(A, 0, 2), Range(B, 0, 2), Range(A, -2)]) == [
        b"01",
        None,
        b"89",
    ]


async def test_half_a_surrogate_pair_is_written_as_a_replacement(storage: SessionStorage) -> None:
    await storage.write_text(A, "a\ud800b")
    assert await storage.read_text(A) == "a\ufffdb"


async def test_a_write_with_the_expected_size_goes_through(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, "one", expected_size=-1)
    await storage.write_text(A, "", expected_size=3)
    await storage.write_text(A, "two", expected_size=0)
    assert await world.peer.data(A) == b"two"


async def test_a_write_with_another_size_is_a_conflict_and_changes_nothing(
    storage: SessionStorage, world: World
) -> None:
    with pytest.raises(WriteConflictError) as missing:
        await storage.write_text(A, "new", expected_size=0)
    assert missing.value.actual_size is None
    assert not storage.exists_sync(A)
    await storage.write_text(A, "one")
    before = storage.stat_sync(A)
    with pytest.raises(WriteConflictError) as conflict:
        await storage.write_text(A, "four", expected_size=-1)
    assert conflict.value.actual_size == 3
    assert storage.stat_sync(A) == before
    assert await world.peer.data(A) == b"one"
    await storage.drain()


async def test_rename_moves_bytes_and_time(storage: SessionStorage, world: World) -> None:
    await storage.write_text(A, "one\n")
    before = storage.stat_sync(A)
    await storage.rename(A, B)
    assert not storage.exists_sync(A)
    assert storage.stat_sync(B) == before
    assert await storage.read_text(B) == "one\n"
    assert await world.peer.data(A) is None
    assert await world.peer.mtime_ms(B) == before.mtime_ms


async def test_rename_of_a_missing_session_touches_nothing(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(B, "b")
    with pytest.raises(SessionNotFoundError):
        await storage.rename(A, B, overwrite=True)
    assert await world.peer.data(B) == b"b"


async def test_unlink_removes_a_session(storage: SessionStorage, world: World) -> None:
    await storage.write_text(A, "one\n")
    await storage.unlink(A)
    assert not storage.exists_sync(A)
    assert await world.peer.data(A) is None
    assert await world.peer.mtime_ms(A) is None


async def test_the_index_holds_every_session_once(storage: SessionStorage) -> None:
    storage.write_text_sync(A, "one")
    await storage.write_text(B, "three")
    storage.write_text_sync(B, "thirteen")
    assert {stat.path: stat.size for stat in storage.stats()} == {A: 3, B: 8}
    assert len(storage.stats()) == 2


def test_synchronous_writes_need_a_running_loop_and_say_so() -> None:
    with asyncio.Runner() as runner:
        storage = runner.run(MemorySessionStorage.create())
        writer = storage.open_writer(A)
        with pytest.raises(RuntimeError, match=r"write_text_sync .* running event loop"):
            storage.write_text_sync(A, "x")
        with pytest.raises(RuntimeError, match=r"write_line_sync .* running event loop"):
            writer.write_line_sync("x\n")
        with pytest.raises(RuntimeError, match=r"open_writer .* running event loop"):
            storage.open_writer(A, "w")
        assert not storage.exists_sync(A)
        runner.run(storage.aclose())


@pytest.mark.parametrize("flags", ["x", "r", "wb", "", "A"])
async def test_unknown_flags_of_a_writer_are_refused_and_touch_nothing(
    storage: SessionStorage, world: World, flags: Any
) -> None:
    await storage.write_text(A, "kept\n")
    with pytest.raises(ValueError, match=f"flags must be 'a' or 'w', not {flags!r}"):
        storage.open_writer(A, flags)
    await storage.drain()
    assert await world.peer.data(A) == b"kept\n"


@pytest.mark.parametrize("contents", ["all", "", None])
async def test_an_unknown_policy_for_contents_is_refused(contents: Any) -> None:
    with pytest.raises(ValueError, match=r"contents must be 'resident' or 'on_demand', not "):
        await MemorySessionStorage.create(contents=contents)


async def test_a_closed_storage_refuses_to_write(world: World) -> None:
    storage = await world.open()
    await storage.aclose()
    await storage.aclose()
    with pytest.raises(StorageError, match="closed"):
        storage.write_text_sync(A, "x")


async def test_closing_waits_for_what_is_pending(world: World) -> None:
    async with await world.open() as storage:
        storage.write_text_sync(A, "one\n")
    assert await world.peer.data(A) == b"one\n"
