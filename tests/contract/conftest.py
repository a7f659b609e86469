"""Every test of this folder runs over every backend, with contents resident and on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.contract.worlds import DirectoryPeer, MemoryPeer, Peer, RedisPeer, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

    from sessiontui.storage import SessionStorage


@pytest_asyncio.fixture(params=["memory", "directory", "redis"])
async def peer(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Peer]:
    """Another process at an empty store."""
    if request.param == "memory":
        yield MemoryPeer()
    elif request.param == "directory":
        yield DirectoryPeer(tmp_path)
    else:
        server = request.getfixturevalue("redis_server")
        async with server.client() as client:
            await client.flushall()
            yield RedisPeer(client)


@pytest_asyncio.fixture(params=["resident", "on_demand"])
async def world(request: pytest.FixtureRequest, peer: Peer) -> AsyncIterator[World]:
    """The store, and what is opened over it."""
    opened = World(peer, request.param)
    try:
        yield opened
    finally:
        await opened.close()


@pytest_asyncio.fixture
async def storage(world: World) -> SessionStorage:
    """A loaded storage over the empty store; nobody's changes are followed."""
    return await world.open(follow=False)
