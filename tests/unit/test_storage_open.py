"""Opening a storage: from a URL, a folder, a client, with the options that all of them take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sessiontui.errors import BackendDownError, ConfigError
from sessiontui.sources import parse_source
from sessiontui.storage import (
    DirectorySessionStorage,
    MemorySessionStorage,
    RedisSessionStorage,
    RetryPolicy,
    SessionStorage,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import redis.asyncio

    from tests.servers import RealServer

    Opening = Callable[..., Awaitable[SessionStorage]]


async def test_a_url_opens_a_server(
    redis_server: RealServer, redis_client: redis.asyncio.Redis
) -> None:
    for url in (
        f"unix://{redis_server.socket}?prefix=mine:",
        f"{redis_server.tcp_url}?prefix=mine:",
    ):
        for source in (url, parse_source(url)):
            async with await SessionStorage.open(source, follow=False) as storage:
                await storage.open_writer("/p/a.jsonl").write_line("{}\n")
                assert storage.read_text_sync("/p/a.jsonl").endswith("{}\n")
    assert await redis_client.get("mine:file:/p/a.jsonl") == b"{}\n" * 4


async def test_a_folder_is_opened_by_its_path_also_a_relative_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "sessions"
    root.mkdir()
    monkeypatch.chdir(tmp_path)
    file = root / "p" / "a.jsonl"
    for source in (str(root), "sessions", root.as_uri(), root, Path("sessions")):
        async with await SessionStorage.open(source, follow=False) as storage:
            await storage.open_writer(str(file)).write_line("{}\n")
    assert file.read_bytes() == b"{}\n" * 5


@pytest.mark.parametrize("source", ["", "http://cache", "redis:cache", "redis://cache:port"])
async def test_what_is_no_source_is_refused(source: str) -> None:
    with pytest.raises(ConfigError):
        await SessionStorage.open(source)


async def test_what_cannot_be_read_is_told_and_leaves_nothing_open(tmp_path: Path) -> None:
    with pytest.raises(BackendDownError):
        await SessionStorage.open(tmp_path / "missing")


@pytest.fixture(params=["open", "memory", "directory", "redis"])
def opening(
    request: pytest.FixtureRequest, tmp_path: Path, redis_client: redis.asyncio.Redis
) -> Opening:
    """Return each of the ways to open a storage."""

    def over(create: Any, place: Any) -> Opening:
        return lambda **options: create(place, **options)

    return {
        "open": over(SessionStorage.open, tmp_path),
        "memory": over(MemorySessionStorage.create, None),
        "directory": over(DirectorySessionStorage.create, tmp_path),
        "redis": over(RedisSessionStorage.create, redis_client),
    }[str(request.param)]


async def test_every_way_to_open_takes_the_same_options(opening: Opening, tmp_path: Path) -> None:
    path = f"{tmp_path}/p/a.jsonl"
    retries = RetryPolicy(attempts=3)
    async with await opening(
        contents="on_demand", follow=False, cache_bytes=8, retries=retries
    ) as storage:
        assert storage.feed_state.tier == "none"
        assert storage._write_queue._retries is retries
        await storage.write_text(path, "0123456789")
        assert await storage.read_range(path, 0, 8) == b"01234567"
        assert storage.cached_bytes == 8
        assert await storage.read_range(path, 0, 10) == b"0123456789"
        assert storage.cached_bytes == 8


async def test_every_way_to_open_follows_and_holds_all_by_default(
    opening: Opening, tmp_path: Path
) -> None:
    path = f"{tmp_path}/p/a.jsonl"
    async with await opening() as storage:
        assert storage.feed_state.tier != "none"
        await storage.write_text(path, "0123456789")
        assert storage.read_text_sync(path) == "0123456789"
