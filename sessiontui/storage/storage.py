"""Session storage: sessions over any backend, each change in its turn, peers' changes followed.

`SessionStorage` is the one class, and `open` takes any source; the three named
ones open it over what only a program has: a client, a folder whose paths begin at it,
memory. What is synchronous is answered from the mirror. What changes a session goes
through the write queue. Sizes and offsets are bytes, times integer milliseconds
since the epoch.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypedDict, Unpack, get_args

from sessiontui.errors import (
    InvalidPathError,
    ReadOnlyError,
    SessionExistsError,
    SessionNotFoundError,
    StorageClosedError,
    WriteConflictError,
)
from sessiontui.formats.jsonl import encode_entry
from sessiontui.formats.title_slot import make_slot
from sessiontui.sources import DEFAULT_PREFIX, DirectorySource, RedisSource, parse_source
from sessiontui.storage.artifacts import artifact_target, is_artifact
from sessiontui.storage.backend import TrashItem
from sessiontui.storage.change_detector import ChangeDetector
from sessiontui.storage.change_feed import ChangeFeeds
from sessiontui.storage.mirror import Mirror
from sessiontui.storage.operations import Write
from sessiontui.storage.reads import RangeCache, RangeReader, SessionReads
from sessiontui.storage.session_operations import (
    Delete,
    Move,
    MoveToTrash,
    PlaceFiles,
    Restore,
    SetTitle,
    artifact_paths,
)
from sessiontui.storage.sync import Refresh, StoreSync
from sessiontui.storage.write_queue import RetryPolicy, WriteQueue
from sessiontui.storage.writer import SessionStorageWriter, encode_text
from sessiontui.times import iso_time, now_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence

    from redis.asyncio import Redis, RedisCluster

    from sessiontui.formats.title_slot import TitleSource
    from sessiontui.sources import Source
    from sessiontui.storage.backend import Backend, FeedState, Stat
    from sessiontui.storage.change_feed import ChangeFeed
    from sessiontui.storage.memory import MemoryStore
    from sessiontui.storage.write_queue import Guard, Operation, PendingWrite, UnwrittenData


ContentsPolicy = Literal["resident", "on_demand"]
WriterFlags = Literal["a", "w"]

CACHE_BYTES: Final = 32 << 20
"""How much of what was read on demand is kept."""
KEEP_TRASH_MS: Final = 30 * 86_400_000
"""How long the trash keeps what is deleted."""


class StorageOptions(TypedDict, total=False):
    """What everything that opens a storage takes; see `SessionStorage`."""

    cache_bytes: int
    follow: bool
    retries: RetryPolicy | None


def open_backend(source: Source, password: str | None = None) -> Backend:
    """Return the backend of a source, not connected yet.

    What a backend needs is imported here, so that a folder never loads Redis
    and the first paint waits for neither.

    Args:
        source: Where the sessions are.
        password: Used instead of the one in the source, if given.
    """
    if isinstance(source, RedisSource):
        from sessiontui.storage.redis.backend import RedisBackend

        return RedisBackend.from_source(source, password=password)
    from sessiontui.storage.directory.backend import DirectoryBackend

    return DirectoryBackend(source.path, absolute=True)


class SessionStorage(SessionReads):
    """Sessions over a backend. Constructed empty; `load` fills it.

    Args:
        backend: The store; closed with the storage.
        contents: `resident` holds all bytes, so that synchronous reads work;
            `on_demand` holds the index and reads ranges.
        cache_bytes: How much of what is read on demand is kept.
        follow: Whether to follow what peers write from `load` on; else from
            the first `changes` on.
        retries: How long to go on with a write while the store is away.
        clock: Milliseconds since the epoch.

    Raises:
        ValueError: There is no such `contents`.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        contents: ContentsPolicy = "on_demand",
        cache_bytes: int = CACHE_BYTES,
        follow: bool = True,
        retries: RetryPolicy | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        _refuse_unknown("contents", contents, ContentsPolicy)
        self.visible: Collection[str] = frozenset()
        """Sessions somebody looks at: their changes come first."""
        retries = retries or RetryPolicy()
        self._follow = follow
        self._clock = clock
        self._closed = False
        self._listeners: list[Callable[[], None]] = []
        self._feeds = ChangeFeeds()
        mirror = Mirror(resident=contents == "resident", clock=clock, publish=self._feeds.publish)
        self._observer = ChangeDetector(backend, mirror)
        # The queue and the follower need each other; neither asks before there is work to do.
        self._write_queue = WriteQueue(
            backend,
            mirror,
            retries=retries,
            look=lambda paths, own: self._follower.look_in_turn(paths, own),
            mark=lambda paths: self._follower.mark(paths),
            notify=self._notify,
            read_only=lambda: self.read_only,
        )
        self._follower = StoreSync(
            backend,
            mirror,
            self._observer,
            self._write_queue,
            self._feeds,
            retries=retries,
            visible=lambda: self.visible,
            notify=self._notify,
        )
        self._writers: set[SessionStorageWriter] = set()
        """Those not closed; a rename takes them along."""
        cache = RangeCache(cache_bytes)
        reader = RangeReader(backend, mirror, self._write_queue, cache, self._follower.mark)
        super().__init__(backend, mirror, reader)

    # Opening, closing, waiting.

    @classmethod
    async def open(
        cls,
        source: str | Path | Source,
        *,
        password: str | None = None,
        contents: ContentsPolicy = "resident",
        **options: Unpack[StorageOptions],
    ) -> Self:
        """Open the sessions at a place, loaded.

        Args:
            source: `redis://`, `rediss://`, `unix://`, `redis+cluster://` or
                `redis+sentinel://` with a server, or a folder; paths of sessions are
                the files' own there. All that `parse_source` takes.
            password: Used instead of the one in the source, if given.
            contents: Whether to hold all bytes, or the index alone.
            options: As for `SessionStorage`.

        Raises:
            ConfigError: The source cannot be used; the message holds no password.
            StorageError: It could not be asked.
        """
        if isinstance(source, str):
            source = parse_source(source)
        elif isinstance(source, Path):
            source = DirectorySource(source.absolute())
        return await cls._loaded(open_backend(source, password), contents, options)

    @classmethod
    async def _loaded(
        cls, backend: Backend, contents: ContentsPolicy, options: StorageOptions
    ) -> Self:
        storage = cls(backend, contents=contents, **options)
        try:
            await storage.load()
        except BaseException:
            await storage.aclose()
            raise
        return storage

    async def load(self) -> None:
        """Fill the mirror from the store; feeds that are open see the sessions arrive.

        May be called again after it failed, or to compare the whole index.

        Raises:
            StorageError: The store could not be asked; what was read so far is shown.
        """
        if self._follow:
            await self._follower.start()
        await self._follower.load()

    async def refresh(self) -> None:
        """Wait for pending writes, build a new mirror aside, then show it whole.

        Raises:
            StorageError: The store could not be asked; the old mirror stays.
        """
        await self.carry_out(Refresh(self._observer, self._follower.warn))

    async def drain(self) -> None:
        """Wait for every pending write, also those queued meanwhile.

        Raises:
            Exception: The first failure since the last `drain` that no caller was told; once.
        """
        await self._write_queue.drain()

    async def aclose(
        self, *, patience_s: float | None = None, grace_s: float | None = None
    ) -> None:
        """Drain, end all feeds, close what was opened.

        Args:
            patience_s: How long to wait for pending writes, in seconds, before those
                left fail and are in `unwritten`; None waits as long as retries last.
            grace_s: How long what is under way to the store may still take then, in
                seconds; None: as long as the longest pause between two tries.

        Raises:
            Exception: As `drain`.
        """
        if self._closed:
            return
        self._closed = True
        try:
            await self._write_queue.give_up(patience_s, grace_s)
            await self._write_queue.drain()
        finally:
            await self._follower.stop()
            self._feeds.close_all()
            await self._backend.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # State and changes.

    @property
    def pending(self) -> int:
        """Number of calls that the store has not confirmed yet."""
        return self._write_queue.pending

    @property
    def last_error(self) -> Exception | None:
        """Why the store did not answer a write the last time; None since it does."""
        return self._write_queue.last_error

    @property
    def refusals(self) -> int:
        """How often the store refused a change for want of a right, or as it takes none."""
        return self._write_queue.refusals

    @property
    def unwritten(self) -> tuple[UnwrittenData, ...]:
        """What was accepted and could not be written, oldest first."""
        return tuple(self._write_queue.unwritten)

    @property
    def pending_writes(self) -> tuple[PendingWrite, ...]:
        """The changes that the store has not confirmed yet, in the order of the calls."""
        return self._write_queue.described()

    @property
    def given_up(self) -> tuple[PendingWrite, ...]:
        """What `aclose` did not wait for any longer, in the order in which it failed."""
        return tuple(self._write_queue.given_up)

    def take_unwritten(self) -> tuple[UnwrittenData, ...]:
        """Return `unwritten` and hold it no more."""
        taken = self.unwritten
        self._write_queue.unwritten.clear()
        return taken

    @property
    def feed_state(self) -> FeedState:
        """How peers' changes reach us at the moment."""
        return self._follower.state

    @property
    def warnings(self) -> Sequence[str]:
        """What was passed over in the store and why; the newest hundred."""
        return tuple(self._follower.warnings)

    def on_state(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called when feed state, pending, last error or warnings changed.

        Returns:
            What ends that.
        """
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback) if callback in self._listeners else None

    @asynccontextmanager
    async def changes(self, *, own: bool = False) -> AsyncIterator[ChangeFeed]:
        """Follow changes: peers' exactly once each, with `own` our own confirmed ones too."""
        feed = self._feeds.open(own=own, known=self._mirror.confirmed.get)
        try:
            if self._mirror.loaded:
                await self._follower.start()
            else:
                self._follow = True
            yield feed
        finally:
            self._feeds.close(feed)

    # Changing.

    def write_text_sync(self, path: str, content: str) -> None:
        """Show a session with this content and queue the write; its title as by `write_text`.

        Raises:
            RuntimeError: No event loop runs.
        """
        self._check("write_text_sync")
        operation = Write(path, encode_text(content), self._mirror.next_mtime())
        operation.unheard = True
        self._write_queue.add(operation)

    async def write_text(
        self, path: str, content: str, *, expected_size: int | None = None
    ) -> None:
        """Replace a session or create it; its title becomes that of the new slot.

        The title field is written from the slot that `content` begins with, and removed
        where it begins with none, as omp does: one that is left of other bytes would hide
        the session.

        Args:
            path: The session.
            content: All of it, with its slot.
            expected_size: How many bytes it must have just before, -1: it must not
                exist; None: any.

        Raises:
            WriteConflictError: It has another size; nothing changed.
        """
        self._check("write_text")
        size: int | Literal["any", "absent"] = "any" if expected_size is None else expected_size
        if expected_size == -1:
            size = "absent"
        mtime_ms = self._mirror.next_mtime()
        await self.carry_out(Write(path, encode_text(content), mtime_ms, expected_size=size))

    async def rename(self, source: str, target: str, *, overwrite: bool = False) -> None:
        """Give a session another path; lines queued before and open writers go along.

        Raises:
            SessionNotFoundError: There is no such session.
            SessionExistsError: Another has this path, and `overwrite` is false.
        """
        await self._move(source, target, {}, artifacts=False, overwrite=overwrite)

    async def rename_session_with_artifacts(
        self, source: str, target: str, *, overwrite: bool = False, guard: Guard | None = None
    ) -> None:
        """Give a session and all that belongs to it another path; raises as `rename` too.

        Raises:
            SessionHeldError: `guard` says that an agent may hold it open.
            InvalidPathError: One of the paths does not end in `.jsonl`, or the new one
                lies beneath the session itself.
        """
        if is_artifact(target, source):
            raise InvalidPathError(f"a session cannot move beneath itself: {target}", path=target)
        known = {
            name: artifact_target(name, source, target)
            for name in artifact_paths(self._mirror, source)
        }
        artifact_paths(self._mirror, target)
        await self._move(source, target, known, artifacts=True, overwrite=overwrite, guard=guard)

    async def unlink(self, path: str) -> None:
        """Remove a session for good.

        Raises:
            SessionNotFoundError: There is no such session; nothing was touched.
        """
        self._check("unlink", path)
        await self.carry_out(Delete(path))

    async def delete_session_with_artifacts(self, path: str) -> None:
        """Remove a session and all that belongs to it for good.

        Raises:
            InvalidPathError: The path does not end in `.jsonl`; nothing was touched.
            SessionNotFoundError: There is no such session; nothing was touched.
        """
        known = artifact_paths(self._mirror, path)
        self._check("delete_session_with_artifacts", path)
        await self.carry_out(Delete(path, known=known, artifacts=True))

    async def trash_session(
        self,
        path: str,
        *,
        keep_ms: int = KEEP_TRASH_MS,
        mark: str | None = None,
        guard: Guard | None = None,
        stats: Sequence[Stat] | None = None,
        whole: bool = False,
    ) -> TrashItem:
        """Move a session and all that belongs to it to the trash.

        Args:
            path: The session.
            keep_ms: How long it can be restored, in milliseconds.
            mark: Stands in the item's id behind the time, no other's the same; by chance if None.
            guard: Asked in its turn why an agent may hold it open.
            stats: What goes, itself first, as just found by `all_artifacts`; None looks for it.
            whole: Whether `guard` is asked about all of `stats`.

        Raises:
            InvalidPathError: The path does not end in `.jsonl`; nothing was touched.
            SessionHeldError: `guard` says that an agent may hold it open; the same.
            SessionNotFoundError: There is no such session; the same.
        """
        rest = None if stats is None else tuple(stat.path for stat in stats[1:])
        known = artifact_paths(self._mirror, path) if rest is None else rest
        self._check("trash_session", path)
        now = self._clock()
        item_id = f"{now:014d}-{mark or secrets.token_hex(4)}"
        item = TrashItem(item_id, path, tuple(stats or ()), now, now + keep_ms)
        operation = MoveToTrash(item, known=known, guard=guard, whole=whole)
        await self.carry_out(operation)
        return operation.item

    async def stage(self, token: str, number: int, start: int, data: bytes) -> None:
        """Keep bytes of a file that is built aside; see `Backend.stage`.

        Raises:
            StorageError: They could not be kept; may be tried again.
        """
        self._check("stage")
        await self._backend.stage(token, number, start, data)

    async def place(
        self, token: str, files: Sequence[Stat], lives: Sequence[int | None] = ()
    ) -> None:
        """Put staged files in place, all or none; see `Backend.place`.

        Raises:
            WriteConflictError: They were not staged whole.
            SessionExistsError: A path is taken.
        """
        self._check("place")
        await self.carry_out(PlaceFiles(token, files, lives))

    async def unstage(self, token: str) -> None:
        """Drop what was staged; nothing is no matter."""
        await self._backend.unstage(token)

    async def restore(self, item_id: str | TrashItem) -> TrashItem:
        """Bring back from the trash exactly what was deleted; an item saves looking for it.

        Raises:
            SessionNotFoundError: The trash does not hold it (any more).
            SessionExistsError: One of its paths is taken again; nothing came back.
        """
        self._check("restore")
        item = await self.trash_item(item_id) if isinstance(item_id, str) else item_id
        await self.carry_out(Restore(item))
        return item

    async def update_session_title(
        self,
        path: str,
        title: str,
        *,
        source: TitleSource = "user",
        allow_rewrite: bool | Guard = False,
    ) -> bool:
        """Give a session a title, in the title field and in the body's slot; its time stays.

        Args:
            path: The session.
            title: Normalised and cut as omp does.
            source: Who names it; `auto` never replaces a title of the user's.
            allow_rewrite: Whether a body without a slot may get one put before it,
                which an agent that has it open does not survive; a guard says so in its turn.

        Returns:
            Whether the title was set; False where an `auto` one gave way.

        Raises:
            SessionNotFoundError: There is no such session.
            TitleNeedsRewriteError: The body has no slot, and `allow_rewrite` is false.
            SessionHeldError: It has none, and the guard says that an agent may hold it open.
            WrongTypeError: Its first line is neither a slot nor a header.
        """
        self._check("update_session_title", path)
        now_ms = self._mirror.next_mtime()
        operation = SetTitle(path, title, source, now_ms, allow_rewrite=allow_rewrite)
        await self.carry_out(operation)
        return operation.applied

    # Writers.

    async def begin(
        self,
        cwd: str,
        *,
        title: str = "",
        source: TitleSource = "auto",
        root: str | None = None,
        home: str | None = None,
    ) -> SessionStorageWriter:
        """Begin a session where omp looks for it, and return the writer for its entries.

        It begins with a title slot and a header, as
        `<root>/<folder of the project>/<time>_<id>.jsonl`, with a new id.

        Args:
            cwd: The folder that the agent works in, absolute.
            title: May be given later; normalised and cut as omp does.
            source: Who names it: `auto`, the agent by itself, or the user.
            root: Another one than that of the storage, without a slash at its end.
            home: The user's home folder, left out of the project's; this user's if None.

        Raises:
            ValueError: `cwd` is not absolute.
            SessionExistsError: There is a session of this path; nothing was touched.
        """
        from sessiontui.formats.omp import new_session_id, project_folder, session_file

        if not cwd.startswith("/"):
            raise ValueError(f"cwd must be an absolute path, not {cwd!r}")
        self._check("begin")
        now = self._clock()
        created, session_id = iso_time(now), new_session_id(now, SystemRandom())
        folder = project_folder(cwd, home=str(Path.home()) if home is None else home)
        name = session_file("", created=created, session_id=session_id)
        path = f"{self.root if root is None else root}/{folder}/{name}"
        header = {"type": "session", "version": 3, "id": session_id, "timestamp": created}
        line = encode_entry({**header, "cwd": cwd})
        slot = make_slot(title, source=source if title else None, updated_at=now)
        mtime_ms = self._mirror.next_mtime()
        try:
            await self.carry_out(Write(path, slot + line, mtime_ms, expected_size="absent"))
        except WriteConflictError as error:
            raise SessionExistsError(path) from error
        return self.open_writer(path)

    def open_writer(
        self,
        path: str,
        flags: WriterFlags = "a",
        on_error: Callable[[Exception], None] | None = None,
    ) -> SessionStorageWriter:
        """Return a writer of lines.

        Args:
            path: The session.
            flags: `a` adds to it, and creates nothing before the first line; `w`
                empties it at once, its title field with it.
            on_error: Called once, with the first error.

        Raises:
            ValueError: There are no such `flags`.
            RuntimeError: `flags` is `w` and no event loop runs.
        """
        _refuse_unknown("flags", flags, WriterFlags)
        writer = SessionStorageWriter(
            path,
            self._mirror,
            self._write_queue,
            check=self._check,
            closed=self._writers.discard,
            on_error=on_error,
        )
        if flags == "w":
            self._check("open_writer")
            operation = Write(path, b"", self._mirror.next_mtime(), writer=writer)
            operation.unheard = True
            self._write_queue.add(operation)
            writer.wait_for(operation)
        self._writers.add(writer)
        return writer

    # Inside.

    async def _move(
        self, source: str, target: str, known: dict[str, str], *, overwrite: bool, **options: Any
    ) -> None:
        self._check("rename", source)
        if source == target:
            return
        if not overwrite:
            for path in (target, *known.values()):
                if self._mirror.exists(path) and path not in known:
                    raise SessionExistsError(path)
        operation = Move(source, target, known=known, overwrite=overwrite, **options)
        operation.take_along(self._writers, self._write_queue)
        await self.carry_out(operation)

    async def carry_out(self, operation: Operation) -> None:
        """Queue an operation and wait for it; raises what it failed with."""
        self._write_queue.add(operation)
        await self._write_queue.heard(operation)

    def _check(self, call: str, path: str | None = None) -> None:
        """Refuse a call that cannot be queued, before anything is touched."""
        if self._closed:
            raise StorageClosedError("the storage is closed", path=path)
        if self.read_only is not None:
            raise ReadOnlyError(self.read_only, path=path)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(f"{call} queues a write and needs a running event loop") from None
        if path is not None and not self._mirror.exists(path):
            raise SessionNotFoundError(path)

    def _notify(self) -> None:
        for callback in list(self._listeners):
            callback()


def _refuse_unknown(name: str, value: str, allowed: Any) -> None:
    """Raise if a value is none of those that a literal type allows.

    Raises:
        ValueError: It is none.
    """
    if value not in get_args(allowed):
        expected = " or ".join(map(repr, get_args(allowed)))
        raise ValueError(f"{name} must be {expected}, not {value!r}")


class RedisSessionStorage(SessionStorage):
    """Sessions in Redis, under the keys that omp uses.

    A class of its own since omp has one of this name; it adds `create`, from a client.
    """

    @classmethod
    async def create(
        cls,
        client: Redis | RedisCluster,
        *,
        prefix: str = DEFAULT_PREFIX,
        scan_count: int = 500,
        contents: ContentsPolicy = "resident",
        **options: Unpack[StorageOptions],
    ) -> Self:
        """Open the sessions under `prefix`.

        Args:
            client: Any `redis.asyncio` client, also one that decodes; stays open.
            prefix: What all keys begin with, verbatim.
            scan_count: How many keys to ask for at a time.
            contents: Whether to hold all bytes, or the index alone.
            options: As for `SessionStorage`.

        Raises:
            ConfigError: It is no such client, or the prefix is none for a cluster.
            StorageError: The server could not be asked.
        """
        from sessiontui.storage.redis.backend import RedisBackend

        backend = RedisBackend.from_client(client, prefix=prefix, scan_count=scan_count)
        return await cls._loaded(backend, contents, options)


class DirectorySessionStorage(SessionStorage):
    """Sessions in a folder, as omp writes them; with paths that begin at the folder."""

    @classmethod
    async def create(
        cls,
        root: Path | str,
        *,
        absolute: bool = False,
        contents: ContentsPolicy = "resident",
        **options: Unpack[StorageOptions],
    ) -> Self:
        """Open the sessions under a folder.

        Args:
            root: The folder; it must exist.
            absolute: Whether paths are the files' own, else they begin at `root`.
            contents: Whether to hold all bytes, or the index alone.
            options: As for `SessionStorage`.

        Raises:
            StorageError: The folder could not be read.
        """
        from sessiontui.storage.directory.backend import DirectoryBackend

        return await cls._loaded(DirectoryBackend(root, absolute=absolute), contents, options)


class MemorySessionStorage(SessionStorage):
    """Sessions in memory, for tests and for trying things."""

    @classmethod
    async def create(
        cls,
        store: MemoryStore | None = None,
        *,
        contents: ContentsPolicy = "resident",
        **options: Unpack[StorageOptions],
    ) -> Self:
        """Open sessions in memory; `store` None makes an empty one, `options` as elsewhere."""
        from sessiontui.storage.memory import MemoryBackend

        return await cls._loaded(MemoryBackend(store), contents, options)
