"""Makes Markdown from sessions harmless, as HTML or as Markdown.

A real parser reads it. The HTML is made of its tokens, from a short list of
tags; a link keeps its address only where that is one of the web or of mail, and an
image is a word, since it would be fetched. Text beyond `MAX_TEXT` is not read.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

MAX_TEXT: Final = 100_000
"""How many characters are read as Markdown; longer text is shown as it is."""

_SAFE: Final = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_STRICT: Final = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
"""As the least careful reader would take it."""

_LINK: Final = re.compile(r"(?:https?://[^/\s]|mailto:)[^\s<>\"'\\^`{|}]*", re.IGNORECASE)
_TAGS: Final = {
    "paragraph": "p",
    "bullet_list": "ul",
    "ordered_list": "ol",
    "list_item": "li",
    "blockquote": "blockquote",
    "table": "table",
    "thead": "thead",
    "tbody": "tbody",
    "tr": "tr",
    "th": "th",
    "td": "td",
    "em": "em",
    "strong": "strong",
    "s": "s",
}
_HEADINGS: Final = {"h1": "h4", "h2": "h5", "h3": "h6", "h4": "h6", "h5": "h6", "h6": "h6"}
_MARK: Final = "sessiontui-end"
_ROUNDS: Final = 4
_ADDRESS: Final = 200
"""How much of an image's address is told."""


def escape_html(text: str) -> str:
    """Return text for HTML, also between quotes."""
    return html.escape(text, quote=True)


def to_html(text: str) -> str:
    """Return Markdown as HTML of a few harmless tags.

    Args:
        text: Without control codes (`clean_text`).
    """
    if len(text) > MAX_TEXT:
        return f"<pre>{escape_html(text)}</pre>"
    return "".join(_html(_SAFE.parse(text)))


def _html(tokens: list[Token]) -> Iterator[str]:
    links: list[bool] = []
    for token in tokens:
        if token.type == "inline":
            yield from _html(token.children or [])
        elif token.type == "link_open":
            target = str(token.attrs.get("href", ""))
            links.append(_LINK.fullmatch(target) is not None)
            if links[-1]:
                yield f'<a href="{escape_html(target)}" rel="noreferrer noopener">'
        elif token.type == "link_close":
            if links and links.pop():
                yield "</a>"
        elif token.nesting:
            yield _tag(token)
        else:
            yield _leaf(token)


def _leaf(token: Token) -> str:
    """Return what has nothing inside but text."""
    content = escape_html(token.content)
    if token.type in ("fence", "code_block"):
        return f"<pre><code>{content}</code></pre>\n"
    if token.type == "code_inline":
        return f"<code>{content}</code>"
    if token.type == "image":
        source = str(token.attrs.get("src", ""))[:_ADDRESS]
        return f"<em>▨ image {content} ({escape_html(source)})</em>"
    return {"softbreak": "\n", "hardbreak": "<br>\n", "hr": "<hr>\n"}.get(token.type, content)


def _tag(token: Token) -> str:
    """Return an opening or closing tag; nothing for what is on no list."""
    stem = token.type.removesuffix("_open").removesuffix("_close")
    name = _HEADINGS.get(token.tag) if stem == "heading" else _TAGS.get(stem)
    if name is None or token.hidden:
        return "\n" if token.hidden and token.nesting < 0 else ""
    if token.nesting < 0:
        return f"</{name}>\n" if token.block else f"</{name}>"
    start = token.attrs.get("start") if name == "ol" else None
    return f'<{name} start="{int(start)}">' if start is not None else f"<{name}>"


def safe_markdown(text: str) -> str | None:
    """Return Markdown that no reader finds HTML in, and that ends whatever it begins.

    Args:
        text: Without control codes.

    Returns:
        None where that cannot be done, or the text is too long to tell.
    """
    if len(text) > MAX_TEXT:
        return None
    for _ in range(_ROUNDS):
        tokens = _STRICT.parse(f"{text}\n\n{_MARK}")
        rows = {
            row for token in tokens if _holds_html(token) for row in range(*token.map or (0, 0))
        }
        if rows:
            lines = text.split("\n")
            text = "\n".join(
                line.replace("<", "&lt;") if row in rows else line for row, line in enumerate(lines)
            )
        elif _is_over(tokens):
            return text
        else:
            fences = [token.markup for token in tokens if token.type == "fence"]
            text += "\n" + (fences[-1] if fences else "")
    return None


def _holds_html(token: Token) -> bool:
    return token.type == "html_block" or any(
        child.type == "html_inline" for child in token.children or ()
    )


def _is_over(tokens: list[Token]) -> bool:
    """Tell whether what follows the text is a paragraph of its own."""
    kinds = [(token.type, token.level, token.content) for token in tokens[-3:]]
    return kinds == [
        ("paragraph_open", 0, ""),
        ("inline", 1, _MARK),
        ("paragraph_close", 0, ""),
    ]
