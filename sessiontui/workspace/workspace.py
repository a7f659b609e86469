"""The workspace: a source, its sessions and the open transcripts, kept current.

The app and the command line both run on this. One task connects, subscribes,
loads and applies what changes; another reads heads and tails. What listeners
get is coalesced: one `RowsChanged` for each batch of the feed.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from sessiontui.catalog.catalog import Catalog
from sessiontui.catalog.row_builder import id_from_path
from sessiontui.config import Config
from sessiontui.errors import (
    AccessError,
    BackendDownError,
    LoginError,
    SessionTuiError,
    StorageError,
)
from sessiontui.formats.live import LiveAgents
from sessiontui.search.session_index import SessionIndex
from sessiontui.sources import DirectorySource
from sessiontui.storage import SessionStorage
from sessiontui.storage.backend import FeedState, Range
from sessiontui.storage.changes import Created
from sessiontui.storage.storage import open_backend
from sessiontui.storage.tasks import end_task
from sessiontui.times import now_ms
from sessiontui.workspace.connection import WriteAccess, describe_problem, first_error
from sessiontui.workspace.delete import Deletions
from sessiontui.workspace.events import (
    DeletePlan,
    Diagnostics,
    RowsChanged,
    StateChanged,
    Update,
    WorkspaceState,
    error_reason,
)
from sessiontui.workspace.in_use import InUseTracker
from sessiontui.workspace.live import LiveSessions
from sessiontui.workspace.open_documents import OpenDocuments
from sessiontui.workspace.rename import rename
from sessiontui.workspace.row_reader import RowReader
from sessiontui.workspace.rows import RowNotes, RowUpdater, session_changes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from sessiontui.catalog.row import Row
    from sessiontui.progress import Progress
    from sessiontui.sources import Source
    from sessiontui.storage import ChangeFeed
    from sessiontui.storage.backend import Backend, TrashItem
    from sessiontui.storage.write_queue import PendingWrite
    from sessiontui.transcript.document import Document
    from sessiontui.workspace.delete import Trashed

_FIRST_RETRY_S: Final = 0.25
_LONGEST_RETRY_S: Final = 5.0
_COUNT_EVERY_S: Final = 1.0
PATIENCE_S: Final = 10.0
"""How long closing waits for writes that are pending, in seconds."""
_HURRY_S: Final = 0.3
"""How long it waits in a hurry."""


class Workspace:
    """The workspace of one source: its rows, transcripts and actions.

    Made by `open_workspace`. `catalog` and `state` are read by whoever shows
    them; nobody but the workspace changes rows and state, while order, folds and
    filter of the catalog belong to the view.
    """

    def __init__(
        self,
        source: Source,
        *,
        config: Config,
        clock: Callable[[], int],
        home: str,
        connect: Callable[[Source, str | None], Backend],
        library: SessionIndex,
        environ: Mapping[str, str],
    ) -> None:
        self.source = source
        self.config = config
        self.clock = clock
        self.home = home
        """The user's home folder, shown as `~`."""
        self.catalog = Catalog(home=home, clock=clock)
        self.state = WorkspaceState()
        self.patience_s = PATIENCE_S
        self._grace_s: float | None = None
        self.given_up: tuple[PendingWrite, ...] = ()
        """Changes that were still pending when closing had waited long enough."""
        self._connect = connect
        self._password: str | None = None
        self._listeners: list[Callable[[Update], None]] = []
        self._storage: SessionStorage | None = None
        self._latest: SessionStorage | None = None
        self._is_closing = False
        self._loaded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._retry_s = _FIRST_RETRY_S
        self._retry = asyncio.Event()
        self._applied = asyncio.Condition()
        self._batches = self._changes = 0
        self._reader = RowReader(self._read_many, self.catalog.rows, self._rows_read)
        self._rows = RowUpdater(self.catalog, self._reader.add, clock)
        self._documents = OpenDocuments(self.read_raw, self._publish)
        self.library = library
        """Figures and text of all sessions."""
        library.serve(source, self._reader, self._read_many, self._publish)
        self.session_figures = self.catalog.figures = library.figures
        self._rights = WriteAccess(self._set_state, asked=config.read_only)
        self.notes = RowNotes(
            self._rows,
            clock,
            changed=lambda path: self._publish(RowsChanged(frozenset((path,)))),
            failed=lambda reason: self._set_state(last_error=reason),
        )
        """What rows say of actions of ours."""
        live = LiveSessions(
            LiveAgents(environ, Path(home), clock),
            self.catalog.rows,
            on_disk=isinstance(source, DirectorySource),
        )
        self.holding = InUseTracker(self.row, self._size, clock, live.evidence, live.guess)
        """The judgement whether agents hold sessions open."""
        self.deletions = Deletions(self.row, self.holding, self.notes.on, config.retention_days)

    # What there is

    def listen(self, callback: Callable[[Update], None]) -> Callable[[], None]:
        """Call `callback` in the event loop with each update; return what ends that."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def figures(self) -> Diagnostics:
        """Return what is waiting and what is kept at the moment."""
        storage = self._storage
        return Diagnostics(
            batches=self._batches,
            changes=self._changes,
            rows_waiting=self._reader.waiting,
            pending=self.state.pending,
            bytes_read=0 if storage is None else storage.bytes_read,
            bytes_cached=0 if storage is None else storage.cached_bytes,
            bytes_open=self._documents.held,
        )

    def row(self, path: str) -> Row | None:
        """Return the row of a session, or None."""
        return self.catalog.rows.get(path)

    def held(self, path: str) -> str | None:
        """Return in plain words why a running agent may hold the session open, or None."""
        item = self.holding.item(path)
        return None if item is None else item.reason

    async def ready(self) -> None:
        """Wait until the whole index is read.

        Raises:
            SessionTuiError: The source cannot be read for now; `state.problem` tells why.
        """
        await asyncio.shield(self._loaded)

    async def settled(self) -> None:
        """Wait until every write is confirmed, every change applied and every row read."""
        await self.ready()
        await self.drain()
        async with self._applied:
            await self._applied.wait_for(self._is_current)
        await self._reader.settled()
        self._recount()

    def show(self, paths: Sequence[str]) -> None:
        """Say which rows are in view: they are read, and where need be polled, first."""
        self._reader.show(paths)
        if self._storage is not None:
            self._storage.visible = frozenset(paths)

    async def read_rows(self, paths: Sequence[str]) -> list[Row]:
        """Return these rows with heads and tails read; a session that is gone is left out."""
        await self._reader.read_now(paths)
        return [row for path in paths if (row := self.row(path)) is not None]

    async def find(self, name: str) -> list[Row]:
        """Return the sessions that `name` may mean, newest first.

        A whole path, id or file name wins over a beginning of one; more than one row means that
        `name` is ambiguous. Only files whose names hold no id are read for theirs.
        """
        if name in self.catalog.rows:
            return await self.read_rows([name])
        found = self._rows.named(name)
        if not found:
            await self._reader.read_now(
                [path for path in self.catalog.rows if id_from_path(path) is None]
            )
            found = self._rows.named(name)
        found.sort(key=lambda row: row.mtime_ms, reverse=True)
        return await self.read_rows([row.path for row in found])

    async def open_document(self, path: str) -> Document:
        """Return the transcript of a session; the feed keeps it current until it is closed.

        Raises:
            SessionNotFoundError: There is no such session.
        """
        self.library.look_at(path)
        return self._documents.open(path, self.storage.stat_sync(path).size)

    def close_document(self, path: str) -> None:
        """Let go of a transcript."""
        self._documents.close(path)

    async def read_raw(self, path: str, start: int, stop: int) -> bytes:
        """Return bytes `[start, stop)` of a session as they are stored.

        Raises:
            SessionNotFoundError: There is no such session.
        """
        return await self.storage.read_range(path, start, stop)

    # What can be done

    async def refresh(self) -> None:
        """Compare the whole index with what is shown; what is in view stays current meanwhile.

        Raises:
            StorageError: It could not be read; what is shown stays as far as it was compared.
        """
        with self.notes.reporting():
            await self.storage.load()
        self.notes.forget_failures()

    async def rename(
        self,
        path: str,
        *,
        title: str | None = None,
        new_path: str | None = None,
        insist: bool = False,
    ) -> None:
        """Give a session another title, another path, or both; the title goes first.

        A body without a title slot is rewritten only while no agent holds it open.
        Drafts and other artifacts move along.

        Args:
            path: The session.
            title: The new title, or None.
            new_path: The new path, or None.
            insist: Move it though an agent may hold it open.

        Raises:
            SessionHeldError: An agent may hold it open, and that matters here.
            WrongTypeError: Its agent could not open it with a title.
            SessionExistsError: Another session has `new_path`.
            StorageError: It failed; the row is as before and says why.
        """
        await rename(self, path, title=title, new_path=new_path, insist=insist)

    async def written_again(self, paths: Sequence[str]) -> list[str]:
        """Return those paths, of sessions just moved or deleted, where something stands again.

        An agent that goes on writes there; what it wrote stays. None where the source does not say.
        """
        try:
            seen = await self.storage.probe([Range(path, 0, 0) for path in paths])
        except StorageError:
            return []
        return [path for path, one in zip(paths, seen, strict=True) if one is not None]

    async def plan_delete(self, paths: Sequence[str]) -> DeletePlan:
        """Find out what a deletion would take; see `Deletions.plan`."""
        await self._reader.read_now(paths)
        return await self.deletions.plan(self.storage, paths)

    async def delete(self, plan: DeletePlan, progress: Progress | None = None) -> Trashed:
        """Move the plan's sessions to the trash; see `Deletions.delete`."""
        return await self.deletions.delete(self.storage, plan, progress)

    async def undo(self, progress: Progress | None = None) -> Trashed:
        """Bring back what the last `delete` of this run took; see `Deletions.undo`."""
        with self.notes.reporting():
            return await self.deletions.undo(self.storage, progress)

    async def trashed(self) -> list[TrashItem]:
        """Return what can be restored, newest first."""
        return await self.storage.trashed()

    async def restore(self, item_id: str | TrashItem) -> TrashItem:
        """Bring back one item of the trash exactly.

        Raises:
            SessionNotFoundError: It is not in the trash any more.
            SessionExistsError: Its path is taken again.
        """
        with self.notes.reporting():
            return await self.storage.restore(item_id)

    async def drain(self) -> None:
        """Wait for every pending write; raise the first failure since the last time."""
        await self.storage.drain()

    @property
    def unconfirmed(self) -> tuple[PendingWrite, ...]:
        """Changes that were given up or are still pending; may be asked in any thread."""
        storage = self._latest
        if storage is None:
            return self.given_up
        return (*self.given_up, *storage.given_up, *storage.pending_writes)

    def hurry(self) -> None:
        """Let closing hardly wait for what is pending."""
        self.patience_s = self._grace_s = min(self.patience_s, _HURRY_S)

    async def close(self, running: asyncio.Task[None]) -> None:
        """End `run`, however far it has come; `open_workspace` does it."""
        self._is_closing = True
        await end_task(running)

    async def retry(self, password: str | None = None) -> None:
        """Try the source again at once, with another password if one is given."""
        if password is not None:
            self._password = password
        self._retry.set()

    # How it runs

    async def run(self) -> None:
        """Connect, load and follow until cancelled; `open_workspace` starts it."""
        while True:
            error = await self._serve()
            if self._is_closing:
                # Before Python 3.13 a group of tasks that fails forgets that it was cancelled
                # meanwhile, and counts a cancellation of its own as one from outside.
                raise asyncio.CancelledError
            retry_s = self._retry_s if isinstance(error, BackendDownError) else None
            if isinstance(error, AccessError):
                retry_s = _LONGEST_RETRY_S  # Somebody may give the right, or open the way.
            self._retry_s = min(self._retry_s * 2, _LONGEST_RETRY_S)
            self._retry.clear()
            self._set_state(
                problem=describe_problem(error, self.source, retry_s=retry_s),
                loading=False,
                feed=FeedState(tier="none", live=False, error=error_reason(error), retry_s=retry_s),
            )
            waiting = self._loaded
            self._loaded = asyncio.get_running_loop().create_future()
            if not waiting.done():
                waiting.set_exception(error)
                waiting.exception()  # Nobody has to wait for it.
            with suppress(TimeoutError):
                async with asyncio.timeout(retry_s):
                    await self._retry.wait()
            self._set_state(loading=True)

    def stopped(self, running: asyncio.Task[None]) -> None:
        """Tell whoever waits for the index that `run` has ended."""
        if not self._loaded.done():
            error = None if running.cancelled() else running.exception()
            self._loaded.set_exception(error or BackendDownError("the workspace is closed"))
            self._loaded.exception()

    async def _serve(self) -> SessionTuiError:
        """Show the source for as long as that works; return what ended it."""
        self._rows.clear()
        try:
            backend = self._connect(self.source, self._password)
            storage = SessionStorage(backend, contents="on_demand")
            self._storage = self._latest = storage
            remove = storage.on_state(self._storage_changed)
            try:
                async with storage.changes(own=True) as feed, asyncio.TaskGroup() as tasks:
                    work = (self._apply(feed), self._read(storage), self._count())
                    more = (self.library.run(), self._rights.keep(storage), _let_in(storage))
                    for task in (*work, *more):
                        tasks.create_task(task)
                    await self._rights.look(storage)
                    await storage.load()
                    self._load_done()
            finally:
                remove()
                self._storage = None
                # A write that failed with nobody left to hear of it ends nothing here.
                try:
                    with suppress(StorageError):
                        await storage.aclose(patience_s=self.patience_s, grace_s=self._grace_s)
                finally:
                    self.given_up, self._latest = self.unconfirmed, None
        except* SessionTuiError as group:
            error = group
        return first_error(error)

    def _load_done(self) -> None:
        self._retry_s = _FIRST_RETRY_S
        self._set_state(loading=False, problem=None, last_error=None)
        self.library.loaded()
        if not self._loaded.done():
            self._loaded.set_result(None)

    async def _apply(self, feed: ChangeFeed) -> None:
        """Apply what the feed tells, batch by batch."""
        async for everything in feed.batches():
            batch = session_changes(everything, self._created)
            self._batches += 1
            self._changes += len(batch)
            touched = self._rows.apply(batch)
            for change in batch:
                self._documents.apply(change)
            self.library.apply(batch)
            self._publish(RowsChanged(touched))
            self._recount()
            async with self._applied:
                self._applied.notify_all()

    async def _read(self, storage: SessionStorage) -> None:
        """Read heads and tails; while the source is away, wait for it to come back."""
        delay = _FIRST_RETRY_S
        while True:
            try:
                await self._reader.run()
            except StorageError as error:
                self._set_state(last_error=error_reason(error))
                await asyncio.sleep(delay)
                live = storage.feed_state.live
                delay = _FIRST_RETRY_S if live else min(delay * 2, _LONGEST_RETRY_S)

    async def _count(self) -> None:
        """Count who runs and who waits once a second: silence changes it too."""
        while True:
            self._recount()
            await asyncio.sleep(_COUNT_EVERY_S)

    async def _read_many(self, ranges: Sequence[Range]) -> list[bytes | None]:
        return await self.storage.read_many(ranges)

    def _rows_read(self, rows: list[Row]) -> None:
        self._rows.put(rows)
        self._publish(RowsChanged(frozenset(row.path for row in rows)))

    def _is_current(self) -> bool:
        return self._rows.shows(self.storage.stats())

    def _created(self, path: str) -> Created | None:
        """Return what the mirror knows of a session, as if it had just appeared."""
        storage = self.storage
        if not storage.exists_sync(path):
            return None
        stat = storage.stat_sync(path)
        return Created(path, stat.size, stat.mtime_ms)

    def _storage_changed(self) -> None:
        storage = self.storage
        self._set_state(
            feed=storage.feed_state, pending=storage.pending, warnings=tuple(storage.warnings)
        )

    def _recount(self) -> None:
        running, waiting = self._rows.counts()
        self._set_state(
            sessions=self.catalog.totals.sessions,
            bytes=self.catalog.totals.bytes,
            running=running,
            waiting=waiting,
        )

    def _set_state(self, **fields: Any) -> None:
        state = replace(self.state, **fields)
        if state != self.state:
            self.state = state
            self._publish(StateChanged())

    def _publish(self, update: Update) -> None:
        for listener in tuple(self._listeners):
            listener(update)

    def _size(self, path: str) -> int | None:
        return None if self._storage is None else self._storage.confirmed_size(path)

    @property
    def storage(self) -> SessionStorage:
        """The open storage.

        Raises:
            BackendDownError: The source is not connected for now; the message tells why.
        """
        if self._storage is None:
            message = self.state.problem.message if self.state.problem else "not connected yet"
            raise BackendDownError(message)
        return self._storage


