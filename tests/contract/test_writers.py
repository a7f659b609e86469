"""Writers: what they create, what they wait for, and how their first error sticks."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

import pytest

from sessiontui.errors import AccessError, SessionExistsError, WriterClosedError
from sessiontui.formats import omp
from sessiontui.formats.title_slot import SLOT_BYTES, field_of_slot, parse_slot
from tests.waiting import until

if TYPE_CHECKING:
    from sessiontui.storage import SessionStorage
    from tests.contract.worlds import World

A = "/p/a.jsonl"
B = "/p/b.jsonl"


async def test_an_adding_writer_creates_nothing_before_its_first_line(
    storage: SessionStorage, world: World
) -> None:
    writer = storage.open_writer(A)
    await writer.flush()
    assert not storage.exists_sync(A)
    await writer.write_line("1\n")
    assert storage.exists_sync(A)
    await writer.close()
    assert await world.peer.data(A) == b"1\n"


async def test_a_session_is_begun_where_omp_looks_for_it(
    storage: SessionStorage, world: World
) -> None:
    storage._clock = lambda: 1_790_000_000_123
    writer = await storage.begin("/home/me/code/app", title="Fix it\nnow", home="/home/me")
    folder, _, name = writer.path.rpartition("/")
    assert folder == f"{storage.root}/-code-app"
    session_id = re.fullmatch(r"2026-09-21T14-13-20-123Z_([0-9a-f-]{36})\.jsonl", name)
    assert session_id is not None
    await writer.write_line("{}\n")
    data = await world.peer.data(writer.path) or b""
    slot = parse_slot(data)
    assert slot is not None
    assert (slot.title, slot.source, slot.exact) == ("Fix it", "auto", True)
    header, line, _ = data[SLOT_BYTES:].split(b"\n")
    assert json.loads(header) == {
        "type": "session",
        "version": 3,
        "id": session_id[1],
        "timestamp": "2026-09-21T14:13:20.123Z",
        "cwd": "/home/me/code/app",
    }
    assert line == b"{}"
    if world.peer.has_titles:
        assert await world.peer.title(writer.path) == field_of_slot(data)
    assert await storage.update_session_title(writer.path, "Another", source="auto")
    other = await storage.begin("/home/me/code/app", home="/home/me")
    assert other.path != writer.path


async def test_a_session_is_never_begun_over_another(
    storage: SessionStorage, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(omp, "new_session_id", lambda *_: "twin")
    storage._clock = lambda: 1_790_000_000_123
    path = f"{storage.root}/apart/-tmp-x/2026-09-21T14-13-20-123Z_twin.jsonl"
    await world.peer.append(path, b"a peer's\n")
    with pytest.raises(SessionExistsError) as caught:
        await storage.begin("/tmp/x", root=f"{storage.root}/apart")
    assert caught.value.path == path
    assert await world.peer.data(path) == b"a peer's\n"


async def test_a_session_needs_an_absolute_folder(storage: SessionStorage) -> None:
    with pytest.raises(ValueError, match="cwd must be an absolute path, not 'code'"):
        await storage.begin("code")
    assert storage.stats() == []


async def test_an_emptying_writer_shows_size_zero_at_once(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, "old")
    writer = storage.open_writer(A, "w")
    assert storage.stat_sync(A).size == 0
    await writer.close()
    assert await world.peer.data(A) == b""


async def test_lines_are_shown_at_once_and_flushed_in_order(
    storage: SessionStorage, world: World
) -> None:
    writer = storage.open_writer(A)
    for number in range(100):
        writer.write_line_sync(f"{number}\n")
        assert storage.stat_sync(A).size == sum(len(str(n)) + 1 for n in range(number + 1))
    await writer.fsync()
    assert await world.peer.data(A) == b"".join(b"%d\n" % number for number in range(100))
    assert await world.peer.mtime_ms(A) == storage.stat_sync(A).mtime_ms


async def test_the_first_error_sticks_and_is_told_once(
    storage: SessionStorage, world: World
) -> None:
    told: list[Exception] = []
    writer = storage.open_writer(A, on_error=told.append)
    await writer.write_line("1\n")
    world.flaky.faults.append(AccessError("refused"))
    with pytest.raises(AccessError):
        await writer.write_line("2\n")
    with pytest.raises(AccessError):
        writer.write_line_sync("3\n")
    with pytest.raises(AccessError):
        await writer.flush()
    with pytest.raises(AccessError):
        await writer.close()
    await writer.close()
    assert [type(error) for error in told] == [AccessError]
    assert writer.get_error() is told[0]
    assert await world.peer.data(A) == b"1\n"
    with pytest.raises(AccessError):
        await storage.drain()


async def test_a_new_writer_works_after_another_has_failed(
    storage: SessionStorage, world: World
) -> None:
    world.flaky.faults.append(AccessError("refused"))
    with pytest.raises(AccessError):
        await storage.open_writer(A).write_line("lost\n")
    await storage.open_writer(A).write_line("1\n")
    assert await world.peer.data(A) == b"1\n"
    with pytest.raises(AccessError):
        await storage.drain()


async def test_no_line_is_written_behind_a_missing_one(
    storage: SessionStorage, world: World
) -> None:
    world.flaky.faults.append(AccessError("refused"))
    world.flaky.open.clear()
    writer, other = storage.open_writer(A), storage.open_writer(A)
    writer.write_line_sync("lost\n")
    await until(lambda: world.flaky.waiting)
    writer.write_line_sync("behind it\n")
    other.write_line_sync("another writer's\n")
    world.flaky.open.set()
    with pytest.raises(AccessError):
        await storage.drain()
    assert await world.peer.data(A) == b"another writer's\n"
    assert await storage.read_text(A) == "another writer's\n"


async def test_emptying_that_fails_stops_the_writer(storage: SessionStorage, world: World) -> None:
    await storage.write_text(A, "kept")
    world.flaky.faults.append(AccessError("refused"))
    writer = storage.open_writer(A, "w")
    writer.write_line_sync("1\n")
    with pytest.raises(AccessError):
        await writer.flush()
    with pytest.raises(AccessError):
        await storage.drain()
    assert await world.peer.data(A) == b"kept"
    assert storage.stat_sync(A).size == 4


async def test_a_closed_writer_refuses_lines(storage: SessionStorage) -> None:
    writer = storage.open_writer(A)
    await writer.close()
    with pytest.raises(WriterClosedError):
        writer.write_line_sync("1\n")
    with pytest.raises(WriterClosedError):
        await writer.write_line("1\n")


async def test_close_waits_for_queued_lines(storage: SessionStorage, world: World) -> None:
    writer = storage.open_writer(A)
    world.flaky.open.clear()
    writer.write_line_sync("1\n")
    closing = asyncio.create_task(writer.close())
    await until(lambda: world.flaky.waiting)
    assert not closing.done()
    world.flaky.open.set()
    await closing
    assert await world.peer.data(A) == b"1\n"


async def test_ten_thousand_lines_through_a_rename_and_a_delete_end_as_the_calls_say(
    storage: SessionStorage, world: World
) -> None:
    writer = storage.open_writer(A)
    for number in range(5000):
        writer.write_line_sync(f"{number}\n")
    renaming = asyncio.create_task(storage.rename(A, B))
    await asyncio.sleep(0)
    for number in range(5000, 10_000):
        writer.write_line_sync(f"{number}\n")
    await renaming
    await writer.flush()
    assert await world.peer.data(B) == b"".join(b"%d\n" % number for number in range(10_000))
    writer.write_line_sync("late\n")
    await storage.unlink(B)
    assert await world.peer.paths() == set()
