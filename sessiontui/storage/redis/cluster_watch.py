"""Learns of changes at every primary of a cluster, and of primaries that come and go."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from sessiontui.errors import StorageError
from sessiontui.storage.backend import FeedState, Rescan, cause_of
from sessiontui.storage.redis.signals import Signals
from sessiontui.storage.redis.watch import USUAL_PACE, Pace, RedisWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sessiontui.storage.redis.cluster import Address, ClusterLink
    from sessiontui.storage.redis.keys import Keys

_LOOK_S = 5.0
"""How often the cluster is asked who its primaries are, where nobody said that they changed."""
_WORST = ("none", "polling", "keyspace", "tracking")


class ClusterWatch(Signals):
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
        super().__init__()
        self._reads = reads
        self._keys = keys
        self._visible = visible
        self._pace = pace
        self._tasks: dict[Address, asyncio.Task[None]] = {}
        self._states: dict[Address, FeedState] = {}
        self._told: FeedState | None = None
        self._other = asyncio.Event()
        self._known: set[Address] = set()

    async def _run(self) -> None:
        cluster = self._reads.cluster
        remove = cluster.listen(self._other.set)
        try:
            while True:
                self._other.clear()
                for task in self._tasks.values():
                    if task.done():
                        task.result()  # It never ends by itself: this raises.
                try:
                    primaries = await cluster.primaries()
                except StorageError as error:
                    cause = cause_of(error)
                    self._tell_once(
                        FeedState(
                            "none", live=False, error=str(error), retry_s=_LOOK_S, cause=cause
                        )
                    )
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
            await asyncio.gather(task, return_exceptions=True)
        for address in primaries - self._tasks.keys():
            task = self._tasks[address] = asyncio.create_task(self._follow(address))
            task.add_done_callback(self._one_ended)
        self._tell_worst()

    def _one_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self._other.set()

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
                    self._tell_worst()
                elif isinstance(signal, Rescan):
                    self._known.add(address)
                    self._tell_rescan(signal.reason, moved=signal.moved or took_over)
                    took_over = False
                else:
                    self._tell_dirty(signal.paths)

    def _tell_worst(self) -> None:
        """Tell the worst of all states, once each primary has one."""
        states = [self._states.get(address) for address in self._tasks]
        told = [state for state in states if state is not None]
        if not told or len(told) < len(states):
            return
        away = next((state for state in told if not state.live), None)
        if away is not None:
            self._tell_once(away)
        else:
            self._tell_once(FeedState(min((one.tier for one in told), key=_WORST.index), live=True))

    def _tell_once(self, state: FeedState) -> None:
        if state != self._told:
            self._told = state
            self._tell_state(state)
