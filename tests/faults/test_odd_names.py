"""Keys and files with names that nobody expects: what can be a session is one, the rest is told.

On a real server and in a real folder, by the command and in the app: one odd name stands in
nobody's way.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis

from sessiontui.app.screens.delete_dialog import DeleteDialog
from sessiontui.sources import parse_source
from sessiontui.storage.storage import open_backend
from sessiontui.text import clean
from sessiontui.workspace import open_workspace
from tests.app.support import running, settle, shows
from tests.command import Command
from tests.faults.hostile import offences
from tests.sessions import START_MS, Omp
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import RealServer

FILES = b"omp:sessions:file:"
FINE = b"/a/fine.jsonl"
ANYWHERE = {
    "newline": b"/a/new\nline.jsonl",
    "controls": b"/a/\x1b[31mred\x07\x7f.jsonl",
    "not UTF-8": b"/a/bad\xff\xfe.jsonl",
    "right to left": b"/a/\xe2\x80\xaertl.jsonl",
    "a blank": b"/a/ .jsonl",
    "only half of a character": b"/a/\xc3.jsonl",
    "255 bytes": b"/a/" + b"n" * 249 + b".jsonl",
    "in a folder called like one": b"/a/x.jsonl/y.jsonl",
}
"""Names that keys and files can have."""
KEYS_ALONE = {
    "no slash": b"noslash.jsonl",
    "two slashes": b"/a//two.jsonl",
    "leading slashes": b"//lead.jsonl",
    "dot": b"/a/./dot.jsonl",
    "dots": b"/a/../up.jsonl",
    "relative": b"../rel.jsonl",
    "zero byte": b"/a/zero\x00byte.jsonl",
    "begins with a dot": b"/a/.hidden.jsonl",
    "300 characters": b"/a/" + b"m" * 294 + b".jsonl",
    "5,000 characters": b"/a/" + b"l" * 4994 + b".jsonl",
}
WITHIN = "in a folder called like one"
NO_FILE = set(KEYS_ALONE) - {"no slash", "two slashes", "leading slashes"}
"""Those of the keys that a file in a folder cannot be called by."""
CANNOT = (b"/a/.jsonl", b"/a/..jsonl", b"/a/...jsonl")
"""Names that no session can have, in a folder either."""
CANNOT_KEYS = (*CANNOT, b".jsonl", b"", b"/", b"/a/x.jsonl/")


def text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def said(number: int, *, headed: bool = True) -> bytes:
    """Return a session that was left; without a header's time and project it keeps its name."""
    session = Omp(header={"id": f"id{number}"} | ({} if headed else {"cwd": None, "timestamp": 0}))
    session.user(f"hello {number}")
    session.assistant()
    session.exited()
    return session.data


class Keys:
    cannot = CANNOT_KEYS
    names = ANYWHERE | KEYS_ALONE

    def __init__(self, home: Path, server: RealServer, client: redis.Redis) -> None:
        self.client: Any = client
        self.source = server.url
        self.command = Command(home, self.source)

    def put(self, name: bytes, data: bytes) -> None:
        self.client.set(FILES + name, data)
        self.client.hset(b"omp:sessions:meta", name, str(START_MS))

    def drop(self, name: bytes) -> None:
        self.client.delete(FILES + name)
        self.client.hdel(b"omp:sessions:meta", name)

    def everything(self) -> Any:
        return {key: self.client.get(key) for key in self.client.scan_iter(FILES + b"*")}

    def path(self, name: bytes) -> str:
        return text(name)


class Folder:
    cannot = CANNOT
    names = ANYWHERE

    def __init__(self, home: Path) -> None:
        self.root = home / "sessions"
        self.root.mkdir()
        self.source = str(self.root)
        self.command = Command(home, self.source)

    def put(self, name: bytes, data: bytes) -> None:
        file = Path(self.path(name))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        os.utime(file, (START_MS / 1000, START_MS / 1000))

    def drop(self, name: bytes) -> None:
        file = Path(self.path(name))
        file.unlink()
        with suppress(OSError):
            file.parent.rmdir()

    def everything(self) -> Any:
        return {str(file): file.read_bytes() for file in self.root.rglob("*") if file.is_file()}

    def path(self, name: bytes) -> str:
        return f"{self.root}{text(name)}"


