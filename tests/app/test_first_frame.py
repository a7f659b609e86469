"""The first line on the screen, before the app is loaded."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from sessiontui.cli.first_frame import _line
from tests.app.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path


def test_the_first_line_names_the_source_before_the_app_is_drawn(tmp_path: Path) -> None:
    with Terminal([str(tmp_path)]) as terminal:
        terminal.until(b"loading")
        before = bytes(terminal.output)
        terminal.until(b"\x1b[?1000h")  # the app takes over and asks for the mouse
        assert before.startswith(b"\x1b[?1049h")
        assert str(tmp_path.name).encode() in before


def test_a_setting_that_cannot_be_used_gives_the_screen_back(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('theme = "no such theme"\n')
    environ = {"SESSIONTUI_CONFIG": str(config)}
    with Terminal([str(tmp_path)], environ=environ) as terminal:
        assert terminal.finish() == 2
        output = bytes(terminal.output)
        assert output.index(b"\x1b[?1049h") < output.index(b"\x1b[?1049l")
        assert b"no such theme" in output.partition(b"\x1b[?1049l")[2]


def test_the_first_line_is_never_wider_than_the_terminal() -> None:
    for width in (1, 12, 40):
        for place in ("~/sessions", "~/" + "long" * 40, "~/" + "漢" * 40):
            left, _, right = _line(place, width, ascii_only=True).partition("\x1b[1;")
            cells = sum(1 if char.isascii() else 2 for char in left)
            assert cells + len(right.partition("H")[2]) <= max(width, len("o loading "))


MOMENTS = {
    "at once": b"\x1b[?1049h",
    "the app takes the screen": b"\x1b[?1000h",
    "the app is drawn": b"sort",
}
"""What has come out when the signal is sent."""

STRUCK = """
import os, signal, sys
from sessiontui.app.app import SessionApp
from sessiontui.cli import main
def strike(number=int(sys.argv.pop())):
    os.kill(os.getpid(), number)
def struck(name):
    method = getattr(SessionApp, name)
    def wrapper(self, *arguments, **keywords):
        strike()
        return method(self, *arguments, **keywords)
    setattr(SessionApp, name, wrapper)
struck(sys.argv.pop(1))
sys.exit(main())
"""
"""Sends itself a signal when a method of the app is called."""


def _gave_back(terminal: Terminal) -> bool:
    output = bytes(terminal.output)
    last = max(output.rfind(b"\x1b[?1049h"), output.rfind(b"\x1b[?25l"))
    return min(output.rfind(b"\x1b[?1049l"), output.rfind(b"\x1b[?25h")) > last


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_at_any_moment_gives_the_screen_back(
    tmp_path: Path, number: signal.Signals, moment: str
) -> None:
    with Terminal([str(tmp_path)], environ={"HOME": str(tmp_path)}) as terminal:
        terminal.until(MOMENTS[moment])
        os.kill(terminal.process.pid, number)
        assert terminal.finish() == 128 + number
        assert _gave_back(terminal)
        assert b"Traceback" not in terminal.output


@pytest.mark.parametrize("method", ["__init__", "run_async", "get_default_screen", "compose"])
def test_a_signal_while_the_app_begins_gives_the_screen_back(tmp_path: Path, method: str) -> None:
    number = signal.SIGTERM
    with Terminal(
        [method, str(tmp_path), str(int(number))],
        program=("-c", STRUCK),
        environ={"HOME": str(tmp_path)},
    ) as terminal:
        assert terminal.finish() == 128 + number
        assert _gave_back(terminal)
        assert b"Traceback" not in terminal.output
