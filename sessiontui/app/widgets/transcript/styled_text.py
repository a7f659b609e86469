"""Text of a transcript as styled pieces: light Markdown, source code, and wrapping by cells.

Fast rather than complete: each line is looked at by itself, with one word of
state for code fences. Styles are names of the view's component classes.

The lexers are imported when the first code comes into view, and read no further
than its rows do. Code beyond `MAX_CODE` and from a very long line on is left plain.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, split_graphemes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pygments.lexer import Lexer
    from pygments.token import _TokenType

MAX_CODE = 16_000
"""How many characters of one piece of code are coloured."""
_LONGEST_LINE = 500

_NAMES = {
    "bash": "bash sh shell zsh console",
    "c": "c h",
    "cpp": "cpp cc cxx c++ hpp hh",
    "csharp": "csharp cs c#",
    "css": "css scss less",
    "docker": "docker dockerfile",
    "go": "go golang",
    "html": "html htm xhtml vue svelte astro",
    "ini": "ini cfg conf",
    "java": "java",
    "javascript": "javascript js jsx mjs cjs node",
    "json": "json jsonl json5 jsonc",
    "kotlin": "kotlin kt kts",
    "lua": "lua",
    "make": "make makefile mk",
    "nix": "nix",
    "php": "php",
    "python": "python py pyi python3",
    "ruby": "ruby rb",
    "rust": "rust rs",
    "sql": "sql",
    "swift": "swift",
    "toml": "toml",
    "typescript": "typescript ts tsx mts cts",
    "xml": "xml svg plist",
    "yaml": "yaml yml",
    "zig": "zig",
}
"""Languages that are told apart, by what a fence or the end of a file's name calls them."""
_LANGUAGES = {alias: name for name, aliases in _NAMES.items() for alias in aliases.split()}
_NUMBERED = re.compile(r" {0,8}\d{1,7}(?:[a-z]{2})?(?:→|\||│|\t) ?")
"""What some tools put before each line of a file."""


def number_of(line: str) -> str:
    """Return the line number that a tool put before a line, with what parts it from the code."""
    found = _NUMBERED.match(line)
    return found.group() if found is not None else ""


def code_spans(
    lines: Sequence[str], language: str, base: str = "code"
) -> Iterator[tuple[Span, ...]]:
    """Yield the lines of a piece of code, each as styled pieces.

    Args:
        lines: Safe lines.
        language: What a fence or the end of a file's name calls it; any other is left plain.
        base: Style of what has none of its own.
    """
    done = 0
    lexer = _lexer(language.lower())
    if lexer is not None:
        size = stop = 0
        for line in lines:
            size += len(line) + 1
            if size > MAX_CODE or len(line) > _LONGEST_LINE:
                break
            stop += 1
        text = "".join(line + "\n" for line in lines[:stop])
        for line, spans in zip(lines[:stop], _lexed(lexer, text, base), strict=False):
            if "".join(piece for piece, _ in spans) != line:
                break  # No lexer should leave anything out; what is stored is shown.
            yield spans
            done += 1
    for line in lines[done:]:
        yield ((line, base),)


def _lexed(lexer: Lexer, text: str, base: str) -> Iterator[tuple[Span, ...]]:
    """Yield the lines of `text`, which ends with a newline, as they are lexed."""
    spans: list[Span] = []
    for _, token, value in lexer.get_tokens_unprocessed(text):
        style = _style(token) or base
        first, *others = value.split("\n")
        _add(spans, first, style)
        for piece in others:
            yield tuple(spans) or (("", base),)
            spans = []
            _add(spans, piece, style)


def _add(spans: list[Span], text: str, style: str) -> None:
    if not text:
        return
    if spans and spans[-1][1] == style:
        text = spans.pop()[0] + text
    spans.append((text, style))


@lru_cache(maxsize=32)
def _lexer(language: str) -> Lexer | None:
    name = _LANGUAGES.get(language)
    if name is None:
        return None
    from pygments.lexers import get_lexer_by_name

    return get_lexer_by_name(name)


