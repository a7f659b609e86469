"""Our actions beside an agent at work: it loses nothing, or just what the user was told."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sessiontui.doctor import Finding, JoinTail
from sessiontui.errors import SessionExistsError, SessionHeldError, WriteConflictError
from sessiontui.formats.title_slot import make_title_field, parse_slot
from sessiontui.sources import DirectorySource, RedisSource
from sessiontui.storage.backend import Stat
from sessiontui.times import now_ms
from sessiontui.workspace import Workspace, open_workspace
from sessiontui.workspace.repair import Repairs
from sessiontui.workspace.scan import StoreScan
from sessiontui.workspace.transfer import TransferOptions, Transfers, open_destination
from tests.faults.agent import PREFIX, AtWork, omp_at_work
from tests.sessions import Omp
from tests.waiting import DEADLINE_S, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import redis.asyncio

    from tests.servers import RealServer

PATH = "/-code-api/2026-09-10T00-26-40-000Z_aaaa.jsonl"
OTHER = "/-code-api/2026-09-10T00-26-41-000Z_bbbb.jsonl"
TARGET = "/-code-api/2026-09-10T00-26-42-000Z_cccc.jsonl"


class Bench:
    """A store with a session for the agent and one more, and a workspace open on it."""

    def __init__(
        self, kind: str, place: str, folder: Path, workspace: Workspace, client: Any
    ) -> None:
        self.folder = folder
        self.kind = kind
        self.place = place
        self.workspace = workspace
        self.client = client

    def path(self, path: str) -> str:
        """Return a path as the workspace names it."""
        return path if self.kind == "redis" else self.place + path

    async def stored(self, path: str) -> bytes:
        """Return what stands in the store; nothing where there is no such session."""
        if self.kind == "redis":
            return await self.client.get(PREFIX + "file:" + path) or b""
        return content(Path(self.place + path))

    async def size(self, path: str) -> int:
        """Return how long it is."""
        return len(await self.stored(path))

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[AtWork]:
        """Have an agent at work on `PATH`, seen by the workspace."""
        with omp_at_work(self.kind, self.place, PATH) as agent:
            await until(lambda: self._grew_ms() is not None)
            yield agent

    async def went_on(self, path: str = PATH, *, lines: int = 40) -> None:
        """Wait until the agent has written so many lines more."""
        before = (await self.stored(path)).count(b"\n")
        end = time.monotonic() + DEADLINE_S
        while True:
            if (await self.stored(path)).count(b"\n") >= before + lines:
                return
            assert time.monotonic() < end, "the agent wrote no more"
            await asyncio.sleep(0.002)

    async def begun_anew(self) -> None:
        """Wait until the agent has written to the path that its session had."""
        end = time.monotonic() + DEADLINE_S
        while True:
            if await self.stored(PATH):
                return
            assert time.monotonic() < end, "the agent wrote nothing"
            await asyncio.sleep(0.002)

    def _grew_ms(self) -> int | None:
        row = self.workspace.row(self.path(PATH))
        return None if row is None else row.grew_ms


async def put(kind: str, place: str, client: Any, path: str, data: bytes) -> None:
    if kind == "redis":
        await client.set(PREFIX + "file:" + path, data)
        await client.hset(PREFIX + "meta", path, "1789000000000")
        return
    fill(Path(place + path), data)


def fill(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def content(file: Path) -> bytes:
    return file.read_bytes() if file.exists() else b""


@pytest.fixture(params=["redis", "folder"])
async def bench(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bench]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    client: redis.asyncio.Redis | None = None
    source: RedisSource | DirectorySource
    if request.param == "redis":
        server: RealServer = request.getfixturevalue("redis_server")
        client = server.client()
        await client.flushall()
        place = str(server.socket)
        source = RedisSource(socket=place)
    else:
        place = str(tmp_path / "sessions")
        source = DirectorySource(Path(place))
    one, other = Omp(), Omp(header={"id": "bbbb"})
    one.user()
    other.user()
    other.exited()
    other.data += b"broken\n"
    await put(request.param, place, client, PATH, one.data)
    await put(request.param, place, client, OTHER, other.data)
    async with open_workspace(source) as workspace:
        await workspace.ready()
        yield Bench(request.param, place, tmp_path, workspace, client)
    if client is not None:
        await client.aclose()


def turns(data: bytes) -> list[str]:
    """Return the ids of the agent's turns, in order."""
    lines = [json.loads(line) for line in data.splitlines()]
    return [line["id"] for line in lines if str(line.get("id")).startswith("t0")]


