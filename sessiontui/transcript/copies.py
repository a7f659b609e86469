"""What of an entry is worth taking to the clipboard: its text, and the code in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sessiontui.transcript.entry_text import whole_blocks, whole_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiontui.formats.blocks import Block, Kind
    from sessiontui.transcript.document import Document

_TOLD: tuple[Kind, ...] = ("tool", "command", "note", "unknown", "bad")
"""Kinds whose headings hold something that their bodies lack."""
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*(.*)")


class Code(NamedTuple):
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
    blocks = [] if stored else await whole_blocks(document, offset, number)
    if blocks:
        return "\n".join(_lines(blocks[-1])), True
    pieces: list[str] = []
    length = 0
    async for piece in whole_text(document, offset, number, stored=stored):
        pieces.append(piece)
        length += len(piece)
        if length > limit:
            return "".join(pieces), False
    return "".join(pieces).removesuffix("\n"), True


async def entry_code(document: Document, offset: int, number: int) -> list[Code]:
    """Return the code in an entry, in order: what is fenced, a command, what a tool wrote.

    Raises:
        StorageError: The backend could not read.
    """
    blocks = await whole_blocks(document, offset, number)
    return list(_code(blocks[-1])) if blocks else []


def _lines(block: Block) -> Iterator[str]:
    bodies = ["\n".join(part.lines) for part in block.parts]
    if block.kind in _TOLD or not any(bodies):
        yield "  ".join(filter(None, (block.heading, block.detail)))
    for number, body in enumerate(bodies):
        if number:
            yield ""
        yield body


def _code(block: Block) -> Iterator[Code]:
    of_shell = block.kind == "command" or (block.kind == "tool" and block.from_end)
    if of_shell and block.detail and not any(part.format == "code" for part in block.parts):
        yield Code("command", block.detail)
    for part in block.parts:
        if part.format == "markdown":
            yield from fenced(part.lines)
        elif part.format in ("code", "diff", "json"):
            language = part.language if part.format == "code" else part.format
            yield Code(language, "\n".join(part.lines))


def fenced(lines: tuple[str, ...]) -> Iterator[Code]:
    """Yield the fenced code of Markdown; a fence that is never closed ends with the text."""
    mark, language = "", ""
    body: list[str] = []
    for line in lines:
        match = _FENCE.fullmatch(line)
        if mark:
            if match and match[1].startswith(mark) and not match[2].strip():
                yield Code(language, "\n".join(body))
                mark, body = "", []
            else:
                body.append(line)
        elif match and not (match[1][0] == "`" and "`" in match[2]):
            mark, language = match[1], match[2].split(maxsplit=1)[0] if match[2].strip() else ""
    if mark and body:
        yield Code(language, "\n".join(body))
