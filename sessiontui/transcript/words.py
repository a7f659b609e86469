"""What may be typed to search all sessions: words, exact texts, a pattern."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sessiontui.transcript.said import lines_of
from sessiontui.transcript.search import Needle, Sought, sought

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sessiontui.formats.blocks import Block

_TERM: Final = re.compile(r'"([^"]*)"?|([^\s"]+)')


class Words:
    """Several texts of which each stands somewhere in a block.

    Args:
        needles: What to look for, at least one.
    """

    def __init__(self, needles: Sequence[Needle]) -> None:
        self._needles = tuple(needles)
        self._lead = max(self._needles, key=Needle.rarity)
        self.text = " ".join(needle.text for needle in self._needles)

    def __bool__(self) -> bool:
        """Tell whether there is anything to find."""
        return True

    @property
    def needles(self) -> tuple[Needle, ...]:
        """What is looked for."""
        return self._needles

    def next(self, lowered: bytes, start: int) -> int:
        """Return where from `start` on stored bytes, in lower case, may match; -1: nowhere."""
        return self._lead.next(lowered, start)

    def possible(self, lowered: bytes, first: int, end: int) -> bool:
        """Tell whether the line from `first` to `end` may match, where `next` said it may."""
        return all(
            0 <= needle.next(lowered, first) < end and needle.possible(lowered, first, end)
            for needle in self._needles
        )

    def line_in(self, block: Block) -> str | None:
        """Return the line of a block's text with most of them, if none is missing."""
        return self.pick(lines_of(block))

    def pick(self, lines: Iterable[str]) -> str | None:
        """Return the line with most of them, the first of these; None if one is missing."""
        missing = set(self._needles)
        best, most = None, 0
        for line in lines:
            lowered = line.lower()
            there = [needle for needle in self._needles if needle.text in lowered]
            missing.difference_update(there)
            if len(there) > most:
                best, most = line, len(there)
        return None if missing else best

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where in a line they are: start and end of each place, none within another."""
        end = 0
        for first, last in sorted(span for needle in self._needles for span in needle.spans(text)):
            if last > end:
                yield max(first, end), last
                end = last


def words(text: str) -> Sought:
    """Return what is looked for in all sessions: words, `"exact text"`, or `re:/…/`.

    Every word and every text must be in what was said at once. The last quotation
    mark may be missing, as may the last slash.

    Raises:
        ValueError: It is no pattern; says why in one safe line.
    """
    text = text.strip()
    if text.startswith("re:"):
        return sought(text)
    terms = (quoted or plain for quoted, plain in _TERM.findall(text))
    needles = {needle.text: needle for needle in map(Needle, terms) if needle}
    return (
        Words(tuple(needles.values()))
        if len(needles) > 1
        else next(iter(needles.values()), Needle(""))
    )
