"""Where the index of a source is kept."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from sessiontui.sources import Source


def index_file(folder: Path, source: Source) -> Path:
    """Return the file of the index of a source; it need not exist."""
    name = sha256(source.key.encode("utf-8", "surrogateescape")).hexdigest()[:20]
    return folder / f"{name}.sqlite"
