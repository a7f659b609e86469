"""Source code as styled pieces, by its language.

The lexers are imported when the first code comes into view, and read no further
than its rows do. Code beyond `MAX_CODE` and from a very long line on is left plain.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pygments.lexer import Lexer
    from pygments.token import _TokenType

    from sessiontui.app.widgets.transcript.styled_text import Span

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
