"""Random calls, random peers, connections dying at random: compared with a plain model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sessiontui.errors import AccessError, SessionNotFoundError, StorageError
from sessiontui.storage import SessionStorage, sync
from sessiontui.storage.changes import Appended, Created, Removed, Renamed, Retitled, Rewritten
from sessiontui.storage.memory import MemoryBackend, MemoryStore
from tests.contract.flaky import Fault, FlakyBackend
from tests.contract.worlds import AT_ONCE
from tests.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sessiontui.storage import ChangeFeed, SessionStorageWriter
    from sessiontui.storage.changes import Change

PATHS = ("/p/a.jsonl", "/p/b.jsonl", "/p/c.jsonl")
Contents = Literal["resident", "on_demand"]

paths = st.sampled_from(PATHS)
own_calls = st.one_of(
    st.tuples(st.just("line"), st.integers(0, 2), st.sampled_from(["x\n", "yy\n"])),
    st.tuples(st.just("lines"), st.integers(0, 2), st.integers(2, 40)),
    st.tuples(st.just("write"), paths, st.sampled_from(["", "x\n", "whole\n", "x\n" * 60])),
    st.tuples(st.just("rename"), paths, paths, st.booleans()),
    st.tuples(st.just("unlink"), paths),
    st.tuples(st.just("delete"), paths),
    st.tuples(st.just("refresh")),
    st.tuples(st.just("turn"), st.integers(1, 12)),
)
peer_calls = st.one_of(
    st.tuples(st.just("peer append"), paths, st.sampled_from(["x\n", "peer\n", "p" * 300])),
    st.tuples(st.just("peer write"), paths, st.sampled_from(["", "x\n", "n" * 400, "xx"])),
    st.tuples(st.just("peer delete"), paths),
    st.tuples(st.just("peer rename"), paths, paths),
    st.tuples(st.just("peer title"), paths),
    st.tuples(st.just("feed breaks")),
    st.tuples(st.just("feed mends")),
)
dying: st.SearchStrategy[Fault] = st.sampled_from([None, None, None, "before", "after"])
refusing: st.SearchStrategy[Fault] = st.one_of(dying, dying, st.just(AccessError("refused")))


class Run:
    """One storage under random calls; writers and a listener to everything beside it."""

    def __init__(self, contents: Contents, faults: list[Fault]) -> None:
        self.now = 1000
        self.store = MemoryStore(clock=self.tick)
        self.backend = FlakyBackend(MemoryBackend(self.store))
        self.backend.faults.extend(faults)
        self.storage = SessionStorage(
            self.backend, contents=contents, retries=AT_ONCE, clock=self.tick
        )
        self.model: dict[str, str] = {}
        """What the calls so far lead to, where nothing is refused and no peer interferes."""
        self.writers: list[SessionStorageWriter] = []
        self.calls: list[asyncio.Task[Any]] = []
        self.sizes: dict[str, int] = {}
        self.titles: dict[str, bytes | None] = {}

    def tick(self) -> int:
        self.now += 1
        return self.now

    async def perform(self, steps: list[tuple[Any, ...]]) -> None:
        for name, *arguments in steps:
            getattr(self, name.replace(" ", "_"))(*arguments)
            if name == "turn":
                for _ in range(*arguments):
                    await asyncio.sleep(0)
            # A call takes its place in the order when its coroutine first runs.
            await asyncio.sleep(0)
        await asyncio.gather(*self.calls, return_exceptions=True)

    def call(self, work: Coroutine[Any, Any, Any]) -> None:
        self.calls.append(asyncio.create_task(work))

    # Ours; the model is what the order of the calls says.

    def line(self, number: int, text: str) -> None:
        writer = self.writer(number)
        if writer.get_error() is None:
            writer.write_line_sync(text)
            self.model[writer.path] = self.model.get(writer.path, "") + text

    def lines(self, number: int, count: int) -> None:
        for index in range(count):
            self.line(number, f"{index}\n")

    def writer(self, number: int) -> SessionStorageWriter:
        if number == 2 or number >= len(self.writers):
            self.writers.append(self.storage.open_writer(PATHS[number]))
            return self.writers[-1]
        return self.writers[number]

    def write(self, path: str, text: str) -> None:
        self.storage.write_text_sync(path, text)
        self.model[path] = text

    def rename(self, source: str, target: str, overwrite: bool) -> None:
        self.call(self.storage.rename(source, target, overwrite=overwrite))
        if source in self.model and (overwrite or target not in self.model):
            self.model[target] = self.model.pop(source)

    def unlink(self, path: str) -> None:
        self.call(self.storage.unlink(path))
        self.model.pop(path, None)

    def delete(self, path: str) -> None:
        self.call(self.storage.delete_session_with_artifacts(path))
        self.model.pop(path, None)

    def refresh(self) -> None:
        self.call(self.storage.refresh())

    def turn(self, count: int) -> None:
        """Only time passes."""

    # A peer.

    def peer_append(self, path: str, text: str) -> None:
        self.store.append(path, text.encode())

    def peer_write(self, path: str, text: str) -> None:
        self.store.write(path, text.encode())

    def peer_delete(self, path: str) -> None:
        self.store.delete(path)

    def peer_rename(self, source: str, target: str) -> None:
        if source in self.store.sessions and source != target:
            self.store.rename(source, target)

    def peer_title(self, path: str) -> None:
        if path in self.store.sessions:
            self.store.retitle(path, b"%d" % self.now)

    def feed_breaks(self) -> None:
        self.store.break_feeds()

    def feed_mends(self) -> None:
        self.store.mend_feeds()

    # What a listener makes of it.

    async def listen(self, changes: ChangeFeed) -> None:
        async for change in changes:
            self.apply(change)

    def apply(self, change: Change) -> None:
        match change:
            case Created():
                assert change.path not in self.sizes
                self.sizes[change.path] = change.size
                self.titles[change.path] = change.title
            case Appended():
                assert self.sizes[change.path] == change.start
                self.sizes[change.path] += len(change.data)
            case Rewritten():
                assert change.path in self.sizes
                self.sizes[change.path] = change.size
            case Removed():
                del self.sizes[change.path]
                del self.titles[change.path]
            case Renamed():
                assert change.new_path not in self.sizes
                self.sizes[change.new_path] = self.sizes.pop(change.path)
                self.titles[change.new_path] = self.titles.pop(change.path)
            case Retitled():
                self.titles[change.path] = change.title

    def stored(self) -> dict[str, bytes]:
        return {path: bytes(held.data) for path, held in self.store.sessions.items()}

    async def shown(self) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for stat in self.storage.stats():
            try:
                found[stat.path] = await self.storage.read_range(stat.path, 0, None)
            except SessionNotFoundError:
                found[stat.path] = b"(gone)"
        return found

    def is_current(self) -> bool:
        sizes = {path: len(held.data) for path, held in self.store.sessions.items()}
        titles = {path: held.title for path, held in self.store.sessions.items()}
        return {
            stat.path: stat.size for stat in self.storage.stats()
        } == sizes == self.sizes and self.titles == titles


@pytest.fixture(autouse=True, scope="module")
def _at_once() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sync, "COALESCE_S", 0.0)
        yield


@settings(max_examples=150)
@given(
    st.sampled_from(["resident", "on_demand"]),
    st.lists(own_calls, max_size=25),
    st.lists(dying, max_size=40),
)
def test_without_peers_the_store_ends_as_the_order_of_the_calls_says(
    contents: Contents, steps: list[tuple[Any, ...]], faults: list[Fault]
) -> None:
    async def run() -> None:
        one = Run(contents, faults)
        async with one.storage:
            await one.storage.load()
            await one.perform(steps)
            await one.storage.drain()
            expected = {path: text.encode() for path, text in one.model.items()}
            assert one.stored() == expected
            assert await one.shown() == expected

    asyncio.run(run())


@settings(max_examples=150)
@example(
    "resident",
    [("write", PATHS[1], "x\n"), ("feed breaks",), ("peer write", PATHS[1], "xx")],
    [],
)
@example(
    "resident",
    [("line", 0, "x\n"), ("line", 1, "x\n"), ("turn", 5), ("peer write", PATHS[1], "xx")],
    [AccessError("refused")],
)
@given(
    st.sampled_from(["resident", "on_demand"]),
    st.lists(st.one_of(own_calls, peer_calls), max_size=30),
    st.lists(refusing, max_size=30),
)
def test_with_peers_and_refusals_mirror_and_listener_end_as_the_store(
    contents: Contents, steps: list[tuple[Any, ...]], faults: list[Fault]
) -> None:
    async def run() -> None:
        one = Run(contents, faults)
        async with one.storage:
            async with one.storage.changes(own=True) as changes:
                listening = asyncio.create_task(one.listen(changes))
                await one.storage.load()
                await one.perform(steps)
                while one.storage.pending:
                    try:
                        await one.storage.drain()
                    except StorageError:
                        continue
                one.store.mend_feeds()
                # A session that a peer wrote anew may have the size it had.
                async with asyncio.timeout(DEADLINE_S):
                    while not one.is_current() or await one.shown() != one.stored():
                        assert not listening.done()
                        await asyncio.sleep(0.002)
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
            try:
                await one.storage.drain()
            except StorageError:
                one.storage.take_unwritten()

    asyncio.run(run())
