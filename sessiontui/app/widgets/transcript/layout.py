"""The rows that a line of a session takes at one width: headings, bodies, folds.

A row is text in named styles; nothing here knows a colour or a screen. Rows of
one line depend on that line, on which group of blocks comes before it, and on the
`Look`; on nothing else, so they can be made when they come into view.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from rich.cells import cell_len

from sessiontui.app import format as figures
from sessiontui.app.widgets.transcript.styled_text import (
    Span,
    StyledLine,
    break_points,
    code_lines,
    diff_lines,
    markdown_lines,
    plain_lines,
    slice_spans,
)
from sessiontui.app.widgets.transcript.transcript_headings import cut_end, heading_row
from sessiontui.app.widgets.transcript.transcript_rows import BLANK, MAX_ROWS, NARROW, Look, Row
from sessiontui.formats.blocks import Block, Part, group
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sessiontui.transcript.pages import Line


def rows_of(
    blocks: Sequence[Block],
    look: Look,
    is_open: Callable[[int, Block], bool],
    above: Ending | None,
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
        open_now = is_open(number, block)
        attached = rows and blocks[number - 1].kind == "assistant" and block.kind != "tool"
        if not attached and _apart(above, block):
            rows.append(BLANK)
        above = ending(block, open_now=open_now)
        unit = number
        if block.kind == "assistant" and number + 1 < len(blocks):
            unit += blocks[number + 1].kind in {"text", "thinking"}
        body = _body(block, look, number, MAX_ROWS - len(rows) - 1, open_now=open_now)
        if block.heading:
            hides = block.folded == 0 or block.brief is not None or any(row.head for row in body)
            rows.append(heading_row(block, look, unit, open_now=open_now, hides=hides))
        rows += body
        if len(rows) >= MAX_ROWS:
            break
    return tuple(rows)


Ending = Literal["prose", "tool", "output", "note"]
"""What a block ends with: its group, or the body of a tool."""


def ending(block: Block, *, open_now: bool) -> Ending:
    """Return what a block ends with, for the distance to the next one."""
    kind = group(block)
    shown = block.parts if open_now or block.brief is None else block.brief
    return "output" if kind == "tool" and shown and (open_now or block.folded) else kind


def _apart(above: Ending | None, block: Block) -> bool:
    """Return whether a blank row stands before a block; headings alone stand together."""
    kind = group(block)
    return above is not None and (kind == "prose" or kind != above)


def raw_rows(line: Line, look: Look) -> tuple[Row, ...]:
    """Return a stored line as it is, made safe to show; its end cut beyond `MAX_ROWS`."""
    if not line.begun:
        return (Row((("… the beginning of this line has not been read yet", "muted"),), block=0),)
    text = clean(line.raw[: MAX_ROWS * look.inner * 4].decode("utf-8", "replace"))
    if not look.wrap:
        return (Row(((cut_end(text, look.inner), "raw"),), block=0, head=True),)
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


# -- bodies


class _Frame(NamedTuple):
    """What all rows of a body share."""

    look: Look
    number: int
    """Of the block in its line."""
    indent: int

    def row(self, *spans: Span, head: bool = False, joined: bool = False) -> Row:
        """Return a row of the body."""
        lead: tuple[Span, ...] = ((" " * self.indent, "text"),) if self.indent else ()
        return Row((*lead, *spans), block=self.number, head=head, joined=joined)


def _body(block: Block, look: Look, number: int, room: int, *, open_now: bool) -> list[Row]:
    """Return the rows beneath a heading, folded or not; one more than `room` at most."""
    folded = not open_now and block.folded is not None
    parts = block.brief if folded and block.brief is not None else block.parts
    limit = min(room, block.folded or 0) if folded else room
    frame = _Frame(look, number, _indent(block, look))
    failed = block.error and block.kind != "bad"
    if not parts or (folded and not limit):
        return []
    if folded and block.from_end:
        return _last_rows(frame, parts[-1], limit, "failed-text" if failed else "output")
    lines = _styled(parts, look.inner - frame.indent, failed=failed)
    if block.kind == "message":
        lines = (line._replace(spans=_quiet(line.spans)) for line in lines)
    rows, hidden = _first_rows(frame, lines, parts, limit)
    if hidden:
        words = f"… {figures.counted(hidden, 'more line')}"
        rows.append(frame.row((words if folded else f"{words} (open in pager)", "more"), head=True))
    return rows


def _first_rows(
    frame: _Frame, lines: Iterable[StyledLine], parts: Sequence[Part], limit: int
) -> tuple[list[Row], int]:
    """Return the first `limit` rows, one more if that is all, and how many lines are hidden."""
    rows: list[Row] = []
    ends: list[int] = []
    for line in lines:
        rows += _wrapped(frame, line, limit + 2 - len(rows))
        ends.append(len(rows))
        if len(rows) > limit + 1:
            total = sum(len(part.lines) + part.more for part in parts)
            return rows[:limit], total - sum(end <= limit for end in ends)
    return rows, sum(part.more for part in parts)


def _last_rows(frame: _Frame, part: Part, limit: int, style: str) -> list[Row]:
    """Return the last rows without blank ones, after how many lines there are above."""
    lines = [line for line in (part.last if part.more else part.lines) if line.strip()]
    rows: list[Row] = []
    above = len(part.lines) + part.more if part.more else len(lines)
    for line in reversed(lines):
        new = _wrapped(frame, next(plain_lines((line,), style)), limit + 1)
        room = limit + (above == 1) - len(rows)
        if rows and len(new) > room:
            break
        rows[:0] = new[: max(1, room)]
        above -= 1
    if above:
        words = f"… {figures.counted(above, 'line')} above"
        rows.insert(0, frame.row((words, "more"), head=True))
    return rows


def _styled(parts: Iterable[Part], width: int, *, failed: bool) -> Iterator[StyledLine]:
    """Yield the lines of a body in the styles of their format."""
    for part in parts:
        if part.format == "markdown":
            yield from markdown_lines(part.lines, width)
        elif part.format == "thinking":
            for line in markdown_lines(part.lines, width):
                spans = tuple((text, "thinking") for text, _ in line.spans)
                yield line._replace(spans=spans)
        elif part.format == "diff":
            yield from diff_lines(part.lines)
        elif part.format == "plain":
            yield from plain_lines(part.lines, "failed-text" if failed else "output")
        elif part.format == "code":
            yield from code_lines(part.lines, part.language, "source")
        elif part.format == "json":
            yield from code_lines(part.lines, "json", "json")
        else:
            yield from plain_lines(part.lines, "muted")


def _quiet(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Return spans as they look where neither the user nor the agent speaks."""
    return tuple((text, "output" if style == "text" else style) for text, style in spans)


