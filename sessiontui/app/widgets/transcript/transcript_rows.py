"""The values of a laid-out transcript: how to look at it, and the rows that come of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import tzinfo

    from sessiontui.app.widgets.transcript.styled_text import Span

MAX_ROWS = 400
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
