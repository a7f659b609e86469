"""Redis Cluster: every key is found where it is, also while slots move; nothing is done twice."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sessiontui.errors import ConfigError
from sessiontui.sources import RedisSource, parse_source
from sessiontui.storage import RedisSessionStorage, RetryPolicy, SessionStorage
from sessiontui.storage.backend import FeedState
from sessiontui.storage.redis.backend import RedisBackend
from sessiontui.storage.redis.cluster import ClusterConnection, ClusterWatch
from sessiontui.storage.redis.keys import slot_of
from sessiontui.storage.redis.watch import WatchEvents, WatchTiming
from tests.groups import ask, cluster
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.groups import Cluster

A, B = "/p/a.jsonl", "/p/b.jsonl"
HEADER = '{"type":"session","version":3,"id":"1","timestamp":"2026-01-01T00:00:00Z","cwd":"/"}\n'
TAGGED = "{omp}:sessions:"
APART = "omp:sessions:"
SLOT = slot_of(TAGGED.encode())


@pytest.fixture(scope="module")
def group() -> Iterator[Cluster]:
    with cluster() as running:
        yield running


def backend_of(group: Cluster, prefix: str) -> RedisBackend:
    source = parse_source(group.url(prefix))
    assert isinstance(source, RedisSource)
    return RedisBackend.from_source(source)


@asynccontextmanager
async def opened(group: Cluster, prefix: str) -> AsyncIterator[tuple[SessionStorage, Any]]:
    """Open the sessions of an empty cluster, beside a plain client."""
    async with group.client() as client:
        await client.flushall(target_nodes="primaries")
        storage = SessionStorage(backend_of(group, prefix), retries=RetryPolicy(attempts=200))
        async with storage:
            await storage.load()
            yield storage, client


@pytest.mark.parametrize("key", ["foo", "{user}:a", "a{b}c{d}", "{}x", "x{", "}{y}"])
def test_slots_are_what_the_servers_say(group: Cluster, key: str) -> None:
    assert slot_of(key.encode()) == ask(group.servers[0].port, "CLUSTER", "KEYSLOT", key)


@pytest.mark.parametrize("prefix", [TAGGED, APART])
async def test_a_client_of_a_cluster_opens_it(group: Cluster, prefix: str) -> None:
    async with group.client() as client:
        await client.flushall(target_nodes="primaries")
        for number in range(2):
            async with await RedisSessionStorage.create(client, prefix=prefix) as storage:
                assert len(storage.stats()) == 4 * number
                for path in ("/p/a.jsonl", "/p/b.jsonl", "/p/c.jsonl", "/p/d.jsonl"):
                    await storage.open_writer(path).write_line(HEADER)
        assert await client.get(f"{prefix}file:/p/d.jsonl") == 2 * HEADER.encode()


async def test_half_a_hash_tag_is_refused_for_a_client_too(group: Cluster) -> None:
    async with group.client() as client:
        with pytest.raises(ConfigError, match="needs its }"):
            await RedisSessionStorage.create(client, prefix="{omp:")


async def use_everything(storage: SessionStorage, client: Any, prefix: str) -> None:
    """Do all there is to do to sessions, and check each step at the servers."""
    files = f"{prefix}file:"
    writer = storage.open_writer(A)
    await writer.write_line(HEADER)
    assert await client.get(files + A) == HEADER.encode()
    assert await client.hexists(f"{prefix}meta", A)
    assert await storage.update_session_title(A, "Title", allow_rewrite=True)
    assert await storage.update_session_title(A, "Other")
    assert b"Other" in await client.hget(f"{prefix}title", A)
    await storage.write_text("/p/a/draft.txt", "draft")
    whole = await storage.read_text(A)
    await storage.rename_session_with_artifacts(A, B)
    assert await client.get(files + A) is None
    assert (await client.get(files + B)).decode() == whole
    assert await client.get(files + "/p/b/draft.txt") == b"draft"
    assert await client.hkeys(f"{prefix}title") == [B.encode()]
    assert sorted(await client.hkeys(f"{prefix}meta")) == [B.encode(), b"/p/b/draft.txt"]
    await writer.write_line("more\n")
    item = await storage.trash_session(B)
    assert await client.get(files + B) is None
    assert await client.hkeys(f"{prefix}title") == []
    assert [one.id for one in await storage.trashed()] == [item.id]
    await storage.restore(item.id)
    assert (await client.get(files + B)).decode() == whole + "more\n"
    assert await client.get(files + "/p/b/draft.txt") == b"draft"
    assert b"Other" in await client.hget(f"{prefix}title", B)
    assert await storage.trashed() == []
    await storage.delete_session_with_artifacts(B)
    assert [key async for key in client.scan_iter(match=f"{files}*")] == []
    assert await client.hkeys(f"{prefix}meta") == []


@pytest.mark.parametrize("prefix", [TAGGED, APART])
async def test_everything_is_as_on_one_server(group: Cluster, prefix: str) -> None:
    async with opened(group, prefix) as (storage, client):
        assert await storage.why_read_only() is None
        await use_everything(storage, client, prefix)
        left = [key async for key in client.scan_iter()]
        assert [key for key in left if b"temp:" not in key] == []


async def follow_peers(storage: SessionStorage, client: Any, prefix: str) -> None:
    paths = [f"/p/{number}.jsonl" for number in range(12)]
    await until(lambda: storage.feed_state.live)
    assert storage.feed_state.tier == "tracking"
    for path in paths:
        await client.set(f"{prefix}file:{path}", b"1\n")
    await until(lambda: all(storage.exists_sync(path) for path in paths))
    for path in paths:
        await client.append(f"{prefix}file:{path}", b"2\n")
        await client.hset(f"{prefix}title", path, b'{"title":"x","updatedAt":"2026"}')
    await until(lambda: all(storage.stat_sync(path).size == 4 for path in paths))
    await until(lambda: all(stat.title is not None for stat in storage.stats()))
    async with SessionStorage(backend_of_same(storage)) as other:
        await other.load()
        assert sorted(stat.path for stat in other.stats()) == sorted(paths)
    await client.delete(f"{prefix}file:{paths[0]}")
    await until(lambda: not storage.exists_sync(paths[0]))


def backend_of_same(storage: SessionStorage) -> RedisBackend:
    backend = storage._backend
    assert isinstance(backend, RedisBackend)
    return type(backend)(backend._settings, prefix=backend._keys.prefix.decode())


async def test_an_error_in_following_one_primary_reaches_whoever_listens(
    group: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(WatchEvents):
        def __init__(self, *_: object) -> None:
            super().__init__()

        async def _run(self) -> None:
            raise LookupError("nobody expected this")

    monkeypatch.setattr("sessiontui.storage.redis.cluster.RedisWatch", Broken)
    backend = backend_of(group, TAGGED)

    async def listen() -> None:
        async with backend.watch() as signals:
            async for _ in signals:
                pass

    try:
        with pytest.raises(LookupError):
            await listen()
    finally:
        await backend.aclose()


async def test_one_primary_that_does_not_answer_is_told_though_the_others_do(
    group: Cluster,
) -> None:
    backend = backend_of(group, TAGGED)
    reads = backend._reads
    assert isinstance(reads, ClusterConnection)
    states: list[FeedState] = []
    quick = WatchTiming(ping=0.05, pong=0.2, first_retry=0.05, longest_retry=0.1)
    try:
        async with ClusterWatch(reads, backend._keys, tuple, quick) as signals:

            async def listen() -> None:
                async for signal in signals:
                    if isinstance(signal, FeedState):
                        states.append(signal)

            listening = asyncio.create_task(listen())
            await until(lambda: states and states[-1].live)
            with group.servers[1].frozen():
                await until(lambda: not states[-1].live)
                assert states[-1].error is not None
                assert str(group.servers[1].port) in states[-1].error
            await until(lambda: states[-1].live)
            listening.cancel()
            await asyncio.wait([listening])
    finally:
        await backend.aclose()


@pytest.mark.parametrize("prefix", [TAGGED, APART])
async def test_what_peers_do_is_told_from_every_primary(group: Cluster, prefix: str) -> None:
    async with opened(group, prefix) as (storage, client):
        await follow_peers(storage, client, prefix)


async def write_while_a_slot_moves(group: Cluster, storage: SessionStorage, slot: int) -> int:
    """Append lines while the slot goes to another server; return how many."""
    writer = storage.open_writer(A)
    target = group.other(slot)
    count = 0

    async def write(lines: int) -> None:
        nonlocal count
        for _ in range(lines):
            await writer.write_line(f"{count}\n")
            count += 1

    await write(20)
    group.begin_move(slot, target)
    writing = asyncio.create_task(write(20))
    await asyncio.sleep(0)
    await asyncio.to_thread(group.move_keys, slot, target, most=1)
    await asyncio.to_thread(group.end_move, slot, target)
    await writing
    await write(20)
    assert group.owner(slot) is target
    return count


@pytest.mark.parametrize("prefix", [TAGGED, APART])
async def test_lines_are_written_once_each_while_their_slot_moves(
    group: Cluster, prefix: str
) -> None:
    async with opened(group, prefix) as (storage, client):
        await until(lambda: storage.feed_state.live)
        slot = slot_of(f"{prefix}file:{A}".encode())
        count = await write_while_a_slot_moves(group, storage, slot)
        expected = "".join(f"{number}\n" for number in range(count))
        assert (await client.get(f"{prefix}file:{A}")).decode() == expected
        assert await storage.read_text(A) == expected
        await client.append(f"{prefix}file:{A}", b"peer\n")
        await until(lambda: storage.stat_sync(A).size == len(expected) + 5)


async def test_a_read_in_the_middle_of_a_move_finds_what_is_here_and_what_is_there(
    group: Cluster,
) -> None:
    async with opened(group, TAGGED) as (storage, client):
        for number in range(10):
            await client.set(f"{TAGGED}file:/p/{number}.jsonl", b"x" * (number + 1))
        await storage.refresh()
        target = group.other(SLOT)
        group.begin_move(SLOT, target)
        try:
            assert len(group.move_keys(SLOT, target, most=5)) == 5
            async with SessionStorage(backend_of(group, TAGGED)) as other:
                await other.load()
                assert {stat.path: stat.size for stat in other.stats()} == {
                    f"/p/{number}.jsonl": number + 1 for number in range(10)
                }
                for number in range(10):
                    assert len(await other.read_text(f"/p/{number}.jsonl")) == number + 1
        finally:
            group.end_move(SLOT, target)


def test_a_prefix_that_can_be_no_hash_tag_is_refused() -> None:
    for prefix in ("a{b", "{}x", "a{"):
        with pytest.raises(ConfigError, match="hash tag"):
            parse_source(f"redis+cluster://h?prefix={prefix}")
    with pytest.raises(ConfigError, match="no databases"):
        parse_source("redis+cluster://h/3")
