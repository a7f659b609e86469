"""The mirror ends as the server is, whatever agents do and however often the feed is killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from typing import TYPE_CHECKING

import pytest

from sessiontui.storage import RetryPolicy, SessionStorage
from sessiontui.storage.changes import Appended, Created, Removed, Renamed, Rewritten
from sessiontui.storage.redis.backend import RedisBackend
from tests.unit.redis_parts import FILE, META, TITLE, answer

if TYPE_CHECKING:
    import redis.asyncio

    from sessiontui.storage.changes import Change

OPERATIONS = 2000
KILL_EVERY = 100
FEED = "sessiontui-feed"


class Agents:
    """Does at random what omp does, with the commands omp uses, one command after the other."""

    def __init__(self, client: redis.asyncio.Redis, seed: int) -> None:
        self.client = client
        self.chance = random.Random(seed)
        self.names = [f"/p/{number}.jsonl" for number in range(100)]
        self.time = 1_790_000_000_000
        self.kills = 0

    def now(self) -> str:
        self.time += 1
        return str(self.time)

    async def write(self, name: str, data: bytes) -> None:
        pipeline = self.client.pipeline(transaction=True)
        pipeline.set(FILE + name.encode(), data)
        pipeline.hset(META, name, self.now())
        await pipeline.execute()

    async def act(self) -> None:
        name = self.chance.choice(self.names)
        key = FILE + name.encode()
        draw = self.chance.random()
        if draw < 0.86:
            line = json.dumps(
                {"r": self.chance.getrandbits(64), "p": "z" * self.chance.randrange(400)}
            )
            pipeline = self.client.pipeline(transaction=True)
            pipeline.append(key, line.encode() + b"\n")
            pipeline.hset(META, name, self.now())
            await pipeline.execute()
        elif draw < 0.91:
            width = self.chance.choice([10, 500, 1380])
            await self.write(name, b"%d" % self.chance.getrandbits(64) + b"q" * width)
        elif draw < 0.93:
            await self.client.delete(key)
            await self.client.hdel(META, name)
        elif draw < 0.95:
            target = self.chance.choice(self.names)
            if await self.client.exists(key) and target != name:
                await self.client.rename(key, FILE + target.encode())
                await self.client.hdel(META, name)
                await self.client.hset(META, target, self.now())
        elif draw < 0.97:
            await self.client.hset(TITLE, name, f"title {self.chance.getrandbits(32)}")
            await self.client.hset(META, name, self.now())
        else:
            size = await self.client.strlen(key)
            if size:
                await self.write(name, self.chance.randbytes(size))

    async def kill_feed(self) -> None:
        clients = await answer(
            self.client.client_list, lambda all_: any(e["name"] == FEED for e in all_)
        )
        for entry in clients:
            if entry["name"] == FEED:
                await self.client.client_kill_filter(_id=entry["id"])
                self.kills += 1


class Follower:
    """Applies every change to what it knows, as the workspace does."""

    def __init__(self) -> None:
        self.data: dict[str, bytes | None] = {}
        """Bytes where the changes alone tell them; None where they would have to be read."""
        self.sizes: dict[str, int] = {}
        self.counts: dict[str, int] = {}

    def apply(self, change: Change) -> None:
        kind = type(change).__name__
        self.counts[kind] = self.counts.get(kind, 0) + 1
        match change:
            case Created(path=path, size=size):
                assert path not in self.sizes
                self.data[path], self.sizes[path] = None, size
            case Appended(path=path, start=start, data=data):
                assert start == self.sizes[path], f"{path}: a gap or a double at {start}"
                known = self.data[path]
                self.data[path] = None if known is None else known + data
                self.sizes[path] += len(data)
            case Rewritten(path=path, size=size):
                assert path in self.sizes
                self.data[path], self.sizes[path] = None, size
            case Removed(path=path):
                del self.data[path], self.sizes[path]
            case Renamed(path=path, new_path=new_path):
                self.data[new_path] = self.data.pop(path)
                self.sizes[new_path] = self.sizes.pop(path)
            case _:
                pass


async def truth(client: redis.asyncio.Redis) -> dict[str, bytes]:
    keys = [key async for key in client.scan_iter(match=FILE + b"*", count=1000)]
    values = await client.mget(keys) if keys else []
    return {
        key[len(FILE) :].decode(): value
        for key, value in zip(keys, values, strict=True)
        if isinstance(value, bytes)
    }


@pytest.mark.parametrize("contents", ["resident", "on_demand"])
async def test_the_mirror_ends_as_the_server_is(
    redis_client: redis.asyncio.Redis, contents: str
) -> None:
    agents = Agents(redis_client, seed=5)
    for name in agents.names:
        await agents.write(name, b"init " + name.encode() * 20 + b"\n")
    resident = contents == "resident"
    storage = SessionStorage(
        RedisBackend.from_client(redis_client),
        contents="resident" if resident else "on_demand",
        retries=RetryPolicy(first_s=0.001, longest_s=0.05),
    )
    follower = Follower()
    async with storage, storage.changes() as feed:
        await storage.load()

        async def follow() -> None:
            async for change in feed:
                follower.apply(change)

        following = asyncio.create_task(follow())
        for number in range(OPERATIONS):
            await agents.act()
            if number % KILL_EVERY == KILL_EVERY - 1:
                await agents.kill_feed()
        server = await truth(redis_client)
        times = await redis_client.hgetall(META)
        titles = await redis_client.hgetall(TITLE)

        async def mirrored() -> dict[str, tuple[int, int | None, bytes | None]]:
            assert not following.done()
            return {stat.path: (stat.size, stat.mtime_ms, stat.title) for stat in storage.stats()}

        expected = {
            path: (len(data), int(times[path.encode()]), titles.get(path.encode()))
            for path, data in server.items()
        }
        await answer(mirrored, lambda mirror: mirror == expected)
        await answer(mirrored, lambda _: follower.sizes == {p: len(d) for p, d in server.items()})
        for path, data in server.items():
            assert await storage.read_range(path, 0, None) == data
            assert follower.data[path] in (None, data)
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
    print(f"{contents}: {agents.kills} kills, {len(server)} sessions, {follower.counts}")  # noqa: T201
    assert agents.kills >= OPERATIONS // KILL_EVERY