async def title(bench: Bench) -> None:
    for number in range(3):
        await bench.workspace.rename(bench.path(PATH), title=f"Title {number}")
        await bench.went_on(lines=5)


async def refresh(bench: Bench) -> None:
    await bench.workspace.refresh()
    await bench.workspace.storage.refresh()


async def delete_and_undo_another(bench: Bench) -> None:
    workspace = bench.workspace
    await workspace.delete(await workspace.plan_delete([bench.path(OTHER)]))
    assert len((await workspace.undo()).done) == 1


async def move_another(bench: Bench) -> None:
    await bench.workspace.rename(bench.path(OTHER), new_path=bench.path(TARGET), insist=True)


async def read_all_of_it(bench: Bench) -> None:
    stat = bench.workspace.storage.stat_sync(bench.path(PATH))
    data = await bench.workspace.read_raw(bench.path(PATH), 0, stat.size)
    assert len(data) == stat.size


async def copy_it(bench: Bench) -> None:
    """Copy it while it grows; the copy is a beginning of it, of whole lines."""
    workspace, path = bench.workspace, bench.path(PATH)
    target = DirectorySource(bench.folder / "copies")
    await asyncio.to_thread(target.path.mkdir)
    async with open_destination(target, home="/home/me", origin=workspace.source) as destination:
        outcome = await Transfers(workspace).run([path], destination, TransferOptions(force=True))
    [copied] = outcome.done
    data = content(Path(copied.new_path))
    assert data.endswith(b"\n")
    assert turns(data) == turns(await bench.stored(PATH))[: len(turns(data))]
    assert turns(data)


async def repair_what_can_be(bench: Bench) -> None:
    """Put right what is wrong around the agent, and with its own title."""
    if bench.kind == "redis":
        field = make_title_field("Another title", "user", 1_789_000_000_000)
        await bench.client.hset(PREFIX + "title", PATH, field)
        await bench.client.hset(PREFIX + "title", "/gone.jsonl", field)
    findings = await examined(bench.workspace)
    assert bench.path(OTHER) in {finding.path for finding in findings}
    repairs = Repairs(bench.workspace)
    for finding in findings:
        if finding.fix is not None:
            with suppress(WriteConflictError):  # The agent wrote everything anew just then.
                await repairs.take_back(await repairs.fix(finding))


async def be_refused_to_join_it(bench: Bench) -> None:
    """Try to put a piece at the end of what the agent writes to."""
    stats = (
        bench.workspace.storage.stat_sync(bench.path(OTHER)),
        bench.workspace.storage.stat_sync(bench.path(PATH)),
    )
    tail, head = (
        Stat(bench.path(path), stat.size, stat.mtime_ms)
        for path, stat in zip((OTHER, PATH), stats, strict=True)
    )
    finding = Finding(kind="tail", path=tail.path, evidence=(), fix=JoinTail(tail, head))
    with pytest.raises((SessionHeldError, WriteConflictError)):
        await Repairs(bench.workspace).fix(finding)
    assert await bench.size(OTHER) == tail.size


async def be_refused_to_move_it(bench: Bench) -> None:
    with pytest.raises(SessionHeldError, match="it grew"):
        await bench.workspace.rename(bench.path(PATH), new_path=bench.path(TARGET))
    assert await bench.size(TARGET) == 0


async def be_refused_to_delete_it(bench: Bench) -> None:
    plan = await bench.workspace.plan_delete([bench.path(PATH), bench.path(OTHER)])
    assert [item.path for item in plan.held] == [bench.path(PATH)]
    assert plan.without_held().paths == (bench.path(OTHER),)
    outcome = await bench.workspace.delete(type(plan)(plan.paths, plan.stats, ()))
    assert [item.path for item in outcome.done] == [bench.path(OTHER)]
    [failure] = outcome.failed
    assert isinstance(failure.error, SessionHeldError)
    assert "it grew" in failure.reason or "it changed" in failure.reason


