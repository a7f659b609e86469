"""Search in a transcript of any length: matches come while the search goes on.

The stored bytes are looked through in steps, and only lines that can hold what is
looked for are decoded. What counts is the text that their blocks tell, also where a
screen shows only its beginning, without regard to case; a match lies within one line
of it. That a tool began to run is not looked at: its call tells the same. Searching all
sessions looks at the words of the user, of the agent and of tools, and not at what an agent
noted beside them. Offsets and sizes are bytes from the start of the session.

`Finder` serves a reader: the end of the session is looked through first, from the reader's
place on, then what comes before it, the nearest piece first. Matches are kept as numbers
alone, at most `MAX_MATCHES`.
"""

from __future__ import annotations

import asyncio
import re
from array import array
from bisect import bisect_left, bisect_right
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec

from sessiontui.errors import TooSlowError
from sessiontui.formats.blocks import without_limits
from sessiontui.formats.registry import blocks_of, call_ids, decode_line
from sessiontui.text import clean
from sessiontui.transcript.pages import SEARCH_STEPS, STEP_BYTES, line_start
from sessiontui.transcript.regex_timeout import TOO_SLOW, with_regex_timeout

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence

    from sessiontui.formats.blocks import Block, BlockKind
    from sessiontui.formats.jsonl import Item
    from sessiontui.transcript.document import Document
    from sessiontui.transcript.pages import ReadRange

SEARCHED_KINDS: Final[frozenset[BlockKind]] = frozenset(
    {"user", "text", "thinking", "tool", "command", "summary", "message", "error"}
)
"""Kinds of blocks in which something was said."""


def searchable_lines(block: Block) -> Iterator[str]:
    """Yield the lines of a block's text, its heading first, safe to show."""
    yield block.heading
    yield block.detail
    for part in block.parts:
        yield from part.lines
        yield from part.last


def full_blocks(item: Item) -> tuple[Block, ...]:
    """Return the blocks of an entry by itself, with all their lines.

    That a tool began to run is left out: its call tells the same.
    """
    if call_ids((item,)).starts:
        return ()
    with without_limits():
        return blocks_of(item)


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


class TextMatch(msgspec.Struct, frozen=True, gc=False):
    """A match: a block that has the searched text."""

    offset: int
    """Where its line begins."""
    block: int
    """Its number on the line, were every line shown by itself."""
    text: str
    """The first line of its text that matches, safe to show."""
    time_ms: int | None = None
    """When it was written, milliseconds since the epoch."""
    kind: BlockKind = "text"
    """Of the block."""
    heading: str = ""
    """Of the block, safe to show: a tool's name, say."""


class SearchStep(msgspec.Struct, frozen=True, gc=False):
    """A step of a search: how far it has come; all matches before are told."""

    offset: int
    stop: int


class BlockQuery(Protocol):
    """A query for blocks, with a test for the stored bytes they may come from."""

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


class TextQuery(BlockQuery, Protocol):
    """A query for text."""

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


class UserMessageQuery:
    """A query for messages of the user."""

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
            (line for line in searchable_lines(block) if line.strip() and line != block.heading), ""
        )


class LiteralQuery:
    """A query for literal text.

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
        return self.pick(searchable_lines(block))

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


class RegexQuery:
    """A query by a regular expression, without regard to case.

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
        return self.pick(searchable_lines(block))

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
            return with_regex_timeout(
                lambda: [
                    match.span()
                    for match in self._find(text[:_MATCHED])
                    if match.end() > match.start()
                ]
            )
        except TooSlowError:
            self._slow = True
            raise


def parse_find_text(text: str) -> TextQuery:
    """Return what is looked for: text, or a pattern where `re:/…/` was typed.

    The last slash may be missing, so that a pattern works while it is typed.

    Raises:
        ValueError: It is no pattern; says why in one safe line.
    """
    if not text.startswith("re:"):
        return LiteralQuery(text)
    pattern = text[3:].strip()
    if pattern.startswith("/"):
        pattern = pattern[1:].removesuffix("/")
    return RegexQuery(pattern)


