"""Where nothing may be changed nothing is: as asked, or because the source allows no change."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sessiontui.config import Config
from sessiontui.errors import BackendDownError, ReadOnlyError, StorageError
from sessiontui.sources import parse_source
from sessiontui.storage import SessionStorage
from sessiontui.storage.directory.backend import DirectoryBackend
from sessiontui.storage.memory import MemoryBackend, MemoryStore
from sessiontui.storage.redis.backend import RedisBackend
from sessiontui.storage.retention import DAY_MS
from sessiontui.workspace import open_workspace
from tests.command import Command, write_sessions
from tests.contract.flaky import CHANGES, FlakyBackend
from tests.servers import real_server
from tests.unit.redis_parts import META, PASSWORD, everything, opened, user
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    import redis.asyncio

    from tests.servers import RealServer

A, B = "/p/a.jsonl", "/p/b.jsonl"
READER = "+@read", "+@connection", "+@transaction"


async def append(storage: SessionStorage) -> None:
    await storage.open_writer(A).write_line("{}")


async def empty(storage: SessionStorage) -> None:
    storage.open_writer(A, "w")


async def write_now(storage: SessionStorage) -> None:
    storage.write_text_sync(A, "x")


CALLS: dict[str, Callable[[SessionStorage], Awaitable[Any]]] = {
    "append": append,
    "empty": empty,
    "write_text_sync": write_now,
    "write_text": lambda storage: storage.write_text(A, "x"),
    "rename": lambda storage: storage.rename(A, B),
    "rename_with_artifacts": lambda storage: storage.rename_session_with_artifacts(A, B),
    "unlink": lambda storage: storage.unlink(A),
    "delete": lambda storage: storage.delete_session_with_artifacts(A),
    "trash": lambda storage: storage.trash_session(A),
    "restore": lambda storage: storage.restore("1"),
    "title": lambda storage: storage.update_session_title(A, "x", allow_rewrite=True),
}


@pytest.mark.parametrize("name", CALLS)
async def test_a_storage_that_is_closed_to_changes_refuses_each_before_anything_happens(
    name: str,
) -> None:
    store = MemoryStore()
    store.write(A, b'{"type":"session"}\n')
    backend = FlakyBackend(MemoryBackend(store))
    async with SessionStorage(backend) as storage:
        await storage.load()
        storage.read_only = "as asked"
        with pytest.raises(ReadOnlyError, match=r"^read-only \(as asked\): nothing was changed$"):
            await CALLS[name](storage)
        assert storage.pending == 0
        assert await storage.read_text(A) == '{"type":"session"}\n'
        await storage.refresh()
    assert not {called for called, _ in backend.calls} & set(CHANGES)


async def why(client: redis.asyncio.Redis) -> str | None:
    async with opened(client) as backend:
        return await backend.read_only()


async def test_asking_a_server_changes_nothing(each_redis: redis.asyncio.Redis) -> None:
    await each_redis.set("omp:sessions:file:", b"odd, but a session")
    before = await everything(each_redis)
    dirty = (await each_redis.info("persistence"))["rdb_changes_since_last_save"]
    assert await why(each_redis) is None
    assert await everything(each_redis) == before
    assert (await each_redis.info("persistence"))["rdb_changes_since_last_save"] == dirty


async def test_a_key_of_another_type_is_no_missing_right(each_redis: redis.asyncio.Redis) -> None:
    await each_redis.lpush("omp:sessions:file:", "x")
    await each_redis.set(META, b"x")
    assert await why(each_redis) is None


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ((*READER, "~omp:sessions:*"), "no right to write"),
        ((*READER, "+@write", "~omp:sessions:*"), "no right to write"),  # every step is a script
        ((*READER, "+@scripting", "~omp:sessions:*"), "no right to write"),
        ((*READER, "+@write", "+@scripting", "~other:*"), "no right to write"),
        ((*READER, "+@write", "+@scripting", "~omp:sessions:*"), None),
        ((*READER, "+hset", "+@scripting", "~omp:sessions:*"), None),
    ],
)
async def test_a_user_who_may_not_write_is_known_by_it(
    each_redis_server: RealServer,
    each_redis: redis.asyncio.Redis,
    rules: tuple[str, ...],
    reason: str | None,
) -> None:
    async with (
        user(each_redis, "someone", *rules),
        each_redis_server.client(username="someone", password=PASSWORD) as client,
    ):
        assert await why(client) == reason


async def test_a_replica_is_known_by_what_it_says(redis_server: RealServer) -> None:
    master = f"127.0.0.1 {redis_server.port}"
    with real_server(arguments=("--replicaof", *master.split())) as replica:
        async with replica.client() as client:
            assert await why(client) == "a replica"


async def test_what_becomes_of_the_server_is_noticed_when_it_is_back(
    redis_server: RealServer,
) -> None:
    with real_server() as server:
        async with (
            server.client() as plain,
            open_workspace(parse_source(server.url)) as workspace,
        ):
            client: Any = plain
            await workspace.ready()
            assert workspace.state.read_only is None
            await client.execute_command("REPLICAOF", "127.0.0.1", redis_server.port)
            await client.execute_command("CLIENT", "KILL", "TYPE", "PUBSUB")
            await until(lambda: workspace.state.read_only == "a replica")
            with pytest.raises(ReadOnlyError):
                await workspace.storage.trash_session(A)
            await client.execute_command("REPLICAOF", "NO", "ONE")
            await client.execute_command("CLIENT", "KILL", "TYPE", "PUBSUB")
            await until(lambda: workspace.state.read_only is None)


class Unsure(MemoryBackend):
    """Says what may be changed, or that it cannot say just now."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[str | StorageError | None] = ["a replica"]

    async def read_only(self) -> str | None:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, StorageError):
            raise answer
        return answer


