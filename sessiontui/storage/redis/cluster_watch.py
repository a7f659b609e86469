"""Learns of changes at every primary of a cluster, and of primaries that come and go."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Self

from sessiontui.errors import StorageError
from sessiontui.storage.backend import Dirty, FeedState, Rescan, Signal
from sessiontui.storage.redis.watch import MOST_DIRTY, USUAL_PACE, Pace, RedisWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import TracebackType

    from sessiontui.storage.redis.cluster import Address, ClusterLink
    from sessiontui.storage.redis.keys import Keys

_LOOK_S = 5.0
"""How often the cluster is asked who its primaries are, where nobody said that they changed."""
_WORST = ("none", "polling", "keyspace", "tracking")


class ClusterWatch(AsyncIterator[Signal]):
    """One subscription at each primary, told as one; see `Backend.watch`."""

    def __init__(
        self,
        reads: ClusterLink,
        keys: Keys,
        visible: Callable[[], Collection[str]],
        pace: Pace = USUAL_PACE,
    ) -> None:
        """Prepare; entering it subscribes.

        Args:
            reads: Where hashes and sizes are read, and who knows the primaries.
            keys: Names of the keys.
            visible: Names the sessions in view, when asked.
            pace: How often and how long.
        """
        self._reads = reads
        self._keys = keys
        self._visible = visible
        self._pace = pace
        self._tasks: dict[Address, asyncio.Task[None]] = {}
        self._states: dict[Address, FeedState] = {}
        self._state: FeedState | None = None
        self._told: FeedState | None = None
        self._rescan: Rescan | None = None
        self._dirty: set[str] = set()
        self._news = asyncio.Event()
        self._entered = asyncio.Event()
        self._other = asyncio.Event()
        self._known: set[Address] = set()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._ended)
        try:
            await self._entered.wait()
        except asyncio.CancelledError:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stop()

    async def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def _ended(self, _: asyncio.Task[None]) -> None:
        self._entered.set()
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Signal:
        while True:
            if self._state is not None:
                state, self._state = self._state, None
                return state
            if self._rescan is not None:
                rescan, self._rescan = self._rescan, None
                return rescan
            if self._dirty:
                dirty, self._dirty = self._dirty, set()
                return Dirty(frozenset(dirty))
            if self._task is None or self._task.done():
                if self._task is not None and not self._task.cancelled():
                    self._task.result()
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()

    async def _run(self) -> None:
        cluster = self._reads.cluster
        remove = cluster.listen(self._other.set)
        try:
            while True:
                self._other.clear()
                try:
                    primaries = await cluster.primaries()
                except StorageError as error:
                    self._tell(FeedState("none", live=False, error=str(error), retry_s=_LOOK_S))
                else:
                    await self._follow_all(set(primaries))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await self._other.wait()
                cluster.stale = True
        finally:
            remove()
            await self._follow_all(set())

    async def _follow_all(self, primaries: set[Address]) -> None:
        """Follow these primaries and no other."""
        for address in self._tasks.keys() - primaries:
            task = self._tasks.pop(address)
            self._states.pop(address, None)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for address in primaries - self._tasks.keys():
            self._tasks[address] = asyncio.create_task(self._follow(address))
        self._tell_state()

    async def _follow(self, address: Address) -> None:
        settings = self._reads.cluster.of(address)
        took_over = bool(self._known) and address not in self._known
        watch = RedisWatch(settings, self._reads, self._keys, self._visible, self._pace)
        async with watch as signals:
            async for signal in signals:
                if isinstance(signal, FeedState):
                    self._states[address] = signal
                    if not signal.live:
                        self._other.set()  # Has another taken over?
                    self._tell_state()
                elif isinstance(signal, Rescan):
                    self._known.add(address)
                    self._tell_rescan(Rescan(signal.reason, signal.moved or took_over))
                    took_over = False
                else:
                    self._tell_dirty(signal)

    def _tell_rescan(self, rescan: Rescan) -> None:
        moved = rescan.moved or (self._rescan is not None and self._rescan.moved)
        self._rescan = Rescan(rescan.reason, moved)
        self._news.set()

    def _tell_dirty(self, dirty: Dirty) -> None:
        self._dirty |= dirty.paths
        if len(self._dirty) > MOST_DIRTY:
            self._dirty.clear()
            self._tell_rescan(Rescan("very many sessions changed at once"))
        self._news.set()

    def _tell_state(self) -> None:
        """Tell the worst of all states, once each primary has one."""
        states = [self._states.get(address) for address in self._tasks]
        told = [state for state in states if state is not None]
        if not told or len(told) < len(states):
            return
        away = next((state for state in told if not state.live), None)
        if away is not None:
            self._tell(away)
        else:
            self._tell(FeedState(min((one.tier for one in told), key=_WORST.index), live=True))

    def _tell(self, state: FeedState) -> None:
        if state != self._told:
            self._state = self._told = state
            self._news.set()
        self._entered.set()
