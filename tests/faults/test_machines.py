"""Two storages and a peer at one store under random calls, compared with a plain model.

Every call is waited for, so that the model is exact: what a call says it did is what
the store holds, and a call that raised changed nothing. What is written at the same
moment by both storages may come in any order, but whole and once.
`SESSIONTUI_EXAMPLES` asks for more than a few examples.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sessiontui.errors import (
    SessionExistsError,
    SessionNotFoundError,
    TitleNeedsRewriteError,
    WrongTypeError,
)
from sessiontui.formats.title_slot import SLOT_BYTES, make_slot, parse_slot
from tests.contract.worlds import DirectoryPeer, MemoryPeer, RedisPeer, World
from tests.servers import real_server
from tests.unit.redis_parts import answer
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from sessiontui.storage import SessionStorage
    from tests.contract.worlds import Peer

EXAMPLES = int(os.environ.get("SESSIONTUI_EXAMPLES", "6"))
PATHS = ("/p/a.jsonl", "/p/b.jsonl", "/q/c.jsonl")
HEADER = b'{"type":"session","version":3,"id":"1","timestamp":"2026-01-01T10:00:00Z"}\n'
SLOT = make_slot("Before", source="auto", updated_at=1)

which = st.integers(0, 1)
paths = st.sampled_from(PATHS)
bodies = st.sampled_from([b"", HEADER, SLOT + HEADER, b"no session\n", HEADER + b"x" * 600 + b"\n"])


class Machine(RuleBasedStateMachine):
    """What is common to the three kinds of store."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model: dict[str, bytes] = {}
        self.thrown: list[tuple[str, str, bytes]] = []
        """What is in the trash: id, path, bytes."""
        self.count = 0
        self.world = World(self.make_peer(), "on_demand")
        self.run(self._open())

    def make_peer(self) -> Peer:
        """Return a peer at an empty store."""
        raise NotImplementedError

    async def _open(self) -> None:
        self.storages = [
            await self.world.open(contents="on_demand"),
            await self.world.open(contents="resident"),
        ]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something in the machine's event loop."""
        return self.runner.run(work)

    def attempt(
        self, work: Callable[[], Awaitable[Any]], *expected: type[Exception]
    ) -> tuple[Any, Exception | None]:
        """Return what a call gives, or the error that it raises, if it is one of the expected."""

        async def body() -> tuple[Any, Exception | None]:
            try:
                return await work(), None
            except expected as error:
                return None, error

        return self.run(body())  # type: ignore[no-any-return]

    def lines(self, name: str, number: int) -> list[str]:
        """Return lines that were not written before."""
        self.count += number
        return [f"{name} {self.count - index}\n" for index in range(number)]

    # Ours

    @rule(one=which, path=paths, number=st.integers(1, 30))
    def write_lines(self, one: int, path: str, number: int) -> None:
        """Append some lines."""
        lines = self.lines("line", number)

        async def work() -> None:
            writer = self.storages[one].open_writer(path)
            for line in lines:
                writer.write_line_sync(line)
            await writer.close()

        self.run(work())
        self.model[path] = self.model.get(path, b"") + "".join(lines).encode()

    @rule(path=paths, number=st.integers(1, 20))
    def both_write(self, path: str, number: int) -> None:
        """Append with both storages and the peer at the same moment."""
        named = {name: self.lines(name, number) for name in ("first", "second", "peer")}

        async def work(storage: SessionStorage, lines: list[str]) -> None:
            writer = storage.open_writer(path)
            for line in lines:
                writer.write_line_sync(line)
                await asyncio.sleep(0)
            await writer.close()

        async def peer() -> None:
            for line in named["peer"]:
                await self.world.peer.append(path, line.encode())

        async def together() -> bytes | None:
            await asyncio.gather(
                work(self.storages[0], named["first"]),
                work(self.storages[1], named["second"]),
                peer(),
            )
            return await self.world.peer.data(path)

        data = self.run(together())
        before = self.model.get(path, b"")
        assert data.startswith(before)
        written = data[len(before) :].decode().splitlines(keepends=True)
        for name, lines in named.items():
            assert [line for line in written if line.startswith(name + " ")] == lines
        assert len(written) == 3 * number
        self.model[path] = data

    @rule(one=which, path=paths, body=bodies)
    def write_whole(self, one: int, path: str, body: bytes) -> None:
        """Replace a session."""
        self.run(self.storages[one].write_text(path, body.decode()))
        self.model[path] = body

    @rule(one=which, source=paths, goal=paths, overwrite=st.booleans())
    def rename(self, one: int, source: str, goal: str, overwrite: bool) -> None:
        """Rename a session."""
        storage = self.storages[one]
        _, error = self.attempt(
            lambda: storage.rename(source, goal, overwrite=overwrite),
            SessionNotFoundError,
            SessionExistsError,
        )
        if isinstance(error, SessionNotFoundError):
            assert source not in self.model
        elif isinstance(error, SessionExistsError):
            assert goal in self.model
            assert not overwrite
        elif source != goal:
            self.model[goal] = self.model.pop(source)

    @rule(one=which, path=paths)
    def throw_away(self, one: int, path: str) -> None:
        """Move a session to the trash."""
        item, error = self.attempt(
            lambda: self.storages[one].trash_session(path, keep_ms=60_000), SessionNotFoundError
        )
        assert (error is None) == (path in self.model)
        if error is None:
            self.thrown.append((item.id, path, self.model.pop(path)))

    @rule(one=which)
    def restore(self, one: int) -> None:
        """Bring back what was thrown away last."""
        if self.thrown:
            item_id, path, data = self.thrown[-1]
            _, error = self.attempt(lambda: self.storages[one].restore(item_id), SessionExistsError)
            assert (error is None) == (path not in self.model)
            if error is None:
                self.thrown.pop()
                self.model[path] = data

    @rule(one=which, path=paths)
    def remove(self, one: int, path: str) -> None:
        """Delete a session for good."""
        _, error = self.attempt(lambda: self.storages[one].unlink(path), SessionNotFoundError)
        assert (error is None) == (path in self.model)
        self.model.pop(path, None)

    @rule(one=which, path=paths, rewrite=st.booleans())
    def retitle(self, one: int, path: str, rewrite: bool) -> None:
        """Give a session another title: what follows the slot stays as it is."""
        self.count += 1
        title = f"Title {self.count}"
        applied, error = self.attempt(
            lambda: self.storages[one].update_session_title(path, title, allow_rewrite=rewrite),
            SessionNotFoundError,
            TitleNeedsRewriteError,
            WrongTypeError,
        )
        if error is not None:
            return
        assert applied
        before, after = self.model[path], self.run(self.world.peer.data(path))
        slot = parse_slot(after)
        assert slot is not None
        assert slot.title == title
        body = before[SLOT_BYTES:] if parse_slot(before) else before
        assert after[SLOT_BYTES:] == body
        assert rewrite or len(after) == len(before)
        self.model[path] = after

    @rule(one=which)
    def refresh(self, one: int) -> None:
        """Read the index again."""
        self.run(self.storages[one].refresh())

    # A peer

    @rule(path=paths, number=st.integers(1, 5))
    def peer_appends(self, path: str, number: int) -> None:
        """Append as omp does."""
        data = "".join(self.lines("peer", number)).encode()
        self.run(self.world.peer.append(path, data))
        self.model[path] = self.model.get(path, b"") + data

    @rule(path=paths, body=bodies)
    def peer_writes(self, path: str, body: bytes) -> None:
        """Rewrite as omp does."""
        self.run(self.world.peer.write(path, body))
        self.model[path] = body

    @rule(path=paths)
    def peer_deletes(self, path: str) -> None:
        """Delete as omp does."""
        if path in self.model:
            self.run(self.world.peer.delete(path))
            del self.model[path]

    @rule(source=paths, goal=paths)
    def peer_renames(self, source: str, goal: str) -> None:
        """Rename as omp does, over whatever is there."""
        if source in self.model and source != goal:
            self.run(self.world.peer.rename(source, goal))
            self.model[goal] = self.model.pop(source)

    @rule()
    def feed_breaks(self) -> None:
        """Break what tells the storages of changes; there is nothing to break in a folder."""

    # What has to hold

    @invariant()
    def all_show_what_is_there(self) -> None:
        """The store is as the model says, and both storages come to show it."""

        async def look() -> None:
            for path in PATHS:
                assert await self.world.peer.data(path) == self.model.get(path)
            sizes = {path: len(data) for path, data in self.model.items()}
            for storage in self.storages:
                await until(partial(shows, storage, sizes))
                for path, data in self.model.items():
                    # A rewrite of the same length is told a little later.
                    await answer(partial(storage.read_range, path, 0, None), data.__eq__)

        self.run(look())

    def teardown(self) -> None:
        """Close everything."""
        self.run(self.world.close())
        self.runner.close()


