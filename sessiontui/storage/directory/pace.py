"""How often to look at a folder, and what is due to be looked at."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """How often to look, in seconds."""

    visible_s: float = 0.2
    """Files in view, while changes have to be looked for."""
    tree_s: float = 1.0
    """The whole folder then; less often where that would take more than `duty`."""
    duty: float = 0.05
    """Share of the time that looking may take."""
    guard_s: float = 2.0
    """Files in view, while the system tells of changes."""
    check_s: float = 60.0
    """Everything, always."""
    root_s: float = 0.5
    """Whether the root is there, and the same."""
    again_s: float = 1.0
    """From a folder's appearing to the second look at it."""
    rearm_s: float = 10.0
    """From a failure to watch to the next attempt; doubled with every failure up to `check_s`."""


class Looks:
    """When the next look of each kind is due, by the event loop's clock."""

    def __init__(self, **every_s: float) -> None:
        self._every = every_s
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._due = {kind: now + seconds for kind, seconds in every_s.items()}

    def wait_s(self) -> float:
        """Return the seconds until something is due."""
        return max(0.0, min(self._due.values()) - self._loop.time())

    def due(self, kind: str) -> bool:
        """Tell whether a look is due; it is then due again after its interval, if it has one."""
        now = self._loop.time()
        if self._due.get(kind, now + 1) > now:
            return False
        if kind in self._every:
            self._due[kind] = now + self._every[kind]
        else:
            del self._due[kind]
        return True

    def plan(self, kind: str, seconds: float) -> None:
        """Plan a look that is made once, so many seconds from now, unless it is planned."""
        self._due.setdefault(kind, self._loop.time() + seconds)
