"""What the Redis feed tells, by each tier, and how it comes through breaks."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from sessiontui.errors import BackendDownError
from sessiontui.storage.backend import Dirty, FeedState, Rescan
from sessiontui.storage.redis.connection import RedisConnection
from sessiontui.storage.redis.keys import RedisKeys
from sessiontui.storage.redis.poll import HashDigest
from sessiontui.storage.redis.settings import RedisSettings
from sessiontui.storage.redis.watch import RedisWatch, WatchTiming
from tests.servers import real_server
from tests.unit.redis_parts import FILE, META, PASSWORD, TITLE, answer, user
from tests.waiting import DEADLINE_S, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    import redis.asyncio

    from sessiontui.storage.backend import WatchEvent
    from tests.servers import RealServer

QUICK = WatchTiming(poll=0.01)
LEAST = ("~*", "&*", "+@read", "+@connection", "+hscan", "-client")
"""Rights of a user that may read, and have no connection but the plain."""


class Heard:
    """Everything a watch said, as it comes."""

    def __init__(self) -> None:
        self.signals: list[WatchEvent] = []

    @property
    def dirty(self) -> set[str]:
        return {
            path for signal in self.signals if isinstance(signal, Dirty) for path in signal.paths
        }

    @property
    def rescans(self) -> list[str]:
        return [signal.reason for signal in self.signals if isinstance(signal, Rescan)]

    @property
    def state(self) -> FeedState:
        return [signal for signal in self.signals if isinstance(signal, FeedState)][-1]

    async def tells(self, paths: set[str]) -> None:
        """Wait until exactly these sessions were told."""
        await until(lambda: self.dirty == paths)

    def forget(self) -> None:
        self.signals = [self.state]


@contextlib.asynccontextmanager
async def heard(
    client: redis.asyncio.Redis,
    *,
    pace: WatchTiming = QUICK,
    visible: Collection[str] = (),
    prefix: str = "omp:sessions:",
) -> AsyncIterator[Heard]:
    """Watch a server with the settings of a client; the first state is there at once."""
    settings = RedisSettings.of_client(client)
    reads = RedisConnection(settings, changes=False)
    heard = Heard()

    async def listen(watch: RedisWatch) -> None:
        async for signal in watch:
            heard.signals.append(signal)

    try:
        async with RedisWatch(settings, reads, RedisKeys(prefix), lambda: visible, pace) as watch:
            heard.signals.append(await anext(watch))
            listening = asyncio.create_task(listen(watch))
            yield heard
            assert not listening.done()
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
    finally:
        await reads.aclose()


async def test_every_kind_of_change_by_others_is_told(each_redis: redis.asyncio.Redis) -> None:
    await each_redis.set(FILE + b"/old", b"x")
    async with heard(each_redis) as told:
        assert told.state == FeedState("tracking", live=True)
        await until(lambda: told.rescans == ["connected"])
        for change, paths in (
            (each_redis.append(FILE + b"/new", b"x"), {"/new"}),
            (each_redis.append(FILE + b"/new", b"y"), {"/new"}),
            (each_redis.setrange(FILE + b"/new", 0, b"z"), {"/new"}),
            (each_redis.rename(FILE + b"/new", FILE + b"/\xffmoved"), {"/new", "/\udcffmoved"}),
            (each_redis.delete(FILE + b"/old"), {"/old"}),
        ):
            told.forget()
            await change
            await told.tells(paths)
        told.forget()
        await each_redis.hset(META, "/a", "1")
        await each_redis.set("omp:sessions:trash:x:1", b"x")
        await each_redis.set("elsewhere:file:/a", b"x")
        await each_redis.set(FILE + b"/last", b"x")
        await until(lambda: told.dirty)
        assert told.dirty == {"/last"}
        assert told.rescans == []


async def test_the_session_whose_title_changed_is_told_and_no_other(
    each_redis: redis.asyncio.Redis,
) -> None:
    for path in ("/a", "/b", "/c"):
        await each_redis.hset(TITLE, path, "before")
    async with heard(each_redis) as told:
        await each_redis.hset(TITLE, "/new", "x")
        await until(lambda: "/new" in told.dirty or "titles changed" in told.rescans)
        for field, value in (("/a", "after"), ("/b", None), ("/d", "new")):
            told.forget()
            if value is None:
                await each_redis.hdel(TITLE, field)
            else:
                await each_redis.hset(TITLE, field, value)
            await told.tells({field})


async def test_titles_are_told_after_they_could_not_be_read(
    each_redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, failing = HashDigest._read, False

    async def read(digest: HashDigest) -> object:
        if failing:
            raise BackendDownError("busy")
        return await usual(digest)

    monkeypatch.setattr(HashDigest, "_read", read)
    async with heard(each_redis) as told:
        await each_redis.hset(TITLE, "/a", "1")
        await until(lambda: "/a" in told.dirty or "titles changed" in told.rescans)
        failing = True
        await each_redis.hset(TITLE, "/a", "2")
        await until(lambda: any("could not be read" in reason for reason in told.rescans))
        failing = False
        told.forget()
        await each_redis.hset(TITLE, "/a", "3")
        await until(lambda: "/a" in told.dirty or "titles changed" in told.rescans)


async def test_an_emptied_database_calls_for_a_rescan(each_redis: redis.asyncio.Redis) -> None:
    await each_redis.set(FILE + b"/a", b"x")
    async with heard(each_redis) as told:
        await each_redis.flushall()
        await until(lambda: "the database was emptied" in told.rescans)


async def test_what_changed_while_the_feed_was_killed_is_covered_by_a_rescan(
    each_redis: redis.asyncio.Redis,
) -> None:
    async with heard(each_redis) as told:
        for _ in range(5):
            await until(lambda: told.rescans == ["connected"])
            told.forget()
            feeds = [
                entry["id"]
                for entry in await each_redis.client_list()
                if entry["name"] == "sessiontui-feed"
            ]
            assert len(feeds) == 1
            await each_redis.client_kill_filter(_id=feeds[0])
        await until(lambda: told.rescans == ["connected"] and told.state.live)
        await each_redis.set(FILE + b"/a", b"x")
        await told.tells({"/a"})


async def test_a_server_that_goes_and_comes_back_is_followed_again() -> None:
    with real_server() as server:
        async with server.client() as client, heard(client) as told:
            await until(lambda: told.rescans)
            told.forget()
            server.stop()
            await until(lambda: not told.state.live)
            assert told.state.error is not None
            assert str(server.socket) in told.state.error
            assert told.state.retry_s is not None
            assert 0 < told.state.retry_s <= 2
            server.start()
            await until(lambda: told.state.live and told.rescans == ["connected"])
            await client.set(FILE + b"/a", b"x")
            await told.tells({"/a"})


async def test_a_server_that_is_not_there_yet_is_told_on_entering() -> None:
    with real_server() as server:
        server.stop()
        async with server.client() as client, heard(client) as told:
            assert not told.state.live
            assert "no such file" in str(told.state.error)
            server.start()
            await until(lambda: told.state.live and told.rescans == ["connected"])


async def test_a_frozen_server_shows_within_ping_and_pong() -> None:
    pace = WatchTiming(ping=0.2, pong=0.2)
    with real_server() as server:
        async with server.client() as client, heard(client, pace=pace) as told:
            await until(lambda: told.rescans)
            told.forget()
            with server.frozen():
                await until(lambda: not told.state.live)
                assert "no answer in time" in str(told.state.error)
            await until(lambda: told.state.live and "connected" in told.rescans)
            await answer(client.ping, bool)


async def test_a_quiet_feed_stays_live_and_checks_now_and_then(
    each_redis: redis.asyncio.Redis,
) -> None:
    pace = WatchTiming(ping=0.01, pong=10.0, check=0.05)
    async with heard(each_redis, pace=pace) as told:
        await until(lambda: told.rescans.count("regular check") >= 3)
        assert [s for s in told.signals if isinstance(s, FeedState)] == [
            FeedState("tracking", live=True)
        ]


async def test_a_wrong_password_is_told_and_corrected_without_a_restart(
    each_redis_server: RealServer, each_redis: redis.asyncio.Redis
) -> None:
    async with (
        user(each_redis, "ada", "~*", "&*", "+@all"),
        each_redis_server.client(username="ada", password="wrong") as client,
        heard(client) as told,
    ):
        assert told.state.error == "wrong password, or no such user, or one that is switched off"
        assert "wrong" not in repr(RedisSettings.of_client(client))
        await each_redis.acl_setuser("ada", enabled=True, passwords=["+wrong"])
        await until(lambda: told.state.live)


async def test_keyspace_events_serve_where_tracking_is_not_allowed() -> None:
    with real_server(arguments=("--notify-keyspace-events", "KA")) as server:
        async with (
            server.client() as admin,
            user(admin, "ada", *LEAST, "+config|get", "+psubscribe", "+subscribe"),
            server.client(username="ada", password=PASSWORD) as client,
            heard(client, prefix="p*[x]:") as told,
        ):
            assert told.state == FeedState("keyspace", live=True)
            await admin.append("p*[x]:file:/a", b"x")
            await admin.append("pyx:file:/b", b"x")
            await admin.rename("p*[x]:file:/a", "p*[x]:file:/\n")
            await told.tells({"/a", "/\n"})
            await until(lambda: told.rescans == ["connected"])
            await admin.hset("p*[x]:title", "/t", "1")
            await until(lambda: "/t" in told.dirty or "titles changed" in told.rescans)
            await admin.hset("p*[x]:title", "/u", "1")
            await until(lambda: "/u" in told.dirty)


@pytest.mark.parametrize("why", ["off", "partial", "no right"])
async def test_polling_serves_where_nothing_else_does(why: str) -> None:
    flags = {"off": "", "partial": "Kx", "no right": "KA"}[why]
    rights = () if why == "no right" else ("+config|get", "+psubscribe", "+subscribe")
    with real_server(arguments=("--notify-keyspace-events", flags)) as server:
        async with (
            server.client() as admin,
            user(admin, "ada", *LEAST, *rights),
            server.client(username="ada", password=PASSWORD) as client,
        ):
            await admin.hset(META, mapping={"/a": "1", "/b": "1", "/gone": "1"})
            async with heard(client, visible=["/seen"]) as told:
                assert told.state == FeedState("polling", live=True)
                await until(lambda: told.rescans == ["connected"])
                await admin.hset(META, mapping={"/a": "2", "/new": "1"})
                await admin.hdel(META, "/gone")
                await told.tells({"/a", "/new", "/gone"})
                await admin.append(FILE + b"/seen", b"x")
                await until(lambda: "/seen" in told.dirty)
                told.forget()
                await admin.set(FILE + b"/unseen", b"no time was written")
                await admin.delete(FILE + b"/seen")
                await told.tells({"/seen"})


async def test_polling_reads_a_large_hash_in_steps() -> None:
    with real_server() as server:
        async with (
            server.client() as admin,
            user(admin, "ada", *LEAST),
            server.client(username="ada", password=PASSWORD) as client,
        ):
            await admin.hset(META, mapping={f"/{number}": "1" for number in range(4_000)})
            async with heard(client) as told:
                await until(lambda: told.rescans)
                await admin.hset(META, "/7", "2")
                await told.tells({"/7"})
            stats = await admin.info("commandstats")
            assert "cmdstat_hgetall" not in stats
            assert stats["cmdstat_hscan"]["calls"] >= 6


async def test_polling_comes_back_after_a_break() -> None:
    with real_server() as server:
        async with (
            server.client() as admin,
            user(admin, "ada", *LEAST),
            server.client(username="ada", password=PASSWORD) as client,
            heard(client) as told,
        ):
            await until(lambda: told.rescans)
            told.forget()
            server.stop()
            await until(lambda: not told.state.live)
            assert told.state.tier == "polling"
            server.start()
            await until(
                lambda: (
                    told.state.error
                    == "wrong password, or no such user, or one that is switched off"
                )
            )
            async with server.client() as again, user(again, "ada", *LEAST):
                await until(lambda: told.state.live and told.rescans == ["connected"])


async def test_very_many_changes_at_once_become_one_rescan(
    each_redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessiontui.storage.redis.watch.MOST_DIRTY", 100)
    settings = RedisSettings.of_client(each_redis)
    reads = RedisConnection(settings, changes=False)
    async with RedisWatch(settings, reads, RedisKeys("omp:sessions:"), tuple, QUICK) as watch:
        pipeline = each_redis.pipeline()
        for number in range(1000):
            pipeline.set(FILE + b"/%d" % number, b"x")
        await pipeline.execute()
        reasons = set()
        async with asyncio.timeout(DEADLINE_S):
            async for signal in watch:
                if isinstance(signal, Rescan):
                    reasons.add(signal.reason)
                if "very many sessions changed at once" in reasons:
                    break
    await reads.aclose()
