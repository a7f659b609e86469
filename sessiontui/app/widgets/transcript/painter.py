"""The painter of transcript rows: from rows to strips; the one place that knows colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.cache import LRUCache
from textual.strip import Strip

from sessiontui.app.widgets.transcript.layout import GUTTER, MARGIN, TextRow
from sessiontui.app.widgets.transcript.styled_text import slice_spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.style import Style

    from sessiontui.app.widgets.transcript.styled_text import Span
    from sessiontui.transcript.search import TextQuery

PREFIX = "transcript--"
STYLES = (
    "user", "agent", "tool", "summary", "message", "note", "note-detail", "branch", "detail",
    "mark", "meta",
    "text", "strong", "emphasis", "inline-code", "title", "link", "quote", "marker", "code",
    "code-keyword", "code-string", "code-number", "code-name", "code-comment",
    "thinking", "output", "source", "json", "raw", "added", "removed", "failed", "failed-text",
    "muted", "more", "faint", "rule", "cursor", "cursor-blurred", "notice", "notice-hint",
    "match", "match-mark",
)  # fmt: skip
"""What the stylesheet gives a colour, each as the component class `transcript--…`."""

MAX_STRIPS = 512

GutterMark = Literal["", "cursor", "cursor-blurred"]
"""What stands left of a row: the mark of the current entry in one of two colours."""


class Painter:
    """Paints rows as strips, and caches them.

    Args:
        style: Returns the style of a component class.
    """

    def __init__(self, style: Callable[[str], Style]) -> None:
        self._style = style
        self._styles: dict[str, Style] = {}
        self._strips: LRUCache[tuple[int, int, int, GutterMark], Strip] = LRUCache(MAX_STRIPS)
        self._sought: TextQuery | None = None

    def light(self, sought: TextQuery | None) -> None:
        """Light up what is looked for, or nothing."""
        self._sought = sought
        self._strips.clear()

    def clear(self) -> None:
        """Forget every colour."""
        self._styles.clear()
        self._strips.clear()

    def style(self, name: str) -> Style:
        """Return the style of a name in `STYLES`."""
        style = self._styles.get(name)
        if style is None:
            style = self._styles[name] = self._style(PREFIX + name)
        return style

    def strip(self, serial: int, number: int, row: TextRow, width: int, mark: GutterMark) -> Strip:
        """Return a row as a strip.

        Args:
            serial: Of the laid-out line, never used for another.
            number: Of the row in that line.
            row: What it says.
            width: Cells of the strip.
            mark: What stands left of it.
        """
        key = (serial, number, width, mark)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._make(row, width, mark)
        return strip

    def _make(self, row: TextRow, width: int, mark: GutterMark) -> Strip:
        # Blanks get a style of their own: where they are joined with the text that
        # follows, an exported picture loses them.
        blank = self.style("faint")
        edge = Segment("▎" + " " * (GUTTER - 1), self.style(mark)) if mark else None
        segments = [edge or Segment(" " * GUTTER, blank)]
        used = GUTTER + MARGIN
        for text, style in self._lit(row):
            words = text.lstrip(" ")
            if len(words) < len(text):
                segments.append(Segment(" " * (len(text) - len(words)), blank))
            if words:
                segments.append(Segment(words, self.style(style)))
            used += cell_len(text)
        gap = width - used - sum(cell_len(text) for text, _ in row.right)
        rule = gap - 2 if row.rule and gap > 3 else 0
        if rule:
            line = Segment("─" * rule, self.style("rule"))
            segments += [Segment(" ", blank), line, Segment(" ", blank)]
        elif gap > 0:
            segments.append(Segment(" " * gap, blank))
        segments += [Segment(text, self.style(style)) for text, style in row.right]
        return Strip(segments).adjust_cell_length(width, blank)

    def _lit(self, row: TextRow) -> Iterable[Span]:
        """Return the spans of a row; what is looked for has a style of its own."""
        if self._sought is None:
            return row.spans
        found: list[Span] = []
        position, text = 0, row.text
        for start, stop in self._sought.spans(text):
            found += slice_spans(row.spans, position, start)
            found.append((text[start:stop], "match"))
            position = stop
        return (*found, *slice_spans(row.spans, position, len(text))) if position else row.spans

    def marked(self, strip: Strip) -> Strip:
        """Return a strip with a mark in its last cell, beside the scroll bar."""
        mark = Strip([Segment("▐", self.style("match-mark"))], 1)
        return Strip.join([strip.crop(0, strip.cell_length - 1), mark])

    def notice(self, text: str, style: str, width: int) -> Strip:
        """Return one line of text in the middle."""
        shown = text if cell_len(text) <= width else set_cell_size(text, max(0, width))
        left = (width - cell_len(shown)) // 2
        blank = self.style("faint")
        segments = [Segment(" " * left, blank), Segment(shown, self.style(style))]
        return Strip(segments).adjust_cell_length(width, blank)
