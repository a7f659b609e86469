"""Headings of a transcript: what a block is at the left, its figures at the right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from sessiontui.app import format as figures
from sessiontui.app.widgets.transcript.transcript_rows import NARROW, Look, Row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessiontui.app.widgets.transcript.styled_text import Span
    from sessiontui.formats.blocks import Block, Kind

_DOT: list[Span] = [(" ", "text"), ("·", "meta"), (" ", "text")]
_MARKS = {"error": "✗ ", "bad": "! ", "unknown": "? ", "note": "· "}
_STYLES: dict[Kind, tuple[str, str]] = {
    "user": ("user", "detail"),
    "assistant": ("agent", "muted"),
    "tool": ("tool", "detail"),
    "command": ("tool", "detail"),
    "summary": ("summary", "muted"),
    "message": ("message", "muted"),
    "note": ("note", "note-detail"),
    "branch": ("branch", "muted"),
    "error": ("failed", "failed"),
    "unknown": ("message", "muted"),
    "bad": ("failed", "muted"),
}


def heading_row(block: Block, look: Look, unit: int, *, open_now: bool, hides: bool) -> Row:
    """Return a block's first row: what it is at the left, figures at the right."""
    inner = look.inner
    right = _figures(block, look)
    room = inner - _width(right) - 2 * bool(right)
    style, detail_style = _STYLES.get(block.kind, ("message", "muted"))
    if block.error and block.kind != "note":
        style = "failed"
    mark = _MARKS.get(block.kind, "")
    if block.folded is not None and block.kind not in {"error", "bad", "summary"}:
        foldable = block.parts and (open_now or hides)
        if foldable or block.kind in {"tool", "command", "branch"}:
            mark = "▾ " if open_now else "▸ "
    spans: list[Span] = [(mark, "failed" if block.error else "mark")] if mark else []
    heading = cut_end(block.heading, max(4, room - len(mark)))
    spans.append((heading, style))
    left = room - len(mark) - cell_len(heading) - 2
    if block.detail and left >= 4:
        cut = _cut_middle if block.cut == "middle" else cut_end
        spans += [("  ", "text"), (cut(block.detail, left), detail_style)]
    return Row(tuple(spans), right, block=unit, head=True, rule=block.kind in {"summary", "user"})


def _figures(block: Block, look: Look) -> tuple[Span, ...]:
    """Return what stands at the right end of a heading, as much as there is room for."""
    pieces: list[Span] = []
    if block.time_ms is not None and block.kind != "tool":
        when = figures.exact_time(block.time_ms, look.zone)[11:16]
        if block.kind == "user":
            day = figures.clock_time(block.time_ms, look.now_ms, look.zone)
            when = day if ":" in day else f"{day} {when}"
        pieces.append((when, "meta"))
    pieces += [(cut_end(text, 40), "failed" if block.error else "meta") for text in block.meta]
    if block.usage is not None and look.inner >= NARROW:
        if block.usage.tokens:
            pieces.append((figures.tokens(block.usage.tokens) + " tokens", "meta"))
        if block.usage.cost > 0:
            pieces.append((figures.cost(block.usage.cost), "meta"))
    if block.added:
        pieces.append((f"+{block.added}", "added"))
    if block.removed:
        pieces.append((f"\N{MINUS SIGN}{block.removed}", "removed"))
    if block.duration_ms is not None and block.duration_ms >= 100:
        pieces.append((seconds(block.duration_ms), "meta"))
    while pieces and sum(cell_len(text) + 3 for text, _ in pieces) > look.inner // 2:
        del pieces[-1]
    spans: list[Span] = []
    for text, style in pieces:
        if spans:
            joined = style == "removed" and spans[-1][1] == "added"
            spans += [(" ", "text")] if joined else _DOT
        spans.append((text, style))
    return tuple(spans)


def seconds(ms: int) -> str:
    """Return how long something took: `0.3 s`, `42 s`, `4m 12s`, `2h 5m`."""
    if ms < 9_950:
        return f"{ms / 1000:.1f} s"
    if ms < 60_000:
        return f"{ms // 1000} s"
    if ms < 3_600_000:
        return f"{ms // 60_000}m {ms // 1000 % 60}s"
    return f"{ms // 3_600_000}h {ms // 60_000 % 60}m"


def _width(spans: Iterable[Span]) -> int:
    return sum(cell_len(text) for text, _ in spans)


def cut_end(text: str, width: int) -> str:
    """Return `text` in at most `width` cells, its end cut."""
    head = text[: width + 1] if text.isascii() else text[: 8 * width]
    if cell_len(head) <= width and len(head) == len(text):
        return text
    return set_cell_size(head, max(0, width - 1)).rstrip() + "…"


def _cut_middle(text: str, width: int) -> str:
    """Return `text` in at most `width` cells, its middle cut."""
    if cell_len(text) <= width:
        return text
    return figures.cut_middle(text, width) if text.isascii() else cut_end(text, width)
