"""The write queue: everything that changes a session, in the order of the calls.

An operation waits for the operations before it that concern the same paths,
and for nothing else. It runs until the store has answered: a store that is away
is asked again, with growing pauses, a bounded number of times; a change whose
outcome is unknown is looked for before it is tried again. What is confirmed
goes into the mirror; what failed is taken out of it. No caller sees a retry.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Final

from sessiontui.errors import (
    AccessError,
    BackendDownError,
    OutcomeUnknownError,
    ReadOnlyError,
    SessionHeldError,
    StorageError,
    WritesRefusedError,
)
from sessiontui.storage.backend import Stat

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Iterator

    from sessiontui.storage.backend import Backend
    from sessiontui.storage.mirror import Mirror

Guard = Callable[[Stat], str | None]
"""Tells in plain words why an agent may hold a session open that stands so in the store; None
where nothing says so. Asked in the turn of an operation, with what the store says then."""


def refuse_in_use(guard: Guard | None, stat: Stat) -> None:
    """Raise if a session may be in use by an agent.

    Raises:
        SessionHeldError: The guard says so.
    """
    reason = None if guard is None else guard(stat)
    if reason is not None:
        raise SessionHeldError(stat.path, reason)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The retry policy while a store is away; by default about a minute."""

    attempts: int = 40
    """How often a change is tried or looked for before it fails."""
    first_s: float = 0.05
    """Pause after the first failure, in seconds; doubled each time."""
    longest_s: float = 2.0
    """Longest pause, in seconds."""

    def pause(self, failures: int) -> float:
        """Return how long to wait after so many failures in a row, in seconds."""
        growing = self.first_s * 2.0 ** min(failures - 1, 30)
        return min(growing, self.longest_s) * random.uniform(0.5, 1)


@dataclass(frozen=True, slots=True)
class UnwrittenData:
    """Data that was accepted and could not be written."""

    path: str
    data: bytes
    error: Exception
    whole: bool
    """Whether they were to be the whole session; else they were to be appended."""


@dataclass(frozen=True, slots=True)
class PendingWrite:
    """A pending write: a change that the store has not confirmed."""

    action: str
    """What it does: `append`, `write`, `title`, `rename`, `delete`, `restore`."""
    path: str
    target: str | None = None
    """Where a rename leads."""
    title: str | None = None
    """The title that it sets."""
    data: bytes | None = None
    """The bytes that it writes."""


class Operation:
    """An operation of the write queue: a change of one or several sessions.

    Args:
        paths: The sessions it changes, as far as known.
        prefixes: It holds all sessions whose path starts with one of these too.
    """

    structural: ClassVar[bool] = True
    """Whether bytes that were there before may move or change."""
    changes: ClassVar[bool] = True
    """Whether the store is other afterwards: where nothing may be changed, it is refused."""
    persistent: ClassVar[bool] = True
    """Whether to try again while the store is away."""
    action: ClassVar[str] = ""
    """What it does to a session, in one word; empty where it changes none."""

    backend: Backend
    """The store; there once it is in a queue."""
    mirror: Mirror
    """Shows it while it is pending; there once it is in a queue."""

    def __init__(self, paths: tuple[str, ...], prefixes: tuple[str, ...] = ()) -> None:
        self.paths = paths
        self.prefixes = prefixes
        self.touched: tuple[str, ...] = ()
        """What it changed beside `paths`, once it is confirmed."""
        self.calls = 1
        """How many calls wait for it."""
        self.unheard = False
        """Whether nobody waits for its outcome, so that `drain` has to tell a failure."""
        self.started = False
        self.error: Exception | None = None
        """What it failed with."""
        self.order = 0
        self.done: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        """Resolves, never raises, with the error or None."""
        self.look_at: tuple[str, ...] = ()
        """Sessions to look at before it counts as done: the store's answer did not tell all."""
        self.look_at_own = False
        """Whether what is found there is our own doing."""

    def covers(self, path: str) -> bool:
        """Tell whether it holds `path`."""
        return path in self.paths or path.startswith(self.prefixes)

    def meets(self, other: Operation) -> bool:
        """Tell whether it holds a session that `other` holds."""
        return (
            any(other.covers(path) for path in self.paths)
            or any(self.covers(path) for path in other.paths)
            or any(
                mine.startswith(its) or its.startswith(mine)
                for mine in self.prefixes
                for its in other.prefixes
            )
        )

    async def attempt(self) -> Any:
        """Ask the store to do it; return its answer, which is not None."""
        raise NotImplementedError

    async def look(self) -> Any | None:
        """Find out whether an attempt of unknown outcome did it; None if it did not."""
        raise NotImplementedError

    def preview(self) -> None:
        """Show in the mirror what it will do."""

    def confirm(self, answer: Any) -> None:
        """Put into the mirror what it did."""

    def failed(self) -> None:
        """Take back what was done on the promise that it would succeed; `error` says why."""

    def described(self) -> PendingWrite:
        """Return what it does, to tell or keep it where it cannot be done."""
        lost = self.lost()
        return PendingWrite(self.action, self.paths[0], data=None if lost is None else lost[1])

    def lost(self) -> tuple[str, bytes, bool] | None:
        """Return path, bytes and whether they are the whole session, if its failure loses any."""
        return None


