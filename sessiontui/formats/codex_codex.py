"""How to tell whether Codex runs a session: the lock of each thread that has a writer.

Codex keeps `<root>/thread-writer-locks/<id>.lock` locked (`flock`) for as long as it may
write to a session, and removes it when it leaves; a crash leaves the file behind, unlocked.
Who takes or removes one has `.coordination.lock` locked meanwhile, and so have we where we
try one: otherwise Codex could find its own lock taken by us. Versions before 0.14x have none
of that: a lock that is missing proves nothing.
"""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sessiontui.formats.evidence import Evidence
from sessiontui.formats.processes import lock_holder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LOCKS: Final = "thread-writer-locks"
_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def codex_roots(environ: Mapping[str, str], home: Path) -> list[Path]:
    """Return the folders in which Codex keeps its things."""
    moved = environ.get("CODEX_HOME")
    return [*([Path(moved)] if moved else []), home / ".codex"]


def codex_root_of(path: Path) -> Path | None:
    """Return the root to which a session file belongs: it lies in `<root>/sessions/`."""
    kinds = ("sessions", "archived_sessions")
    folder = next((folder for folder in path.parents if folder.name in kinds), None)
    return None if folder is None else folder.parent


def keeps_locks(root: Path) -> bool:
    """Tell whether the Codex of a root locks what it writes to."""
    return (root / _LOCKS).is_dir()


def codex_evidence(root: Path, session_id: str) -> Evidence | None:
    """Return what the lock of a session tells; None where there is none."""
    if not _ID.fullmatch(session_id):
        return None
    file = root / _LOCKS / f"{session_id.lower()}.lock"
    if not file.is_file():
        return None
    holder = lock_holder(file)
    if holder is not None:
        return Evidence("running", f"Codex is running it{f' (pid {holder})' if holder else ''}")
    locked = None
    with _coordinated(file.parent) as alone:
        if alone:
            locked = is_locked(file)
    if locked is None:
        return None
    if locked:
        return Evidence("running", "Codex is running it")
    return Evidence("gone", "Codex has left it (its lock is free)")


def is_locked(file: Path) -> bool | None:
    """Tell whether a process has a file locked, by trying; None where that cannot be told."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    else:
        return False
    finally:
        os.close(descriptor)


@contextmanager
def _coordinated(folder: Path) -> Iterator[bool]:
    """Yield whether no Codex takes or leaves a lock for now; it waits as long as this lasts."""
    try:
        descriptor = os.open(folder / ".coordination.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield True
        return
    except OSError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)
