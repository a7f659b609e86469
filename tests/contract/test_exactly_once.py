"""Connections that die before or after a change took effect: nothing is lost, nothing doubled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import pytest

from sessiontui.errors import (
    AccessError,
    BackendDownError,
    OutcomeUnknownError,
    StorageError,
    WriteConflictError,
)
from sessiontui.formats.title_slot import parse_slot
from sessiontui.storage import RetryPolicy
from tests.contract.titles import SLOTTED
from tests.waiting import until

if TYPE_CHECKING:
    from sessiontui.storage import SessionStorage
    from tests.contract.worlds import World

A = "/p/a.jsonl"
B = "/p/b.jsonl"

Side = Literal["before", "after"]
both_sides = pytest.mark.parametrize("side", ["before", "after"])


@both_sides
async def test_a_line_is_written_once(storage: SessionStorage, world: World, side: Side) -> None:
    writer = storage.open_writer(A)
    await writer.write_line("1\n")
    world.flaky.faults.append(side)
    await writer.write_line("2\n")
    await writer.write_line("3\n")
    assert await world.peer.data(A) == b"1\n2\n3\n"
    assert await storage.read_text(A) == "1\n2\n3\n"


@both_sides
async def test_a_line_like_the_one_before_is_written_once(
    storage: SessionStorage, world: World, side: Side
) -> None:
    writer = storage.open_writer(A)
    await writer.write_line("same\n")
    world.flaky.faults.append(side)
    await writer.write_line("same\n")
    assert await world.peer.data(A) == b"same\nsame\n"


@both_sides
async def test_the_first_line_of_a_session_is_written_once(
    storage: SessionStorage, world: World, side: Side
) -> None:
    world.flaky.faults.append(side)
    await storage.open_writer(A).write_line("1\n")
    assert await world.peer.data(A) == b"1\n"
    assert storage.stat_sync(A).size == 2


@both_sides
async def test_a_line_is_written_once_also_when_a_peer_appends_meanwhile(
    storage: SessionStorage, world: World, side: Side
) -> None:
    writer = storage.open_writer(A)
    await writer.write_line("1\n")
    await world.peer.append(A, b"peer\n")
    world.flaky.faults.append(side)

    async def interfere() -> None:
        await world.peer.append(A, b"later\n")

    if side == "after":
        world.flaky.after.append(interfere)
    await writer.write_line("2\n")
    later = b"later\n" if side == "after" else b""
    assert await world.peer.data(A) == b"1\npeer\n2\n" + later
    assert await storage.read_range(A, 0, None) == b"1\npeer\n2\n" + later


@both_sides
async def test_a_line_like_our_last_behind_a_peers_is_written_once(
    storage: SessionStorage, world: World, side: Side
) -> None:
    writer = storage.open_writer(A)
    await writer.write_line("1\n")
    await world.peer.append(A, b"peer\n")
    await writer.write_line("same\n")
    world.flaky.faults.append(side)
    await writer.write_line("same\n")
    assert await world.peer.data(A) == b"1\npeer\nsame\nsame\n"


@both_sides
async def test_a_line_is_written_once_before_the_index_is_loaded(world: World, side: Side) -> None:
    await world.peer.append(A, b"same\n")
    storage = world.make(follow=False)
    world.flaky.faults.append(side)
    await storage.open_writer(A).write_line("same\n")
    assert await world.peer.data(A) == b"same\nsame\n"


@both_sides
async def test_a_line_goes_to_the_rewritten_session_once(
    storage: SessionStorage, world: World, side: Side
) -> None:
    writer = storage.open_writer(A)
    await writer.write_line("a long first line\n")
    await world.peer.write(A, b"new\n")
    world.flaky.faults.append(side)
    await writer.write_line("2\n")
    assert await world.peer.data(A) == b"new\n2\n"
    await storage.refresh()
    assert await storage.read_text(A) == "new\n2\n"


async def test_thousands_of_lines_over_a_dying_connection_are_all_written_once(
    storage: SessionStorage, world: World
) -> None:
    writer = storage.open_writer(A)
    expected = b""
    sides: list[Side | None] = ["before", None, "after", "after", "before", "before", None]
    for number in range(300):
        world.flaky.faults.extend(sides[number % 7 : number % 7 + 1])
        for _ in range(10):
            writer.write_line_sync("same line\n")
            expected += b"same line\n"
        if number % 3 == 0:
            await asyncio.sleep(0)
    await writer.close()
    assert await world.peer.data(A) == expected


@both_sides
async def test_a_whole_write_takes_effect(
    storage: SessionStorage, world: World, side: Side
) -> None:
    await storage.write_text(A, "old and longer")
    world.flaky.faults.append(side)
    await storage.write_text(A, "new", expected_size=14)
    assert await world.peer.data(A) == b"new"
    assert await storage.read_text(A) == "new"


async def test_a_whole_write_that_took_effect_does_not_wipe_what_a_peer_added(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, "old and longer")
    world.flaky.faults.append("after")

    async def interfere() -> None:
        await world.peer.append(A, b"peer\n")

    world.flaky.after.append(interfere)
    await storage.write_text(A, "new\n")
    assert await world.peer.data(A) == b"new\npeer\n"
    assert await storage.read_text(A) == "new\npeer\n"


async def test_a_whole_write_that_did_not_run_is_not_taken_for_done_by_its_beginning(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, "new and what is to be cut off")
    world.flaky.faults.append("before")
    await storage.write_text(A, "new")
    assert await world.peer.data(A) == b"new"


@both_sides
async def test_a_session_is_emptied_once(storage: SessionStorage, world: World, side: Side) -> None:
    await storage.write_text(A, "old")
    world.flaky.faults.append(side)
    writer = storage.open_writer(A, "w")
    assert storage.stat_sync(A).size == 0
    await writer.write_line("1\n")
    assert await world.peer.data(A) == b"1\n"


async def test_a_conflict_is_told_after_an_unknown_outcome_too(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, "old")
    world.flaky.faults.append("before")
    await world.peer.append(A, b"er")
    with pytest.raises(WriteConflictError):
        await storage.write_text(A, "new", expected_size=3)
    assert await world.peer.data(A) == b"older"


@both_sides
async def test_a_rename_happens_once(storage: SessionStorage, world: World, side: Side) -> None:
    await storage.write_text(A, "a")
    world.flaky.faults.append(side)
    await storage.rename(A, B)
    assert await world.peer.paths() == {B}
    assert await storage.read_text(B) == "a"


async def test_a_rename_that_took_effect_is_not_taken_for_undone_by_a_peers_new_tail(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, "a long session\n")
    world.flaky.faults.append("after")

    async def interfere() -> None:
        await world.peer.append(A, b"tail\n")

    world.flaky.after.append(interfere)
    await storage.rename(A, B)
    assert await world.peer.data(B) == b"a long session\n"
    assert await world.peer.data(A) == b"tail\n"
    assert await storage.read_text(A) == "tail\n"


@both_sides
async def test_an_overwriting_rename_happens_once(
    storage: SessionStorage, world: World, side: Side
) -> None:
    await storage.write_text(A, "a")
    await storage.write_text(B, "b and more")
    world.flaky.faults.append(side)
    await storage.rename(A, B, overwrite=True)
    assert await world.peer.paths() == {B}
    assert await storage.read_text(B) == "a"


@both_sides
async def test_a_delete_happens_once(storage: SessionStorage, world: World, side: Side) -> None:
    await storage.write_text(A, "a")
    await storage.write_text("/p/a/draft.txt", "d")
    world.flaky.faults.append(side)
    await storage.delete_session_with_artifacts(A)
    assert await world.peer.paths() == set()
    assert storage.stats() == []


@both_sides
async def test_trash_and_restore_happen_once(
    storage: SessionStorage, world: World, side: Side
) -> None:
    await storage.write_text(A, "a")
    world.flaky.faults.append(side)
    item = await storage.trash_session(A)
    assert await world.peer.data(A) is None
    assert [one.id for one in await storage.trashed()] == [item.id]
    world.flaky.faults.append(side)
    await storage.restore(item.id)
    assert await world.peer.data(A) == b"a"
    assert await storage.trashed() == []
    assert await storage.read_text(A) == "a"


@both_sides
async def test_a_title_is_set_once(storage: SessionStorage, world: World, side: Side) -> None:
    await storage.write_text(A, SLOTTED)
    world.flaky.faults.append(side)
    assert await storage.update_session_title(A, "Once")
    slot = parse_slot(await world.peer.data(A) or b"")
    assert slot is not None
    assert slot.title == "Once"
    assert len(await world.peer.data(A) or b"") == len(SLOTTED)


@both_sides
async def test_a_slot_is_put_before_a_body_once(
    storage: SessionStorage, world: World, side: Side
) -> None:
    body = SLOTTED[256:]
    await storage.write_text(A, body)
    world.flaky.faults.append(side)
    assert await storage.update_session_title(A, "Once", allow_rewrite=True)
    data = await world.peer.data(A) or b""
    assert data[256:] == body.encode()
    assert await storage.read_range(A, 0, None) == data


async def test_a_read_never_mixes_what_was_there_with_what_is(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, "old")
    world.flaky.reading.clear()
    reading = asyncio.create_task(storage.read_text(A))
    await until(lambda: reading.done() or world.flaky.waiting)
    await storage.write_text(A, "new and longer")
    world.flaky.reading.set()
    assert await reading in ("old", "new and longer")


async def test_a_read_finds_a_session_that_is_renamed_meanwhile(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, "text")
    world.flaky.reading.clear()
    renaming = asyncio.create_task(storage.rename(A, B))
    await asyncio.sleep(0)
    reading = asyncio.create_task(storage.read_text(B))
    await renaming
    world.flaky.reading.set()
    assert await reading == "text"


async def test_a_store_that_is_away_for_a_while_is_no_error(
    storage: SessionStorage, world: World
) -> None:
    world.flaky.faults.extend([BackendDownError("away")] * 5)
    writer = storage.open_writer(A)
    seen: list[tuple[int, bool]] = []
    storage.on_state(lambda: seen.append((storage.pending, storage.last_error is not None)))
    await writer.write_line("1\n")
    assert await world.peer.data(A) == b"1\n"
    assert (1, True) in seen
    assert seen[-1] == (0, False)


async def test_what_could_not_be_written_is_still_in_hand(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, "kept\n")
    world.flaky.down = True
    writer = storage.open_writer(A)
    writer.write_line_sync("1\n")
    writer.write_line_sync("2\n")
    with pytest.raises(BackendDownError):
        await storage.drain()
    assert [(lost.path, lost.data, lost.whole) for lost in storage.unwritten] == [
        (A, b"1\n2\n", False)
    ]
    world.flaky.down = False
    assert len(storage.take_unwritten()) == 1
    assert storage.unwritten == ()
    assert await storage.read_text(A) == "kept\n"


async def test_an_append_whose_outcome_stays_unknown_fails_as_such(world: World) -> None:
    storage = await world.open(follow=False)
    world.flaky.faults.extend(["before"] * 20)
    writer = storage.open_writer(A)
    with pytest.raises(OutcomeUnknownError):
        await writer.write_line("1\n")
    with pytest.raises(OutcomeUnknownError):
        await storage.drain()


async def test_closing_with_patience_gives_up_and_keeps_what_is_left(world: World) -> None:
    storage = await world.open(
        follow=False, retries=RetryPolicy(attempts=10**6, first_s=0.01, longest_s=0.01)
    )
    world.flaky.down = True
    storage.write_text_sync(A, "lost")
    await until(lambda: storage.last_error)
    with pytest.raises(BackendDownError):
        await storage.aclose(patience_s=0.0)
    assert [lost.data for lost in storage.unwritten] == [b"lost"]


async def test_a_refused_write_is_not_tried_again(storage: SessionStorage, world: World) -> None:
    world.flaky.faults.append(AccessError("refused"))
    with pytest.raises(StorageError):
        await storage.write_text(A, "a")
    assert len(world.flaky.named("write")) == 1
