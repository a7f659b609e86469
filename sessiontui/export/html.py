"""A session as one HTML page that needs nothing else, and in which nothing runs.

All text is escaped, tags and attributes are our own, and a policy at the top
forbids scripts, frames, forms and every fetch, should a mistake be left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sessiontui import __version__
from sessiontui.export.markup import escaped, to_html
from sessiontui.export.page_style import STYLE
from sessiontui.export.text_writer import TextWriter
from sessiontui.export.words import local_time, machine_time
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiontui.formats.blocks import Block, Part

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""What a browser may do with the page: draw it."""

_HEAD: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark light">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<dl class="facts">
{facts}
</dl>
</header>
<main>
"""


class PageWriter(TextWriter):
    """Writes HTML; tool calls and thinking are folded until the reader opens them."""

    def top(self) -> str:
        """Return everything up to the first entry."""
        facts = "\n".join(
            f"<dt>{escaped(name)}</dt><dd>{escaped(value)}</dd>"
            for name, value in self.told_facts()
        )
        return _HEAD.format(
            policy=escaped(POLICY),
            title=escaped(clean(self.facts.title)),
            style=STYLE,
            facts=facts,
        )

    def bottom(self) -> str:
        """Return everything after the last entry."""
        told = f"{self.told_sums()} · exported by sessiontui {__version__}"
        return f"</main>\n<footer>{escaped(told)}</footer>\n</body>\n</html>\n"

    def text(self, block: Block) -> str:
        """Return the HTML of a block."""
        body = "".join(_body(part) for part in block.parts)
        kind = block.kind
        if kind == "user":
            return f'<article class="user">\n{self._heading("h2", block)}{body}</article>\n'
        if kind == "assistant":
            return self._heading("h3", block) + body
        if kind == "text":
            return f'<div class="text">{body}</div>\n'
        if kind == "error":
            return f'<div class="error">{self._told(block)}{body}</div>\n'
        if kind == "note" and not body:
            failed = " failed" if block.error else ""
            return f'<p class="note{failed}">{self._told(block)}</p>\n'
        classes = kind + (" failed" if block.error else "")
        opened = " open" if kind == "summary" else ""
        line = "thinking" if kind == "thinking" else self._told(block)
        return f'<details class="{classes}"{opened}><summary>{line}</summary>\n{body}</details>\n'

    def _heading(self, tag: str, block: Block) -> str:
        figures = self.told_figures(block)
        told = f"<small>{escaped(' · '.join(figures))}</small>" if figures else ""
        return f"<{tag}>{escaped(block.heading)}{self._time(block)}{told}</{tag}>\n"

    def _time(self, block: Block) -> str:
        shown = local_time(block.time_ms, self.facts.zone)
        machine = machine_time(block.time_ms)
        return f' <time datetime="{escaped(machine)}">{escaped(shown)}</time>' if machine else ""

    def _told(self, block: Block) -> str:
        return "".join(self._told_pieces(block))

    def _told_pieces(self, block: Block) -> Iterator[str]:
        yield f"<b>{escaped(block.heading)}</b>"
        if block.detail:
            yield f" {escaped(block.detail)}"
        figures = self.told_figures(block)
        if figures:
            yield f" <small>{escaped(' · '.join(figures))}</small>"


def _body(part: Part) -> str:
    """Return a part of a block's body."""
    if not any(part.lines):
        return ""
    text = "\n".join(part.lines)
    if part.format == "markdown":
        return to_html(text)
    if part.format == "thinking":
        return f"<div>{to_html(text)}</div>\n"
    if part.format == "note":
        return f'<p class="note">{escaped(text)}</p>\n'
    if part.format == "diff":
        return f"<pre>{chr(10).join(map(_changed, part.lines))}</pre>\n"
    return f"<pre>{escaped(text)}</pre>\n"


def _changed(line: str) -> str:
    """Return a line of a diff in its colour."""
    kinds = {"+": "added", "-": "removed"}
    kind = kinds.get(line[:1])
    return escaped(line) if kind is None else f'<span class="{kind}">{escaped(line)}</span>'