async def test_what_may_be_changed_is_asked_again_where_it_could_not_be_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sessiontui.workspace.connection._RETRY_S", 0.01)
    backend = Unsure()
    source = parse_source("/nowhere")
    async with open_workspace(source, connect=lambda *_: backend) as workspace:
        await until(lambda: workspace.state.read_only == "a replica")
        backend.answers = [BackendDownError("not yet"), None]
        backend.store.break_feeds()
        await until(lambda: not workspace.state.feed.live)
        backend.store.mend_feeds()
        await until(lambda: workspace.state.read_only is None)


@contextmanager
def nobody() -> Iterator[None]:
    """Let this process have no rights of root for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def folder_with_a_session(tmp_path: Path, mode: int) -> DirectoryBackend:
    root = tmp_path / "root"
    (root / "p").mkdir(parents=True)
    (root / "p" / "a.jsonl").write_text("{}\n")
    for folder in (root / "p", root):
        folder.chmod(mode)
    return DirectoryBackend(root, trash_root=tmp_path / "trash")


@pytest.mark.parametrize(("mode", "reason"), [(0o555, "no right to write"), (0o777, None)])
async def test_a_folder_where_nobody_may_write_is_known_by_asking_the_system(
    tmp_path: Path, mode: int, reason: str | None
) -> None:
    for above in (tmp_path, *tmp_path.parents):
        if above.stat().st_uid == os.geteuid() and above != above.parent:
            above.chmod(above.stat().st_mode | 0o011)
    backend = folder_with_a_session(tmp_path, mode)
    with nobody():
        assert await backend.read_only() == reason
    await backend.aclose()
    (tmp_path / "root").chmod(0o755)
    (tmp_path / "root" / "p").chmod(0o755)


async def test_a_project_that_may_be_changed_is_enough(tmp_path: Path) -> None:
    backend = folder_with_a_session(tmp_path, 0o555)
    (tmp_path / "root" / "p").chmod(0o777)
    with nobody():
        assert await backend.read_only() is None
    await backend.aclose()
    (tmp_path / "root").chmod(0o755)


async def test_a_file_system_that_is_mounted_so_is_known_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = folder_with_a_session(tmp_path, 0o755)
    told = list(os.statvfs(tmp_path))
    told[8] |= os.ST_RDONLY
    monkeypatch.setattr(os, "statvfs", lambda _folder: os.statvfs_result(told))
    assert await backend.read_only() == "file system"
    await backend.aclose()


async def test_a_folder_that_is_not_there_yet_forbids_nothing(tmp_path: Path) -> None:
    backend = DirectoryBackend(tmp_path / "later", trash_root=tmp_path / "trash")
    assert await backend.read_only() is None
    await backend.aclose()


async def test_listing_the_trash_leaves_it_as_it_is_where_nothing_is_to_be_changed(
    tmp_path: Path,
) -> None:
    now = [1000]
    root = tmp_path / "root"
    (root / "p").mkdir(parents=True)
    (root / "p" / "a.jsonl").write_text("{}\n")
    backend = DirectoryBackend(root, trash_root=tmp_path / "trash", clock=lambda: now[0])
    async with SessionStorage(backend, clock=lambda: now[0], follow=False) as storage:
        await storage.load()
        await storage.trash_session(A, keep_ms=500)
        kept = [path.name for path in sorted((tmp_path / "trash").rglob("*"))]
        for read_only in ("as asked", None):
            storage.read_only = read_only
            for _ in range(2):  # Two looks, far enough apart, that find its time over.
                now[0] += 2 * DAY_MS
                listed = await storage.trashed()
            names = [path.name for path in sorted((tmp_path / "trash").rglob("*"))]
            assert (bool(listed), names == kept) == (read_only is not None,) * 2


async def test_a_workspace_is_closed_to_changes_as_the_configuration_says(
    redis_server: RealServer, redis_client: redis.asyncio.Redis
) -> None:
    await redis_client.set("omp:sessions:file:" + A, b"{}\n")
    source = parse_source(redis_server.url)
    async with open_workspace(source, config=Config(read_only=True)) as workspace:
        await workspace.ready()
        assert workspace.state.read_only == "as asked"
        with pytest.raises(ReadOnlyError):
            await workspace.delete(await workspace.plan_delete([A]))
        with pytest.raises(ReadOnlyError):
            await workspace.rename(A, title="x")
    assert await redis_client.get("omp:sessions:file:" + A) == b"{}\n"


class TestCommands:
    LINE = "sessiontui: read-only (as asked): nothing was changed\n"

    @pytest.fixture
    def command(self, tmp_path: Path) -> Command:
        self.files = write_sessions(tmp_path / "sessions")
        return Command(tmp_path, source=str(tmp_path / "sessions"))

    def names(self, tmp_path: Path) -> dict[Path, bytes]:
        return {
            file: file.read_bytes()
            for file in sorted((tmp_path / "sessions").rglob("*"))
            if file.is_file()
        }

    @pytest.mark.parametrize(
        "words",
        [
            ("rename", "NAME", "--title", "x"),
            ("rm", "--yes", "--force", "NAME"),
            ("restore",),
            ("doctor", "--fix", "--yes"),
            ("doctor", "--undo"),
            ("resume", "NAME"),
            ("cp", "NAME", "--to", "/nowhere/at/all"),
            ("mv", "NAME", "--to", "/nowhere/at/all"),
        ],
        ids=lambda words: words[0],
    )
    def test_a_command_that_changes_something_says_on_one_line_why_not(
        self, command: Command, tmp_path: Path, words: tuple[str, ...]
    ) -> None:
        name = str(next(iter(self.files.values())))
        before = self.names(tmp_path)
        for place in ("before", "after"):
            line = ["--read-only", *words] if place == "before" else [*words, "--read-only"]
            done = command(*(name if word == "NAME" else word for word in line))
            assert (done.returncode, done.stdout, done.stderr) == (1, "", self.LINE)
        assert self.names(tmp_path) == before
        assert not (tmp_path / ".local" / "share" / "sessiontui").exists()

    def test_looking_goes_on(self, command: Command) -> None:
        name = str(next(iter(self.files.values())))
        assert command("--read-only", "ls").returncode == 0
        assert command("--read-only", "trash").returncode == 0
        assert command("--read-only", "show", name).returncode == 0
        assert command("--read-only", "rm", "--dry-run", name).returncode == 0

    def test_the_configuration_says_so_too(self, command: Command, tmp_path: Path) -> None:
        config = tmp_path / "config.toml"
        config.write_text("read_only = true\n")
        name = str(next(iter(self.files.values())))
        done = command("rm", "--yes", name, SESSIONTUI_CONFIG=str(config))
        assert (done.returncode, done.stderr) == (1, self.LINE)

    async def test_a_reader_is_told_of_its_rights(
        self, redis_server: RealServer, redis_client: redis.asyncio.Redis, tmp_path: Path
    ) -> None:
        await redis_client.set("omp:sessions:file:/p/2026_abc.jsonl", b"{}\n")
        async with user(redis_client, "reader", *READER, "~omp:sessions:*"):
            source = f"redis://reader:{PASSWORD}@127.0.0.1:{redis_server.port}"
            done = Command(tmp_path, source=source)("rm", "--yes", "abc")
        assert done.stderr == "sessiontui: read-only (no right to write): nothing was changed\n"
        assert done.returncode == 1


def test_the_backend_of_every_kind_says_whether_it_can_be_changed() -> None:
    assert all(
        hasattr(kind, "read_only") for kind in (RedisBackend, DirectoryBackend, MemoryBackend)
    )