def _stored(text: str) -> re.Pattern[bytes]:
    """Return how the first letter of `text` may be stored, as itself or escaped."""
    first = next(iter(text), "")
    forms = {form.encode("utf-8", "surrogatepass") for form in (first, first.upper())}
    return re.compile(b"|".join(re.escape(form) for form in (*sorted(forms), b"\\")))


async def search(
    read: ReadRange, needle: BlockQuery, start: int, stop: int
) -> AsyncGenerator[TextMatch | SearchStep]:
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
            if isinstance(found, TextMatch):
                yield found
                continue
            decoded += found + _LINE_COST
            if decoded >= _DECODED_AT_ONCE:
                decoded = 0
                await asyncio.sleep(0)
        held, base = held[whole:], base + whole
        yield SearchStep(at, stop)
        await asyncio.sleep(0)


def _matches(data: bytes, base: int, needle: BlockQuery) -> Iterator[TextMatch | int]:
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
            for block in full_blocks(item):
                text = needle.line_in(block)
                if text is not None:
                    yield TextMatch(
                        base + first, number, text, block.time_ms, block.kind, block.heading
                    )
                number += 1
        yield len(raw)
        place = needle.next(lowered, end + 1) if end < len(data) else -1


MAX_MATCHES = 100_000
"""With so many hits the search ends; they take 8 bytes each."""
_PIECE = 4 * STEP_BYTES
"""How much is looked through at a time on the way to the beginning."""
_BITS = 16
_MAX_BLOCK = (1 << _BITS) - 1


class MatchPosition(NamedTuple):
    """The position of a match: offset of the line, number of the block."""

    offset: int
    """Where its line begins."""
    block: int
    """Its number on the line, were every line shown by itself."""


