"""What changes in a folder of sessions: told by the system, or else looked for.

The system tells within some 20 ms. It cannot where its limit of watched
folders is reached, where a link to a folder would lead it out of the root, or where
a name is no UTF-8; then the files in view are looked at several times a second, and the
whole folder as often as costs at most a twentieth of the time, until it can.

What the system does not tell, or tells wrongly, is made up for:

* Of a folder that appears it tells, but not surely of what is in it already: the
  folder is read at once, and again a second later.
* Of a folder that is moved away it does not tell what was in it: `Rescan`.
* When too much happens at once it drops changes without a word: `Rescan`.
* Of the root being replaced it tells nothing useful: its identity is looked at twice a
  second, and the same goes for a root that is not there (yet).
* For everything else the files in view are compared every two seconds, and all once a minute.

How often to look at a folder, and what is due to be looked at.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import stat
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, ParamSpec, Protocol, TypeVar

from sessiontui.errors import StorageError
from sessiontui.storage.backend import Dirty, FeedState, Rescan
from sessiontui.storage.directory.files import Files
from sessiontui.storage.directory.notify import APPEARED, VANISHED, Notifier, NotifyError
from sessiontui.storage.directory.paths import is_session_name
from sessiontui.storage.directory.walk import find_folders, walk_sessions
from sessiontui.storage.tasks import end_task
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable

    from sessiontui.storage.backend import Stat, WatchEvent
    from sessiontui.storage.directory.notify import FolderChanges
    from sessiontui.storage.directory.paths import StoreRoot


@dataclass(frozen=True)
class PollTiming:
    """Intervals of polling, in seconds."""

    visible_s: float = 0.2
    """Files in view, while changes have to be looked for."""
    tree_s: float = 1.0
    """The whole folder then; less often where that would take more than `duty`."""
    duty: float = 0.05
    """Share of the time that looking may take."""
    guard_s: float = 2.0
    """Files in view, while the system tells of changes."""
    check_s: float = 60.0
    """Everything, always."""
    root_s: float = 0.5
    """Whether the root is there, and the same."""
    again_s: float = 1.0
    """From a folder's appearing to the second look at it."""
    rearm_s: float = 10.0
    """From a failure to watch to the next attempt; doubled with every failure up to `check_s`."""


class PollSchedule:
    """The schedule of polls: when each kind is due, by the event loop's clock."""

    def __init__(self, **every_s: float) -> None:
        self._every = every_s
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._due = {kind: now + seconds for kind, seconds in every_s.items()}

    def wait_s(self) -> float:
        """Return the seconds until something is due."""
        return max(0.0, min(self._due.values()) - self._loop.time())

    def due(self, kind: str) -> bool:
        """Tell whether a look is due; it is then due again after its interval, if it has one."""
        now = self._loop.time()
        if self._due.get(kind, now + 1) > now:
            return False
        if kind in self._every:
            self._due[kind] = now + self._every[kind]
        else:
            del self._due[kind]
        return True

    def plan(self, kind: str, seconds: float) -> None:
        """Plan a look that is made once, so many seconds from now, unless it is planned."""
        self._due.setdefault(kind, self._loop.time() + seconds)


MAX_DIRTY: Final = 10_000
"""Paths that wait to be taken at most; more are told as `Rescan`."""

MANY_CHANGES: Final = 4_096
"""Changes at once beyond which the system's queue, of 16,384, may have been too short."""

MAX_VISIBLE: Final = 200
"""Files in view that are compared."""

_LINK: Final = "a symbolic link to a folder stands inside: {}"

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class RunInThread(Protocol):
    """Runs what blocks in a worker thread."""

    async def __call__(
        self,
        work: Callable[_Arguments, _Result],
        *arguments: _Arguments.args,
        **options: _Arguments.kwargs,
    ) -> _Result:
        """Return what `work` returns."""
        ...


@asynccontextmanager
async def watch_folder(
    root: StoreRoot,
    visible: Callable[[], Collection[str]],
    *,
    run: RunInThread,
    pace: PollTiming,
    poll: bool,
) -> AsyncIterator[AsyncIterator[WatchEvent]]:
    """Subscribe to changes of the sessions in a folder; see `Backend.watch`.

    Args:
        root: The folder.
        visible: Paths that deserve quick answers.
        run: Runs what blocks.
        pace: How often to look.
        poll: Never asks the system to tell.
    """
    feed = _Feed(root, visible, run, pace, poll=poll)
    task = asyncio.create_task(feed.keep())
    try:
        await feed.begun.wait()
        yield _WatchEvents(feed, task)
    finally:
        await end_task(task)


class _WatchEvents:
    """Hands out what the feed has to say; joined while nobody takes it."""

    def __init__(self, feed: _Feed, task: asyncio.Task[None]) -> None:
        self._feed = feed
        self._task = task

    def __aiter__(self) -> _WatchEvents:
        return self

    async def __anext__(self) -> WatchEvent:
        while True:
            signal = self._feed.take()
            if signal is not None:
                return signal
            if self._task.done():
                self._task.result()
            await self._feed.told.wait()


