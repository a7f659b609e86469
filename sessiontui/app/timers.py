"""A timer that surely fires.

Textual's `set_timer` does not: where the process is held up right after a timer began,
for longer than that timer is to wait, Textual takes its one tick for missed and never
calls. A view that waits for it then shows nothing new any more. (`set_interval` goes on.)
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.message_pump import MessagePump


def call_later(
    pump: MessagePump, seconds: float, callback: Callable[[], None]
) -> asyncio.TimerHandle:
    """Call `callback` after some seconds, in the message loop of `pump`.

    Args:
        pump: The widget or screen; when it is gone nothing is called.
        seconds: How long to wait at least.
        callback: What to call.

    Returns:
        What cancels it.
    """

    def call() -> None:
        if not handle.cancelled():  # It may have been while this stood in line.
            callback()

    handle = asyncio.get_running_loop().call_later(seconds, pump.call_next, call)
    return handle
