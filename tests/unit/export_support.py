"""What the tests of the export share: hostile text, and a session through a writer."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from sessiontui.export import ExportOptions, SessionFacts, writer_for

if TYPE_CHECKING:
    from sessiontui.export import ExportFormat

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</pre></code></details></main><iframe src=//evil></iframe>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "<!-- never closed",
    "<style>*{display:none}</style></style>",
    "[x](javascript:alert(1)) [y](JaVaScRiPt:alert(1)) [z](data:text/html,<b>) <javascript:a>",
    "[u](vbscript:x) [f](file:///etc/passwd) [r](//evil.example/x) [a](relative)",
    '![i](https://evil.example/pixel.png) ![j](javascript:alert(1) "t" )',
    '[q](https://e.example/"onclick="alert(1)) <https://ok.example/a&b?c="d">',
    "[ref]\n\n[ref]: javascript:alert(1)\n",
    "&#x3c;script&#x3e;alert(1)&lt;/script&gt; &#0; &nbsp;",
    "a\x00b\x1b]0;t\x07\x9b31m\u202eevil\ud800\udfff\u2028",
    "````\n</pre><script>1</script>\n```\n~~~",
    '```"><script>\nnever closed',
    "- ```\n  in a list\n\n<div>\n\n> ~~~\n> quoted",
    "a ` b\n` <script>alert(1)</script> `\n\\` <b onclick=x> `",
    "    <script>indented</script>\n\n\t<i>tab</i>",
    "<div\nonclick=alert(1)\n>over lines</div\n>",
    "<?php x ?> <![CDATA[ y ]]> <!DOCTYPE html>",
    "| a | b |\n| --- | --- |\n| <b> | `|` |",
    "# heading\n===\n***\n1. x\n2) y\n\n---",
    "*" * 200 + "[" * 200 + "`" * 199,
    "<a href='javascript:x'>",
)
"""Text that tries to be more than text, each in its own way."""


def exported(
    data: bytes,
    kind: ExportFormat = "html",
    *,
    title: str = "Title",
    piece: int = 1000,
    options: ExportOptions | None = None,
    **facts: Any,
) -> str:
    """Return a session as an exported text; it is fed in small pieces."""
    known = SessionFacts(title=title, path="/s/a.jsonl", size=len(data), zone=UTC, **facts)
    writer = writer_for(kind, known, options or ExportOptions(thinking=True))
    pieces = [writer.begin()]
    pieces += [writer.feed(data[start : start + piece]) for start in range(0, len(data), piece)]
    pieces.append(writer.finish())
    return b"".join(pieces).decode()