async def examined(workspace: Workspace) -> list[Finding]:
    await workspace.refresh()
    return [
        finding
        async for progress in StoreScan(workspace).examine(deep=True)
        for finding in progress.found
    ]


@pytest.mark.parametrize(
    "action",
    [
        title,
        refresh,
        copy_it,
        repair_what_can_be,
        be_refused_to_join_it,
        delete_and_undo_another,
        move_another,
        read_all_of_it,
        be_refused_to_move_it,
        be_refused_to_delete_it,
    ],
)
async def test_an_agent_at_work_loses_nothing(
    bench: Bench, action: Callable[[Bench], Awaitable[None]]
) -> None:
    async with bench.agent() as agent:
        await action(bench)
        await bench.went_on()
        report = agent.stop()
    assert report["conflicts"] == 0
    assert report["unsaved"] == []
    assert report["rewrites"] > 0
    assert turns(await bench.stored(PATH)) == report["turns"]


async def test_a_body_without_a_slot_gets_none_while_an_agent_is_at_work(bench: Bench) -> None:
    without = Omp(title=None)
    without.user()
    await put(bench.kind, bench.place, bench.client, PATH, without.data)
    await bench.workspace.refresh()
    async with bench.agent() as agent:
        with pytest.raises(SessionHeldError, match=r"it grew|it changed"):
            await bench.workspace.rename(bench.path(PATH), title="No room")
        await bench.went_on()
        report = agent.stop()
    assert report["conflicts"] == 0
    stored = await bench.stored(PATH)
    assert parse_slot(stored) is None
    assert turns(stored) == report["turns"]


async def test_a_move_that_the_user_insists_on_splits_the_work_in_two(bench: Bench) -> None:
    async with bench.agent() as agent:
        await bench.workspace.rename(bench.path(PATH), new_path=bench.path(TARGET), insist=True)
        await until(lambda: bench.workspace.row(bench.path(TARGET)))
        await bench.begun_anew()
        report = agent.stop()
    head, tail = await bench.stored(TARGET), await bench.stored(PATH)
    saved = [name for name in report["turns"] if name not in report["unsaved"]]
    assert turns(head) + turns(tail) == saved
    assert report["conflicts"] == 1
    assert json.loads(tail.splitlines()[0])["parentId"] == turns(head)[-1]
    [finding] = [item for item in await examined(bench.workspace) if item.kind == "tail"]
    assert finding.path == bench.path(PATH)
    with pytest.raises(SessionHeldError, match="it grew"):
        await Repairs(bench.workspace).fix(finding)
    await join_the_day_after(bench)
    assert turns(await bench.stored(TARGET)) == saved
    assert await bench.stored(PATH) == b""


async def join_the_day_after(bench: Bench) -> None:
    """Let the doctor repair what it finds when the agent must be gone."""
    source = bench.workspace.source
    async with open_workspace(source, clock=lambda: now_ms() + 86_400_000) as workspace:
        await workspace.ready()
        [finding] = [item for item in await examined(workspace) if item.kind == "tail"]
        await Repairs(workspace).fix(finding)


async def test_after_a_deletion_that_the_user_insists_on_nothing_written_is_lost(
    bench: Bench,
) -> None:
    workspace = bench.workspace
    async with bench.agent() as agent:
        plan = await workspace.plan_delete([bench.path(PATH)])
        [item] = (await workspace.delete(plan)).done
        await bench.begun_anew()
        with pytest.raises(SessionExistsError):
            await workspace.restore(item.id)
        report = agent.stop()
    tail = await bench.stored(PATH)
    await workspace.rename(bench.path(PATH), new_path=bench.path(TARGET), insist=True)
    await workspace.restore(item.id)
    saved = [name for name in report["turns"] if name not in report["unsaved"]]
    assert turns(await bench.stored(PATH)) + turns(tail) == saved
