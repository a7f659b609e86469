"""The lines of the session list, as styled text.

A *face* is everything of a line that the eye can see: two equal faces are the
same picture, so faces are what strips are cached by and what tells whether a
line has to be painted again. `draw_line` turns a face into a strip.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip

from sessiontui.app import columns
from sessiontui.app import format as formats
from sessiontui.catalog.row import PINNED, GroupLine, ListLine, RowLine
from sessiontui.catalog.sorting import file_name, shown_title
from sessiontui.catalog.status import session_status
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from rich.style import Style

    from sessiontui.app.columns import Column
    from sessiontui.catalog.query import Query
    from sessiontui.catalog.row import Row
    from sessiontui.catalog.selection import SelectionState
    from sessiontui.catalog.sorting import Sort
    from sessiontui.catalog.stats import SessionStats

    StyleOf = Callable[[str, bool], Style]
    """Gives the style of a part (`title`, `past`, …), on the cursor or not."""

_NO_HITS: frozenset[int] = frozenset()

_MIDDLE = 44
"""From how many columns on it is told what a session does now."""
_NARROW = 18
"""Up to how many columns there is nothing but symbol and title."""
_LEAST_MORE = 8
"""Cells below which nothing else is told after a title, unless it is shorter."""
_TOOL = 12
"""Cells for the name of a tool, or for what an action of ours does."""
_BEFORE_HIT, _EXCERPT = 10, 100
"""Characters shown before something that fits the search, and in all."""
_LONGEST_TITLE = 400
"""Characters of a title that are looked at."""


class LineContext(NamedTuple):
    """What all lines of one paint share."""

    width: int
    now_ms: int
    sort: Sort
    flat: bool
    query: Query | None
    ascii_only: bool
    columns: tuple[Column, ...]
    """What stands at the right end, as far as there is room."""
    figures: Callable[[str], SessionStats | None]
    """A session in figures; None while it was not counted."""


class GroupAppearance(NamedTuple):
    """The heading of a project."""

    arrow: str
    label: str
    hits: frozenset[int]
    right: str
    """Count, size and age, as far as there is room."""
    cursor: bool
    marked: str
    """In the first column: whether its sessions are marked."""


class RowAppearance(NamedTuple):
    """A session; what there is no room for is empty."""

    indent: int
    """Column of the symbol."""
    arrow: str
    symbol: str
    tone: str
    mark: str
    """In front of the title."""
    title: str
    title_part: str
    hits: frozenset[int]
    more: str
    """After the title: how many sessions are folded away, or what else fits the search."""
    more_hits: frozenset[int]
    now: str
    now_part: str
    right: str
    """Project, size and age."""
    cursor: bool
    marked: str
    """In the first column: the sign of a marked session."""


Appearance = GroupAppearance | RowAppearance


def line_appearance(
    line: ListLine, view: LineContext, *, cursor: bool, mark: SelectionState = "none"
) -> Appearance:
    """Return what a line looks like at this moment."""
    marked = formats.SELECTION_SYMBOLS[mark].glyph(ascii_only=view.ascii_only)
    if isinstance(line, RowLine):
        return _row_face(line, view, cursor=cursor, marked=marked)
    label = "Pinned" if line.key == PINNED else clean(line.key)
    right = ""
    if view.width > _NARROW:
        count = f"{line.sessions:>6,}" if view.width > 2 * _NARROW else ""
        cells = columns.group_cells(line, view.columns, view.now_ms)
        right = f"{count}{''.join(cells)} "
    return GroupAppearance(
        arrow=fold_arrow(closed=line.fold == "closed", ascii_only=view.ascii_only),
        label=label,
        hits=_hits(view.query, label, loose=False),
        right=right,
        cursor=cursor,
        marked=marked,
    )


def _row_face(line: RowLine, view: LineContext, *, cursor: bool, marked: str) -> RowAppearance:
    row = line.row
    doing = session_status(row, now_ms=view.now_ms)
    sign = formats.STATUS_SYMBOLS[doing]
    title = clean(shown_title(row)[:_LONGEST_TITLE])
    hits = _hits(view.query, title, loose=True)
    more, more_hits = f"+{line.hidden}" if line.hidden else "", _NO_HITS
    if view.query is not None and not hits:
        more, more_hits = _evidence(row, view.query)
    now, part = _now(row, doing, sign, view)
    return RowAppearance(
        indent=_indent(line.depth, flat=view.flat, width=view.width),
        arrow=_arrow(line, ascii_only=view.ascii_only),
        symbol=sign.glyph(ascii_only=view.ascii_only),
        tone=sign.tone,
        mark=_mark(line, view),
        title=title,
        title_part="title" if row.title else "unread",
        hits=hits,
        more=more,
        more_hits=more_hits,
        now=now,
        now_part=part,
        right=_right(line, view),
        cursor=cursor,
        marked=marked,
    )


def _mark(line: RowLine, view: LineContext) -> str:
    """Return what stands before a title: that it is a fork, or pinned where no heading tells it."""
    if line.pinned and view.query is not None:
        return formats.PIN_SYMBOL.glyph(ascii_only=view.ascii_only)
    return formats.FORK_SYMBOL.glyph(ascii_only=view.ascii_only) if line.kind == "fork" else ""


def _now(row: Row, doing: str, sign: formats.StatusSymbol, view: LineContext) -> tuple[str, str]:
    """Return what a session does now, as far as there is room, and in which style.

    What an action of ours does, or that it failed, has precedence and is told
    however narrow the list is; why it failed has room elsewhere.
    """
    if row.failed:
        return "failed", "failed"
    if row.note:
        return formats.cut_end(clean(row.note), _TOOL), "attention"
    if view.width < _MIDDLE or not any(column.id == "now" for column in view.columns):
        return "", sign.tone
    if doing != "running" or row.tool is None:
        return sign.word, sign.tone
    tool = formats.cut_end(clean(row.tool[: 2 * _TOOL]), _TOOL)
    if row.tool_since_ms is None:
        return tool, sign.tone
    return f"{tool} {formats.duration(view.now_ms - row.tool_since_ms)}", sign.tone


def _right(line: RowLine, view: LineContext) -> str:
    if not view.columns:
        return ""
    cells = columns.row_cells(line, view.columns, now_ms=view.now_ms, figures=view.figures)
    return "".join(cells) + " "


def _hits(query: Query | None, text: str, *, loose: bool) -> frozenset[int]:
    return _NO_HITS if query is None else query.positions(text, loose=loose)


def _evidence(row: Row, query: Query) -> tuple[str, frozenset[int]]:
    """Return some of the first message or the file's name around what fits there."""
    hits = query.positions(row.first_message, loose=False)
    if hits:
        shown, _ = _around(row.first_message, min(hits))
        return shown, query.positions(shown, loose=False)
    for name in (file_name(row.path), row.id or ""):
        hits = query.positions_in_name(name)
        if hits:
            shown, shift = _around(name, min(hits))
            moved = (hit + shift for hit in hits)
            return shown, frozenset(place for place in moved if 0 <= place < len(shown))
    return "", _NO_HITS


