"""Searching a session of any length: found lines come while the search goes on.

The stored bytes are looked through in steps, and only lines that can hold what is
looked for are decoded. What counts is the text that their blocks show, without
regard to case; a match lies within one line of it. Offsets and sizes are bytes
from the start of the session.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

import msgspec

from sessiontui.models.decode import decode_line
from sessiontui.transcript.blocks import blocks_of
from sessiontui.transcript.pages import STEP_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sessiontui.transcript.pages import ReadRange
    from sessiontui.transcript.values import Block

LONGEST_LINE: Final = STEP_BYTES
"""How much of one line is searched; no more of it is held."""
_DECODED_AT_ONCE: Final = 32
"""How many lines are decoded before others have their turn."""
_PLAIN_RUN: Final = re.compile(r"[0-9a-z_.-]+")
"""Characters that every writer of JSON stores as they are."""


class Hit(msgspec.Struct, frozen=True, gc=False):
    """A block that shows what is looked for."""

    offset: int
    """Where its line begins."""
    block: int
    """Its number on the line, were every line shown by itself."""
    text: str
    """The first line of its text that matches, safe to show."""


class Progress(msgspec.Struct, frozen=True, gc=False):
    """How far the search has come; all hits before are told."""

    offset: int
    stop: int


class Needle:
    """What is looked for.

    Args:
        text: As typed.
    """

    def __init__(self, text: str) -> None:
        self.text = text.strip().lower()
        runs = _PLAIN_RUN.findall(self.text)
        self._plain = max(runs, key=len).encode() if runs else None
        self._probe = _stored(self.text)

    def __bool__(self) -> bool:
        """Tell whether there is anything to find."""
        return bool(self.text)

    def next(self, lowered: bytes, start: int) -> int:
        """Return where from `start` on stored bytes, in lower case, may match; -1: nowhere."""
        if self._plain is not None:
            return lowered.find(self._plain, start)
        found = self._probe.search(lowered, start)
        return -1 if found is None else found.start()

    def line_in(self, block: Block) -> str | None:
        """Return the first line of a block's text that matches."""
        return next((line for line in _lines(block) if self.text in line.lower()), None)


def _stored(text: str) -> re.Pattern[bytes]:
    """Return how the first letter of `text` may be stored, as itself or escaped."""
    first = next(iter(text), "")
    forms = {form.encode("utf-8", "surrogatepass") for form in (first, first.upper())}
    return re.compile(b"|".join(re.escape(form) for form in (*sorted(forms), b"\\")))


def _lines(block: Block) -> Iterator[str]:
    yield block.heading
    yield block.detail
    for part in block.parts:
        yield from part.lines
        yield from part.last


async def search(
    read: ReadRange, needle: Needle, start: int, stop: int
) -> AsyncIterator[Hit | Progress]:
    """Yield what matches between two places, and after each step how far it has come.

    Ends when the iteration does: close the generator to stop. The loop has its
    turn at least once a step and between runs of decoded lines.

    Args:
        read: Reads bytes of the session.
        needle: What to look for; an empty one finds nothing.
        start: The beginning of a line.
        stop: Where to stop: the session's length, or the beginning of a line.

    Raises:
        StorageError: The backend could not read; raised by `read` as it is.
    """
    held = b""
    base = at = start
    passing = False
    while needle and at < stop:
        data = await read(at, min(at + STEP_BYTES, stop))
        if not data:
            return
        at += len(data)
        if passing:
            # The rest of a line that is too long to be held.
            end = data.find(b"\n") + 1
            passing = not end
            base, data = at - len(data) + end, data[end:] if end else b""
        held = held + data if held else data
        whole = len(held) if at >= stop else held.rfind(b"\n") + 1
        if not whole and len(held) > LONGEST_LINE:
            whole, passing = len(held), True
        for turn, hit in enumerate(_matches(held[:whole], base, needle)):
            if hit is not None:
                yield hit
            if turn % _DECODED_AT_ONCE == _DECODED_AT_ONCE - 1:
                await asyncio.sleep(0)
        held, base = held[whole:], base + whole
        yield Progress(at, stop)
        await asyncio.sleep(0)


def _matches(data: bytes, base: int, needle: Needle) -> Iterator[Hit | None]:
    """Yield hits of lines from offset `base` on, and None for each line that was decoded."""
    lowered = data.lower()
    place = needle.next(lowered, 0)
    while place >= 0:
        first = data.rfind(b"\n", 0, place) + 1
        end = data.find(b"\n", place)
        end = len(data) if end < 0 else end
        raw = data[first : min(end, first + LONGEST_LINE)]
        number = 0
        for item in decode_line(raw, base + first, size=end - first):
            for block in blocks_of(item):
                text = needle.line_in(block)
                if text is not None:
                    yield Hit(base + first, number, text)
                number += 1
        yield None
        place = needle.next(lowered, end + 1) if end < len(data) else -1
