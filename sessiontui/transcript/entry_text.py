"""The text of one entry: whole for a pager, for the clipboard, or as indented JSON.

Only the lines that the entry stands on are read. A line longer than
`WHOLE_BYTES` is not decoded: it comes as it is stored, in pieces.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from sessiontui.formats.blocks import without_limits
from sessiontui.formats.jsonl import HEAD_BYTES, WHOLE_BYTES, BadLine
from sessiontui.formats.registry import blocks_of, call_ids, decode_line, results_of
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sessiontui.formats.blocks import Block, BlockKind, Result
    from sessiontui.formats.jsonl import Item
    from sessiontui.transcript.document import Document
    from sessiontui.transcript.pairing import PairIndex

_PIECE_BYTES = 1024 * 1024


async def full_text(
    document: Document, offset: int, number: int, *, stored: bool = False
) -> AsyncIterator[str]:
    """Yield the text of an entry in pieces that are safe to show; newlines are in them.

    Args:
        document: Its window holds the entry.
        offset: Where the entry's line begins.
        number: Of its block in the line; a heading of the agent belongs to the text beneath it.
        stored: Whether the line is wanted as it is stored.

    Raises:
        StorageError: The backend could not read.
    """
    place = document.place(offset)
    if place is None:
        return
    size = document.pages[place[0]].line(place[1]).size
    if stored or size > WHOLE_BYTES:
        async for piece in _stored(document, offset, offset + size):
            yield piece
        return
    for block in await _blocks(document, offset, number, size):
        for line in _lines(block):
            yield line + "\n"


async def full_entry_blocks(document: Document, offset: int, number: int) -> list[Block]:
    """Return a block of an entry with all its lines, and before it the agent's heading.

    Empty for a line that is not in the window, or longer than `WHOLE_BYTES`.

    Raises:
        StorageError: The backend could not read.
    """
    place = document.place(offset)
    size = 0 if place is None else document.pages[place[0]].line(place[1]).size
    if not 0 < size <= WHOLE_BYTES:
        return []
    return await _blocks(document, offset, number, size)


async def _blocks(document: Document, offset: int, number: int, size: int) -> list[Block]:
    items = await _items(document, offset, size)
    results: dict[str, Result] = {}
    for call_id in call_ids(items).calls:
        result = await _result(document, call_id)
        if result is not None:
            results[call_id] = result
    with without_limits():
        pairing = _Whole(document.pairs, results)
        blocks = [block for item in items for block in blocks_of(item, pairing)]
    first = number - (0 < number < len(blocks) and blocks[number - 1].kind == "assistant")
    return blocks[first : number + 1]


def _lines(block: Block) -> Iterator[str]:
    heading = "  ".join(filter(None, (block.heading, block.detail)))
    if heading:
        yield heading
        yield ""
    for part in block.parts:
        yield from part.lines


async def _items(document: Document, offset: int, size: int) -> tuple[Item, ...]:
    return decode_line(await document.read(offset, offset + size), offset, size=size)


async def _result(document: Document, call_id: str) -> Result | None:
    """Return the whole result of a call, if that is in the window and not too long."""
    offset = document.pairs.result_at(call_id)
    place = document.place(offset) if offset is not None else None
    if offset is None or place is None:
        return None
    size = document.pages[place[0]].line(place[1]).size
    if size > WHOLE_BYTES:
        return document.pairs.result(call_id)
    items = await _items(document, offset, size)
    with without_limits():
        found = (result for item in items for result in results_of(item))
        return next((result for result in found if result.call_id == call_id), None)


async def _stored(document: Document, start: int, stop: int) -> AsyncIterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while start < stop:
        data = await document.read(start, min(start + _PIECE_BYTES, stop))
        if not data:
            break
        start += len(data)
        yield clean(decoder.decode(data), tab_size=1)
    yield clean(decoder.decode(b"", final=True)) + "\n"


class _Whole:
    """Brings together what `pairs` does, with results that were read whole."""

    def __init__(self, pairs: PairIndex, results: dict[str, Result]) -> None:
        self._pairs = pairs
        self._results = results

    def result(self, call_id: str) -> Result | None:
        """Return what the call got."""
        return self._results.get(call_id)

    def started_ms(self, call_id: str) -> int | None:
        """Return when the call began to run."""
        return self._pairs.started_ms(call_id)

    def is_shown(self, call_id: str, offset: int) -> bool:
        """Return whether the call's own block shows what stands on the line at `offset`."""
        return self._pairs.is_shown(call_id, offset)


_TOLD: tuple[BlockKind, ...] = ("tool", "command", "note", "unknown", "bad")
"""Kinds whose headings hold something that their bodies lack."""
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*(.*)")


class CodeSnippet(NamedTuple):
    """Code that stands in an entry."""

    language: str
    """As the fence names it, or what it is; may be empty."""
    text: str


