"""What rows and header say of an action: that it runs, that it failed, and why."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sessiontui.errors import StorageError
from sessiontui.workspace.events import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessiontui.workspace.rows import RowKeeper


class Notes:
    """Puts notes on rows while something is done with their sessions.

    Args:
        rows: Gets the notes.
        clock: The time in milliseconds since the epoch.
        changed: Called with the path of a row that says something else now.
        failed: Called with what failed, in one line, and with None after a success.
    """

    def __init__(
        self,
        rows: RowKeeper,
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
            self._put(path, reason_of(error), failed=True)
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
            self._failed(reason_of(error))
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
