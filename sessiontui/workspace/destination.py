"""Another place for sessions: opened for a while, and where a session belongs in it."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sessiontui.errors import BackendDownError, ConfigError
from sessiontui.formats.layout import project_folder, session_file
from sessiontui.formats.roots import session_roots
from sessiontui.paths import make_private
from sessiontui.sources import DirectorySource, RedisSource
from sessiontui.storage import SessionStorage
from sessiontui.storage.backend import Range, new_token
from sessiontui.workspace.connection import open_backend
from sessiontui.workspace.recast import Beginning

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sessiontui.sources import Source
    from sessiontui.storage.backend import Backend, Stat

SAME_PLACE: Final = "that is where the sessions are already"
_SUFFIX: Final = ".jsonl"
_USUAL_BASE: Final = "/sessions"
_MOST_FOLDERS: Final = 500
"""How many folders are asked which project they hold."""
_HEAD_BYTES: Final = 4096


class Destination:
    """A store that sessions are copied to.

    Args:
        source: What it is.
        storage: It, open and loaded.
        home: The user's home folder.
    """

    def __init__(self, source: Source, storage: SessionStorage, home: str) -> None:
        self.source = source
        self.storage = storage
        self._home = home
        self._base = _USUAL_BASE
        self._folders: dict[str, str] = {}
        """Working directory -> the folder that holds its sessions, where that follows no rule."""
        if isinstance(source, DirectorySource):
            self._base = os.path.realpath(source.path)

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
            cwd = None if seen is None else Beginning.of(seen.data).text("cwd")
            if cwd is not None:
                self._folders[cwd] = folder

    def path_for(
        self, path: str, beginning: Beginning, *, cwd: str | None, origin: Source, nested: bool
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
    if await asyncio.to_thread(same_place, source, origin):
        raise ConfigError(SAME_PLACE)
    await asyncio.to_thread(_make_own, source, home)
    async with SessionStorage(connect(source, password), follow=False) as storage:
        await storage.load()
        storage.read_only = await storage.why_read_only()
        destination = Destination(source, storage, home)
        await destination.learn()
        if storage.read_only is None:
            await storage.unstage(new_token())  # What others left that were killed.
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


def same_place(one: Source, other: Source) -> bool:
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
