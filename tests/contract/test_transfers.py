"""Copying and moving sessions between every two kinds of stores."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from sessiontui.errors import ConfigError, SessionExistsError, SessionHeldError, WrongTypeError
from sessiontui.formats.jsonl import encode_entries, encode_entry
from sessiontui.formats.title_slot import make_slot, make_title_field, parse_slot, parse_title_field
from sessiontui.workspace import open_workspace
from sessiontui.workspace.copy_stream import PIECE
from sessiontui.workspace.transfer import TransferOptions, Transfers, open_destination
from tests.contract.places import WHEN, Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from sessiontui.sources import Source
    from sessiontui.storage.backend import Backend
    from sessiontui.workspace import Workspace
    from sessiontui.workspace.transfer import Destination
    from tests.servers import RealServer

HOME = "/home/mira"
ID = "0199a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b"
FILE = f"2026-09-21T13-33-20-000Z_{ID}.jsonl"
CREATED = "2026-09-21T13:33:20.000Z"
PAIRS = [("folder", "redis"), ("redis", "folder"), ("folder", "other"), ("redis", "second")]


def lines(cwd: str = "/home/mira/code/api", **header: object) -> bytes:
    """Return a session without a slot."""
    first = {"type": "session", "version": 3, "id": ID, "timestamp": CREATED, "cwd": cwd}
    said = {"role": "user", "content": "Grüße, \ud83d\ude00"}
    return encode_entries(
        [first | header, {"type": "message", "id": "00000001", "parentId": None, "message": said}]
    )


class Pair:
    """Two stores, the first of them open as a workspace."""

    def __init__(self, here: Store, there: Store) -> None:
        self.here = here
        self.there = there
        self.workspace: Workspace

    @asynccontextmanager
    async def open(
        self,
        named: Source | None = None,
        connect: Callable[[Source, str | None], Backend] | None = None,
    ) -> AsyncIterator[Destination]:
        """Open both, the second by another name if given; the sessions must be there."""
        async with open_workspace(
            self.here.source, clock=lambda: WHEN + 10**9, home=HOME, connect=self.here.connect
        ) as self.workspace:
            await self.workspace.settled()
            async with open_destination(
                named or self.there.source,
                home=HOME,
                origin=self.here.source,
                connect=connect or self.there.connect,
            ) as destination:
                yield destination


@pytest.fixture
async def stores(tmp_path: Path, redis_server: RealServer) -> AsyncIterator[dict[str, Store]]:
    async with redis_server.client() as client:
        await client.flushall()
        yield {
            kind: Store(kind, tmp_path, redis_server, client)
            for kind in ("folder", "other", "redis", "second")
        }


@pytest.fixture(params=PAIRS, ids="-to-".join)
def pair(request: pytest.FixtureRequest, stores: dict[str, Store]) -> Pair:
    here, there = request.param
    return Pair(stores[here], stores[there])


async def filled(pair: Pair) -> tuple[str, str, dict[str, bytes]]:
    """Put a session with artifacts and debris into the first store.

    Returns:
        Its path, where its copy is to stand, and all that is to be copied, by its new path.
    """
    path, new = (one.path("-code-api", FILE) for one in (pair.here, pair.there))
    body = make_slot("Fix it", source="user", updated_at=WHEN) + lines() + b"x" * (2 * PIECE)
    stem, new_stem = path.removesuffix(".jsonl"), new.removesuffix(".jsonl")
    beside = {"/draft.txt": b"unsent", "/.draft-only-session": b"", "/1.bash.log": b"\xff\0"}
    await pair.here.write(path, body)
    for number, (name, data) in enumerate(beside.items(), 1):
        await pair.here.write(stem + name, data, mtime_ms=WHEN - number)
    agent = lines(parentSession=path)
    await pair.here.write(stem + "/Task.jsonl", agent, mtime_ms=WHEN - 9)
    if pair.here.is_folder:
        folder = path.rpartition("/")[0]
        for debris in (f"{path}.1.bak", f"{folder}/.{FILE}.lock", f"{stem}/.Task.jsonl.7.tmp"):
            await pair.here.write(debris, b"debris")
    wanted = {new: body, new_stem + "/Task.jsonl": lines(parentSession=new)}
    return path, new, wanted | {new_stem + name: data for name, data in beside.items()}


async def test_a_copy_has_every_byte_time_and_artifact_and_no_debris(pair: Pair) -> None:
    path, new, wanted = await filled(pair)
    before, times = await pair.here.all(), await pair.here.times()
    async with pair.open() as destination:
        outcome = await Transfers(pair.workspace).run([path], destination, TransferOptions())
    [one] = outcome.done
    assert (one.new_path, one.state, one.files) == (new, "copied", 5)
    assert await pair.there.all() == wanted
    copied = await pair.there.times()
    assert copied[new] == WHEN
    assert copied[new.removesuffix(".jsonl") + "/draft.txt"] == WHEN - 1
    assert await pair.here.all() == before
    assert await pair.here.times() == times


async def test_a_move_can_be_undone_and_done_again(pair: Pair) -> None:
    path, new, wanted = await filled(pair)
    before = await pair.here.all()
    async with pair.open() as destination:
        transfers = Transfers(pair.workspace)
        outcome = await transfers.run([path], destination, TransferOptions(move=True))
        assert outcome.done[0].item is not None
        assert await pair.here.all() == {}
        assert await pair.there.all() == wanted
        await pair.workspace.undo()
        assert await pair.here.all() == before
        assert await pair.there.all() == wanted
        await pair.workspace.settled()
        [again] = (await transfers.run([path], destination, TransferOptions(move=True))).done
        assert (again.state, again.new_path) == ("there", new)
        assert await pair.here.all() == {}
        assert await pair.there.all() == wanted


async def test_what_is_in_the_way_stays_unless_it_may_go_to_its_trash(pair: Pair) -> None:
    path, new, wanted = await filled(pair)
    await pair.there.write(new, lines(title="Another"))
    async with pair.open() as destination:
        transfers = Transfers(pair.workspace)
        with pytest.raises(SessionExistsError):
            (await transfers.run([path], destination, TransferOptions(move=True))).or_error()
        assert await pair.there.all() == {new: lines(title="Another")}
        assert path in await pair.here.all()
        [one] = (await transfers.run([path], destination, TransferOptions(overwrite=True))).done
        assert await pair.there.all() == wanted
        assert one.replaced is not None
        assert [item.path for item in await destination.storage.trashed()] == [new]


async def test_what_is_missing_of_a_copy_is_added(pair: Pair) -> None:
    path, new, wanted = await filled(pair)
    draft = new.removesuffix(".jsonl") + "/draft.txt"
    for name, data in wanted.items():
        if name != draft:
            await pair.there.write(name, data)
    async with pair.open() as destination:
        [one] = (await Transfers(pair.workspace).run([path], destination, TransferOptions())).done
    assert (one.state, one.files) == ("copied", 1)
    assert await pair.there.all() == wanted


async def test_a_project_can_be_another_in_the_copy(pair: Pair) -> None:
    path, _, _ = await filled(pair)
    before = await pair.here.all()
    async with pair.open() as destination:
        wish = TransferOptions(cwd="/srv/app:2")
        [one] = (await Transfers(pair.workspace).run([path], destination, wish)).done
    assert one.new_path == pair.there.path("--srv-app-2--", FILE)
    copied = await pair.there.all()
    session, agent = copied[one.new_path], copied[one.new_path[:-6] + "/Task.jsonl"]
    assert session == before[path].replace(b"/home/mira/code/api", b"/srv/app:2")
    assert json.loads(agent.split(b"\n")[0])["cwd"] == "/srv/app:2"
    assert await pair.here.all() == before


async def test_a_session_that_is_at_work_is_copied_only_where_that_is_wished(pair: Pair) -> None:
    path = pair.here.path("-code-api", FILE)
    await pair.here.write(path, lines(), mtime_ms=WHEN + 10**9 - 5_000)
    async with pair.open() as destination:
        transfers = Transfers(pair.workspace)
        for wish in (TransferOptions(), TransferOptions(move=True)):
            with pytest.raises(SessionHeldError):
                (await transfers.run([path], destination, wish)).or_error()
        assert await pair.there.all() == {}
        await transfers.run([path], destination, TransferOptions(force=True))
        assert list((await pair.there.all()).values()) == [lines()]


async def test_beside_a_writer_the_copy_is_a_piece_of_the_past(pair: Pair) -> None:
    path = pair.here.path("-code-api", FILE)
    await pair.here.write(path, lines() + b"x" * PIECE)
    async with pair.open() as destination:
        ended = False

        async def write() -> int:
            number = 0
            while not ended:
                await pair.here.append(path, encode_entry({"type": "custom", "n": number}))
                number += 1
                await asyncio.sleep(0)
            return number

        writer = asyncio.create_task(write())
        outcome = await Transfers(pair.workspace).run(
            [path], destination, TransferOptions(force=True)
        )
        ended = True
        assert await writer > 0
    [one] = outcome.done
    copy = (await pair.there.all())[one.new_path]
    assert (await pair.here.all())[path].startswith(copy)
    assert len(copy) > PIECE


async def test_a_session_that_grew_after_it_was_copied_is_not_taken_away(pair: Pair) -> None:
    path = pair.here.path("-code-api", FILE)
    await pair.here.write(path, lines())
    async with pair.open() as destination:
        place = destination.storage.place

        async def late(*arguments: object) -> None:
            await place(*arguments)  # type: ignore[arg-type]
            await pair.here.append(path, b"{}\n")

        destination.storage.place = late  # type: ignore[method-assign, assignment]
        with pytest.raises(SessionHeldError, match="changed just now"):
            (
                await Transfers(pair.workspace).run(
                    [path], destination, TransferOptions(move=True, force=True)
                )
            ).or_error()
    assert (await pair.here.all())[path] == lines() + b"{}\n"
    assert list((await pair.there.all()).values()) == [lines()]


async def test_a_subagent_that_grew_after_it_was_copied_keeps_all_of_it_where_it_was(
    pair: Pair,
) -> None:
    path, _, _ = await filled(pair)
    subagent = path.removesuffix(".jsonl") + "/Task.jsonl"
    before = await pair.here.all()
    async with pair.open() as destination:
        place = destination.storage.place

        async def late(*arguments: object) -> None:
            await place(*arguments)  # type: ignore[arg-type]
            await pair.here.append(subagent, b"{}\n")

        destination.storage.place = late  # type: ignore[method-assign, assignment]
        outcome = await Transfers(pair.workspace).run(
            [path], destination, TransferOptions(move=True, force=True)
        )
    assert [type(failure.error) for failure in outcome.failed] == [SessionHeldError]
    assert await pair.here.all() == before | {subagent: before[subagent] + b"{}\n"}


@pytest.mark.parametrize("kind", ["folder", "redis"])
async def test_nothing_is_moved_to_where_it_is_by_another_name(
    stores: dict[str, Store], kind: str
) -> None:
    here = stores[kind]
    path = here.path("-code-api", FILE)
    await here.write(path, lines())
    named = stores["other" if here.is_folder else "second"].source

    def connect(_: Source, password: str | None) -> Backend:
        return here.connect(here.source, password)

    pair = Pair(here, here)
    async with pair.open(named, connect) as destination:
        for move in (False, True):
            with pytest.raises(ConfigError, match="already"):
                await Transfers(pair.workspace).run([path], destination, TransferOptions(move=move))
    assert await here.all() == {path: lines()}


async def test_a_title_of_the_field_stands_in_the_file(stores: dict[str, Store]) -> None:
    pair = Pair(stores["redis"], stores["folder"])
    field = make_title_field("The user's own", "user", WHEN - 5)
    slot = make_slot("stale", source="auto", updated_at=WHEN - 99)
    for name, first in (("a", slot), ("b", b"")):
        path = f"/sessions/p/2026-09-21T13-33-20-000Z_{name}.jsonl"
        await pair.here.write(path, first + lines(), title=field)
    async with pair.open() as destination:
        paths = list(pair.workspace.catalog.rows)
        await Transfers(pair.workspace).run(paths, destination, TransferOptions())
    for data in (await pair.there.all()).values():
        read = parse_slot(data)
        assert read is not None
        assert (read.title, read.source, read.exact) == ("The user's own", "user", True)
        assert read.updated_at == "2026-09-21T14:13:20.118Z"
        assert data[256:] == lines()


async def test_a_title_of_the_file_stands_in_the_field_and_comes_back(
    stores: dict[str, Store],
) -> None:
    there = Pair(stores["folder"], stores["redis"])
    path = there.here.path("-code-api", FILE)
    body = make_slot("Fix it", source="auto", updated_at=WHEN) + lines()
    await there.here.write(path, body)
    async with there.open() as destination:
        [one] = (await Transfers(there.workspace).run([path], destination, TransferOptions())).done
    field = parse_title_field(await there.there.title(one.new_path))
    assert field is not None
    assert (field.title, field.source) == ("Fix it", "auto")
    back = Pair(stores["redis"], stores["other"])
    async with back.open() as destination:
        [one] = (
            await Transfers(back.workspace).run([one.new_path], destination, TransferOptions())
        ).done
    assert (await back.there.all())[one.new_path] == body


async def test_a_session_without_a_slot_gets_no_field(stores: dict[str, Store]) -> None:
    pair = Pair(stores["folder"], stores["redis"])
    path = pair.here.path("-code-api", FILE)
    await pair.here.write(path, lines(title="Header"))
    async with pair.open() as destination:
        [one] = (await Transfers(pair.workspace).run([path], destination, TransferOptions())).done
    assert await pair.there.title(one.new_path) is None
    assert (await pair.there.all())[one.new_path] == lines(title="Header")


async def test_a_store_keeps_its_own_way_of_naming_projects(stores: dict[str, Store]) -> None:
    pair = Pair(stores["folder"], stores["redis"])
    for number in range(2):
        await pair.there.write(f"/team/mira/{number}.jsonl", lines(cwd=f"/srv/{number}"))
    await pair.there.write("/team/the-api/x.jsonl", lines())
    paths = [pair.here.path("-code-api", FILE), pair.here.path("-code-web", "odd.jsonl")]
    await pair.here.write(paths[0], lines())
    await pair.here.write(paths[1], lines(cwd="/home/mira/code/web", id="77"))
    async with pair.open() as destination:
        outcome = await Transfers(pair.workspace).run(paths, destination, TransferOptions())
    assert [one.new_path for one in outcome.done] == [
        f"/team/the-api/{FILE}",
        "/team/-code-web/2026-09-21T13-33-20-000Z_77.jsonl",
    ]


async def test_a_subagent_alone_becomes_a_session_of_its_project(stores: dict[str, Store]) -> None:
    pair = Pair(stores["folder"], stores["other"])
    path = pair.here.path("-code-api", FILE)
    await pair.here.write(path, lines())
    agent = path.removesuffix(".jsonl") + "/Task.jsonl"
    await pair.here.write(agent, lines(id="42", parentSession=path))
    async with pair.open() as destination:
        [one] = (await Transfers(pair.workspace).run([agent], destination, TransferOptions())).done
    assert one.new_path == pair.there.path("-code-api", "2026-09-21T13-33-20-000Z_42.jsonl")


async def test_without_a_header_no_project_can_be_said(stores: dict[str, Store]) -> None:
    pair = Pair(stores["folder"], stores["other"])
    path = pair.here.path("-code-api", "x.jsonl")
    await pair.here.write(path, b'{"type":"user"}\n')
    async with pair.open() as destination:
        transfers = Transfers(pair.workspace)
        with pytest.raises(WrongTypeError):
            (await transfers.run([path], destination, TransferOptions(cwd="/srv"))).or_error()
        await transfers.run([path], destination, TransferOptions())
    assert list((await pair.there.all()).values()) == [b'{"type":"user"}\n']
