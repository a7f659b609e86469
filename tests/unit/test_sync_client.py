"""The storage without an event loop: the same calls, and a thread that ends."""

from __future__ import annotations

import inspect
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from sessiontui.storage import (
    Appended,
    Created,
    MemorySessionStorage,
    MemoryStore,
    SessionNotFoundError,
    SessionStorage,
    SessionStorageWriter,
    StorageClosedError,
    StorageError,
    SyncSessionStorage,
    SyncSessionStorageWriter,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers import RealServer

    Opening = Callable[..., SyncSessionStorage]

NOT_BLOCKING = {"aclose", "load", "on_state"}
"""What a client has no use for: `close` is its own, it is loaded, and nobody calls back."""
FOR_THE_APP = {
    *("all_artifacts", "carry_out", "confirmed_size", "lives", "loose_fields", "place", "probe"),
    *("stage", "staged", "survey", "take_unwritten", "took", "trash_item", "unstage"),
    *("why_read_only",),
}


@pytest.fixture(params=["memory", "folder", "redis"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    """Return what opens a client over one and the same empty store."""
    if request.param == "memory":
        store = MemoryStore()
        return lambda **options: SyncSessionStorage(MemorySessionStorage.create(store, **options))
    if request.param == "folder":
        return lambda **options: SyncSessionStorage.open(tmp_path, **options)
    server: RealServer = request.getfixturevalue("redis_server")
    url = f"unix://{server.socket}?prefix=sync-{tmp_path.name}:"
    return lambda **options: SyncSessionStorage.open(url, **options)


def loops() -> int:
    return sum(thread.name == "sessiontui-loop" for thread in threading.enumerate())


def test_every_call_does_what_its_asynchronous_one_does(opening: Opening) -> None:
    with opening(follow=False) as storage:
        writer = storage.begin("/tmp/x", title="First")
        writer.write_line_sync("1\n")
        writer.write_line("2\n")
        path = writer.path
        assert storage.read_range(path, -4, None) == b"1\n2\n"
        assert storage.read_text_sync(path) == storage.read_text(path)
        assert storage.stat_sync(path).size == len(storage.read_text(path))
        assert storage.update_session_title(path, "Second")
        moved = path.replace("-tmp-x", "-tmp-y")
        storage.rename(path, moved)
        assert writer.path == moved
        writer.write_line_sync("3\n")
        writer.close()
        assert storage.read_range(moved, -6, None) == b"1\n2\n3\n"
        folder, _, name = moved.rpartition("/")
        assert storage.list_files_sync(folder, "*.jsonl") == [moved]
        with pytest.raises(SessionNotFoundError):
            storage.read_text(path)
        item = storage.trash_session(moved)
        assert [one.id for one in storage.trashed()] == [item.id]
        storage.restore(item)
        storage.write_text_sync(f"{folder}/other-{name}", "other")
        storage.drain()
        assert storage.pending == 0
    with opening(follow=False) as storage:
        assert {stat.path for stat in storage.stats()} == {moved, f"{folder}/other-{name}"}


def test_changes_of_another_arrive_one_by_one(opening: Opening) -> None:
    with opening() as storage, opening(follow=False) as other, storage.changes() as feed:
        writer = other.begin("/tmp/x")
        writer.write_line("1\n")
        data = b""
        for change in feed:
            assert change.path == writer.path
            if isinstance(change, Appended):
                data += change.data
            elif isinstance(change, Created):
                data = storage.read_range(change.path, 0, change.size)
            if data.endswith(b"1\n"):
                break
        assert data == other.read_range(writer.path, 0, None)


def test_what_waits_for_a_change_ends_with_the_storage(opening: Opening) -> None:
    storage = opening()
    ended = threading.Event()
    following = threading.Event()

    def follow() -> None:
        with storage.changes() as feed:
            following.set()
            for _ in feed:
                pass
        ended.set()

    threading.Thread(target=follow, daemon=True).start()
    assert following.wait(30)
    storage.close()
    assert ended.wait(30)


def test_closing_writes_what_is_pending_and_ends_the_thread(opening: Opening) -> None:
    before = loops()
    storage = opening(follow=False)
    path = f"{storage.root}/p/a.jsonl"
    assert loops() == before + 1
    storage.write_text_sync(path, "one\n")
    storage.close()
    storage.close()
    assert loops() == before
    with pytest.raises(StorageClosedError):
        storage.read_text(path)
    with opening(follow=False) as again:
        assert again.read_text(path) == "one\n"


def test_what_cannot_be_opened_leaves_no_thread(tmp_path: Path) -> None:
    before = loops()
    with pytest.raises(StorageError):
        SyncSessionStorage.open(tmp_path / "missing")
    assert loops() == before


def test_a_callback_that_would_wait_for_itself_is_refused() -> None:
    errors: list[Exception] = []
    with SyncSessionStorage(MemorySessionStorage.create()) as storage:

        async def call_back() -> None:
            try:
                storage.read_text("/p/a.jsonl")
            except RuntimeError as error:
                errors.append(error)

        storage._thread.run(call_back)
    assert [str(error) for error in errors] == ["a callback of the storage cannot wait for it"]


@pytest.mark.parametrize("kind", ["folder", "redis"])
def test_a_client_left_open_writes_what_is_pending_and_keeps_no_process_alive(
    kind: str, tmp_path: Path, redis_server: RealServer
) -> None:
    server = f"unix://{redis_server.socket}?prefix=left-{tmp_path.name}:"
    place = str(tmp_path) if kind == "folder" else server
    code = (
        "import sys; from sessiontui.storage import SyncSessionStorage\n"
        "storage = SyncSessionStorage.open(sys.argv[1])\n"
        "feed = storage.changes(); feed.__enter__()\n"
        "writer = storage.begin('/tmp/x')\n"
        "for number in range(1000): writer.write_line_sync('%d\\n' % number)\n"
        "print('done')"
    )
    command = [sys.executable, "-c", code, place]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    with SyncSessionStorage.open(place, follow=False) as storage:
        (stat,) = storage.stats()
        assert storage.read_text(stat.path).splitlines()[2:] == [str(n) for n in range(1000)]


def public(kind: type) -> dict[str, Any]:
    functions = inspect.getmembers(kind, inspect.isfunction)
    return {name: function for name, function in functions if not name.startswith("_")}


def test_the_client_has_the_calls_of_the_storage_with_the_same_arguments() -> None:
    calls, blocking = public(SessionStorage), public(SyncSessionStorage)
    assert calls.keys() - blocking.keys() == NOT_BLOCKING | FOR_THE_APP
    assert blocking.keys() - calls.keys() == {"close"}
    calls |= {f"writer.{name}": call for name, call in public(SessionStorageWriter).items()}
    blocking |= {f"writer.{name}": call for name, call in public(SyncSessionStorageWriter).items()}
    assert calls.keys() - blocking.keys() == NOT_BLOCKING | FOR_THE_APP | {
        "writer.fail",
        "writer.wait_for",
    }
    for name in calls.keys() & blocking.keys():
        theirs, ours = inspect.signature(calls[name]), inspect.signature(blocking[name])
        assert ours.parameters == theirs.parameters, name
