"""Other programs in the app's terminal: an agent, or the user's pager."""

from __future__ import annotations

import asyncio
import errno
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from textual.app import SuspendNotSupported

from sessiontui.config import without_secrets
from sessiontui.errors import PagerError
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from types import FrameType

    from textual.app import App


async def run_in_terminal(
    app: App[Any], command: Sequence[str], *, cwd: str | None = None, linger: bool = False
) -> str:
    """Run a program in the app's terminal; return the error, or an empty string.

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
        return await _run(app, command, cwd, linger=linger)


async def _run(app: App[Any], command: Sequence[str], cwd: str | None, *, linger: bool) -> str:
    """Run the program to its end; raises nothing, which would leave the app suspended."""
    try:
        process = _started(command, cwd)
    except OSError as error:
        return clean(error.strerror or str(error))
    try:
        code = await _ended(process)
    finally:
        if process.returncode is None:
            _take_away(app, process)
    if not code:
        return ""
    name = clean(Path(command[0]).name)
    problem = (
        f"{name} was ended by signal {-code}" if code < 0 else f"{name} ended with code {code}"
    )
    if linger:
        await _until_read(f"\r\n{problem}. Press Enter to go back.\r\n")
    return problem


def _started(command: Sequence[str], cwd: str | None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=cwd, env=without_secrets())


async def _ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for a program in a thread that holds nobody up: the app may end before it.

    asyncio's own way kills a program that is still there when the loop ends, in the midst of
    what it does to end well.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def wait() -> None:
        process.wait()
        with suppress(RuntimeError):  # the loop is closed: nobody is there to be told
            loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait, name="sessiontui-lent", daemon=True).start()
    await ended.wait()
    return process.wait()


def _take_away(app: App[Any], process: subprocess.Popen[bytes]) -> None:
    """Tell a program that the terminal is not there for it any more, and leave it alone."""
    from sessiontui.app.app import SessionApp

    if not (isinstance(app, SessionApp) and app.is_hung_up):
        process.terminate()
        return
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGCONT)  # One that is stopped would not hear of it.


async def _until_read(notice: str) -> None:
    """Let the user read the terminal until Enter, or until nobody can press it."""
    if sys.__stdin__ is None or sys.__stdout__ is None:
        return
    loop, pressed = asyncio.get_running_loop(), asyncio.Event()
    keyboard = sys.__stdin__.fileno()

    def read() -> None:
        try:
            end = os.read(keyboard, 1024)[-1:]
        except OSError:
            end = b""
        if end in (b"\n", b"\r", b""):
            pressed.set()

    with suppress(OSError):
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
        with suppress(termios.error):  # it is gone
            termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


HUNG_UP: Final = 128 + signal.SIGHUP
"""Exit code of a process whose terminal was closed."""

_HUSH: Final = "\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?2004l\x1b[?1004l\x1b[<u"
LEAVE_SCREEN: Final = f"{_HUSH}\x1b[?7h\x1b[?1049l\x1b[?25h"
"""Ends what the app asks of a terminal: reports, its own screen, a hidden cursor."""


def is_gone(descriptor: int) -> bool:
    """Tell whether the terminal of a file descriptor was closed."""
    try:
        termios.tcgetattr(descriptor)
    except termios.error as error:
        return bool(error.args[0] != errno.EINTR)
    return False


def hang_up() -> None:
    """Do to this process what the system does to one whose terminal is closed."""
    os.kill(os.getpid(), signal.SIGHUP)


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
        problem = await run_in_terminal(app, [*command, name])
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
