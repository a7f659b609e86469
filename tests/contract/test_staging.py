"""Files built aside and put in place when they are whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sessiontui.errors import (
    InvalidPathError,
    OutcomeUnknownError,
    SessionExistsError,
    WriteConflictError,
)
from sessiontui.formats.title_slot import make_title_field
from sessiontui.storage.backend import Stat, new_staging_token
from sessiontui.storage.directory.backend import DirectoryBackend
from sessiontui.storage.directory.staging import FOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from sessiontui.storage import SessionStorage
    from tests.contract.worlds import World

A = "/p/a.jsonl"
DRAFT = "/p/a/draft.txt"
EMPTY = "/p/a/.draft-only-session"
WHEN = 1_790_000_000_123


def files(size: int = 10) -> list[Stat]:
    return [Stat(A, size, WHEN), Stat(DRAFT, 3, WHEN + 1), Stat(EMPTY, 0, WHEN + 2)]


async def stage(storage: SessionStorage, token: str) -> None:
    await storage.stage(token, 0, 0, b"01234")
    await storage.stage(token, 0, 5, b"56789")
    await storage.stage(token, 1, 0, b"abc")


async def test_nothing_is_seen_before_all_of_it_is_in_place_with_its_times(world: World) -> None:
    storage = await world.open()
    token = new_staging_token()
    await stage(storage, token)
    await storage.refresh()
    assert storage.stats() == []
    async with storage.changes(own=True) as feed:
        await storage.place(token, files())
        assert (await anext(aiter(feed))).path == A
    assert await world.peer.data(A) == b"0123456789"
    assert await world.peer.data(DRAFT) == b"abc"
    assert await world.peer.data(EMPTY) == b""
    assert [await world.peer.mtime_ms(stat.path) for stat in files()] == [WHEN, WHEN + 1, WHEN + 2]
    assert await world.peer.paths() == {A, DRAFT, EMPTY}
    assert await storage.read_range(A, 0, None) == b"0123456789"
    assert storage.stat_sync(A).mtime_ms == WHEN


async def test_a_title_comes_along_where_there_are_titles(world: World) -> None:
    storage = await world.open(follow=False)
    token = new_staging_token()
    await storage.stage(token, 0, 0, b"{}\n")
    field = make_title_field("Named", "user", WHEN)
    await storage.place(token, [Stat(A, 3, WHEN, field)])
    if world.peer.has_titles:
        assert await world.peer.title(A) == field


async def test_the_same_bytes_again_change_nothing(storage: SessionStorage, world: World) -> None:
    token = new_staging_token()
    await stage(storage, token)
    await stage(storage, token)
    await storage.place(token, files())
    assert await world.peer.data(A) == b"0123456789"


async def test_what_was_not_staged_whole_is_not_put_in_place(
    storage: SessionStorage, world: World
) -> None:
    token = new_staging_token()
    await stage(storage, token)
    for wrong in (files(11), files(9), [*files(), Stat("/p/a/more.log", 1, WHEN)]):
        with pytest.raises(WriteConflictError):
            await storage.place(token, wrong)
        assert await world.peer.data(A) is None
    await storage.unstage(token)
    assert await world.peer.paths() == set()
    await storage.unstage(token)


async def test_a_place_that_is_taken_keeps_all_out(storage: SessionStorage, world: World) -> None:
    for taken in (A, DRAFT):
        await world.peer.write(taken, b"mine")
        token = new_staging_token()
        await stage(storage, token)
        with pytest.raises(SessionExistsError):
            await storage.place(token, files())
        await storage.unstage(token)
        assert await world.peer.data(taken) == b"mine"
        assert await world.peer.paths() == {taken}
        await world.peer.delete(taken)


async def test_a_connection_that_dies_meanwhile_does_not_matter(world: World) -> None:
    storage = await world.open(follow=False)
    token = new_staging_token()
    world.flaky.faults.extend(["after"])
    with pytest.raises(OutcomeUnknownError):
        await storage.stage(token, 0, 0, b"01234")
    await stage(storage, token)
    world.flaky.faults.extend(["before", "after"])
    await storage.place(token, files())
    assert await world.peer.data(A) == b"0123456789"
    assert await storage.read_range(A, 0, None) == b"0123456789"


async def test_what_is_built_aside_is_known_to_all_who_use_the_store(world: World) -> None:
    one, other = await world.open(), await world.open(follow=False)
    token = new_staging_token()
    await one.stage(token, 0, 0, b"?")
    assert await other.staged(token)
    assert not await other.staged(new_staging_token())
    await one.unstage(token)
    assert not await other.staged(token)


async def test_a_link_in_place_of_the_folder_for_files_to_come_is_not_followed(
    tmp_path: Path,
) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    root.mkdir()
    abandoned = elsewhere / "ffffffff-0"
    abandoned.mkdir(parents=True)
    (root / FOLDER).symlink_to(elsewhere)
    backend = DirectoryBackend(root, trash_root=tmp_path / "trash")
    token = new_staging_token()
    with pytest.raises(InvalidPathError, match="elsewhere"):
        await backend.stage(token, 0, 0, b"x")
    await backend.unstage(token)
    await backend.aclose()
    assert list(elsewhere.iterdir()) == [abandoned]


async def test_a_session_without_a_byte_is_put_in_place(world: World) -> None:
    storage = await world.open()
    await storage.place(new_staging_token(), [Stat(A, 0, WHEN)])
    assert await world.peer.data(A) == b""
    assert await world.peer.mtime_ms(A) == WHEN
