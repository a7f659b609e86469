"""Tells a person at a terminal how far something of many parts is, and stops between two parts."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sessiontui.cli.runner import FAILED, INTERRUPTED, complain, is_terminal
from sessiontui.progress import Progress
from sessiontui.workspace.events import told_once

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sessiontui.workspace import Outcome

_EVERY_S: Final = 0.1
_LEAST: Final = 10
"""Below so many parts nothing is told."""
_MOST_FAILURES: Final = 20
"""How many failures are told one by one."""


class StatusLine:
    """One line on stderr, written over again and again; nothing where that is no terminal."""

    def __init__(self) -> None:
        self.shown = is_terminal(sys.stderr)
        """Whether there is anybody to read it."""
        self._last = ""

    def show(self, text: str) -> None:
        """Put a safe text in the place of the last; an empty one takes the line away."""
        if self.shown and text != self._last:
            sys.stderr.write(f"\r{text}\x1b[K")
            sys.stderr.flush()
            self._last = text


@contextmanager
def shown_progress(doing: str) -> Iterator[Progress]:
    """Yield a progress that is shown on stderr, if that is a terminal; Ctrl-C stops it in order.

    Args:
        doing: What is done, one word: `deleting`.
    """
    progress = Progress()
    loop = asyncio.get_running_loop()
    line = StatusLine()
    last = 0.0

    def told() -> None:
        nonlocal last
        now = time.monotonic()
        if progress.total >= _LEAST and now - last >= _EVERY_S:
            last = now
            line.show(f"{doing} {progress.done:,} of {progress.total:,}")

    if line.shown:
        progress.listen(told)
    loop.add_signal_handler(signal.SIGINT, progress.stop)
    try:
        yield progress
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        line.show("")


def tell_rest(outcome: Outcome[Any], names: Mapping[str, str], done: str) -> int:
    """Say on stderr what was not done and why; return the exit code.

    Args:
        outcome: What came of it.
        names: What the sessions are called, by path; safe to show.
        done: What was to be done to them: `deleted`.
    """
    for failure in outcome.failed[:_MOST_FAILURES]:
        name = names.get(failure.path, failure.path)
        complain(f"not {done}: {told_once(name, failure.error)}")
    if (more := len(outcome.failed) - _MOST_FAILURES) > 0:
        complain(f"and {more:,} more failed")
    if outcome.left:
        complain(f"stopped: {len(outcome.left):,} not {done}")
        return INTERRUPTED if not outcome.failed else FAILED
    return FAILED if outcome.failed else 0
