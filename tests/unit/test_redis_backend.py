"""The Redis backend's atomic steps, reads and trash, on every server at hand."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

import pytest
import pytest_asyncio

from sessiontui.errors import (
    AccessError,
    InvalidPathError,
    SessionExistsError,
    SessionNotFoundError,
    WriteConflictError,
    WrongTypeError,
)
from sessiontui.storage.backend import Range, Stat, TrashItem
from sessiontui.storage.redis import scripts
from sessiontui.storage.redis.backend import RedisBackend
from sessiontui.storage.redis.connection import RedisConnection
from sessiontui.storage.redis.trash import LIFE_MS
from sessiontui.storage.retention import DAY_MS
from tests.unit.redis_parts import (
    FILE,
    META,
    PASSWORD,
    TITLE,
    answer,
    everything,
    indexed,
    kill_others,
    opened,
    user,
)
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import redis.asyncio

    from tests.servers import RealServer


@pytest.fixture
async def backend(each_redis: redis.asyncio.Redis) -> AsyncIterator[RedisBackend]:
    async with opened(each_redis) as backend:
        yield backend


def item_of(*stats: Stat, item_id: str = "01", life_ms: int = 1_000_000) -> TrashItem:
    return TrashItem(item_id, stats[0].path, stats, 1_790_000_000_000, 1_790_000_000_000 + life_ms)


async def test_an_append_writes_bytes_and_time_and_keeps_the_title(
    backend: RedisBackend, each_redis: redis.asyncio.Redis
) -> None:
    await each_redis.hset(TITLE, "/a.jsonl", "T")
    assert await backend.append("/a.jsonl", b"one\n", mtime_ms=5) == Stat("/a.jsonl", 4, 5, b"T")
    assert await backend.append("/a.jsonl", b"two\n", mtime_ms=6) == Stat("/a.jsonl", 8, 6, b"T")
    assert await everything(each_redis) == {
        FILE + b"/a.jsonl": b"one\ntwo\n",
        META: {b"/a.jsonl": b"6"},
        TITLE: {b"/a.jsonl": b"T"},
    }


@pytest.mark.parametrize("key", [FILE + b"/a.jsonl", META, TITLE])
async def test_a_key_of_another_type_is_found_before_anything_is_written(
    backend: RedisBackend, each_redis: redis.asyncio.Redis, key: bytes
) -> None:
    await each_redis.rpush(key, "not ours")
    with pytest.raises(WrongTypeError, match=key.decode()):
        await backend.append("/a.jsonl", b"line\n", mtime_ms=5)
    with pytest.raises(WrongTypeError):
        await backend.write("/a.jsonl", b"whole\n", mtime_ms=5, title=b"T")
    with pytest.raises((WrongTypeError, SessionNotFoundError)):
        await backend.rename([("/a.jsonl", "/b.jsonl")])
    with pytest.raises((WrongTypeError, SessionNotFoundError)):
        await backend.trash(item_of(Stat("/a.jsonl", 0, None)))
    assert await everything(each_redis) == {key: b"list"}


@pytest.mark.parametrize("missing", ["append", "hset"])
async def test_a_missing_right_undoes_the_whole_step_and_is_named(
    each_redis_server: RealServer, each_redis: redis.asyncio.Redis, missing: str
) -> None:
    rules = ("~omp:sessions:*", "+@all", f"-{missing}")
    await each_redis.set(FILE + b"/a.jsonl", b"one\n")
    await each_redis.hset(META, "/b.jsonl", "1")
    before = await everything(each_redis)
    async with (
        user(each_redis, "hobbled", *rules),
        each_redis_server.client(username="hobbled", password=PASSWORD) as client,
        opened(client) as backend,
    ):
        with pytest.raises(AccessError, match=rf"lacks a right: \+{missing}$"):
            await backend.append("/a.jsonl", b"two\n", mtime_ms=5)
    assert await everything(each_redis) == before


async def test_keys_that_a_user_may_not_touch_are_named_as_a_missing_right(
    each_redis_server: RealServer, each_redis: redis.asyncio.Redis
) -> None:
    async with (
        user(each_redis, "elsewhere", "~other:*", "+@all"),
        each_redis_server.client(username="elsewhere", password=PASSWORD) as client,
        opened(client) as backend,
    ):
        with pytest.raises(AccessError, match="lacks a right: a key"):
            await backend.append("/a.jsonl", b"x\n", mtime_ms=5)
        with pytest.raises(AccessError, match="lacks a right: a key"):
            await backend.read([Range("/a.jsonl", 0)])


@pytest.mark.parametrize(
    ("there", "expected", "written"),
    [
        (b"12345", 5, True),
        (b"12345", 4, False),
        (b"12345", "absent", False),
        (b"", 0, True),
        (b"", "absent", False),
        (None, 0, False),
        (None, "absent", True),
        (None, "any", True),
    ],
)
async def test_a_write_tells_missing_from_empty(
    backend: RedisBackend,
    each_redis: redis.asyncio.Redis,
    there: bytes | None,
    expected: int | Literal["any", "absent"],
    written: bool,
) -> None:
    if there is not None:
        await each_redis.set(FILE + b"/a", there)
    if written:
        stat = await backend.write("/a", b"new", mtime_ms=7, expected_size=expected)
        assert stat == Stat("/a", 3, 7, None)
        assert await each_redis.get(FILE + b"/a") == b"new"
        return
    with pytest.raises(WriteConflictError) as raised:
        await backend.write("/a", b"new", mtime_ms=7, expected_size=expected)
    assert raised.value.actual_size == (None if there is None else len(there))
    assert raised.value.expected_size == (None if expected == "absent" else expected)
    assert await each_redis.get(FILE + b"/a") == there
    assert await each_redis.hlen(META) == 0


async def test_a_write_keeps_sets_or_takes_away_the_title(
    backend: RedisBackend, each_redis: redis.asyncio.Redis
) -> None:
    assert (await backend.write("/a", b"1", mtime_ms=1, title=b"T")).title == b"T"
    assert (await backend.write("/a", b"2", mtime_ms=2)).title == b"T"
    assert (await backend.write("/a", b"3", mtime_ms=3, title=b"")).title == b""
    assert await each_redis.hget(TITLE, "/a") == b""
    assert (await backend.write("/a", b"4", mtime_ms=4, title=None)).title is None
    assert await each_redis.exists(TITLE) == 0


async def test_a_patch_replaces_the_beginning_in_place_or_nothing(
    backend: RedisBackend, each_redis: redis.asyncio.Redis
) -> None:
    await backend.append("/a", b"old rest", mtime_ms=1)
    stat = await backend.patch("/a", old=b"old", new=b"NEW", mtime_ms=2, title=b"T")
    assert stat == Stat("/a", 8, 2, b"T")
    with pytest.raises(WriteConflictError):
        await backend.patch("/a", old=b"old", new=b"xxx", mtime_ms=3, title=b"U")
    with pytest.raises(SessionNotFoundError):
        await backend.patch("/none", old=b"", new=b"", mtime_ms=3, title=b"U")
    with pytest.raises(ValueError, match="length"):
        await backend.patch("/a", old=b"NEW", new=b"longer", mtime_ms=3, title="keep")
    assert await backend.patch("/a", old=b"", new=b"", mtime_ms=4, title=b"V") == Stat(
        "/a", 8, 4, b"V"
    )
    assert await each_redis.get(FILE + b"/a") == b"NEW rest"


@pytest.mark.parametrize("size", [0, 10, 1_000_000, 1_000_001, 3_400_000])
async def test_a_prepend_puts_bytes_before_a_session_of_any_size(
    backend: RedisBackend, each_redis: redis.asyncio.Redis, size: int
) -> None:
    body = (b"0123456789" * (size // 10 + 1))[:size]
    await each_redis.set(FILE + b"/a", body)
    stat = await backend.prepend("/a", b"slot\n", expected_size=size, mtime_ms=9, title=b"T")
    assert stat == Stat("/a", size + 5, 9, b"T")
    assert await each_redis.get(FILE + b"/a") == b"slot\n" + body
    assert await each_redis.ttl(FILE + b"/a") == -1
    assert set(await everything(each_redis)) == {FILE + b"/a", META, TITLE}


@pytest.mark.parametrize("how", ["append", "rewrite"])
async def test_a_prepend_gives_way_to_a_change_that_comes_between_its_steps(
    backend: RedisBackend,
    each_redis: redis.asyncio.Redis,
    how: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sessiontui.storage.redis.backend._SMALL_BYTES", 20)
    body = b"0123456789" * 2000
    await backend.write("/a", body, mtime_ms=1)

    async def interfere() -> bytes:
        while True:
            async for _ in each_redis.scan_iter(match="omp:sessions:temp:*"):
                if how == "append":
                    await each_redis.append(FILE + b"/a", b"peer")
                    return body + b"peer"
                await each_redis.hset(META, "/a", "2")
                await each_redis.set(FILE + b"/a", b"X" * len(body))
                return b"X" * len(body)

    peer = asyncio.create_task(interfere())
    with pytest.raises(WriteConflictError):
        await backend.prepend("/a", b"slot\n", expected_size=len(body), mtime_ms=9, title=b"T")
    assert await each_redis.get(FILE + b"/a") == await peer
    assert await each_redis.hget(TITLE, "/a") is None


async def test_a_finished_copy_gives_way_to_a_rewrite_of_the_same_size(
    backend: RedisBackend, each_redis: redis.asyncio.Redis
) -> None:
    await backend.write("/a", b"0123456789", mtime_ms=1)
    copy, seen = await backend._copy("/a", b"slot\n", (0, 10), 10)
    await backend.write("/a", b"9876543210", mtime_ms=2)
    swap = [b"set", b"T", b"10", seen, b"15"]
    with pytest.raises(WriteConflictError):
        await backend._step(scripts.SWAP, "/a", 9, swap, more=[copy, b"omp:sessions:temp:old"])
    assert await each_redis.get(FILE + b"/a") == b"9876543210"
    assert 0 < await each_redis.pttl(copy) <= 600_000


async def test_a_rename_moves_everything_or_nothing(
    backend: RedisBackend, each_redis: redis.asyncio.Redis
) -> None:
    await backend.write("/a", b"a", mtime_ms=1, title=b"A")
    await backend.write("/a/draft", b"d", mtime_ms=2)
    await backend.write("/taken", b"t", mtime_ms=3, title=b"stale")
    before = await everything(each_redis)
    with pytest.raises(SessionExistsError, match="/taken"):
        await backend.rename([("/a", "/b"), ("/a/draft", "/taken")])
    with pytest.raises(SessionNotFoundError, match="/none"):
        await backend.rename([("/a", "/b"), ("/none", "/c")])
    with pytest.raises(InvalidPathError):
        await backend.rename([("/a", "/b"), ("/b", "/c")])
    assert await everything(each_redis) == before
    await backend.rename([("/a", "/b"), ("/a/draft", "/taken")], overwrite=True)
    assert await everything(each_redis) == {
        FILE + b"/b": b"a",
        FILE + b"/taken": b"d",
        META: {b"/b": b"1", b"/taken": b"2"},
        TITLE: {b"/b": b"A"},
    }


async def test_a_rename_without_the_right_to_it_leaves_all_as_it_was(
    each_redis_server: RealServer, each_redis: redis.asyncio.Redis, backend: RedisBackend
) -> None:
    await backend.write("/a", b"a", mtime_ms=1, title=b"A")
    before = await everything(each_redis)
    async with (
        user(each_redis, "hobbled", "~*", "+@all", "-rename"),
        each_redis_server.client(username="hobbled", password=PASSWORD) as client,
        opened(client) as hobbled,
    ):
        with pytest.raises(AccessError, match=r"\+rename$"):
            await hobbled.rename([("/a", "/b")])
        with pytest.raises(AccessError, match=r"\+rename$"):
            await hobbled.trash(item_of(Stat("/a", 1, 1)))
    assert await everything(each_redis) == before


async def test_a_delete_takes_time_and_title_with_it(
    backend: RedisBackend, each_redis: redis.asyncio.Redis
) -> None:
    await backend.write("/a", b"a", mtime_ms=1, title=b"A")
    await backend.write("/a/draft", b"d", mtime_ms=2, title=b"D")
    with pytest.raises(SessionNotFoundError, match="/none"):
        await backend.delete(["/none", "/a"])
    assert await each_redis.exists(FILE + b"/a") == 1
    await backend.delete(["/a", "/gone", "/a/draft"])
    assert await everything(each_redis) == {}


async def test_a_restore_brings_back_exactly_what_the_trash_took(
    backend: RedisBackend, each_redis: redis.asyncio.Redis
) -> None:
    await each_redis.set(FILE + b"/a", b"\x00\xff bytes")
    await each_redis.hset(META, "/a", "not a time")
    await each_redis.hset(TITLE, "/a", b"\xfe")
    await backend.append("/a/draft\udcff", b"d", mtime_ms=2)
    await backend.append("/b", b"stays", mtime_ms=3)
    before = await everything(each_redis)
    item = item_of(Stat("/a", 0, None), Stat("/a/draft\udcff", 0, None), Stat("/a/gone", 0, None))
    await backend.trash(item)
    stats, _ = await indexed(backend)
    assert list(stats) == ["/b"]
    for key in await everything(each_redis):
        if key.startswith(b"omp:sessions:trash:"):
            assert await each_redis.pttl(key) > LIFE_MS - DAY_MS
    listed = TrashItem(
        "01",
        "/a",
        (Stat("/a", 8, None, b"\xfe"), Stat("/a/draft\udcff", 1, 2, None)),
        item.deleted_ms,
        item.expires_ms,
    )
    assert await backend.trashed() == [listed]
    assert await backend.restore("01") == listed
    assert await everything(each_redis) == before
    assert await each_redis.ttl(FILE + b"/a") == -1
    assert await backend.trashed() == []


async def test_a_restore_gives_way_to_what_took_the_place(
    backend: RedisBackend, each_redis: redis.asyncio.Redis
) -> None:
    await backend.append("/a", b"old", mtime_ms=1)
    await backend.append("/a/draft", b"d", mtime_ms=1)
    await backend.trash(item_of(Stat("/a", 0, None), Stat("/a/draft", 0, None)))
    await backend.append("/a/draft", b"new", mtime_ms=2)
    before = await everything(each_redis)
    with pytest.raises(SessionExistsError, match="/a/draft"):
        await backend.restore("01")
    for unknown in ("02", "01:1", ""):
        with pytest.raises(SessionNotFoundError):
            await backend.restore(unknown)
    with pytest.raises(SessionNotFoundError, match="/none"):
        await backend.trash(item_of(Stat("/none", 0, None), Stat("/a/draft", 0, None), item_id="9"))
    assert await everything(each_redis) == before


async def test_a_record_that_is_not_ours_hides_no_other(
    backend: RedisBackend, each_redis: redis.asyncio.Redis
) -> None:
    await backend.append("/a", b"x", mtime_ms=1)
    await backend.trash(item_of(Stat("/a", 0, None)))
    times = {"deleted": "1", "expires": "99999999999999", "path:1": "/b"}
    for number, fields in enumerate(
        ({"size:1": "abc"}, {"size:1": "9" * 5000}, {"path:" + "9" * 5000: "/c"}, {"size:1": "-1"})
    ):
        for name, value in {**times, **fields}.items():
            await each_redis.hset(f"omp:sessions:trash:z{number}", name, value)
    assert "/a" in [item.path for item in await backend.trashed()]
    assert (await backend.restore("01")).path == "/a"


class Clock:
    """Says what it is set to."""

    now = 1_790_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest_asyncio.fixture
async def clocked(
    each_redis: redis.asyncio.Redis,
) -> AsyncIterator[tuple[RedisBackend, Clock, Callable[[int], Awaitable[None]]]]:
    """A backend with three items in its trash, its clock, and what lets the server's leap."""
    clock = Clock()
    settings = RedisBackend.from_client(each_redis)._settings
    backend = RedisBackend(settings, clock=clock)
    for number in range(1, 4):
        await backend.append(f"/{number}", b"x", mtime_ms=1)
        life_ms = DAY_MS if number == 2 else 100 * DAY_MS
        stat = Stat(f"/{number}", 0, None)
        await backend.trash(item_of(stat, item_id=f"0{number}", life_ms=life_ms))

    async def leap(ms: int) -> None:
        async for key in each_redis.scan_iter("omp:sessions:trash:*"):
            left = await each_redis.pttl(key)
            if left > ms:
                await each_redis.pexpire(key, left - ms)
            else:
                await each_redis.delete(key)

    yield backend, clock, leap
    await backend.aclose()


