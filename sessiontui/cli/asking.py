"""Asks the user on the terminal."""

from __future__ import annotations

import asyncio
import sys


async def typed_line() -> str:
    """Return the next line that is typed, without keeping Ctrl-C from ending the wait."""
    loop = asyncio.get_running_loop()
    typed = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), typed.set)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
    return sys.stdin.readline()
