"""A storage without an event loop: every call of `SessionStorage` blocks until it is done.

The loop runs in a thread of its own. The calls have the names, arguments, results and
errors of `SessionStorage`; may be made from any thread, and not from a callback of the
storage, which that thread runs. The thread ends with `close` and keeps no process alive: a
client that is still open when the process ends is closed, and waits a few seconds for
what is pending.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
from contextlib import suppress
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Self, TypeVar

from sessiontui.errors import StorageClosedError, StorageError
from sessiontui.storage.storage import SessionStorage
from sessiontui.storage.writer import SessionStorageWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path
    from typing import Unpack

    from sessiontui.formats.title_slot import TitleSource
    from sessiontui.sources import Source
    from sessiontui.storage.backend import FeedState
    from sessiontui.storage.change_feed import ChangeFeed
    from sessiontui.storage.changes import Change
    from sessiontui.storage.storage import ContentsPolicy, StorageOptions, WriterFlags
    from sessiontui.storage.write_queue import UnwrittenData

_LOGGER = logging.getLogger(__name__)

_EXIT_S: Final = 5.0
"""How long a client that was left open waits for pending writes when the process ends."""

P = ParamSpec("P")
T = TypeVar("T")


class LoopThread:
    """An event loop in a thread of its own, for calls from other threads."""

    def __init__(self) -> None:
        self._started = threading.Event()
        self._ending = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        """None before it runs and once it has ended."""
        self._thread = threading.Thread(target=self._serve, name="sessiontui-loop", daemon=True)
        self._thread.start()
        self._started.wait()

    def run(self, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run what a call returns, and wait for it; an interrupt cancels it.

        Raises:
            StorageClosedError: The loop has ended.
            RuntimeError: This is its own thread, which cannot wait for itself.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("a callback of the storage cannot wait for it")
        with self._ending:
            if self._loop is None:
                raise StorageClosedError("the storage is closed")
            future = asyncio.run_coroutine_threadsafe(call(), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def end(self) -> None:
        """End the loop and its thread, and what it still runs; twice is no matter."""
        with self._ending:
            loop, self._loop = self._loop, None
            if loop is not None:
                loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def _serve(self) -> None:
        asyncio.run(self._until_ended())

    async def _until_ended(self) -> None:
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._started.set()
        await self._ended.wait()


def _waits(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Any, P], T]:
    """Return a method of a class below that awaits a method of what it wraps."""

    @wraps(method)
    def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        thread: LoopThread = self._thread
        return thread.run(lambda: method(self._wrapped, *args, **kwargs))

    return call


def _calls(method: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], T]:
    """Return a method of a class below that calls a method of what it wraps, in the thread."""

    @wraps(method)
    def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        async def called() -> T:
            return method(self._wrapped, *args, **kwargs)

        thread: LoopThread = self._thread
        return thread.run(called)

    return call


class SyncSessionStorageWriter:
    """A `SessionStorageWriter` whose calls block; made by `SyncSessionStorage.open_writer`."""

    def __init__(self, thread: LoopThread, writer: SessionStorageWriter) -> None:
        self._thread = thread
        self._wrapped: SessionStorageWriter = writer

    write_line_sync = _calls(SessionStorageWriter.write_line_sync)
    write_line = _waits(SessionStorageWriter.write_line)
    flush = _waits(SessionStorageWriter.flush)
    fsync = _waits(SessionStorageWriter.fsync)
    close = _waits(SessionStorageWriter.close)
    get_error = _calls(SessionStorageWriter.get_error)

    @property
    def path(self) -> str:
        """Where it writes; another once the session is renamed."""
        return self._wrapped.path


class SyncChangeFeed:
    """A `ChangeFeed` whose iteration blocks; follows while it is entered.

    It is made by `SyncSessionStorage.changes`.
    """

    def __init__(
        self, thread: LoopThread, following: AbstractAsyncContextManager[ChangeFeed]
    ) -> None:
        self._thread = thread
        self._following = following

    def __enter__(self) -> Self:
        self._feed = self._thread.run(self._entered)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(StorageClosedError):  # That has ended it.
            self._thread.run(self._left)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Change:
        change = self._thread.run(self._next)
        if change is None:
            raise StopIteration
        return change

    async def _entered(self) -> ChangeFeed:
        return await self._following.__aenter__()

    async def _left(self) -> None:
        await self._following.__aexit__(None, None, None)

    async def _next(self) -> Change | None:
        return await anext(self._feed, None)


class SyncSessionStorage:
    """A `SessionStorage` whose calls block.

    Args:
        opening: Opens the storage: `MemorySessionStorage.create()`, say.

    Raises:
        StorageError: As `opening`.
    """

    def __init__(self, opening: Coroutine[Any, Any, SessionStorage]) -> None:
        self._thread = LoopThread()
        try:
            self._wrapped: SessionStorage = self._thread.run(lambda: opening)
        except BaseException:
            self._thread.end()
            raise
        _open_clients.add(self)

    @classmethod
    def open(
        cls,
        source: str | Path | Source,
        *,
        password: str | None = None,
        contents: ContentsPolicy = "resident",
        **options: Unpack[StorageOptions],
    ) -> Self:
        """Open the sessions at a place, loaded; see `SessionStorage.open`."""
        return cls(SessionStorage.open(source, password=password, contents=contents, **options))

    def close(self, *, patience_s: float | None = None, grace_s: float | None = None) -> None:
        """Drain, end all feeds, close what was opened, end the thread.

        Args:
            patience_s: As for `SessionStorage.aclose`.
            grace_s: The same.

        Raises:
            Exception: As `drain`.
        """
        try:
            with suppress(StorageClosedError):
                self._thread.run(
                    lambda: self._wrapped.aclose(patience_s=patience_s, grace_s=grace_s)
                )
        finally:
            _open_clients.discard(self)
            self._thread.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    refresh = _waits(SessionStorage.refresh)
    drain = _waits(SessionStorage.drain)

    # Reading.

    exists_sync = _calls(SessionStorage.exists_sync)
    stat_sync = _calls(SessionStorage.stat_sync)
    read_text_sync = _calls(SessionStorage.read_text_sync)
    list_files_sync = _calls(SessionStorage.list_files_sync)
    stats = _calls(SessionStorage.stats)
    exists = _waits(SessionStorage.exists)
    read_text = _waits(SessionStorage.read_text)
    read_text_prefix = _waits(SessionStorage.read_text_prefix)
    read_range = _waits(SessionStorage.read_range)
    read_many = _waits(SessionStorage.read_many)
    artifacts = _waits(SessionStorage.artifacts)
    trashed = _waits(SessionStorage.trashed)

    # Changing.

    ensure_dir_sync = _calls(SessionStorage.ensure_dir_sync)
    write_text_sync = _calls(SessionStorage.write_text_sync)
    write_text = _waits(SessionStorage.write_text)
    rename = _waits(SessionStorage.rename)
    rename_session_with_artifacts = _waits(SessionStorage.rename_session_with_artifacts)
    unlink = _waits(SessionStorage.unlink)
    delete_session_with_artifacts = _waits(SessionStorage.delete_session_with_artifacts)
    trash_session = _waits(SessionStorage.trash_session)
    restore = _waits(SessionStorage.restore)
    update_session_title = _waits(SessionStorage.update_session_title)

    # Writers and changes.

    def begin(
        self,
        cwd: str,
        *,
        title: str = "",
        source: TitleSource = "auto",
        root: str | None = None,
        home: str | None = None,
    ) -> SyncSessionStorageWriter:
        """Begin a session where omp looks for it; see `SessionStorage.begin`."""
        writer = self._thread.run(
            lambda: self._wrapped.begin(cwd, title=title, source=source, root=root, home=home)
        )
        return SyncSessionStorageWriter(self._thread, writer)

    def open_writer(
        self,
        path: str,
        flags: WriterFlags = "a",
        on_error: Callable[[Exception], None] | None = None,
    ) -> SyncSessionStorageWriter:
        """Return a writer of lines; see `SessionStorage.open_writer`."""

        async def opened() -> SessionStorageWriter:
            return self._wrapped.open_writer(path, flags, on_error)

        return SyncSessionStorageWriter(self._thread, self._thread.run(opened))

    def changes(self, *, own: bool = False) -> SyncChangeFeed:
        """Follow changes: peers' exactly once each, with `own` our own confirmed ones too."""
        return SyncChangeFeed(self._thread, self._wrapped.changes(own=own))

    # State.

    @property
    def label(self) -> str:
        """Where the sessions are, without any secret."""
        return self._wrapped.label

    @property
    def root(self) -> str:
        """What the path of a new session begins with, before a slash and its project's folder."""
        return self._wrapped.root

    @property
    def pending(self) -> int:
        """Number of calls that the store has not confirmed yet."""
        return self._wrapped.pending

    @property
    def unwritten(self) -> tuple[UnwrittenData, ...]:
        """What was accepted and could not be written, oldest first."""
        return self._wrapped.unwritten

    @property
    def feed_state(self) -> FeedState:
        """How peers' changes reach us at the moment."""
        return self._wrapped.feed_state

    @property
    def warnings(self) -> Sequence[str]:
        """What was passed over in the store and why; the newest hundred."""
        return self._wrapped.warnings


_open_clients: set[SyncSessionStorage] = set()
"""Those that `close` was not called for."""


def _close_all() -> None:
    """Close what was left open; a process ends, so nobody is told but the log."""
    for client in list(_open_clients):
        try:
            client.close(patience_s=_EXIT_S, grace_s=_EXIT_S)
        except StorageError as error:
            _LOGGER.warning("not everything was written at the end: %s", error)


# A folder is closed by work given to threads, and pools of threads take none once their own hook
# has run. Hooks run backwards, so theirs goes first here; `atexit` comes later still.
import_module("concurrent.futures.thread")
getattr(threading, "_register_atexit", atexit.register)(_close_all)
