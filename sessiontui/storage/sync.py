"""Keeps the mirror in sync with the store: follows other processes' changes, and rescans.

The store's signals say which sessions may have changed; a moment later these are
looked at, many in one round trip, and what is found goes through the mirror to
whoever listens. A session that one of our own writes is at has its look right
after that write. When something may have been missed, the whole index is
compared. Bounds: signals are a set of paths; nothing is fetched while a
listener has more to take than `change_feed.ROOM_BYTES` or `change_feed.ROOM_CHANGES`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, ClassVar, Final

from sessiontui.errors import AccessError, BackendDownError, StorageError
from sessiontui.storage.artifacts import odd_names
from sessiontui.storage.backend import Dirty, FeedState, Rescan, Stat, cause_of
from sessiontui.storage.write_queue import Operation
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence

    from sessiontui.storage.backend import Backend, ScanBatch, WatchEvent
    from sessiontui.storage.change_detector import ChangeDetector, Detection
    from sessiontui.storage.change_feed import ChangeFeeds
    from sessiontui.storage.mirror import Mirror
    from sessiontui.storage.write_queue import RetryPolicy, WriteQueue

TOOK_OVER: Final = "another server took over"
"""How the warning begins."""


class FailoverLosses:
    """Writes lost in a failover: sessions that became shorter or vanished.

    Whether a server took over is known only once changes are followed again; a look may
    find before that what is missing. At most as many paths as there are sessions.

    Args:
        mirror: What was confirmed.
    """

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._paths: set[str] = set()

    def looked(self, findings: Iterable[Detection]) -> None:
        """Take in what a look found while changes are not followed."""
        for finding in findings:
            entry, seen = finding.entry, finding.seen
            if entry is not None and (seen is None or seen.stat.size < entry.size):
                self._paths.add(finding.path)

    def indexed(self, stats: Iterable[Stat]) -> None:
        """Take in a part of the index."""
        for stat in stats:
            known = self._mirror.confirmed.get(stat.path)
            if known is not None and stat.size < known.size:
                self._paths.add(stat.path)

    def missing(self, paths: Iterable[str]) -> None:
        """Take in what the index does not have."""
        self._paths.update(paths)

    def clear(self) -> None:
        """Forget all: no other server took over."""
        self._paths.clear()

    def take(self) -> list[str]:
        """Return the warning that tells of them, if there are any, and forget them."""
        paths = sorted(self._paths)
        self._paths.clear()
        if not paths:
            return []
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        return [
            f"{TOOK_OVER} and has less of {clean(paths[0])}{more}: "
            "what was written last may be lost"
        ]


_LOGGER = logging.getLogger(__name__)

COALESCE_S: Final = 0.033
"""How far apart two looks at sessions are at least, in seconds; signals are gathered meanwhile."""
LEAST_S: Final = 0.004
"""How long signals are gathered after a quiet time."""
CHUNK: Final = 64
"""How many sessions are looked at in one round trip."""
MAX_LOADED: Final = 512
"""How many sessions are loaded in one round trip."""
CHUNK_BYTES: Final = 1 << 22
"""How many bytes are to be loaded in one round trip, a single longer session aside."""
_MOST_WARNINGS: Final = 100
_MOST_LOOKS: Final = 64
"""How often to go on looking at a session that keeps growing while our own write waits."""


class StoreSync:
    """Keeps a mirror in sync with its store.

    Args:
        backend: The store.
        mirror: What is known.
        observer: Looks at sessions.
        write_queue: The operations to take turns with.
        feeds: The listeners.
        retries: How to pause while the store is away; there is no bound here.
        visible: Names the sessions to look at first.
        notify: Called when `state` or `warnings` changed.
    """

    def __init__(
        self,
        backend: Backend,
        mirror: Mirror,
        observer: ChangeDetector,
        write_queue: WriteQueue,
        feeds: ChangeFeeds,
        *,
        retries: RetryPolicy,
        visible: Callable[[], Collection[str]],
        notify: Callable[[], None],
    ) -> None:
        self._told = FeedState("none", live=False)
        self._refused: AccessError | None = None
        self.warnings: deque[str] = deque(maxlen=_MOST_WARNINGS)
        self._backend = backend
        self._mirror = mirror
        self._observer = observer
        self._write_queue = write_queue
        self._feeds = feeds
        self._retries = retries
        self._visible = visible
        self._notify = notify
        self._dirty: set[str] = set()
        self._rescan = False
        self._moved = False
        self._losses = FailoverLosses(mirror)
        self._woken = asyncio.Event()
        self._again = asyncio.Event()
        self._loaded = asyncio.Event()
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    @property
    def state(self) -> FeedState:
        """How changes reach us; not live either while what changed may not be looked at."""
        if self._refused is None or not self._told.live:
            return self._told
        return FeedState(
            self._told.tier, live=False, error=str(self._refused), cause=cause_of(self._refused)
        )

    def _refuse(self, error: AccessError | None) -> None:
        """Take note why looks are refused, None where they are not."""
        if str(error) != str(self._refused):
            self._refused = error
            self._notify()

    async def start(self) -> None:
        """Subscribe, and follow from now on."""
        if self._task is not None and not self._task.done():
            return
        entered = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(entered))
        self._task.add_done_callback(self._stopped)
        await asyncio.wait({self._task, entered}, return_when=asyncio.FIRST_COMPLETED)
        if not entered.done():
            self._task.result()
        if self._loaded.is_set():
            self._note(Rescan("following begins"))

    async def stop(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def load(self) -> None:
        """Read the index and compare the mirror with it, telling of each batch as it arrives.

        Raises:
            StorageError: The store could not be asked; what was read stays.
        """
        async with self._turn:
            self._rescan = False
            await self._compare()
            self._mirror.loaded = True
            while self._dirty:
                await self._round(patient=False)
        self._loaded.set()

    def mark(self, paths: Iterable[str]) -> None:
        """Have these sessions looked at: they may be other than the mirror says."""
        self._dirty.update(paths)
        self._woken.set()

    async def look_in_turn(self, paths: tuple[str, ...], own: bool) -> None:
        """Look at sessions during the turn of an operation at them."""
        left: Sequence[str] = paths
        try:
            for _ in range(_MOST_LOOKS):
                left = self._observer.apply(await self._looked(left), own=own)
                if not left:
                    return
        except StorageError as error:
            _LOGGER.info("could not look after a write: %s", type(error).__name__)
        self.mark(left)

    def warn(self, warnings: Iterable[str]) -> None:
        """Remember what is wrong with the store, once each."""
        new = [warning for warning in warnings if warning not in self.warnings]
        if new:
            self.warnings.extend(new)
            self._notify()

    # Listening.

    async def _run(self, entered: asyncio.Future[None]) -> None:
        async with self._backend.watch(self._visible) as signals:
            entered.set_result(None)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(signals))
                tasks.create_task(self._go_round())

    def _stopped(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _LOGGER.error("the feed stopped", exc_info=error)
        self._told = FeedState("none", live=False, error="changes are not followed any more")
        self._notify()

    async def _listen(self, signals: AsyncIterator[WatchEvent]) -> None:
        async for signal in signals:
            self._note(signal)

    def _note(self, signal: WatchEvent) -> None:
        if isinstance(signal, Dirty):
            self.mark(signal.paths)
            return
        if isinstance(signal, Rescan):
            self._rescan = True
            self._moved = self._moved or signal.moved
            self._woken.set()
        elif signal != self._told:
            self._told = signal
            self._notify()
        self._again.set()

    # Looking.

    async def _go_round(self) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        looked_s = 0.0
        await self._loaded.wait()
        while True:
            await self._woken.wait()
            await asyncio.sleep(max(LEAST_S, looked_s + COALESCE_S - loop.time()))
            looked_s = loop.time()
            self._woken.clear()
            try:
                async with self._turn:
                    problem = await self._compare_where_missed()
                    await self._round()
                if problem is not None:
                    raise problem
                failures = 0
                self._refuse(None)
            except StorageError as error:
                failures += 1
                self._refuse(error if isinstance(error, AccessError) else None)
                _LOGGER.info("could not look at changes: %s", type(error).__name__)
                self._again.clear()
                try:
                    async with asyncio.timeout(self._retries.pause(failures)):
                        await self._again.wait()
                except TimeoutError:
                    pass
                self._woken.set()

    async def _compare_where_missed(self) -> StorageError | None:
        """Compare if something may have been missed; return what the store refuses to tell."""
        if not self._rescan:
            return None
        self._rescan = False
        try:
            await self._compare()
        except BackendDownError:
            raise
        except StorageError as error:
            self.warn([f"the index cannot be read: {clean(str(error))}"])
            return error
        return None

    async def _round(self, *, patient: bool = True) -> None:
        """Look once at every session that may have changed, waiting for slow listeners or not."""
        visible = self._visible()
        paths = sorted(self._dirty, key=lambda path: path not in visible)
        for start in range(0, len(paths), CHUNK):
            if patient:
                await self._feeds.room()
            try:
                await self._observe(paths[start : start + CHUNK])
            except BackendDownError:
                raise
            except StorageError:
                await self._observe_each(paths[start : start + CHUNK])

    async def _observe_each(self, paths: list[str]) -> None:
        """Look at sessions one by one, so that one that cannot be read stands in nobody's way."""
        for path in paths:
            try:
                await self._observe([path])
            except BackendDownError:
                raise
            except StorageError as error:
                self._dirty.discard(path)  # Until it changes, or all are compared.
                self.warn([clean(str(error))])

    async def _observe(self, paths: list[str]) -> None:
        self._dirty.difference_update(paths)
        free = [path for path in paths if not self._write_queue.is_busy(path)]
        self._write_queue.wanted.update(path for path in paths if self._write_queue.is_busy(path))
        if not free:
            return
        left: Sequence[str] = free
        try:
            with self._write_queue.observing(free):
                left = self._observer.apply(await self._looked(free))
        finally:
            if left:
                self.mark(left)

    async def _looked(self, paths: Sequence[str]) -> list[Detection]:
        findings = await self._observer.look(paths)
        self.warn(odd_names(finding.path for finding in findings if finding.seen is not None))
        if not self.state.live:
            self._losses.looked(findings)
        return findings

    # Comparing.

    async def _compare(self) -> None:
        """Compare the index with the mirror."""
        seen: set[str] = set()
        finished = self._write_queue.finished = set()
        whole = False
        moved, self._moved = self._moved, False
        try:
            scan = self._backend.scan_contents if self._mirror.resident else self._backend.scan
            async for batch in scan():
                # What was looked at since this was asked may be newer, and no loss.
                told = [stat for stat in batch.stats if stat.path not in finished]
                self._losses.indexed(told if moved else ())
                await self._take(batch, seen)
                # What is on its way may be older than what is seen now: once more at the end.
                finished.update(await self._look_at_visible())
            whole = True
        finally:
            self._write_queue.finished = None
            if whole:
                gone = self._mirror.confirmed.keys() - seen
                self.mark(gone)
                self._losses.missing(gone)
                self.warn(self._losses.take() if moved else ())
                self._losses.clear()
            else:
                self._rescan = True
                self._moved = moved
            self.mark(finished)

    async def _look_at_visible(self) -> list[str]:
        """Keep current in the midst of a long comparison what somebody looks at; returns that."""
        if not self._loaded.is_set():
            return []
        shown = list(self._dirty.intersection(self._visible()))[:CHUNK]
        if shown:
            await self._observe(shown)
        return shown

    async def _take(self, batch: ScanBatch, seen: set[str]) -> None:
        """Take in what is new of a part of the index, and mark what differs."""
        self.warn((*batch.warnings, *odd_names(stat.path for stat in batch.stats)))
        confirmed = self._mirror.confirmed
        seen.update([stat.path for stat in batch.stats])
        new = [stat for stat in batch.stats if stat.path not in confirmed]
        if len(new) < len(batch.stats):
            known = [stat for stat in batch.stats if stat.path in confirmed]
            self._dirty.update(stat.path for stat in known if self._observer.differs(stat))
        if self._mirror.resident and batch.contents is None:
            for chunk in chunks(new):
                await self._observe([stat.path for stat in chunk])
            return
        if self._write_queue.pending:
            busy = {stat.path for stat in new if self._write_queue.is_busy(stat.path)}
            self._dirty |= busy
            new = [stat for stat in new if stat.path not in busy]
        contents = batch.contents
        if contents is not None and len(new) < len(batch.stats):
            by_path = {stat.path: data for stat, data in zip(batch.stats, contents, strict=True)}
            contents = tuple(by_path[stat.path] for stat in new)
        self._mirror.indexed(new, contents)


