"""Whether the terminal is still there, and what happens where it is not.

The system tells only the process that leads the terminal's session when its window is
closed; all others find out when they read or write. `hang_up` makes both the same.
"""

from __future__ import annotations

import errno
import os
import signal
import termios
from typing import Final

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
