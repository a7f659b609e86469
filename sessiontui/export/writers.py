"""The writer of each format, loaded when it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sessiontui.export.values import Facts, Format, Options, Writer


def writer_for(kind: Format, facts: Facts, options: Options) -> Writer:
    """Return what writes a session in a format."""
    if kind == "md":
        from sessiontui.export.markdown import MarkdownWriter

        return MarkdownWriter(facts, options)
    if kind == "html":
        from sessiontui.export.html import PageWriter

        return PageWriter(facts, options)
    from sessiontui.export.json import BytesWriter, JsonWriter

    return JsonWriter(facts) if kind == "json" else BytesWriter()