async def test_the_trash_forgets_what_two_looks_a_day_apart_found_expired(
    clocked: tuple[RedisBackend, Clock, Callable[[int], Awaitable[None]]],
    each_redis: redis.asyncio.Redis,
) -> None:
    backend, clock, leap = clocked
    for _ in range(2):
        assert [item.id for item in await backend.trashed()] == ["03", "02", "01"]
        clock.now += DAY_MS
        await leap(DAY_MS)
    assert len(await backend.trashed()) == 2
    keys = [key async for key in each_redis.scan_iter("omp:sessions:trash:02*")]
    assert keys == []


@pytest.mark.parametrize("whose", ["ours", "the server's", "both"])
async def test_a_clock_that_leaps_empties_no_trash(
    clocked: tuple[RedisBackend, Clock, Callable[[int], Awaitable[None]]], whose: str
) -> None:
    backend, clock, leap = clocked
    years = 40 * 365 * DAY_MS
    if whose != "the server's":
        clock.now += years
    if whose != "ours":
        await leap(years)
    for _ in range(2):
        assert len(await backend.trashed()) == 3
        if whose == "ours":  # However often it is wrong, the server's does not agree.
            clock.now += DAY_MS
    assert (await backend.restore("02")).path == "/2"


async def test_reads_take_any_range_and_tell_missing_from_empty(
    backend: RedisBackend, each_redis: redis.asyncio.Redis
) -> None:
    await each_redis.set(FILE + b"/a", b"0123456789")
    await each_redis.set(FILE + b"/empty", b"")
    await each_redis.rpush(FILE + b"/list", "x")
    assert await backend.read([]) == []
    wanted = [(0, None), (3, 5), (-3, None), (-30, None), (-3, 9), (8, 3), (10, None), (0, 0)]
    expected = [b"0123456789", b"34", b"789", b"0123456789", b"78", b"", b"", b""]
    assert await backend.read([Range("/a", *bounds) for bounds in wanted]) == expected
    assert await backend.read([Range("/empty", 0), Range("/none", 0)]) == [b"", None]
    with pytest.raises(WrongTypeError):
        await backend.read([Range("/list", 0)])