@lru_cache(maxsize=512)
def _style(token: _TokenType) -> str:
    """Return the style of a kind of token; nothing for what has none of its own."""
    from pygments.token import Comment, Keyword, Literal, Name, Operator

    names = (Name.Function, Name.Class, Name.Decorator, Name.Tag, Name.Builtin, Name.Attribute)
    if token in Comment and token not in Comment.Preproc:
        return "code-comment"
    if token in Literal.String:
        return "code-string"
    if token in Literal.Number or token in Keyword.Constant:
        return "code-number"
    if token in Keyword or token in Operator.Word or token in Comment.Preproc:
        return "code-keyword"
    named = token not in Name.Builtin.Pseudo and any(token in name for name in names)
    return "code-name" if named else ""


Span = tuple[str, str]
"""A piece of text and the style it has."""


class StyledLine(NamedTuple):
    """A line before it is wrapped."""

    first: Span
    """What stands before its first row."""
    rest: Span
    """What stands before the others; as wide as `first`."""
    spans: tuple[Span, ...]


_NOTHING: Span = ("", "text")
_BAR: Span = ("│ ", "rule")
_INLINE = re.compile(
    r"(?P<code>`+)(?P<in_code>[^`]+)(?P=code)"
    r"|\*\*(?P<strong>[^*\s](?:[^*]*[^*\s])?)\*\*"
    r"|(?<![\w*])\*(?P<star>[^*\s](?:[^*]*[^*\s])?)\*(?![\w*])"
    r"|(?<![\w_])_(?P<bar>[^_\s](?:[^_]*[^_\s])?)_(?![\w_])"
    r"|\[(?P<label>[^\]\[]+)\]\((?P<target>[^()\s]+)\)"
)
_BLOCK = re.compile(
    r"(?P<indent> *)(?:(?P<title>#{1,6}) +|(?P<bullet>[-*+]) +(?:\[(?P<check>[ xX])\] +)?"
    r"|(?P<number>\d{1,9}[.)]) +|(?P<quote>> ?))"
)
_RULE = re.compile(r" {0,3}([-*_])(?: *\1){2,} *")
_FENCE = re.compile(r" *(```+|~~~+)(.*)")
_DASHES = re.compile(r" *:?-+:? *")
_MAX_TABLE = 200
_NARROWEST = 8
"""How many cells a column of a table has at least where it has to be cut."""
_MARKUP = frozenset("`*_[")
_CHANGES = {"+": "added", "-": "removed"}


def markdown_lines(lines: Iterable[str], width: int) -> Iterator[StyledLine]:
    """Yield lines of Markdown with what is marked in them styled; the marks are left out.

    Args:
        lines: Safe lines.
        width: Cells there are for them; the columns of a table that fits are aligned.
    """
    fence = language = ""
    code: list[str] = []
    table: list[str] = []
    for line in lines:
        if not fence and line.startswith("|") and len(table) < _MAX_TABLE:
            table.append(line)
            continue
        if table:
            yield from _table(table, width)
            table = []
        mark = _FENCE.fullmatch(line) if "`" in line or "~" in line else None
        if mark is not None and (not fence or (mark[1].startswith(fence) and not mark[2].strip())):
            yield from _fenced(code, language)
            fence, code = "" if fence else mark[1], []
            language = mark[2].strip() if fence else ""
            if language:
                yield StyledLine(_BAR, _BAR, ((language, "faint"),))
            continue
        if fence:
            code.append(line)
        else:
            yield _markdown_line(line)
    yield from _fenced(code, language)
    yield from _table(table, width)


def _fenced(lines: list[str], language: str) -> Iterator[StyledLine]:
    """Yield the lines between two fences."""
    name = (language.replace("{", " ").replace(",", " ").split() or [""])[0].lower()
    if name in {"diff", "patch"}:
        for line in lines:
            style = _CHANGES.get(line[:1], "code")
            yield StyledLine(_BAR, _BAR, ((line, style),))
        return
    for spans in code_spans(lines, name):
        yield StyledLine(_BAR, _BAR, spans)