def _around(text: str, hit: int) -> tuple[str, int]:
    """Return some of a text around a place, and by how much its characters were shifted."""
    start = max(0, hit - _BEFORE_HIT)
    shown = clean(text[start : start + _EXCERPT])
    return (f"…{shown}", 1 - start) if start else (shown, 0)


def _arrow(line: RowLine, *, ascii_only: bool) -> str:
    if line.fold == "none":
        return ""
    return fold_arrow(closed=line.fold != "open", ascii_only=ascii_only)


def fold_arrow(*, closed: bool, ascii_only: bool) -> str:
    """Return the arrow before something that can be folded."""
    if ascii_only:
        return ">" if closed else "v"
    return "▸" if closed else "▾"


def arrow_column(line: ListLine, *, flat: bool, width: int) -> int:
    """Return the column of a line's arrow."""
    return 1 if isinstance(line, GroupLine) else _indent(line.depth, flat=flat, width=width) - 2


def _indent(depth: int, *, flat: bool, width: int) -> int:
    """Return the column of a session's symbol."""
    first = 3 if flat or width < _MIDDLE else 5
    return first + min(2 * depth, max(0, width // 4 - first))


def draw_line(face: Appearance, width: int, style_of: StyleOf) -> Strip:
    """Return the picture of a line, `width` cells wide."""

    def style(part: str) -> Style:
        return style_of(part, face.cursor)

    if isinstance(face, GroupAppearance):
        segments = _draw_group(face, width, style)
    else:
        segments = _draw_row(face, width, style)
    return Strip(segments).adjust_cell_length(width, style("title"))


def _draw_group(face: GroupAppearance, width: int, style: Callable[[str], Style]) -> list[Segment]:
    room = max(0, width - 3 - cell_len(face.right))
    label, hits = _cut_label(face.label, face.hits, room)
    return [
        Segment(face.marked, style("mark")),
        Segment(f"{face.arrow} ", style("past")),
        *_lit(label, hits, style("group"), style("match")),
        Segment(" " * (room - cell_len(label)), style("title")),
        Segment(face.right, style("past")),
    ]


def _draw_row(face: RowAppearance, width: int, style: Callable[[str], Style]) -> list[Segment]:
    lead = f"{face.arrow:>{face.indent - 2}} " if face.arrow else " " * (face.indent - 1)
    mark = f"{face.mark} " if face.mark else ""
    now = f"  {face.now}" if face.now else ""
    beside = face.indent + 2 + cell_len(mark) + cell_len(now) + cell_len(face.right)
    room = max(0, width - beside)
    more = formats.cut_end(face.more, max(room // 2, room - cell_len(face.title)) - 2)
    if cell_len(more) < min(_LEAST_MORE, cell_len(face.more)):
        more = ""
    gap = " " * bool(more)
    title = formats.cut_end(face.title, room - cell_len(more) - len(gap))
    blank = " " * (room - cell_len(title) - cell_len(more) - len(gap))
    return [
        Segment(face.marked, style("mark")),
        Segment(lead, style("past")),
        Segment(f"{face.symbol} ", style(face.tone)),
        Segment(mark, style("past")),
        *_lit(title, _kept(face.hits, title, face.title), style(face.title_part), style("match")),
        Segment(gap, style("title")),
        *_lit(more, _kept(face.more_hits, more, face.more), style("past"), style("match")),
        Segment(blank, style("title")),
        Segment(now, style(face.now_part)),
        Segment(face.right, style("past")),
    ]


def _kept(hits: frozenset[int], cut: str, whole: str) -> frozenset[int]:
    """Return the hits in what is left of a text whose end was cut."""
    return hits if cut == whole else frozenset(hit for hit in hits if hit < len(cut) - 1)


def _lit(text: str, hits: Collection[int], plain: Style, match: Style) -> Iterator[Segment]:
    """Yield `text` with the characters that fit the search lit up."""
    if not hits:
        yield Segment(text, plain)
        return
    for hit, places in groupby(range(len(text)), key=hits.__contains__):
        yield Segment("".join(text[place] for place in places), match if hit else plain)


def _cut_label(label: str, hits: frozenset[int], room: int) -> tuple[str, frozenset[int]]:
    """Cut the middle of a path; the hits follow their characters."""
    cut = formats.cut_middle(label, room)
    if cut == label or not hits:
        return cut, hits
    front = cut.find("…")
    lost = len(label) - len(cut)
    back = front + 1 + lost
    kept = {hit for hit in hits if hit < front} | {hit - lost for hit in hits if hit >= back}
    return cut, frozenset(kept)
