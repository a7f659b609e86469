"""The small parts of the storage: what belongs to a session, the cache, the rule of the feed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessiontui.errors import InvalidPathError, StorageError
from sessiontui.storage import SessionStorage, sync
from sessiontui.storage.artifacts import artifact_target, is_artifact, sidecar_path
from sessiontui.storage.backend import HEAD_BYTES, Rescan, ScanBatch, Stat
from sessiontui.storage.change_detector import MOST_TOGETHER, ChangeDetector
from sessiontui.storage.change_feed import ROOM_BYTES, ChangeFeeds
from sessiontui.storage.changes import (
    Appended,
    Change,
    Created,
    Removed,
    Renamed,
    Retitled,
    Rewritten,
)
from sessiontui.storage.memory import MemoryBackend, MemoryStore
from sessiontui.storage.mirror import OVERLAP_BYTES, Mirror, overlap_mark
from sessiontui.storage.reads import RangeCache
from sessiontui.storage.write_queue import RetryPolicy
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence
    from pathlib import Path

    from sessiontui.storage.backend import Range, Snapshot, WatchEvent

A = "/p/a.jsonl"
B = "/p/b.jsonl"


@pytest.mark.parametrize(
    "opening",
    ["", "storage.SyncSessionStorage.open('.', follow=False).close()"],
    ids=["imported", "a folder opened"],
)
def test_the_storage_loads_neither_the_apps_libraries_nor_those_of_other_backends(
    tmp_path: Path, opening: str
) -> None:
    code = (
        f"import sys; from sessiontui import storage; {opening}\n"
        "libraries = {'textual', 'rich', 'click', 'redis', 'watchfiles'}\n"
        "print(sorted(libraries & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "candidate",
    [
        "/p/a/draft.txt",
        "/p/a/agent/child.jsonl",
        "/p/a.jsonl.17.bak",
        "/p/.a.jsonl.lock",
        "/p/.a.jsonl.lock.os",
        "/p/.a.jsonl.77-x.tmp",
    ],
)
def test_what_belongs_to_a_session_moves_to_what_belongs_to_its_new_path(candidate: str) -> None:
    assert is_artifact(candidate, A)
    there = artifact_target(candidate, A, "/q/new.jsonl")
    assert is_artifact(there, "/q/new.jsonl")
    assert artifact_target(there, "/q/new.jsonl", A) == candidate


@pytest.mark.parametrize(
    "candidate",
    [
        A,
        "/p/ab.jsonl",
        "/p/a.jsonl.bak",
        "/p/a.jsonl.x.bak/y.bak",
        "/p/.a.jsonl.locked",
        "/p/.a.jsonl.tmp",
        "/p/a.jsonlx",
        "/p/.ab.jsonl.lock",
        "/q/a/draft.txt",
    ],
)
def test_neighbours_do_not_belong_to_a_session(candidate: str) -> None:
    assert not is_artifact(candidate, A)


@pytest.mark.parametrize(
    "path", ["/notes", "", "/", "/p/.jsonl", ".jsonl", "/p/a.jsonl/", "a.JSONL"]
)
def test_only_paths_of_sessions_have_artifacts(path: str) -> None:
    with pytest.raises(InvalidPathError):
        sidecar_path(path)


@given(st.data())
def test_the_cache_answers_only_what_it_was_given_and_keeps_to_its_bound(
    data: st.DataObject,
) -> None:
    contents = {"a": bytes(range(100)), "b": bytes(range(100, 200))}
    cache = RangeCache(120)
    for _ in range(data.draw(st.integers(0, 30))):
        path = data.draw(st.sampled_from("ab"))
        version = data.draw(st.integers(1, 2))
        start, stop = sorted(data.draw(st.tuples(st.integers(0, 100), st.integers(0, 100))))
        whole = bytes([version]) + contents[path]
        found = cache.get(path, version, start, stop)
        assert found is None or found == whole[start:stop]
        cache.put(path, version, start, whole[start:stop])
        assert cache.bytes <= 120
        if data.draw(st.booleans()):
            cache.forget(path)
    assert cache.bytes >= 0


class Watched:
    """A store, and an observer of it whose changes are collected."""

    def __init__(self, *, resident: bool = False, identities: bool = False) -> None:
        self.time = 1000
        self.store = MemoryStore(clock=lambda: self.time, identities=identities)
        self.changes: list[Change] = []
        self.mirror = Mirror(
            resident=resident,
            clock=lambda: self.time,
            publish=lambda change, _: self.changes.append(change),
        )
        self.observer = ChangeDetector(MemoryBackend(self.store), self.mirror)

    async def look(self, *paths: str) -> list[Change]:
        self.changes.clear()
        left = list(paths)
        while left:
            left = self.observer.apply(await self.observer.look(left))
        return list(self.changes)


async def test_a_time_that_follows_its_append_is_no_rewrite() -> None:
    watched = Watched()
    watched.store.append(A, b"one\n")
    await watched.look(A)
    watched.store.append(A, b"two\n", mtime_ms=1000)
    assert await watched.look(A) == [Appended(A, 4, b"two\n", 1000)]
    watched.store.retitle(A, None, mtime_ms=1001)
    assert await watched.look(A) == [Retitled(A, None, 1001)]
    watched.store.retitle(A, None, mtime_ms=1002)
    assert await watched.look(A) == [Rewritten(A, 8, 1002)]


async def test_where_a_store_has_no_time_the_moment_something_was_seen_counts() -> None:
    watched = Watched()

    async def look_without_a_time(path: str) -> list[Change]:
        watched.store.sessions[path].mtime_ms = None
        return await watched.look(path)

    watched.mirror.indexed([Stat(A, 4, None)])
    assert watched.changes == [Created(A, 4, 1000)]
    watched.store.append(A, b"one\n")
    watched.time = 2000
    assert await look_without_a_time(A) == []
    watched.store.append(A, b"two\n")
    assert await look_without_a_time(A) == [Appended(A, 4, b"two\n", 2000)]
    watched.time = 3000
    watched.store.write(A, b"other\n")
    assert await look_without_a_time(A) == [Rewritten(A, 6, 2000)]
    watched.store.append(B, b"one\n")
    assert await look_without_a_time(B) == [Created(B, 4, 3000)]
    assert watched.mirror.next_mtime() > 3000


async def test_a_time_alone_is_no_rewrite_where_the_bytes_are_known_to_be_the_same() -> None:
    watched = Watched(resident=True)
    watched.store.append(A, b"one\n")
    await watched.look(A)
    watched.store.retitle(A, None, mtime_ms=1002)
    assert await watched.look(A) == [Retitled(A, None, 1002)]


async def test_another_file_of_the_same_bytes_is_a_rewrite_only_where_bytes_are_not_known() -> None:
    for resident in (False, True):
        watched = Watched(resident=resident, identities=True)
        watched.store.append(A, b"one\n")
        await watched.look(A)
        watched.store.write(A, b"one\n")
        assert await watched.look(A) == ([] if resident else [Rewritten(A, 4, 1000)])


@given(st.lists(st.binary(min_size=1, max_size=200), max_size=5), st.integers(0, 300))
def test_the_first_bytes_are_known_again_however_they_came(parts: list[bytes], at: int) -> None:
    mirror = Mirror(resident=False, clock=lambda: 1, publish=ChangeFeeds().publish)
    mirror.created(Stat(A, 0, 1, None), own=False, head=b"", overlap=b"")
    whole = b""
    for part in parts:
        mirror.grew(A, part, 1, own=False)
        whole += part
    entry = mirror.confirmed[A]
    assert entry.may_begin((whole + b"more")[:HEAD_BYTES])
    if at < min(len(whole), HEAD_BYTES):
        other = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        assert not entry.may_begin(other[:HEAD_BYTES])
        assert not entry.may_begin(whole[:at])


@given(st.binary(min_size=1, max_size=200), st.binary(max_size=200), st.integers(0, 63))
def test_the_last_bytes_are_known_again_where_they_were_read_or_grew(
    whole: bytes, more: bytes, before_end: int
) -> None:
    mirror = Mirror(resident=False, clock=lambda: 1, publish=ChangeFeeds().publish)
    mirror.created(Stat(A, len(whole), 1, None), own=False)
    entry = mirror.confirmed[A]
    entry.overlap = overlap_mark(whole)
    for data in (whole, whole + more):
        assert entry.may_end(data[-OVERLAP_BYTES:])
        if before_end < min(len(data), OVERLAP_BYTES):
            at = len(data) - 1 - before_end
            other = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            assert not entry.may_end(other[-OVERLAP_BYTES:])
        if data is whole:
            mirror.grew(A, more, 1, own=False)
            if (
                mirror.confirmed[A].overlap is None
            ):  # of a digest and a few bytes nothing can be told
                return


async def test_a_longer_session_that_was_only_read_is_known_for_another_by_its_last_bytes() -> None:
    watched = Watched()
    first, second = b"head " * 100 + b"one\n", b"two\n"
    watched.store.append(A, first)
    await watched.look(A)
    entry = watched.mirror.confirmed[A]
    entry.overlap = overlap_mark(first)
    watched.store.append(A, second)
    assert await watched.look(A) == [Appended(A, len(first), second, 1000)]
    entry.overlap = overlap_mark(first + second)
    watched.store.write(A, b"head " * 100 + b"another, longer end\n")
    assert await watched.look(A) == [Rewritten(A, 520, 1000)]


async def test_a_rename_is_told_by_identity_by_bytes_or_by_time() -> None:
    for resident, identities in ((False, False), (True, False), (False, True)):
        watched = Watched(resident=resident, identities=identities)
        watched.store.append(A, b"one\n", mtime_ms=7)
        await watched.look(A)
        watched.store.rename(A, B)
        assert await watched.look(B, A) == [Renamed(A, B, 7)]


async def test_two_sessions_of_one_size_are_not_taken_for_each_other() -> None:
    watched = Watched()
    watched.store.append(A, b"one\n")
    watched.store.append("/p/c.jsonl", b"two\n")
    await watched.look(A, "/p/c.jsonl")
    watched.store.rename("/p/c.jsonl", B)
    watched.store.delete(A)
    assert Renamed(A, B, 1000) not in await watched.look(A, B, "/p/c.jsonl")


async def test_a_rename_onto_a_session_tells_that_it_is_gone() -> None:
    watched = Watched(resident=True)
    watched.store.append(A, b"one\n")
    watched.store.append(B, b"other\n")
    await watched.look(A, B)
    watched.store.rename(A, B)
    await watched.look(A, B)
    assert {path: bytes(e.content or b"") for path, e in watched.mirror.confirmed.items()} == {
        B: b"one\n"
    }


async def test_nothing_is_fetched_while_a_listener_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "COALESCE_S", 0.0)
    store = MemoryStore()
    paths = [f"/p/{number}.jsonl" for number in range(40)]
    for path in paths:
        store.append(path, b".")
    async with SessionStorage(MemoryBackend(store)) as storage:
        await storage.load()
        async with storage.changes() as changes:
            for path in paths:
                store.append(path, b"x" * 1_000_000)
            await until(lambda: changes.is_full)
            for _ in range(3000):
                await asyncio.sleep(0)
            behind = sum(stat.size for stat in storage.stats())
            assert behind <= len(paths) + ROOM_BYTES + MOST_TOGETHER
            told = 0
            async for change in changes:
                assert isinstance(change, Appended)
                told += len(change.data)
                if told == len(paths) * 1_000_000:
                    break


class LateBackend(MemoryBackend):
    """Tells the index in two parts; the second one is older than what happens in between."""

    storage: SessionStorage | None = None
    """Set to have something happen to B, and wait until this storage was told so."""

    grows = False
    """Whether B grows then, else it is removed."""

    async def scan(self) -> AsyncIterator[ScanBatch]:
        stats = [stat async for batch in super().scan() for stat in batch.stats]
        if (storage := self.storage) is not None:
            if self.grows:
                self.store.append(B, b"an agent goes on\n")
            else:
                self.store.delete(B)
            await until(lambda: B in storage._follower._dirty)
        yield ScanBatch(tuple(stat for stat in stats if stat.path != B))
        yield ScanBatch(tuple(stat for stat in stats if stat.path == B))


@asynccontextmanager
async def told_late(*, grows: bool) -> AsyncIterator[SessionStorage]:
    """Open a storage whose next index is late, with B in view."""
    backend = LateBackend()
    for path in (A, B):
        backend.store.append(path, b"one\n")
    async with SessionStorage(backend, contents="on_demand") as storage:
        await storage.load()
        storage.visible = {B}
        backend.storage, backend.grows = storage, grows
        yield storage


async def test_an_index_that_is_late_brings_no_session_back() -> None:
    async with told_late(grows=False) as storage, storage.changes() as changes:
        await storage.load()
        assert storage.exists_sync(A)
        assert not storage.exists_sync(B)
        assert isinstance(await anext(changes), Removed)


async def test_a_session_that_grew_since_the_index_was_asked_for_is_no_loss() -> None:
    async with told_late(grows=True) as storage:
        storage._follower._note(Rescan("another server answers", moved=True))
        await storage.load()
        assert storage.exists_sync(B)
        assert not storage.warnings


class BesideBackend(MemoryBackend):
    """Tells of what belongs to A after that was deleted with it, and of nothing as it happens."""

    storage: SessionStorage | None = None

    async def scan(self) -> AsyncIterator[ScanBatch]:
        stats = [stat async for batch in super().scan() for stat in batch.stats]
        if (storage := self.storage) is not None:
            self.storage = None
            await storage.trash_session(A)
        yield ScanBatch(tuple(stats))


async def test_an_index_that_is_late_brings_back_nothing_that_was_deleted_with_a_session() -> None:
    backend, draft = BesideBackend(), A.removesuffix(".jsonl") + "/draft.jsonl"
    backend.store.append(A, b"one\n")
    async with SessionStorage(backend, contents="on_demand") as storage:
        await storage.load()
        backend.store.break_feeds()
        backend.store.append(draft, b"one\n")
        backend.storage = storage
        await storage.load()
        assert storage.stats() == []


class SickBackend(MemoryBackend):
    """Cannot read one of its sessions."""

    sick = ""

    async def probe(self, ranges: Sequence[Range]) -> list[Snapshot | None]:
        if any(item.path == self.sick for item in ranges):
            raise StorageError("Input/output error: /p/\x1b[31m")
        return await super().probe(ranges)


async def test_a_session_that_cannot_be_read_stands_in_nobodys_way() -> None:
    backend = SickBackend()
    paths = [f"/p/{number}.jsonl" for number in range(10)]
    for path in paths:
        backend.store.append(path, b"one\n")
    async with SessionStorage(backend) as storage:
        await storage.load()
        backend.sick = paths[3]
        for path in paths:
            backend.store.append(path, b"two\n")
        await until(lambda: sum(stat.size == 8 for stat in storage.stats()) == 9)
        assert list(storage.warnings) == ["Input/output error: /p/\u241b[31m"]
        backend.sick = ""
        backend.store.append(paths[3], b"three\n")
        await until(lambda: sum(stat.size == 14 for stat in storage.stats()) == 1)


class IndexlessBackend(MemoryBackend):
    """Cannot tell the index for a while."""

    failing = False

    async def scan(self) -> AsyncIterator[ScanBatch]:
        if self.failing:
            raise StorageError("the folder is odd")
        async for batch in super().scan():
            yield batch


async def test_where_the_index_cannot_be_read_what_is_told_is_followed() -> None:
    backend = IndexlessBackend()
    backend.store.append(A, b"one\n")
    async with SessionStorage(backend, contents="on_demand") as storage:
        await storage.load()
        backend.failing = True
        storage._follower._note(Rescan("a regular check"))
        await until(lambda: storage.warnings)
        assert list(storage.warnings) == ["the index cannot be read: the folder is odd"]
        backend.store.append(A, b"two\n")
        await until(lambda: storage.stats()[0].size == 8)


class DyingBackend(MemoryBackend):
    """Its feed ends with an error that nobody expects, once it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.dying = asyncio.Event()

    @asynccontextmanager
    async def watch(
        self, visible: Callable[[], Collection[str]] = tuple
    ) -> AsyncIterator[AsyncIterator[WatchEvent]]:
        async with super().watch(visible) as signals:
            yield self._until_dying(signals)

    async def _until_dying(self, signals: AsyncIterator[WatchEvent]) -> AsyncIterator[WatchEvent]:
        async for signal in signals:
            if self.dying.is_set():
                raise LookupError("unheard of")
            yield signal


async def test_a_feed_that_ended_begins_again_when_all_is_loaded_again() -> None:
    backend = DyingBackend()
    backend.store.append(A, b"one\n")
    async with SessionStorage(backend) as storage:
        await storage.load()
        backend.dying.set()
        backend.store.append(A, b"two\n")
        await until(lambda: not storage.feed_state.live)
        backend.dying.clear()
        await storage.load()
        assert storage.feed_state.live
        backend.store.append(A, b"three\n")
        await until(lambda: storage.stats()[0].size == 14)


def test_pauses_grow_to_a_bound() -> None:
    retries = RetryPolicy(first_s=0.1, longest_s=2.0)
    pauses = [retries.pause(failures) for failures in range(1, 100)]
    assert 0.05 <= pauses[0] <= 0.1
    assert all(pause <= 2.0 for pause in pauses)
    assert min(pauses[10:]) >= 1.0
