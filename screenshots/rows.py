"""Pictures as Textual exports them: made the same in every viewer, and read as rows of text."""

from __future__ import annotations

import html
import re

from rich.cells import cell_len

_CELL_WIDTH = 12.2
_LINE_HEIGHT = 24.4
_TEXT = re.compile(
    r'<text class="[^"]*-r\d+" x="([\d.]+)" y="([\d.]+)" textLength="[\d.]+"[^>]*>([^<]*)</text>'
)


_LEADING = re.compile(r'x="([\d.]+)" (y="[\d.]+") textLength="([\d.]+)"([^>]*)>((?:&#160;)+)')
_FETCHED = re.compile(r",\s*url\([^)]*\) format\([^)]*\)")


def portable(svg: str) -> str:
    """Return the picture for viewers that drop blanks in front of text; it fetches no fonts."""

    def moved(match: re.Match[str]) -> str:
        x, y, length, rest, blanks = match.groups()
        width = len(blanks) // len("&#160;") * _CELL_WIDTH
        return (
            f'x="{round(float(x) + width, 1):g}" {y} '
            f'textLength="{round(float(length) - width, 1):g}"{rest}>'
        )

    return _FETCHED.sub("", _LEADING.sub(moved, svg))


def text_rows(svg: str) -> list[str]:
    """Return what the terminal shows in a picture, row by row, without blanks at the ends."""
    rows: dict[int, list[str]] = {}
    for x, y, escaped in _TEXT.findall(svg):
        row = rows.setdefault(int(float(y) / _LINE_HEIGHT), [])
        at = round(float(x) / _CELL_WIDTH)
        for character in html.unescape(escaped).replace("\xa0", " "):
            row.extend(" " * (at + 1 - len(row)))
            width = cell_len(character)
            if width == 0:
                row[max(0, at - 1)] += character
                continue
            row[at] = character
            row.extend([""] * (at + width - len(row)))
            at += width
    return ["".join(rows.get(number, ())).rstrip() for number in range(max(rows, default=-1) + 1)]
