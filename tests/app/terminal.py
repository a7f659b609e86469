"""The real program in a real pseudo-terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.command import usual_signals
from tests.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

_STOP_S = 10.0
_QUIET_S = 0.15


_LEFT_OUT = ("SESSIONTUI_", "TEXTUAL", "NO_COLOR", "PI_", "OMP_", "COLUMNS", "LINES")
"""Beginnings of variables that would change what is shown; test runners set some."""


def _leads() -> None:
    usual_signals()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """Runs the program; keeps every byte that comes out.

    Args:
        arguments: What follows the program's name.
        size: Columns and rows.
        environ: What to add to the environment.
        program: What Python is to run.
        leads: Whether the program leads a session of this terminal, as what a window is opened
            for does: then the system sends it SIGHUP when the terminal is closed.
        cwd: The folder it runs in; that of this process where None.
        inherits: Terminals whose controlling side the program is left with, as by a careless
            parent.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        size: tuple[int, int] = (120, 34),
        environ: Mapping[str, str] | None = None,
        program: Sequence[str] = ("-m", "sessiontui"),
        leads: bool = False,
        cwd: Path | None = None,
        inherits: Sequence[Terminal] = (),
    ) -> None:
        self.output = bytearray()
        self._seen = 0
        self._master, self._slave = pty.openpty()
        self.before = termios.tcgetattr(self._slave)
        self.resize(size)
        variables = {
            key: value for key, value in os.environ.items() if not key.startswith(_LEFT_OUT)
        }
        variables |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        self.process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env=variables | dict(environ or {}),
            start_new_session=True,
            cwd=cwd,
            preexec_fn=_leads if leads else usual_signals,
            pass_fds=[other._master for other in inherits],
        )
        self._is_closed = False

    def resize(self, size: tuple[int, int]) -> None:
        """Give the terminal another size."""
        columns, rows = size
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def __enter__(self) -> Self:
        """Return the terminal; the program runs already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the program if it still runs."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.close()
        os.close(self._slave)

    def close(self) -> None:
        """Close the terminal, as whoever closes its window."""
        if not self._is_closed:
            self._is_closed = True
            os.close(self._master)

    def press(self, keys: bytes) -> None:
        """Send what keys send; from here on `until` looks at what comes out."""
        self._seen = len(self.output)
        os.write(self._master, keys)

    def read(self) -> None:
        """Take in what has come out, waiting a moment if nothing has."""
        if select.select([self._master], [], [], 0.05)[0]:
            self.output += os.read(self._master, 65_536)

    def until(self, *texts: bytes) -> None:
        """Read until each text has come out since the last keys were pressed.

        Raises:
            AssertionError: It did not come in time, or the program ended before.
        """
        start = self._seen
        end = time.monotonic() + DEADLINE_S
        while not all(self.output.find(text, start) >= 0 for text in texts):
            if time.monotonic() > end:
                raise AssertionError(f"{texts} did not come; {bytes(self.output[-2000:])!r}")
            if self.process.poll() is not None:
                raise AssertionError(f"the program ended; {bytes(self.output[-2000:])!r}")
            self.read()

    def rest(self) -> None:
        """Read until the program waits for something to do: what was asked for is painted.

        Raises:
            AssertionError: It went on for too long.
        """
        end = time.monotonic() + DEADLINE_S
        busy_at = time.monotonic()
        while (now := time.monotonic()) < busy_at + _QUIET_S:
            if now > end:
                raise AssertionError(f"it does not rest; {bytes(self.output[-2000:])!r}")
            if select.select([self._master], [], [], _QUIET_S / 10)[0]:
                self.output += os.read(self._master, 65_536)
                busy_at = time.monotonic()
            elif self._is_busy():
                busy_at = time.monotonic()

    def _is_busy(self) -> bool:
        """Tell whether keys are unread, or a thread has work, which the machine may not let it do.

        Where there is no `/proc` only the keys tell.
        """
        if any(fcntl.ioctl(self._slave, termios.FIONREAD, bytes(4))):
            return True
        with contextlib.suppress(OSError):  # A thread, or the program, ended meanwhile.
            for stat in Path(f"/proc/{self.process.pid}/task").glob("*/stat"):
                if stat.read_text().rpartition(")")[2].split()[0] in {"R", "D"}:
                    return True
        return False

    def finish(self) -> int:
        """Read until the program has ended; return its exit code."""
        end = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise AssertionError(f"it did not end; {bytes(self.output[-2000:])!r}")
            self.read()
        while select.select([self._master], [], [], 0)[0]:
            self.output += os.read(self._master, 65_536)
        return self.process.returncode

    @property
    def restored(self) -> bool:
        """Whether the terminal is as it was: modes, main screen, cursor, no mouse reports."""
        modes = termios.tcgetattr(self._slave)
        flags = termios.ECHO | termios.ICANON | termios.ISIG
        same_modes = modes[3] & flags == self.before[3] & flags and modes[0] == self.before[0]
        return same_modes and all(
            self.output.rfind(off) > self.output.rfind(on)
            for on, off in (
                (b"\x1b[?1049h", b"\x1b[?1049l"),
                (b"\x1b[?25l", b"\x1b[?25h"),
                (b"\x1b[?1000h", b"\x1b[?1000l"),
                (b"\x1b[?2004h", b"\x1b[?2004l"),
            )
        )
