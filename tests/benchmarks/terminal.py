"""Run a command in a terminal of its own and wait for what it shows."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from tests.benchmarks.harness import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_S: Final = 120.0
_STOP_S: Final = 10.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Terminal:
    """The master side of a pseudo terminal with a process on the other."""

    def __init__(self, descriptor: int, pid: int) -> None:
        self.descriptor = descriptor
        self.pid = pid
        self.output = bytearray()

    def wait_for(self, *shown: bytes, since: int = 0) -> float:
        """Read until every one of `shown` came out; return the monotonic time of that."""
        deadline = time.monotonic() + _LONGEST_S
        while not all(self.output.find(text, since) >= 0 for text in shown):
            left = deadline - time.monotonic()
            expect(left > 0, f"never shown: {shown!r}")
            self.read(left)
        return time.monotonic()

    def read(self, timeout_s: float) -> bool:
        """Take what comes within `timeout_s` seconds, at most one chunk; tell whether any did."""
        if not select.select([self.descriptor], [], [], timeout_s)[0]:
            return False
        data = b""
        with suppress(OSError):
            data = os.read(self.descriptor, 65_536)
        expect(data, "the program ended early: " + self.output[-300:].decode(errors="replace"))
        self.output += data
        return True

    def read_for(self, seconds: float) -> None:
        """Take what comes for so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.read(left)

    def read_until_still(self, seconds: float) -> None:
        """Take what comes until nothing came for so long."""
        while self.read(seconds):
            pass

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self.descriptor, keys)

    def cpu_seconds(self) -> float:
        """Return how much processor time the program has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_mb(self) -> float:
        """Return how much memory the program holds, in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(found[1]) / 1000 if found else float("nan")

    def rest(self) -> None:
        """Wait until the program has nothing to do any more."""
        quiet = 0
        before = self.cpu_seconds()
        while quiet < 3:
            self.read_for(1.0)
            now = self.cpu_seconds()
            quiet = quiet + 1 if now - before < 0.1 else 0
            before = now


@contextmanager
def terminal(
    *arguments: str, size: tuple[int, int] = (120, 36), module: str = "sessiontui"
) -> Iterator[Terminal]:
    """Run `python -m MODULE ARGUMENTS` in a terminal; end it at the end.

    Args:
        arguments: The program's.
        size: Columns and rows.
        module: The program.
    """
    with TemporaryDirectory(prefix="sessiontui-bench-home-") as home:
        pid, descriptor = pty.fork()
        if pid == 0:
            os.execve(sys.executable, [sys.executable, "-m", module, *arguments], _environ(home))
        columns, rows = size
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        try:
            yield Terminal(descriptor, pid)
        finally:
            _end(pid, descriptor)


def _environ(home: str) -> dict[str, str]:
    """Return an environment in which nothing is remembered and nothing of the user's touched.

    Python may keep what it compiled, as it does for whoever starts the program twice.
    """
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("SESSIONTUI_", "TEXTUAL", "NO_COLOR", "PYTHONDONTWRITE"))
    }
    places = {f"XDG_{kind}_HOME": home for kind in ("CACHE", "CONFIG", "DATA", "STATE")}
    return kept | places | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


def _end(pid: int, descriptor: int) -> None:
    """End the program, and read on meanwhile so that it is not held up by a full terminal."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_S
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            break
        if select.select([descriptor], [], [], 0.01)[0]:
            try:
                os.read(descriptor, 65_536)
            except OSError:
                time.sleep(0.01)
    os.close(descriptor)


def until_shown(*arguments: str, shown: bytes, module: str = "sessiontui") -> float:
    """Return the seconds from the start of the program until `shown` came out."""
    start = time.monotonic()
    with terminal(*arguments, module=module) as screen:
        return screen.wait_for(shown) - start
