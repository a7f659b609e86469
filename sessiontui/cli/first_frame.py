"""The first frame: the app's header, drawn before the app itself is loaded.

Loading what draws the app takes some tenths of a second. Until then there is
the header's line on the screen that the app takes over when it starts.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from sessiontui.text import clean

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J\x1b[H"
_LEAVE = "\x1b[?25h\x1b[?1049l"


def enter(place: str, *, ascii_only: bool) -> None:
    """Switch to the screen of the app and show where the sessions come from.

    Args:
        place: The source, without any secret.
        ascii_only: Whether to write with ASCII characters alone.
    """
    width = os.get_terminal_size().columns
    _write(_ENTER + _line(clean(place), width, ascii_only=ascii_only))


def leave() -> None:
    """Switch back: the app, which would do it at its end, has not begun."""
    with suppress(OSError):
        _write(_LEAVE)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _line(place: str, width: int, *, ascii_only: bool) -> str:
    """Return the line, cut where the terminal ends; wide characters count as two at most."""
    right = f"{'o' if ascii_only else '◌'} loading "
    left = f" sessiontui  {place}"
    room = width - len(right) - 1
    if not left.isascii():
        room //= 2
    left = left[: max(0, room)]
    column = max(1, width - len(right) + 1)
    return f"{left}\x1b[1;{column}H{right}"
