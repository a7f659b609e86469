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