def _table(lines: list[str], width: int) -> Iterator[StyledLine]:
    """Yield the lines of a table with aligned columns, or as they are where that is too wide."""
    rows = [line.strip().strip("|").split("|") for line in lines]
    columns = len(rows[0]) if rows else 0
    ruled = len(rows) > 1 and all(_DASHES.fullmatch(cell) for cell in rows[1])
    if not ruled or any(len(row) != columns for row in rows):
        for line in lines:
            yield StyledLine(_NOTHING, _NOTHING, _inline(line, "text"))
        return
    cells = [[_inline(cell.strip(), "text") for cell in row] for row in rows]
    widths = [
        max(_cells(row[column]) for row in cells[:1] + cells[2:]) for column in range(columns)
    ]
    widths = _squeezed(widths, width - 3 * (columns - 1))
    if not widths:
        for line in lines:
            yield StyledLine(_NOTHING, _NOTHING, _inline(line, "text"))
        return
    for number, row in enumerate(cells):
        if number == 1:
            rule = "─┼─".join("─" * wide for wide in widths)
            yield StyledLine(_NOTHING, _NOTHING, ((rule, "rule"),))
            continue
        if number == 0:
            row = [tuple((text, "strong") for text, _ in cell) for cell in row]
        yield from _table_row(row, widths)


def _squeezed(widths: list[int], room: int) -> list[int]:
    """Return widths that fit together, the widest ones cut; none where that is too narrow."""
    if sum(widths) <= room:
        return widths
    least, most = _NARROWEST, max(widths)
    if sum(min(wide, least) for wide in widths) > room:
        return []
    while least < most:
        middle = (least + most + 1) // 2
        if sum(min(wide, middle) for wide in widths) <= room:
            least = middle
        else:
            most = middle - 1
    return [min(wide, least) for wide in widths]


def _table_row(row: Sequence[tuple[Span, ...]], widths: list[int]) -> Iterator[StyledLine]:
    """Yield the lines of a row of a table, its cells wrapped where they are too wide."""
    columns: list[list[tuple[Span, ...]]] = []
    for cell, wide in zip(row, widths, strict=True):
        text = "".join(piece for piece, _ in cell)
        columns.append([slice_spans(cell, *ends) for ends in break_points(text, max(2, wide))])
    for number in range(max(map(len, columns))):
        spans: list[Span] = []
        for column, (pieces, wide) in enumerate(zip(columns, widths, strict=True)):
            piece = pieces[number] if number < len(pieces) else ()
            spans += [(" │ ", "rule")] if column else []
            spans += piece
            spans.append((" " * (wide - _cells(piece)), "text"))
        yield StyledLine(_NOTHING, _NOTHING, tuple(span for span in spans if span[0]))


def _cells(spans: Iterable[Span]) -> int:
    return sum(cell_len(text) for text, _ in spans)


def _markdown_line(line: str) -> StyledLine:
    if not line or line[0].isalpha():
        return StyledLine(_NOTHING, _NOTHING, _inline(line, "text"))
    mark = _BLOCK.match(line)
    if mark is None:
        if _RULE.fullmatch(line):
            return StyledLine(_NOTHING, _NOTHING, (("─" * 24, "faint"),))
        return StyledLine(_NOTHING, _NOTHING, _inline(line, "text"))
    indent, words = mark["indent"][:40], line[mark.end() :]
    if mark["title"]:
        return StyledLine(_NOTHING, _NOTHING, _inline(words, "title"))
    if mark["quote"]:
        bar = (indent + "▎ ", "faint")
        return StyledLine(bar, bar, _inline(words, "quote"))
    if mark["number"]:
        sign = indent + mark["number"] + " "
    elif mark["check"]:
        sign = indent + ("☐ " if mark["check"] == " " else "☑ ")
    elif _RULE.fullmatch(line):
        return StyledLine(_NOTHING, _NOTHING, (("─" * 24, "faint"),))
    else:
        sign = indent + "• "
    return StyledLine((sign, "marker"), (" " * len(sign), "text"), _inline(words, "text"))


