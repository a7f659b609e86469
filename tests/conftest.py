"""Fixtures that several folders of tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.servers import real_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import redis.asyncio

    from tests.servers import RealServer


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
