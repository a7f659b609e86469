"""The driver of the terminal, careful with what comes in.

A byte that is no text, from a terminal that is set to another encoding or out of a paste,
is read as U+FFFD; as Textual reads it, it would end the app. What follows it in a
paste stays part of the paste.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from functools import partial
from typing import TYPE_CHECKING

from textual.drivers import linux_driver

if TYPE_CHECKING:
    from codecs import IncrementalDecoder
    from collections.abc import Callable


def _forgiving(encoding: str) -> Callable[[], IncrementalDecoder]:
    return partial(getincrementaldecoder(encoding), errors="replace")


# Textual offers no other way to say how input is decoded.
vars(linux_driver)["getincrementaldecoder"] = _forgiving


class CarefulDriver(linux_driver.LinuxDriver):
    """Reads what is no text; tells the app of an error that ends the reading."""

    def run_input_thread(self) -> None:
        """Read until the end."""
        from sessiontui.app.app import SessionApp

        try:
            super().run_input_thread()
        except Exception as error:
            if isinstance(self._app, SessionApp):
                self._app.failure = error
            raise
