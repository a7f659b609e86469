"""Turns what changed in the store into rows of the catalog, one batch at a time."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from sessiontui.catalog.row import Row
from sessiontui.catalog.row_builder import extend_row, id_from_path, retitle_row, session_status
from sessiontui.errors import StorageError
from sessiontui.storage.changes import (
    Appended,
    Created,
    Removed,
    Renamed,
    Retitled,
    Rewritten,
    is_session,
)
from sessiontui.workspace.events import error_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sessiontui.catalog.catalog import Catalog
    from sessiontui.storage.backend import Stat
    from sessiontui.storage.changes import Change

_RECENT_MS: Final = 3_600_000
"""A session that is quiet for longer is neither running nor waiting for anybody."""


def session_changes(
    changes: Iterable[Change], created: Callable[[str], Created | None]
) -> list[Change]:
    """Return what changes mean for sessions: drafts and other sidecars are none.

    Args:
        changes: What happened to everything in the store.
        created: Tells of a session that got its name just now; None if it is gone again.
    """
    kept: list[Change] = []
    for change in changes:
        is_one = is_session(change.path)
        if not isinstance(change, Renamed) or is_session(change.new_path) == is_one:
            if is_one:
                kept.append(change)
        elif is_one:
            kept.append(Removed(change.path))
        elif (new := created(change.new_path)) is not None:
            kept.append(new)
    return kept


class RowUpdater:
    """Owns what the rows say; order, folds and filter are the catalog's.

    Args:
        catalog: Gets the rows.
        unread: Called with paths whose heads and tails are to be read.
        clock: The time in milliseconds since the epoch.
    """

    def __init__(
        self,
        catalog: Catalog,
        unread: Callable[[Iterable[str]], None],
        clock: Callable[[], int],
    ) -> None:
        self._catalog = catalog
        self._rows = catalog.rows
        self._unread = unread
        self._clock = clock

    def apply(self, changes: Iterable[Change]) -> frozenset[str]:
        """Bring the catalog up to date; return the paths concerned, old and new ones."""
        fresh: dict[str, Row] = {}
        gone: set[str] = set()
        touched: set[str] = set()
        for change in changes:
            touched.add(change.path)
            if isinstance(change, Removed):
                fresh.pop(change.path, None)
                gone.add(change.path)
            elif isinstance(change, Renamed):
                touched.add(change.new_path)
                row = fresh.pop(change.path, None) or self._rows.get(change.path)
                gone.discard(change.new_path)
                if row is not None:
                    moved = replace(
                        row, path=change.new_path, mtime_ms=change.mtime_ms, note="", failed=False
                    )
                    if change.path in self._rows:
                        self._catalog.rename(change.path, moved)
                    fresh[change.new_path] = moved
            else:
                old = fresh.get(change.path)
                if old is None and change.path not in gone:
                    old = self._rows.get(change.path)
                new = self._row(old, change)
                if new is not None:
                    gone.discard(change.path)
                    fresh[change.path] = new
        self._catalog.remove(gone)
        self.put(fresh.values())
        self._unread(row.path for row in self._newest_first(fresh.values()) if not row.read)
        return frozenset(touched)

    def clear(self) -> None:
        """Forget every row."""
        self._catalog.clear()

    def put(self, rows: Iterable[Row]) -> None:
        """Put rows into the catalog as they are."""
        self._catalog.upsert(rows)

    def note(self, path: str, text: str, *, failed: bool = False) -> bool:
        """Put a note on a row; tell whether the row is there and says something else now."""
        row = self._rows.get(path)
        if row is None or (row.note == text and row.failed == failed):
            return False
        self._catalog.upsert([replace(row, note=text, failed=failed)])
        return True

    def has_failed(self, path: str) -> bool:
        """Tell whether a row says that an action failed."""
        row = self._rows.get(path)
        return row is not None and row.failed

    def named(self, name: str) -> list[Row]:
        """Return the rows whose id or file name is `name`, else those that begin with it.

        An empty name, as a variable without a value gives, names none.
        """
        if not name:
            return []
        exact: list[Row] = []
        begin: list[Row] = []
        for row in self._rows.values():
            file_name = row.path.rpartition("/")[2]
            names = (row.id or id_from_path(row.path) or "", file_name)
            if name in names or name == file_name.removesuffix(".jsonl"):
                exact.append(row)
            elif row.path.startswith(name) or any(item.startswith(name) for item in names):
                begin.append(row)
        return exact or begin

    def shows(self, stats: Iterable[Stat]) -> bool:
        """Tell whether there are rows for just these sessions, as long as they are."""
        sizes = {stat.path: stat.size for stat in stats if is_session(stat.path)}
        return sizes.keys() == self._rows.keys() and all(
            self._rows[path].size == size for path, size in sizes.items()
        )

    def counts(self) -> tuple[int, int]:
        """Return how many sessions run and how many wait for the user, at the moment."""
        now = self._clock()
        running = waiting = 0
        for row in self._catalog.recent(now - _RECENT_MS):
            doing = session_status(row, now_ms=now)
            running += doing in ("running", "thinking")
            waiting += doing == "waiting"
        return running, waiting

    def _row(
        self, old: Row | None, change: Created | Appended | Rewritten | Retitled
    ) -> Row | None:
        """Return the row after one change; None where there is nothing to show."""
        if isinstance(change, Created):
            return Row(
                path=change.path,
                size=change.size,
                mtime_ms=change.mtime_ms,
                title_field=change.title,
            )
        if old is None:
            return None
        if isinstance(change, Retitled):
            return retitle_row(replace(old, mtime_ms=change.mtime_ms), change.title)
        if isinstance(change, Rewritten):
            return replace(old, size=change.size, mtime_ms=change.mtime_ms, read=False)
        grown = replace(
            old,
            size=change.start + len(change.data),
            mtime_ms=change.mtime_ms,
            grew_ms=self._clock(),
        )
        return extend_row(grown, change.data) if old.read else grown

    @staticmethod
    def _newest_first(rows: Iterable[Row]) -> list[Row]:
        return sorted(rows, key=lambda row: row.mtime_ms, reverse=True)


class RowNotes:
    """Shows notes on rows while actions run on their sessions.

    Args:
        rows: Gets the notes.
        clock: The time in milliseconds since the epoch.
        changed: Called with the path of a row that says something else now.
        failed: Called with what failed, in one line, and with None after a success.
    """

    def __init__(
        self,
        rows: RowUpdater,
        clock: Callable[[], int],
        changed: Callable[[str], None],
        failed: Callable[[str | None], None],
    ) -> None:
        self._rows = rows
        self._clock = clock
        self._changed = changed
        self._failed = failed
        self._failures: dict[str, int] = {}

    @contextmanager
    def on(self, path: str, note: str) -> Iterator[None]:
        """Show `note` on the row meanwhile; a failure stays there until the next success."""
        self._failures.pop(path, None)
        self._put(path, note)
        try:
            with self.reporting():
                yield
        except StorageError as error:
            self._failures[path] = self._clock()
            self._put(path, error_reason(error), failed=True)
            raise
        except BaseException:
            self._put(path, "")
            raise
        self._put(path, "")
        self.forget_failures()

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Tell a failure, and on success that the last one is over."""
        try:
            yield
        except StorageError as error:
            self._failed(error_reason(error))
            raise
        self._failed(None)

    def forget_failures(self, *, older_than_ms: int = 0) -> None:
        """Take away what rows say of actions that failed so long ago."""
        until_ms = self._clock() - older_than_ms
        for path in [path for path, when in self._failures.items() if when <= until_ms]:
            del self._failures[path]
            if self._rows.has_failed(path):
                self._put(path, "")

    def _put(self, path: str, text: str, *, failed: bool = False) -> None:
        if self._rows.note(path, text, failed=failed):
            self._changed(path)
