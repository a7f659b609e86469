"""The turns of a session: what the user wrote, and how many tools ran and failed after it.

Tools are counted by the bytes that tell of them, so that nothing else than the
user's own lines is decoded. Offsets are bytes from the start of the session.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sessiontui.transcript.search import Hit, Turns, search

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from sessiontui.transcript.pages import ReadRange

_AGENTS: Final = (
    ((b'"type":"toolCall"',), (b'"isError":true', b'"stopReason":"error"')),
    ((b'"type":"tool_use"',), (b'"is_error":true', b'"isApiErrorMessage":true')),
    (
        (b'"type":"function_call"', b'"type":"custom_tool_call"', b'"type":"local_shell_call"'),
        (b'"type":"error"',),
    ),
)
"""What stands for a call, and what for a failure, as omp and pi, Claude Code and Codex store it."""
_LONGEST: Final = 32


@dataclass(slots=True)
class Turn:
    """What the user wrote, and what came of it."""

    hit: Hit
    tools: int = 0
    errors: int = 0


class TurnFinder:
    """Looks for turns from the beginning on.

    Args:
        read: Reads bytes of the session.
        stop: Where to stop.
        most: How many turns are told at most.
    """

    def __init__(self, read: ReadRange, stop: int, most: int) -> None:
        self.turns: list[Turn] = []
        self.offset = 0
        """How far the session was looked through."""
        self._read = read
        self._stop = stop
        self._most = most
        self._words: tuple[tuple[bytes, ...], tuple[bytes, ...]] | None = None
        self._tools = array("Q")
        self._errors = array("Q")
        self._rest = b""
        self._counted = 0

    @property
    def full(self) -> bool:
        """Whether there may be more turns than are told."""
        return len(self.turns) >= self._most

    async def run(self) -> AsyncGenerator[int]:
        """Look on; yield after each step the number of the first turn that changed.

        Raises:
            StorageError: The backend could not read.
        """
        first = 0
        async for found in search(self._counting, Turns(), 0, self._stop):
            if isinstance(found, Hit):
                self.turns.append(Turn(found))
                if not self.full:
                    continue
            self.offset = found.offset
            self._give(self.offset)
            yield first
            if self.full:
                return
            first = max(0, len(self.turns) - 1)

    async def _counting(self, start: int, stop: int) -> bytes:
        """Read, and note where in the bytes calls and failures stand."""
        data = await self._read(start, stop)
        joined = self._rest + data
        base = start - len(self._rest)
        if self._words is None:
            known = (words for words in _AGENTS if any(word in joined for word in words[0]))
            self._words = next(known, None)
        if self._words is not None:
            for words, places in zip(self._words, (self._tools, self._errors), strict=True):
                places.extend(sorted(_places(joined, words, base, self._counted)))
        self._counted = start + len(data)
        self._rest = joined[-_LONGEST:]
        return data

    def _give(self, offset: int) -> None:
        """Count what stands before `offset` for the turn that it comes after."""
        for place in _taken(self._tools, offset):
            turn = self._turn_at(place)
            if turn is not None:
                turn.tools += 1
        for place in _taken(self._errors, offset):
            turn = self._turn_at(place)
            if turn is not None:
                turn.errors += 1

    def _turn_at(self, place: int) -> Turn | None:
        number = bisect_right(self.turns, place, key=lambda turn: turn.hit.offset) - 1
        return self.turns[number] if number >= 0 else None


def _taken(places: array[int], offset: int) -> array[int]:
    """Return the places before `offset`, and forget them."""
    stop = bisect_left(places, offset)
    taken = places[:stop]
    del places[:stop]
    return taken


def _places(data: bytes, words: tuple[bytes, ...], base: int, counted: int) -> list[int]:
    """Return where words end in `data`, those that end after `counted`."""
    found = []
    for word in words:
        place = data.find(word)
        while place >= 0:
            if base + place + len(word) > counted:
                found.append(base + place)
            place = data.find(word, place + len(word))
    return found