async def _let_in(storage: SessionStorage) -> None:
    """Follow how the source is reached, until it lets us in no more.

    Raises:
        LoginError: It wants a password, or another one: then nothing but that helps.
    """
    told = asyncio.Event()
    remove = storage.on_state(told.set)
    try:
        while storage.feed_state.cause != "password":
            told.clear()
            await told.wait()
    finally:
        remove()
    raise LoginError(storage.feed_state.error or "the source wants a password")


@asynccontextmanager
async def open_workspace(
    source: Source,
    *,
    config: Config | None = None,
    clock: Callable[[], int] = now_ms,
    home: str | None = None,
    connect: Callable[[Source, str | None], Backend] = open_backend,
    library: SessionIndex | None = None,
    failed: Callable[[], None] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> AsyncIterator[Workspace]:
    """Yield a workspace at once; it connects and loads in the background.

    On the way out pending writes are waited for and everything opened is closed.

    Args:
        source: Where the sessions are.
        config: Settings; the defaults if None.
        clock: The time in milliseconds since the epoch.
        home: The home folder, shown as `~`; the user's own if None.
        connect: Opens the backend of the source, with a password typed by the user.
        library: Keeps the index; none is kept if None.
        environ: Environment variables, which may move the folders of agents.
        failed: Called where it ends by an error nobody expected, which is raised on the way out.
    """
    workspace = Workspace(
        source,
        config=Config() if config is None else config,
        clock=clock,
        home=str(Path.home()) if home is None else home,
        connect=connect,
        library=SessionIndex() if library is None else library,
        environ=environ,
    )

    def stopped(running: asyncio.Task[None]) -> None:
        workspace.stopped(running)
        if failed is not None and not running.cancelled() and running.exception() is not None:
            failed()

    running = asyncio.create_task(workspace.run(), name="workspace")
    running.add_done_callback(stopped)
    try:
        yield workspace
    finally:
        await workspace.close(running)