class _Feed:
    """Watches, or looks, for as long as it is kept; says what it finds to whoever takes it."""

    def __init__(
        self,
        root: StoreRoot,
        visible: Callable[[], Collection[str]],
        run: RunInThread,
        pace: PollTiming,
        *,
        poll: bool,
    ) -> None:
        self.begun = asyncio.Event()
        """Set once subscribed, or once a state says why not."""
        self.told = asyncio.Event()
        self._root = root
        self._visible = visible
        self._run = run
        self._pace = pace
        self._poll_reason = "told to look for changes" if poll else ""
        self._files = Files(root)
        self._loop = asyncio.get_running_loop()

        self._state: FeedState | None = None
        self._said: FeedState | None = None
        self._rescan = ""
        self._dirty: set[str] = set()

        self._marks: dict[str, tuple[int, ...] | None] = {}
        self._folders: set[str] = set()
        """Folders below the root, by paths relative to it."""
        self._fresh: set[str] = set()
        """Folders that appeared and are to be looked at again."""
        self._cost_s = 0.0
        """What one look at everything takes."""

    def take(self) -> WatchEvent | None:
        """Return the next thing to say: the state, then what it means for the sessions."""
        state, self._state = self._state, None
        if state is not None:
            return state
        if self._rescan:
            reason, self._rescan = self._rescan, ""
            self._dirty.clear()
            return Rescan(reason)
        if self._dirty:
            paths, self._dirty = frozenset(self._dirty), set()
            return Dirty(paths)
        self.told.clear()
        return None

    async def keep(self) -> None:
        """Watch or look until cancelled; what goes wrong is said and tried again."""
        failures = 0
        try:
            while True:
                try:
                    mark = await self._run(_root_mark, self._root)
                    if self._poll_reason:
                        await self._look(mark, self._poll_reason, None)
                        continue
                    try:
                        await self._listen(mark)
                        failures = 0
                    except NotifyError as error:
                        pause = self._pace.rearm_s * 2.0 ** min(failures, 10)
                        failures += 1
                        await self._look(mark, str(error), min(pause, self._pace.check_s))
                except (StorageError, OSError) as error:
                    self._say(
                        FeedState(
                            "none", live=False, error=clean(str(error)), retry_s=self._pace.root_s
                        )
                    )
                    self.begun.set()
                    await asyncio.sleep(self._pace.root_s)
        finally:
            self.begun.set()
            self.told.set()

    def _say(self, state: FeedState) -> None:
        if state != self._said:
            self._said = self._state = state
            self.told.set()

    def _begin(self, state: FeedState) -> None:
        """Say that changes are told from now on; before, unless nobody could, some were missed."""
        self._say(state)
        if self.begun.is_set():
            self._say_rescan("watching again")
        self.begun.set()

    def _say_rescan(self, reason: str) -> None:
        self._rescan = reason
        self._dirty.clear()
        self.told.set()

    def _say_dirty(self, paths: Iterable[str]) -> None:
        if not self._rescan:
            self._dirty.update(paths)
            if len(self._dirty) > MAX_DIRTY:
                self._say_rescan("many sessions changed")
            elif self._dirty:
                self.told.set()

    async def _listen(self, mark: tuple[int, int]) -> None:
        """Pass on what the system tells, until the root is another one.

        Raises:
            NotifyError: It cannot, or can no longer, tell.
            StorageError: The root is gone.
        """
        started = self._loop.time()
        self._folders, link = await self._run(find_folders, self._root)
        self._cost_s = 3 * (self._loop.time() - started)
        if link is not None:
            raise NotifyError(_LINK.format(clean(link)))
        self._marks, self._fresh = {}, set()
        pace = self._pace
        async with Notifier(str(self._root.folder)) as notifier:
            self._begin(FeedState("inotify", live=True))
            looks = PollSchedule(root=pace.root_s, visible=pace.guard_s, check=pace.check_s)
            while True:
                changes = await notifier.changes(looks.wait_s())
                if changes and not await self._sort(changes, looks):
                    return
                if looks.due("root") and await self._run(_root_mark, self._root) != mark:
                    return
                if looks.due("again"):
                    fresh, self._fresh = self._fresh, set()
                    await self._read_folders(fresh)
                if looks.due("moved"):
                    self._folders, _ = await self._run(find_folders, self._root)
                    self._say_rescan("a folder was moved or removed")
                if looks.due("visible"):
                    await self._compare_visible()
                if looks.due("check"):
                    self._say_rescan("regular check")

    async def _sort(self, changes: FolderChanges, looks: PollSchedule) -> bool:
        """Say what the system told; returns whether the root is still there."""
        top = str(self._root.folder)
        if (VANISHED, top) in changes:
            return False
        if len(changes) > MANY_CHANGES:
            self._folders, _ = await self._run(find_folders, self._root)
            self._say_rescan("much changed at once")
            looks.plan("moved", max(self._pace.again_s, self._cost_s / self._pace.duty))
            return True
        dirty: set[str] = set()
        appeared: set[str] = set()
        vanished: set[str] = set()
        for change, file in changes:
            relative = file.removeprefix(top).lstrip("/")
            names = relative.split("/")
            if any(name.startswith(".") for name in names) or not relative:
                continue
            if is_session_name(names[-1]):
                dirty.add(self._root.path(relative))
                # Of a folder in a new folder the system may never have told.
                self._folders.update(itertools.accumulate(names[:-1], "{}/{}".format))
            if change == APPEARED:
                appeared.add(relative)
            elif change == VANISHED:
                vanished.add(relative)
        if not vanished.isdisjoint(self._folders):
            self._folders -= vanished
            looks.plan("moved", self._cost_s / self._pace.duty)
        if appeared:
            fresh = await self._run(_folders_of, self._root, appeared)
            if fresh:
                await self._read_folders(fresh)
                self._fresh |= fresh
                looks.plan("again", self._pace.again_s)
        self._say_dirty(dirty)
        return True

    async def _read_folders(self, folders: Collection[str]) -> None:
        """Say the sessions that are in folders which appeared.

        Raises:
            NotifyError: A link in one leads the system's watch out of the root.
        """
        for folder in folders:
            parts = tuple(folder.split("/"))
            below, link = await self._run(find_folders, self._root, parts)
            if link is not None:
                raise NotifyError(_LINK.format(clean(link)))
            self._folders |= below
            async for stats in self._walk(parts):
                self._say_dirty(found.path for found in stats)

    async def _look(self, mark: tuple[int, int], reason: str, stop_s: float | None) -> None:
        """Look for changes, until the root is another one or the time is over.

        Args:
            mark: The root's identity.
            reason: Why, to be shown.
            stop_s: When to return, in seconds; None for never.

        Raises:
            StorageError: The root is gone.
        """
        pace = self._pace
        known = await self._snapshot()
        self._marks = {}
        self._begin(FeedState("polling", live=True, error=f"{reason}; looking for changes instead"))
        looks = PollSchedule(root=pace.root_s, visible=pace.visible_s, check=pace.check_s)
        looks.plan("tree", self._tree_s())
        if stop_s is not None:
            looks.plan("stop", stop_s)
        while True:
            await asyncio.sleep(looks.wait_s())
            if looks.due("stop"):
                return
            if looks.due("root") and await self._run(_root_mark, self._root) != mark:
                return
            if looks.due("visible"):
                await self._compare_visible()
            if looks.due("tree"):
                current = await self._snapshot()
                self._say_dirty(
                    path
                    for path in known.keys() | current.keys()
                    if known.get(path) != current.get(path)
                )
                known = current
                looks.plan("tree", self._tree_s())
            if looks.due("check"):
                self._say_rescan("regular check")

    def _tree_s(self) -> float:
        return max(self._pace.tree_s, self._cost_s / self._pace.duty)

    async def _snapshot(self) -> dict[str, Stat]:
        """Return all sessions by path."""
        started = self._loop.time()
        sessions: dict[str, Stat] = {}
        async for stats in self._walk(()):
            sessions.update((found.path, found) for found in stats)
        self._cost_s = self._loop.time() - started
        return sessions

    async def _walk(self, under: tuple[str, ...]) -> AsyncIterator[tuple[Stat, ...]]:
        """Yield the sessions in a folder; between two batches others may read."""
        walk = walk_sessions(self._root, under=under)
        while (batch := await self._run(next, walk, None)) is not None:
            yield batch.stats

    async def _compare_visible(self) -> None:
        """Say which of the files in view differ from when they were compared last."""
        paths = list(itertools.islice(self._visible(), MAX_VISIBLE))
        if not paths:
            self._marks = {}
            return
        marks = dict(zip(paths, await self._run(self._files.marks, paths), strict=True))
        before, self._marks = self._marks, marks
        self._say_dirty(path for path in before.keys() & marks if before[path] != marks[path])


def _root_mark(root: StoreRoot) -> tuple[int, int]:
    """Return the identity of the root folder."""
    descriptor = root.open()
    try:
        found = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return (found.st_dev, found.st_ino)


def _folders_of(root: StoreRoot, appeared: Collection[str]) -> set[str]:
    """Return which of the paths, relative to the root, are folders; no link is one."""
    found: set[str] = set()
    for relative in appeared:
        with suppress(OSError):
            if stat.S_ISDIR(root.folder.joinpath(relative).lstat().st_mode):
                found.add(relative)
    return found
