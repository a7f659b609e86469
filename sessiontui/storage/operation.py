"""What waits in the pending-write chain: one change, and how to go on when it fails."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sessiontui.errors import SessionHeldError
from sessiontui.storage.backend import Stat

if TYPE_CHECKING:
    from sessiontui.storage.backend import Backend
    from sessiontui.storage.mirror import Mirror

Guard = Callable[[Stat], str | None]
"""Tells in plain words why an agent may hold a session open that stands so in the store; None
where nothing says so. Asked in the turn of an operation, with what the store says then."""


def refuse_held(guard: Guard | None, stat: Stat) -> None:
    """Go no further with a session that an agent may hold open.

    Raises:
        SessionHeldError: The guard says so.
    """
    reason = None if guard is None else guard(stat)
    if reason is not None:
        raise SessionHeldError(stat.path, reason)


@dataclass(frozen=True, slots=True)
class Retries:
    """How long to go on with a store that is away; the default is about a minute."""

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
class Unwritten:
    """Bytes that were accepted and could not be written."""

    path: str
    data: bytes
    error: Exception
    whole: bool
    """Whether they were to be the whole session; else they were to be appended."""


@dataclass(frozen=True, slots=True)
class PendingWrite:
    """A change that was asked for and that the store has not confirmed."""

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
    """A change of one or several sessions.

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
    """The store; there once it is in a chain."""
    mirror: Mirror
    """Shows it while it is pending; there once it is in a chain."""

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

    def sketch(self) -> None:
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
