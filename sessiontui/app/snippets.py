"""How a place where something was said is told on one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sessiontui.app.format import cut_end

if TYPE_CHECKING:
    from sessiontui.formats.blocks import Kind
    from sessiontui.transcript.search import Hit, Sought

_SPEAKERS: Final[dict[Kind, str]] = {"user": "You", "text": "Agent", "thinking": "thinking"}
_BEFORE: Final = 3
"""One part in so many of the width stands before what was found, where the line is cut."""


def speaker(hit: Hit) -> str:
    """Return in a word who said it: `You`, `Agent`, or the name of a tool; safe to show."""
    return _SPEAKERS.get(hit.kind) or hit.heading or hit.kind


def snippet(hit: Hit, wanted: Sought, width: int) -> tuple[str, list[tuple[int, int]]]:
    """Return the part of a line that tells what was found, and where in it to light it.

    Args:
        hit: The place; its text is safe to show.
        wanted: What was looked for.
        width: How many cells there are.
    """
    text = hit.text.strip()
    first = next(iter(wanted.spans(text)), (0, 0))
    start = 0
    if first[1] > width * (_BEFORE - 1) // _BEFORE:
        start = max(0, first[0] - width // _BEFORE)
    begin = "…" if start else ""
    shown = cut_end(begin + text[start : start + 2 * width], width)
    spans = list(wanted.spans(shown))
    if not spans and first[1] > first[0]:
        # What stood around it decided that it matches.
        moved = [place - start + len(begin) for place in first]
        spans = [(moved[0], min(moved[1], len(shown)))] if moved[0] < len(shown) else []
    return shown, spans
