"""Copies and moves sessions to another store: Redis to a folder, back, or alike to alike.

A copy is built aside and appears whole; a move is a copy that was read back,
and then the original goes to its trash. Whenever this is ended, there is one
whole session at least, and never half of one.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import re
import secrets
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from msgspec.structs import replace

from sessiontui.catalog.sorting import shown_title
from sessiontui.errors import (
    BackendDownError,
    ConfigError,
    SessionExistsError,
    SessionHeldError,
    SessionNotFoundError,
    StorageError,
    WriteConflictError,
)
from sessiontui.formats.omp import project_folder, session_file
from sessiontui.formats.registry import session_roots
from sessiontui.paths import make_private
from sessiontui.progress import Progress
from sessiontui.sources import DirectorySource, RedisSource
from sessiontui.storage import SessionStorage
from sessiontui.storage.artifacts import artifact_target
from sessiontui.storage.backend import Range, Stat, TrashItem, new_staging_token
from sessiontui.storage.changes import is_session
from sessiontui.storage.storage import open_backend
from sessiontui.workspace.bulk import Outcome, run_each
from sessiontui.workspace.copy_stream import (
    PIECE,
    DigestSink,
    RewrittenHeader,
    SessionHeader,
    StagingSink,
    copy_session,
    rewrite_header,
    stored_digest,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from sessiontui.sources import Source
    from sessiontui.storage.backend import Backend
    from sessiontui.storage.write_queue import Guard
    from sessiontui.workspace.copy_stream import CopySink
    from sessiontui.workspace.workspace import Workspace

SAME_PLACE: Final = "the sessions are there already"
_SUFFIX: Final = ".jsonl"
_MOST_FOLDERS: Final = 500
"""How many folders are asked which project they hold."""
_HEAD_BYTES: Final = 4096


class Destination:
    """The target store of a transfer.

    Args:
        source: What it is.
        storage: It, open and loaded.
        home: The user's home folder.
    """

    def __init__(self, source: Source, storage: SessionStorage, home: str) -> None:
        self.source = source
        self.storage = storage
        self._home = home
        self._base = storage.root
        self._folders: dict[str, str] = {}
        """Working directory -> the folder that holds its sessions, where that follows no rule."""

    @property
    def is_folder(self) -> bool:
        """Whether sessions are files there."""
        return isinstance(self.source, DirectorySource)

    async def learn(self) -> None:
        """Learn from what is in Redis how its folders are called; each store has its own way.

        Raises:
            StorageError: It could not be asked.
        """
        if self.is_folder:
            return
        newest: dict[str, Stat] = {}
        paths = {stat.path for stat in self.storage.stats()}
        for stat in sorted(self.storage.stats(), key=lambda stat: stat.mtime_ms or 0):
            folder = stat.path.rpartition("/")[0]
            if stat.path.endswith(_SUFFIX) and folder + _SUFFIX not in paths:
                newest[folder] = stat
        if newest:
            bases = Counter(folder.rpartition("/")[0] for folder in newest)
            self._base = bases.most_common(1)[0][0]
        asked = list(newest.items())[-_MOST_FOLDERS:]
        heads = await self.storage.probe([Range(s.path, 0, _HEAD_BYTES) for _, s in asked])
        for (folder, _), seen in zip(asked, heads, strict=True):
            cwd = None if seen is None else SessionHeader.of(seen.data).text("cwd")
            if cwd is not None:
                self._folders[cwd] = folder

    def path_for(
        self, path: str, beginning: SessionHeader, *, cwd: str | None, origin: Source, nested: bool
    ) -> str:
        """Return where a session goes.

        Args:
            path: Where it is.
            beginning: What it begins with.
            cwd: The project it is to have there; None leaves it.
            origin: What it is in.
            nested: Whether it lies in the folder of another session.
        """
        above, _, name = path.rpartition("/")
        same_kind = isinstance(origin, DirectorySource) == self.is_folder
        if same_kind and cwd is None and not nested:
            # What is called in its agent's way, or its store's, stays so.
            if isinstance(origin, RedisSource):
                return path
            return self._path(above.rpartition("/")[2], name)
        project = cwd or beginning.text("cwd")
        file = session_file(
            name,
            created=beginning.header and beginning.header.get("timestamp"),
            session_id=beginning.header and beginning.header.get("id"),
        )
        if project is None:
            return self._path(above.rpartition("/")[2], file)
        known = None if self.is_folder else self._folders.get(project)
        folder = known or f"{self._base}/{project_folder(project, home=self._home)}"
        return f"{folder}/{file}"

    def _path(self, folder: str, name: str) -> str:
        """Return the path of a file in a folder of the store, or beside these where it has none."""
        return f"{self._base}/{folder}/{name}" if folder else f"{self._base}/{name}"


@asynccontextmanager
async def open_destination(
    source: Source,
    *,
    home: str,
    origin: Source,
    password: str | None = None,
    connect: Callable[[Source, str | None], Backend] = open_backend,
) -> AsyncIterator[Destination]:
    """Yield another store, ready to be copied to; closed afterwards.

    Args:
        source: What to open.
        home: The user's home folder.
        origin: What is copied from.
        password: Used instead of the one in the source, if given.
        connect: Opens the backend of the source.

    Raises:
        ConfigError: It is what is copied from.
        StorageError: It cannot be reached.
    """
    if await asyncio.to_thread(is_same_place, source, origin):
        raise ConfigError(SAME_PLACE)
    await asyncio.to_thread(_make_own, source, home)
    async with SessionStorage(connect(source, password), follow=False) as storage:
        await storage.load()
        storage.read_only = await storage.why_read_only()
        destination = Destination(source, storage, home)
        await destination.learn()
        if storage.read_only is None:
            await storage.unstage(new_staging_token())  # What others left that were killed.
        yield destination


def _make_own(source: Source, home: str) -> None:
    """Make an agent's own folder where it never wrote yet; any other has to be there; may block.

    Raises:
        BackendDownError: It cannot be made.
    """
    if not isinstance(source, DirectorySource):
        return
    if source.path in session_roots(os.environ, Path(home)):
        try:
            make_private(source.path)
        except OSError as error:
            raise BackendDownError(f"there is no folder {source.path}: {error.strerror}") from error


def is_same_place(one: Source, other: Source) -> bool:
    """Tell whether two sources share sessions, as far as their names tell; may block."""
    if isinstance(one, DirectorySource) and isinstance(other, DirectorySource):
        here, there = Path(os.path.realpath(one.path)), Path(os.path.realpath(other.path))
        return _is_within(here, there) or _is_within(there, here)
    return one.label == other.label


def _is_within(folder: Path, root: Path) -> bool:
    """Tell whether a folder is another one or lies in it, also where it is mounted twice."""
    if folder.is_relative_to(root):
        return True
    with suppress(OSError):
        wanted = root.stat()
        return any(os.path.samestat(above.stat(), wanted) for above in (folder, *folder.parents))
    return False


_AT_ONCE: Final = 1000
"""How many sessions are looked for at once, for what belongs to them."""
_TRIES: Final = 3
_CHANGED: Final = "it changed just now; its copy is there and lacks that"
_DEBRIS: Final = re.compile(r"\..*\.jsonl\.(lock(\.os)?|.*\.tmp)\Z|.*\.jsonl\..*\.bak\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferOptions:
    """The options of a transfer."""

    move: bool = False
    """Whether the originals go to the trash then."""
    cwd: str | None = None
    """The project of the copies; None leaves it."""
    force: bool = False
    """Whether to take sessions too that an agent may hold open."""
    overwrite: bool = False
    """Whether a session that is in the way goes to its trash."""


@dataclass(frozen=True, slots=True)
class TransferResult:
    """The result of a transfer for one session."""

    path: str
    new_path: str
    state: Literal["copied", "there"]
    """`there`: the very bytes were there already."""
    files: int
    """How many keys or files."""
    bytes: int
    item: TrashItem | None = None
    """The original in its trash, if it was moved."""
    replaced: TrashItem | None = None
    """What was in the way, in its trash."""
    expires: bool = False
    """Whether the original has a time to live, which the copy in a folder has not."""


@dataclass(frozen=True, slots=True)
class _File:
    """A file to copy."""

    path: str
    new_path: str


class Transfers:
    """Copies and moves from a workspace.

    Args:
        workspace: Where the sessions are.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def run(
        self,
        paths: Sequence[str],
        destination: Destination,
        wish: TransferOptions,
        progress: Progress | None = None,
    ) -> Outcome[TransferResult]:
        """Copy or move sessions, one after the other.

        What was moved can be brought back by the workspace's `undo`; the copies stay then.

        Raises:
            ConfigError: The destination is where the sessions are, by another name.
            StorageError: It can take nothing.
        """
        storage = self._workspace.storage
        await self._refuse_same(destination)
        ahead: dict[str, list[Stat]] = {}
        places = {path: place for place, path in enumerate(paths)}
        mark = secrets.token_hex(4)
        done: list[TrashItem] = []
        word = "moving…" if wish.move else "copying…"

        async def one(path: str) -> TransferResult:
            if path not in ahead:
                ahead.clear()
                now = paths[places[path] : places[path] + _AT_ONCE]
                ahead.update(await storage.all_artifacts(now))
            with self._workspace.notes.on(path, word):
                stats = ahead.pop(path, None) or await storage.artifacts(path)
                one_mark = f"{mark}-{places[path] + 1}"
                result = await self._one(path, stats, destination, wish, one_mark)
            if result.item is not None:
                done.append(result.item)
            return result

        try:
            return await run_each(paths, one, progress or Progress(), self._name)
        finally:
            self._workspace.deletions.remember(done)

    async def _one(
        self,
        path: str,
        stats: Sequence[Stat],
        destination: Destination,
        wish: TransferOptions,
        mark: str,
    ) -> TransferResult:
        if not wish.force:
            self._refuse_held(stats)
        storage = self._workspace.storage
        new_path = await self.new_path(path, destination, wish.cwd)
        files = [
            _File(stat.path, artifact_target(stat.path, path, new_path))
            for stat in stats
            if not is_leftover(stat.path.rpartition("/")[2])
        ]
        seen = await storage.probe([Range(file.path, 0, 0) for file in files])
        # What is no regular file, a link say, has no bytes of its own.
        files = [file for file, one in zip(files, seen, strict=True) if one is not None]
        if not files or files[0].path != path:
            raise SessionNotFoundError(path)
        copying = _Copying(storage, destination, files, wish)
        result = await copying.run(path, new_path, self._keep_ms, mark)
        if not wish.move:
            return result
        item = await storage.trash_session(
            path,
            keep_ms=self._keep_ms,
            mark=mark,
            stats=stats,
            guard=self._still_free(path, copying.originals, wish),
            whole=True,
        )
        return dataclasses.replace(result, item=item)

    @property
    def _keep_ms(self) -> int:
        return self._workspace.deletions.keep_ms

    async def _refuse_same(self, destination: Destination) -> None:
        """Refuse a store that is the same one: a copy would be the original, and go with it."""
        if isinstance(self._workspace.source, DirectorySource) != destination.is_folder:
            return
        token = new_staging_token()
        try:
            await destination.storage.stage(token, 0, 0, b"?")
            same = await self._workspace.storage.staged(token)
        finally:
            await destination.storage.unstage(token)
        if same:
            raise ConfigError(SAME_PLACE)

    def _still_free(self, path: str, originals: Mapping[str, Stat], wish: TransferOptions) -> Guard:
        """Return what refuses a session that is not what was copied, or that is in use now."""
        unchanged = _unchanged(originals)

        def why(stat: Stat) -> str | None:
            reason = unchanged(stat)
            if reason is None and not wish.force and stat.path == path:
                return self._workspace.holding.running(path)
            return reason

        return why

    def _refuse_held(self, stats: Sequence[Stat]) -> None:
        for stat in stats:
            item = self._workspace.holding.item(stat.path)
            if item is not None:
                raise SessionHeldError(stat.path, item.reason)

    async def new_path(self, path: str, destination: Destination, cwd: str | None) -> str:
        """Return where a session goes.

        Raises:
            SessionNotFoundError: There is no such session.
        """
        workspace = self._workspace
        (seen,) = await workspace.storage.probe([Range(path, 0, PIECE)])
        if seen is None:
            raise SessionNotFoundError(path)
        return destination.path_for(
            path,
            SessionHeader.of(seen.data),
            cwd=cwd,
            origin=workspace.source,
            nested=path.rpartition("/")[0] + ".jsonl" in workspace.catalog.rows,
        )

    def _name(self, path: str) -> str:
        row = self._workspace.row(path)
        return path if row is None else shown_title(row)


