"""Adds one file to the end of another and moves it to the trash, or does neither.

The file goes to the trash first: whoever dies in between leaves it there, where
`restore` finds it. All of this blocks and runs in a worker thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiontui.errors import SessionNotFoundError, StorageError, WriteConflictError
from sessiontui.storage.backend import Range
from sessiontui.storage.directory.io import identity

if TYPE_CHECKING:
    from sessiontui.storage.backend import Stat, TrashItem
    from sessiontui.storage.directory.files import Files
    from sessiontui.storage.directory.trash import Trash


def join(
    files: Files,
    trash: Trash,
    item: TrashItem,
    target: Stat,
    *,
    between: bytes,
    skip: int,
    mtime_ms: int,
) -> Stat:
    """Join two files; see `Backend.join`."""
    [stat] = item.stats
    [seen, head] = files.probe([Range(stat.path, 0, None), Range(target.path, -1, None)])
    if seen is None:
        raise SessionNotFoundError(stat.path)
    if len(seen.data) != stat.size:
        raise WriteConflictError(stat.path, expected_size=stat.size, actual_size=len(seen.data))
    if head is None:
        raise WriteConflictError(target.path, expected_size=target.size, actual_size=None)
    taken = trash.trash(item)[stat.path]
    try:
        if (taken.st_size, identity(taken)) != (stat.size, seen.identity):
            raise WriteConflictError(stat.path, expected_size=stat.size, actual_size=taken.st_size)
        return files.append(
            target.path, between + seen.data[skip:], mtime_ms=mtime_ms, expected_size=target.size
        )
    except StorageError:
        trash.restore(item.id)
        raise
