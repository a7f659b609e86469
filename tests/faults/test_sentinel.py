"""Failovers that really happen: the primary is killed, stopped, or cut off with what it has."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from sessiontui.sources import RedisSource, parse_source
from sessiontui.storage import RetryPolicy, SessionStorage
from sessiontui.storage.redis.backend import RedisBackend
from tests.groups import plain, sentinels
from tests.servers import server_binaries
from tests.unit.redis_parts import FILE
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.groups import Sentinels

pytestmark = pytest.mark.long

A = "/p/a.jsonl"
KEY = FILE + A.encode()
DEADLINE_S = 120.0


@pytest.fixture(params=server_binaries(), ids=lambda binary: binary.name)
def group(request: pytest.FixtureRequest) -> Iterator[Sentinels]:
    with sentinels(3, binary=request.param) as running:
        yield running


def storage_of(group: Sentinels) -> SessionStorage:
    source = parse_source(group.url)
    assert isinstance(source, RedisSource)
    backend = RedisBackend.from_source(source, patience_s=3.0)
    return SessionStorage(backend, retries=RetryPolicy(attempts=200))


def replicated(group: Sentinels) -> int:
    """Return how much the replica has; 0 where it cannot be asked."""
    with plain(group.servers[1].port) as client:
        return int(client.strlen(KEY))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=lambda how: how.name)
async def test_lines_go_on_with_the_one_that_takes_over_each_once(
    group: Sentinels, how: signal.Signals
) -> None:
    before = group.primary()
    assert before.pid is not None
    async with storage_of(group) as storage:
        await storage.load()
        writer = storage.open_writer(A)
        for number in range(200):
            await writer.write_line(f"{number}\n")
        await until(lambda: replicated(group) == storage.stat_sync(A).size)
        os.kill(before.pid, how)
        try:
            for number in range(200, 400):
                await writer.write_line(f"{number}\n")
        finally:
            if how is signal.SIGSTOP:
                os.kill(before.pid, signal.SIGCONT)
        await until(lambda: storage.feed_state.live, deadline_s=DEADLINE_S)
        after = group.primary()
        assert after is not before
        with plain(after.port) as client:
            lines = client.get(KEY).split()
        assert lines == [b"%d" % number for number in range(400)]
        assert await storage.read_text(A) == "".join(f"{number}\n" for number in range(400))
        await writer.close()


async def test_what_the_old_primary_confirmed_and_took_along_is_told(group: Sentinels) -> None:
    before, replica = group.servers
    assert before.pid is not None
    async with storage_of(group) as storage:
        await storage.load()
        writer = storage.open_writer(A)
        await writer.write_line("replicated\n")
        await until(lambda: replicated(group) == storage.stat_sync(A).size)
        await until(lambda: storage.feed_state.live)
        assert replica.pid is not None
        os.kill(replica.pid, signal.SIGSTOP)
        with plain(before.port) as client:
            client.client_kill_filter(_type="replica")
        await writer.write_line("confirmed, and never seen by the replica\n")
        os.kill(before.pid, signal.SIGKILL)
        os.kill(replica.pid, signal.SIGCONT)
        await until(lambda: storage.warnings, deadline_s=DEADLINE_S)
        assert storage.warnings == (
            f"another server took over and has less of {A}: what was written last may be lost",
        )
        await writer.write_line("after\n")
        with plain(replica.port) as client:
            assert client.get(KEY) == b"replicated\nafter\n"
        await until(lambda: storage.stat_sync(A).size == len(b"replicated\nafter\n"))
        assert await storage.read_text(A) == "replicated\nafter\n"