async def test_a_session_that_appears_in_the_midst_of_a_read_is_not_empty(
    backend: RedisBackend, each_redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = RedisConnection.ask

    async def ask_and_appear(self: RedisConnection, *args: Any, **kwargs: Any) -> list[Any]:
        replies = await ask(self, *args, **kwargs)
        await each_redis.set(FILE + b"/a.jsonl", b"0123456789")
        return replies

    monkeypatch.setattr(RedisConnection, "ask", ask_and_appear)
    assert await backend.read([Range("/a.jsonl", 2, 5)]) == [b"234"]


async def test_long_reads_come_whole_though_in_pieces(
    backend: RedisBackend, each_redis: redis.asyncio.Redis
) -> None:
    body = bytes(range(256)) * 40_000
    await each_redis.set(FILE + b"/a", body)
    bounds = [
        (0, None),
        (1, 8_000_001),
        (-9_000_000, None),
        (-9_000_000, 10_000_000),
        (0, 4_000_000),
    ]
    answers = await backend.read([Range("/a", *bound) for bound in bounds])
    for (start, stop), data in zip(bounds, answers, strict=True):
        assert data == body[start:stop]


async def test_a_probe_is_a_snapshot_with_head_data_time_and_title(
    backend: RedisBackend, each_redis: redis.asyncio.Redis
) -> None:
    await backend.write("/a", b"h" * 300 + b"tail", mtime_ms=4, title=b"T")
    await each_redis.set(FILE + b"/empty", b"")
    await each_redis.rpush(FILE + b"/list", "x")
    whole = b"h" * 300 + b"tail"
    for start, stop in ((-4, None), (0, None), (1, 3), (0, 10), (0, 0), (304, None)):
        paths = ("/a", "/empty", "/none", "/list", "/a")
        a, empty, none, other, again = await backend.probe(
            [Range(path, start, stop) for path in paths]
        )
        assert a is not None
        assert (a.stat, a.head) == (Stat("/a", 304, 4, b"T"), b"h" * 256)
        assert a.data == whole[start:stop]
        assert empty is not None
        assert (empty.stat, empty.head, empty.data) == (Stat("/empty", 0, None, None), b"", b"")
        assert none is None
        assert other is None
        assert again == a
    mixed = await backend.probe([Range("/a", 0), Range("/a", 300), Range("/a", 0)])
    assert [seen and seen.data for seen in mixed] == [whole, b"tail", whole]
    assert await backend.probe([]) == []
    assert len(await backend.probe([Range("/a", 0, 1)] * 150)) == 150


async def test_a_path_that_no_key_can_have_is_refused(backend: RedisBackend) -> None:
    with pytest.raises(InvalidPathError, match="no key can have this name"):
        await backend.append("/a\ud800", b"x", mtime_ms=1)
    with pytest.raises(InvalidPathError):
        await backend.read([Range("/a", 0), Range("/\udfff", 0)])


async def test_many_callers_share_one_connection_for_changes_and_one_for_reads(
    backend: RedisBackend, each_redis: redis.asyncio.Redis
) -> None:
    before = len(await each_redis.client_list())
    await asyncio.gather(
        *(backend.append(f"/{number % 50}", b"line\n", mtime_ms=number) for number in range(1000)),
        *(backend.read([Range(f"/{number % 50}", 0)]) for number in range(1000)),
    )
    assert len(await each_redis.client_list()) - before == 2
    stats, _ = await indexed(backend)
    assert {stat.size for stat in stats.values()} == {100}


async def test_appends_to_one_session_run_in_the_order_they_were_asked(
    backend: RedisBackend, each_redis: redis.asyncio.Redis
) -> None:
    lines = [b"%d\n" % number for number in range(500)]
    await asyncio.gather(*(backend.append("/a", line, mtime_ms=1) for line in lines))
    assert await each_redis.get(FILE + b"/a") == b"".join(lines)


async def test_scripts_that_the_server_forgot_are_sent_again(
    backend: RedisBackend, each_redis: redis.asyncio.Redis
) -> None:
    await backend.append("/a", b"1", mtime_ms=1)
    await each_redis.script_flush()
    await backend.append("/a", b"2", mtime_ms=2)
    assert await each_redis.get(FILE + b"/a") == b"12"


async def test_an_idle_connection_that_the_server_closed_is_not_used_for_a_write(
    backend: RedisBackend, each_redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessiontui.storage.redis.connection._IDLE_S", 0.0)
    await backend.append("/a", b"1", mtime_ms=1)
    await kill_others(each_redis)
    await backend.append("/a", b"2", mtime_ms=2)
    assert await backend.read([Range("/a", 0)]) == [b"12"]
    assert not backend._writes.lost


async def test_reads_outlive_a_connection_that_is_killed(
    backend: RedisBackend, each_redis: redis.asyncio.Redis
) -> None:
    await each_redis.set(FILE + b"/a", b"x" * 1000)
    reads = 0

    async def read_on() -> None:
        nonlocal reads
        while True:
            assert await backend.read([Range("/a", 0)]) == [b"x" * 1000]
            reads += 1

    reading = asyncio.create_task(read_on())
    wanted = 1
    for _ in range(20):
        await until(lambda: reads >= wanted or reading.done())  # noqa: B023
        await kill_others(each_redis)
        wanted = reads + 2
    assert reading.cancel()


async def test_a_closed_backend_leaves_no_connection_behind(
    each_redis: redis.asyncio.Redis,
) -> None:
    before = len(await each_redis.client_list())
    async with opened(each_redis) as backend:
        await backend.append("/a", b"1", mtime_ms=1)
        await backend.read([Range("/a", 0)])
        async with backend.watch():
            assert len(await each_redis.client_list()) == before + 3
    await answer(each_redis.client_list, lambda left: len(left) == before)