async def entry_text(
    document: Document, offset: int, number: int, *, stored: bool, limit: int
) -> tuple[str, bool]:
    """Return the text of an entry without the agent's heading, and whether that is all of it.

    Args:
        document: Its window holds the entry.
        offset: Where the entry's line begins.
        number: Of its block in the line.
        stored: Whether the line is wanted as it is stored.
        limit: How many characters are read at most where the line comes as it is stored.

    Raises:
        StorageError: The backend could not read.
    """
    blocks = [] if stored else await full_entry_blocks(document, offset, number)
    if blocks:
        return "\n".join(_block_lines(blocks[-1])), True
    pieces: list[str] = []
    length = 0
    async for piece in full_text(document, offset, number, stored=stored):
        pieces.append(piece)
        length += len(piece)
        if length > limit:
            return "".join(pieces), False
    return "".join(pieces).removesuffix("\n"), True


async def entry_code(document: Document, offset: int, number: int) -> list[CodeSnippet]:
    """Return the code in an entry, in order: what is fenced, a command, what a tool wrote.

    Raises:
        StorageError: The backend could not read.
    """
    blocks = await full_entry_blocks(document, offset, number)
    return list(_code(blocks[-1])) if blocks else []


def _block_lines(block: Block) -> Iterator[str]:
    bodies = ["\n".join(part.lines) for part in block.parts]
    if block.kind in _TOLD or not any(bodies):
        yield "  ".join(filter(None, (block.heading, block.detail)))
    for number, body in enumerate(bodies):
        if number:
            yield ""
        yield body


def _code(block: Block) -> Iterator[CodeSnippet]:
    of_shell = block.kind == "command" or (block.kind == "tool" and block.from_end)
    if of_shell and block.detail and not any(part.format == "code" for part in block.parts):
        yield CodeSnippet("command", block.detail)
    for part in block.parts:
        if part.format == "markdown":
            yield from fenced_code(part.lines)
        elif part.format in ("code", "diff", "json"):
            language = part.language if part.format == "code" else part.format
            yield CodeSnippet(language, "\n".join(part.lines))


def fenced_code(lines: tuple[str, ...]) -> Iterator[CodeSnippet]:
    """Yield the fenced code of Markdown; a fence that is never closed ends with the text."""
    mark, language = "", ""
    body: list[str] = []
    for line in lines:
        match = _FENCE.fullmatch(line)
        if mark:
            if match and match[1].startswith(mark) and not match[2].strip():
                yield CodeSnippet(language, "\n".join(body))
                mark, body = "", []
            else:
                body.append(line)
        elif match and not (match[1][0] == "`" and "`" in match[2]):
            mark, language = match[1], match[2].split(maxsplit=1)[0] if match[2].strip() else ""
    if mark and body:
        yield CodeSnippet(language, "\n".join(body))


MAX_STORED_LINES = 3000
"""How many lines of it are shown at most."""
_MAX_STRING = 1000
"""How many characters of one text."""
_MAX_ITEMS = 500
"""How many members of one list or object."""
_MAX_DEPTH = 50


async def entry_json_lines(document: Document, offset: int) -> tuple[list[str], bool]:
    """Return the line of a session as indented JSON, and whether that is all of it.

    Args:
        document: Its window holds the line.
        offset: Where the line begins.

    Returns:
        Lines that are safe to show; those of a line that is no JSON are as it is stored.

    Raises:
        StorageError: The backend could not read.
    """
    place = document.place(offset)
    if place is None:
        return [], True
    size = document.pages[place[0]].line(place[1]).size
    raw = await document.read(offset, offset + (size if size <= WHOLE_BYTES else HEAD_BYTES))
    lines: list[str] = []
    cut = _Cut()
    for item in decode_line(raw, offset, size=size):
        if isinstance(item, BadLine):
            text = raw[: _MAX_STRING * 10].decode("utf-8", "replace")
            lines += [clean(f"({item.reason})"), clean(text)]
            cut.happened = cut.happened or len(raw) > _MAX_STRING * 10
        else:
            value = cut.down(item.data, 0)
            text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
            lines += [clean(line) for line in text.split("\n")]
            cut.happened = cut.happened or item.partial
    return lines[:MAX_STORED_LINES], not cut.happened and len(lines) <= MAX_STORED_LINES


class _Cut:
    """Makes values smaller."""

    happened = False

    def down(self, value: Any, depth: int) -> Any:
        """Return a value without what is too long or too deep of it."""
        if isinstance(value, str) and len(value) > _MAX_STRING:
            self.happened = True
            return f"{value[:_MAX_STRING]}… ({len(value) - _MAX_STRING:,} more characters)"
        if not isinstance(value, dict | list):
            return value
        if depth >= _MAX_DEPTH:
            self.happened = True
            return "…"
        if len(value) > _MAX_ITEMS:
            self.happened = True
        if isinstance(value, dict):
            members = list(value.items())[:_MAX_ITEMS]
            return {key[:_MAX_STRING]: self.down(member, depth + 1) for key, member in members}
        return [self.down(member, depth + 1) for member in value[:_MAX_ITEMS]]