def _indent(block: Block, look: Look) -> int:
    if block.kind in {"tool", "command", "note", "error", "bad", "unknown"}:
        return 4 if look.inner >= NARROW else 2
    return 0


def _wrapped(frame: _Frame, line: StyledLine, most: int) -> list[Row]:
    """Return a line as rows, at least one and at most `most`."""
    width = max(4, frame.look.inner - frame.indent - cell_len(line.first[0]))
    if not frame.look.wrap:
        return [frame.row(*_if(line.first), *_cut_spans(line.spans, width))]
    most = max(1, most)
    whole = "".join(text for text, _ in line.spans)
    text = whole[: most * width]
    rows = []
    for index, (start, stop) in enumerate(break_points(text, width)[:most]):
        lead = line.rest if index else line.first
        spans = slice_spans(line.spans, start, stop)
        rows.append(frame.row(*_if(lead), *spans, joined=index > 0))
    if len(text) < len(whole) and len(rows) < most:  # characters without any width
        rows.append(frame.row(("… (open in pager)", "more")))
    return rows


def _cut_spans(spans: Sequence[Span], width: int) -> tuple[Span, ...]:
    """Return the spans in at most `width` cells, the end cut."""
    text = "".join(text for text, _ in spans)
    shown = cut_end(text, width)
    if shown == text:
        return tuple(spans)
    return (*slice_spans(spans, 0, len(shown) - 1), ("…", "faint"))


def _if(span: Span) -> tuple[Span, ...]:
    return (span,) if span[0] else ()
