"""A cluster under fire: slots move to and fro and connections are cut while lines are written."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import ResponseError

from sessiontui.sources import RedisSource, parse_source
from sessiontui.storage import RetryPolicy, SessionStorage
from sessiontui.storage.redis.backend import RedisBackend
from sessiontui.storage.redis.keys import slot_of
from tests.groups import cluster, plain
from tests.servers import server_binaries
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.groups import Cluster

pytestmark = pytest.mark.long

PATHS = [f"/p/{number}.jsonl" for number in range(4)]
LINES = 400
SEED = 20261126


@pytest.fixture(params=server_binaries(), ids=lambda binary: binary.name)
def group(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with cluster(binary=request.param) as running:
        yield running


def cut(group: Cluster, chance: random.Random) -> None:
    """End every connection to one node."""
    with plain(chance.choice(group.servers).port) as client:
        client.client_kill_filter(_type="normal", skipme=True)


def reshard(group: Cluster, slot: int, chance: random.Random) -> None:
    """Move a slot, some keys first."""
    target = group.other(slot)
    group.begin_move(slot, target)
    group.move_keys(slot, target, most=chance.randint(1, 3))
    group.end_move(slot, target)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("prefix", ["{omp}:sessions:", "omp:sessions:"])
async def test_every_line_is_there_once_however_the_cluster_is_rearranged(
    group: Cluster, prefix: str
) -> None:
    chance = random.Random(SEED)
    source = parse_source(group.url(prefix))
    assert isinstance(source, RedisSource)
    faults = {"cuts": 0, "moves": 0}
    async with SessionStorage(
        RedisBackend.from_source(source), retries=RetryPolicy(attempts=400)
    ) as storage:
        await storage.load()

        async def write(path: str) -> None:
            writer = storage.open_writer(path)
            for number in range(LINES):
                await writer.write_line(f"{path} {number}\n")

        async def disturb() -> None:
            while True:
                await asyncio.to_thread(cut, group, chance)
                faults["cuts"] += 1
                slot = slot_of(f"{prefix}file:{chance.choice(PATHS)}".encode())
                await asyncio.to_thread(reshard, group, slot, chance)
                faults["moves"] += 1

        disturbing = asyncio.create_task(disturb())
        await asyncio.gather(*map(write, PATHS))
        disturbing.cancel()
        await asyncio.wait([disturbing])
        if not disturbing.cancelled():
            disturbing.result()
        await storage.refresh()
        async with group.client() as plain_client:
            client: Any = plain_client
            for path in PATHS:
                lines = (await client.get(f"{prefix}file:{path}")).decode().splitlines()
                assert lines == [f"{path} {number}" for number in range(LINES)]
                assert (await storage.read_text(path)).splitlines() == lines
                assert await client.hexists(f"{prefix}meta", path)
    assert min(faults.values()) > 2, faults


@pytest.mark.timeout(300)
@pytest.mark.parametrize("prefix", ["{omp}:sessions:", "omp:sessions:"])
async def test_a_replica_takes_over_and_the_lines_go_on(group: Cluster, prefix: str) -> None:
    path = PATHS[0]
    primary = group.owner(slot_of(f"{prefix}file:{path}".encode()))
    replica = group.add_replica(primary)
    seed = next(server for server in group.servers if server is not primary)
    source = parse_source(f"redis+cluster://127.0.0.1:{seed.port}?prefix={prefix}")
    assert isinstance(source, RedisSource)
    backend = RedisBackend.from_source(source, patience_s=3.0)
    async with SessionStorage(backend, retries=RetryPolicy(attempts=400)) as storage:
        await storage.load()
        await until(lambda: storage.feed_state.live)
        writer = storage.open_writer(path)
        for number in range(50):
            await writer.write_line(f"{number}\n")
        size = storage.stat_sync(path).size
        key = f"{prefix}file:{path}"
        await until(lambda: _length_there(replica.port, key) == size)
        assert primary.pid is not None
        os.kill(primary.pid, signal.SIGKILL)
        for number in range(50, 100):
            await writer.write_line(f"{number}\n")
        assert _length_there(replica.port, key) == sum(len(f"{n}\n") for n in range(100))
        await until(lambda: storage.feed_state.live, deadline_s=120.0)
        with plain(replica.port) as client:
            client.append(key, b"peer\n")
        await until(lambda: storage.stat_sync(path).size > len("".join(map(str, range(100)))) + 100)
        expected = "".join(f"{number}\n" for number in range(100)) + "peer\n"
        assert await storage.read_text(path) == expected


def _length_there(port: int, key: str) -> int:
    """Return how long a session is at a replica, or at what has become of it."""
    with plain(port) as client:
        untyped: Any = client
        with contextlib.suppress(ResponseError):
            untyped.execute_command("READONLY")
            return int(client.strlen(key))
    return 0
