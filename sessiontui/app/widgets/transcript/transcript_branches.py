"""Rows about what is not shown: entries of other branches, and what the model no longer sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiontui.app import format as figures
from sessiontui.app.widgets.transcript.layout import rows_of
from sessiontui.formats.blocks import Block

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessiontui.app.widgets.transcript.layout import Ending
    from sessiontui.app.widgets.transcript.transcript_rows import Look, Row
    from sessiontui.transcript.branch_filter import Stretch

FOLD = 1 << 20
"""Number of the block that stands for a stretch; above those of all entries of a line."""
FORK = FOLD + 1
"""Number of the block that tells where branches leave."""


def fold_rows(
    stretch: Stretch, look: Look, above: Ending | None, *, open_now: bool
) -> tuple[Row, ...]:
    """Return what stands in the place of a stretch, or over it where it is unfolded."""
    if stretch.context:
        words = "what came before, which the model no longer sees"
    else:
        entries = figures.counted(stretch.entries, "entry", "entries")
        if not stretch.whole:
            entries = f"{stretch.entries:,} or more entries"
        words = f"⑂ {entries} of another branch"
    block = Block(kind="branch", offset=stretch.start, heading=words, folded=0)
    return _as_block(rows_of((block,), look, lambda _number, _block: open_now, above), FOLD)


def fork_rows(count: int, offset: int, look: Look, above: Ending | None) -> tuple[Row, ...]:
    """Return that other branches leave at an entry."""
    words = f"⑂ {figures.counted(count, 'branch', 'branches')} "
    words += "leaves here" if count == 1 else "leave here"
    block = Block(kind="branch", offset=offset, heading=words)
    return _as_block(rows_of((block,), look, lambda _number, _block: False, above), FORK)


def muted(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return rows as they look where they belong to another branch."""
    return tuple(
        row._replace(
            spans=tuple((text, "muted") for text, _ in row.spans),
            right=tuple((text, "faint") for text, _ in row.right),
        )
        for row in rows
    )


def _as_block(rows: Iterable[Row], number: int) -> tuple[Row, ...]:
    return tuple(row._replace(block=number) if row.block >= 0 else row for row in rows)
