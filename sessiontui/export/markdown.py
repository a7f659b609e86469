"""A session as Markdown.

What people and agents wrote is Markdown already and stays so, but that HTML in it
is escaped and what it begins is ended. All else stands in fences longer than any
run of backticks inside, so that nothing gets out of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sessiontui.export.markup import safe_markdown
from sessiontui.export.text_writer import FOLDED, TURNS, TextWriter, local_time
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sessiontui.formats.blocks import Block, Part

_SPECIAL: Final = re.compile(r"([\\`*_\[\]|<>~&]|^[#+-])")
_RUN: Final = re.compile(r"`+")
_LANGUAGE: Final = re.compile(r"[A-Za-z0-9_+#.-]{1,20}")
_RECORDS: Final = ("note", "message", "unknown")
_LANGUAGES: Final = {"json": "json", "diff": "diff"}


class MarkdownWriter(TextWriter):
    """Writes Markdown as CommonMark has it, with a table of facts at the top."""

    def top(self) -> str:
        """Return title and facts."""
        rows = [f"| {name} | {_code(value, cell=True)} |\n" for name, value in self.told_facts()]
        title = _escaped(clean(self.facts.title))
        return f"# {title}\n\n| | |\n| --- | --- |\n{''.join(rows)}\n---\n"

    def bottom(self) -> str:
        """Return the sums."""
        return f"\n---\n\n{self.told_sums()}\n"

    def text(self, block: Block) -> str:
        """Return the text of a block, with an empty line before it."""
        return "".join(f"\n{piece}\n" for piece in self._pieces(block) if piece)

    def _pieces(self, block: Block) -> Iterator[str]:
        if block.kind == "thinking":
            yield "*Thinking*"
            for part in block.parts:
                yield _prose([f"> {line}".rstrip() for line in part.lines])
            return
        yield self._heading(block)
        for part in block.parts:
            yield _body(part)

    def _heading(self, block: Block) -> str:
        if not block.heading:
            return ""
        told = self.told_figures(block)
        if block.kind in TURNS:
            level = "## " if block.kind == "user" else "### "
            when = local_time(block.time_ms, self.facts.zone)
            return " · ".join(filter(None, (level + _escaped(block.heading), when, *told)))
        detail = block.detail
        if any(part.format == "json" for part in block.parts) and block.kind in _RECORDS:
            detail = ""  # It is the beginning of the body.
        told_detail = _code(detail) if block.kind in FOLDED else _escaped(detail)
        failed = ["failed"] if block.error and block.kind == "tool" else []
        name = f"**{_escaped(block.heading)}** {told_detail if detail else ''}".rstrip()
        return " · ".join([name, *failed, *map(_escaped, told)])


def _body(part: Part) -> str:
    """Return a part of a block's body."""
    if not any(part.lines):
        return ""
    if part.format == "markdown":
        return _prose(part.lines)
    if part.format == "note":
        return "\n".join(_escaped(line) for line in part.lines)
    return _fenced(part.lines, _LANGUAGES.get(part.format, part.language))


def _prose(lines: Sequence[str]) -> str:
    """Return Markdown that begins at the margin, so that it goes on with nothing before it."""
    text = safe_markdown("\n".join(lines).lstrip())
    return _fenced(lines, "") if text is None else text


def _fenced(lines: Sequence[str], language: str) -> str:
    longest = max((len(run) for line in lines for run in _RUN.findall(line)), default=0)
    mark = "`" * max(3, longest + 1)
    known = language if _LANGUAGE.fullmatch(language) else ""
    return "\n".join([mark + known, *lines, mark])


def _escaped(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return _SPECIAL.sub(r"\\\1", text)


def _code(text: str, *, cell: bool = False) -> str:
    """Return text as code in a line, or in a cell of a table."""
    longest = max(map(len, _RUN.findall(text)), default=0)
    mark, blank = "`" * (longest + 1), " " if longest else ""
    return f"{mark}{blank}{text.replace('|', chr(92) + '|') if cell else text}{blank}{mark}"
