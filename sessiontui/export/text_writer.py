"""What the texts for people have in common: lines to blocks, and what of them is wanted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from sessiontui.export.pairing import Window
from sessiontui.export.words import counted, dollars, local_time, seconds
from sessiontui.formats.blocks import Block, uncut
from sessiontui.formats.jsonl import WHOLE_BYTES, decode_line
from sessiontui.formats.lines import LineBuffer
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiontui.export.values import Facts, Options
    from sessiontui.formats.blocks import Kind
    from sessiontui.formats.lines import Line

TURNS: Final[tuple[Kind, ...]] = ("user", "assistant")
"""Kinds whose headings tell who speaks."""
FOLDED: Final[tuple[Kind, ...]] = ("tool", "command", "unknown", "bad")
"""Kinds that are read one by one, if at all."""
_SHORTEST_MS: Final = 100
"""What took less is not said to have taken time."""


class TextWriter(ABC):
    """Makes a text of a session, block by block; nothing but a window of it is kept.

    Args:
        facts: What stands at the top.
        options: What of the session is wanted.
    """

    def __init__(self, facts: Facts, options: Options) -> None:
        self.facts = facts
        self._options = options
        self._buffer = LineBuffer(limit=WHOLE_BYTES + 1)
        self._window = Window()
        self._turns = self._tokens = 0
        self._cost = 0.0

    def begin(self) -> bytes:
        """Return what comes before the entries."""
        return self.top().encode()

    def feed(self, data: bytes) -> bytes:
        """Return the text of the entries that these bytes complete."""
        with uncut():
            return "".join(
                piece for line in self._buffer.feed(data) for piece in self._line(line)
            ).encode()

    def finish(self) -> bytes:
        """Return the text of what waited, and what comes after the entries."""
        rest = self.feed(b"\n") if self._buffer.rest_size else b""
        with uncut():
            last = "".join(self._texts(blocks) for blocks in self._window.finish())
        return rest + (last + self.bottom()).encode()

    def _line(self, line: Line) -> Iterator[str]:
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
            ("Size", counted(facts.size, "byte")),
        ):
            if value:
                yield name, clean(value)

    def told_sums(self) -> str:
        """Return how much there was of it, for the end."""
        sums = [counted(self._turns, "turn")]
        if self._tokens:
            sums.append(counted(self._tokens, "token"))
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
            figures.append(counted(block.usage.tokens, "token"))
            if block.usage.cost:
                figures.append(dollars(block.usage.cost))
        return figures
