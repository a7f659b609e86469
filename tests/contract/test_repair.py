"""Repairs: what is joined, cut, discarded and put right, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sessiontui.errors import (
    SessionHeldError,
    SessionNotFoundError,
    StorageError,
    WriteConflictError,
)
from sessiontui.formats.title_slot import make_slot, make_title_field
from sessiontui.storage.backend import HashFieldChange, Stat, TrashItem
from sessiontui.storage.repair_operations import (
    ChangeFields,
    Crop,
    DiscardFiles,
    JoinSessions,
    OverwriteStart,
)
from tests.contract.worlds import PREFIX, MemoryPeer, RedisPeer

if TYPE_CHECKING:
    from sessiontui.storage import SessionStorage
    from tests.contract.worlds import World

HEAD = "/p/head.jsonl"
TAIL = "/p/tail.jsonl"
A = "/p/a.jsonl"
LATER_MS = 4_000_000_000_000
ITEM = TrashItem("00000000000001-cafe", TAIL, (), 1, LATER_MS)


def free(_stat: Stat) -> None:
    return None


def join(head: bytes, tail: bytes, *, held: str | None = None, extra: int = 0) -> JoinSessions:
    return JoinSessions(
        Stat(TAIL, len(tail) + extra, 5),
        Stat(HEAD, len(head), 4),
        ITEM,
        mtime_ms=1_790_000_000_007,
        guards=(free, lambda _stat: held),
    )


@pytest.mark.parametrize(
    ("head", "tail", "joined"),
    [
        (b"1\n", b"2\n", b"1\n2\n"),
        (b"1", b"2\n", b"1\n2\n"),
        (b"1\n", b"\n\n2\n", b"1\n2\n"),
        (b"1", b"\n2", b"1\n2"),
        (b"1\n" * 3000, b"2\n" * 3000, b"1\n" * 3000 + b"2\n" * 3000),
    ],
)
async def test_a_tail_is_joined_to_its_head_and_comes_back_apart(
    world: World, head: bytes, tail: bytes, joined: bytes
) -> None:
    await world.peer.write(HEAD, head)
    await world.peer.write(TAIL, tail)
    before = await world.peer.mtime_ms(TAIL)
    storage = await world.open()
    async with storage.changes(own=True):
        await storage.carry_out(join(head, tail))
    assert await world.peer.data(HEAD) == joined
    assert await world.peer.data(TAIL) is None
    assert await world.peer.mtime_ms(HEAD) == 1_790_000_000_007
    assert storage.stat_sync(HEAD).size == len(joined)
    assert not storage.exists_sync(TAIL)
    assert await storage.read_range(HEAD, 0, None) == joined
    await storage.carry_out(Crop(HEAD, 0, len(head), expected_size=len(joined), mtime_ms=4000))
    await storage.restore(ITEM.id)
    assert await world.peer.data(HEAD) == head
    assert await world.peer.data(TAIL) == tail
    assert await world.peer.mtime_ms(TAIL) == before
    assert await world.peer.mtime_ms(HEAD) == 4000
    assert await storage.read_range(HEAD, 0, None) == head


async def test_what_has_grown_or_is_held_or_gone_is_not_joined(world: World) -> None:
    await world.peer.write(HEAD, b"1\n")
    await world.peer.write(TAIL, b"2\n")
    storage = await world.open()
    with pytest.raises(SessionHeldError, match="it works"):
        await storage.carry_out(join(b"1\n", b"2\n", held="it works"))
    with pytest.raises(WriteConflictError):
        await storage.carry_out(join(b"1\n", b"2\n", extra=1))
    with pytest.raises(WriteConflictError):
        await storage.carry_out(join(b"", b"2\n"))
    assert await world.peer.data(HEAD) == b"1\n"
    assert await world.peer.data(TAIL) == b"2\n"
    await world.peer.delete(TAIL)
    with pytest.raises(SessionNotFoundError):
        await storage.carry_out(join(b"1\n", b"2\n"))
    assert await world.peer.data(HEAD) == b"1\n"
    assert await storage.trashed() == []


@pytest.mark.parametrize("path", [HEAD, TAIL])
async def test_a_line_that_comes_at_the_last_moment_keeps_both_apart(
    world: World, path: str
) -> None:
    await world.peer.write(HEAD, b"1\n")
    await world.peer.write(TAIL, b"2\n")
    storage = await world.open(follow=False)
    backend = world.flaky.backend
    await world.peer.append(path, b"late\n")
    item = TrashItem(ITEM.id, TAIL, (Stat(TAIL, 2, 5),), 1, LATER_MS)
    with pytest.raises(WriteConflictError):
        await backend.join(item, Stat(HEAD, 2, 4), between=b"", skip=0, mtime_ms=9)
    kept = {HEAD: b"1\n", TAIL: b"2\n"}
    kept[path] += b"late\n"
    assert {name: await world.peer.data(name) for name in kept} == kept
    assert await storage.trashed() == []


async def test_what_is_kept_of_a_session_is_just_that(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessiontui.storage.redis.backend._SMALL_BYTES", 7)
    await world.peer.write(A, b"0123456789" * 5, title=b"T")
    storage = await world.open()
    with pytest.raises(WriteConflictError):
        await storage.carry_out(Crop(A, 3, 33, expected_size=49, mtime_ms=7))
    with pytest.raises(SessionHeldError):
        await storage.carry_out(
            Crop(A, 3, 33, expected_size=50, mtime_ms=7, guard=lambda _stat: "held")
        )
    await storage.carry_out(Crop(A, 3, 33, expected_size=50, mtime_ms=7))
    assert await world.peer.data(A) == (b"0123456789" * 5)[3:33]
    assert await storage.read_range(A, 0, None) == (b"0123456789" * 5)[3:33]
    if world.peer.has_titles:
        assert await world.peer.title(A) == b"T"


async def test_the_slot_alone_is_written_over(world: World) -> None:
    old = make_slot("Old", source="auto", updated_at=1_790_000_000_000)
    new = make_slot("New", source="user", updated_at=1_790_000_000_001)
    field = make_title_field("New", "user", 1_790_000_000_001)
    await world.peer.write(A, old + b"{}\n", title=field)
    storage = await world.open()
    await storage.carry_out(OverwriteStart(A, old=old, new=new, mtime_ms=1_790_000_000_009))
    assert await world.peer.data(A) == new + b"{}\n"
    assert await storage.read_range(A, 0, 256) == new
    if world.peer.has_titles:
        assert await world.peer.title(A) == field
    with pytest.raises(WriteConflictError):
        await storage.carry_out(OverwriteStart(A, old=old, new=new, mtime_ms=1_790_000_000_010))


async def test_debris_goes_to_the_trash_and_comes_back(world: World) -> None:
    debris = "/p/gone/draft.txt"
    await world.peer.append(debris, b"unsent")
    storage = await world.open()
    found = [stat async for batch in storage.survey() for stat in batch.stats]
    assert [stat.path for stat in found] == [debris]
    item = TrashItem(ITEM.id, debris, (), 1, LATER_MS)
    with pytest.raises(WriteConflictError):
        await storage.carry_out(DiscardFiles((Stat(debris, 5, 1),), item))
    await storage.carry_out(DiscardFiles(tuple(found), item))
    assert await world.peer.paths() == set()
    with pytest.raises(SessionNotFoundError):
        await storage.carry_out(DiscardFiles(tuple(found), item))
    await storage.restore(ITEM.id)
    assert await world.peer.data(debris) == b"unsent"


async def test_a_session_is_never_discarded(storage: SessionStorage) -> None:
    await storage.write_text(A, "a")
    with pytest.raises(StorageError, match="nothing to be discarded"):
        DiscardFiles((Stat(A, 1, 1),), ITEM)


async def put_loose(world: World, kind: str, path: str, value: bytes) -> None:
    if isinstance(world.peer, RedisPeer):
        await world.peer.client.hset(PREFIX + kind, path, value)
    elif isinstance(world.peer, MemoryPeer):
        world.peer.store.loose[("meta" if kind == "meta" else "title", path)] = value


async def loose(storage: SessionStorage) -> set[tuple[str, str, bytes, bool]]:
    return {
        (field.kind, field.path, field.value, field.session)
        async for fields in storage.loose_fields()
        for field in fields
    }


async def test_fields_of_no_session_are_found_taken_away_and_put_back(world: World) -> None:
    await world.peer.write(A, b"a")
    storage = await world.open()
    if not world.peer.has_titles:
        assert await loose(storage) == set()
        return
    await put_loose(world, "meta", "/gone.jsonl", b"17")
    await put_loose(world, "title", "/gone.jsonl", b"T")
    before = {("meta", "/gone.jsonl", b"17", False), ("title", "/gone.jsonl", b"T", False)}
    assert await loose(storage) == before
    meta = HashFieldChange("meta", "/gone.jsonl", b"17", None)
    title = HashFieldChange("title", "/gone.jsonl", b"other", None)
    operation = ChangeFields([meta, title])
    await storage.carry_out(operation)
    assert operation.changed == [True, False]
    assert await loose(storage) == before - {("meta", "/gone.jsonl", b"17", False)}
    again = ChangeFields([meta, meta.undone()])
    await storage.carry_out(again)
    assert again.changed == [True, True]
    assert await loose(storage) == before


async def test_a_field_of_a_session_is_changed_only_while_there_is_one(world: World) -> None:
    if not world.peer.has_titles:
        return
    await world.peer.write(A, b"a")
    storage = await world.open()
    time = await world.peer.mtime_ms(A)
    old = b"%d" % (time or 0)
    operation = ChangeFields(
        [
            HashFieldChange("meta", A, old, b"1790000000000"),
            HashFieldChange("meta", A, old, b"1790000000000", session=True),
            HashFieldChange("title", A, None, b"T", session=True),
            HashFieldChange("title", "/none.jsonl", None, b"T", session=True),
        ]
    )
    await storage.carry_out(operation)
    assert operation.changed == [False, True, True, False]
    assert await world.peer.mtime_ms(A) == 1_790_000_000_000
    assert await world.peer.title(A) == b"T"
    assert storage.stat_sync(A).mtime_ms == 1_790_000_000_000


@pytest.mark.parametrize("when", ["before", "after"])
async def test_repairs_whose_outcome_is_unknown_happen_once(world: World, when: str) -> None:
    await world.peer.write(HEAD, b"1\n")
    await world.peer.write(TAIL, b"2\n")
    storage = await world.open(follow=False)
    world.flaky.faults.append("before" if when == "before" else "after")
    await storage.carry_out(join(b"1\n", b"2\n"))
    assert await world.peer.data(HEAD) == b"1\n2\n"
    assert await world.peer.paths() == {HEAD}
    world.flaky.faults.append("before" if when == "before" else "after")
    await storage.carry_out(Crop(HEAD, 0, 2, expected_size=4, mtime_ms=4000))
    assert await world.peer.data(HEAD) == b"1\n"
    world.flaky.faults.append("before" if when == "before" else "after")
    await storage.carry_out(OverwriteStart(HEAD, old=b"1", new=b"3", mtime_ms=5000))
    assert await world.peer.data(HEAD) == b"3\n"
