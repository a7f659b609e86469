"""The columns of the session list: their cells, and which fit the width.

The user chooses some; where the list is too narrow for all of them the less
important ones are left out. Figures stand right-aligned, and only lines in view
are asked for theirs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from rich.cells import cell_len

from sessiontui.app import format as formats
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from sessiontui.catalog.row import GroupLine, RowLine
    from sessiontui.catalog.sorting import Sort
    from sessiontui.catalog.stats import SessionStats

ColumnId = Literal[
    "now",
    "project",
    "agent",
    "model",
    "created",
    "entries",
    "turns",
    "tokens",
    "cost",
    "size",
    "age",
]


class Column(NamedTuple):
    """A column."""

    id: ColumnId
    head: str
    help: str
    cells: int
    """How wide it is, with the space before it; 0: as wide as what it says, before all others."""


COLUMNS: Final = (
    Column("now", "", "What it is doing", 0),
    Column("project", "project", "Project, where no heading tells it", 22),
    Column("agent", "agent", "Which agent wrote it", 9),
    Column("model", "model", "The model that answered last", 17),
    Column("created", "created", "When it was begun", 9),
    Column("entries", "entries", "How many entries it has", 9),
    Column("turns", "turns", "How often you wrote", 7),
    Column("tokens", "tokens", "Tokens in, out and cached", 8),
    Column("cost", "cost", "What it cost, as far as the agent recorded it", 9),
    Column("size", "size", "How much is stored", 9),
    Column("age", "age", "When it changed last", 6),
)
"""In the order in which they stand."""
BY_ID: Final = {column.id: column for column in COLUMNS}
DEFAULT_COLUMNS: Final[tuple[ColumnId, ...]] = ("now", "project", "size", "age")
"""The columns that are shown unless the user chose others."""
_IMPORTANCE: Final[tuple[ColumnId, ...]] = (
    "now", "age", "cost", "tokens", "size", "turns", "entries", "model", "agent", "created",
    "project",
)  # fmt: skip
_TITLE: Final = 36
"""Cells that chosen columns leave for indent, symbol and title."""
_WIDE: Final = 64
"""From how many columns on the usual ones show more than the age."""
_NARROW: Final = 18
"""Up to how many there is none at all."""


@lru_cache(maxsize=64)
def fit_columns(
    chosen: tuple[ColumnId, ...], width: int, sort: Sort, *, projects: bool
) -> tuple[Column, ...]:
    """Return the columns that find room, in the order in which they stand.

    Args:
        chosen: What the user wants to see.
        width: Cells of a line.
        sort: By what the list is sorted; that is shown before all else.
        projects: Whether there are lines without a heading that tells their project.
    """
    if width <= _NARROW:
        return ()
    usual = chosen == DEFAULT_COLUMNS
    room, full = width - _TITLE, False
    kept: set[ColumnId] = set()
    for name in _IMPORTANCE:
        column = BY_ID[name]
        sorted_by = name == sort and width > 2 * _NARROW
        if name not in chosen and not sorted_by:
            continue
        if name == "project" and not projects:
            continue
        always = sorted_by or name in ("now", "age")
        full = full or not (always or (width >= _WIDE if usual else column.cells <= room))
        if always or not full:
            room -= column.cells
            kept.add(name)
    return tuple(column for column in COLUMNS if column.id in kept)


def column_headings(columns: Iterable[Column]) -> str:
    """Return the headings as they stand over their columns."""
    line = "".join(f"{column.head:>{column.cells}}" for column in columns)
    return f"{line} " if line else ""


def column_at(columns: Sequence[Column], width: int, x: int) -> Column | None:
    """Return the column at a place in a line of this width."""
    end = width - 1
    for column in reversed(columns):
        if end - column.cells < x <= end:
            return column
        end -= column.cells
    return None


def row_cells(
    line: RowLine,
    columns: Sequence[Column],
    *,
    now_ms: int,
    figures: Callable[[str], SessionStats | None],
) -> Iterator[str]:
    """Yield what stands in the columns of a session, each with the space before it."""
    row = line.row
    told = figures(row.path) if any(column.id in _COUNTED for column in columns) else None
    for column in columns:
        match column.id:
            case "now":
                continue
            case "project":
                text = formats.cut_middle(clean(line.project), column.cells - 2)
            case "agent":
                text = "" if row.agent == "unknown" else row.agent
            case "model":
                text = formats.cut_end(model_name(row.model or ""), column.cells - 2)
            case "created":
                text = "" if row.created_ms is None else formats.age(row.created_ms, now_ms)
            case "size":
                text = formats.size(row.size)
            case "age":
                text = formats.age(row.mtime_ms, now_ms)
            case _:
                text = "" if told is None else _COUNTED[column.id](told)
        yield align_right(text, column.cells)


def group_cells(line: GroupLine, columns: Collection[Column], now_ms: int) -> Iterator[str]:
    """Yield what stands in the columns of a project's heading."""
    for column in columns:
        text = ""
        if column.id == "size":
            text = formats.size(line.bytes)
        elif column.id == "age":
            text = formats.age(line.time_ms, now_ms)
        yield align_right(text, column.cells)


_COUNTED: Final[dict[ColumnId, Callable[[SessionStats], str]]] = {
    "entries": lambda figures: f"{figures.entries:,}",
    "turns": lambda figures: f"{figures.turns:,}",
    "tokens": lambda figures: formats.tokens(figures.tokens.total) if figures.tokens.total else "",
    "cost": lambda figures: formats.cost(figures.cost) if figures.cost else "",
}
"""What only reading a whole session tells; blank until then."""


def model_name(model: str) -> str:
    """Return a model without its provider, safe to show."""
    return clean(model[:200].rpartition("/")[2])


def align_right(text: str, width: int) -> str:
    """Return a text at the right end of so many cells."""
    return " " * (width - cell_len(text)) + text