def chunks(stats: Iterable[Stat]) -> list[list[Stat]]:
    """Part sessions so that each part is loaded in one round trip."""
    parts: list[list[Stat]] = []
    size = 0
    for stat in stats:
        if not parts or size + stat.size > CHUNK_BYTES or len(parts[-1]) == MAX_LOADED:
            parts.append([])
            size = 0
        parts[-1].append(stat)
        size += stat.size
    return parts


class Refresh(Operation):
    """Compares the whole store with the mirror; holds every session meanwhile.

    Args:
        observer: Looks at what differs.
        warn: Takes what is wrong with the store.
    """

    structural: ClassVar[bool] = False
    changes: ClassVar[bool] = False
    persistent: ClassVar[bool] = False

    def __init__(self, observer: ChangeDetector, warn: Callable[[Iterable[str]], None]) -> None:
        super().__init__((), ("",))
        self._observer = observer
        self._warn = warn

    async def attempt(self) -> list[Detection]:
        """Read the index, then what differs; returns what was found."""
        seen: set[str] = set()
        differing: dict[str, Stat] = {}
        async for batch in self.backend.scan():
            self._warn((*batch.warnings, *odd_names(stat.path for stat in batch.stats)))
            for stat in batch.stats:
                seen.add(stat.path)
                if self._observer.differs(stat):
                    differing[stat.path] = stat
        gone = [Stat(path, 0, None) for path in self.mirror.confirmed if path not in seen]
        findings: list[Detection] = []
        for chunk in chunks([*differing.values(), *gone]):
            paths = [stat.path for stat in chunk]
            findings += await self._observer.look(paths, whole=self.mirror.resident)
        return findings

    def confirm(self, answer: list[Detection]) -> None:
        """Show what was found; the rest of long growth is read right after."""
        self.mirror.loaded = True
        self.touched = tuple(finding.path for finding in answer)
        self.look_at = tuple(self._observer.apply(answer))
