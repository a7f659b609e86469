"""The base of text exports: from lines to blocks, and which of them are wanted.

A line with calls is held back until its results came, and with it all lines after
it, so that the order stays; but no more than `MAX_LINES` lines or `MAX_BYTES`
bytes. A result that comes later than that stands for itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, TypeVar

from sessiontui.formats.blocks import Block, note_block, without_limits
from sessiontui.formats.jsonl import WHOLE_BYTES, BadLine, Entry, LineBuffer
from sessiontui.formats.registry import blocks_of, call_ids, decode_line, results_of
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiontui.formats.blocks import BlockKind, Result
    from sessiontui.formats.jsonl import Item, RawLine


def local_time(ms: int | None, zone: tzinfo | None) -> str:
    """Return a time with its time zone, `2026-11-23 14:02:09 UTC`; empty for none."""
    then = _moment(ms)
    return "" if then is None else then.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def machine_time(ms: int | None) -> str:
    """Return a time in UTC as ISO 8601 has it; empty for none."""
    then = _moment(ms)
    return "" if then is None else then.strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(ms: int | None) -> datetime | None:
    if ms is None:
        return None
    try:
        return datetime.fromtimestamp(ms / 1000, tz=UTC)
    except (OverflowError, OSError, ValueError):
        return None


def seconds(ms: int) -> str:
    """Return how long something took: `0.4 s`, `12 s`, `3 min 5 s`."""
    if ms < 10_000:
        return f"{ms / 1000:.1f} s"
    minutes, rest = divmod(ms // 1000, 60)
    return f"{minutes:,} min {rest} s" if minutes else f"{rest} s"


def plural(number: int, one: str) -> str:
    """Return a number with its noun: `1 turn`, `1,284 turns`."""
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def dollars(cost: float) -> str:
    """Return a cost: `$0.84`, `<$0.01`."""
    return "<$0.01" if 0 < cost < 0.01 else f"${cost:,.2f}"


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


class _WaitingLine(NamedTuple):
    """A line that waits for results."""

    items: tuple[Item, ...]
    size: int
    waits: set[str]
    """Calls in it without a result so far."""


class PairingWindow:
    """Pairs calls with results over a window of lines; yields blocks in order."""

    def __init__(self) -> None:
        self._lines: deque[_WaitingLine] = deque()
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
        links = call_ids(items)
        waits = {call for call in links.calls if call not in self._shown}
        for call in waits:
            _remember(self._shown, call, -1)
            self._waiting[call] = waits
        for item in items:
            self._take(item)
        self._lines.append(_WaitingLine(items, size, waits))
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
        for call in call_ids((item,)).starts:
            _remember(self._started, call, (item.offset, item.timestamp_ms))
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
        for call in call_ids(line.items).calls:
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
            yield note_block(item, "branch", told, time_ms=None)

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
        yield note_block(item, "cut", told, time_ms=None)


def _remember(table: OrderedDict[str, _Value], call: str, value: _Value) -> None:
    table[call] = value
    while len(table) > _MAX_CALLS:
        table.popitem(last=False)


TURNS: Final[tuple[BlockKind, ...]] = ("user", "assistant")
"""Kinds whose headings tell who speaks."""
FOLDED: Final[tuple[BlockKind, ...]] = ("tool", "command", "unknown", "bad")
"""Kinds that are read one by one, if at all."""
_SHORTEST_MS: Final = 100
"""What took less is not said to have taken time."""


class TextWriter(ABC):
    """Makes a text of a session, block by block; nothing but a window of it is kept.

    Args:
        facts: What stands at the top.
        options: What of the session is wanted.
    """

    def __init__(self, facts: SessionFacts, options: ExportOptions) -> None:
        self.facts = facts
        self._options = options
        self._buffer = LineBuffer(limit=WHOLE_BYTES + 1)
        self._window = PairingWindow()
        self._turns = self._tokens = 0
        self._cost = 0.0

    def begin(self) -> bytes:
        """Return what comes before the entries."""
        return self.top().encode()

    def feed(self, data: bytes) -> bytes:
        """Return the text of the entries that these bytes complete."""
        with without_limits():
            return "".join(
                piece for line in self._buffer.feed(data) for piece in self._line(line)
            ).encode()

    def finish(self) -> bytes:
        """Return the text of what waited, and what comes after the entries."""
        rest = self.feed(b"\n") if self._buffer.rest_size else b""
        with without_limits():
            last = "".join(self._texts(blocks) for blocks in self._window.finish())
        return rest + (last + self.bottom()).encode()

    def _line(self, line: RawLine) -> Iterator[str]:
        items = decode_line(line.data, line.offset, size=line.size)
        for blocks in self._window.feed(items, len(line.data)):
            yield self._texts(blocks)

    def _texts(self, blocks: tuple[Block, ...]) -> str:
        return "".join(self.text(block) for block in blocks if self._wanted(block))

    def _wanted(self, block: Block) -> bool:
        """Count a block, and return whether it is shown."""
        self._turns += block.kind == "user"
        if block.usage is not None:
            self._tokens += block.usage.tokens
            self._cost += block.usage.cost
        if block.kind == "tool":
            return self._options.tools
        return self._options.thinking or not (block.kind == "thinking" or block.silent)

    @abstractmethod
    def top(self) -> str:
        """Return what comes before the entries."""

    @abstractmethod
    def text(self, block: Block) -> str:
        """Return the text of a block."""

    @abstractmethod
    def bottom(self) -> str:
        """Return what comes after the entries."""

    # What both texts tell

    def told_facts(self) -> Iterator[tuple[str, str]]:
        """Yield what is known of the session: its name and its value, safe to show."""
        facts = self.facts
        for name, value in (
            ("Project", facts.project),
            ("Agent", facts.agent),
            ("Model", facts.model or ""),
            ("Created", local_time(facts.created_ms, facts.zone)),
            ("Modified", local_time(facts.modified_ms, facts.zone)),
            ("Id", facts.id or ""),
            ("Path", facts.path),
            ("Size", plural(facts.size, "byte")),
        ):
            if value:
                yield name, clean(value)

    def told_sums(self) -> str:
        """Return how much there was of it, for the end."""
        sums = [plural(self._turns, "turn")]
        if self._tokens:
            sums.append(plural(self._tokens, "token"))
        if self._cost:
            sums.append(dollars(self._cost))
        return " · ".join(sums)

    def told_figures(self, block: Block) -> list[str]:
        """Return what the heading of a block tells at its end."""
        figures = list(block.meta)
        if block.added or block.removed:
            figures.append(f"+{block.added:,} −{block.removed:,}")  # noqa: RUF001 - a minus
        if block.duration_ms is not None and block.duration_ms >= _SHORTEST_MS:
            figures.append(seconds(block.duration_ms))
        if block.usage is not None:
            figures.append(plural(block.usage.tokens, "token"))
            if block.usage.cost:
                figures.append(dollars(block.usage.cost))
        return figures


ExportFormat = Literal["md", "html", "json", "jsonl"]

FORMATS: Final[dict[ExportFormat, str]] = {
    "md": "Markdown",
    "html": "HTML",
    "json": "JSON",
    "jsonl": "JSONL",
}
"""The formats with their names."""

EXTENSIONS: Final[dict[ExportFormat, str]] = {
    "md": ".md",
    "html": ".html",
    "json": ".json",
    "jsonl": ".jsonl",
}


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What of a session goes into a text for people; JSON and JSONL hold everything."""

    tools: bool = True
    """Whether tool calls and their results are in it."""
    thinking: bool = False
    """Whether the agent's thinking is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """Facts of a session beside its entries; text in it is as stored."""

    title: str
    path: str
    size: int
    """Length of the session in bytes, all of which is exported."""
    id: str | None = None
    project: str = ""
    agent: str = ""
    model: str | None = None
    created_ms: int | None = None
    modified_ms: int | None = None
    zone: tzinfo | None = None
    """Time zone of the times that people read; None for the local one."""


class ExportWriter(Protocol):
    """Makes a file of a session's bytes; all methods return the next bytes of the file."""

    def begin(self) -> bytes:
        """Return what comes before the entries."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the session."""
        ...

    def finish(self) -> bytes:
        """Return what comes after the entries."""
        ...
