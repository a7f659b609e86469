"""The driver of the terminal, careful with what comes in and with a terminal that is gone.

A byte that is no text, from a terminal that is set to another encoding or out of a paste,
is read as U+FFFD; as Textual reads it, it would end the app. What follows it in a
paste stays part of the paste.

A terminal that is gone reads as an empty end, for ever, and takes nothing: as Textual reads
it, its thread would turn as fast as it can, and what writes would end and let the app wait.
Here both hang up, which ends the app, and wait for that.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from codecs import getincrementaldecoder
from functools import partial
from threading import Thread
from typing import IO, TYPE_CHECKING, Any

from textual.drivers import linux_driver

from sessiontui.app.terminal import hang_up, is_gone

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App


class _Decoder:
    """Decodes what the keyboard sends: takes everything, and tells of its end."""

    def __init__(self, encoding: str) -> None:
        self._decode = getincrementaldecoder(encoding)("replace").decode

    def decode(self, data: bytes, final: bool = False) -> str:
        """Return the text; raises `EOFError` where the terminal is gone."""
        if not data and not final and is_gone(_keyboard()):
            raise EOFError
        return self._decode(data, final)


def _forgiving(encoding: str) -> Callable[[], _Decoder]:
    return partial(_Decoder, encoding)


def _keyboard() -> int:
    return 0 if sys.__stdin__ is None else sys.__stdin__.fileno()


# Textual offers no other way to say how input is decoded, and what its threads are.
vars(linux_driver)["getincrementaldecoder"] = _forgiving
vars(linux_driver)["Thread"] = partial(Thread, daemon=True)


class _Screen:
    """A terminal as a file, which takes everything: also when it is gone."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.fileno = file.fileno
        self.isatty = file.isatty

    def write(self, text: str) -> int:
        """Write, or hang up."""
        self._try(partial(self._file.write, text))
        return len(text)

    def flush(self) -> None:
        """Flush, or hang up."""
        self._try(self._file.flush)

    def _try(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except OSError:
            if not is_gone(self.fileno()):
                raise
            hang_up()


class CarefulDriver(linux_driver.LinuxDriver):
    """A terminal driver that survives undecodable input, and reports an error that ends it."""

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._file: Any = _Screen(self._file)
        self._is_stopped = False
        self._is_to_stop = False
        signal.signal(signal.SIGTSTP, self._stop_asked)
        signal.signal(signal.SIGCONT, self._go_on_asked)

    # Signals act in the loop, and not in the midst of a write to what they are to stop.

    def _stop_asked(self, *_: object) -> None:
        self._is_to_stop = True
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop)

    def _go_on_asked(self, *_: object) -> None:
        self._is_to_stop = False
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._go_on)

    def _stop(self) -> None:
        """Give the terminal to the shell, and stop until it says to go on, if it has not yet."""
        if self._is_to_stop and self._auto_restart and not self._is_stopped:
            self.suspend_application_mode()
            self._is_stopped = True
        if self._is_to_stop:
            os.kill(os.getpid(), signal.SIGSTOP)

    def _go_on(self) -> None:
        """Take the terminal anew.

        The system says so too when the terminal is closed, and whoever stopped the app without
        asking: then what reads and writes still runs, and must not run twice.
        """
        if not self._auto_restart or is_gone(self.fileno):
            return
        if not self._is_stopped:
            self.suspend_application_mode()
        self._is_stopped = False
        self._must_signal_resume = True
        self.resume_application_mode()

    def write(self, data: str) -> None:
        """Write data, unless the terminal was gone before there was anything to write with."""
        if self._writer_thread is not None:
            super().write(data)

    def run_input_thread(self) -> None:
        """Read until the end."""
        from sessiontui.app.app import SessionApp

        try:
            super().run_input_thread()
        except EOFError:
            hang_up()
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EIO:
                hang_up()
                return
            if isinstance(self._app, SessionApp):
                self._app.failure = error
            raise
