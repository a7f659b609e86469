"""Our dark and light themes, and the design tokens that every stylesheet may use.

Colour has meaning and little area. The tokens, by meaning:

- `$live`       something happens right now
- `$attention`  it needs the user
- `$failed`     it went wrong
- `$past`       what is over, and what only explains; still easy to read
- `$faint`      what may be overlooked: guides, placeholders
- `$rule`, `$rule-focused`      lines between panes; the second beside the focused one
- `$cursor`, `$cursor-blurred`  background of the chosen row, in the focused pane and elsewhere
- `$match`      characters a filter or a search hit
- `$added`, `$removed`          lines of a change
- `$code-keyword`, `$code-string`, `$code-number`, `$code-name`, `$code-comment`   source code
- `$chrome`     background of header and footer
- `$field`       background of what can be typed into or pressed
- `$dialog`, `$dialog-shade`    background of a dialog, and of what lies behind it

Live, attention, failed and past stay apart on a terminal of 16 colours as well.

What ASCII draws instead of the signs, rules and bars that are more than ASCII.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.filter import LineFilter
from textual.theme import Theme

if TYPE_CHECKING:
    from textual.color import Color

DARK = "sessiontui-dark"
LIGHT = "sessiontui-light"

_DARK_TOKENS = {
    "live": "#4fd08a",
    "attention": "#e8b65a",
    "failed": "#f2777a",
    "past": "#8f97a6",
    "faint": "#5b6373",
    "rule": "#2b303b",
    "rule-focused": "#5b86c4",
    "cursor": "#26374f",
    "cursor-blurred": "#20252f",
    "match": "#e8b65a",
    "added": "#62d088",
    "removed": "#f2777a",
    "code-keyword": "#b79bd6",
    "code-string": "#a3bf8a",
    "code-number": "#d9a27a",
    "code-name": "#82aede",
    "code-comment": "#727b8c",
    "chrome": "#14161b",
    "field": "#2b323f",
    "dialog": "#1d2129",
    "dialog-shade": "#0b0c0f 70%",
}

_LIGHT_TOKENS = {
    "live": "#0a7d3c",
    "attention": "#8f5f00",
    "failed": "#bf2a37",
    "past": "#626977",
    "faint": "#9ba1ad",
    "rule": "#d5d7dc",
    "rule-focused": "#2f66b0",
    "cursor": "#d6e4f7",
    "cursor-blurred": "#ebedf0",
    "match": "#8f5f00",
    "added": "#0a7d3c",
    "removed": "#bf2a37",
    "code-keyword": "#7a3fa8",
    "code-string": "#3f7030",
    "code-number": "#9a5518",
    "code-name": "#2f66b0",
    "code-comment": "#7d8491",
    "chrome": "#fbfbf9",
    "field": "#e9ecf1",
    "dialog": "#ffffff",
    "dialog-shade": "#6b7280 40%",
}


def _shared(tokens: dict[str, str], *, on_cursor: str) -> dict[str, str]:
    """Return the tokens with the Textual variables that follow from them."""
    return tokens | {
        "block-cursor-background": tokens["cursor"],
        "block-cursor-foreground": on_cursor,
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": tokens["cursor-blurred"],
        "border": tokens["rule-focused"],
        "border-blurred": tokens["rule"],
        "scrollbar": tokens["rule"],
        "scrollbar-hover": tokens["faint"],
        "scrollbar-active": tokens["rule-focused"],
        "scrollbar-background": tokens["chrome"],
        "scrollbar-background-hover": tokens["chrome"],
        "scrollbar-background-active": tokens["chrome"],
        "scrollbar-corner-color": tokens["chrome"],
        "input-selection-background": tokens["cursor"],
        "button-focus-text-style": "bold",
    }


def themes() -> tuple[Theme, Theme]:
    """Return our own themes, the dark one first."""
    dark = Theme(
        name=DARK,
        primary="#5b86c4",
        secondary="#8f97a6",
        accent="#4fd08a",
        success="#4fd08a",
        warning="#e8b65a",
        error="#f2777a",
        foreground="#d9dde5",
        background="#14161b",
        surface="#14161b",
        panel="#1d2129",
        dark=True,
        variables=_shared(_DARK_TOKENS, on_cursor="#f4f6fa"),
    )
    light = Theme(
        name=LIGHT,
        primary="#2f66b0",
        secondary="#626977",
        accent="#0a7d3c",
        success="#0a7d3c",
        warning="#8f5f00",
        error="#bf2a37",
        foreground="#22262e",
        background="#fbfbf9",
        surface="#fbfbf9",
        panel="#f1f2f4",
        dark=False,
        variables=_shared(_LIGHT_TOKENS, on_cursor="#101318"),
    )
    return dark, light


def token_defaults(theme: Theme) -> dict[str, str]:
    """Return the tokens for a theme that is not ours, from the colours it has.

    Args:
        theme: The theme in use; what it defines itself wins over these.
    """
    colors = theme.to_color_system().generate()
    foreground = colors["foreground"]
    return {
        "live": colors["success"],
        "attention": colors["warning"],
        "failed": colors["error"],
        "past": f"{foreground} 65%",
        "faint": f"{foreground} 40%",
        "rule": f"{foreground} 18%",
        "rule-focused": colors["primary"],
        "cursor": f"{colors['primary']} 35%",
        "cursor-blurred": f"{foreground} 8%",
        "match": colors["warning"],
        "added": colors["success"],
        "removed": colors["error"],
        "code-keyword": colors["secondary"],
        "code-string": colors["success"],
        "code-number": colors["warning"],
        "code-name": colors["primary"],
        "code-comment": f"{foreground} 50%",
        "chrome": colors["background"],
        "field": f"{foreground} 12%",
        "dialog": colors["panel"],
        "dialog-shade": f"{colors['background']} 70%",
    }


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

ASCII_TABLE: dict[int, str] = (
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
            Segment(text if text.isascii() else text.translate(ASCII_TABLE), style, control)
            for text, style, control in segments
        ]
