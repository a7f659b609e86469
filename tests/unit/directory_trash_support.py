"""What the tests of the trash share: a folder to delete from, and what is deleted."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from sessiontui.storage.backend import Stat, TrashItem
from tests.unit.directory_support import names, put

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_790_000_000_000
KEEP = 30 * 24 * 3600 * 1000
PATHS = ("/p/a.jsonl", "/p/a/draft.txt", "/p/a/worker/w.jsonl")


DAY = 24 * 3600 * 1000


class Clock:
    """Stands still until it is set."""

    now = NOW

    def __call__(self) -> int:
        return self.now


def fill(folder: Path) -> None:
    """Make a session, its artifacts with an empty folder between them, and another session."""
    put(folder / "p" / "a.jsonl", b"session\n", mtime_ns=1_234_567_890_123_456_789).chmod(0o640)
    put(folder / "p" / "a" / "draft.txt", b"draft", mtime_ns=1_111_111_111_111_111_111)
    put(folder / "p" / "a" / "worker" / "w.jsonl", b"worker\n", mtime_ns=3_333_333_333).chmod(0o400)
    (folder / "p" / "a" / "btw-history").mkdir(mode=0o750)
    put(folder / "p" / "b.jsonl", b"other\n", mtime_ns=4_444_444_444)
    os.utime(folder / "p" / "a", ns=(5, 1_222_222_222_222_222_222))


def move(source: Path, target: Path) -> Path:
    """Rename, as a peer does."""
    return source.rename(target)


def exactly(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return everything under a folder with whatever a restore has to bring back."""
    found: dict[str, tuple[object, ...]] = {}
    for name in names(folder):
        seen = (folder / name).lstat()
        if stat.S_ISDIR(seen.st_mode):
            found[name] = (seen.st_mode,)
        else:
            data = (folder / name).read_bytes()
            found[name] = (seen.st_mode, seen.st_uid, seen.st_mtime_ns, data)
    return found


def item(item_id: str = "1790000000000-a", *, paths: tuple[str, ...] = PATHS) -> TrashItem:
    """Return what is to be deleted."""
    stats = tuple(Stat(path, 8, 1_234) for path in paths)
    return TrashItem(item_id, paths[0], stats, NOW, NOW + KEEP)
