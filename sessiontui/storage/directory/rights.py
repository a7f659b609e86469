"""Whether anything can be changed in a folder of sessions, found out by asking the system alone."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LOOKED_AT = 200
"""Projects whose folders are looked at: what one of them allows is not forbidden everywhere."""
_CHANGES = os.W_OK | os.X_OK
_EFFECTIVE = os.access in os.supports_effective_ids


def why_read_only(folder: Path) -> str | None:
    """Return in a few plain words why no session in `folder` can be moved or removed, or None.

    A folder that does not exist yet forbids nothing. Blocks.
    """
    try:
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return "file system"
        if _may_change(folder):
            return None
        with os.scandir(folder) as entries:
            for entry in islice(entries, _LOOKED_AT):
                if entry.is_dir(follow_symlinks=False) and _may_change(entry.path):
                    return None
    except OSError:
        return None  # Whoever lists the sessions is told what is wrong with it.
    return "no right to write"


def _may_change(folder: str | Path) -> bool:
    return os.access(folder, _CHANGES, effective_ids=_EFFECTIVE)
