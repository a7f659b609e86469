"""A session as one self-contained HTML page without scripts.

All text is escaped, tags and attributes are our own, and a policy at the top
forbids scripts, frames, forms and every fetch, should a mistake be left. The page has the
app's own colours, dark or light as the reader has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sessiontui import __version__
from sessiontui.export.markup import escape_html, to_html
from sessiontui.export.text_writer import TextWriter, local_time, machine_time
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiontui.formats.blocks import Block, Part

STYLE: Final = """
:root {
  color-scheme: dark light;
  --background: #14161b; --foreground: #d9dde5; --past: #8f97a6; --rule: #2b303b;
  --raised: #1b1f27; --live: #4fd08a; --attention: #e8b65a; --failed: #f2777a;
  --user: #26374f; --accent: #82aede; --added: #62d088; --removed: #f2777a;
}
@media (prefers-color-scheme: light) {
  :root {
    --background: #fbfbf9; --foreground: #24272e; --past: #626977; --rule: #d5d7dc;
    --raised: #f1f2f0; --live: #0a7d3c; --attention: #8f5f00; --failed: #bf2a37;
    --user: #e3ecf8; --accent: #2f66b0; --added: #0a7d3c; --removed: #bf2a37;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 54rem;
  background: var(--background); color: var(--foreground);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  overflow-wrap: anywhere;
}
h1 { margin: 0 0 1rem; font-size: 1.6rem; line-height: 1.25; }
h2, h3 { display: flex; flex-wrap: wrap; gap: 0 .75rem; align-items: baseline; margin: 0; }
h2 { font-size: 1rem; }
h3 { margin-top: 1.75rem; font-size: 1rem; color: var(--live); }
h4, h5, h6 { margin: 1.25rem 0 .5rem; font-size: 1rem; }
small, time { color: var(--past); font-size: .8rem; font-weight: normal; }
h2 time, h3 small { margin-left: auto; }
dl.facts {
  display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem;
  margin: 0; padding-bottom: 1.5rem; border-bottom: 1px solid var(--rule); font-size: .875rem;
}
dl.facts dt { color: var(--past); }
dl.facts dd { margin: 0; }
article.user {
  margin: 2rem 0 1rem; padding: .85rem 1.1rem; border-radius: .5rem; background: var(--user);
}
article.user, div.text, details { content-visibility: auto; contain-intrinsic-size: auto 6rem; }
div.text > :first-child, article.user > p:first-of-type { margin-top: .5rem; }
div.text > :last-child, article.user > :last-child { margin-bottom: 0; }
a { color: var(--accent); }
code, pre, summary {
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace;
}
code { font-size: .875em; }
:not(pre) > code { padding: .1em .3em; border-radius: .25rem; background: var(--raised); }
pre {
  margin: .75rem 0; padding: .75rem 1rem; border-radius: .4rem; background: var(--raised);
  font-size: .8125rem; line-height: 1.5; overflow-x: auto; white-space: pre; tab-size: 4;
  max-height: 40rem; overflow-wrap: normal;
}
blockquote { margin: .75rem 0; padding-left: 1rem; border-left: 3px solid var(--rule); }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: .25rem .75rem; border: 1px solid var(--rule); text-align: left; }
hr { border: 0; border-top: 1px solid var(--rule); }
details { margin: .35rem 0; border-left: 2px solid var(--rule); padding-left: .75rem; }
summary { cursor: pointer; font-size: .8125rem; color: var(--past); list-style-position: inside; }
summary { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
summary b { color: var(--foreground); }
summary:hover b { color: var(--accent); }
details.failed { border-color: var(--failed); }
details.failed summary { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
summary b { color: var(--failed); }
details.thinking > div { color: var(--past); }
details.summary { border-color: var(--attention); }
p.note { margin: .5rem 0; color: var(--past); font-size: .875rem; }
p.failed, div.error { color: var(--failed); }
div.error { margin: .75rem 0; padding-left: .75rem; border-left: 2px solid var(--failed); }
.added { color: var(--added); }
.removed { color: var(--removed); }
footer {
  margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--rule);
  color: var(--past); font-size: .8rem;
}
@media print {
  body { max-width: none; padding: 0; }
  pre { max-height: none; white-space: pre-wrap; }
}
"""


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
            f"<dt>{escape_html(name)}</dt><dd>{escape_html(value)}</dd>"
            for name, value in self.told_facts()
        )
        return _HEAD.format(
            policy=escape_html(POLICY),
            title=escape_html(clean(self.facts.title)),
            style=STYLE,
            facts=facts,
        )

    def bottom(self) -> str:
        """Return everything after the last entry."""
        told = f"{self.told_sums()} · exported by sessiontui {__version__}"
        return f"</main>\n<footer>{escape_html(told)}</footer>\n</body>\n</html>\n"

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
        told = f"<small>{escape_html(' · '.join(figures))}</small>" if figures else ""
        return f"<{tag}>{escape_html(block.heading)}{self._time(block)}{told}</{tag}>\n"

    def _time(self, block: Block) -> str:
        shown = local_time(block.time_ms, self.facts.zone)
        machine = machine_time(block.time_ms)
        return (
            f' <time datetime="{escape_html(machine)}">{escape_html(shown)}</time>'
            if machine
            else ""
        )

    def _told(self, block: Block) -> str:
        return "".join(self._told_pieces(block))

    def _told_pieces(self, block: Block) -> Iterator[str]:
        yield f"<b>{escape_html(block.heading)}</b>"
        if block.detail:
            yield f" {escape_html(block.detail)}"
        figures = self.told_figures(block)
        if figures:
            yield f" <small>{escape_html(' · '.join(figures))}</small>"


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
        return f'<p class="note">{escape_html(text)}</p>\n'
    if part.format == "diff":
        return f"<pre>{chr(10).join(map(_changed, part.lines))}</pre>\n"
    return f"<pre>{escape_html(text)}</pre>\n"


def _changed(line: str) -> str:
    """Return a line of a diff in its colour."""
    kinds = {"+": "added", "-": "removed"}
    kind = kinds.get(line[:1])
    return escape_html(line) if kind is None else f'<span class="{kind}">{escape_html(line)}</span>'
