"""Giving the terminal to another program for as long as it runs."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessiontui.config import without_secrets
from sessiontui.models.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from textual.app import App


async def lend_terminal(
    app: App[Any], command: Sequence[str], *, cwd: str | None = None, linger: bool = False
) -> str:
    """Run a program in the app's terminal; return what went wrong, or nothing.

    The loop goes on meanwhile, so that connections stay alive; nothing is painted.

    Args:
        app: Gives up the terminal until the program ends.
        command: The program's file and its words.
        cwd: The folder to run it in; that of this process where None.
        linger: Whether the user reads what a program that failed has said, until Enter.

    Raises:
        SuspendNotSupported: The app cannot give up its terminal.
    """
    with app.batch_update(), app.suspend(), _interrupts_are_its_own(), _modes_kept():
        return await _run(command, cwd, linger=linger)


async def _run(command: Sequence[str], cwd: str | None, *, linger: bool) -> str:
    """Run the program to its end; raises nothing, which would leave the app suspended."""
    try:
        process = await asyncio.create_subprocess_exec(*command, cwd=cwd, env=without_secrets())
    except OSError as error:
        return clean(error.strerror or str(error))
    try:
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
    if not code:
        return ""
    name = clean(Path(command[0]).name)
    problem = (
        f"{name} was ended by signal {-code}" if code < 0 else f"{name} ended with code {code}"
    )
    if linger:
        await _until_read(f"\r\n{problem}. Press Enter to go back.\r\n")
    return problem


async def _until_read(notice: str) -> None:
    """Let the user read the terminal until Enter, or until nobody can press it."""
    if sys.__stdin__ is None or sys.__stdout__ is None:
        return
    loop, pressed = asyncio.get_running_loop(), asyncio.Event()
    keyboard = sys.__stdin__.fileno()

    def read() -> None:
        if os.read(keyboard, 1024)[-1:] in (b"\n", b"\r", b""):
            pressed.set()

    sys.__stdout__.write(notice)
    sys.__stdout__.flush()
    loop.add_reader(keyboard, read)
    try:
        await pressed.wait()
    finally:
        loop.remove_reader(keyboard)


@contextmanager
def _interrupts_are_its_own() -> Iterator[None]:
    """Let ctrl+c reach the program alone; what is run gets the usual handling of it."""

    def ignore(number: int, frame: FrameType | None) -> None:
        pass

    before = signal.signal(signal.SIGINT, ignore)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _modes_kept() -> Iterator[None]:
    """Give the terminal back the modes that it had, whatever the program left."""
    if sys.__stdin__ is None or not sys.__stdin__.isatty():
        yield
        return
    keyboard = sys.__stdin__.fileno()
    before = termios.tcgetattr(keyboard)
    try:
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
