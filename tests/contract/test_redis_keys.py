"""What only Redis can get wrong: prefixes, key types, times as text, clients of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from sessiontui.errors import StorageError, WrongTypeError
from sessiontui.storage import RedisSessionStorage
from sessiontui.storage.retention import DAY_MS
from sessiontui.times import now_ms
from tests.contract.worlds import PREFIX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from tests.servers import RealServer

A = "/p/a.jsonl"
B = "/p/b.jsonl"
KEY = PREFIX + "file:" + A
META = PREFIX + "meta"
TITLE = PREFIX + "title"


@pytest_asyncio.fixture
async def client(redis_client: Redis) -> AsyncIterator[Any]:
    yield redis_client


async def test_keys_and_values_are_those_of_omp(client: Any) -> None:
    async with await RedisSessionStorage.create(client) as storage:
        await storage.write_text(A, "one\n")
        await storage.open_writer(A).write_line("two\n")
        assert {key async for key in client.scan_iter()} == {KEY.encode(), META.encode()}
        assert await client.get(KEY) == b"one\ntwo\n"
        assert await client.hgetall(META) == {
            A.encode(): str(storage.stat_sync(A).mtime_ms).encode()
        }


async def test_a_client_that_decodes_is_as_good_and_stays_open(
    redis_server: RealServer, client: Any
) -> None:
    await client.set(KEY, b"\xff one\n")
    async with redis_server.client(decode=True) as decoding:
        async with await RedisSessionStorage.create(decoding) as storage:
            assert storage.read_text_sync(A) == "\ufffd one\n"
            assert storage.stat_sync(A).size == 6
            await storage.write_text(B, "b")
        assert await decoding.get(PREFIX + "file:" + B) == "b"


async def test_glob_characters_in_the_prefix_mean_themselves(client: Any) -> None:
    await client.set("s[ab]*?\\:file:" + A, b"mine")
    await client.set("sa*?\\:file:" + A, b"a neighbour's")
    await client.set("sbxx\\:file:" + B, b"a neighbour's")
    async with await RedisSessionStorage.create(client, prefix="s[ab]*?\\:") as storage:
        assert {stat.path for stat in storage.stats()} == {A}
        assert storage.read_text_sync(A) == "mine"
        await storage.delete_session_with_artifacts(A)
    assert await client.get("sa*?\\:file:" + A) == b"a neighbour's"
    assert await client.get("sbxx\\:file:" + B) == b"a neighbour's"
    assert await client.exists("s[ab]*?\\:file:" + A) == 0


@pytest.mark.parametrize("contents", ["resident", "on_demand"])
async def test_a_key_of_another_type_is_passed_over_with_a_warning(
    client: Any, contents: Any
) -> None:
    await client.set(KEY, b"one\n")
    await client.rpush(PREFIX + "file:" + B, "no string")
    async with await RedisSessionStorage.create(client, contents=contents) as storage:
        assert {stat.path for stat in storage.stats()} == {A}
        assert await storage.read_text(A) == "one\n"
        assert any(B in warning for warning in storage.warnings)
        await storage.refresh()
        assert {stat.path for stat in storage.stats()} == {A}


@pytest.mark.parametrize("text", ["abc", "inf", "1_000", "", "1e3", "-5", " 17", "12.5"])
async def test_a_time_that_is_no_decimal_number_counts_as_missing(client: Any, text: str) -> None:
    before = now_ms()
    await client.set(KEY, b"one\n")
    await client.hset(META, A, text)
    async with await RedisSessionStorage.create(client) as storage:
        assert before <= storage.stat_sync(A).mtime_ms <= now_ms()
        assert any(A in warning for warning in storage.warnings)


async def test_a_missing_time_counts_as_now_and_stays_so(client: Any) -> None:
    before = now_ms()
    await client.set(KEY, b"one\n")
    async with await RedisSessionStorage.create(client) as storage:
        first = storage.stat_sync(A).mtime_ms
        assert before <= first <= now_ms()
        async with storage.changes() as feed:
            await storage.refresh()
            assert feed.waiting == 0
        assert storage.stat_sync(A).mtime_ms == first


@pytest.mark.parametrize("hash_key", [META, TITLE])
async def test_nothing_is_written_where_a_hash_key_is_of_another_type(
    client: Any, hash_key: str
) -> None:
    async with await RedisSessionStorage.create(client) as storage:
        await storage.write_text(A, "kept\n")
        await client.delete(hash_key)
        await client.set(hash_key, "no hash")
        writer = storage.open_writer(A)
        if hash_key == META:
            with pytest.raises(WrongTypeError):
                await writer.write_line("never\n")
            with pytest.raises(StorageError):
                await storage.drain()
            with pytest.raises(WrongTypeError):
                await storage.write_text(A, "never")
            assert await client.get(KEY) == b"kept\n"
        with pytest.raises(WrongTypeError):
            await storage.unlink(A)
        assert storage.read_text_sync(A) == "kept\n"
        assert await client.get(KEY) == b"kept\n"
        await client.delete(hash_key)
        await storage.open_writer(A).write_line("once\n")
        assert await client.get(KEY) == b"kept\nonce\n"


async def test_meta_and_title_vanish_with_a_session_and_its_drafts(client: Any) -> None:
    draft = "/p/a/draft.txt"
    for path in (A, draft, B):
        await client.set(PREFIX + "file:" + path, b"x")
        await client.hset(META, path, "1")
        await client.hset(TITLE, path, '{"title":"T","updatedAt":"x"}')
    async with await RedisSessionStorage.create(client) as storage:
        await storage.delete_session_with_artifacts(A)
    assert set(await client.hgetall(META)) == {B.encode()}
    assert set(await client.hgetall(TITLE)) == {B.encode()}


async def test_the_trash_lies_outside_what_omp_indexes_and_goes_first(
    client: Any,
) -> None:
    await client.set(KEY, b"one\n")
    async with await RedisSessionStorage.create(client) as storage:
        await storage.trash_session(A, keep_ms=60_000)
        keys = [key async for key in client.scan_iter()]
        assert keys
        assert all(key.startswith(PREFIX.encode() + b"trash:") for key in keys)
        times = [await client.pttl(key) for key in keys]
        # What has a time to live goes first where memory is short; the time itself is no limit.
        assert all(left > 90 * 365 * DAY_MS for left in times)
