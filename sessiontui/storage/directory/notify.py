"""File system notifications of a folder, by watchfiles, in a thread of its own.

watchfiles starts to watch before it first asks its stop event whether to
stop: that is how the moment is known from which nothing is missed. It is given no
timeout, as it drops what came in just when one runs out.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable

APPEARED: Final = 1
VANISHED: Final = 3
"""What became of a path: values of `watchfiles.Change`, whose 2 is a change of its content."""

FolderChanges = set[tuple[int, str]]
"""What became of which absolute path; one path may stand in it several times."""

_DEBOUNCE_MS: Final = 50
_STEP_MS: Final = 10

_WORDS: Final = {
    "file watch limit": "the system's limit of watched folders is reached"
    " (fs.inotify.max_user_watches)",
    "too many open files": "the system's limit of watchers is reached"
    " (fs.inotify.max_user_instances)",
    "unable to decode": "the name of a file is not valid UTF-8",
    "permission denied": "a folder inside may not be read",
}
"""Plain words by what the system's error contains, in lower case."""


class NotifyError(Exception):
    """The system cannot tell of changes, or can no longer; the reason is fit to be shown."""


class Notifier:
    """Watches a folder while it is entered.

    Args:
        folder: Absolute path without any symbolic link in it.

    Raises:
        NotifyError: On entering: the system refuses to watch.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._loop = asyncio.get_running_loop()
        self._armed = asyncio.Event()
        self._woken = asyncio.Event()
        self._told: FolderChanges = set()
        self._ended: str | None = None
        self._stop = _Stop(lambda: self._call(self._armed.set))
        self._thread = threading.Thread(target=self._watch, name="sessiontui-watch", daemon=True)

    async def __aenter__(self) -> Self:
        self._thread.start()
        try:
            await self._armed.wait()
        except asyncio.CancelledError:
            await self._end()
            raise
        if self._ended is not None:
            self._thread.join()
            raise NotifyError(self._ended)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def changes(self, wait_s: float) -> FolderChanges:
        """Return what was told since the last call, at the latest after some seconds.

        Raises:
            NotifyError: Nothing will be told any more; changes may have been missed.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._woken.wait()
        self._woken.clear()
        if self._ended is not None:
            raise NotifyError(self._ended)
        told, self._told = self._told, set()
        return told

    async def _end(self) -> None:
        self._stop.stopped = True
        await asyncio.to_thread(self._thread.join)

    def _watch(self) -> None:
        """Run in the thread."""
        from watchfiles import watch

        ended = "the watch ended"
        try:
            for changes in watch(
                self._folder,
                watch_filter=None,
                debounce=_DEBOUNCE_MS,
                step=_STEP_MS,
                rust_timeout=0,
                stop_event=self._stop,
                raise_interrupt=False,
                force_polling=False,
                ignore_permission_denied=False,
            ):
                self._call(self._take, {(int(change), path) for change, path in changes})
        except (OSError, RuntimeError) as error:
            ended = _plain(str(error))
        finally:
            self._call(self._finish, ended)  # Whatever ended it: somebody waits.

    def _take(self, changes: FolderChanges) -> None:
        self._told |= changes
        self._woken.set()

    def _finish(self, reason: str) -> None:
        self._ended = reason
        self._armed.set()
        self._woken.set()

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is there to be told
            self._loop.call_soon_threadsafe(function, *arguments)


class _Stop:
    """A stop event that says when it is first asked."""

    def __init__(self, first_asked: Callable[[], None]) -> None:
        self.stopped = False
        self._first_asked: Callable[[], None] | None = first_asked

    def is_set(self) -> bool:
        """Tell watchfiles whether to stop."""
        if self._first_asked is not None:
            self._first_asked()
            self._first_asked = None
        return self.stopped


def _plain(message: str) -> str:
    lowered = message.lower()
    return next((words for part, words in _WORDS.items() if part in lowered), clean(message))
