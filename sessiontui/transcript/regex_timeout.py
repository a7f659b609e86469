"""A time limit for regular expressions.

Some patterns take longer than anybody lives on lines of a few dozen characters.
Python's matcher can be stopped by a signal alone, which reaches the main thread: in
others there is no limit.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Final, TypeVar

from sessiontui.errors import TooSlowError

if TYPE_CHECKING:
    from collections.abc import Callable

REGEX_TIMEOUT_S: Final = 0.25
"""Seconds of computing that a pattern may take on one line."""
TOO_SLOW: Final = "this pattern takes too long"
_Result = TypeVar("_Result")


class _ExpiredError(BaseException):
    """The time is up; never seen outside."""


class _Clock:
    """The one timer of the process that counts computing time."""

    def __init__(self) -> None:
        self.runs = False
        self.is_set_up = False

    def set_up(self) -> None:
        """Have the signal handled; it is nobody else's."""
        if not self.is_set_up:
            signal.signal(signal.SIGVTALRM, self._expired)
            self.is_set_up = True

    def _expired(self, _number: int, _frame: object) -> None:
        # One that comes late, after its work is done, must not strike what comes next.
        if self.runs:
            self.runs = False
            raise _ExpiredError


_clock = _Clock()


def with_regex_timeout(call: Callable[[], _Result], seconds: float = REGEX_TIMEOUT_S) -> _Result:
    """Return what `call` returns.

    Args:
        call: Matches something, and does nothing else.
        seconds: How long it may compute.

    Raises:
        TooSlowError: It took longer.
    """
    if threading.current_thread() is not threading.main_thread():
        return call()
    _clock.set_up()
    try:
        try:
            _clock.runs = True
            signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
            return call()
        finally:
            _clock.runs = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except _ExpiredError:
        raise TooSlowError(TOO_SLOW) from None
