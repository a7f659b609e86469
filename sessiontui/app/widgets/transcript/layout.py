"""The rows that a line of a session takes at one width: headings, bodies, folds.

A row is text in named styles; nothing here knows a colour or a screen. Rows of
one line depend on that line, on which group of blocks comes before it, and on the
`ViewOptions`; on nothing else, so they can be made when they come into view.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from rich.cells import cell_len, set_cell_size

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
from sessiontui.formats.blocks import Block, Part, block_group
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import tzinfo

    from sessiontui.formats.blocks import BlockKind
    from sessiontui.transcript.branch_filter import HiddenRange
    from sessiontui.transcript.pages import PageLine

MAX_ROWS = 400
"""How many rows one line of a session takes at most."""
GUTTER = 2
"""Cells left of the text: the mark of the current entry, and a space."""
MARGIN = 1
"""Cells right of it."""
NARROW = 56
"""Below this many cells indents shrink and headings say less."""


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """The view options of a transcript: width, wrapping, raw, thinking."""

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


class TextRow(NamedTuple):
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


BLANK = TextRow(())


_DOT: list[Span] = [(" ", "text"), ("·", "meta"), (" ", "text")]
_MARKS = {"error": "✗ ", "bad": "! ", "unknown": "? ", "note": "· "}
_STYLES: dict[BlockKind, tuple[str, str]] = {
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


def heading_row(
    block: Block, look: ViewOptions, unit: int, *, open_now: bool, hides: bool
) -> TextRow:
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
    return TextRow(
        tuple(spans), right, block=unit, head=True, rule=block.kind in {"summary", "user"}
    )


def _figures(block: Block, look: ViewOptions) -> tuple[Span, ...]:
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


def layout_rows(
    blocks: Sequence[Block],
    look: ViewOptions,
    is_open: Callable[[int, Block], bool],
    above: BlockEnd | None,
) -> tuple[TextRow, ...]:
    """Return the rows of the blocks of one line.

    Args:
        blocks: From `Document.blocks`.
        look: Width and what to show.
        is_open: Tells of block number and block whether it is unfolded.
        above: What the line before shows last; None if nothing is before.
    """
    rows: list[TextRow] = []
    for number, block in enumerate(blocks):
        if not look.thinking and (block.kind == "thinking" or block.silent):
            continue
        open_now = is_open(number, block)
        attached = rows and blocks[number - 1].kind == "assistant" and block.kind != "tool"
        if not attached and _apart(above, block):
            rows.append(BLANK)
        above = block_end(block, open_now=open_now)
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


BlockEnd = Literal["prose", "tool", "output", "note"]
"""What a block ends with: its group, or the body of a tool."""


def block_end(block: Block, *, open_now: bool) -> BlockEnd:
    """Return what a block ends with, for the distance to the next one."""
    kind = block_group(block)
    shown = block.parts if open_now or block.brief is None else block.brief
    return "output" if kind == "tool" and shown and (open_now or block.folded) else kind


def _apart(above: BlockEnd | None, block: Block) -> bool:
    """Return whether a blank row stands before a block; headings alone stand together."""
    kind = block_group(block)
    return above is not None and (kind == "prose" or kind != above)


def raw_rows(line: PageLine, look: ViewOptions) -> tuple[TextRow, ...]:
    """Return a stored line as it is, made safe to show; its end cut beyond `MAX_ROWS`."""
    if not line.begun:
        return (
            TextRow((("… the beginning of this line has not been read yet", "muted"),), block=0),
        )
    text = clean(line.raw[: MAX_ROWS * look.inner * 4].decode("utf-8", "replace"))
    if not look.wrap:
        return (TextRow(((cut_end(text, look.inner), "raw"),), block=0, head=True),)
    breaks = break_points(text[: MAX_ROWS * look.inner], look.inner, words=False)
    rows = [
        TextRow(((text[start:stop], "raw"),), block=0, head=not start, joined=start > 0)
        for start, stop in breaks[:MAX_ROWS]
    ]
    shown = len(text[: breaks[: len(rows)][-1][1]].encode("utf-8", "replace"))
    if len(line.raw) < line.size or len(text) > breaks[: len(rows)][-1][1]:
        left = figures.size(max(1, line.size - shown))
        rows.append(TextRow(((f"… {left} more (open in pager)", "muted"),), block=0))
    return tuple(rows)


def blank_rows(count: int) -> tuple[TextRow, ...]:
    """Return one row in the place of several empty lines."""
    words = figures.plural(count, "empty line")
    return (TextRow(((f"… {words}", "muted"),), block=0),)


# -- bodies


class _Frame(NamedTuple):
    """What all rows of a body share."""

    look: ViewOptions
    number: int
    """Of the block in its line."""
    indent: int

    def row(self, *spans: Span, head: bool = False, joined: bool = False) -> TextRow:
        """Return a row of the body."""
        lead: tuple[Span, ...] = ((" " * self.indent, "text"),) if self.indent else ()
        return TextRow((*lead, *spans), block=self.number, head=head, joined=joined)


def _body(
    block: Block, look: ViewOptions, number: int, room: int, *, open_now: bool
) -> list[TextRow]:
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
        words = f"… {figures.plural(hidden, 'more line')}"
        rows.append(frame.row((words if folded else f"{words} (open in pager)", "more"), head=True))
    return rows


def _first_rows(
    frame: _Frame, lines: Iterable[StyledLine], parts: Sequence[Part], limit: int
) -> tuple[list[TextRow], int]:
    """Return the first `limit` rows, one more if that is all, and how many lines are hidden."""
    rows: list[TextRow] = []
    ends: list[int] = []
    for line in lines:
        rows += _wrapped(frame, line, limit + 2 - len(rows))
        ends.append(len(rows))
        if len(rows) > limit + 1:
            total = sum(len(part.lines) + part.more for part in parts)
            return rows[:limit], total - sum(end <= limit for end in ends)
    return rows, sum(part.more for part in parts)


def _last_rows(frame: _Frame, part: Part, limit: int, style: str) -> list[TextRow]:
    """Return the last rows without blank ones, after how many lines there are above."""
    lines = [line for line in (part.last if part.more else part.lines) if line.strip()]
    rows: list[TextRow] = []
    above = len(part.lines) + part.more if part.more else len(lines)
    for line in reversed(lines):
        new = _wrapped(frame, next(plain_lines((line,), style)), limit + 1)
        room = limit + (above == 1) - len(rows)
        if rows and len(new) > room:
            break
        rows[:0] = new[: max(1, room)]
        above -= 1
    if above:
        words = f"… {figures.plural(above, 'line')} above"
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


def _indent(block: Block, look: ViewOptions) -> int:
    if block.kind in {"tool", "command", "note", "error", "bad", "unknown"}:
        return 4 if look.inner >= NARROW else 2
    return 0


def _wrapped(frame: _Frame, line: StyledLine, most: int) -> list[TextRow]:
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


FOLD = 1 << 20
"""Number of the block that stands for a stretch; above those of all entries of a line."""
FORK = FOLD + 1
"""Number of the block that tells where branches leave."""


def fold_rows(
    stretch: HiddenRange, look: ViewOptions, above: BlockEnd | None, *, open_now: bool
) -> tuple[TextRow, ...]:
    """Return what stands in the place of a stretch, or over it where it is unfolded."""
    if stretch.context:
        words = "earlier entries, outside the model's context"
    else:
        entries = figures.plural(stretch.entries, "entry", "entries")
        if not stretch.whole:
            entries = f"{stretch.entries:,} or more entries"
        words = f"⑂ {entries} of another branch"
    block = Block(kind="branch", offset=stretch.start, heading=words, folded=0)
    return _as_block(layout_rows((block,), look, lambda _number, _block: open_now, above), FOLD)


def fork_rows(
    count: int, offset: int, look: ViewOptions, above: BlockEnd | None
) -> tuple[TextRow, ...]:
    """Return that other branches leave at an entry."""
    words = f"⑂ {figures.plural(count, 'branch', 'branches')} "
    words += "leaves here" if count == 1 else "leave here"
    block = Block(kind="branch", offset=offset, heading=words)
    return _as_block(layout_rows((block,), look, lambda _number, _block: False, above), FORK)


def muted_rows(rows: Iterable[TextRow]) -> tuple[TextRow, ...]:
    """Return rows as they look where they belong to another branch."""
    return tuple(
        row._replace(
            spans=tuple((text, "muted") for text, _ in row.spans),
            right=tuple((text, "faint") for text, _ in row.right),
        )
        for row in rows
    )


def _as_block(rows: Iterable[TextRow], number: int) -> tuple[TextRow, ...]:
    return tuple(row._replace(block=number) if row.block >= 0 else row for row in rows)
