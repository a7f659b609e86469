"""Titles by omp's rules: the field and the slot change together, or nothing does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, get_args

import pytest

from sessiontui.errors import (
    SessionNotFoundError,
    StorageError,
    TitleNeedsRewriteError,
    WriteConflictError,
    WrongTypeError,
)
from sessiontui.formats.title_slot import make_title_field, parse_slot
from tests.contract.titles import HEADER, SLOTTED

if TYPE_CHECKING:
    from sessiontui.formats.title_slot import TitleSlot
    from sessiontui.storage import SessionStorage
    from tests.contract.worlds import World

A = "/p/a.jsonl"
B = "/p/b.jsonl"


async def slot_of(world: World) -> TitleSlot:
    slot = parse_slot(await world.peer.data(A) or b"")
    assert slot is not None
    return slot


async def test_slot_and_field_change_in_place(storage: SessionStorage, world: World) -> None:
    await storage.write_text(A, SLOTTED)
    before = storage.stat_sync(A)
    assert await storage.update_session_title(A, "Second\nline")
    slot = await slot_of(world)
    assert (slot.title, slot.source, slot.exact) == ("Second", "user", True)
    data = await world.peer.data(A) or b""
    assert data[256:] == HEADER.encode()
    assert storage.stat_sync(A).size == before.size
    assert storage.stat_sync(A).mtime_ms == before.mtime_ms
    assert await storage.read_range(A, 0, None) == data
    if world.peer.has_titles:
        field = json.loads(await world.peer.title(A) or b"")
        assert field == {"title": "Second", "source": "user", "updatedAt": slot.updated_at}
        assert next(iter(storage.stats())).title == await world.peer.title(A)


@pytest.mark.parametrize("body", [SLOTTED, HEADER], ids=["slot", "no slot"])
async def test_another_title_leaves_a_session_its_place_in_time(
    storage: SessionStorage, world: World, body: str
) -> None:
    await world.peer.write(A, body.encode())
    await storage.refresh()
    before = await world.peer.mtime_ms(A)
    for title in ("Second", ""):
        assert await storage.update_session_title(A, title, allow_rewrite=True)
        assert await world.peer.mtime_ms(A) == before
        if before is not None:
            assert storage.stat_sync(A).mtime_ms == before


async def test_a_title_waits_for_the_lines_before_it(storage: SessionStorage, world: World) -> None:
    await storage.write_text(A, SLOTTED)
    storage.open_writer(A).write_line_sync("{}\n")
    await storage.update_session_title(A, "Second")
    assert (await slot_of(world)).title == "Second"
    assert (await world.peer.data(A) or b"")[256:] == HEADER.encode() + b"{}\n"


async def test_what_a_peer_appends_meanwhile_is_kept(storage: SessionStorage, world: World) -> None:
    await storage.write_text(A, SLOTTED)
    await world.peer.append(A, b'{"type":"peer"}\n')
    await storage.update_session_title(A, "Second")
    assert await storage.read_range(A, 256, None) == HEADER.encode() + b'{"type":"peer"}\n'
    assert await storage.read_range(A, 0, None) == await world.peer.data(A)


async def test_a_generated_title_never_replaces_the_users(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, SLOTTED)
    assert await storage.update_session_title(A, "Generated", source="auto")
    assert await storage.update_session_title(A, "Mine")
    before = await world.peer.data(A)
    assert not await storage.update_session_title(A, "Generated again", source="auto")
    assert await world.peer.data(A) == before
    assert await storage.update_session_title(A, "Mine again")
    assert (await slot_of(world)).title == "Mine again"


async def test_a_body_without_a_slot_is_left_alone(storage: SessionStorage, world: World) -> None:
    await storage.write_text(A, HEADER)
    with pytest.raises(TitleNeedsRewriteError) as caught:
        await storage.update_session_title(A, "New")
    assert caught.value.path == A
    assert await world.peer.data(A) == HEADER.encode()
    assert await world.peer.title(A) is None


async def test_a_body_without_a_slot_gets_one_where_that_is_allowed(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, HEADER)
    assert await storage.update_session_title(A, "New", allow_rewrite=True)
    slot = await slot_of(world)
    assert (slot.title, slot.exact) == ("New", True)
    assert (await world.peer.data(A) or b"")[256:] == HEADER.encode()
    assert await storage.read_range(A, 0, None) == await world.peer.data(A)
    assert storage.stat_sync(A).size == 256 + len(HEADER)
    if world.peer.has_titles:
        assert json.loads(await world.peer.title(A) or b"")["title"] == "New"


async def test_a_slot_is_put_before_the_lines_a_peer_added_just_now(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, HEADER)
    await world.peer.append(A, b"{}\n")
    assert await storage.update_session_title(A, "New", allow_rewrite=True)
    assert (await world.peer.data(A) or b"")[256:] == HEADER.encode() + b"{}\n"
    assert await storage.read_range(A, 0, None) == await world.peer.data(A)


@pytest.mark.parametrize("line", ["no json\n", '{"type":"message"}\n', "", "[]\n", "\n" + HEADER])
async def test_what_does_not_begin_with_a_header_gets_no_slot(
    storage: SessionStorage, world: World, line: str
) -> None:
    await storage.write_text(A, line)
    with pytest.raises(WrongTypeError):
        await storage.update_session_title(A, "New", allow_rewrite=True)
    assert await world.peer.data(A) == line.encode()


async def test_a_missing_session_gets_no_title(storage: SessionStorage, world: World) -> None:
    with pytest.raises(SessionNotFoundError):
        await storage.update_session_title(A, "New")
    assert await world.peer.title(A) is None


async def test_the_title_field_moves_and_vanishes_with_its_session(world: World) -> None:
    if not world.peer.has_titles:
        pytest.skip("a folder has no title field")
    field = make_title_field("Named", "user", 1_790_000_000_000)
    other = make_title_field("Other", "user", 1_790_000_000_000)
    await world.peer.write(A, b"a", title=field)
    await world.peer.write(B, b"b", title=other)
    await world.peer.append("/p/plain.jsonl", b"c")
    storage = await world.open(follow=False)
    assert {stat.path: stat.title for stat in storage.stats()}[A] == field
    await storage.rename(A, "/p/c.jsonl")
    assert await world.peer.title(A) is None
    assert await world.peer.title("/p/c.jsonl") == field
    assert {stat.path: stat.title for stat in storage.stats()}["/p/c.jsonl"] == field
    await storage.rename("/p/plain.jsonl", B, overwrite=True)
    assert await world.peer.title(B) is None
    await storage.unlink("/p/c.jsonl")
    assert await world.peer.title("/p/c.jsonl") is None


STALE = make_title_field("Stale", "user", 1_790_000_000_000)
SLOT_FIELD = {"title": "First", "source": "auto", "updatedAt": "2026-09-21T14:13:20.000Z"}


async def test_lines_keep_the_title_field(world: World) -> None:
    if not world.peer.has_titles:
        pytest.skip("a folder has no title field")
    await world.peer.write(A, b"a\n", title=STALE)
    storage = await world.open(follow=False)
    await storage.open_writer(A).write_line("b\n")
    assert await world.peer.title(A) == STALE
    assert [stat.title for stat in storage.stats()] == [STALE]


Writing = Literal["write_text", "write_text_sync", "open_writer"]


async def write_whole(storage: SessionStorage, how: Writing, text: str) -> None:
    if how == "write_text":
        await storage.write_text(A, text)
    elif how == "write_text_sync":
        storage.write_text_sync(A, text)
    else:
        writer = storage.open_writer(A, "w")
        for line in text.splitlines(keepends=True):
            writer.write_line_sync(line)
        await writer.close()
    await storage.drain()


async def titles_of(storage: SessionStorage, world: World) -> list[bytes | None]:
    """Return the title field in the store, in the mirror, and in a mirror built anew."""
    mirrored = [stat.title for stat in storage.stats() if stat.path == A]
    await storage.refresh()
    mirrored += [stat.title for stat in storage.stats() if stat.path == A]
    return [await world.peer.title(A), *mirrored]


@pytest.mark.parametrize("how", get_args(Writing))
async def test_a_whole_write_without_a_slot_takes_the_title_field_away(
    world: World, how: Writing
) -> None:
    await world.peer.write(A, b"a\n", title=STALE)
    storage = await world.open(follow=False)
    await write_whole(storage, how, HEADER)
    assert await world.peer.data(A) == HEADER.encode()
    assert await titles_of(storage, world) == [None] * 3


@pytest.mark.parametrize("how", ["write_text", "write_text_sync"])
async def test_a_whole_write_sets_the_title_field_from_its_slot(world: World, how: Writing) -> None:
    await world.peer.write(A, b"a\n", title=STALE)
    storage = await world.open(follow=False)
    await write_whole(storage, how, SLOTTED)
    titles = await titles_of(storage, world)
    if world.peer.has_titles:
        assert [json.loads(title or b"") for title in titles] == [SLOT_FIELD] * 3
    else:
        assert titles == [None] * 3


async def test_lines_behind_a_slot_set_no_title_field_after_the_session_was_emptied(
    world: World,
) -> None:
    await world.peer.write(A, b"a\n", title=STALE)
    storage = await world.open(follow=False)
    await write_whole(storage, "open_writer", SLOTTED)
    assert await world.peer.data(A) == SLOTTED.encode()
    assert await titles_of(storage, world) == [None] * 3


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"title","v":1,"title":"Short","updatedAt":"2026-09-21T14:13:20.000Z"}\n' + HEADER,
        SLOTTED[:200],
        SLOTTED.replace(
            ',"updatedAt":"2026-09-21T14:13:20.000Z"', ',"__dated__":"' + "0" * 24 + '"'
        ),
        "no json\n",
        "",
    ],
)
async def test_what_is_no_exact_slot_with_a_time_sets_no_title_field(
    world: World, text: str
) -> None:
    await world.peer.write(A, b"a\n", title=STALE)
    storage = await world.open(follow=False)
    await storage.write_text(A, text)
    assert await titles_of(storage, world) == [None] * 3


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("text", [HEADER, SLOTTED])
async def test_a_whole_write_of_the_same_bytes_mends_the_title_field_over_a_dying_connection(
    world: World, text: str, side: Literal["before", "after"]
) -> None:
    await world.peer.write(A, text.encode(), title=STALE)
    storage = await world.open(follow=False)
    world.flaky.faults.append(side)
    await storage.write_text(A, text)
    found = [None if one is None else json.loads(one) for one in await titles_of(storage, world)]
    slot_field = SLOT_FIELD if text == SLOTTED and world.peer.has_titles else None
    assert found == [slot_field] * 3


async def test_a_conflict_leaves_the_title_field_alone(world: World) -> None:
    if not world.peer.has_titles:
        pytest.skip("a folder has no title field")
    await world.peer.write(A, b"a\n", title=STALE)
    storage = await world.open(follow=False)
    with pytest.raises(WriteConflictError):
        await storage.write_text(A, SLOTTED, expected_size=1)
    assert await titles_of(storage, world) == [STALE] * 3


async def test_a_whole_write_on_its_way_shows_its_title_field(world: World) -> None:
    if not world.peer.has_titles:
        pytest.skip("a folder has no title field")
    await world.peer.write(A, b"a\n", title=STALE)
    storage = await world.open(follow=False)
    world.flaky.open.clear()
    storage.write_text_sync(A, HEADER)
    assert [stat.title for stat in storage.stats()] == [None]
    world.flaky.faults.append(StorageError("refused"))
    world.flaky.open.set()
    with pytest.raises(StorageError):
        await storage.drain()
    assert await titles_of(storage, world) == [STALE] * 3


async def test_text_is_read_as_it_is_stored_with_its_slot(
    storage: SessionStorage, world: World
) -> None:
    await storage.write_text(A, SLOTTED)
    assert await storage.read_text(A) == SLOTTED
    if world.peer.has_titles:
        await world.peer.retitle(A, STALE)
        assert await storage.read_text(A) == SLOTTED
