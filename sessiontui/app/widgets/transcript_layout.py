"""The rows that a line of a session takes at one width: headings, bodies, folds.

A row is text in named styles; nothing here knows a colour or a screen. Rows of
one line depend on that line, on which group of blocks comes before it, and on the
`Look`; on nothing else, so they can be made when they come into view.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, set_cell_size

from sessiontui.app import format as figures
from sessiontui.app.widgets.transcript_text import (
    Span,
    StyledLine,
    break_points,
    diff_lines,
    markdown_lines,
    plain_lines,
    slice_spans,
)
from sessiontui.models.text import clean
from sessiontui.transcript.values import MAX_LINES, Block, Group, Kind, Part, group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import tzinfo

    from sessiontui.transcript.pages import Line

MAX_ROWS = MAX_LINES
"""How many rows one line of a session takes at most."""
GUTTER = 2
"""Cells left of the text: the mark of the current entry, and a space."""
MARGIN = 1
"""Cells right of it."""
NARROW = 56
"""Below this many cells indents shrink and headings say less."""


@dataclass(frozen=True, slots=True)
class Look:
    """How the reader wants to see a session."""

    width: int = 80
    """Cells, with gutter and margin."""
    now_ms: int = 0
    """What counts as today."""
    zone: tzinfo | None = None
    """Time zone of the times shown; None for the local one."""
    wrap: bool = True
    raw: bool = False
    """Show the stored lines instead of entries."""
    thinking: bool = True

    @property
    def inner(self) -> int:
        """Cells for text."""
        return max(8, self.width - GUTTER - MARGIN)


class Row(NamedTuple):
    """One row on the screen, without gutter and margin."""

    spans: tuple[Span, ...]
    right: tuple[Span, ...] = ()
    """Aligned to the right end."""
    block: int = -1
    """Number of the block in its line that the row belongs to; -1 between blocks."""
    head: bool = False
    """Whether it is where the block is folded and unfolded."""
    joined: bool = False
    """Whether it continues the line of the row before."""
    rule: bool = False
    """Whether a line is drawn between `spans` and `right`."""

    @property
    def text(self) -> str:
        """What it says, without what is aligned to the right."""
        return "".join(text for text, _ in self.spans)


BLANK = Row(())


def rows_of(
    blocks: Sequence[Block],
    look: Look,
    is_open: Callable[[int, Block], bool],
    above: Group | None,
) -> tuple[Row, ...]:
    """Return the rows of the blocks of one line.

    Args:
        blocks: From `Document.blocks`.
        look: Width and what to show.
        is_open: Tells of block number and block whether it is unfolded.
        above: What the line before shows last; None if nothing is before.
    """
    rows: list[Row] = []
    for number, block in enumerate(blocks):
        if not look.thinking and (block.kind == "thinking" or block.silent):
            continue
        kind = group(block)
        attached = rows and blocks[number - 1].kind == "assistant" and block.kind != "tool"
        if above is not None and not attached and (kind == "prose" or kind != above):
            rows.append(BLANK)
        above = kind
        unit = number
        if block.kind == "assistant" and number + 1 < len(blocks):
            unit += blocks[number + 1].kind in {"text", "thinking"}
        open_now = is_open(number, block)
        if block.heading:
            rows.append(_heading(block, look, unit, open_now=open_now))
        rows += _body(block, look, number, MAX_ROWS - len(rows), open_now=open_now)
        if len(rows) >= MAX_ROWS:
            break
    return tuple(rows)


def raw_rows(line: Line, look: Look) -> tuple[Row, ...]:
    """Return a stored line as it is, made safe to show; its end cut beyond `MAX_ROWS`."""
    if not line.begun:
        return (Row((("… the beginning of this line has not been read yet", "muted"),), block=0),)
    text = clean(line.raw[: MAX_ROWS * look.inner * 4].decode("utf-8", "replace"))
    if not look.wrap:
        return (Row(((_cut(text, look.inner), "raw"),), block=0, head=True),)
    breaks = break_points(text[: MAX_ROWS * look.inner], look.inner, words=False)
    rows = [
        Row(((text[start:stop], "raw"),), block=0, head=not start, joined=start > 0)
        for start, stop in breaks[:MAX_ROWS]
    ]
    shown = len(text[: breaks[: len(rows)][-1][1]].encode("utf-8", "replace"))
    if len(line.raw) < line.size or len(text) > breaks[: len(rows)][-1][1]:
        left = figures.size(max(1, line.size - shown))
        rows.append(Row(((f"… {left} more (open in pager)", "muted"),), block=0))
    return tuple(rows)


def blank_rows(count: int) -> tuple[Row, ...]:
    """Return one row in the place of several empty lines."""
    words = figures.counted(count, "empty line")
    return (Row(((f"… {words}", "muted"),), block=0),)


# -- headings

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
    "error": ("failed", "failed"),
    "unknown": ("message", "muted"),
    "bad": ("failed", "muted"),
}


def _heading(block: Block, look: Look, unit: int, *, open_now: bool) -> Row:
    """Return a block's first row: what it is at the left, figures at the right."""
    inner = look.inner
    right = _figures(block, look)
    room = inner - _width(right) - 2 * bool(right)
    style, detail_style = _STYLES.get(block.kind, ("message", "muted"))
    if block.error and block.kind != "note":
        style = "failed"
    mark = _MARKS.get(block.kind, "")
    if block.folded is not None and block.kind not in {"error", "bad", "unknown", "summary"}:
        foldable = block.parts or block.kind in {"tool", "command"}
        mark = ("▾ " if open_now else "▸ ") if foldable else mark
    spans: list[Span] = [(mark, "failed" if block.error else "mark")] if mark else []
    heading = _cut(block.heading, max(4, room - len(mark)))
    spans.append((heading, style))
    left = room - len(mark) - cell_len(heading) - 2
    if block.detail and left >= 4:
        cut = _cut_middle if block.cut == "middle" else _cut
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
    pieces += [(_cut(text, 40), "failed" if block.error else "meta") for text in block.meta]
    if block.usage is not None and look.inner >= NARROW:
        if block.usage.tokens:
            pieces.append((figures.tokens(block.usage.tokens) + " tokens", "meta"))
        if block.usage.cost > 0:
            pieces.append((figures.cost(block.usage.cost), "meta"))
    if block.added or block.removed:
        pieces.append((f"+{block.added}", "added"))
        pieces.append((f"\N{MINUS SIGN}{block.removed}", "removed"))
    if block.duration_ms is not None and block.duration_ms >= 100:
        pieces.append((seconds(block.duration_ms), "meta"))
    while pieces and sum(cell_len(text) + 3 for text, _ in pieces) > look.inner // 2:
        del pieces[-1]
    spans: list[Span] = []
    for text, style in pieces:
        if spans:
            spans += [(" ", "text")] if style == "removed" else _DOT
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


