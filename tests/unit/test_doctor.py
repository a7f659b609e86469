"""The doctor at work on a real folder and a real server, by its command."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import redis

from sessiontui.formats.title_slot import make_title_field
from sessiontui.times import iso_time, now_ms
from tests.command import Command
from tests.servers import real_server
from tests.sessions import START_MS, Omp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import RealServer

PREFIX = "omp:sessions:"
HEAD, TAIL = "/p/head.jsonl", "/p/tail.jsonl"


class Store(Protocol):
    """Where the sessions are, and what all of it is."""

    command: Command
    fields: bool

    def put(
        self, path: str, data: bytes, title: bytes | None = None, *, timed: bool = True
    ) -> None: ...
    def everything(self) -> Any: ...
    def name(self, path: str) -> str: ...


class FolderStore:
    fields = False

    def __init__(self, home: Path) -> None:
        self.root = home / "sessions"
        self.root.mkdir()
        self.command = Command(home, str(self.root))

    def put(
        self, path: str, data: bytes, title: bytes | None = None, *, timed: bool = True
    ) -> None:
        file = self.root / path[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        os.utime(file, (START_MS / 1000, START_MS / 1000))

    def everything(self) -> Any:
        return {
            str(file): (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_mode)
            for file in self.root.rglob("*")
            if file.is_file()
        }

    def name(self, path: str) -> str:
        return str(self.root) + path


class RedisStore:
    fields = True

    def __init__(self, home: Path, server: RealServer, client: redis.Redis) -> None:
        self.client: Any = client
        self.command = Command(home, server.url)

    def put(
        self, path: str, data: bytes, title: bytes | None = None, *, timed: bool = True
    ) -> None:
        self.client.set(PREFIX + "file:" + path, data)
        if timed:
            self.client.hset(PREFIX + "meta", path, str(START_MS))
        if title:
            self.client.hset(PREFIX + "title", path, title)

    def everything(self) -> Any:
        return {
            key: self.client.hgetall(key)
            if self.client.type(key) == b"hash"
            else self.client.get(key)
            for key in self.client.scan_iter()
            if not key.startswith(b"omp:sessions:trash")
        }

    def times(self) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = self.client.hgetall(PREFIX + "meta")
        return found

    def name(self, path: str) -> str:
        return path


@pytest.fixture(params=["folder", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "folder":
        yield FolderStore(tmp_path)
        return
    server: RealServer = request.getfixturevalue("redis_server")
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        client.flushall()
        yield RedisStore(tmp_path, server, client)
        client.flushall()


def fill(store: Store) -> bytes:
    """Put one of every fault into a store; return the session that is in two pieces as a whole."""
    split = Omp(header={"id": "split"})
    split.user()
    split.assistant()
    cut = len(split.data)
    split.user("Go on.")
    split.assistant("I do.")
    store.put(HEAD, split.data[:cut])
    store.put(TAIL, split.data[cut:])
    store.put("/p/gone/draft.txt", b"unsent")
    store.put("/p/broken.jsonl", Omp(header={"id": "b"}).data + b'{"cut\n[1]\n')
    for name in ("one", "two"):
        store.put(f"/p/{name}.jsonl", Omp(header={"id": "same"}).data)
    store.put("/p/orphan.jsonl", Omp(header={"id": "o", "parentSession": "nobody"}).data)
    if isinstance(store, RedisStore):
        bare = Omp(title=None, header={"id": "h"})
        store.put("/p/hidden.jsonl", bare.data, make_title_field("Hidden", "user", START_MS))
        store.put(
            "/p/differs.jsonl",
            Omp(header={"id": "d"}).data,
            make_title_field("New", "user", START_MS),
        )
        store.put("/p/untimed.jsonl", Omp(header={"id": "u"}).data, timed=False)
        store.put("/p/soon.jsonl", Omp(header={"id": "s"}).data)
        store.client.hset(PREFIX + "meta", "/p/soon.jsonl", "soon")
        store.client.hset(PREFIX + "meta", "/g.jsonl", "17")
        store.client.hset(PREFIX + "title", "/g.jsonl", "{}")
    return split.data


REPAIRED = {"tail", "leftover"}
REPAIRED_FIELDS = {"title-over-header", "slot", "loose", "time"}
TOLD = {"broken", "duplicate", "parent"}


def kinds(command: Command, *arguments: str) -> list[str]:
    done = command("doctor", "--json", *arguments)
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert done.returncode == (1 if any(item["severity"] != "note" for item in told) else 0)
    return [item["kind"] for item in told]


def test_a_store_without_a_fault_is_clean(store: Store) -> None:
    fine = Omp()
    fine.user()
    store.put("/p/fine.jsonl", fine.data)
    store.put("/p/fine/draft.txt", b"unsent")
    done = store.command("doctor", "--deep")
    assert (done.returncode, done.stdout, done.stderr) == (0, "No problems found.\n", "")


def test_looking_changes_nothing(store: Store) -> None:
    fill(store)
    before = store.everything()
    found = kinds(store.command, "--deep")
    assert set(found) == REPAIRED | TOLD | (REPAIRED_FIELDS if store.fields else set())
    assert "broken" not in kinds(store.command)
    assert store.command("doctor").returncode == 1
    assert store.everything() == before


def test_every_repair_is_made_and_taken_back(store: Store) -> None:
    whole = fill(store)
    before = store.everything()
    done = store.command("doctor", "--fix", "--yes")
    assert done.returncode == 1
    assert done.stderr == ""
    assert f"repaired: {store.name(TAIL)}\n" in done.stdout
    assert store.command.raw("show", "--raw", store.name(HEAD)) == whole
    assert set(kinds(store.command, "--deep")) == TOLD
    done = store.command("doctor", "--undo")
    assert (done.returncode, done.stderr) == (0, "")
    assert store.everything() == before
    again = store.command("doctor", "--undo")
    assert (again.returncode, again.stdout) == (1, "")


def test_a_stale_slot_is_a_note_unless_it_is_the_newer_one(store: Store) -> None:
    if not isinstance(store, RedisStore):
        pytest.skip("a folder has no title field")
    store.put("/p/a.jsonl", Omp().data, make_title_field("Newer", "auto", START_MS + 1000))
    done = store.command("doctor", "--json")
    [found] = json.loads(done.stdout)
    assert (done.returncode, found["kind"], found["severity"]) == (0, "slot", "note")
    done = store.command("doctor")
    assert done.returncode == 0
    assert done.stdout.endswith("\n1 note, 1 can be repaired.\nNo problems found.\n")
    store.put(
        "/p/b.jsonl", Omp(header={"id": "b"}).data, make_title_field("Old", "auto", START_MS - 1)
    )
    done = store.command("doctor", "--json")
    assert done.returncode == 1
    assert sorted(item["severity"] for item in json.loads(done.stdout)) == ["finding", "note"]
    assert "1 finding, 1 note, 2 can be repaired." in store.command("doctor").stdout
    done = store.command("doctor", "--fix", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert store.command("doctor").stdout == "No problems found.\n"


def gone_on(store: Store) -> tuple[bytes, bytes]:
    """Put a session that two agents went on from; return it, and the piece of the second."""
    first = Omp(header={"id": "first"})
    first.user()
    first.assistant()
    cut = len(first.data)
    first.user("Go on elsewhere.")
    first.assistant("I do.")
    tail = first.data[cut:].replace(b'"id":"00000003"', b'"id":"0000000a"')
    tail = tail.replace(b'"parentId":"00000003"', b'"parentId":"0000000a"')
    tail = tail.replace(b'"id":"00000004"', b'"id":"0000000b"')
    head = Omp(header={"id": "first"})
    head.user()
    head.assistant()
    head.user("Something else.")
    head.assistant("That was it.")
    store.put(HEAD, head.data)
    store.put(TAIL, tail)
    return head.data, tail


@pytest.mark.parametrize("long", [False, True])
def test_a_piece_whose_parent_stands_within_a_session_becomes_a_branch(
    store: Store, long: bool
) -> None:
    head, tail = gone_on(store)
    if long:
        filler = b'{"type":"custom","id":"f","parentId":null,"data":"%b"}\n' % (b"x" * 9_000)
        first, _, rest = head.partition(b'{"type":"message","id":"00000003"')
        head = first + filler * 150 + b'{"type":"message","id":"00000003"' + rest
        assert rest
        store.put(HEAD, head)
    before = store.everything()
    done = store.command("doctor", "--json")
    assert done.returncode == 1
    [found] = json.loads(done.stdout)
    assert found["kind"] == "tail"
    assert f"That is an entry of {store.name(HEAD)}." in found["evidence"]
    done = store.command("doctor", "--fix", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert store.command.raw("show", "--raw", store.name(HEAD)) == head + tail
    shown = store.command("show", store.name(HEAD)).stdout
    assert "Go on elsewhere." in shown
    assert store.command("doctor").stdout == "No problems found.\n"
    assert store.command("doctor", "--undo").returncode == 0
    assert store.everything() == before


def test_force_repairs_what_an_agent_may_hold_open(store: Store) -> None:
    split = Omp()
    split.user()
    split.assistant()
    cut = len(split.data)
    split.user("Go on.")
    asked = split.data[cut:].replace(
        iso_time(START_MS + 3000).encode(), iso_time(now_ms()).encode()
    )
    store.put(HEAD, split.data[:cut])
    store.put(TAIL, asked)
    before = store.everything()
    done = store.command("doctor")
    assert "held open: " in done.stdout
    assert "use --force" in done.stdout
    done = store.command("doctor", "--fix", "--yes")
    assert done.returncode == 1
    assert "not repaired: " in done.stderr
    assert store.everything() == before
    done = store.command("doctor", "--fix", "--yes", "--force")
    assert (done.returncode, done.stderr) == (0, "")
    assert store.command.raw("show", "--raw", store.name(HEAD)) == split.data[:cut] + asked
    done = store.command("doctor", "--undo", "--force")
    assert (done.returncode, done.stderr) == (0, "")
    assert store.everything() == before


def test_a_repair_leaves_every_time_and_every_life_as_it_was(tmp_path: Path) -> None:
    with real_server() as server, redis.Redis(unix_socket_path=str(server.socket)) as client:
        store = RedisStore(tmp_path, server, client)
        fill(store)
        names = ("/p/untimed.jsonl", "/p/soon.jsonl", "/g.jsonl", "/p/gone/draft.txt", TAIL)
        made = {name.encode() for name in names}
        times = {path: time for path, time in store.times().items() if path not in made}
        paths = ("/p/hidden.jsonl", "/p/differs.jsonl", HEAD)
        for number, path in enumerate(paths, 1):
            client.pexpire(f"{PREFIX}file:{path}", number * 86_400_000)
        lives = [store.client.pexpiretime(f"{PREFIX}file:{path}") for path in paths]
        for wish in (("--fix", "--yes"), ("--undo",)):
            assert store.command("doctor", *wish).stderr == ""
            assert {path: time for path, time in store.times().items() if path in times} == times
            now = [store.client.pexpiretime(f"{PREFIX}file:{path}") for path in paths]
            assert now == lives


def test_the_journal_is_the_users_own(store: Store) -> None:
    fill(store)
    store.command("doctor", "--fix", "--yes")
    [journal] = (store.command.home / ".local/share/sessiontui/repairs").iterdir()
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.parent.stat().st_mode) == 0o700


def test_a_repair_is_not_taken_back_over_what_was_written_since(store: Store) -> None:
    whole = fill(store)
    store.command("doctor", "--fix", "--yes")
    grown = whole + b'{"type":"custom","id":"zz","parentId":null}\n'
    store.put(HEAD, grown)
    done = store.command("doctor", "--undo", "--json")
    assert done.returncode == 1
    [kept] = [item for item in json.loads(done.stdout) if not item["undone"]]
    assert kept["kind"] == "tail"
    assert "changed meanwhile" in kept["error"]
    assert store.command.raw("show", "--raw", store.name(HEAD)) == grown
    assert len(store.command.json("trash", "--json")) == 1


def test_nobody_to_ask_and_no_journal_mean_no_repair(store: Store) -> None:
    fill(store)
    before = store.everything()
    assert store.command("doctor", "--fix").returncode == 2
    assert store.command("doctor", "--undo", "--fix").returncode == 2
    (store.command.home / ".local").write_bytes(b"in the way")
    done = store.command("doctor", "--fix", "--yes")
    assert done.returncode == 1
    assert "the journal of repairs cannot be written" in done.stderr
    assert store.everything() == before


def test_text_from_sessions_reaches_the_terminal_cleaned(store: Store) -> None:
    evil = Omp(header={"id": "evil", "parentSession": "x\x1b]52;c;aGFja2Vk\x07"})
    store.put("/p/evil.jsonl", evil.data)
    done = store.command("doctor")
    assert done.returncode == 0  # A parent that is missing is a note.
    assert "\x1b" not in done.stdout
    assert "aGFja2Vk" in done.stdout


def test_debris_beside_a_session_waits_until_nobody_holds_it(store: Store) -> None:
    at_work = Omp()
    at_work.user()
    store.put("/p/a.jsonl", at_work.data)
    store.put("/p/.a.jsonl.1.tmp", b"half")
    assert kinds(store.command) == ["leftover"]
    now = iso_time(now_ms()).encode()
    line = at_work.message("user", "Now.").replace(iso_time(START_MS + 2000).encode(), now)
    store.put("/p/a.jsonl", at_work.data[: -len(line)] + line)
    assert kinds(store.command) == []


def test_what_was_taken_back_in_part_is_taken_back_in_whole_the_next_time(store: Store) -> None:
    fill(store)
    before = store.everything()
    store.command("doctor", "--fix", "--yes")
    store.put(TAIL, b"somebody else's\n")
    done = store.command("doctor", "--undo")
    assert done.returncode == 1
    assert "already" in done.stderr
    if isinstance(store, RedisStore):
        store.client.delete(PREFIX + "file:" + TAIL)
        store.client.hdel(PREFIX + "meta", TAIL)
    else:
        Path(store.name(TAIL)).unlink()
    done = store.command("doctor", "--undo")
    assert (done.returncode, done.stderr) == (0, "")
    assert store.everything() == before
