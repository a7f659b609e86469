"""Sessions as files: Markdown, one HTML page, JSON, or the stored bytes.

`run` carries bytes through the writer of a format: `markdown`, `html` or `json`. `text_writer` is
what Markdown and HTML share, `markup` makes text harmless, `files` writes the file.
"""

from sessiontui.export.files import NewFile, file_name
from sessiontui.export.run import export_bytes, writer_for
from sessiontui.export.text_writer import (
    EXTENSIONS,
    FORMATS,
    ExportFormat,
    ExportOptions,
    ExportWriter,
    SessionFacts,
)

__all__ = [
    "EXTENSIONS",
    "FORMATS",
    "ExportFormat",
    "ExportOptions",
    "ExportWriter",
    "NewFile",
    "SessionFacts",
    "export_bytes",
    "file_name",
    "writer_for",
]
