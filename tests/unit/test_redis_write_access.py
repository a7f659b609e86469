"""The rights that docs/servers.md names are enough on every server, and reach no further."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import NoPermissionError

from sessiontui.errors import AccessError
from sessiontui.formats.title_slot import make_slot
from sessiontui.storage import SessionStorage, repair_operations
from sessiontui.storage.backend import HashFieldChange, Stat, TrashItem
from sessiontui.storage.redis.backend import RedisBackend
from tests.command import ROOT
from tests.unit.redis_parts import FILE, META, PASSWORD
from tests.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import redis.asyncio

    from tests.servers import RealServer

A, B = "/p/a.jsonl", "/p/b.jsonl"
HEADER = b'{"type":"session","version":3,"id":"1","timestamp":"2026-01-01T00:00:00Z","cwd":"/"}\n'


def rules_of(name: str) -> list[str]:
    """Return the words of the documented line that makes a user, behind the name."""
    start = f"ACL SETUSER {name} "
    (line,) = [
        line
        for line in (ROOT / "docs" / "servers.md").read_text().splitlines()
        if line.startswith(start)
    ]
    return line.removeprefix(start).replace("PASSWORD", PASSWORD).split()


@contextlib.asynccontextmanager
async def storage_of(
    server: RealServer, client: redis.asyncio.Redis, rules: list[str]
) -> AsyncIterator[SessionStorage]:
    """Open the sessions as a user with these rights."""
    admin: Any = client
    await admin.execute_command("ACL", "SETUSER", "someone", "reset", *rules)
    await admin.execute_command("ACL", "LOG", "RESET")
    backend = RedisBackend.from_client(server.client(username="someone", password=PASSWORD))
    try:
        async with SessionStorage(backend) as storage:
            yield storage
    finally:
        await client.acl_deluser("someone")


async def refusals(client: redis.asyncio.Redis) -> set[str]:
    """Return what the server refused, as its log has it."""
    admin: Any = client
    return {_text(entry["object"]) for entry in await admin.acl_log()}


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


async def look_at_everything(storage: SessionStorage, client: redis.asyncio.Redis) -> None:
    """Read all there is, and be told of what another client does."""
    await client.set(FILE + A.encode(), HEADER)
    await client.hset(META, A, b"1700000000000")
    await storage.load()
    assert storage.feed_state.tier == "tracking"
    assert await storage.read_text(A) == HEADER.decode()
    assert [stat.path for stat in await storage.artifacts(A)] == [A]
    assert await storage.trashed() == []
    assert [stat.path async for batch in storage.survey() for stat in batch.stats] == [A]
    assert [field async for fields in storage.loose_fields() for field in fields] == []
    async with storage.changes() as feed:
        await client.append(FILE + A.encode(), b"{}\n")
        await client.hset("omp:sessions:title", A, b'{"title":"x","updatedAt":"2026"}')
        seen = set()
        async with asyncio.timeout(DEADLINE_S):
            async for change in feed:
                seen.add(type(change).__name__)
                if {"Appended", "Retitled"} <= seen:
                    break


async def change_everything(storage: SessionStorage) -> None:
    """Use every way there is to change sessions."""
    await storage.open_writer(A).write_line('{"type":"x"}')
    assert await storage.update_session_title(A, "Title", allow_rewrite=True)
    assert await storage.update_session_title(A, "Other")
    await storage.write_text("/p/large.jsonl", HEADER.decode() + "x" * 1_500_000 + "\n")
    assert await storage.update_session_title("/p/large.jsonl", "Title", allow_rewrite=True)
    await storage.write_text("/p/a/draft.txt", "draft")
    await storage.rename_session_with_artifacts(A, B)
    item = await storage.trash_session(B)
    assert [one.id for one in await storage.trashed()] == [item.id]
    await storage.restore(item.id)
    slot = make_slot("Other", source="user", updated_at=0)
    assert (await storage.read_range(B, 0, None))[:20] == slot[:20]
    await repair_everything(storage)
    await storage.delete_session_with_artifacts(B)
    await storage.drain()


async def repair_everything(storage: SessionStorage) -> None:
    """Use every way there is to put something right."""
    await storage.write_text("/p/tail.jsonl", "tail\n")
    head = Stat(B, storage.stat_sync(B).size, 1)
    item = TrashItem("00000000000001-cafe", "/p/tail.jsonl", (), 1, 4_000_000_000_000)
    tail = Stat("/p/tail.jsonl", 5, 1)
    free = (lambda _stat: None, lambda _stat: None)
    await storage.carry_out(
        repair_operations.JoinSessions(tail, head, item, mtime_ms=9, guards=free)
    )
    size = storage.stat_sync(B).size
    await storage.carry_out(repair_operations.Crop(B, 0, head.size, expected_size=size, mtime_ms=9))
    change = HashFieldChange("title", "/gone.jsonl", None, b"x")
    for one in (change, change.undone()):
        fields = repair_operations.ChangeFields([one])
        await storage.carry_out(fields)
        assert fields.changed == [True]


PROBES = {"evalsha", "setrange", "set", "hset", "client|kill", "client", "info"}
"""What is asked to find out whether it is allowed; a server notes that it refused."""


async def test_a_reader_needs_what_the_readme_says(
    each_redis_server: RealServer, each_redis: redis.asyncio.Redis
) -> None:
    async with storage_of(each_redis_server, each_redis, rules_of("reader")) as storage:
        await look_at_everything(storage, each_redis)
        assert await storage.why_read_only() == "no right to write"
        assert await refusals(each_redis) <= PROBES
        with pytest.raises(AccessError):
            await storage.unlink(A)
    assert await each_redis.exists(FILE + A.encode())


async def test_a_manager_needs_what_the_readme_says(
    each_redis_server: RealServer, each_redis: redis.asyncio.Redis
) -> None:
    async with storage_of(each_redis_server, each_redis, rules_of("manager")) as storage:
        await look_at_everything(storage, each_redis)
        assert await storage.why_read_only() is None
        await change_everything(storage)
        assert await refusals(each_redis) <= {"client|kill", "client", "info"}
    assert [key async for key in each_redis.scan_iter(FILE + b"*")] == [FILE + b"/p/large.jsonl"]


@pytest.mark.parametrize("name", ["reader", "manager"])
async def test_neither_reaches_beyond_the_sessions(
    redis_server: RealServer, redis_client: redis.asyncio.Redis, name: str
) -> None:
    rules = rules_of(name)
    assert not [rule for rule in rules if rule.startswith("+@") or rule in ("~*", "&*", "allkeys")]
    admin: Any = redis_client
    await admin.execute_command("ACL", "SETUSER", "someone", "reset", *rules)
    try:
        async with redis_server.client(username="someone", password=PASSWORD) as client:
            plain: Any = client
            for words in (
                ("GET", "other"), ("STRLEN", "other"), ("KEYS", "*"), ("FLUSHALL",),
                ("CONFIG", "GET", "*"), ("CLIENT", "LIST"), ("PUBLISH", "x", "y"),
                ("SUBSCRIBE", "other"), ("ACL", "LIST"), ("SHUTDOWN", "NOSAVE"),
            ):  # fmt: skip
                with pytest.raises(NoPermissionError):
                    await plain.execute_command(*words)
    finally:
        await redis_client.acl_deluser("someone")
