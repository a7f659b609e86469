"""Writes for whoever reads: a person at a terminal, or a program in a pipe.

Text from sessions is made safe in both; stored bytes go out unchanged only
where they were asked for (`write_bytes`). Colour goes to terminals alone, and
not where `$NO_COLOR` is set. Progress is shown on stderr, to a person at a terminal.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from sessiontui.cli.runner import FAILED, INTERRUPTED, is_terminal, print_error
from sessiontui.progress import Progress
from sessiontui.workspace.events import told_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sessiontui.app.format import Tone
    from sessiontui.workspace import Outcome

_COLOURS: dict[Tone, str | None] = {
    "live": "green",
    "attention": "yellow",
    "failed": "red",
    "past": "bright_black",
    "plain": None,
}


class Output:
    """Standard output, and whether a person looks at it."""

    def __init__(self) -> None:
        """Look at standard output once."""
        self.terminal = is_terminal(sys.stdout)
        self._coloured = (
            self.terminal
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM", "dumb") != "dumb"
        )

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return shutil.get_terminal_size().columns

    def line(self, text: str = "") -> None:
        """Write a line that is safe to show already."""
        sys.stdout.write(text + "\n")

    def flush(self) -> None:
        """Let the reader have what was written so far."""
        sys.stdout.flush()

    def style(self, text: str, *, tone: Tone = "plain", bold: bool = False) -> str:
        """Return `text` in the colour of its meaning, where colour is shown."""
        if not self._coloured or not text:
            return text
        return click.style(text, fg=_COLOURS[tone], bold=bold or None)

    def json_array(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Write one array, an object a line; plain ASCII, so safe everywhere."""
        with self.json_items() as write:
            for item in items:
                write(item)

    def json_object(self, item: Mapping[str, Any]) -> None:
        """Write one object; plain ASCII, so safe everywhere."""
        sys.stdout.write(json.dumps(item, separators=(", ", ": ")) + "\n")

    @contextmanager
    def json_items(self) -> Iterator[Callable[[Mapping[str, Any]], None]]:
        """Yield what writes an object of one array, as they come; see `json_array`."""
        separator = "[\n"

        def write(item: Mapping[str, Any]) -> None:
            nonlocal separator
            sys.stdout.write(separator + json.dumps(item, separators=(", ", ": ")))
            separator = ",\n"

        yield write
        sys.stdout.write("[]\n" if separator == "[\n" else "\n]\n")


def write_bytes(data: bytes) -> None:
    """Write bytes as they are; whoever follows gets them at once."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


_EVERY_S: Final = 0.1
_LEAST: Final = 10
"""Below so many parts nothing is told."""
_MOST_FAILURES: Final = 20
"""How many failures are told one by one."""


class StatusLine:
    """One line on stderr, written over again and again; nothing where that is no terminal."""

    def __init__(self) -> None:
        self.shown = is_terminal(sys.stderr)
        """Whether there is anybody to read it."""
        self._last = ""

    def show(self, text: str) -> None:
        """Put a safe text in the place of the last; an empty one takes the line away."""
        if self.shown and text != self._last:
            sys.stderr.write(f"\r{text}\x1b[K")
            sys.stderr.flush()
            self._last = text


@contextmanager
def show_progress(doing: str) -> Iterator[Progress]:
    """Yield a progress that is shown on stderr, if that is a terminal; Ctrl-C stops it in order.

    Args:
        doing: What is done, one word: `deleting`.
    """
    progress = Progress()
    loop = asyncio.get_running_loop()
    line = StatusLine()
    last = 0.0

    def told() -> None:
        nonlocal last
        now = time.monotonic()
        if progress.total >= _LEAST and now - last >= _EVERY_S:
            last = now
            line.show(f"{doing} {progress.done:,} of {progress.total:,}")

    if line.shown:
        progress.listen(told)
    loop.add_signal_handler(signal.SIGINT, progress.stop)
    try:
        yield progress
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        line.show("")


def print_failures(outcome: Outcome[Any], names: Mapping[str, str], done: str) -> int:
    """Say on stderr what was not done and why; return the exit code.

    Args:
        outcome: What came of it.
        names: What the sessions are called, by path; safe to show.
        done: What was to be done to them: `deleted`.
    """
    for failure in outcome.failed[:_MOST_FAILURES]:
        name = names.get(failure.path, failure.path)
        print_error(f"not {done}: {told_once(name, failure.error)}")
    if (more := len(outcome.failed) - _MOST_FAILURES) > 0:
        print_error(f"and {more:,} more failed")
    if outcome.left:
        print_error(f"stopped: {len(outcome.left):,} not {done}")
        return INTERRUPTED if not outcome.failed else FAILED
    return FAILED if outcome.failed else 0
