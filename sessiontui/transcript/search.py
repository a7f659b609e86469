"""Searching a session of any length: found lines come while the search goes on.

The stored bytes are looked through in steps, and only lines that can hold what is
looked for are decoded. What counts is the text that their blocks tell, also where a
screen shows only its beginning, without regard to case; a match lies within one line
of it. That a tool began to run is not looked at: its call tells the same. Offsets and
sizes are bytes from the start of the session.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from sessiontui.errors import TooSlowError
from sessiontui.formats.jsonl import decode_line
from sessiontui.text import clean
from sessiontui.transcript.pages import STEP_BYTES
from sessiontui.transcript.regex_timeout import TOO_SLOW, with_patience
from sessiontui.transcript.said import lines_of, whole_blocks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator

    from sessiontui.formats.blocks import Block, Kind
    from sessiontui.transcript.pages import ReadRange

LONGEST_LINE: Final = STEP_BYTES
"""How much of one line is searched; no more of it is held."""
_DECODED_AT_ONCE: Final = 128 * 1024
"""How many bytes of lines are decoded before others have their turn."""
_LINE_COST: Final = 4096
"""As how many bytes more each line counts."""
_MATCHED: Final = 2000
"""How many characters of one line of text a pattern is tried on."""
_NO_NEWLINE: Final = re.compile(rb"[^\n]")
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
    time_ms: int | None = None
    """When it was written, milliseconds since the epoch."""
    kind: Kind = "text"
    """Of the block."""
    heading: str = ""
    """Of the block, safe to show: a tool's name, say."""


class Progress(msgspec.Struct, frozen=True, gc=False):
    """How far the search has come; all hits before are told."""

    offset: int
    stop: int


class Wanted(Protocol):
    """Blocks of a kind, and which stored bytes they may come from."""

    def __bool__(self) -> bool:
        """Tell whether there is anything to find."""
        ...

    def next(self, lowered: bytes, start: int) -> int:
        """Return where from `start` on stored bytes, in lower case, may match; -1: nowhere."""
        ...

    def possible(self, lowered: bytes, first: int, end: int) -> bool:
        """Tell whether the line from `first` to `end` may match, where `next` said it may."""
        ...

    def line_in(self, block: Block) -> str | None:
        """Return a line of the block's text to tell it by; None if it is not wanted."""
        ...


class Sought(Wanted, Protocol):
    """Text of some kind that is looked for."""

    text: str
    """As typed, more or less."""

    def pick(self, lines: Iterable[str]) -> str | None:
        """Return the one of a block's lines to tell it by; None if it is not wanted.

        Raises:
            TooSlowError: It takes too long to tell.
        """
        ...

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where in a line it is: start and end of each place."""
        ...


class Turns:
    """What the user wrote."""

    def __bool__(self) -> bool:
        """Return true."""
        return True

    def next(self, lowered: bytes, start: int) -> int:
        """Return where from `start` on the next line may tell that it is the user's."""
        return lowered.find(b'"user"', start)

    def possible(self, lowered: bytes, first: int, end: int) -> bool:  # noqa: ARG002
        """Return true."""
        return True

    def line_in(self, block: Block) -> str | None:
        """Return the first line with something on it; None for what others wrote."""
        if block.kind != "user":
            return None
        return next(
            (line for line in lines_of(block) if line.strip() and line != block.heading), ""
        )


