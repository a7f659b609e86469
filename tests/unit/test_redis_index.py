"""The Redis index: every session once, whatever its name, and no neighbour's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sessiontui.errors import AccessError
from sessiontui.storage.backend import ScanBatch, Stat
from sessiontui.storage.redis import index
from sessiontui.storage.redis.backend import RedisBackend
from sessiontui.storage.redis.connection import RedisConnection
from tests.unit.redis_parts import FILE, META, PASSWORD, TITLE, indexed, opened, user

if TYPE_CHECKING:
    import redis.asyncio

    from sessiontui.storage.redis.connection import _Request
    from tests.servers import RealServer

WEIRD = [
    b"/plain.jsonl",
    b"",
    b" ",
    b"*?[a]^-\\",
    b"\xff\xfe/undecodable",
    "/café/日本/🎉.jsonl".encode(),
    b"/esc\x1b]0;evil\x07/\xe2\x80\xae",
    b"/new\nline",
    b"/nul\x00byte",
    b"/x" * 5000,
]


async def test_a_scan_finds_every_session_whatever_its_name(
    each_redis: redis.asyncio.Redis,
) -> None:
    for number, path in enumerate(WEIRD):
        await each_redis.set(FILE + path, b"x" * number)
        await each_redis.hset(META, path, str(number))
        await each_redis.hset(TITLE, path, b"T%d" % number)
    async with opened(each_redis) as backend:
        stats, warnings = await indexed(backend)
        assert not warnings
        assert {
            (stat.path.encode("utf-8", "surrogateescape"), stat.size, stat.mtime_ms, stat.title)
            for stat in stats.values()
        } == {(path, number, number, b"T%d" % number) for number, path in enumerate(WEIRD)}
        for stat in stats.values():
            await backend.append(stat.path, b"!", mtime_ms=99)
    for number, path in enumerate(WEIRD):
        assert await each_redis.strlen(FILE + path) == number + 1


@pytest.mark.parametrize("prefix", ["p*:", "p?[ab]:", "p\\:", "[p]", "p^-:", ""])
async def test_a_prefix_means_itself_alone(each_redis: redis.asyncio.Redis, prefix: str) -> None:
    for neighbour in ("pxy:", "pxa:", "p:", "p", "pp:", "p*:x:"):
        await each_redis.set(f"{neighbour}file:/theirs", b"x")
    async with opened(each_redis, prefix=prefix) as backend:
        await backend.append("/ours", b"y", mtime_ms=1)
        stats, _ = await indexed(backend)
        assert list(stats) == ["/ours"]
        under = [stat.path async for batch in backend.scan_under("/o") for stat in batch.stats]
        assert under == ["/ours"]


async def test_scan_under_takes_the_start_of_a_path_literally(
    each_redis: redis.asyncio.Redis,
) -> None:
    async with opened(each_redis) as backend:
        for path in ("/a*/draft.txt", "/ab/draft.txt", "/a*", "/a[b]/x"):
            await backend.append(path, b"x", mtime_ms=1)
        for start, expected in (
            ("/a*/", {"/a*/draft.txt"}),
            ("/a*", {"/a*", "/a*/draft.txt"}),
            ("/a[b]", {"/a[b]/x"}),
            ("/none/", set()),
        ):
            found = {s.path async for batch in backend.scan_under(start) for s in batch.stats}
            assert found == expected


@pytest.mark.parametrize(
    "time",
    [b"", b"abc", b"inf", b"1_000", b"1.5", b"-1", b"+1", b" 1", b"1e3", b"9" * 30, b"\xd9\xa1"],
)
async def test_a_time_that_is_not_strictly_decimal_is_none_and_reported(
    each_redis: redis.asyncio.Redis, time: bytes
) -> None:
    await each_redis.set(FILE + b"/a", b"x")
    await each_redis.hset(META, b"/a", time)
    async with opened(each_redis) as backend:
        stats, warnings = await indexed(backend)
        assert stats == {"/a": Stat("/a", 1, None, None)}
        assert len(warnings) == 1
        assert "/a is not a number of milliseconds" in warnings[0]


async def test_keys_of_another_type_are_passed_over_with_a_warning_that_names_them(
    each_redis: redis.asyncio.Redis,
) -> None:
    await each_redis.rpush(FILE + b"/list\x1b[2J", "x")
    await each_redis.set(FILE + b"/a", b"x")
    await each_redis.set(FILE + b"/empty", b"")
    await each_redis.set(META, b"not a hash")
    await each_redis.rpush(TITLE, b"not a hash")
    async with opened(each_redis) as backend:
        stats, warnings = await indexed(backend)
    assert stats == {"/a": Stat("/a", 1, None), "/empty": Stat("/empty", 0, None)}
    assert len(warnings) == 3
    told = "\n".join(warnings)
    assert "omp:sessions:file:/list␛[2J" in told
    assert "omp:sessions:meta" in told
    assert "omp:sessions:title" in told


async def test_a_scan_of_many_sessions_among_foreign_keys_misses_none(
    each_redis: redis.asyncio.Redis,
) -> None:
    pipeline = each_redis.pipeline(transaction=False)
    for number in range(4_000):
        pipeline.set(FILE + b"/s/%d.jsonl" % number, b"x" * (number % 7))
        pipeline.hset(META, f"/s/{number}.jsonl", str(number))
        pipeline.set(b"other:%d" % number, b"x")
    await pipeline.execute()
    async with opened(each_redis) as backend:
        stats, warnings = await indexed(backend)
    assert not warnings
    assert len(stats) == 4_000
    assert all(
        (stat.size, stat.mtime_ms) == (number % 7, number)
        for stat in stats.values()
        for number in [int(stat.path[3:-6])]
    )


async def test_a_scan_that_is_not_allowed_says_which_right_is_missing(
    each_redis_server: RealServer, each_redis: redis.asyncio.Redis
) -> None:
    async with (
        user(each_redis, "blind", "~*", "+@all", "-scan"),
        each_redis_server.client(username="blind", password=PASSWORD) as client,
        opened(client) as backend,
    ):
        with pytest.raises(AccessError, match=r"\+scan$"):
            await indexed(backend)


async def test_a_scan_steps_as_wide_as_it_was_told(each_redis: redis.asyncio.Redis) -> None:
    for number in range(100):
        await each_redis.set(FILE + b"%d" % number, b"x")
    await each_redis.config_resetstat()
    backend = RedisBackend.from_client(each_redis, scan_count=10)
    try:
        stats, _ = await indexed(backend)
    finally:
        await backend.aclose()
    assert len(stats) == 100
    assert (await each_redis.info("commandstats"))["cmdstat_scan"]["calls"] >= 4


async def test_contents_are_not_asked_for_at_once_where_the_server_holds_much(
    each_redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await each_redis.set(FILE + b"/a", b"one")
    async with opened(each_redis) as backend:
        assert [batch.contents async for batch in backend.scan_contents()] == [(b"one",)]
        monkeypatch.setattr(index, "LITTLE_BYTES", 0)
        assert [batch async for batch in backend.scan_contents()] == [
            ScanBatch((Stat("/a", 3, None),))
        ]


@pytest.mark.parametrize("contents", [False, True])
async def test_the_server_is_asked_for_more_before_a_part_is_taken_in(
    redis_client: redis.asyncio.Redis, contents: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(200):
        await redis_client.set(FILE + b"/%d" % number, b"x")
    sent: list[int] = []
    usual = RedisConnection._exchange

    async def exchange(link: RedisConnection, batch: list[_Request]) -> None:
        sent.append(len(batch))
        await usual(link, batch)

    async with opened(redis_client) as backend:
        await indexed(backend)
        monkeypatch.setattr(RedisConnection, "_exchange", exchange)
        scan = index.scan_contents if contents else index.scan_index
        first = await anext(scan(backend._reads, backend._keys, count=20))
    assert first.stats
    # The keys, what of the first of them, and of the next ones; whether little is held at all.
    assert len(sent) == 3 + contents
