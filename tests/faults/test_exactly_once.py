"""Lines are written exactly once and in the order of the calls, whatever breaks meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import TYPE_CHECKING

import pytest

from sessiontui.storage import RetryPolicy, SessionStorage
from sessiontui.storage.redis.backend import RedisBackend
from sessiontui.storage.redis.settings import RedisSettings
from tests.faults.proxy import FAULTS, Proxy, proxied
from tests.unit.redis_parts import FILE, everything
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import redis.asyncio

    from sessiontui.storage.backend import Backend
    from tests.servers import RealServer

SOURCE, TARGET = "/s/session.jsonl", "/s/renamed.jsonl"
EAGER = RetryPolicy(attempts=400, first_s=0.001, longest_s=0.02)
CUTS = 50


def lines(start: int, stop: int) -> list[str]:
    return [f'{{"line":{number},"pad":"{"x" * (number % 90)}"}}\n' for number in range(start, stop)]


def stored(parts: list[str]) -> bytes:
    return "".join(parts).encode()


def stored_lines(data: bytes | str | None) -> list[str]:
    assert isinstance(data, bytes)
    return data.decode().splitlines(keepends=True)


class Peer:
    """Reads both keys all the time and notes whatever should never be seen."""

    def __init__(self, client: redis.asyncio.Redis, whole: bytes) -> None:
        self.client = client
        self.whole = whole
        self.reads = 0
        self.wrong: list[str] = []
        self.stopped = False

    async def run(self) -> None:
        longest, moved = 0, False
        while not self.stopped:
            pipeline = self.client.pipeline(transaction=True)
            pipeline.get(FILE + SOURCE.encode())
            pipeline.get(FILE + TARGET.encode())
            before, after = await pipeline.execute()
            self.reads += 1
            data = before if after is None else after
            if before is not None and after is not None:
                self.wrong.append("both paths exist")
            if moved and before is not None:
                self.wrong.append("the old path came back")
            moved = moved or after is not None
            if data is not None:
                if not self.whole.startswith(data):
                    self.wrong.append(f"not what was written, at {len(data)} bytes")
                if len(data) < longest:
                    self.wrong.append(f"shrank from {longest} to {len(data)} bytes")
                longest = len(data)
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def reading(server: RealServer, whole: bytes) -> AsyncIterator[Peer]:
    async with server.client() as client:
        peer = Peer(client, whole)
        task = asyncio.create_task(peer.run())
        try:
            await until(lambda: peer.reads)
            yield peer
        finally:
            # No cancelling: a plain client may swallow it on Python 3.11 (asyncio.wait_for).
            peer.stopped = True
            await task


def storage_over(backend: Backend) -> SessionStorage:
    return SessionStorage(backend, contents="on_demand", retries=EAGER)


@pytest.mark.parametrize("delete", [True, False])
async def test_lines_rename_lines_delete_end_as_the_calls_say(
    each_redis_server: RealServer, each_redis: redis.asyncio.Redis, delete: bool
) -> None:
    first, second = lines(0, 1000), lines(1000, 2000)
    whole = stored(first + second)
    backend = RedisBackend.from_client(each_redis)
    async with storage_over(backend) as storage, reading(each_redis_server, whole) as peer:
        await storage.load()
        writer = storage.open_writer(SOURCE)
        for line in first:
            writer.write_line_sync(line)
        renaming = asyncio.create_task(storage.rename(SOURCE, TARGET))
        await asyncio.sleep(0)
        for line in second:
            writer.write_line_sync(line)
        if delete:
            await storage.delete_session_with_artifacts(TARGET)
        await renaming
        await storage.drain()
        assert peer.wrong == []
    held = await everything(each_redis)
    if delete:
        assert held == {}
    else:
        assert held[FILE + TARGET.encode()] == whole
        assert set(held) == {FILE + TARGET.encode(), b"omp:sessions:meta"}


class Saboteur:
    """Breaks connections at points drawn beforehand, counted in lines."""

    def __init__(
        self,
        storage: SessionStorage,
        proxy: Proxy,
        client: redis.asyncio.Redis,
        chance: random.Random,
        total: int,
    ) -> None:
        self.storage = storage
        self.proxy = proxy
        self.client = client
        self.chance = chance
        self.points = set(chance.sample(range(total * 9 // 10), CUTS))
        self.due = 0
        self.kills = 0

    async def pass_by(self, number: int) -> None:
        """Break something if this line was drawn, and let a held write go sometimes."""
        if self.proxy.held and self.chance.random() < 0.3:
            self.proxy.release()
        self.due += number in self.points
        # A fault needs traffic to happen in: new ones wait for those that are still to come.
        await until(lambda: not self.proxy.is_armed or not self.storage.pending)
        if self.due and not self.proxy.is_armed:
            self.due -= 1
            if self.chance.random() < 0.2:
                await self.kill()
            else:
                fault = self.chance.choice(FAULTS)
                self.proxy.strike(fault, self.chance.randrange(30 if "reply" in fault else 600))
        if self.chance.random() < 0.2:
            await asyncio.sleep(self.chance.uniform(0, 0.003))

    async def kill(self) -> None:
        """End a connection of the storage at the server."""
        clients = await self.client.client_list()
        entries = [entry for entry in clients if entry["name"].startswith("sessiontui")]
        if entries:
            await self.client.client_kill_filter(_id=self.chance.choice(entries)["id"])
        self.kills += 1

    @property
    def breaks(self) -> int:
        return self.kills + self.proxy.struck

    def __str__(self) -> str:
        return f"{self.kills} kills, {self.proxy.done}, {self.proxy.late} bytes late"


def through(proxy: Proxy, client: redis.asyncio.Redis) -> RedisBackend:
    settings = RedisSettings.of_client(client)
    arguments = dict(settings.arguments) | {"path": str(proxy.socket)}
    return RedisBackend(
        RedisSettings(settings.connection_class, arguments, "proxy", patience_s=0.2)
    )


@pytest.mark.parametrize(("seed", "delete"), [(1, False), (2, False), (3, True), (4, False)])
async def test_no_line_is_lost_or_doubled_while_connections_break(
    redis_server: RealServer, redis_client: redis.asyncio.Redis, seed: int, delete: bool
) -> None:
    chance = random.Random(seed)
    whole = lines(0, 2000)
    started = time.monotonic()
    async with (
        proxied(redis_server.socket, chance, delay_s=0.001 if seed % 2 else 0.0) as proxy,
        storage_over(through(proxy, redis_client)) as storage,
        reading(redis_server, stored(whole)) as peer,
    ):
        saboteur = Saboteur(storage, proxy, redis_client, chance, len(whole))
        await storage.load()
        writer = storage.open_writer(SOURCE)
        renaming: asyncio.Task[None] | None = None
        for number, line in enumerate(whole):
            if number == 1000:
                renaming = asyncio.create_task(storage.rename(SOURCE, TARGET))
                await asyncio.sleep(0)
            writer.write_line_sync(line)
            await saboteur.pass_by(number)
        proxy.release()
        if delete:
            await storage.delete_session_with_artifacts(TARGET)
        await storage.drain()
        assert renaming is not None
        await renaming
        assert peer.wrong == []
        assert saboteur.breaks >= CUTS - 1
        print(f"seed {seed}: {saboteur}, {peer.reads} reads, {time.monotonic() - started:.1f} s")  # noqa: T201
    held = await everything(redis_client)
    if delete:
        assert held == {}
    else:
        assert set(held) == {FILE + TARGET.encode(), b"omp:sessions:meta"}
        assert held[FILE + TARGET.encode()] == stored(whole)


@pytest.mark.parametrize("seed", [11, 12])
async def test_a_peer_that_appends_to_the_same_session_does_not_confuse_it(
    redis_server: RealServer, redis_client: redis.asyncio.Redis, seed: int
) -> None:
    chance = random.Random(seed)
    paths = [f"/s/{number}.jsonl" for number in range(4)]
    ours = {path: [f"{path} ours {n}\n" for n in range(250)] for path in paths}
    theirs = {path: [f"{path} theirs {n}\n" for n in range(250)] for path in paths}
    async with (
        redis_server.client() as other,
        proxied(redis_server.socket, chance) as proxy,
        storage_over(through(proxy, redis_client)) as storage,
    ):
        saboteur = Saboteur(storage, proxy, redis_client, chance, 1000)
        await storage.load()
        writers = {path: storage.open_writer(path) for path in paths}
        for number in range(1000):
            path = paths[number % 4]
            writers[path].write_line_sync(ours[path][number // 4])
            await saboteur.pass_by(number)
            await other.append(FILE + path.encode(), theirs[path][number // 4])
        proxy.release()
        await storage.drain()
        assert saboteur.breaks >= CUTS - 1
        print(f"seed {seed}: {saboteur}")  # noqa: T201
    for path in paths:
        written = stored_lines(await redis_client.get(FILE + path.encode()))
        assert [line for line in written if " ours " in line] == ours[path]
        assert [line for line in written if " theirs " in line] == theirs[path]
        assert len(written) == 500