_LOGGER = logging.getLogger(__name__)

_MOST_AT_ONCE: Final = 16
"""Commands on their way to the store at the same time."""


class WriteQueue:
    """The write queue: runs operations, each in its turn.

    Args:
        backend: The store.
        mirror: Shows what is pending and takes in what is confirmed.
        retries: How long to go on.
        look: Brings the mirror up to date with these sessions; called in their turn.
        mark: Called with sessions that may be other than the mirror says.
        notify: Called whenever `pending` or `last_error` changed.
        read_only: Tells why nothing may be changed, None where something may.
    """

    def __init__(
        self,
        backend: Backend,
        mirror: Mirror,
        *,
        retries: RetryPolicy,
        look: Callable[[tuple[str, ...], bool], Awaitable[None]],
        mark: Callable[[Iterable[str]], None],
        notify: Callable[[], None],
        read_only: Callable[[], str | None],
    ) -> None:
        self.pending = 0
        """Number of calls whose outcome is not known yet."""
        self.last_error: Exception | None = None
        """Why the store did not answer the last time, None since it does."""
        self.unwritten: list[UnwrittenData] = []
        """What was lost by failures nobody waited for; nothing drops it but whoever takes it."""
        self.given_up: list[PendingWrite] = []
        """What was still pending when it was given up, and failed."""
        self.refusals = 0
        """How often the store refused a change for want of a right, or as it takes none."""
        self.wanted: set[str] = set()
        """Sessions that could not be observed because of their turn; looked at after it."""
        self.finished: set[str] | None = None
        """Sessions of operations that ended since somebody put a set here."""
        self._backend = backend
        self._mirror = mirror
        self._retries = retries
        self._look = look
        self._mark = mark
        self._notify = notify
        self._read_only = read_only
        self._numbers = count(1)
        self._tasks: dict[Operation, asyncio.Task[None]] = {}
        self._queues: dict[str, list[Operation]] = {}
        self._tails: dict[str, Operation] = {}
        self._wide: list[Operation] = []
        self._busy: dict[str, Operation] = {}
        self._observed: dict[str, asyncio.Future[None]] = {}
        self._failure: Exception | None = None
        self._given_up = asyncio.Event()
        self._slots = asyncio.Semaphore(_MOST_AT_ONCE)

    # Queueing.

    def add(self, operation: Operation) -> None:
        """Put an operation in line and show it in the mirror.

        Raises:
            ReadOnlyError: It changes something, and nothing may be changed.
        """
        reason = self._read_only()
        if reason is not None and operation.changes:
            raise ReadOnlyError(reason)
        operation.order = next(self._numbers)
        operation.backend, operation.mirror = self._backend, self._mirror
        before = self._before(operation)
        for path in operation.paths:
            self._tails[path] = operation
            self._queues.setdefault(path, []).append(operation)
        if operation.prefixes:
            self._wide.append(operation)
            for path in self._tails:
                if operation.covers(path):
                    self._tails[path] = operation
        operation.preview()
        self.pending += operation.calls
        self._tasks[operation] = asyncio.create_task(self._run(operation, before))
        if self.pending == operation.calls:
            self._notify()

    def joined(self, operation: Operation) -> None:
        """Count one more call that waits for an operation."""
        operation.calls += 1
        self.pending += 1

    def last(self, path: str) -> Operation | None:
        """Return the operation behind which the next one of `path` would wait, if it is its own."""
        operation = self._tails.get(path)
        return operation if operation is not None and path in operation.paths else None

    def waiting(self) -> Iterator[Operation]:
        """Yield the operations that have not started, in the order of their calls."""
        return (operation for operation in self._tasks if not operation.started)

    def described(self) -> tuple[PendingWrite, ...]:
        """Return the changes whose outcome is not known yet, in the order of their calls.

        May be called in any thread.
        """
        return tuple(operation.described() for operation in list(self._tasks) if operation.action)

    def retarget(self, operation: Operation, path: str) -> None:
        """Let an operation on one path that has not started have another."""
        (before,) = operation.paths
        self._unqueue(operation)
        if self._tails.get(before) is operation:
            del self._tails[before]
        operation.paths = (path,)
        self._queues.setdefault(path, []).append(operation)
        tail = self._tails.get(path)
        if tail is None or tail.order < operation.order:
            self._tails[path] = operation

    # Waiting.

    async def drain(self) -> None:
        """Wait for every operation, also those added meanwhile.

        Raises:
            Exception: The first failure since the last call that nobody has been told.
        """
        while self._tasks:
            await asyncio.wait([operation.done for operation in self._tasks])
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    async def give_up(self, patience_s: float | None, grace_s: float | None = None) -> None:
        """Wait for what is pending, then let the rest fail; see `SessionStorage.aclose`."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=patience_s)
        self._given_up.set()
        if self._tasks:
            grace_s = self._retries.longest_s if grace_s is None else grace_s
            await asyncio.wait(self._tasks.values(), timeout=grace_s)
        for task in list(self._tasks.values()):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    async def heard(self, operation: Operation) -> None:
        """Wait for an operation; if the waiting is cancelled, `drain` tells its failure instead.

        Raises:
            Exception: What the operation failed with.
        """
        try:
            error = await asyncio.shield(operation.done)
        except asyncio.CancelledError:
            operation.unheard = True
            raise
        if error is not None:
            raise error

    # Turns: an operation and an observer never have a session at the same time.

    def is_busy(self, path: str) -> bool:
        """Tell whether an operation has its turn at `path`."""
        return path in self._busy or any(wide.covers(path) for wide in self._running_wide())

    def moving(self, path: str) -> Operation | None:
        """Return the operation that may move bytes of `path` right now."""
        operation = self._busy.get(path)
        if operation is None:
            operation = next((wide for wide in self._running_wide() if wide.covers(path)), None)
        return operation if operation is not None and operation.structural else None

    @contextmanager
    def observing(self, paths: Iterable[str]) -> Iterator[None]:
        """Keep operations from having their turn at `paths`, none of which is busy."""
        ended = asyncio.get_running_loop().create_future()
        observed = dict.fromkeys(paths, ended)
        self._observed.update(observed)
        try:
            yield
        finally:
            for path in observed:
                del self._observed[path]
            ended.set_result(None)

    # Running.

    def _before(self, operation: Operation) -> list[Operation]:
        before = {self._tails[path] for path in operation.paths if path in self._tails}
        before.update(wide for wide in self._wide if wide.meets(operation))
        if operation.prefixes:
            before.update(other for other in self._tasks if operation.meets(other))
        return list(before)

    async def _run(self, operation: Operation, before: list[Operation]) -> None:
        error: Exception | None = OutcomeUnknownError("given up before the store answered")
        settled = False
        try:
            if before:
                await asyncio.wait([other.done for other in before])
            while waits := self._in_the_way(operation):
                await asyncio.wait(waits)
            operation.started = True
            self._busy.update(dict.fromkeys(operation.paths, operation))
            answer, failure = await self._carry_out(operation)
            settled = True
            self._settle(operation, answer, failure)
            error = failure
            await self._look_again(operation)
        finally:
            if not settled:
                self._settle(operation, None, error)
            self._finish(operation, error)

    def _in_the_way(self, operation: Operation) -> list[asyncio.Future[Any]]:
        """Return what to wait for before the turn: observers, and others at the same paths."""
        if operation.prefixes:
            observed = [end for path, end in self._observed.items() if operation.covers(path)]
            running = [one for one in self._tasks if one.started and operation.meets(one)]
        else:
            observed = [self._observed[path] for path in operation.paths if path in self._observed]
            running = [self._busy[path] for path in operation.paths if path in self._busy]
            running += [wide for wide in self._running_wide() if wide.meets(operation)]
        return [*observed, *(one.done for one in running)]

    def _running_wide(self) -> Iterator[Operation]:
        return (wide for wide in self._wide if wide.started)

    async def _carry_out(self, operation: Operation) -> tuple[Any, Exception | None]:
        """Return the store's answer, or why there is none."""
        unknown = False
        failures = 0
        while True:
            step = self._find_out(operation) if unknown else self._attempt(operation)
            outcomes: list[Any] = await asyncio.gather(step, return_exceptions=True)
            outcome = outcomes[0]
            if not isinstance(outcome, BaseException):
                self._tell(None)
                if outcome is not None:
                    return outcome, None
                unknown = False
                continue
            if not isinstance(outcome, Exception):
                return None, OutcomeUnknownError("stopped before the store answered")
            unknown = unknown or isinstance(outcome, OutcomeUnknownError)
            if not _may_pass(outcome, waited_for=not (unknown or operation.unheard)):
                return None, outcome
            self._tell(outcome)
            failures += 1
            if not operation.persistent or failures >= self._retries.attempts:
                return None, outcome
            if await self._pause(failures):
                return None, outcome

    async def _attempt(self, operation: Operation) -> Any:
        async with self._slots:
            answer = await operation.attempt()
        if answer is None:
            raise StorageError(f"no answer from {type(operation).__name__}")
        return answer

    async def _find_out(self, operation: Operation) -> Any | None:
        await self._backend.fence()
        return await operation.look()

    async def _pause(self, failures: int) -> bool:
        """Wait before the next attempt; tells whether there is to be none."""
        try:
            async with asyncio.timeout(self._retries.pause(failures)):
                await self._given_up.wait()
        except TimeoutError:
            return False
        return True

    def _settle(self, operation: Operation, answer: Any, error: Exception | None) -> None:
        """Put the outcome into the mirror, and what is still pending over it again."""
        self._unqueue(operation)
        if error is None:
            operation.confirm(answer)
        else:
            operation.error = error
            operation.failed()
            if not isinstance(error, BackendDownError):
                operation.look_at = operation.paths
        paths, others = self._connected({*operation.touched, *operation.paths})
        for path in paths:
            self._mirror.rebase(path)
        for other in others:
            other.preview()

    def _connected(self, paths: set[str]) -> tuple[set[str], list[Operation]]:
        """Return the pending operations that these paths lead to, in order, and all their paths."""
        found: set[Operation] = set()
        new = list(paths)
        while new:
            for operation in self._queues.get(new.pop(), ()):
                if operation not in found:
                    found.add(operation)
                    new.extend(path for path in operation.paths if path not in paths)
                    paths.update(operation.paths)
        return paths, sorted(found, key=lambda operation: operation.order)

    async def _look_again(self, operation: Operation) -> None:
        """Bring the mirror up to date where the turn kept others from doing so."""
        wanted = {path for path in self.wanted if operation.covers(path)}
        self.wanted -= wanted
        if operation.look_at:
            await self._look(operation.look_at, operation.look_at_own)
            wanted.difference_update(operation.look_at)
        if len(wanted) == 1 and not operation.prefixes:
            await self._look(tuple(wanted), False)
        elif wanted:
            self._mark(wanted)

    def _finish(self, operation: Operation, error: Exception | None) -> None:
        for path in operation.paths:
            if self._busy.get(path) is operation:
                del self._busy[path]
            if self._tails.get(path) is operation:
                del self._tails[path]
        if operation.prefixes:
            self._wide.remove(operation)
            for path in [path for path, tail in self._tails.items() if tail is operation]:
                del self._tails[path]
        del self._tasks[operation]
        if self.finished is not None:
            self.finished.update(operation.paths, operation.touched)
        if left := {path for path in self.wanted if operation.covers(path)}:
            self.wanted -= left
            self._mark(left)
        self.pending -= operation.calls
        if error is not None:
            self._mark(operation.paths)
            self.refusals += isinstance(error, AccessError)
            if self._given_up.is_set() and operation.action:
                self.given_up.append(operation.described())
            if operation.unheard:
                if (lost := operation.lost()) is not None:
                    path, data, whole = lost
                    self.unwritten.append(UnwrittenData(path, data, error, whole))
                self._failure = self._failure or error
                _LOGGER.warning("a write failed: %s", type(error).__name__)
        operation.done.set_result(error)
        self._notify()

    def _unqueue(self, operation: Operation) -> None:
        for path in operation.paths:
            queue = self._queues[path]
            queue.remove(operation)
            if not queue:
                del self._queues[path]

    def _tell(self, error: Exception | None) -> None:
        if error is not self.last_error:
            self.last_error = error
            self._notify()


def _may_pass(error: Exception, *, waited_for: bool) -> bool:
    """Tell whether to try again: a store that is away comes back, a full one if somebody helps."""
    if isinstance(error, WritesRefusedError):
        return not waited_for
    return isinstance(error, BackendDownError)
