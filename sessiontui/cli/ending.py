"""Ends the app's process: when it is asked to, and when its terminal is closed; in order, or else.

In order means that the loop ends, what is pending is kept and the terminal is given back.
That can take too long: the loop may be busy, and a thread that waits inside the system
(for a disk that is away, for a terminal that takes nothing) cannot be ended, while Python
waits for its threads. So a thread of this module has a clock. When the time is over it
keeps what is pending, gives the terminal back and ends the process on the spot.
"""

from __future__ import annotations

import math
import os
import select
import signal
import struct
import sys
import termios
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from sessiontui.app.terminal import HUNG_UP, LEAVE_SCREEN, hang_up, is_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType

_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_HURRY_S: Final = 1.0
"""How long ending in order may take without a terminal, or when somebody asks twice."""
_ORDER_S: Final = 15.0
"""How long it may take otherwise: longer than closing waits for writes that are pending."""
_LOOK_S: Final = 0.25
"""How often the terminal is looked at where the system does not tell of its end."""
_KEEP_S: Final = 5.0
"""How long it may take to keep what is pending; a disk that is away never ends."""
_SAY_S: Final = 0.3
"""How long a terminal may take the last words; one that is stuck never takes them."""
_LIMIT: Final = struct.Struct("=di")
"""When the time is over, and the exit code then."""


class Ending:
    """Ends the process in order, and by force where that takes too long.

    Entered before the terminal is changed, left when all is closed and kept.
    """

    def __init__(self) -> None:
        self.hung_up = False
        """Whether the terminal was closed, or a signal said so."""
        self.last_act: Callable[[], str] = str
        """Keeps what is pending before the process is ended by force; returns what to say.

        It is called in another thread, at any moment.
        """
        self._keyboard = sys.__stdin__.fileno() if sys.__stdin__ is not None else 0
        self._modes: list[Any] | None = None
        self._end: Callable[[int], None] | None = None
        self._is_leaving = False
        self._told, self._tell = os.pipe()

    def __enter__(self) -> Self:
        _close_other_terminals()
        with suppress(termios.error):
            self._modes = termios.tcgetattr(self._keyboard)
        for number in _SIGNALS:
            signal.signal(number, self._signalled)
        threading.Thread(target=self._watch, name="sessiontui-ending", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let Python end its threads, for so long; what it says goes nowhere without a terminal.

        Raises:
            SystemExit: The terminal was closed, and nobody is told of an error therefore.
        """
        self._is_leaving = True
        code = 0 if error is None else getattr(error, "exit_code", 1)
        if isinstance(error, SystemExit) and isinstance(error.code, int):
            code = error.code
        self._let_go()
        if self.hung_up:
            self.within(_HURRY_S, HUNG_UP)
            if not isinstance(error, SystemExit):
                raise SystemExit(HUNG_UP) from None
        self.within(_HURRY_S, code)

    def within(self, seconds: float, code: int) -> None:
        """End the process by force after a while; what was said before stays where it is sooner."""
        os.write(self._tell, _LIMIT.pack(time.monotonic() + seconds, code))

    @contextmanager
    def through(self, end: Callable[[int], None]) -> Iterator[None]:
        """Let `end` be called, in the loop, with the exit code that a signal asks for.

        Before, a signal ends the process at once; whoever holds something gives it back on
        the way. Afterwards there is nothing left to end, but it gets a hurry on.
        """
        import asyncio

        loop = asyncio.get_running_loop()

        def ask(code: int) -> None:
            loop.call_soon_threadsafe(end, code)

        self._end = ask
        try:
            yield
        finally:
            self._is_leaving = True
            self._end = None
            self._let_go()
            self.within(_HURRY_S if self.hung_up else _ORDER_S, HUNG_UP if self.hung_up else 1)

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        code = 128 + number
        self.hung_up = self.hung_up or code == HUNG_UP
        if self._is_leaving or self._end is None or code == HUNG_UP:
            self.within(_HURRY_S, code)
        elif number == signal.SIGTERM:
            self.within(_ORDER_S, code)
        if self._end is not None:
            self._end(code)
        elif not self._is_leaving:
            self._is_leaving = True
            raise SystemExit(code)

    def _let_go(self) -> None:
        """Let what is still to be said go nowhere where the terminal is gone."""
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream is not None and is_gone(stream.fileno()):
                self.hung_up = True
                sink = os.open(os.devnull, os.O_WRONLY)
                os.dup2(sink, stream.fileno())
                os.close(sink)

    # In the thread that has the clock.

    def _watch(self) -> None:
        """Look at terminal and clock until the process ends."""
        sources = select.poll()
        sources.register(self._told, select.POLLIN)
        sources.register(self._keyboard, 0)  # Nothing is read: only its end is told.
        limit, code = math.inf, 1
        is_there = True
        while (left := limit - time.monotonic()) > 0:
            wait = min(left, _LOOK_S if is_there else 3600.0)
            for source, _event in sources.poll(math.ceil(wait * 1000)):
                if source == self._told:
                    told = _LIMIT.unpack(os.read(source, _LIMIT.size))
                    limit, code = min((limit, code), told)
                else:
                    sources.unregister(source)
            if is_there and is_gone(self._keyboard):
                is_there = False
                limit, code = min((limit, code), (time.monotonic() + _HURRY_S, HUNG_UP))
                hang_up()
        self._force(code)

    def _force(self, code: int) -> None:
        """End the process; nothing that fails or waits on the way keeps it."""
        words: list[str] = []
        _try(lambda: words.append(self.last_act()), _KEEP_S)
        if not is_gone(self._keyboard):
            _try(lambda: self._give_back("".join(words)), _SAY_S)
        os._exit(code)

    def _give_back(self, words: str) -> None:
        """Leave the terminal as it was, and say something there."""
        if not self._is_leaving:
            words = LEAVE_SCREEN + words
            if self._modes is not None:
                termios.tcsetattr(self._keyboard, termios.TCSANOW, self._modes)
        os.write(2, words.encode())


def _close_other_terminals() -> None:
    """Close the controlling side of any terminal that our parent left open for us.

    A terminal hangs up when the last descriptor of that side is closed. While we held one, the
    window it belongs to could close and whatever runs there would never hear of it.
    """
    with suppress(OSError):
        controlling = Path("/dev/ptmx").stat().st_rdev
        for descriptor in [int(entry.name) for entry in Path("/dev/fd").iterdir()]:
            with suppress(OSError):  # The descriptor of the listing itself is closed by now.
                if descriptor > 2 and os.fstat(descriptor).st_rdev == controlling:
                    os.close(descriptor)


def _try(act: Callable[[], None], seconds: float) -> None:
    """Do something for so long."""
    trying = threading.Thread(target=act, daemon=True)
    trying.start()
    trying.join(seconds)
