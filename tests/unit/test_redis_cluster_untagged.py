"""A cluster without a hash tag: what concerns several sessions loses nothing wherever it stops."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sessiontui.errors import (
    OutcomeUnknownError,
    SessionExistsError,
    SessionNotFoundError,
    StorageError,
    WriteConflictError,
)
from sessiontui.formats.title_slot import field_of_slot
from sessiontui.sources import RedisSource, parse_source
from sessiontui.storage import RetryPolicy, SessionStorage
from sessiontui.storage.backend import HashFieldChange, Stat, TrashItem, new_staging_token
from sessiontui.storage.redis import cluster_untagged
from sessiontui.storage.redis.backend import RedisBackend
from sessiontui.storage.redis.cluster_untagged import UntaggedClusterBackend
from sessiontui.storage.redis.keys import slot_of, tag_of
from sessiontui.storage.redis.steps import run_step
from tests.contract.titles import HEADER, SLOTTED
from tests.groups import cluster
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.groups import Cluster

PREFIX = "omp:sessions:"
FILE, META, TITLE = f"{PREFIX}file:", f"{PREFIX}meta", f"{PREFIX}title"
A, B = "/p/a.jsonl", "/p/{b}.jsonl"
DRAFT_A, DRAFT_B = "/p/a/draft.txt", "/p/{b}/draft.txt"
DATA = b"0123456789" * 250_000
"""More than two pieces of a copy."""


class CrashError(Exception):
    """Stands for the end of the process."""


class Crashing(UntaggedClusterBackend):
    """Ends before its n-th command that may change something."""

    left = 10**9

    async def _told(self, commands: list[tuple[bytes, ...]]) -> list[Any]:
        if commands[0][0] in (b"HSET", b"HDEL", b"UNLINK"):
            self._count()
        return await super()._told(commands)

    async def _one(self, *arguments: Any) -> list[Any]:
        self._count()
        return await super()._one(*arguments)

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise CrashError


@pytest.fixture(scope="module")
def group() -> Iterator[Cluster]:
    with cluster() as running:
        yield running


def new(
    group: Cluster, kind: type[UntaggedClusterBackend] = UntaggedClusterBackend
) -> UntaggedClusterBackend:
    source = parse_source(group.url(PREFIX))
    assert isinstance(source, RedisSource)
    assert isinstance(RedisBackend.from_source(source), UntaggedClusterBackend)
    backend = RedisBackend.from_source(source)
    return kind(backend._settings, prefix=PREFIX)


@asynccontextmanager
async def opened(
    group: Cluster, kind: type[UntaggedClusterBackend] = UntaggedClusterBackend
) -> AsyncIterator[tuple[Any, Any]]:
    """Yield a backend over a cluster that holds a session with a draft, and a plain client."""
    async with group.client() as plain:
        client: Any = plain
        await client.flushall(target_nodes="primaries")
        await client.set(FILE + A, DATA)
        await client.set(FILE + DRAFT_A, b"draft")
        await client.hset(META, mapping={A: b"1700000000000", DRAFT_A: b"1700000000001"})
        await client.hset(TITLE, A, b'{"title":"x","updatedAt":"2026"}')
        backend = new(group, kind)
        try:
            yield backend, client
        finally:
            await backend.aclose()


async def held(client: Any) -> dict[str, tuple[bytes, bytes | None, bytes | None]]:
    """Return bytes, time and title of each session."""
    found = {}
    async for key in client.scan_iter(match=f"{FILE}*".replace("{", "?")):
        path = key.decode().removeprefix(FILE)
        found[path] = (
            await client.get(key),
            await client.hget(META, path),
            await client.hget(TITLE, path),
        )
    return found


WHOLE = {
    A: (DATA, b"1700000000000", b'{"title":"x","updatedAt":"2026"}'),
    DRAFT_A: (b"draft", b"1700000000001", None),
}
MOVED = {B: WHOLE[A], DRAFT_B: WHOLE[DRAFT_A]}
MOVES = ((A, B), (DRAFT_A, DRAFT_B))


def item() -> TrashItem:
    stats = (
        Stat(A, len(DATA), 1700000000000, WHOLE[A][2]),
        Stat(DRAFT_A, 5, 1700000000001, None),
    )
    return TrashItem("1-a", A, stats, 1000, 1000 + 86_400_000)


async def others(client: Any) -> list[str]:
    """Return what is there beside sessions and copies that expire."""
    keys = [key.decode() async for key in client.scan_iter()]
    known = (FILE, META, TITLE, f"{PREFIX}temp:")
    return [key for key in keys if not key.startswith(known)]


async def test_renaming_carries_everything_to_other_slots(group: Cluster) -> None:
    async with opened(group) as (backend, client):
        assert slot_of((FILE + A).encode()) != slot_of((FILE + B).encode())
        await backend.rename(MOVES)
        assert await held(client) == MOVED
        assert sorted(await client.hkeys(META)) == sorted(path.encode() for path in MOVED)
        assert await others(client) == []


async def test_nothing_is_carried_over_another_session(group: Cluster) -> None:
    async with opened(group) as (backend, client):
        await client.set(FILE + DRAFT_B, b"other")
        with pytest.raises(SessionExistsError):
            await backend.rename(MOVES)
        with pytest.raises(SessionNotFoundError):
            await backend.rename((("/none.jsonl", B),))
        del (found := await held(client))[DRAFT_B]
        assert found == WHOLE
        assert await others(client) == []
        await backend.rename(MOVES, overwrite=True)
        assert await held(client) == MOVED


async def test_what_is_added_while_a_session_is_renamed_goes_along(group: Cluster) -> None:
    class Peer(UntaggedClusterBackend):
        async def _let_go(self, source: str, target: str, size: int) -> None:
            if source == A:
                await client.append(FILE + A, b"late")
            await super()._let_go(source, target, size)

    async with opened(group, Peer) as (backend, client):
        await backend.rename(MOVES)
        found = await held(client)
        assert found[B][0] == DATA + b"late"
        assert A not in found


async def test_what_is_written_anew_while_a_session_is_renamed_stays(group: Cluster) -> None:
    class Peer(UntaggedClusterBackend):
        async def _let_go(self, source: str, target: str, size: int) -> None:
            await client.set(FILE + A, b"new")
            await super()._let_go(source, target, size)

    async with opened(group, Peer) as (backend, client):
        with pytest.raises(WriteConflictError):
            await backend.rename(((A, B),))
        found = await held(client)
        assert found[A][0] == b"new"
        assert B not in found
        assert await others(client) == []


async def test_a_copy_that_is_not_what_was_copied_is_never_used(group: Cluster) -> None:
    class Spoilt(UntaggedClusterBackend):
        async def _digest(self, copy: bytes, size: int) -> bytes:
            await client.setrange(copy, 5, b"x")
            return await super()._digest(copy, size)

    async with opened(group, Spoilt) as (backend, client):
        with pytest.raises(StorageError, match="not what was copied"):
            await backend.rename(((A, B),))
        assert await held(client) == WHOLE


@pytest.mark.parametrize("step", range(12))
async def test_a_renaming_that_stops_anywhere_is_finished_by_the_next(
    group: Cluster, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_untagged, "_OLD_MS", -1)
    async with opened(group, Crashing) as (backend, client):
        await backend._finish()
        backend.left = step
        try:
            await backend.rename(MOVES)
        except CrashError:
            between = await held(client)
            assert DATA in [data for data, _, _ in between.values()]
            assert b"draft" in [data for data, _, _ in between.values()]
        later = new(group)
        await later._finish()
        await later.aclose()
        assert await held(client) in ((MOVED, WHOLE) if step == 0 else (MOVED,))
        assert await others(client) == []


@pytest.mark.parametrize("step", range(6))
async def test_a_deletion_that_stops_anywhere_is_finished_or_undone(
    group: Cluster, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_untagged, "_OLD_MS", -1)
    async with opened(group, Crashing) as (backend, client):
        await backend._finish()
        backend.left = step
        try:
            await backend.trash(item())
        except CrashError:
            assert await backend._trash.items() == []
        later = new(group)
        trashed = await later.trashed()
        if trashed:
            assert await held(client) == {}
            assert trashed == [item()]
            assert await later.restore("1-a") == item()
        assert await held(client) == WHOLE
        assert await others(client) == []
        await later.aclose()


@pytest.mark.parametrize("step", range(4))
async def test_a_restoring_that_stops_anywhere_goes_on(group: Cluster, step: int) -> None:
    async with opened(group, Crashing) as (backend, client):
        await backend.trash(item())

        async def crash(*_: Any) -> list[Any]:
            nonlocal step
            step -= 1
            if step < 0:
                raise CrashError
            return await run_step(*_)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sessiontui.storage.redis.cluster_untagged.run_step", crash)
            try:
                await backend.restore("1-a")
            except CrashError:
                assert [one.id for one in await backend.trashed()] == ["1-a"]
                patch.undo()
                await backend.restore("1-a")
        assert await held(client) == WHOLE
        assert await others(client) == []


async def test_a_place_that_is_taken_keeps_a_session_in_the_trash(group: Cluster) -> None:
    async with opened(group) as (backend, client):
        await backend.trash(item())
        await client.set(FILE + DRAFT_A, b"new")
        with pytest.raises(SessionExistsError):
            await backend.restore("1-a")
        assert [one.id for one in await backend.trashed()] == ["1-a"]
        assert (await held(client)).keys() == {DRAFT_A}


async def test_a_time_that_could_not_follow_follows_later(group: Cluster) -> None:
    async with opened(group) as (backend, client):
        link = backend._writes
        ask = link.ask
        broken = True

        async def no_fields(commands: Any, **options: Any) -> Any:
            listed = list(commands)
            if broken and listed[0][0] in (b"HSET", b"HDEL"):
                raise OutcomeUnknownError("cut")
            return await ask(listed, **options)

        link.ask = no_fields
        with pytest.raises(OutcomeUnknownError, match="its time did not"):
            await backend.append(A, b"x", mtime_ms=1700000009999)
        assert await client.get(FILE + A) == DATA + b"x"
        assert await client.hget(META, A) == b"1700000000000"
        broken = False
        await backend.append(DRAFT_A, b"x", mtime_ms=1700000009998)
        assert await client.hget(META, A) == b"1700000009999"
        assert not link.owed


async def test_a_storage_does_not_write_twice_what_is_there_without_its_time(
    group: Cluster,
) -> None:
    async with opened(group) as (backend, client):
        link = backend._writes
        ask = link.ask
        cuts = 1

        async def cut_once(commands: Any, **options: Any) -> Any:
            nonlocal cuts
            listed = list(commands)
            if cuts and listed[0][0] == b"HSET":
                cuts -= 1
                raise OutcomeUnknownError("cut")
            return await ask(listed, **options)

        link.ask = cut_once
        retries = RetryPolicy(attempts=8, first_s=0.0, longest_s=0.0)
        async with SessionStorage(backend, follow=False, retries=retries) as storage:
            await storage.load()
            await storage.open_writer(A).write_line("once\n")
        assert not cuts
        assert await client.get(FILE + A) == DATA + b"once\n"


@pytest.mark.parametrize("text", [HEADER, SLOTTED])
@pytest.mark.parametrize("cuts", [0, 1])
async def test_a_whole_write_sets_the_title_of_its_slot_also_where_that_follows_later(
    group: Cluster, text: str, cuts: int
) -> None:
    async with opened(group) as (backend, client):
        link = backend._writes
        ask = link.ask

        async def cut_once(commands: Any, **options: Any) -> Any:
            nonlocal cuts
            listed = list(commands)
            if cuts and listed[0][0] in (b"HSET", b"HDEL"):
                cuts -= 1
                raise OutcomeUnknownError("cut")
            return await ask(listed, **options)

        link.ask = cut_once
        retries = RetryPolicy(attempts=8, first_s=0.0, longest_s=0.0)
        async with SessionStorage(backend, follow=False, retries=retries) as storage:
            await storage.load()
            await storage.write_text(A, text, expected_size=len(DATA))
            titles = {stat.path: stat.title for stat in storage.stats()}
        assert not cuts
        assert titles[A] == await client.hget(TITLE, A) == field_of_slot(text.encode())
        assert await client.get(FILE + A) == text.encode()


async def test_a_rename_goes_on_while_the_slots_of_both_paths_move(group: Cluster) -> None:
    async with opened(group) as (backend, client):
        slots = [slot_of((FILE + path).encode()) for path in (A, B)]
        targets = [group.other(slot) for slot in slots]
        for slot, target in zip(slots, targets, strict=True):
            group.begin_move(slot, target)
        async with SessionStorage(backend, retries=RetryPolicy(attempts=200)) as storage:
            await storage.load()
            moving = asyncio.create_task(storage.rename_session_with_artifacts(A, B))
            for slot, target in zip(slots, targets, strict=True):
                await asyncio.to_thread(group.end_move, slot, target)
            await moving
            assert await held(client) == MOVED
            await until(lambda: storage.exists_sync(B) and not storage.exists_sync(A))


async def test_fields_are_changed_one_by_one_where_they_are_what_was_seen(group: Cluster) -> None:
    async with opened(group) as (backend, client):
        await client.hset(META, "/gone.jsonl", b"1")
        changes = [
            HashFieldChange("meta", "/gone.jsonl", b"1", None),
            HashFieldChange("meta", A, b"2", b"3", session=True),
            HashFieldChange("title", DRAFT_A, None, b"t", session=True),
            HashFieldChange("title", A, None, b"t"),
        ]
        assert await backend.change_fields(changes) == [True, False, True, False]
        assert await client.hkeys(META) == [A.encode(), DRAFT_A.encode()]
        assert await client.hget(TITLE, DRAFT_A) == b"t"


async def test_files_that_were_staged_are_put_in_place_whole_or_not_at_all(group: Cluster) -> None:
    async with opened(group) as (backend, client):
        token = new_staging_token()
        files = [Stat(B, len(DATA), 5, b'{"title":"y"}'), Stat(DRAFT_B, 0, None)]
        await backend.stage(token, 0, 0, DATA[:7])
        with pytest.raises(WriteConflictError):
            await backend.place(token, files)
        await backend.stage(token, 0, 7, DATA[7:])
        await client.set(FILE + DRAFT_B, b"other")
        with pytest.raises(SessionExistsError):
            await backend.place(token, files)
        await client.delete(FILE + DRAFT_B)
        await backend.place(token, files)
        placed = {B: (DATA, b"5", b'{"title":"y"}'), DRAFT_B: (b"", None, None)}
        assert await held(client) == WHOLE | placed
        await backend.stage(token, 0, 0, b"x")
        assert await backend.staged(token)
        assert await backend.probe([]) == []
        await backend.unstage(token)
        assert [key async for key in client.scan_iter() if token.encode() in key] == []


async def test_joining_is_refused(group: Cluster) -> None:
    async with opened(group) as (backend, client):
        with pytest.raises(StorageError, match="hash tag"):
            await backend.join(item(), Stat(B, 1, 1), between=b"", skip=0, mtime_ms=1)
        assert await held(client) == WHOLE


@pytest.mark.parametrize("slot", [0, 1, 8191, 16383])
def test_every_slot_has_a_tag(slot: int) -> None:
    assert slot_of(b"any{%b}" % tag_of(slot)) == slot
