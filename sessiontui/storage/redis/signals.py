"""What a watch has to tell and nobody has taken yet; bounded, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final, Self

from sessiontui.storage.backend import Dirty, FeedState, Rescan, Signal
from sessiontui.storage.tasks import end_task

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

MOST_DIRTY: Final = 20_000
"""More changed sessions than this are told as a `Rescan`."""


class Signals(AsyncIterator[Signal]):
    """The signals of one task, which runs while this is entered.

    Holds at most one state, one rescan and `MOST_DIRTY` paths: what is told before
    it is taken is joined with what was told. An error that ends the task is raised
    to whoever takes the signals.
    """

    def __init__(self) -> None:
        self._state: FeedState | None = None
        self._rescan: Rescan | None = None
        self._dirty: set[str] = set()
        self._news = asyncio.Event()
        self._entered = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def _run(self) -> None:
        """Tell what happens, until it is cancelled."""

    async def __aenter__(self) -> Self:
        """Run, and wait for the first state: from then on nothing is missed."""
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
        """Run no longer."""
        await self._stop()

    async def _stop(self) -> None:
        if self._task is not None:
            await end_task(self._task)

    def _ended(self, _: asyncio.Task[None]) -> None:
        """Let nobody wait for what does not run any more."""
        self._entered.set()
        self._news.set()

    def __aiter__(self) -> Self:
        """Return the watch itself."""
        return self

    async def __anext__(self) -> Signal:
        """Return what comes next: a state before a rescan before changed sessions."""
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

    def _tell_state(self, state: FeedState) -> None:
        self._state = state
        self._entered.set()
        self._news.set()

    def _tell_rescan(self, reason: str, *, moved: bool = False) -> None:
        """Tell that something may have been missed, and whether another server answers now."""
        moved = moved or (self._rescan is not None and self._rescan.moved)
        self._rescan = Rescan(reason, moved)
        self._news.set()

    def _tell_dirty(self, paths: Iterable[str]) -> None:
        self._dirty.update(paths)
        if len(self._dirty) > MOST_DIRTY:
            self._dirty.clear()
            self._tell_rescan("very many sessions changed at once")
        elif self._dirty:
            self._news.set()
