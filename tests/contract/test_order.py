"""The order of the calls is the order in the store: the rows where the seed damages data."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sessiontui.errors import (
    AccessError,
    InvalidPathError,
    SessionExistsError,
    SessionNotFoundError,
    StorageError,
    WriteConflictError,
)
from tests.waiting import until

if TYPE_CHECKING:
    from sessiontui.storage import SessionStorage
    from tests.contract.worlds import World

A = "/p/a.jsonl"
B = "/p/b.jsonl"
C = "/p/c.jsonl"


async def test_appends_and_a_whole_write_in_one_tick_keep_their_order(
    storage: SessionStorage, world: World
) -> None:
    writer = storage.open_writer(A)
    writer.write_line_sync("1\n")
    writer.write_line_sync("2\n")
    storage.write_text_sync(A, "FULL\n")
    writer.write_line_sync("3\n")
    assert await storage.read_text(A) == "FULL\n3\n"
    await storage.drain()
    assert await world.peer.data(A) == b"FULL\n3\n"
    assert await storage.read_text(A) == "FULL\n3\n"


async def test_a_second_writer_that_empties_the_session_does_not_interleave(
    storage: SessionStorage, world: World
) -> None:
    first = storage.open_writer(A)
    first.write_line_sync("old\n")
    second = storage.open_writer(A, "w")
    second.write_line_sync("new\n")
    first.write_line_sync("more\n")
    await storage.drain()
    assert await world.peer.data(A) == b"new\nmore\n"


async def test_appends_that_wait_for_one_session_are_one_command(
    storage: SessionStorage, world: World
) -> None:
    one, other = storage.open_writer(A), storage.open_writer(A)
    for number in range(500):
        (one if number % 2 else other).write_line_sync(f"{number}\n")
    assert storage.pending == 500
    await storage.drain()
    assert await world.peer.data(A) == b"".join(b"%d\n" % number for number in range(500))
    assert len(world.flaky.named("append")) == 1


async def test_sessions_do_not_wait_for_one_another(world: World) -> None:
    storage = await world.open(follow=False)
    world.flaky.faults.append(AccessError("refused"))
    storage.write_text_sync(A, "a")
    storage.write_text_sync(B, "b")
    with pytest.raises(AccessError):
        await storage.drain()
    assert await world.peer.data(B) == b"b"


async def test_rename_takes_the_queued_lines_along(storage: SessionStorage, world: World) -> None:
    writer = storage.open_writer(A)
    writer.write_line_sync("1\n")
    writer.write_line_sync("2\n")
    await storage.rename(A, B)
    await storage.drain()
    assert await world.peer.paths() == {B}
    assert await world.peer.data(B) == b"1\n2\n"


async def test_an_open_writer_follows_a_rename(storage: SessionStorage, world: World) -> None:
    writer = storage.open_writer(A)
    writer.write_line_sync("1\n")
    renaming = asyncio.create_task(storage.rename(A, B))
    await asyncio.sleep(0)
    writer.write_line_sync("2\n")
    assert storage.stat_sync(B).size == 4
    await renaming
    await writer.write_line("3\n")
    await writer.close()
    assert await world.peer.paths() == {B}
    assert await world.peer.data(B) == b"1\n2\n3\n"


async def test_a_failed_rename_leads_its_writer_and_queued_lines_back(
    storage: SessionStorage, world: World
) -> None:
    writer = storage.open_writer(A)
    await writer.write_line("1\n")
    world.flaky.faults.append(AccessError("refused"))
    first = asyncio.create_task(storage.rename(A, B))
    await asyncio.sleep(0)
    writer.write_line_sync("2\n")
    second = asyncio.create_task(storage.rename(B, C))
    await asyncio.sleep(0)
    writer.write_line_sync("3\n")
    outcomes = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [AccessError, SessionNotFoundError]
    await writer.write_line("4\n")
    await storage.drain()
    assert await world.peer.paths() == {A}
    assert await world.peer.data(A) == b"1\n2\n3\n4\n"
    assert await storage.read_text(A) == "1\n2\n3\n4\n"


async def test_a_session_unlinked_with_pending_lines_stays_gone(
    storage: SessionStorage, world: World
) -> None:
    writer = storage.open_writer(A)
    await writer.write_line("1\n")
    writer.write_line_sync("2\n")
    await storage.unlink(A)
    await storage.drain()
    assert await world.peer.paths() == set()
    assert await world.peer.mtime_ms(A) is None
    assert not storage.exists_sync(A)


async def test_unlinking_an_unknown_session_does_not_touch_a_peers(
    storage: SessionStorage, world: World
) -> None:
    await world.peer.append(A, b"peer\n")
    with pytest.raises(SessionNotFoundError):
        await storage.unlink(A)
    assert await world.peer.data(A) == b"peer\n"
    assert world.flaky.named("delete") == []


async def test_rename_onto_a_session_is_refused(storage: SessionStorage, world: World) -> None:
    await storage.write_text(A, "a")
    await storage.write_text(B, "b")
    with pytest.raises(SessionExistsError):
        await storage.rename(A, B)
    assert (await world.peer.data(A), await world.peer.data(B)) == (b"a", b"b")
    assert (await storage.read_text(A), await storage.read_text(B)) == ("a", "b")


async def test_rename_onto_a_session_that_only_the_store_knows_is_refused_and_rolled_back(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, "a")
    await world.peer.append(B, b"peer")
    with pytest.raises(SessionExistsError):
        await storage.rename(A, B)
    assert (await world.peer.data(A), await world.peer.data(B)) == (b"a", b"peer")
    assert await storage.read_text(A) == "a"


async def test_rename_overwrites_where_that_is_asked_for(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, "a")
    await storage.write_text(B, "b")
    await storage.rename(A, B, overwrite=True)
    assert await world.peer.paths() == {B}
    assert await world.peer.data(B) == b"a"
    assert await storage.read_text(B) == "a"


async def test_a_failed_overwriting_rename_restores_both(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, "a")
    await storage.write_text(B, "b")
    world.flaky.faults.append(AccessError("refused"))
    with pytest.raises(AccessError):
        await storage.rename(A, B, overwrite=True)
    assert (await storage.read_text(A), await storage.read_text(B)) == ("a", "b")


@pytest.mark.parametrize("path", ["/notes", "/p/draft.txt", "/p/.jsonl", "/"])
async def test_deleting_with_artifacts_refuses_what_is_no_session(
    storage: SessionStorage, world: World, path: str
) -> None:
    await storage.write_text(A, "a")
    if path != "/":
        await storage.write_text(path, "x")
    before = await world.peer.paths()
    for call in (
        storage.delete_session_with_artifacts(path),
        storage.trash_session(path),
        storage.rename_session_with_artifacts(path, B),
        storage.rename_session_with_artifacts(A, path),
    ):
        with pytest.raises(InvalidPathError):
            await call
    assert await world.peer.paths() == before


async def test_deleting_with_artifacts_finds_those_that_only_the_store_knows(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, "a")
    await storage.write_text("/p/a/draft.txt", "d")
    await storage.write_text("/p/ab.jsonl", "other")
    await world.peer.append("/p/a/sub/agent.jsonl", b"s")
    await world.peer.append("/p/a.jsonl.17.bak", b"backup")
    await world.peer.append("/p/.a.jsonl.lock", b"")
    await world.peer.append("/p/.a.jsonl.9.tmp", b"t")
    await world.peer.append("/p/a.jsonl.bak", b"not ours")
    known = {stat.path for stat in await storage.artifacts(A)}
    assert (await storage.artifacts(A))[0].path == A
    assert "/p/a/sub/agent.jsonl" in known
    await storage.delete_session_with_artifacts(A)
    assert await world.peer.paths() == {"/p/ab.jsonl", "/p/a.jsonl.bak"}
    assert {stat.path for stat in storage.stats()} == {"/p/ab.jsonl"}


async def test_artifacts_move_with_their_session(storage: SessionStorage, world: World) -> None:
    await storage.write_text(A, "a")
    await storage.write_text("/p/a/draft.txt", "d")
    await world.peer.append("/p/a/sub/agent.jsonl", b"s")
    await world.peer.append("/p/a.jsonl.17.bak", b"backup")
    writer = storage.open_writer("/p/a/draft.txt")
    await storage.rename_session_with_artifacts(A, "/q/z.jsonl")
    await writer.write_line("e")
    assert await world.peer.paths() == {
        "/q/z.jsonl",
        "/q/z/draft.txt",
        "/q/z/sub/agent.jsonl",
        "/q/z.jsonl.17.bak",
    }
    assert await world.peer.data("/q/z/draft.txt") == b"de"
    assert await storage.read_text("/q/z/draft.txt") == "de"


async def test_an_artifact_written_after_the_delete_was_asked_for_is_not_deleted(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, "a")
    deleting = asyncio.create_task(storage.delete_session_with_artifacts(A))
    await asyncio.sleep(0)
    storage.write_text_sync("/p/a/draft.txt", "later")
    await deleting
    await storage.drain()
    assert await world.peer.paths() == {"/p/a/draft.txt"}


async def test_refresh_shows_everything_until_the_new_mirror_is_whole(world: World) -> None:
    await world.peer.append(A, b"a")
    storage = await world.open(follow=False)
    await world.peer.append(B, b"b")
    world.flaky.scanning.clear()
    refreshing = asyncio.create_task(storage.refresh())
    await until(lambda: world.flaky.waiting)
    assert storage.exists_sync(A)
    assert not storage.exists_sync(B)
    assert await storage.read_text(A) == "a"
    world.flaky.scanning.set()
    await refreshing
    assert await storage.read_text(A) == "a"
    assert await storage.read_text(B) == "b"


async def test_a_failed_refresh_leaves_the_old_mirror(world: World) -> None:
    await world.peer.append(A, b"a")
    storage = await world.open(follow=False)
    await world.peer.delete(A)
    await world.peer.append(B, b"b")
    world.flaky.scan_error = StorageError("it broke off")
    with pytest.raises(StorageError, match="broke off"):
        await storage.refresh()
    assert {stat.path for stat in storage.stats()} == {A}
    world.flaky.scan_error = None
    await storage.refresh()
    assert {stat.path for stat in storage.stats()} == {B}


async def test_refresh_sees_every_kind_of_change_of_a_peer(world: World) -> None:
    for path in ("/p/gone.jsonl", "/p/grown.jsonl", "/p/other.jsonl", "/p/same.jsonl"):
        await world.peer.append(path, b"first\n")
    storage = await world.open(follow=False)
    await world.peer.delete("/p/gone.jsonl")
    await world.peer.append("/p/grown.jsonl", b"second\n" * 300_000)
    await world.peer.write("/p/other.jsonl", b"x")
    await world.peer.append("/p/new.jsonl", b"new\n")
    await storage.refresh()
    assert {stat.path: stat.size for stat in storage.stats()} == {
        "/p/grown.jsonl": 2_100_006,
        "/p/other.jsonl": 1,
        "/p/same.jsonl": 6,
        "/p/new.jsonl": 4,
    }
    assert await storage.read_range("/p/grown.jsonl", -7, None) == b"second\n"
    assert await storage.read_text("/p/other.jsonl") == "x"


async def test_refresh_waits_for_queued_lines(storage: SessionStorage, world: World) -> None:
    world.flaky.open.clear()
    writer = storage.open_writer(A)
    writer.write_line_sync("1\n")
    refreshing = asyncio.create_task(storage.refresh())
    await until(lambda: world.flaky.waiting)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(world.flaky.named("scan")) == 1
    world.flaky.open.set()
    await refreshing
    assert await world.peer.data(A) == b"1\n"
    assert await storage.read_text(A) == "1\n"
    assert storage.pending == 0


async def test_a_line_written_during_a_refresh_is_there_with_its_time(world: World) -> None:
    await world.peer.append(B, b"b")
    storage = await world.open(follow=False)
    world.flaky.scanning.clear()
    refreshing = asyncio.create_task(storage.refresh())
    await until(lambda: world.flaky.waiting)
    storage.open_writer(A).write_line_sync("1\n")
    assert storage.exists_sync(A)
    world.flaky.scanning.set()
    await refreshing
    assert storage.exists_sync(A)
    await storage.drain()
    assert await world.peer.data(A) == b"1\n"
    assert await world.peer.mtime_ms(A) == storage.stat_sync(A).mtime_ms


async def test_after_a_failed_write_the_mirror_holds_what_the_store_confirmed(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, "kept")
    before = storage.stat_sync(A)
    world.flaky.faults.append(AccessError("refused"))
    storage.write_text_sync(A, "lost")
    assert await storage.read_text(A) == "lost"
    with pytest.raises(AccessError):
        await storage.drain()
    assert await storage.read_text(A) == "kept"
    assert storage.stat_sync(A) == before


async def test_a_refusal_because_of_a_peer_brings_the_mirror_up_to_date(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, "a")
    await storage.write_text(B, "b")
    await world.peer.delete(A)
    with pytest.raises(SessionNotFoundError):
        await storage.unlink(A)
    assert not storage.exists_sync(A)
    await world.peer.append(B, b" and more")
    with pytest.raises(WriteConflictError):
        await storage.write_text(B, "c", expected_size=1)
    assert await storage.read_text(B) == "b and more"


async def test_a_roll_back_keeps_what_is_still_pending(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, "kept\n")
    world.flaky.faults.append(AccessError("refused"))
    world.flaky.open.clear()
    storage.write_text_sync(A, "lost\n")
    writer = storage.open_writer(A)
    writer.write_line_sync("more\n")
    assert await storage.read_text(A) == "lost\nmore\n"
    sizes: dict[int, int] = {}
    storage.on_state(lambda: sizes.update({storage.pending: storage.stat_sync(A).size}))
    world.flaky.open.set()
    with pytest.raises(AccessError):
        await storage.drain()
    assert sizes[1] == len("kept\nmore\n")
    assert await world.peer.data(A) == b"kept\nmore\n"
    assert await storage.read_text(A) == "kept\nmore\n"


async def test_a_session_that_could_not_be_created_is_gone_again(
    storage: SessionStorage, world: World
) -> None:
    world.flaky.faults.append(AccessError("refused"))
    storage.write_text_sync(A, "lost")
    with pytest.raises(AccessError):
        await storage.drain()
    assert not storage.exists_sync(A)
    assert storage.stats() == []


async def test_drain_waits_for_all_and_raises_the_first_failure_once(
    storage: SessionStorage, world: World
) -> None:
    world.flaky.faults.append(AccessError("first"))
    world.flaky.open.clear()
    storage.write_text_sync(A, "a")
    storage.write_text_sync(B, "b")
    draining = asyncio.create_task(storage.drain())
    await until(lambda: world.flaky.waiting == 2)
    storage.write_text_sync(C, "queued meanwhile")
    world.flaky.faults.append(None)
    world.flaky.faults.append(AccessError("second"))
    world.flaky.open.set()
    with pytest.raises(AccessError, match="first"):
        await draining
    assert storage.pending == 0
    await storage.drain()


async def test_drain_does_not_tell_what_a_caller_was_told(
    storage: SessionStorage, world: World
) -> None:
    world.flaky.faults.append(AccessError("refused"))
    with pytest.raises(AccessError):
        await storage.write_text(A, "a")
    await storage.drain()


async def test_drain_tells_the_failure_of_a_call_that_was_cancelled(
    storage: SessionStorage, world: World
) -> None:
    world.flaky.faults.append(AccessError("refused"))
    world.flaky.open.clear()
    writing = asyncio.create_task(storage.write_text(A, "a"))
    await until(lambda: world.flaky.waiting)
    writing.cancel()
    world.flaky.open.set()
    with pytest.raises(AccessError):
        await storage.drain()
    assert [lost.data for lost in storage.take_unwritten()] == [b"a"]
