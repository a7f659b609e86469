"""A session that expires goes on to expire at the same moment, whatever is done with it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sessiontui.errors import AccessError
from sessiontui.sources import RedisSource, parse_source
from sessiontui.storage import SessionStorage
from sessiontui.storage.backend import TrashItem
from sessiontui.storage.redis.backend import RedisBackend
from sessiontui.storage.redis.cluster_untagged import UntaggedClusterBackend
from sessiontui.times import now_ms
from sessiontui.workspace import open_workspace
from sessiontui.workspace.transfer import TransferOptions, Transfers, open_destination
from tests.contract.places import WHEN, Store
from tests.contract.titles import HEADER, SLOTTED
from tests.groups import cluster
from tests.servers import real_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

PREFIX = "omp:sessions:"
FILE = PREFIX + "file:"
A, DRAFT, B = "/p/a.jsonl", "/p/a/draft.txt", "/p/b.jsonl"
DAY_MS = 86_400_000
SOONER, LATER = 2 * DAY_MS, 90 * DAY_MS
"""Sooner and later than the trash lets go."""


@asynccontextmanager
async def opened(body: str = HEADER) -> AsyncIterator[tuple[SessionStorage, Any]]:
    """Yield a storage over a session and its draft that expire, and a plain client."""
    with real_server() as server:
        async with server.client() as plain:
            client: Any = plain
            await client.set(FILE + A, body, px=SOONER)
            await client.set(FILE + DRAFT, b"draft", px=LATER)
            await client.set(FILE + B, b"for ever\n")
            await client.hset(f"{PREFIX}meta", mapping={A: "5", DRAFT: "6", B: "7"})
            backend = RedisBackend.from_client(client)
            async with SessionStorage(backend, follow=False) as storage:
                await storage.load()
                yield storage, client


async def ends(client: Any, *paths: str) -> list[int]:
    """Return the moment at which each expires, -1 for never."""
    return [await client.pexpiretime(FILE + path) for path in paths]


BIG = HEADER + "x" * 1_100_000
CHANGES: dict[str, Callable[[SessionStorage], Awaitable[Any]]] = {
    "whole write": lambda storage: storage.write_text(A, "other"),
    "line": lambda storage: storage.open_writer(A).write_line("line\n"),
    "emptied": lambda storage: storage.open_writer(A, "w").write_line("line\n"),
    "slot": lambda storage: storage.update_session_title(A, "New", allow_rewrite=True),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("body", [HEADER, SLOTTED, BIG], ids=["bare", "slotted", "big"])
async def test_a_change_leaves_the_moment(change: str, body: str) -> None:
    async with opened(body) as (storage, client):
        before = await ends(client, A, DRAFT, B)
        await CHANGES[change](storage)
        await storage.drain()
        assert await ends(client, A, DRAFT, B) == before


async def test_a_rename_takes_the_moments_along() -> None:
    async with opened() as (storage, client):
        before = await ends(client, A, DRAFT)
        await storage.rename_session_with_artifacts(A, "/p/c.jsonl")
        assert await ends(client, "/p/c.jsonl", "/p/c/draft.txt") == before
        await storage.rename("/p/c.jsonl", B, overwrite=True)
        assert await ends(client, B) == before[:1]


@pytest.mark.parametrize("keep_ms", [DAY_MS, 30 * DAY_MS])
async def test_what_expires_by_itself_does_so_in_the_trash_too_and_at_the_same_moment(
    keep_ms: int,
) -> None:
    async with opened() as (storage, client):
        before = await ends(client, A, DRAFT)
        item = await storage.trash_session(A, keep_ms=keep_ms)
        record = f"{PREFIX}trash:{item.id}"
        kept = [await client.pexpiretime(f"{record}:{number}") for number in (1, 2)]
        assert kept == before
        assert abs(await client.pexpiretime(record) - before[0]) < DAY_MS
        [listed] = await storage.trashed()
        assert listed.expires_ms <= item.deleted_ms + min(keep_ms, SOONER)
        await storage.restore(item.id)
        assert await ends(client, A, DRAFT) == before
        assert await client.exists(record) == 0


async def test_what_never_expires_does_not_after_the_trash_either() -> None:
    async with opened() as (storage, client):
        item = await storage.trash_session(B)
        assert await client.pexpiretime(f"{PREFIX}trash:{item.id}:1") > now_ms()
        await storage.restore(item.id)
        assert await ends(client, B) == [-1]


async def test_a_tail_that_was_joined_has_its_moment_when_it_is_back() -> None:
    async with opened() as (storage, client):
        before = await ends(client, A, B)
        stats = {stat.path: stat for stat in storage.stats()}
        now = now_ms()
        item = TrashItem("1-a", A, (stats[A],), now, now + DAY_MS)
        await storage._backend.join(item, stats[B], between=b"", skip=0, mtime_ms=9)
        assert await client.exists(FILE + A) == 0
        assert await ends(client, B) == [-1]
        await storage.restore("1-a")
        assert await ends(client, A, B) == before


async def test_a_restore_that_the_server_refuses_leaves_the_trash_as_it_was() -> None:
    async with opened() as (storage, client):
        item = await storage.trash_session(A)
        trashed = [f"{PREFIX}trash:{item.id}:{number}" for number in (1, 2)]
        before = [(await client.get(key), await client.pexpiretime(key)) for key in trashed]
        await client.acl_setuser("default", commands=["-unlink"])
        with pytest.raises(AccessError, match="unlink"):
            await storage.restore(item.id)
        after = [(await client.get(key), await client.pexpiretime(key)) for key in trashed]
        assert after == before
        assert await client.exists(FILE + A) == 0


async def test_a_cluster_without_a_tag_keeps_the_moments_too() -> None:
    with cluster() as group:
        source = parse_source(group.url(PREFIX))
        assert isinstance(source, RedisSource)
        backend = RedisBackend.from_source(source)
        assert isinstance(backend, UntaggedClusterBackend)
        async with group.client() as plain:
            client: Any = plain
            await client.set(FILE + A, HEADER, px=SOONER)
            await client.set(FILE + DRAFT, b"draft", px=LATER)
            await client.set(FILE + B, b"for ever\n")
            before = await ends(client, A, DRAFT, B)
            async with SessionStorage(backend, follow=False) as storage:
                await storage.load()
                for keep_ms in (DAY_MS, 30 * DAY_MS):
                    item = await storage.trash_session(A, keep_ms=keep_ms)
                    [listed] = await storage.trashed()
                    assert listed.expires_ms <= item.deleted_ms + min(keep_ms, SOONER)
                    await storage.restore(item.id)
                    assert await ends(client, A, DRAFT, B) == pytest.approx(before, abs=60_000)
                forever = await storage.trash_session(B)
                await storage.restore(forever.id)
                await storage.rename_session_with_artifacts(A, "/p/c.jsonl")
                after = await ends(client, "/p/c.jsonl", "/p/c/draft.txt", B)
                assert after == pytest.approx(before, abs=60_000)
                assert after[2] == -1


@pytest.mark.parametrize("kind", ["second", "folder"])
@pytest.mark.parametrize("move", [False, True])
async def test_a_copy_on_a_server_expires_with_its_original_and_one_in_a_folder_is_told(
    tmp_path: Path, kind: str, move: bool
) -> None:
    with real_server() as server:
        async with server.client() as plain:
            client: Any = plain
            here, there = (Store(name, tmp_path, server, client) for name in ("redis", kind))
            path = "/sessions/-code-api/a.jsonl"
            await here.write(path, SLOTTED.encode())
            await here.write("/sessions/-code-api/a/draft.txt", b"draft")
            await client.pexpire(FILE + path, SOONER)
            [before] = await ends(client, path)
            async with (
                open_workspace(here.source, clock=lambda: WHEN + 10**9) as workspace,
                open_destination(
                    there.source, home=workspace.home, origin=here.source, connect=there.connect
                ) as destination,
            ):
                await workspace.settled()
                wish = TransferOptions(move=move)
                outcome = await Transfers(workspace).run([path], destination, wish)
                [one] = outcome.done
                assert one.expires == there.is_folder
                if not there.is_folder:
                    draft = one.new_path.removesuffix(".jsonl") + "/draft.txt"
                    names = [f"{there.prefix}file:{name}" for name in (one.new_path, draft)]
                    copied = [await client.pexpiretime(name) for name in names]
                    assert copied == [pytest.approx(before, abs=60_000), -1]
                if move:
                    await workspace.undo()
                    assert await ends(client, path) == [before]