def _cut(text: str, width: int) -> str:
    """Return `text` in at most `width` cells, its end cut."""
    head = text[: width + 1] if text.isascii() else text[: 8 * width]
    if cell_len(head) <= width and len(head) == len(text):
        return text
    return set_cell_size(head, max(0, width - 1)).rstrip() + "…"


def _cut_middle(text: str, width: int) -> str:
    """Return `text` in at most `width` cells, its middle cut."""
    if cell_len(text) <= width:
        return text
    return figures.cut_middle(text, width) if text.isascii() else _cut(text, width)


# -- bodies


def _body(block: Block, look: Look, number: int, room: int, *, open_now: bool) -> Iterator[Row]:
    """Yield the rows beneath a heading, folded or not; never more than `room` and one."""
    if not block.parts and not block.brief:
        return
    folded = block.folded is not None and not open_now
    parts = block.parts if not folded or block.brief is None else block.brief
    limit = min(room, block.folded) if folded and block.folded is not None else room
    indent = _indent(block, look)
    if folded and block.from_end:
        yield from _last_rows(parts, look, number, indent, limit, error=block.error)
        return
    lines = _styled(parts, error=block.error and block.kind != "bad")
    if folded and limit <= 0:
        return
    yield from _first_rows(lines, block, parts, look, number, indent, limit, folded=folded)


