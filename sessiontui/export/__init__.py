"""Sessions as files for elsewhere: Markdown, one HTML page, JSON, or the stored bytes.

`run` carries bytes through one of the `writers`: `markdown`, `page` with `page_style`, `stored`.
`blocks`, `markup`, `pairing` and `words` are what texts for people share; `files` makes the file.
"""

from sessiontui.export.files import NewFile, file_name
from sessiontui.export.run import export_bytes
from sessiontui.export.values import EXTENSIONS, FORMATS, Facts, Format, Options, Writer
from sessiontui.export.writers import writer_for

__all__ = [
    "EXTENSIONS",
    "FORMATS",
    "Facts",
    "Format",
    "NewFile",
    "Options",
    "Writer",
    "export_bytes",
    "file_name",
    "writer_for",
]
