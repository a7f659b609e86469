"""The workspace over a real backend: rows, documents, actions and problems."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from sessiontui.errors import (
    BackendDownError,
    SessionExistsError,
    SessionNotFoundError,
    WrongTypeError,
)
from sessiontui.formats.jsonl import encode_entries
from sessiontui.sources import parse_source
from sessiontui.storage.memory import MemoryBackend, MemoryStore
from sessiontui.workspace import (
    DocumentChanged,
    DocumentGone,
    RowsChanged,
    Update,
    Workspace,
    open_workspace,
)
from tests.servers import free_port
from tests.sessions import pi_session
from tests.waiting import DEADLINE_S, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import redis.asyncio

    from sessiontui.storage.backend import ScanBatch
    from tests.servers import RealServer

NOW = 1_790_000_000_000
"""The clock of these tests, in milliseconds since the epoch."""


def header(session_id: str, cwd: str = "/home/ada/code/api") -> bytes:
    """Return a session header of omp 18."""
    return line(
        type="session", version=3, id=session_id, timestamp="2026-09-01T10:00:00.000Z", cwd=cwd
    )


def message(text: str, role: str = "user", entry_id: str = "m1") -> bytes:
    """Return one message entry."""
    return line(
        type="message",
        id=entry_id,
        parentId=None,
        timestamp="2026-09-01T10:00:01.000Z",
        message={"role": role, "content": [{"type": "text", "text": text}]},
    )


def line(**fields: object) -> bytes:
    """Return one line of a session."""
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with three sessions in two projects."""
    folder = tmp_path / "sessions"
    for name, session_id, cwd in (
        ("-code-api/a.jsonl", "aaaa1111", "/home/ada/code/api"),
        ("-code-api/b.jsonl", "aaaa2222", "/home/ada/code/api"),
        ("-notes/c.jsonl", "cccc3333", "/home/ada/notes"),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(header(session_id, cwd) + message(f"What about {session_id}?"))
    return folder


@pytest.fixture
async def workspace(root: Path) -> AsyncIterator[Workspace]:
    """Open a workspace on the folder and wait until it shows everything."""
    async with open_workspace(parse_source(str(root)), home="/home/ada") as workspace:
        await workspace.settled()
        yield workspace


def path_of(workspace: Workspace, ending: str) -> str:
    """Return the path of the session whose path ends so."""
    [path] = [path for path in workspace.catalog.rows if path.endswith(ending)]
    return path


async def test_rows_tell_title_and_project_from_heads(workspace: Workspace) -> None:
    row = workspace.row(path_of(workspace, "c.jsonl"))
    assert row is not None
    assert row.id == "cccc3333"
    assert row.cwd == "/home/ada/notes"
    assert row.title == "What about cccc3333?"
    assert workspace.state.sessions == 3
    assert workspace.state.problem is None


async def test_a_line_of_a_peer_reaches_row_and_open_document(
    workspace: Workspace, root: Path
) -> None:
    path = path_of(workspace, "a.jsonl")
    document = await workspace.open_document(path)
    updates: list[Update] = []
    workspace.listen(updates.append)
    added = message("One more thing", entry_id="m2")
    with (root / "-code-api/a.jsonl").open("ab") as stream:
        stream.write(added)
    await until(lambda: any(isinstance(update, DocumentChanged) for update in updates))
    row = workspace.row(path)
    assert row is not None
    assert row.size == document.size == (root / "-code-api/a.jsonl").stat().st_size
    assert row.grew_ms is not None
    assert workspace.held(path) is not None


async def test_a_draft_is_no_session_until_it_is_renamed_into_one(
    workspace: Workspace, root: Path
) -> None:
    (root / "-notes/c").mkdir()
    draft = root / "-notes/c/draft.txt"
    draft.write_text("not sent yet")
    (root / "-notes/e.jsonl").write_bytes(header("eeee5555"))
    await until(lambda: workspace.state.sessions == 4)
    await workspace.settled()
    assert not any(path.endswith("draft.txt") for path in workspace.catalog.rows)
    draft.rename(root / "-notes/f.jsonl")
    await until(lambda: workspace.state.sessions == 5)


async def test_a_new_session_of_a_peer_appears_with_its_title(
    workspace: Workspace, root: Path
) -> None:
    (root / "-notes/d.jsonl").write_bytes(header("dddd4444") + message("Hello"))
    await until(lambda: workspace.state.sessions == 4)
    await workspace.settled()
    row = workspace.row(path_of(workspace, "d.jsonl"))
    assert row is not None
    assert row.title == "Hello"


async def test_delete_and_undo_bring_back_the_same_bytes(workspace: Workspace, root: Path) -> None:
    path = path_of(workspace, "b.jsonl")
    stored = (root / "-code-api/b.jsonl").read_bytes()
    sidecar = root / "-code-api/b"
    sidecar.mkdir()
    (sidecar / "draft.txt").write_text("not sent yet")
    plan = await workspace.plan_delete([path])
    assert plan.count == 2
    assert plan.bytes == len(stored) + len("not sent yet")
    await workspace.delete(plan)
    await until(lambda: workspace.row(path) is None)
    assert not (root / "-code-api/b.jsonl").exists()
    assert not sidecar.exists()
    [item] = (await workspace.undo()).done
    assert item.path == path
    await until(lambda: workspace.row(path) is not None)
    assert (root / "-code-api/b.jsonl").read_bytes() == stored
    assert (sidecar / "draft.txt").read_text() == "not sent yet"
    assert (await workspace.undo()).done == ()


async def test_rename_moves_row_document_and_draft(workspace: Workspace, root: Path) -> None:
    path = path_of(workspace, "c.jsonl")
    new_path = path.replace("c.jsonl", "moved.jsonl")
    await workspace.open_document(path)
    updates: list[Update] = []
    workspace.listen(updates.append)
    await workspace.rename(path, new_path=new_path, insist=True)
    await until(lambda: DocumentGone(path, new_path) in updates)
    assert workspace.row(path) is None
    assert workspace.row(new_path) is not None
    assert (root / "-notes/moved.jsonl").exists()


async def test_a_failed_rename_leaves_the_row_and_says_why(workspace: Workspace) -> None:
    path = path_of(workspace, "a.jsonl")
    other = path_of(workspace, "b.jsonl")
    with pytest.raises(SessionExistsError):
        await workspace.rename(path, new_path=other, insist=True)
    row = workspace.row(path)
    assert row is not None
    assert row.failed
    assert "already" in row.note
    assert workspace.state.last_error == row.note


async def test_a_new_title_shows_in_the_row(workspace: Workspace, root: Path) -> None:
    old = NOW // 1000 - 86_400
    path = path_of(workspace, "b.jsonl")
    await _age(workspace, root / "-code-api/b.jsonl", old)
    await workspace.rename(path, title="A better name")
    await workspace.settled()
    row = workspace.row(path)
    assert row is not None
    assert row.title == "A better name"
    assert row.has_slot


async def _age(workspace: Workspace, file: Path, seconds: int) -> None:
    """Make a session look as if nobody had written to it for long."""
    import os

    os.utime(file, (seconds, seconds))
    path = path_of(workspace, file.name)
    await until(lambda: workspace.held(path) is None)


async def test_a_beginning_of_two_ids_is_ambiguous(workspace: Workspace) -> None:
    assert len(await workspace.find("aaaa")) == 2
    assert [row.id for row in await workspace.find("aaaa1")] == ["aaaa1111"]
    assert await workspace.find("zzzz") == []
    assert [row.id for row in await workspace.find("c.jsonl")] == ["cccc3333"]


async def test_rows_asked_for_are_never_half_read(root: Path) -> None:
    # The title stands where only the second look finds it: behind a long first line.
    long = line(type="custom", id="c1", parentId=None, customType="x", data="x" * 20_000)
    for number in range(30):
        data = header(f"ffff{number:04}") + long + message(f"Title {number}") + long * 20
        (root / f"-notes/long{number:02}.jsonl").write_bytes(data)
    for _ in range(5):
        async with open_workspace(parse_source(str(root))) as workspace:
            await workspace.ready()
            paths = sorted(path for path in workspace.catalog.rows if "long" in path)
            rows = await workspace.read_rows(paths)
            assert [row.title for row in rows] == [f"Title {number}" for number in range(30)]


async def test_a_missing_folder_is_a_problem_until_it_appears(tmp_path: Path) -> None:
    root = tmp_path / "later"
    async with open_workspace(parse_source(str(root))) as workspace:
        with pytest.raises(BackendDownError):
            await workspace.ready()
        assert workspace.state.problem is not None
        assert workspace.state.problem.kind == "missing"
        root.mkdir()
        (root / "x.jsonl").write_bytes(header("eeee5555"))
        await workspace.retry()
        await until(lambda: workspace.state.problem is None and workspace.state.sessions == 1)


@pytest.mark.parametrize("kind", ["server", "file"])
async def test_a_source_that_is_away_is_closed_however_far_a_try_has_come(
    kind: str, tmp_path: Path
) -> None:
    (tmp_path / "notes").write_text("no sessions")
    url = f"redis://127.0.0.1:{free_port()}" if kind == "server" else str(tmp_path / "notes")
    for turns in range(30):
        closing = asyncio.create_task(closed_after(url, turns))
        done, _ = await asyncio.wait({closing}, timeout=DEADLINE_S)
        assert done, f"still open after it was closed in turn {turns}"
        await closing


async def closed_after(url: str, turns: int) -> None:
    """Open a source and close it after so many turns of the loop."""
    async with open_workspace(parse_source(url)):
        for _ in range(turns):
            await asyncio.sleep(0)


async def test_a_document_of_an_unknown_session_is_refused(workspace: Workspace) -> None:
    with pytest.raises(SessionNotFoundError):
        await workspace.open_document("/no/such.jsonl")


async def test_one_batch_is_one_update(workspace: Workspace, root: Path) -> None:
    updates: list[Update] = []
    path = path_of(workspace, "a.jsonl")
    before = workspace.row(path)
    assert before is not None
    workspace.listen(updates.append)
    with (root / "-code-api/a.jsonl").open("ab") as stream:
        for number in range(200):
            stream.write(message(f"line {number}"))
            stream.flush()
    size = (root / "-code-api/a.jsonl").stat().st_size
    await until(lambda: (row := workspace.row(path)) is not None and row.size == size)
    assert 1 <= sum(isinstance(update, RowsChanged) for update in updates) < 100


async def test_a_session_of_pi_gets_no_title_before_its_header(
    workspace: Workspace, root: Path
) -> None:
    data = encode_entries(pi_session())
    (root / "-notes/pi.jsonl").write_bytes(data)
    await until(lambda: workspace.state.sessions == 4)
    with pytest.raises(WrongTypeError, match="pi cannot open"):
        await workspace.rename(path_of(workspace, "pi.jsonl"), title="Mine")
    assert (root / "-notes/pi.jsonl").read_bytes() == data


class CutOnce(MemoryBackend):
    """Tells the index, and fails once it is told to."""

    cut: asyncio.Event | None = None

    async def scan(self) -> AsyncIterator[ScanBatch]:
        async for batch in super().scan():
            yield batch
        if self.cut is not None:
            await self.cut.wait()
            raise BackendDownError("away")


async def test_a_document_that_grew_while_nothing_listened_is_read_again() -> None:
    store, path = MemoryStore(), "/sessions/-code-api/a.jsonl"
    store.append(path, header("a"))
    connections: list[CutOnce] = []

    def connect(*_: object) -> CutOnce:
        connections.append(CutOnce(store))
        if len(connections) == 1:
            connections[0].cut = asyncio.Event()
        return connections[-1]

    async with open_workspace(parse_source("/nowhere"), connect=connect) as workspace:
        await until(lambda: workspace.row(path))
        document = await workspace.open_document(path)
        await document.open_tail()
        cut = connections[0].cut
        assert cut is not None
        cut.set()
        await until(lambda: not workspace.state.feed.live)
        store.append(path, message("more"))
        await until(lambda: document.size == store.stat(path).size)


async def test_the_age_of_a_key_without_a_time_follows_its_growth(
    redis_server: RealServer, redis_client: redis.asyncio.Redis
) -> None:
    path = "/s/untimed.jsonl"
    await redis_client.set(f"omp:sessions:file:{path}", header("eeee5555"))
    async with open_workspace(parse_source(redis_server.url)) as workspace:
        await workspace.settled()
        before = workspace.row(path)
        assert before is not None
        await until(lambda: workspace.clock() > before.mtime_ms)
        await redis_client.append(f"omp:sessions:file:{path}", message("Hello"))
        await until(lambda: (row := workspace.row(path)) is not None and row.size > before.size)
        after = workspace.row(path)
        assert after is not None
        assert after.mtime_ms > before.mtime_ms
