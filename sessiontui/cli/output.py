"""Writes for whoever reads: a person at a terminal, or a program in a pipe.

Text from sessions is made safe in both; stored bytes go out unchanged only
where they were asked for (`write_bytes`). Colour goes to terminals alone, and
not where `$NO_COLOR` is set.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from sessiontui.cli.runner import is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sessiontui.app.format import Tone

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