def _inline(text: str, style: str) -> tuple[Span, ...]:
    if _MARKUP.isdisjoint(text):
        return ((text, style),)
    spans: list[Span] = []
    position = 0
    for mark in _INLINE.finditer(text):
        if mark.start() > position:
            spans.append((text[position : mark.start()], style))
        position = mark.end()
        if mark["in_code"]:
            spans.append((mark["in_code"], "inline-code"))
        elif mark["strong"]:
            spans.append((_plain(mark["strong"]), "strong"))
        elif mark["label"]:
            spans.append((mark["label"], "link"))
            if mark["target"] != mark["label"]:
                spans.append((f" ({mark['target']})", "faint"))
        else:
            spans.append((mark["star"] or mark["bar"], "title" if style == "title" else "emphasis"))
    if position < len(text):
        spans.append((text[position:], style))
    return tuple(spans) or (("", style),)


def _plain(text: str) -> str:
    return text.replace("`", "")


def plain_lines(lines: Iterable[str], style: str) -> Iterator[StyledLine]:
    """Yield lines in one style."""
    for line in lines:
        yield StyledLine(_NOTHING, _NOTHING, ((line, style),))


def code_lines(lines: Sequence[str], language: str, base: str) -> Iterator[StyledLine]:
    """Yield lines of a file in colours; numbers that a tool put before them stand apart.

    Args:
        lines: Safe lines.
        language: As `code_spans` knows it.
        base: Style of what has no colour of its own.
    """
    numbers = [number_of(line) for line in lines]
    if not any(numbers[:2]):
        numbers = [""] * len(lines)
    bare = [line[len(number) :] for line, number in zip(lines, numbers, strict=True)]
    for number, spans in zip(numbers, code_spans(bare, language, base), strict=True):
        yield StyledLine((number, "faint"), (" " * cell_len(number), "text"), spans)


def diff_lines(lines: Iterable[str]) -> Iterator[StyledLine]:
    """Yield lines of a change, told apart by their first character."""
    for line in lines:
        style = _CHANGES.get(line[:1], "output")
        yield StyledLine((line[:1], style), (" ", style), ((line[1:], style),))


def break_points(text: str, width: int, *, words: bool = True) -> list[tuple[int, int]]:
    """Return where to break text into rows.

    Args:
        text: One safe line.
        width: Cells a row has, at least 2.
        words: Whether to break at spaces where there are some; the space is left out then.

    Returns:
        Start and end of each row in `text`; one row at least.
    """
    if text.isascii():
        if len(text) <= width:
            return [(0, len(text))]
        return _break_ascii(text, width, words=words)
    return _break_cells(text, width, words=words)


def _break_ascii(text: str, width: int, *, words: bool) -> list[tuple[int, int]]:
    rows: list[tuple[int, int]] = []
    start, length, least = 0, len(text), width // 3
    while length - start > width:
        space = text.rfind(" ", start + least, start + width + 1) if words else -1
        if space < 0:
            rows.append((start, start + width))
            start += width
        else:
            rows.append((start, space))
            start = space + 1
    rows.append((start, length))
    return rows


def _break_cells(text: str, width: int, *, words: bool) -> list[tuple[int, int]]:
    """Break text with wide or joined characters; wide ones may part anywhere."""
    graphemes, total = split_graphemes(text)
    most = 8 * width  # characters without any width must not pile up in one row
    if total <= width and len(text) <= most:
        return [(0, len(text))]
    rows: list[tuple[int, int]] = []
    start = used = 0
    space, after_space = -1, 0  # the last place to break, and the cells since
    for first, _, cells in graphemes:
        if used + cells > width or first - start >= most:
            if words and text[first] == " ":
                rows.append((start, first))
                start, used, space = first + 1, 0, -1
                continue
            if space > start and cells == 1 and used - after_space > width // 3:
                rows.append((start, space))
                start, used = space + 1, after_space
            else:
                rows.append((start, first))
                start, used = first, 0
            space = -1
        used += cells
        after_space += cells
        if cells == 2:
            space = -1
        elif words and text[first] == " ":
            space, after_space = first, 0
    rows.append((start, len(text)))
    return rows


def slice_spans(spans: Sequence[Span], start: int, stop: int) -> tuple[Span, ...]:
    """Return the characters `[start, stop)` of the text that `spans` hold together."""
    found: list[Span] = []
    position = 0
    for text, style in spans:
        end = position + len(text)
        if end > start and position < stop:
            found.append((text[max(0, start - position) : stop - position], style))
        position = end
        if position >= stop:
            break
    return tuple(found)
