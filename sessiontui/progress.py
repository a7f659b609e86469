"""The progress of a task of many parts, and a way to stop it.

Whoever works tells, whoever looks listens; between two parts the work asks
whether it was stopped. Nothing here knows what the parts are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Progress:
    """Parts done and to do, all in one event loop."""

    def __init__(self) -> None:
        self.total = 0
        """How many parts there are; 0 while that is not known."""
        self.done = 0
        """How many are over, failed ones included."""
        self.failed = 0
        self.name = ""
        """The part being worked on, as stored: pass it through `clean` to show it."""
        self.stopped = False
        """Whether to begin no further part."""
        self._listener: Callable[[], object] | None = None

    def listen(self, listener: Callable[[], object]) -> None:
        """Have `listener` called after each change; it takes the place of the one before."""
        self._listener = listener

    def begin(self, total: int) -> None:
        """Say how many parts there are; none is done yet."""
        self.total, self.done, self.failed, self.name = total, 0, 0, ""
        self._tell()

    def work_on(self, name: str) -> None:
        """Say what the next part is."""
        self.name = name
        self._tell()

    def over(self, *, failed: bool = False) -> None:
        """Say that the part is over."""
        self.done += 1
        self.failed += failed
        self._tell()

    def stop(self) -> None:
        """Ask for an end after the part being worked on."""
        self.stopped = True
        self._tell()

    def _tell(self) -> None:
        if self._listener is not None:
            self._listener()
