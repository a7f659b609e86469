"""What failed is named once and whole: by the command and in the app, on server and folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis

from sessiontui import errors
from sessiontui.errors import (
    AccessError,
    BackendDownError,
    InvalidPathError,
    LoginError,
    OutcomeUnknownError,
    ReadOnlyError,
    SessionExistsError,
    SessionHeldError,
    SessionNotFoundError,
    StorageClosedError,
    StorageError,
    TitleNeedsRewriteError,
    WriteConflictError,
    WriterClosedError,
    WritesRefusedError,
    WrongTypeError,
)
from sessiontui.sources import parse_source
from sessiontui.storage.storage import open_backend
from sessiontui.workspace import open_workspace
from sessiontui.workspace.events import told_once
from tests.app.support import running, settle, shows
from tests.command import Command
from tests.sessions import START_MS, Omp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import RealServer

PREFIX = "omp:sessions:"
A, B = "/p/one.jsonl", "/p/two.jsonl"


def said(name: str) -> bytes:
    session = Omp(title=name, header={"id": name})
    session.user(f"hello {name}")
    session.assistant()
    session.exited()
    return session.data


class Place:
    """A store of each kind with two sessions."""

    def __init__(self, home: Path, server: RealServer | None) -> None:
        self.root = home / "own"
        self.client: Any = None
        self.source = str(self.root)
        if server is not None:
            self.client = redis.Redis(unix_socket_path=str(server.socket))
            self.source = server.url
        self.command = Command(home, self.source)
        for path in (A, B):
            self.put(path, said(path[3:6]))

    def put(self, path: str, data: bytes) -> None:
        if self.client is not None:
            self.client.set(f"{PREFIX}file:{path}", data)
            self.client.hset(f"{PREFIX}meta", path, str(START_MS))
            return
        file = Path(self.path(path))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        os.utime(file, (START_MS / 1000, START_MS / 1000))

    def path(self, path: str) -> str:
        return path if self.client is not None else f"{self.root}{path}"


@pytest.fixture(params=["folder", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "folder":
        yield Place(tmp_path, None)
        return
    server: RealServer = request.getfixturevalue("redis_server")
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        client.flushall()
        made = Place(tmp_path, server)
        yield made
        made.client.close()
        client.flushall()


def once(told: str, path: str) -> None:
    """Assert that one line names the path, once and whole."""
    lines = [line for line in told.splitlines() if path in line]
    assert len(lines) == 1, told
    assert lines[0].count(path) == 1, told


def every_error(path: str) -> list[StorageError]:
    return [
        StorageError(f"it is odd: {path}", path=path),
        StorageError("it is odd", path=path),
        SessionNotFoundError(path),
        SessionExistsError(path),
        WriteConflictError(path, expected_size=1, actual_size=None),
        InvalidPathError(f"not so: {path}", path=path),
        WrongTypeError("This is no session that can keep a title.", path=path),
        TitleNeedsRewriteError(path),
        SessionHeldError(path, "it grew 5 s ago"),
        StorageClosedError("the storage is closed", path=path),
        WriterClosedError("the writer is closed", path=path),
        AccessError(f"no permission: {path}", path=path),
        LoginError("the server wants a password", path=path),
        WritesRefusedError("the server is full", path=path),
        ReadOnlyError("as asked", path=path),
        BackendDownError("no connection", path=path),
        OutcomeUnknownError("the connection broke", path=path),
    ]


@pytest.mark.parametrize("path", [A, "/a b/x.jsonl", "x.jsonl", "/" + "n" * 5000 + ".jsonl"])
def test_every_error_is_told_with_its_path_once(path: str) -> None:
    made = every_error(path)
    kinds = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, StorageError)
    }
    assert {type(error) for error in made} == kinds
    for error in made:
        assert told_once(path, error).count(path) == 1
        assert told_once("“A title”", error).startswith("“A title”: ")


def test_the_beginning_of_another_path_is_not_that_path() -> None:
    error = SessionExistsError("/p/one.jsonl.1.bak")
    assert told_once(A, error) == f"{A}: a session already has this path: /p/one.jsonl.1.bak"


@pytest.mark.parametrize("several", [False, True])
def test_a_restore_that_finds_the_path_taken(place: Place, several: bool) -> None:
    names = (A, B) if several else (A,)
    assert place.command("rm", "--yes", *map(place.path, names)).returncode == 0
    for name in names:
        place.put(name, said("other"))
    done = place.command("restore")
    assert done.returncode == 1
    for name in names:
        once(done.stderr, place.path(name))
    assert f"not restored: a session already has this path: {place.path(A)}\n" in done.stderr


def test_a_rename_to_a_path_that_is_taken_or_refused(place: Place) -> None:
    for new in (place.path(B), place.path("/p/.jsonl")):
        done = place.command("rename", place.path(A), "--path", new)
        assert done.returncode == 1
        once(done.stderr, new)


@pytest.mark.parametrize("verb", ["cp", "mv"])
def test_a_copy_that_finds_something_else_there(place: Place, verb: str, tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    agreed = ("--yes",) if verb == "mv" else ()
    path = place.path(A)
    done = place.command("cp", path, "--to", str(into), "--json")
    assert done.returncode == 0
    [there] = into.rglob("*.jsonl")
    there.write_bytes(said("other"))
    done = place.command(verb, path, "--to", str(into), *agreed)
    assert done.returncode == 1
    once(done.stderr, str(there))


def test_a_repair_and_its_undo_that_are_refused(place: Place) -> None:
    whole = Omp(header={"id": "split"})
    whole.user()
    cut = len(whole.data)
    whole.assistant()
    place.put("/p/head.jsonl", whole.data[:cut])
    place.put("/p/tail.jsonl", whole.data[cut:])
    done = place.command("doctor", "--fix", "--yes")
    if done.returncode:  # Held, for nobody left it.
        once(done.stderr, place.path("/p/tail.jsonl"))
        assert place.command("doctor", "--fix", "--yes", "--force").returncode == 0
    place.put("/p/tail.jsonl", said("other"))
    done = place.command("doctor", "--undo", "--force")
    assert done.returncode == 1
    once(done.stderr, place.path("/p/tail.jsonl"))


async def test_an_undo_in_the_app_that_finds_the_path_taken(place: Place) -> None:
    async with running(source=place.source, connect=open_backend, size=(300, 34)) as (app, pilot):
        await app.workspace.delete(await app.workspace.plan_delete([place.path(A)]))
        place.put(A, said("other"))
        await pilot.press("u")
        await settle(pilot)
        assert shows(app, f"Not restored: a session already has this path: {place.path(A)}")


async def test_a_failure_of_many_in_a_row(place: Place) -> None:
    async with open_workspace(parse_source(place.source), connect=open_backend) as workspace:
        await workspace.ready()
        paths = [place.path(A), place.path(B)]
        await workspace.delete(await workspace.plan_delete(paths))
        place.put(A, said("other"))
        outcome = await workspace.undo()
        [failure] = outcome.failed
        once(told_once(failure.path, failure.error), place.path(A))
