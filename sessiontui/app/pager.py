"""Reading a text in the user's own pager while the app is out of the way."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import tempfile
from typing import TYPE_CHECKING, Any

from textual.app import SuspendNotSupported

from sessiontui.app.terminal import lend_terminal
from sessiontui.errors import PagerError
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from textual.app import App

_USUAL = ("less", "more")
_BATCH = 256 * 1024
"""Characters that are written at a time."""


def pager_command(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return what runs the pager: `$PAGER`, else `less`, else `more`.

    Raises:
        PagerError: It is not installed, or `$PAGER` is no command.
    """
    chosen = environ.get("PAGER", "").strip()
    search = environ.get("PATH")
    if not chosen:
        for name in _USUAL:
            found = shutil.which(name, path=search)
            if found is not None:
                return [found]
        raise PagerError("There is no pager: neither less nor more is installed")
    try:
        command = shlex.split(chosen)
    except ValueError as error:
        raise PagerError(f"$PAGER cannot be understood: {clean(str(error))}") from error
    program = shutil.which(command[0], path=search)
    if program is None:
        raise PagerError(f"The pager {clean(command[0])!r} of $PAGER is not installed")
    return [program, *command[1:]]


async def show_in_pager(app: App[Any], text: AsyncIterator[str]) -> None:
    """Write `text` to a file that only the user can read, show it, and remove it.

    Args:
        app: Gives up the terminal until the pager ends.
        text: Pieces that are safe to show.

    Raises:
        PagerError: There is no pager, or the app cannot give up its terminal.
        StorageError: The text could not be read; raised by `text` as it is.
    """
    command = pager_command()
    if app.is_headless or app.is_web:
        raise PagerError("A pager needs a terminal of its own")
    descriptor, name = tempfile.mkstemp(prefix="sessiontui-", suffix=".txt")
    try:
        try:
            await _write_all(descriptor, text)
        finally:
            os.close(descriptor)
        problem = await lend_terminal(app, [*command, name])
    except SuspendNotSupported as error:
        raise PagerError("The app cannot be suspended here, so there is no pager") from error
    except OSError as error:
        raise PagerError(_reason(error)) from error
    finally:
        os.unlink(name)  # noqa: PTH108 - a moment, also when cancelled
    if problem:
        raise PagerError(f"The pager: {problem}")


def _reason(error: OSError) -> str:
    return f"The pager could not be used: {clean(error.strerror or str(error))}"


async def _write_all(descriptor: int, text: AsyncIterator[str]) -> None:
    pieces: list[str] = []
    waiting = 0
    async for piece in text:
        pieces.append(piece)
        waiting += len(piece)
        if waiting > _BATCH:
            await asyncio.to_thread(_write, descriptor, "".join(pieces))
            pieces, waiting = [], 0
    await asyncio.to_thread(_write, descriptor, "".join(pieces))


def _write(descriptor: int, text: str) -> None:
    view = memoryview(text.encode("utf-8", "replace"))
    while view:
        view = view[os.write(descriptor, view) :]
