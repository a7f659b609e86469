"""`sessiontui show`: a session's entries as plain text, or its bytes as stored."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import click

from sessiontui.app.format import clock_time, cost, duration, tokens
from sessiontui.cli.completion import complete_sessions
from sessiontui.cli.output import Output, write_bytes
from sessiontui.cli.resolve import resolve_session
from sessiontui.cli.root import (
    cli,
    source_options,
    source_options_of,
)
from sessiontui.cli.runner import CommandError, with_workspace
from sessiontui.formats.blocks import NoPairing, block_group, items, mapping, text
from sessiontui.formats.jsonl import Entry, LineBuffer
from sessiontui.formats.registry import blocks_of, decode_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from sessiontui.app.format import Tone
    from sessiontui.formats.blocks import Block, BlockKind, Part
    from sessiontui.formats.jsonl import Item
    from sessiontui.workspace import Workspace

_TONES: dict[BlockKind, Tone] = {
    "thinking": "past",
    "note": "past",
    "unknown": "past",
    "summary": "past",
}
_HEADINGS: dict[BlockKind, str] = {"thinking": "thinking"}
_BESIDE: tuple[BlockKind, ...] = ("user", "assistant", "summary", "message")
"""Kinds whose headings begin a turn; the others stand beneath it."""
_ONE_LINE: tuple[BlockKind, ...] = ("note", "unknown")
"""Kinds whose headings tell what there is, shortened; `--raw` has all of it."""
_INDENT = "  "
_CALLS = 64
"""How many tool calls are remembered."""


@cli.command("show")
@source_options
@click.option("--raw", is_flag=True, help="The stored bytes and nothing else.")
@click.argument("session", shell_complete=complete_sessions)
@click.pass_context
def show_command(context: click.Context, session: str, *, raw: bool) -> None:
    """Print a session.

    As text, control codes in it made visible; very long outputs are cut. With
    --raw exactly the bytes that are stored.

    \b
    Examples:
      sessiontui show 0199a1b2 | less
      sessiontui show --raw 0199a1b2 > session.jsonl
    """
    with_workspace(
        source_options_of(context), lambda workspace: show_session(workspace, session, raw=raw)
    )


class _Calls(NoPairing):
    """The tool calls that were written last: that they began to run needs no line of its own."""

    def __init__(self) -> None:
        self._known: deque[str] = deque(maxlen=_CALLS)
        self._begins = False

    def look_at(self, item: Item) -> None:
        """Take note of the line whose blocks are made next."""
        data = item.data if isinstance(item, Entry) else {}
        self._begins = data.get("customType") == "tool_execution_start"
        content = mapping(data.get("message")).get("content")
        calls = [mapping(piece) for piece in items(content)]
        self._known.extend(text(call.get("id")) for call in calls if call.get("type") == "toolCall")

    def is_shown(self, call_id: str, offset: int) -> bool:  # noqa: ARG002 - the protocol's names
        """Tell whether the call is there already, and this line says only that it runs."""
        return self._begins and call_id in self._known


class TextRenderer:
    """Writes the bytes of a session, given in pieces of any size, as text.

    Each line stands for itself: a call is written when it is read, its result later.

    Args:
        output: Where to write, and whether in colour.
        offset: Where in the session the first piece begins; the start of a line.
        clock: The time in milliseconds; decides how much of a date is told.
    """

    def __init__(self, output: Output, *, offset: int = 0, clock: Callable[[], int]) -> None:
        self._output = output
        self._clock = clock
        self._buffer = LineBuffer(offset)
        self._calls = _Calls()
        self._previous: Block | None = None

    def feed(self, data: bytes) -> None:
        """Write the lines that these bytes complete."""
        for line in self._buffer.feed(data):
            for item in decode_line(line.data, line.offset, size=line.size):
                self._calls.look_at(item)
                for block in blocks_of(item, self._calls):
                    self._write(block)
        self._output.flush()

    def finish(self) -> None:
        """Write the last line too, though it has no newline yet."""
        if self._buffer.rest_size:
            self.feed(b"\n")

    def _write(self, block: Block) -> None:
        previous, self._previous = self._previous, block
        apart = previous is not None and (
            block.kind in _BESIDE
            or block_group(block) != block_group(previous)
            or block_group(block) == "tool"
        )
        if apart:
            self._output.line()
        indent = "" if block.kind in _BESIDE else _INDENT
        if heading := self._heading(block):
            self._output.line(indent + heading)
            indent += "" if block.kind in _BESIDE else _INDENT
        tone = "failed" if block.error else _TONES.get(block.kind, "plain")
        one_line = block.kind in _ONE_LINE and block.brief is not None
        for part in () if one_line else block.parts:
            for line in _lines(part):
                self._output.line(self._output.style((indent or _INDENT) + line, tone=tone))

    def _heading(self, block: Block) -> str:
        """Return the line above a block's body: what it is, then its figures."""
        name = block.heading or _HEADINGS.get(block.kind, "")
        if not name:
            return ""
        figures = [*block.meta]
        if block.added or block.removed:
            figures.append(f"+{block.added} -{block.removed}")
        if block.duration_ms is not None:
            figures.append(duration(block.duration_ms))
        if block.time_ms is not None and block.kind in _BESIDE:
            figures.append(clock_time(block.time_ms, self._clock()))
        if block.usage is not None:
            figures.append(f"{tokens(block.usage.tokens)} tokens")
            if block.usage.cost:
                figures.append(cost(block.usage.cost))
        tone: Tone = "failed" if block.error else _TONES.get(block.kind, "plain")
        title = self._output.style(name, tone=tone, bold=tone == "plain")
        detail = f" {block.detail or _brief(block)}".rstrip()
        told = self._output.style("  " + " · ".join(figures), tone="past") if figures else ""
        return title + detail + told


def _brief(block: Block) -> str:
    """Return on one line what an entry of no known kind holds."""
    return " ".join(line for part in block.brief or () for line in part.lines)


def _lines(part: Part) -> Iterator[str]:
    yield from part.lines
    if part.more:
        left = part.more - len(part.last)
        if left > 0:
            yield f"… {left:,} more lines"
        yield from part.last


PIECE_BYTES = 1024 * 1024
"""How much of a session is read at a time."""


class ByteSink(Protocol):
    """Takes a session's bytes in order."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        ...

    def finish(self) -> None:
        """There are no more."""
        ...


class RawSink:
    """Writes the bytes as they are."""

    def feed(self, data: bytes) -> None:
        """Write them."""
        write_bytes(data)

    def finish(self) -> None:
        """Add nothing."""


async def show_session(workspace: Workspace, name: str, *, raw: bool) -> None:
    """Print a session."""
    row = await resolve_session(workspace, name)
    sink = byte_sink(workspace, raw=raw, offset=0)
    async for data in pieces(workspace, row.path, 0, row.size):
        sink.feed(data)
    sink.finish()


def byte_sink(workspace: Workspace, *, raw: bool, offset: int) -> ByteSink:
    """Return what writes a session's bytes, as they are or as text, from an offset on."""
    if raw:
        return RawSink()
    return TextRenderer(Output(), offset=offset, clock=workspace.clock)


async def pieces(workspace: Workspace, path: str, start: int, stop: int) -> AsyncIterator[bytes]:
    """Yield the bytes `[start, stop)` of a session in order.

    Raises:
        CommandError: The session became shorter meanwhile.
    """
    while start < stop:
        data = await workspace.read_raw(path, start, min(start + PIECE_BYTES, stop))
        if not data:
            raise CommandError("the session was rewritten while it was read; try again")
        yield data
        start += len(data)
