"""Peers and we write to the same sessions at once: everybody ends with the same bytes."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from sessiontui.errors import SessionExistsError, SessionNotFoundError
from sessiontui.storage.changes import Appended, Created, Removed, Renamed, Rewritten
from tests.waiting import until

if TYPE_CHECKING:
    from sessiontui.storage import ChangeFeed, SessionStorage
    from sessiontui.storage.changes import Change
    from tests.contract.worlds import Peer, World

PATHS = [f"/p/{number}.jsonl" for number in range(8)]


class Copy:
    """Sizes kept by changes alone, and what was appended since a session was last whole."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.tails: dict[str, bytes] = {}
        self.rewritten = 0

    async def follow(self, feed: ChangeFeed) -> None:
        async for batch in feed.batches():
            for change in batch:
                self.apply(change)

    def apply(self, change: Change) -> None:
        match change:
            case Created():
                assert change.path not in self.sizes
                self.sizes[change.path], self.tails[change.path] = change.size, b""
            case Appended():
                assert self.sizes[change.path] == change.start
                self.sizes[change.path] += len(change.data)
                self.tails[change.path] += change.data
            case Rewritten():
                self.rewritten += 1
                self.sizes[change.path], self.tails[change.path] = change.size, b""
            case Removed():
                del self.sizes[change.path], self.tails[change.path]
            case Renamed():
                self.sizes[change.new_path] = self.sizes.pop(change.path)
                self.tails[change.new_path] = self.tails.pop(change.path)


async def interfere(peer: Peer, rng: random.Random) -> None:
    """Do one thing that another process may do."""
    path = rng.choice(PATHS)
    draw = rng.random()
    if draw < 0.8:
        await peer.append(path, b"peer %x\n" % rng.getrandbits(64 * rng.randint(1, 8)))
    elif draw < 0.9:
        await peer.write(path, b"whole %x\n" % rng.getrandbits(rng.choice([64, 2000, 9000])))
    elif draw < 0.95:
        with suppress(FileNotFoundError):
            await peer.delete(path)
    else:
        with suppress(FileNotFoundError):
            await peer.rename(path, rng.choice([other for other in PATHS if other != path]))


async def write(storage: SessionStorage, rng: random.Random) -> None:
    """Do one thing of ours; a peer may have been there first."""
    path = rng.choice(PATHS)
    draw = rng.random()
    try:
        if draw < 0.85:
            await storage.open_writer(path).write_line(f"ours {rng.getrandbits(64):x}\n")
        elif draw < 0.92:
            await storage.write_text(path, f"our whole {rng.getrandbits(2000):x}\n")
        elif draw < 0.96:
            await storage.unlink(path)
        else:
            await storage.rename(path, rng.choice(PATHS))
    except (SessionNotFoundError, SessionExistsError):
        return


@pytest.mark.parametrize("seed", [1, 2])
async def test_mirror_and_listener_end_as_the_store(world: World, seed: int) -> None:
    storage = await world.open()
    rng = random.Random(seed)
    copy = Copy()
    async with storage.changes(own=True) as feed:
        following = asyncio.create_task(copy.follow(feed))

        async def peers() -> None:
            for _ in range(250):
                await interfere(world.peer, rng)
                await asyncio.sleep(0)

        async def ours() -> None:
            for _ in range(100):
                await write(storage, rng)

        await asyncio.gather(peers(), ours())
        await storage.drain()
        stored = {path: await world.peer.data(path) or b"" for path in await world.peer.paths()}
        sizes = {path: len(data) for path, data in stored.items()}
        await until(
            lambda: (
                following.done()
                or {stat.path: stat.size for stat in storage.stats()} == sizes == copy.sizes
            )
        )
        for path, data in stored.items():
            assert await storage.read_range(path, 0, None) == data
            assert data.endswith(copy.tails[path])
        assert not following.done()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
