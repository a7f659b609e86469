"""What ASCII draws instead of the signs, rules and bars that are more than ASCII."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.filter import LineFilter

if TYPE_CHECKING:
    from textual.color import Color

_LIKENESS = {
    "…": "~",
    "·▪": "-",
    "•●": "*",
    "○◌☐": "o",
    "◐": "?",
    "✓": "+",
    "✗☑\u00d7": "x",
    "⊘": "/",
    "⑂": "Y",
    "▸▶→⏎": ">",
    "←": "<",
    "▾▼↓": "v",
    "▴▲↑": "^",
    "“”„": '"',
    "\u2018\u2019": "'",
    "\u2013—\u2212─━": "-",
    "═": "=",
    "▨": "#",
    "│┃║▌▍▎▏": "|",
}
_LINES, _BLOCKS = range(0x2500, 0x2580), range(0x2580, 0x25A0)
_CONTROL_PICTURES = range(0x2400, 0x2440)

TABLE: dict[int, str] = (
    dict.fromkeys(_LINES, "+")
    | dict.fromkeys(_BLOCKS, " ")
    | dict.fromkeys(_CONTROL_PICTURES, "?")
    | {ord(sign): plain for signs, plain in _LIKENESS.items() for sign in signs}
)
"""By code point the character that stands for it; each is one cell wide, as what it replaces."""


class AsciiFilter(LineFilter):
    """Draws every line with the signs of ASCII; letters of any script stay as they are."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        """Return the segments, as wide as before."""
        return [
            Segment(text if text.isascii() else text.translate(TABLE), style, control)
            for text, style, control in segments
        ]
