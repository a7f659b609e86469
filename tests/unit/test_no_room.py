"""A store that takes no writes: who waits for a change is told at once, and nothing is lost."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis

from sessiontui.errors import StorageError, WritesRefusedError
from sessiontui.formats.title_slot import make_title_field
from sessiontui.progress import Progress
from sessiontui.sources import RedisSource, parse_source
from sessiontui.storage import RetryPolicy, SessionStorage
from sessiontui.storage.backend import Stat, TrashItem
from sessiontui.storage.redis.backend import RedisBackend
from sessiontui.storage.redis.cluster_untagged import UntaggedClusterBackend
from sessiontui.workspace.bulk import run_each
from tests.command import NOW_MS, Command
from tests.contract.titles import HEADER, SLOTTED
from tests.groups import cluster
from tests.servers import real_server
from tests.unit.directory_support import run_script, with_mounts
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.servers import RealServer

PREFIX = "omp:sessions:"
A, DRAFT, B = "/p/a.jsonl", "/p/a/draft.txt", "/p/b.jsonl"
NEVER = RetryPolicy(attempts=40, first_s=3600.0, longest_s=3600.0)
"""Who tries again with these waits for longer than a test lasts."""
SOON = RetryPolicy(attempts=10_000, first_s=0.01, longest_s=0.01)
FIELD = make_title_field("First", "auto", 1_790_000_000_000)


@asynccontextmanager
async def opened(
    server: RealServer, retries: RetryPolicy = NEVER
) -> AsyncIterator[tuple[SessionStorage, Any]]:
    """Yield a storage over a session with a draft, and a plain client."""
    async with server.client() as plain:
        client: Any = plain
        await client.set(f"{PREFIX}file:{A}", SLOTTED)
        await client.set(f"{PREFIX}file:{DRAFT}", b"draft")
        await client.hset(f"{PREFIX}meta", mapping={A: b"1700000000000", DRAFT: b"1700000000001"})
        await client.hset(f"{PREFIX}title", A, FIELD)
        backend = RedisBackend.from_client(client)
        async with SessionStorage(backend, follow=False, retries=retries) as storage:
            await storage.load()
            yield storage, client


async def held(client: Any) -> dict[str, Any]:
    """Return everything that is stored, the trash aside."""
    keys = [key.decode() async for key in client.scan_iter(match=f"{PREFIX}file:*")]
    found = {key: await client.get(key) for key in keys}
    hashes = {name: await client.hgetall(PREFIX + name) for name in ("meta", "title")}
    return found | hashes


async def fill_memory(client: Any) -> str:
    await client.config_set("maxmemory", "1")
    return r"memory is full \(maxmemory 1B, noeviction\).*omp:sessions:trash:\*"


async def fail_to_save(client: Any) -> str:
    folder = (await client.config_get("dir"))["dir"]
    (Path(folder) / "dump.rdb").mkdir()  # nothing can be renamed to that
    await client.config_set("save", "3600 1000000")
    await client.bgsave()
    while (await client.info("persistence"))["rdb_bgsave_in_progress"]:  # noqa: ASYNC110 - its own
        await asyncio.sleep(0.01)
    return "cannot save its data"


async def want_replicas(client: Any) -> str:
    await client.config_set("min-replicas-to-write", "1")
    return "too few replicas"


CHANGES: dict[str, Callable[[SessionStorage], Awaitable[Any]]] = {
    "write": lambda storage: storage.write_text(A, "other"),
    "create": lambda storage: storage.write_text(B, "other", expected_size=-1),
    "title": lambda storage: storage.update_session_title(A, "Other"),
    "stage": lambda storage: storage.stage("1-a", 0, 0, b"x"),
}
MOVES: dict[str, Callable[[SessionStorage], Awaitable[Any]]] = {
    "rename": lambda storage: storage.rename(A, B),
    "trash": lambda storage: storage.trash_session(A),
    "unlink": lambda storage: storage.unlink(A),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("fill", [fill_memory, fail_to_save, want_replicas])
async def test_who_waits_for_a_change_is_told_at_once_what_is_full(
    change: str, fill: Callable[[Any], Awaitable[str]]
) -> None:
    with real_server() as server:
        async with opened(server) as (storage, client):
            before = await held(client)
            reason = await fill(client)
            with pytest.raises(WritesRefusedError, match=reason):
                await CHANGES[change](storage)
            assert await held(client) == before
            assert storage.stat_sync(A).size == len(SLOTTED)


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("fill", [fail_to_save, want_replicas])
async def test_what_only_moves_is_told_at_once_where_nothing_may_change(
    move: str, fill: Callable[[Any], Awaitable[str]]
) -> None:
    with real_server() as server:
        async with opened(server) as (storage, client):
            before = await held(client)
            reason = await fill(client)
            with pytest.raises(WritesRefusedError, match=reason):
                await MOVES[move](storage)
            assert await held(client) == before


@pytest.mark.parametrize("bare", [False, True], ids=["dated", "without time and title"])
async def test_a_full_server_lets_sessions_be_renamed_deleted_and_restored(bare: bool) -> None:
    with real_server() as server:
        async with opened(server) as (storage, client):
            if bare:
                await client.delete(f"{PREFIX}meta", f"{PREFIX}title")
                await storage.refresh()
            before = await held(client)
            await fill_memory(client)
            await storage.rename_session_with_artifacts(A, B)
            await storage.rename_session_with_artifacts(B, A)
            assert await held(client) == before
            item = await storage.trash_session(A)
            assert await held(client) == {"meta": {}, "title": {}}
            await storage.restore(item.id)
            assert await held(client) == before
            await storage.delete_session_with_artifacts(A)
            assert await held(client) == {"meta": {}, "title": {}}


async def test_two_sessions_are_not_joined_where_there_is_no_room() -> None:
    with real_server() as server:
        async with opened(server) as (storage, client):
            await client.set(f"{PREFIX}file:{B}", b"tail\n")
            await client.hset(f"{PREFIX}meta", B, b"5")
            before = await held(client)
            await fill_memory(client)
            tail, head = Stat(B, 5, 5), Stat(A, len(SLOTTED), 1700000000000)
            item = TrashItem("1-a", B, (tail,), 1000, 1000 + 86_400_000)
            with pytest.raises(WritesRefusedError, match="memory is full"):
                await storage._backend.join(item, head, between=b"", skip=0, mtime_ms=9)
            assert await held(client) == before


async def test_lines_wait_for_room_and_are_written_once() -> None:
    with real_server() as server:
        async with opened(server, SOON) as (storage, client):
            await fill_memory(client)
            writer = storage.open_writer(A)
            writing = asyncio.create_task(writer.write_line("one\n"))
            await until(lambda: isinstance(storage.last_error, WritesRefusedError))
            assert storage.pending == 1
            assert not writing.done()
            await client.config_set("maxmemory", "0")
            await writing
            assert storage.last_error is None
            assert await client.get(f"{PREFIX}file:{A}") == SLOTTED.encode() + b"one\n"


async def test_what_nobody_waits_for_is_in_hand_where_no_room_is_made() -> None:
    with real_server() as server:
        few = RetryPolicy(attempts=3, first_s=0.0, longest_s=0.0)
        async with opened(server, few) as (storage, client):
            await fill_memory(client)
            storage.write_text_sync(A, "other")
            with pytest.raises(WritesRefusedError):
                await storage.drain()
            [left] = storage.unwritten
            assert (left.path, left.data, left.whole) == (A, b"other", True)
            assert await storage.read_text(A) == SLOTTED


async def test_a_cluster_without_a_tag_deletes_and_restores_where_it_is_full() -> None:
    with cluster() as group:
        source = parse_source(group.url(PREFIX))
        assert isinstance(source, RedisSource)
        backend = RedisBackend.from_source(source)
        assert isinstance(backend, UntaggedClusterBackend)
        async with group.client() as plain:
            client: Any = plain
            await client.set(f"{PREFIX}file:{A}", SLOTTED)
            await client.hset(f"{PREFIX}meta", A, b"1700000000000")
            async with SessionStorage(backend, follow=False, retries=NEVER) as storage:
                await storage.load()
                await client.config_set("maxmemory", "1", target_nodes="primaries")
                item = await storage.trash_session(A)
                assert await client.exists(f"{PREFIX}file:{A}") == 0
                assert [one.id for one in await storage.trashed()] == [item.id]
                with pytest.raises(StorageError):
                    await storage.write_text(B, HEADER)
                await client.config_set("maxmemory", "0", target_nodes="primaries")
                await storage.restore(item.id)
                assert await client.get(f"{PREFIX}file:{A}") == SLOTTED.encode()
                assert await client.hget(f"{PREFIX}meta", A) == b"1700000000000"


async def test_nothing_more_is_tried_where_no_writes_are_taken() -> None:
    tried: list[str] = []

    async def refused(path: str) -> None:
        tried.append(path)
        raise WritesRefusedError("full")

    outcome = await run_each(["a", "b", "c"], refused, Progress(), str)
    assert tried == ["a"]
    assert outcome.left == ("b", "c")


def test_the_command_line_says_what_is_full_and_still_deletes(tmp_path: Path) -> None:
    with real_server() as server:
        path = "/sessions/-p/2026-01-01T08-00-00-000Z_03000000-0000-7000-8000-000000000000.jsonl"
        with redis.Redis(unix_socket_path=str(server.socket)) as client:
            client.set(f"{PREFIX}file:{path}", SLOTTED)
            client.hset(f"{PREFIX}meta", path, str(NOW_MS))
            client.config_set("maxmemory", "1")
            command = Command(tmp_path, server.url)
            done = command("rename", "03000000", "--title", "Other")
            assert done.returncode == 1
            assert "the server's memory is full (maxmemory 1B, noeviction)" in done.stderr
            done = command("rm", "--yes", "03000000")
            assert (done.returncode, done.stderr) == (0, "")
            assert client.exists(f"{PREFIX}file:{path}") == 0
            assert command("restore").returncode == 0
            assert client.get(f"{PREFIX}file:{path}") == SLOTTED.encode()
            assert client.hget(f"{PREFIX}meta", path) == str(NOW_MS).encode()


def test_a_full_disk_is_told_at_once_while_lines_wait_for_room(tmp_path: Path) -> None:
    done = run_script(
        """
        import subprocess
        from sessiontui.errors import WritesRefusedError
        from sessiontui.storage import RetryPolicy, SessionStorage
        disk = Path(sys.argv[1])
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", disk], check=True)
        retries = RetryPolicy(attempts=10_000, first_s=0.01, longest_s=0.01)
        async def main():
            backend = DirectoryBackend(disk, trash_root=disk / "trash")
            async with SessionStorage(backend, follow=False, retries=retries) as storage:
                await storage.load()
                await storage.write_text("/p/a.jsonl", "a" * 30_000)
                (disk / "filler").write_bytes(b"x" * 70_000)
                for change in (
                    storage.write_text("/p/a.jsonl", "b" * 60_000),
                    storage.write_text("/p/b.jsonl", "b" * 60_000),
                ):
                    try:
                        await change
                    except WritesRefusedError as error:
                        print(error)
                print((disk / "p/a.jsonl").read_bytes() == b"a" * 30_000)
                writer = storage.open_writer("/p/a.jsonl")
                line = asyncio.create_task(writer.write_line("c" * 50_000))
                while not isinstance(storage.last_error, WritesRefusedError):
                    await asyncio.sleep(0.01)
                print(storage.pending, line.done())
                (disk / "filler").unlink()
                await line
                print((disk / "p/a.jsonl").stat().st_size)
        asyncio.run(main())
        """,
        tmp_path,
        within=with_mounts(),
    )
    assert done.stdout.splitlines() == [
        "the disk is full: /p/a.jsonl",
        "the disk is full: /p/b.jsonl",
        "True",
        "1 False",
        "80000",
    ], done.stderr
