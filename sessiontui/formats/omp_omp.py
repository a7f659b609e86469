"""How to tell whether omp runs a session: hardly at all; its lock is there while it writes.

omp locks `.<name>.jsonl.lock.os` beside a session for each single write, and leaves the file
there: locked, somebody writes; free, nothing is known. Its word of leaving (`session_exit`)
stands in the session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sessiontui.formats.evidence import Evidence
from sessiontui.formats.processes import lock_holder

if TYPE_CHECKING:
    from pathlib import Path

_LOCKS: Final = (".lock.os", ".lock")


def omp_evidence(file: Path) -> Evidence | None:
    """Return what the locks beside a session file tell."""
    for ending in _LOCKS:
        holder = lock_holder(file.with_name(f".{file.name}{ending}"))
        if holder is not None:
            who = f" (pid {holder})" if holder else ""
            return Evidence("running", f"omp is writing to it{who}")
    return None
