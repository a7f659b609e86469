"""Fixtures that several folders of tests share."""

from __future__ import annotations

import gc
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from hypothesis import settings

from tests.servers import real_server, server_binaries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import redis.asyncio

    from tests.servers import RealServer

# A slow machine is no failure, and a run leaves nothing behind.
settings.register_profile("sessiontui", deadline=None, database=None)
settings.load_profile("sessiontui")

# As the app does for itself once it has loaded: hundreds of apps come and go here, and looking
# through everything that is alive after each few hundred objects takes a fifth of the time.
gc.set_threshold(50_000, 20, 50)

# A shell starts what it runs in the background deaf to Ctrl-C, and children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long, unless its file is named on the command line."""
    named = [Path(word.partition("::")[0]).name for word in config.args]
    left_out = [item for item in items if "long" in item.keywords and item.path.name not in named]
    if left_out:
        dropped = set(left_out)
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in dropped]


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RealServer]:
    """A server for the whole run, on a unix socket and on a port of 127.0.0.1."""
    with real_server(tcp=True) as server:
        yield server


@pytest_asyncio.fixture
async def redis_client(redis_server: RealServer) -> AsyncIterator[redis.asyncio.Redis]:
    """A plain client (bytes, not text) of an empty `redis_server`."""
    async with redis_server.client() as client:
        await client.flushall()
        yield client


@pytest.fixture(scope="session", params=server_binaries(), ids=lambda binary: binary.name)
def each_redis_server(request: pytest.FixtureRequest) -> Iterator[RealServer]:
    """Every different server that this machine has, one after the other."""
    with real_server(binary=request.param, tcp=True) as server:
        yield server


@pytest_asyncio.fixture
async def each_redis(each_redis_server: RealServer) -> AsyncIterator[redis.asyncio.Redis]:
    """A plain client (bytes, not text) of an empty `each_redis_server`."""
    async with each_redis_server.client() as client:
        await client.flushall()
        yield client
