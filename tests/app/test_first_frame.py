"""The first line on the screen, before the app is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
