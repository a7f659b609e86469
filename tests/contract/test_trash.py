"""Deleting with a way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sessiontui.errors import SessionExistsError, SessionNotFoundError
from sessiontui.formats.title_slot import make_title_field
from sessiontui.storage.backend import Stat, TrashItem
from sessiontui.storage.memory import MemoryBackend, MemoryStore

if TYPE_CHECKING:
    from sessiontui.storage import SessionStorage
    from tests.contract.worlds import World

A = "/p/a.jsonl"
DRAFT = "/p/a/draft.txt"


async def test_what_is_thrown_away_comes_back_exactly(world: World) -> None:
    field = make_title_field("Named", "user", 1_790_000_000_000)
    await world.peer.write(A, b"\xffa\n", title=field)
    await world.peer.append(DRAFT, b"draft")
    before = {path: await world.peer.data(path) for path in await world.peer.paths()}
    times = {path: await world.peer.mtime_ms(path) for path in before}
    storage = await world.open(follow=False)
    shown = {stat.path: stat for stat in storage.stats() if stat.path == A}
    item = await storage.trash_session(A)
    assert {stat.path for stat in item.stats} == {A, DRAFT}
    assert item.stats[0].path == A
    assert not storage.exists_sync(A)
    assert await world.peer.paths() == set()
    assert [one.path for one in await storage.trashed()] == [A]
    restored = await storage.restore(item.id)
    assert restored.id == item.id
    assert {path: await world.peer.data(path) for path in await world.peer.paths()} == before
    assert {path: await world.peer.mtime_ms(path) for path in before} == times
    if world.peer.has_titles:
        assert await world.peer.title(A) == field
    assert {stat.path: stat for stat in storage.stats() if stat.path == A} == shown
    assert await storage.read_range(A, 0, None) == b"\xffa\n"
    assert await storage.trashed() == []


async def test_the_newest_deletion_comes_first(storage: SessionStorage) -> None:
    ids = []
    for number in range(3):
        await storage.write_text(f"/p/{number}.jsonl", "x")
        ids.append((await storage.trash_session(f"/p/{number}.jsonl")).id)
    assert [item.id for item in await storage.trashed()] == sorted(ids, reverse=True)


async def test_lines_queued_before_go_to_the_trash_with_their_session(
    storage: SessionStorage, world: World
) -> None:
    writer = storage.open_writer(A)
    writer.write_line_sync("1\n")
    item = await storage.trash_session(A)
    assert await world.peer.paths() == set()
    await storage.restore(item.id)
    assert await storage.read_text(A) == "1\n"


async def test_nothing_comes_back_over_a_session_of_that_path(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, "old")
    item = await storage.trash_session(A)
    await storage.write_text(A, "new")
    with pytest.raises(SessionExistsError):
        await storage.restore(item.id)
    assert await world.peer.data(A) == b"new"
    assert [one.id for one in await storage.trashed()] == [item.id]


async def test_what_is_not_in_the_trash_cannot_come_back(storage: SessionStorage) -> None:
    with pytest.raises(SessionNotFoundError):
        await storage.restore("00000000000001-cafe")


async def test_the_trash_is_no_session(storage: SessionStorage, world: World) -> None:
    await storage.write_text(A, "a")
    await storage.trash_session(A)
    await storage.refresh()
    assert storage.stats() == []
    assert (await world.open()).stats() == []


async def test_a_store_in_memory_keeps_what_one_reading_of_the_clock_finds_expired() -> None:
    now = 1_790_000_000_000
    day = 86_400_000
    store = MemoryStore(clock=lambda: now)
    backend = MemoryBackend(store)
    store.write(A, b"a")
    await backend.trash(TrashItem("1-a", A, (Stat(A, 1, now),), now, now + 30 * day))
    begun = now
    for days, kept in ((70, True), (1, True), (30, True), (30.5, True), (31, False)):
        now = begun + int(days * day)
        assert bool(await backend.trashed()) is kept
