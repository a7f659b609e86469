"""Wait for a state instead of for a time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DEADLINE_S = 90.0
"""How long a state may take before the test fails; generous, since machines are busy."""


async def until(condition: Callable[[], object], *, deadline_s: float = DEADLINE_S) -> None:
    """Return once `condition()` is true, looking again a hundred times a second.

    Raises:
        AssertionError: It was not true within `deadline_s` seconds.
    """
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"still not so after {deadline_s:g} s: {condition}")
        await asyncio.sleep(0.01)


def until_sync(condition: Callable[[], object], *, deadline_s: float = DEADLINE_S) -> None:
    """Do the same where no event loop runs."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"still not so after {deadline_s:g} s: {condition}")
        time.sleep(0.01)