class Finder:
    """Finds text in a document; holds the matches so far.

    Args:
        document: Where to look.
        needle: What to look for.
        origin: Where the reader is.
        changed: Called in the loop when more was looked through.
    """

    def __init__(
        self, document: Document, needle: TextQuery, origin: int, changed: Callable[[], None]
    ) -> None:
        self.needle = needle
        self._document = document
        self._origin = origin
        self._changed = changed
        self._hits = array("Q")
        self._version = document.version
        self._first: int | None = None
        """Where the piece begins that was looked through."""
        self._stop = 0
        """Where it ends."""
        self.nearest: MatchPosition | None = None
        """The first hit from the reader's place on, else the last one before."""
        self.full = False
        """Whether there are more hits than are counted."""

    def __len__(self) -> int:
        """Return how many hits are known."""
        return len(self._hits)

    @property
    def complete(self) -> bool:
        """Whether nothing is left to look through."""
        return self.full or (self._first == 0 and self._stop >= self._document.size)

    @property
    def stale(self) -> bool:
        """Whether the session was rewritten since the search began."""
        return self._version != self._document.version

    @property
    def share(self) -> float:
        """How much of the session was looked through, from 0 to 1."""
        seen = self._stop - (self._stop if self._first is None else self._first)
        return min(1.0, seen / max(1, self._document.size))

    async def run(self) -> None:
        """Look through what was not looked through yet; again after the session grew.

        Raises:
            StorageError: The backend could not read; what was found stays.
        """
        document = self._document
        if self._first is None:
            begin = await self._line_start(min(self._origin, document.size))
            self._first = self._stop = begin
        while not self.complete and not self.stale:
            if self._stop < document.size:
                await self._onwards(document.size)
            elif self._first:
                await self._backwards(self._first)

    async def _onwards(self, stop: int) -> None:
        """Look from where the known piece ends; once more at a line that was not whole."""
        begin = await self._line_start(self._stop)
        del self._hits[bisect_left(self._hits, begin << _BITS) :]
        async with aclosing(search(self._document.read, self.needle, begin, stop)) as results:
            async for found in results:
                if self._taken(found, self._hits):
                    return
        self._stop = max(self._stop, stop)
        self._changed()

    async def _backwards(self, stop: int) -> None:
        begin = await self._line_start(max(0, stop - _PIECE))
        hits = array("Q")
        async with aclosing(search(self._document.read, self.needle, begin, stop)) as results:
            async for found in results:
                if self._taken(found, hits, begin):
                    return
        self._join(hits, begin)
        self._changed()

    def _join(self, hits: array[int], begin: int) -> None:
        """Put hits before the others; what was looked through begins at `begin` now."""
        self._first = begin
        if hits:
            self.nearest = self.nearest or _spot(hits[-1])
            self._hits[:0] = hits

    def _taken(
        self, found: TextMatch | SearchStep, hits: array[int], begin: int | None = None
    ) -> bool:
        """Take over what the search says; return whether that was the last of it."""
        if self.stale:
            return True
        if isinstance(found, TextMatch):
            hits.append(found.offset << _BITS | min(found.block, _MAX_BLOCK))
            if begin is None and self.nearest is None:
                self.nearest = MatchPosition(found.offset, found.block)
                self._changed()
            if len(self._hits) + (0 if begin is None else len(hits)) >= MAX_MATCHES:
                self.full = True
                if begin is not None:
                    self._join(hits, begin)
                self._changed()
            return self.full
        if begin is None:
            self._stop = found.offset
        self._changed()
        return False

    async def _line_start(self, offset: int) -> int:
        """Return where the line at `offset` begins, however long it is."""
        begin = await line_start(self._document.read, offset)
        while begin is None:
            offset = max(0, offset - SEARCH_STEPS * STEP_BYTES)
            begin = await line_start(self._document.read, offset)
        return begin

    # -- what was found

    def rank(self, spot: MatchPosition) -> int:
        """Return how many hits come before one, and itself: 1 for the first."""
        return bisect_right(self._hits, spot.offset << _BITS | min(spot.block, _MAX_BLOCK))

    def after(self, spot: MatchPosition) -> MatchPosition | None:
        """Return the next match, the first one after the last."""
        number = self.rank(spot)
        return _spot(self._hits[number % len(self._hits)]) if self._hits else None

    def before(self, spot: MatchPosition) -> MatchPosition | None:
        """Return the previous match, the last one before the first."""
        key = spot.offset << _BITS | min(spot.block, _MAX_BLOCK)
        number = bisect_left(self._hits, key) - 1
        return _spot(self._hits[number]) if self._hits else None

    def between(self, start: int, stop: int) -> bool:
        """Tell whether a line from `start` on and before `stop` has a hit."""
        number = bisect_left(self._hits, start << _BITS)
        return number < len(self._hits) and self._hits[number] >> _BITS < stop


def _spot(key: int) -> MatchPosition:
    return MatchPosition(key >> _BITS, key & _MAX_BLOCK)


_TERM: Final = re.compile(r'"([^"]*)"?|([^\s"]+)')


class WordsQuery:
    """A query for several texts, all of which stand in a block.

    Args:
        needles: What to look for, at least one.
    """

    def __init__(self, needles: Sequence[LiteralQuery]) -> None:
        self._needles = tuple(needles)
        self._lead = max(self._needles, key=LiteralQuery.rarity)
        self.text = " ".join(needle.text for needle in self._needles)

    def __bool__(self) -> bool:
        """Tell whether there is anything to find."""
        return True

    @property
    def needles(self) -> tuple[LiteralQuery, ...]:
        """A query for literal text."""
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
        return self.pick(searchable_lines(block))

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


def parse_search_terms(text: str) -> TextQuery:
    """Return what is looked for in all sessions: words, `"exact text"`, or `re:/…/`.

    Every word and every text must be in what was said at once. The last quotation
    mark may be missing, as may the last slash.

    Raises:
        ValueError: It is no pattern; says why in one safe line.
    """
    text = text.strip()
    if text.startswith("re:"):
        return parse_find_text(text)
    terms = (quoted or plain for quoted, plain in _TERM.findall(text))
    needles = {needle.text: needle for needle in map(LiteralQuery, terms) if needle}
    return (
        WordsQuery(tuple(needles.values()))
        if len(needles) > 1
        else next(iter(needles.values()), LiteralQuery(""))
    )
