"""Redis behind sentinels: the primary is found, and found again when another takes over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sessiontui.errors import BackendDownError
from sessiontui.sources import RedisSource, parse_source
from sessiontui.storage import SessionStorage
from sessiontui.storage.changes import Appended
from sessiontui.storage.redis.backend import RedisBackend
from tests.command import Command
from tests.groups import plain, sentinels
from tests.servers import free_port
from tests.unit.redis_parts import FILE
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.groups import Sentinels

A = "/p/a.jsonl"
KEY = FILE + A.encode()


def storage_of(url: str) -> SessionStorage:
    source = parse_source(url)
    assert isinstance(source, RedisSource)
    return SessionStorage(RedisBackend.from_source(source))


@pytest.fixture
def group() -> Iterator[Sentinels]:
    with sentinels() as running:
        yield running


async def test_what_is_written_goes_to_whoever_is_the_primary(
    group: Sentinels, tmp_path: Path
) -> None:
    nobody = free_port()
    url = group.url.replace("://", f"://127.0.0.1:{nobody},")
    async with storage_of(url) as storage:
        await storage.load()
        assert await storage.why_read_only() is None
        await until(lambda: storage.feed_state.live)
        writer = storage.open_writer(A)
        await writer.write_line("1\n")
        before = group.primary()
        [replica] = [server for server in group.servers if server is not before]
        with plain(replica.port) as peer:
            await until(lambda: peer.get(KEY) == b"1\n")  # Else it would lose the line.
        group.fail_over()
        async with storage.changes() as feed:
            await writer.write_line("2\n")
            await until(lambda: storage.feed_state.live)
            after = group.primary()
            assert after is not before
            with plain(after.port) as peer:
                assert peer.get(KEY) == b"1\n2\n"
                peer.append(KEY, b"3\n")
            async for change in feed:
                if isinstance(change, Appended):
                    assert change.data == b"3\n"
                    break
        assert not [one for one in storage.warnings if "took over" in one]
    done = Command(tmp_path, source=url)("show", "--raw", A)
    assert (done.stdout, done.stderr) == ("1\n2\n3\n", "")


async def test_who_cannot_be_asked_and_what_is_not_known_is_said(group: Sentinels) -> None:
    for url, says in (
        (group.url.replace("/main", "/other"), "no sentinel knows a primary called other"),
        (
            f"redis+sentinel://127.0.0.1:{free_port()}/main",
            "no sentinel answers: cannot reach 127.0.0.1:",
        ),
    ):
        storage = storage_of(url)
        with pytest.raises(BackendDownError, match=says):
            await storage.load()
        await storage.aclose()
