"""Following peers: every change once, exact, and our own writes only where they are asked for."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from sessiontui.errors import StorageError
from sessiontui.storage.change_detector import MOST_GROWTH
from sessiontui.storage.change_feed import ROOM_BYTES
from sessiontui.storage.changes import Appended, Created, Removed, Renamed, Retitled, Rewritten
from sessiontui.times import now_ms
from tests.contract.titles import SLOTTED
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sessiontui.storage import ChangeFeed, SessionStorage
    from sessiontui.storage.changes import Change
    from tests.contract.worlds import World

A = "/p/a.jsonl"
B = "/p/b.jsonl"


class Replica:
    """Applies changes as a listener would, reading what a change does not carry."""

    def __init__(self, storage: SessionStorage) -> None:
        self.seen: list[Change] = []
        self.sizes: dict[str, int] = {stat.path: stat.size for stat in storage.stats()}
        self.titles: dict[str, bytes | None] = {s.path: s.title for s in storage.stats()}
        self.appended: dict[str, bytes] = {}

    async def follow(self, feed: ChangeFeed) -> None:
        async for change in feed:
            self.apply(change)

    def apply(self, change: Change) -> None:
        self.seen.append(change)
        match change:
            case Created():
                assert change.path not in self.sizes
                self.sizes[change.path] = change.size
                self.titles[change.path] = change.title
            case Appended():
                assert self.sizes[change.path] == change.start
                self.sizes[change.path] += len(change.data)
                self.appended[change.path] = self.appended.get(change.path, b"") + change.data
            case Rewritten():
                assert change.path in self.sizes
                self.sizes[change.path] = change.size
            case Removed():
                del self.sizes[change.path]
                del self.titles[change.path]
            case Renamed():
                self.sizes[change.new_path] = self.sizes.pop(change.path)
                self.titles[change.new_path] = self.titles.pop(change.path)
            case Retitled():
                self.titles[change.path] = change.title

    def kinds(self) -> list[str]:
        return [type(change).__name__ for change in self.seen]


@asynccontextmanager
async def following(storage: SessionStorage, *, own: bool = False) -> AsyncIterator[Replica]:
    async with storage.changes(own=own) as feed:
        replica = Replica(storage)
        task = asyncio.create_task(replica.follow(feed))
        try:
            yield replica
        finally:
            task.cancel()
            (outcome,) = await asyncio.gather(task, return_exceptions=True)
        if not isinstance(outcome, asyncio.CancelledError | None):
            raise outcome


@asynccontextmanager
async def collecting(storage: SessionStorage) -> AsyncIterator[list[Change]]:
    """Collect what peers do; without our own changes it does not add up to a state."""
    told: list[Change] = []
    async with storage.changes() as feed:

        async def collect() -> None:
            async for batch in feed.batches():
                told.extend(batch)

        task = asyncio.create_task(collect())
        try:
            yield told
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_the_first_index_arrives_as_created_sessions(world: World) -> None:
    await world.peer.append(A, b"one\n")
    storage = world.make()
    async with following(storage) as replica:
        await storage.load()
        await until(lambda: replica.seen)
        (created,) = replica.seen
        assert isinstance(created, Created)
        assert (created.path, created.size) == (A, 4)
        assert created.mtime_ms == await world.peer.mtime_ms(A)


async def test_an_append_is_told_as_just_its_bytes(world: World) -> None:
    await world.peer.append(A, b"one\n")
    storage = await world.open()
    async with following(storage) as replica:
        await world.peer.append(A, b"two\n")
        await until(lambda: replica.sizes[A] == 8)
        assert replica.appended[A] == b"two\n"
        assert replica.kinds() == ["Appended"] * len(replica.seen)
        assert await storage.read_text(A) == "one\ntwo\n"
        assert storage.stat_sync(A).size == 8


async def test_many_appends_of_a_peer_add_up_to_its_bytes_without_a_rewrite(world: World) -> None:
    await world.peer.append(A, b"begin\n")
    storage = await world.open()
    expected = b""
    async with following(storage) as replica:
        for number in range(400):
            line = b"line %d\n" % number
            await world.peer.append(A, line)
            expected += line
        await until(lambda: replica.sizes[A] == 6 + len(expected))
        assert replica.appended[A] == expected
        assert set(replica.kinds()) <= {"Appended", "Retitled"}


async def test_a_new_session_is_created_with_its_size(world: World) -> None:
    storage = await world.open()
    async with following(storage) as replica:
        await world.peer.append(A, b"one\n")
        await until(lambda: replica.sizes.get(A) == 4)
        assert storage.stat_sync(A).size == 4
        assert await storage.read_text(A) == "one\n"


async def test_a_removed_session_is_told(world: World) -> None:
    await world.peer.append(A, b"one\n")
    storage = await world.open()
    async with following(storage) as replica:
        await world.peer.delete(A)
        await until(lambda: replica.seen)
        assert replica.seen == [Removed(A)]
        assert not storage.exists_sync(A)


async def test_a_shorter_session_was_rewritten(world: World) -> None:
    await world.peer.append(A, b"one and more\n")
    storage = await world.open()
    async with following(storage) as replica:
        await world.peer.write(A, b"x\n")
        await until(lambda: replica.sizes[A] == 2)
        assert replica.kinds() == ["Rewritten"]
        assert await storage.read_text(A) == "x\n"


async def test_a_longer_session_with_other_last_bytes_was_rewritten(world: World) -> None:
    await world.peer.append(A, b"head" * 100 + b"one\n" * 100)
    storage = await world.open()
    assert len(await storage.read_text(A)) == 800
    async with following(storage) as replica:
        await world.peer.write(A, b"head" * 100 + b"two\n" * 101)
        await until(lambda: replica.sizes[A] == 804)
        assert replica.kinds() == ["Rewritten"]
        assert await storage.read_text(A) == "head" * 100 + "two\n" * 101


async def test_a_longer_session_with_another_beginning_was_rewritten(world: World) -> None:
    await world.peer.append(A, b"head " + b"one\n" * 100)
    storage = await world.open()
    assert len(await storage.read_text(A)) == 405
    async with following(storage) as replica:
        await world.peer.write(A, b"HEAD " + b"one\n" * 101)
        await until(lambda: replica.sizes[A] == 409)
        assert replica.kinds() == ["Rewritten"]
        assert (await storage.read_text(A))[:5] == "HEAD "


async def test_a_session_rewritten_in_the_middle_at_the_same_size_is_told(world: World) -> None:
    await world.peer.append(A, b"a" * 1000)
    storage = await world.open()
    assert await storage.read_text(A) == "a" * 1000
    before = storage.stat_sync(A).mtime_ms
    await until(lambda: before < now_ms())
    async with following(storage) as replica:
        await world.peer.write(A, b"a" * 500 + b"b" + b"a" * 499)
        await until(lambda: replica.seen)
        assert replica.kinds() == ["Rewritten"]
        assert (await storage.read_text(A))[500] == "b"


async def test_a_rename_is_told_as_one(world: World) -> None:
    await world.peer.append(A, b"one\n")
    storage = await world.open()
    assert await storage.read_text(A) == "one\n"
    async with following(storage) as replica:
        await world.peer.rename(A, B)
        await until(lambda: B in replica.sizes and A not in replica.sizes)
        assert await storage.read_text(B) == "one\n"
        if world.contents == "resident" and type(world.peer).__name__ == "MemoryPeer":
            assert replica.kinds() == ["Renamed"]


async def test_a_title_set_by_a_peer_is_told(world: World) -> None:
    if not world.peer.has_titles:
        pytest.skip("a folder has no title field")
    await world.peer.append(A, b"one\n")
    storage = await world.open()
    async with following(storage) as replica:
        await world.peer.retitle(A, b'{"title":"T","updatedAt":"x"}')
        await until(lambda: replica.titles[A])
        assert set(replica.kinds()) == {"Retitled"}
        assert storage.stats()[0].title == b'{"title":"T","updatedAt":"x"}'


async def test_our_own_writes_are_not_told_unless_asked_for(world: World) -> None:
    storage = await world.open()
    async with collecting(storage) as peers, following(storage, own=True) as all_of_them:
        writer = storage.open_writer(A)
        for number in range(20):
            await writer.write_line(f"{number}\n")
        await storage.write_text(B, "whole")
        await storage.rename(B, "/p/c.jsonl")
        await storage.unlink("/p/c.jsonl")
        await world.peer.append(A, b"end\n")
        await until(lambda: peers)
        await until(lambda: all_of_them.sizes == {A: 54})
        assert [(type(change), change.path) for change in peers] == [(Appended, A)]
        expected = b"".join(b"%d\n" % number for number in range(1, 20)) + b"end\n"
        assert all_of_them.appended[A] == expected
        assert [type(change) for change in all_of_them.seen if change.path != A] == [
            Created,
            Renamed,
            Removed,
        ]


async def test_ours_and_a_peers_appends_to_one_session_are_told_apart(world: World) -> None:
    await world.peer.append(A, b"begin\n")
    storage = await world.open()
    writer = storage.open_writer(A)
    theirs = b""
    async with collecting(storage) as peers, following(storage, own=True) as all_of_them:
        for number in range(60):
            line = b"peer %d\n" % number
            await world.peer.append(A, line)
            theirs += line
            await writer.write_line(f"ours {number}\n")
        data = await world.peer.data(A) or b""
        await until(lambda: all_of_them.sizes[A] == len(data))
        assert b"begin\n" + all_of_them.appended[A] == data
        assert all(isinstance(change, Appended | Retitled) for change in peers)
        assert b"".join(c.data for c in peers if isinstance(c, Appended)) == theirs
        assert await storage.read_range(A, 0, None) == data


async def test_a_write_waits_for_a_look_at_its_session(world: World) -> None:
    await world.peer.append(A, b"begin\n")
    storage = await world.open()
    async with collecting(storage) as peers, following(storage, own=True) as all_of_them:
        world.flaky.answering.clear()
        await world.peer.append(A, b"peer\n")
        await until(lambda: world.flaky.waiting)
        writer = storage.open_writer(A)
        writer.write_line_sync("ours\n")
        for _ in range(50):
            await asyncio.sleep(0)
        assert world.flaky.named("append") == []
        world.flaky.answering.set()
        await writer.flush()
        await until(lambda: all_of_them.sizes[A] == 16)
        assert all_of_them.appended[A] == b"peer\nours\n"
        assert b"".join(c.data for c in peers if isinstance(c, Appended)) == b"peer\n"


async def test_what_a_peer_does_during_a_refresh_is_told_after_it(world: World) -> None:
    await world.peer.append(A, b"begin\n")
    storage = await world.open()
    async with following(storage) as replica:
        world.flaky.scanning.clear()
        refreshing = asyncio.create_task(storage.refresh())
        await until(lambda: world.flaky.waiting)
        await world.peer.append(A, b"peer\n")
        await until(lambda: storage._write_queue.wanted)
        world.flaky.scanning.set()
        await refreshing
        await until(lambda: replica.appended.get(A) == b"peer\n")


async def test_our_own_title_is_no_peers_change(world: World) -> None:
    await world.peer.append(A, SLOTTED.encode())
    storage = await world.open()
    assert await storage.read_text(A) == SLOTTED
    async with collecting(storage) as peers, following(storage, own=True) as all_of_them:
        await storage.update_session_title(A, "Mine")
        await world.peer.append(B, b"x")
        await until(lambda: peers)
        assert {change.path for change in peers} == {B}
        assert all_of_them.seen[0] == Rewritten(A, len(SLOTTED), storage.stat_sync(A).mtime_ms)


async def test_restored_sessions_are_our_own_doing(world: World) -> None:
    await world.peer.append(A, b"a")
    storage = await world.open()
    async with collecting(storage) as peers, following(storage, own=True) as all_of_them:
        item = await storage.trash_session(A)
        await storage.restore(item.id)
        await world.peer.append(B, b"x")
        await until(lambda: peers)
        assert {change.path for change in peers} == {B}
        assert [type(c).__name__ for c in all_of_them.seen if c.path == A] == ["Removed", "Created"]


async def test_a_large_growth_comes_in_pieces_that_add_up(world: World) -> None:
    await world.peer.append(A, b"begin\n")
    storage = await world.open()
    large = bytes(range(256)) * (MOST_GROWTH // 100)
    async with following(storage) as replica:
        await world.peer.append(A, large)
        await until(lambda: replica.sizes[A] == 6 + len(large))
        assert replica.appended[A] == large
        assert max(len(c.data) for c in replica.seen if isinstance(c, Appended)) <= MOST_GROWTH
        assert await storage.read_range(A, 0, None) == b"begin\n" + large


async def test_a_slow_listener_holds_back_fetching_and_loses_nothing(world: World) -> None:
    storage = await world.open()
    sessions = {f"/p/{number}.jsonl": b"" for number in range(12)}
    await world.peer.flood(dict.fromkeys(sessions, b"."))
    await until(lambda: len(storage.stats()) == 12)
    async with storage.changes() as feed:
        for _ in range(3):
            for path in sessions:
                piece = path.encode() * 70_000
                await world.peer.append(path, piece)
                sessions[path] += piece
        await until(lambda: feed.is_full)
        most = 0
        replica: dict[str, bytes] = {}
        async for batch in feed.batches():
            most = max(most, sum(len(c.data) for c in batch if isinstance(c, Appended)))
            for change in batch:
                if isinstance(change, Appended):
                    assert len(replica.get(change.path, b"")) == change.start - 1
                    replica[change.path] = replica.get(change.path, b"") + change.data
            if sum(map(len, replica.values())) == sum(map(len, sessions.values())):
                break
        assert replica == sessions
        assert most <= 2 * ROOM_BYTES


async def test_what_was_missed_is_made_up_for_by_a_rescan(world: World) -> None:
    await world.peer.flood({f"/p/{number}.jsonl": b"begin\n" for number in range(6)})
    storage = await world.open(follow=False)
    replica = Replica(storage)
    await world.peer.append("/p/0.jsonl", b"more\n")
    await world.peer.delete("/p/1.jsonl")
    await world.peer.write("/p/2.jsonl", b"x")
    await world.peer.append("/p/new.jsonl", b"new\n")
    async with storage.changes() as feed:
        task = asyncio.create_task(replica.follow(feed))
        await until(lambda: "/p/new.jsonl" in replica.sizes and "/p/1.jsonl" not in replica.sizes)
        await until(lambda: replica.sizes["/p/2.jsonl"] == 1 and replica.appended)
        assert replica.appended == {"/p/0.jsonl": b"more\n"}
        assert len(replica.seen) == 4
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_store_that_fails_while_changes_are_looked_at_loses_none(world: World) -> None:
    await world.peer.append(A, b"one\n")
    storage = await world.open()
    world.flaky.calls.clear()
    async with following(storage) as replica:
        world.flaky.down = True
        await world.peer.append(A, b"two\n")
        await until(lambda: world.flaky.named("probe"))
        world.flaky.down = False
        await until(lambda: replica.sizes[A] == 8)
        assert replica.appended[A] == b"two\n"


async def test_loading_can_be_tried_again_after_it_failed(world: World) -> None:
    await world.peer.append(A, b"one\n")
    storage = world.make()
    world.flaky.scan_error = StorageError("it broke off")
    async with following(storage) as replica:
        with pytest.raises(StorageError, match="broke off"):
            await storage.load()
        world.flaky.scan_error = None
        await world.peer.append(B, b"two\n")
        await storage.load()
        await until(lambda: replica.sizes == {A: 4, B: 4})


async def test_on_demand_nothing_whole_is_fetched_for_a_new_session(world: World) -> None:
    if world.contents == "resident":
        pytest.skip("resident contents are fetched")
    storage = await world.open()
    async with following(storage) as replica:
        await world.peer.append(A, b"x" * 5_000_000)
        await until(lambda: replica.sizes.get(A) == 5_000_000)
        spans = [
            (item.start, item.stop) for (ranges,) in world.flaky.named("probe") for item in ranges
        ]
        assert all(
            start < 0 or (stop is not None and stop - start <= MOST_GROWTH + 64)
            for start, stop in spans
        )
        assert world.flaky.named("read") == []


async def test_the_state_of_the_feed_is_shown(world: World) -> None:
    storage = await world.open()
    await until(lambda: storage.feed_state.live)
    assert storage.feed_state.tier != "none"


async def test_closing_the_storage_ends_its_feeds(world: World) -> None:
    storage = await world.open()
    async with storage.changes(own=True) as feed:
        await storage.write_text(A, "a")
        await storage.aclose()
        assert [type(change).__name__ async for change in feed] == ["Created"]
        assert [batch async for batch in feed.batches()] == []
