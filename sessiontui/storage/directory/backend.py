"""Sessions in a folder, as agents write them.

A path is `/` and the path of the file relative to the root, or with
`absolute` the real path of the file; `paths` says more. Sessions are the
regular files named `*.jsonl` in it, subagents' in sidecar folders included,
without those where a name on the way begins with a dot. `title` arguments are accepted and
ignored: in a folder a title stands in the session itself.

What blocks runs in two worker threads, one that reads and one that changes, so
that a large copy keeps no reader waiting. More threads make a walk slower.
Changes run one after the other, in the order they were asked for.

Whether anything can be changed in a folder of sessions, found out by asking the system alone.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar

from sessiontui import paths
from sessiontui.storage.backend import Stat
from sessiontui.storage.directory.files import Files
from sessiontui.storage.directory.io import milliseconds
from sessiontui.storage.directory.moves import Moves
from sessiontui.storage.directory.paths import StoreRoot
from sessiontui.storage.directory.staging import Staging
from sessiontui.storage.directory.trash import Trash, join_files
from sessiontui.storage.directory.walk import walk_everything, walk_sessions
from sessiontui.storage.directory.watch import PollTiming, watch_folder
from sessiontui.times import now_ms

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Callable,
        Collection,
        Generator,
        Sequence,
    )
    from contextlib import AbstractAsyncContextManager

    from sessiontui.storage.backend import (
        HashField,
        HashFieldChange,
        Range,
        ScanBatch,
        Snapshot,
        TrashItem,
        WatchEvent,
    )

_LOOKED_AT = 200
"""Projects whose folders are looked at: what one of them allows is not forbidden everywhere."""
_CHANGES = os.W_OK | os.X_OK
_EFFECTIVE = os.access in os.supports_effective_ids


def why_read_only(folder: Path) -> str | None:
    """Return in a few plain words why no session in `folder` can be moved or removed, or None.

    A folder that does not exist yet forbids nothing. Blocks.
    """
    try:
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return "file system"
        if _may_change(folder):
            return None
        with os.scandir(folder) as entries:
            for entry in islice(entries, _LOOKED_AT):
                if entry.is_dir(follow_symlinks=False) and _may_change(entry.path):
                    return None
    except OSError:
        return None  # Whoever lists the sessions is told what is wrong with it.
    return "no right to write"


def _may_change(folder: str | Path) -> bool:
    return os.access(folder, _CHANGES, effective_ids=_EFFECTIVE)


_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class DirectoryBackend:
    """A `Backend` over a folder.

    Args:
        root: The folder; it may be a link, and need not exist yet. It is never made.
        absolute: Paths are the real, absolute paths of files, instead of relative to the root.
        trash_root: Folder for deleted sessions, by default in the user's data folder; where it
            lies on another disk than the root, a hidden folder beside the root is preferred.
        poll: Looks for changes instead of being told by the system.
        clock: Milliseconds since the epoch.
        pace: How often to look for changes.
    """

    label: str
    """The folder."""
    root: str

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        absolute: bool = False,
        trash_root: str | os.PathLike[str] | None = None,
        poll: bool = False,
        clock: Callable[[], int] = now_ms,
        pace: PollTiming | None = None,
    ) -> None:
        self._root = StoreRoot(root, absolute=absolute)
        self.label = str(self._root.folder)
        self.root = self._root.base
        self._files = Files(self._root)
        self._moves = Moves(self._root)
        self._staging = Staging(self._root)
        trash = paths.data_dir() / "trash" if trash_root is None else Path(trash_root)
        self._trash = Trash(self._root, trash, clock)
        self._poll = poll
        self._pace = pace or PollTiming()
        self._closed = False
        self._reader = ThreadPoolExecutor(1, "sessiontui-read")
        self._changer = ThreadPoolExecutor(1, "sessiontui-change")

    def file_of(self, path: str) -> Path:
        """Return the real, absolute path of the file that a path stands for.

        Raises:
            InvalidPathError: It is no path of this store.
        """
        return self._root.file_of(path)

    def path_of(self, file: str | os.PathLike[str]) -> str | None:
        """Return the path that stands for a file, given by its absolute path; None if outside."""
        return self._root.path_of(file)

    def scan(self) -> AsyncGenerator[ScanBatch, None]:
        """Yield the sessions, in batches, as the folders are read."""
        return self._walk(walk_sessions(self._root))

    def scan_contents(self) -> AsyncGenerator[ScanBatch, None]:
        """Yield the sessions; contents are read file by file anyway."""
        return self.scan()

    def scan_under(self, prefix: str) -> AsyncGenerator[ScanBatch, None]:
        """Yield every file whose path starts with `prefix`; links and special files too."""
        return self._walk(walk_everything(self._root, prefix))

    async def probe(self, ranges: Sequence[Range]) -> list[Snapshot | None]:
        """Return each session with some of its bytes; None for what is no readable session."""
        return await self._read(self._files.probe, ranges)

    async def read(self, ranges: Sequence[Range]) -> list[bytes | None]:
        """Return the bytes of each range; None for what is no readable session."""
        return await self._read(self._files.read, ranges)

    async def append(self, path: str, data: bytes, *, mtime_ms: int) -> Stat:
        """Add `data` at the end in one write; folders that are missing are made.

        Raises:
            OutcomeUnknownError: Another program replaced the file in the same instant.
        """
        return await self._change(self._files.append, path, data, mtime_ms=mtime_ms)

    async def write(
        self,
        path: str,
        data: bytes,
        *,
        mtime_ms: int,
        expected_size: int | Literal["any", "absent"] = "any",
        title: bytes | Literal["keep"] | None = "keep",  # noqa: ARG002
    ) -> Stat:
        """Replace the whole session by way of a temporary file.

        Raises:
            WriteConflictError: The size is not `expected_size`; nothing changed.
        """
        return await self._change(
            self._files.write, path, data, mtime_ms=mtime_ms, expected_size=expected_size
        )

    async def patch(
        self,
        path: str,
        *,
        old: bytes,
        new: bytes,
        mtime_ms: int | None,
        title: bytes | Literal["keep"],  # noqa: ARG002
    ) -> Stat:
        """Replace the first bytes `old` by `new` of the same length, in place.

        Raises:
            SessionNotFoundError: There is no such session.
            WriteConflictError: The session does not begin with `old`; nothing changed.
        """
        return await self._change(self._files.patch, path, old=old, new=new, mtime_ms=mtime_ms)

    async def prepend(
        self,
        path: str,
        data: bytes,
        *,
        expected_size: int,
        mtime_ms: int | None,
        title: bytes,  # noqa: ARG002
    ) -> Stat:
        """Put `data` before the first byte, by way of a temporary file, copied in pieces.

        Raises:
            WriteConflictError: The size is not `expected_size`; nothing changed.
        """
        return await self._change(
            self._files.prepend, path, data, expected_size=expected_size, mtime_ms=mtime_ms
        )

    async def keep(
        self,
        path: str,
        start: int,
        stop: int,
        *,
        expected_size: int,
        mtime_ms: int,
        title: bytes | Literal["keep"] | None = "keep",  # noqa: ARG002
    ) -> Stat:
        """Keep only some bytes, by way of a temporary file.

        Raises:
            WriteConflictError: The size is not `expected_size`; nothing changed.
        """
        return await self._change(
            self._files.keep, path, start, stop, expected_size=expected_size, mtime_ms=mtime_ms
        )

    async def join(
        self, item: TrashItem, target: Stat, *, between: bytes, skip: int, mtime_ms: int
    ) -> Stat:
        """Add a session's bytes at the end of another one, and move it to the trash.

        Raises:
            SessionNotFoundError: It is missing; nothing changed.
            WriteConflictError: One of them has another size; nothing changed.
        """
        return await self._change(
            join_files,
            *(self._files, self._trash, item, target),
            between=between,
            skip=skip,
            mtime_ms=mtime_ms,
        )

    async def loose_fields(self) -> AsyncIterator[list[HashField]]:
        """Yield nothing: times and titles stand in the files themselves."""
        for _ in ():
            yield []

    async def change_fields(self, changes: Sequence[HashFieldChange]) -> list[bool]:
        """Change nothing: there are no such fields."""
        return [False for _ in changes]

    async def rename(self, moves: Sequence[tuple[str, str]], *, overwrite: bool = False) -> None:
        """Move files, all or none, and remove the sidecar folders that are empty then.

        Raises:
            SessionNotFoundError: A source is missing; nothing moved.
            SessionExistsError: A target is taken and `overwrite` is false; nothing moved.
            InvalidPathError: A target would not be listed any more, or omp would take it for a
                backup.
        """
        await self._change(self._moves.rename, moves, overwrite=overwrite)

    async def delete(self, paths: Sequence[str]) -> None:
        """Remove files for good, and the sidecar folders that are empty then.

        Raises:
            SessionNotFoundError: The first is missing; nothing was removed.
        """
        await self._change(self._moves.delete, paths)

    async def stage(self, token: str, number: int, start: int, data: bytes) -> None:
        """Keep bytes of a file that is built aside, in a hidden folder of the root."""
        await self._change(self._staging.stage, token, number, start, data)

    async def staged(self, token: str) -> bool:
        """Tell whether something is staged under a token."""
        return await asyncio.to_thread(self._staging.holds, token)

    async def lives(self, paths: Sequence[str]) -> list[int | None]:
        """Return None for each: no file goes by itself."""
        return [None] * len(paths)

    async def place(
        self,
        token: str,
        files: Sequence[Stat],
        lives: Sequence[int | None] = (),  # noqa: ARG002
    ) -> None:
        """Put staged files in place, the first one last; titles stand in the files.

        Raises:
            WriteConflictError: What was staged has another size; nothing was put in place.
            SessionExistsError: A path is taken; nothing was put in place.
            InvalidPathError: The session would not be listed there.
        """
        await self._change(self._staging.place, token, files)

    async def unstage(self, token: str) -> None:
        """Drop what was staged."""
        await self._change(self._staging.unstage, token)

    async def trash(self, item: TrashItem) -> tuple[Stat, ...]:
        """Move a session and what goes with it to the trash; return what went.

        Raises:
            SessionNotFoundError: The session itself is missing; nothing moved.
        """
        taken = await self._change(self._trash.trash, item)
        return tuple(
            Stat(path, found.st_size, milliseconds(found)) for path, found in taken.items()
        )

    async def restore(self, item_id: str) -> TrashItem:
        """Bring back exactly what was deleted.

        Raises:
            SessionNotFoundError: Nothing of this id is in the trash (any more).
            SessionExistsError: One of the paths is taken again; nothing moved.
        """
        return await self._change(self._trash.restore, item_id)

    async def trashed(self, *, tidy: bool = True) -> list[TrashItem]:
        """Return what can be restored, newest first; what has expired is removed if `tidy`."""
        return await self._change(self._trash.trashed, tidy=tidy)

    async def read_only(self) -> str | None:
        """Return in a few plain words why nothing can be changed here, None if something can."""
        return await self._read(why_read_only, self._root.folder)

    async def fence(self) -> None:
        """Return once every change asked for earlier has run, also one whose caller gave up."""
        await self._change(_nothing)

    def watch(
        self, visible: Callable[[], Collection[str]] = tuple
    ) -> AbstractAsyncContextManager[AsyncIterator[WatchEvent]]:
        """Subscribe; the system tells of changes, or where it cannot, they are looked for."""
        return watch_folder(self._root, visible, run=self._read, pace=self._pace, poll=self._poll)

    async def aclose(self) -> None:
        """Wait for what is under way and end the worker threads; a second time does nothing."""
        if self._closed:
            return
        self._closed = True
        await self._change(_nothing)
        await self._read(_nothing)
        self._changer.shutdown()
        self._reader.shutdown()

    async def _read(
        self,
        work: Callable[_Arguments, _Result],
        *arguments: _Arguments.args,
        **options: _Arguments.kwargs,
    ) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(
            self._reader, lambda: work(*arguments, **options)
        )

    async def _change(
        self,
        work: Callable[_Arguments, _Result],
        *arguments: _Arguments.args,
        **options: _Arguments.kwargs,
    ) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(
            self._changer, lambda: work(*arguments, **options)
        )

    async def _walk(
        self, batches: Generator[ScanBatch, None, None]
    ) -> AsyncGenerator[ScanBatch, None]:
        """Yield the batches of a walk; between two of them others may read."""
        try:
            while (batch := await self._read(next, batches, None)) is not None:
                yield batch
        finally:
            await self._read(batches.close)


def _nothing() -> None:
    pass
