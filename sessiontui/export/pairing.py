"""Brings tool calls and their results together while a session goes by.

A line with calls is held back until its results came, and with it all lines after
it, so that the order stays; but no more than `MAX_LINES` lines or `MAX_BYTES`
bytes. A result that comes later than that stands for itself.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from sessiontui.formats.blocks import note
from sessiontui.formats.blocks_events import started
from sessiontui.formats.entries import BadLine, Entry
from sessiontui.formats.registry import blocks_of, results_of
from sessiontui.transcript.links import links_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiontui.formats.blocks import Block, Result
    from sessiontui.formats.entries import Item

MAX_LINES: Final = 512
"""How many lines are held back at most."""
MAX_BYTES: Final = 16 * 1024 * 1024
"""How many bytes of the session they may be long."""
_MAX_CALLS: Final = 4096
"""How many calls are remembered, so that nothing is shown twice."""


_Start = tuple[int, int | None]
"""Where the line begins that tells of it, and when it was."""
_NEVER: Final[_Start] = (-1, None)
_Value = TypeVar("_Value")


class _Held(NamedTuple):
    """A line that waits."""

    items: tuple[Item, ...]
    size: int
    waits: set[str]
    """Calls in it without a result so far."""


class Window:
    """Turns lines into blocks, in order; a call's block shows its result."""

    def __init__(self) -> None:
        self._lines: deque[_Held] = deque()
        self._bytes = 0
        self._waiting: dict[str, set[str]] = {}
        """By call the set of its line."""
        self._results: dict[str, Result] = {}
        """Results in the window whose calls are in it too."""
        self._started: OrderedDict[str, _Start] = OrderedDict()
        self._shown: OrderedDict[str, int] = OrderedDict()
        """By call where the line with its result begins; -1 as long as there is none."""
        self._before: str | None = None
        """Id of the last entry that was shown."""

    def feed(self, items: tuple[Item, ...], size: int) -> Iterator[tuple[Block, ...]]:
        """Take the entries of the next line; yield the blocks of each line that is ready."""
        links = links_of(items)
        waits = {call for call in links.calls if call not in self._shown}
        for call in waits:
            _remember(self._shown, call, -1)
            self._waiting[call] = waits
        for item in items:
            self._take(item)
        self._lines.append(_Held(items, size, waits))
        self._bytes += size
        while self._lines and (
            not self._lines[0].waits or len(self._lines) > MAX_LINES or self._bytes > MAX_BYTES
        ):
            yield self._next()

    def finish(self) -> Iterator[tuple[Block, ...]]:
        """Yield the blocks of the lines that still wait."""
        while self._lines:
            yield self._next()

    def _take(self, item: Item) -> None:
        """Take note of results, and of calls that began to run."""
        if isinstance(item, BadLine):
            return
        begun = started(item)
        if begun is not None:
            _remember(self._started, begun[0], (item.offset, begun[1]))
        for result in results_of(item):
            waits = self._waiting.pop(result.call_id, None)
            if waits is not None:
                waits.discard(result.call_id)
                self._results[result.call_id] = result
                self._shown[result.call_id] = result.offset

    def _next(self) -> tuple[Block, ...]:
        line = self._lines.popleft()
        self._bytes -= line.size
        blocks: list[Block] = []
        for item in line.items:
            blocks += self._jump(item)
            blocks += blocks_of(item, self)
            blocks += _cut(item)
        for call in links_of(line.items).calls:
            self._results.pop(call, None)
            self._waiting.pop(call, None)
        return tuple(blocks)

    def _jump(self, item: Item) -> Iterator[Block]:
        """Yield a word about an entry of omp or pi that does not follow the one before it."""
        if isinstance(item, BadLine) or "parentId" not in item.data:
            return
        before, self._before = self._before, item.id or self._before
        if None not in (item.parent_id, before) and item.parent_id != before:
            told = "goes on from an earlier entry than the last one"
            yield note(item, "branch", told, time_ms=None)

    # What blocks ask while they are made

    def result(self, call_id: str) -> Result | None:
        """Return what the call got."""
        return self._results.get(call_id)

    def started_ms(self, call_id: str) -> int | None:
        """Return when the call began to run."""
        return self._started.get(call_id, _NEVER)[1]

    def is_shown(self, call_id: str, offset: int) -> bool:
        """Return whether the call's own block shows what stands on the line at `offset`."""
        return call_id in self._shown and offset in (
            self._shown[call_id],
            self._started.get(call_id, _NEVER)[0],
        )


def _cut(item: Item) -> Iterator[Block]:
    """Yield a word about an entry that is too long to be taken whole."""
    if isinstance(item, Entry) and item.partial:
        told = f"of {item.size:,} bytes this entry's beginning alone; JSONL has all of it"
        yield note(item, "cut", told, time_ms=None)


def _remember(table: OrderedDict[str, _Value], call: str, value: _Value) -> None:
    table[call] = value
    while len(table) > _MAX_CALLS:
        table.popitem(last=False)
