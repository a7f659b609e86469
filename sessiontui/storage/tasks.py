"""Ends tasks for certain: a cancellation that comes while others end is not lost."""

from __future__ import annotations

import asyncio
from typing import Any


async def end_task(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait until it has ended; raises what it failed with.

    Whoever is cancelled meanwhile is so afterwards: where a task is awaited as such,
    that looks like the task's own cancellation, and who passes over it never ends.

    Args:
        task: What to end.

    Raises:
        asyncio.CancelledError: The caller was cancelled meanwhile.
    """
    cancelled: asyncio.CancelledError | None = None
    task.cancel()
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
            task.cancel()
    if cancelled is not None:
        raise cancelled
    if not task.cancelled():
        task.result()


def heed_cancellation() -> None:
    """Raise if the current task was cancelled; for who goes on after a group of tasks failed.

    Before Python 3.13 a group that waits for its tasks after an error forgets that it
    was cancelled meanwhile, and raises the error alone.

    Raises:
        asyncio.CancelledError: It was cancelled.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