def shows(storage: SessionStorage, sizes: dict[str, int]) -> bool:
    return {stat.path: stat.size for stat in storage.stats()} == sizes


class InMemory(Machine):
    """The reference."""

    def make_peer(self) -> Peer:
        return MemoryPeer()

    @rule()
    def feed_breaks(self) -> None:
        peer = self.world.peer
        assert isinstance(peer, MemoryPeer)
        peer.store.break_feeds()
        peer.store.mend_feeds()


class InFolder(Machine):
    """Real files, watched by inotify."""

    def make_peer(self) -> Peer:
        self.folder = tempfile.TemporaryDirectory()
        return DirectoryPeer(Path(self.folder.name))

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


class InRedis(Machine):
    """A real server; its feeds are killed."""

    server: ClassVar[Any] = None

    def make_peer(self) -> Peer:
        self.client = self.server.client()
        self.run(self.client.flushall())
        return RedisPeer(self.client)

    @rule()
    def feed_breaks(self) -> None:
        async def work() -> None:
            for entry in await self.client.client_list():
                if entry["name"] == "sessiontui-feed":
                    await self.client.client_kill_filter(_id=entry["id"])

        self.run(work())

    def teardown(self) -> None:
        self.run(self.world.close())
        self.run(self.client.aclose())
        self.runner.close()


def check(machine: type[Machine]) -> None:
    """Run a machine as often as asked."""
    machine.TestCase.settings = settings(
        max_examples=EXAMPLES,
        stateful_step_count=30,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    machine.TestCase("runTest").runTest()


def test_two_storages_in_memory_end_as_the_model() -> None:
    check(InMemory)


def test_two_storages_on_a_folder_end_as_the_model() -> None:
    check(InFolder)


def test_two_storages_on_a_server_end_as_the_model() -> None:
    with real_server() as server:
        InRedis.server = server
        check(InRedis)