@pytest.fixture
def keys(tmp_path: Path, redis_server: RealServer) -> Iterator[Keys]:
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as client:
        client.flushall()
        yield Keys(tmp_path, redis_server, client)
        client.flushall()


@pytest.fixture(params=["folder", "server"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Keys | Folder:
    if request.param == "folder":
        return Folder(tmp_path)
    found: Keys = request.getfixturevalue("keys")
    return found


def fill(store: Keys | Folder, *, headed: bool = True) -> list[bytes]:
    """Put every name into a store; return those of sessions."""
    names = [FINE, *store.names.values()]
    for number, name in enumerate(names):
        store.put(name, said(number, headed=headed))
    for name in store.cannot:
        store.put(name, said(99))
    return names


def listed(command: Command) -> set[str]:
    return {item["path"] for item in json.loads(command("ls", "--json").stdout)}


def warned(told: str, store: Keys | Folder) -> None:
    """Assert that stderr names what is passed over, once each and harmlessly, and nothing else."""
    lines = told.splitlines()
    assert lines
    assert all("passed over, no session can have this name" in line for line in lines[:3])
    assert len(lines) == min(4, len(store.cannot))
    assert not offences(told)


def test_what_can_be_a_session_is_listed_opened_and_found(store: Keys | Folder) -> None:
    names = fill(store)
    assert listed(store.command) == {store.path(name) for name in names}
    done = store.command("ls")
    assert done.returncode == 0
    warned(done.stderr, store)
    assert not offences(done.stdout)
    assert store.command("index", "--build").returncode == 0
    found = store.command("search", "hello")
    assert (found.returncode, len(found.stdout.splitlines())) == (0, len(names))


def test_all_of_a_query_go_and_come_back(store: Keys | Folder) -> None:
    names = fill(store)
    before = store.everything()
    done = store.command("rm", "--filter", "hello", "--yes", "--json")
    assert done.returncode == 0
    warned(done.stderr, store)
    assert {item["path"] for item in json.loads(done.stdout)} == {store.path(n) for n in names}
    assert listed(store.command) == set()
    assert len(store.everything()) == len(store.cannot)
    done = store.command("restore")
    assert done.returncode == 0
    warned(done.stderr, store)
    assert not offences(done.stdout)
    assert store.everything() == before


async def test_each_alone_goes_and_comes_back_and_gets_another_title_and_path(
    store: Keys | Folder,
) -> None:
    names = fill(store)
    before = store.everything()
    source = parse_source(store.source)
    async with open_workspace(source, connect=open_backend) as workspace:
        await workspace.ready()
        for name in names:
            await workspace.delete(await workspace.plan_delete([store.path(name)]))
            assert len(store.everything()) == len(before) - 1
            await workspace.undo()
        assert store.everything() == before
        for number, name in enumerate(names):
            new = store.path(b"/b/%d.jsonl" % number)
            await workspace.rename(store.path(name), title=f"New {number}", new_path=new)
    told = json.loads(store.command("ls", "--json").stdout)
    assert {item["path"]: item["title"] for item in told} == {
        store.path(b"/b/%d.jsonl" % number): f"New {number}" for number in range(len(names))
    }


def test_all_are_exported(store: Keys | Folder, tmp_path: Path) -> None:
    names = fill(store)
    into = tmp_path / "out"
    ids = [f"id{number}" for number in range(len(names))]
    done = store.command("export", "--format", "jsonl", "-o", f"{into}/", *ids)
    assert done.returncode == 0
    warned(done.stderr, store)
    assert {file.read_bytes() for file in into.iterdir()} == set(map(said, range(len(names))))


@pytest.mark.parametrize("verb", ["cp", "mv"])
def test_all_are_copied_to_a_server(
    verb: str, store: Keys | Folder, redis_server: RealServer
) -> None:
    names = fill(store)
    target = f"{redis_server.url}?prefix=other:"
    agreed = ("--yes",) if verb == "mv" else ()
    done = store.command(verb, "--filter", "hello", "--to", target, "--json", *agreed)
    assert done.returncode == 0
    warned(done.stderr, store)
    assert len(json.loads(done.stdout)) == len(names)
    assert len(listed(Command(store.command.home, target))) == len(names)


def test_what_a_file_can_be_called_is_copied_to_a_folder_and_what_not_is_named(
    keys: Keys, tmp_path: Path
) -> None:
    names = fill(keys, headed=False)
    into = tmp_path / "into"
    into.mkdir()
    before = keys.everything()
    done = keys.command("cp", "--filter", "hello", "--to", str(into), "--json")
    assert done.returncode == 1
    assert not offences(done.stderr)
    came = {item["path"] for item in json.loads(done.stdout)}
    refused = {KEYS_ALONE[what] for what in NO_FILE}
    assert came == {text(name) for name in names if name not in refused}
    told = [line for line in done.stderr.splitlines() if "not copied" in line]
    assert len(told) == len(refused)
    for name in refused:
        last = clean(text(name.rpartition(b"/")[2]))
        assert sum(last in line for line in told) == 1, name
    assert keys.everything() == before
    there = Command(tmp_path, str(into))
    assert len(json.loads(there("ls", "--json").stdout)) == len(came)


def test_the_doctor_finds_what_no_session_can_be_called_and_touches_nothing(
    store: Keys | Folder,
) -> None:
    fill(store)
    store.drop(ANYWHERE[WITHIN])  # In a folder that is a finding as well.
    before = store.everything()
    done = store.command("doctor", "--fix", "--yes", "--json")
    found = [item for item in json.loads(done.stdout) if item["kind"] == "passed"]
    assert {item["path"] for item in found} == {store.path(name) for name in store.cannot}
    assert not any(item["repair"] for item in found)
    assert done.returncode == 1
    assert store.everything() == before
    done = store.command("doctor")
    assert not offences(done.stdout + done.stderr)
    for name in store.cannot:
        store.drop(name)
    done = store.command("doctor")
    assert (done.returncode, done.stderr) == (0, "")


def test_what_has_the_name_of_a_session_and_is_none_is_found_too(
    keys: Keys, tmp_path: Path
) -> None:
    keys.put(FINE, said(0))
    keys.client.rpush(FILES + b"/a/list.jsonl", "1")
    folder = Folder(tmp_path)
    folder.put(FINE, said(0))
    (folder.root / "a/folder.jsonl").mkdir()
    (folder.root / "a/link.jsonl").symlink_to("fine.jsonl")
    os.mkfifo(folder.root / "a/pipe.jsonl")
    for store, names in ((keys, {"list"}), (folder, {"folder", "link", "pipe"})):
        done = store.command("doctor", "--json")
        assert done.returncode == 1
        told = {item["path"]: item for item in json.loads(done.stdout)}
        assert set(told) == {store.path(b"/a/%b.jsonl" % name.encode()) for name in names}
        assert {item["kind"] for item in told.values()} == {"passed"}
        done = store.command("rm", "--filter", "hello", "--yes")
        assert (done.returncode, done.stderr) == (0, "")


async def test_the_app_says_so_and_takes_all_others(store: Keys | Folder) -> None:
    names = fill(store)
    before = store.everything()
    async with running(source=store.source, connect=open_backend) as (app, pilot):
        assert set(app.workspace.catalog.rows) == {store.path(name) for name in names}
        assert shows(app, "Passed over, no session can have this name")
        await pilot.press("ctrl+a", "d")
        await until(lambda: isinstance(app.screen, DeleteDialog))
        await pilot.pause()
        assert shows(app, f"Delete {len(names)} sessions?")
        await pilot.press("y")
        await until(lambda: app.screen is app.main and not app.main.conversation.going_on)
        await settle(pilot)
        assert len(store.everything()) == len(store.cannot)
        await pilot.press("u")
        await until(lambda: app.screen is app.main and not app.main.conversation.going_on)
        await settle(pilot)
        assert store.everything() == before


async def test_a_name_that_comes_meanwhile_is_told_as_well(keys: Keys) -> None:
    keys.put(FINE, said(0))
    async with running(source=keys.source, connect=open_backend) as (app, _):
        assert not shows(app, "Passed over")
        keys.put(b"/a/.jsonl", said(1))
        await until(lambda: shows(app, "no session can have this name"), deadline_s=60)
        assert set(app.workspace.catalog.rows) == {text(FINE)}