class Needle:
    """What is looked for.

    Args:
        text: As typed.
    """

    def __init__(self, text: str) -> None:
        self.text = text.strip().lower()
        runs = _PLAIN_RUN.findall(self.text)
        self._runs = sorted({run.encode() for run in runs}, key=len, reverse=True)
        self._probe = _stored(self.text)

    def __bool__(self) -> bool:
        """Tell whether there is anything to find."""
        return bool(self.text)

    def rarity(self) -> int:
        """Return how many stored bytes in a row tell that it may be there."""
        return len(self._runs[0]) if self._runs else 0

    def next(self, lowered: bytes, start: int) -> int:
        """Return where from `start` on stored bytes, in lower case, may match; -1: nowhere."""
        if self._runs:
            return lowered.find(self._runs[0], start)
        found = self._probe.search(lowered, start)
        return -1 if found is None else found.start()

    def possible(self, lowered: bytes, first: int, end: int) -> bool:
        """Tell whether the line from `first` to `end` may match, where `next` said it may."""
        return all(lowered.find(run, first, end) >= 0 for run in self._runs[1:])

    def line_in(self, block: Block) -> str | None:
        """Return the first line of a block's text that matches."""
        return self.pick(lines_of(block))

    def pick(self, lines: Iterable[str]) -> str | None:
        """Return the first line that matches."""
        return next((line for line in lines if self.text in line.lower()), None)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where in a line it matches: start and end of each place."""
        lowered = text.lower()
        if not self.text or len(lowered) != len(text):
            return
        place = lowered.find(self.text)
        while place >= 0:
            yield place, place + len(self.text)
            place = lowered.find(self.text, place + len(self.text))


class Pattern:
    """A regular expression that is looked for, without regard to case.

    Args:
        pattern: As typed.

    Raises:
        ValueError: It is none; says why in one safe line.
    """

    def __init__(self, pattern: str) -> None:
        try:
            self._find = re.compile(pattern, re.IGNORECASE).finditer
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(clean(str(error))) from error
        self.text = pattern
        self._slow = False
        """Whether it took too long once: then nothing is lit any more."""

    def __bool__(self) -> bool:
        """Tell whether there is anything to find."""
        return bool(self.text)

    def next(self, lowered: bytes, start: int) -> int:
        """Return where the next line with anything on it begins; every one may match."""
        found = _NO_NEWLINE.search(lowered, start)
        return -1 if found is None else found.start()

    def possible(self, lowered: bytes, first: int, end: int) -> bool:  # noqa: ARG002
        """Return true."""
        return True

    def line_in(self, block: Block) -> str | None:
        """Return the first line of a block's text that matches.

        Raises:
            TooSlowError: The pattern takes too long on one of them.
        """
        return self.pick(lines_of(block))

    def pick(self, lines: Iterable[str]) -> str | None:
        """Return the first line that matches; raises as `line_in`."""
        return next((line for line in lines if self._places(line)), None)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where in the first `_MATCHED` characters of a line it matches something."""
        with suppress(TooSlowError):
            yield from self._places(text)

    def _places(self, text: str) -> list[tuple[int, int]]:
        if self._slow:
            raise TooSlowError(TOO_SLOW)
        try:
            return with_patience(
                lambda: [
                    match.span()
                    for match in self._find(text[:_MATCHED])
                    if match.end() > match.start()
                ]
            )
        except TooSlowError:
            self._slow = True
            raise


def sought(text: str) -> Sought:
    """Return what is looked for: text, or a pattern where `re:/…/` was typed.

    The last slash may be missing, so that a pattern works while it is typed.

    Raises:
        ValueError: It is no pattern; says why in one safe line.
    """
    if not text.startswith("re:"):
        return Needle(text)
    pattern = text[3:].strip()
    if pattern.startswith("/"):
        pattern = pattern[1:].removesuffix("/")
    return Pattern(pattern)


def _stored(text: str) -> re.Pattern[bytes]:
    """Return how the first letter of `text` may be stored, as itself or escaped."""
    first = next(iter(text), "")
    forms = {form.encode("utf-8", "surrogatepass") for form in (first, first.upper())}
    return re.compile(b"|".join(re.escape(form) for form in (*sorted(forms), b"\\")))


async def search(
    read: ReadRange, needle: Wanted, start: int, stop: int
) -> AsyncGenerator[Hit | Progress]:
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
        decoded = 0
        for found in _matches(held[:whole], base, needle):
            if isinstance(found, Hit):
                yield found
                continue
            decoded += found + _LINE_COST
            if decoded >= _DECODED_AT_ONCE:
                decoded = 0
                await asyncio.sleep(0)
        held, base = held[whole:], base + whole
        yield Progress(at, stop)
        await asyncio.sleep(0)


def _matches(data: bytes, base: int, needle: Wanted) -> Iterator[Hit | int]:
    """Yield hits of lines from offset `base` on, and the length of each line that was decoded."""
    lowered = data.lower()
    place = needle.next(lowered, 0)
    while place >= 0:
        first = data.rfind(b"\n", 0, place) + 1
        end = data.find(b"\n", place)
        end = len(data) if end < 0 else end
        if not needle.possible(lowered, first, end):
            yield 0
            place = needle.next(lowered, end + 1) if end < len(data) else -1
            continue
        raw = data[first : min(end, first + LONGEST_LINE)]
        number = 0
        for item in decode_line(raw, base + first, size=end - first):
            for block in whole_blocks(item):
                text = needle.line_in(block)
                if text is not None:
                    yield Hit(base + first, number, text, block.time_ms, block.kind, block.heading)
                number += 1
        yield len(raw)
        place = needle.next(lowered, end + 1) if end < len(data) else -1
