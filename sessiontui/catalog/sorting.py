"""The sort orders of the session list.

A session's place is a tuple that ends with its path, so that no two places are
equal and lists of them can be searched by bisection. Smaller stands higher.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiontui.catalog.row import Row
    from sessiontui.catalog.stats import SessionStats

    FiguresOf = Callable[[str], SessionStats | None]

Sort = Literal["modified", "created", "title", "size", "cost", "tokens", "turns", "entries"]

SORTS: tuple[Sort, ...] = ("modified", "created", "title", "size")
"""In the order in which a key steps through them."""
COUNTED: tuple[Sort, ...] = ("cost", "tokens", "turns", "entries")
"""What only reading a session whole tells; sessions not counted yet come last."""

SortKey = tuple[float | bytes | str, ...]

_SIDECAR = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z?_[^/]+")
_TITLE_LENGTH = 120
_COMPLEMENT = bytes(255 - byte for byte in range(256))


def folder_of(path: str) -> str:
    """Return what stands before the last slash; empty where there is none."""
    return path.rpartition("/")[0]


def is_sidecar(folder: str) -> bool:
    """Tell whether a folder is named as that of a session's drafts and subagents."""
    return _SIDECAR.fullmatch(folder.rpartition("/")[2]) is not None


def file_name(path: str) -> str:
    """Return the last part of a path, without `.jsonl`."""
    return path.rpartition("/")[2].removesuffix(".jsonl") or path


def shown_title(row: Row) -> str:
    """Return the title, or the file's name while there is none; as stored, not yet `clean`."""
    return row.title or file_name(row.path)


def text_sort_key(text: str, *, reverse: bool) -> bytes:
    """Return a sort key for text without regard to case, ascending or descending.

    UTF-8 sorts by code point. The complement of each byte turns the order
    round, and a final 255 puts a prefix after what it begins.
    """
    data = text[:_TITLE_LENGTH].casefold().encode("utf-8", "surrogatepass")
    return data.translate(_COMPLEMENT) + b"\xff" if reverse else data


def _no_figures(_path: str) -> None:
    """Tell nothing of a session."""


_FIGURES: dict[Sort, Callable[[SessionStats], float]] = {
    "cost": lambda figures: figures.cost,
    "tokens": lambda figures: float(figures.tokens.total),
    "turns": lambda figures: float(figures.turns),
    "entries": lambda figures: float(figures.entries),
}


def sort_key(
    sort: Sort, *, reverse: bool, figures: FiguresOf = _no_figures
) -> Callable[[Row], SortKey]:
    """Return the function that gives a row its sort key.

    Not reversed: the newest first, the largest first, titles from A to Z. What
    is not known, when a session was begun say, comes last either way.
    Numbers are floats, exact up to 2**53, because they sort twice as fast.
    """
    if sort == "title":
        return lambda row: (text_sort_key(shown_title(row), reverse=reverse), row.path)
    sign = 1.0 if reverse else -1.0
    if sort == "size":
        return lambda row: (sign * row.size, row.path)
    last = float("inf")
    if sort == "created":
        return lambda row: (
            last if row.created_ms is None else sign * row.created_ms,
            row.path,
        )
    if (figure := _FIGURES.get(sort)) is not None:

        def place(row: Row) -> SortKey:
            told = figures(row.path)
            return (last if told is None else sign * figure(told), row.path)

        return place
    return lambda row: (sign * row.mtime_ms, row.path)