def _first_rows(
    lines: Iterator[StyledLine],
    block: Block,
    parts: Sequence[Part],
    look: Look,
    number: int,
    indent: int,
    limit: int,
    *,
    folded: bool,
) -> Iterator[Row]:
    """Yield the first rows, and how many lines there are more; one row over beats saying so."""
    rows: list[Row] = []
    ends: list[int] = []
    for line in lines:
        rows += _wrapped(line, look, number, indent, limit + 2 - len(rows))
        ends.append(len(rows))
        if len(rows) > limit + 1:
            rows = rows[:limit]
            hidden = _count(block.parts) - sum(end <= limit for end in ends)
            break
    else:
        hidden = sum(part.more for part in parts)
        if folded and block.brief is not None:
            hidden = _count(block.parts) - _count(parts) + hidden
    if hidden <= 0:
        yield from rows
        return
    yield from rows
    if folded and block.brief == ():
        return
    words = f"… {figures.counted(hidden, 'more line')}"
    if not folded:
        words += " (open in pager)"
    yield Row(_indented(indent, ((words, "more"),)), block=number, head=True)


def _count(parts: Iterable[Part]) -> int:
    return sum(len(part.lines) + part.more for part in parts)


def _last_rows(
    parts: Sequence[Part], look: Look, number: int, indent: int, limit: int, *, error: bool
) -> Iterator[Row]:
    """Yield the last rows of the last part, and before them how many lines there are above."""
    if not parts:
        return
    part = parts[-1]
    tail = [line for line in (part.last if part.more else part.lines) if line.strip()]
    rows: list[Row] = []
    taken = 0
    for line in reversed(tail):
        styled = next(plain_lines((line,), "failed-text" if error else "output"))
        new = _wrapped(styled, look, number, indent, limit + 2)
        if taken and len(rows) + len(new) > limit:
            break
        rows[:0] = new[: max(1, limit)]
        taken += 1
    above = (len(part.lines) + part.more if part.more else len(tail)) - taken
    if above == 1 and not part.more:
        styled = next(plain_lines((tail[0],), "failed-text" if error else "output"))
        first = _wrapped(styled, look, number, indent, 2)
        if len(first) == 1:
            rows[:0], above = first, 0
    if above > 0:
        words = f"… {figures.counted(above, 'line')} above"
        yield Row(_indented(indent, ((words, "more"),)), block=number, head=True)
    yield from rows


def _styled(parts: Iterable[Part], *, error: bool) -> Iterator[StyledLine]:
    """Yield the lines of a body in the styles of their format."""
    for part in parts:
        if part.format == "markdown":
            yield from markdown_lines(part.lines)
        elif part.format == "thinking":
            for line in markdown_lines(part.lines):
                spans = tuple((text, "thinking") for text, _ in line.spans)
                yield line._replace(spans=spans)
        elif part.format == "diff":
            yield from diff_lines(part.lines)
        elif part.format == "plain":
            yield from plain_lines(part.lines, "failed-text" if error else "output")
        else:
            styles = {"code": "source", "json": "json", "note": "muted"}
            yield from plain_lines(part.lines, styles[part.format])


def _indent(block: Block, look: Look) -> int:
    if block.kind in {"tool", "command", "note", "error", "bad", "unknown"}:
        return 4 if look.inner >= NARROW else 2
    return 0


def _wrapped(line: StyledLine, look: Look, number: int, indent: int, most: int) -> list[Row]:
    """Return a line as rows, at most `most`."""
    before, after = line.first[0], line.rest[0]
    width = max(4, look.inner - indent - cell_len(before))
    text = "".join(text for text, _ in line.spans)[: max(1, most) * width]
    if not look.wrap:
        spans = _cut_spans(line.spans, width)
        return [Row(_indented(indent, (*_if(line.first), *spans)), block=number)]
    rows = []
    for index, (start, stop) in enumerate(break_points(text, width)[: max(1, most)]):
        spans = line.spans if (start, stop) == (0, len(text)) else ()
        if len(text) != sum(len(piece) for piece, _ in spans):
            spans = slice_spans(line.spans, start, stop)
        lead = line.rest if index else line.first
        rows.append(Row(_indented(indent, (*_if(lead), *spans)), block=number, joined=index > 0))
    return rows if before or after or rows else [BLANK]


def _cut_spans(spans: Sequence[Span], width: int) -> tuple[Span, ...]:
    """Return the spans in at most `width` cells, the end cut."""
    text = "".join(text for text, _ in spans)
    shown = _cut(text, width)
    if shown == text:
        return tuple(spans)
    return (*slice_spans(spans, 0, len(shown) - 1), ("…", "faint"))


def _if(span: Span) -> tuple[Span, ...]:
    return (span,) if span[0] else ()


def _indented(indent: int, spans: tuple[Span, ...]) -> tuple[Span, ...]:
    return ((" " * indent, "text"), *spans) if indent else spans