class _Copying:
    """Copies one session with what belongs to it."""

    def __init__(
        self,
        storage: SessionStorage,
        destination: Destination,
        files: list[_File],
        wish: TransferOptions,
    ) -> None:
        self._from = storage
        self._to = destination.storage
        self._to_folder = destination.is_folder
        self._files = files
        self._wish = wish
        self._replaced: TrashItem | None = None
        self.originals: dict[str, Stat] = {}
        """What was copied, or compared with its copy, as it was then."""
        self.expires = False
        """Whether some of it has a time to live, which files do not have."""
        self._parents = {file.path: file.new_path for file in files if is_session(file.path)}

    async def run(self, path: str, new_path: str, keep_ms: int, mark: str) -> TransferResult:
        """Copy what is not there yet; return what became of it."""
        missing = await self._missing()
        in_the_way = missing is None
        if missing is None:
            if not self._wish.overwrite:
                raise SessionExistsError(new_path)
            missing = self._files
        elif not missing:
            return TransferResult(path, new_path, "there", 0, 0)

        async def clear() -> None:
            if in_the_way:
                self._replaced = await self._to.trash_session(new_path, keep_ms=keep_ms, mark=mark)

        for _ in range(_TRIES):
            stats = await self._copy(missing, clear)
            if stats is not None:
                break
        else:
            raise StorageError(f"it changes faster than it can be read: {path}", path=path)
        size = sum(stat.size for stat in stats)
        return TransferResult(
            *(path, new_path, "copied", len(stats), size),
            replaced=self._replaced,
            expires=self.expires,
        )

    async def _missing(self) -> list[_File] | None:
        """Return what is not there yet, None where something else is."""
        there = await self._to.probe([Range(file.new_path, 0, 0) for file in self._files])
        missing: list[_File] = []
        for file, seen in zip(self._files, there, strict=True):
            if seen is None:
                missing.append(file)
                continue
            digest = DigestSink()
            self.originals[file.path] = await self._stream(file, digest)
            if digest.size != seen.stat.size:
                return None
            if await stored_digest(self._to, file.new_path, digest.size) != digest.value:
                return None
        return missing

    async def _copy(
        self, files: Sequence[_File], clear: Callable[[], Awaitable[None]]
    ) -> list[Stat] | None:
        """Build, make room, put in place and read back; None where it has to be built anew."""
        token = new_staging_token()
        placed: list[Stat] = []
        sinks: list[StagingSink] = []
        titles: dict[str, bytes | None] = {}
        try:
            for number, file in enumerate(files):
                sink = StagingSink(self._to, token, number)
                original = await self._stream(file, sink, titles)
                if sink.overshot:
                    return None
                self.originals[file.path] = original
                sinks.append(sink)
                title = titles.get(file.path)
                placed.append(Stat(file.new_path, sink.size, original.mtime_ms, title))
            await clear()
            lives = await self._from.lives([file.path for file in files])
            self.expires = self.expires or (self._to_folder and any(map(_ends, lives)))
            await self._to.place(token, placed, lives)
        finally:
            await self._to.unstage(token)
        for stat, sink in zip(placed, sinks, strict=True):
            if await stored_digest(self._to, stat.path, stat.size) != sink.value:
                raise WriteConflictError(stat.path, expected_size=stat.size, actual_size=stat.size)
        return placed

    async def _stream(
        self, file: _File, sink: CopySink, titles: dict[str, bytes | None] | None = None
    ) -> Stat:
        def shape(data: bytes, stat: Stat) -> RewrittenHeader:
            if not is_session(file.path):
                return RewrittenHeader(0, b"", None)
            how = rewrite_header(
                data,
                replace(stat, path=file.path),
                to_folder=self._to_folder,
                cwd=self._wish.cwd,
                parents=self._parents,
            )
            if titles is not None:
                titles[file.path] = how.title
            return how

        return await copy_session(self._from, file.path, sink, shape)


def _ends(life: int | None) -> bool:
    return life is not None


def is_leftover(name: str) -> bool:
    """Tell whether a file of this name beside a session is a lock, a backup or unfinished."""
    return _DEBRIS.fullmatch(name) is not None


def _unchanged(originals: Mapping[str, Stat]) -> Guard:
    """Return what refuses a session that is not what was copied."""

    def why(stat: Stat) -> str | None:
        known = originals.get(stat.path)
        if known is None:
            return None  # A lock or a backup, say, of which there is no copy.
        same = (stat.size, stat.mtime_ms, stat.title) == (known.size, known.mtime_ms, known.title)
        return None if same else _CHANGED

    return why
