"""What is told of changes in a folder: by the system, and where it cannot, by looking."""

from __future__ import annotations

import asyncio
import shutil
import sys
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from sessiontui.storage import SessionStorage
from sessiontui.storage.backend import Dirty, FeedState, Range, Rescan
from sessiontui.storage.directory.backend import DirectoryBackend
from sessiontui.storage.directory.notify import Notifier
from sessiontui.storage.directory.watch import MAX_DIRTY, PollTiming
from tests.unit.directory_support import (
    PROJECT,
    add,
    open_files,
    put,
    run_script,
    scanned,
    with_own_limits,
    without_rights,
)
from tests.waiting import DEADLINE_S, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterator
    from pathlib import Path

    from sessiontui.storage.backend import WatchEvent
    from sessiontui.storage.directory.notify import FolderChanges as Changes

QUICK = PollTiming(
    visible_s=0.02,
    tree_s=0.05,
    duty=1.0,
    guard_s=0.05,
    check_s=600.0,
    root_s=0.05,
    again_s=0.1,
    rearm_s=0.2,
)
"""Looks often, so that tests wait little; and checks never, so that nothing is made up for."""


class Told:
    """Collects what a feed says."""

    def __init__(self) -> None:
        self.paths: set[str] = set()
        self.rescans: list[str] = []
        self.states: list[FeedState] = []

    async def listen(self, signals: AsyncIterator[WatchEvent]) -> None:
        async for signal in signals:
            if isinstance(signal, Dirty):
                self.paths |= signal.paths
            elif isinstance(signal, Rescan):
                self.rescans.append(signal.reason)
            else:
                self.states.append(signal)

    def forget(self) -> None:
        self.paths, self.rescans = set(), []

    def has(self, path: str) -> bool:
        """Tell whether it was said that a path may have changed, by name or with all."""
        return bool(self.rescans) or path in self.paths


def remove(folder: Path) -> None:
    shutil.rmtree(folder)


def swap(folder: Path, second: Path) -> None:
    """Put another folder in the place of one."""
    folder.rename(folder.parent / "first")
    second.rename(folder)


@asynccontextmanager
async def watching(
    backend: DirectoryBackend, visible: Callable[[], Collection[str]] = tuple
) -> AsyncIterator[Told]:
    """Collect what is said while entered; the first state is there already."""
    told = Told()
    async with backend.watch(visible) as signals:
        task = asyncio.create_task(told.listen(signals))
        try:
            await until(lambda: told.states)
            yield told
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest_asyncio.fixture
async def backend(root: Path, tmp_path: Path) -> AsyncIterator[DirectoryBackend]:
    opened = DirectoryBackend(root, trash_root=tmp_path / "trash", pace=QUICK)
    yield opened
    await opened.aclose()


@pytest_asyncio.fixture
async def polling(root: Path, tmp_path: Path) -> AsyncIterator[DirectoryBackend]:
    opened = DirectoryBackend(root, trash_root=tmp_path / "trash", pace=QUICK, poll=True)
    yield opened
    await opened.aclose()


@pytest_asyncio.fixture(params=["told", "looking"])
async def either(
    request: pytest.FixtureRequest, root: Path, tmp_path: Path
) -> AsyncIterator[DirectoryBackend]:
    """A backend that is told by the system, and one that has to look."""
    poll = request.param == "looking"
    opened = DirectoryBackend(root, trash_root=tmp_path / "trash", pace=QUICK, poll=poll)
    yield opened
    await opened.aclose()


async def test_a_feed_begins_with_its_state(backend: DirectoryBackend, root: Path) -> None:
    async with backend.watch() as signals:
        assert await anext(signals) == FeedState("inotify", live=True)
        put(root / "a.jsonl")
        assert await anext(signals) == Dirty(frozenset({"/a.jsonl"}))


async def test_nothing_is_missed_from_the_moment_of_entering(
    either: DirectoryBackend, root: Path
) -> None:
    for number in range(20):
        path = f"/p/{number}.jsonl"
        async with either.watch() as signals:
            put(root / path[1:])
            told: set[str] = set()
            while path not in told:
                signal = await asyncio.wait_for(anext(signals), DEADLINE_S)
                if isinstance(signal, Dirty):
                    told |= signal.paths


async def test_every_kind_of_change_is_told(either: DirectoryBackend, root: Path) -> None:
    for name in ("grown", "patched", "replaced", "removed", "renamed", "quiet"):
        put(root / "p" / f"{name}.jsonl", b"one\n", mtime_ns=1_000_000_000)
    async with watching(either) as told:
        add(root / "p" / "grown.jsonl", b"two\n")
        with (root / "p" / "patched.jsonl").open("r+b") as stream:
            stream.write(b"ONE\n")
        put(root / "p" / ".replaced.jsonl.1.tmp", b"new\n").replace(root / "p" / "replaced.jsonl")
        (root / "p" / "removed.jsonl").unlink()
        (root / "p" / "renamed.jsonl").rename(root / "p" / "moved.jsonl")
        put(root / "p" / "created.jsonl")
        changed = ("grown", "patched", "replaced", "removed", "renamed", "moved", "created")
        await until(lambda: told.paths >= {f"/p/{name}.jsonl" for name in changed})
        assert told.paths == {f"/p/{name}.jsonl" for name in changed}


async def test_what_is_no_session_is_not_told(backend: DirectoryBackend, root: Path) -> None:
    put(root / "p" / "a" / "1.log")
    async with watching(backend) as told:
        add(root / "p" / "a" / "1.log", b"more")
        put(root / "p" / "a" / "draft.txt")
        put(root / "p" / ".a.jsonl.1.tmp").unlink()
        put(root / "p" / ".hidden.jsonl")
        put(root / ".versions" / "a.jsonl")
        put(root / "p" / "last.jsonl")
        await until(lambda: told.paths)
        assert told.paths == {"/p/last.jsonl"}
        assert told.rescans == []


async def test_a_file_in_a_folder_made_at_the_same_moment_is_told(
    backend: DirectoryBackend, root: Path
) -> None:
    async with watching(backend) as told:
        paths = set()
        for number in range(100):
            path = f"/project-{number}/deep/er/a.jsonl"
            put(root / path[1:])
            paths.add(path)
            await asyncio.sleep(0)
        await until(lambda: told.paths >= paths)


async def test_a_folder_that_comes_with_its_sessions_is_told(
    either: DirectoryBackend, root: Path
) -> None:
    outside = root.parent / "outside"
    for number in range(20):
        put(outside / "deep" / f"{number}.jsonl")
    async with watching(either) as told:
        outside.rename(root / "project")
        paths = {f"/project/deep/{number}.jsonl" for number in range(20)}
        await until(lambda: told.paths >= paths)
        told.forget()
        add(root / "project" / "deep" / "3.jsonl", b"more\n")
        await until(lambda: "/project/deep/3.jsonl" in told.paths)


async def test_what_the_system_does_not_tell_of_a_folder_that_appeared_is_found_a_moment_later(
    backend: DirectoryBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(Notifier):
        """Tells of folders, and of nothing inside them."""

        async def changes(self, wait_s: float) -> Changes:
            return {
                (change, file)
                for change, file in await super().changes(wait_s)
                if not file.endswith(".jsonl")
            }

    monkeypatch.setattr("sessiontui.storage.directory.watch.Notifier", Deaf)
    async with watching(backend) as told:
        put(root / "project" / "first.jsonl")
        await until(lambda: "/project/first.jsonl" in told.paths)
        put(root / "project" / "second.jsonl")
        await until(lambda: "/project/second.jsonl" in told.paths)
        assert told.rescans == []


async def test_a_folder_that_is_moved_away_or_renamed_is_a_reason_to_compare(
    backend: DirectoryBackend, root: Path
) -> None:
    put(root / "p" / "a" / "worker.jsonl")
    async with watching(backend) as told:
        (root / "p").rename(root.parent / "elsewhere")
        await until(lambda: told.rescans == ["a folder was moved or removed"])
        told.forget()
        (root.parent / "elsewhere").rename(root / "q")
        await until(lambda: "/q/a/worker.jsonl" in told.paths)
        told.forget()
        (root / "q" / "a").rename(root / "q" / "b")
        await until(lambda: told.rescans and "/q/b/worker.jsonl" in told.paths)


async def test_a_folder_moved_away_is_seen_by_looking(
    polling: DirectoryBackend, root: Path
) -> None:
    put(root / "p" / "a.jsonl")
    async with watching(polling) as told:
        (root / "p").rename(root.parent / "elsewhere")
        await until(lambda: told.paths == {"/p/a.jsonl"})


async def test_a_root_that_is_removed_and_made_again_is_followed(
    either: DirectoryBackend, root: Path
) -> None:
    put(root / "p" / "a.jsonl")
    async with watching(either) as told:
        for number in range(5):
            remove(root)
            told.forget()
            put(root / "p" / f"{number}.jsonl")
            await until(partial(told.has, f"/p/{number}.jsonl"))
        await until(lambda: told.states[-1].live)
        told.forget()
        add(root / "p" / "4.jsonl", b"more\n")
        await until(lambda: "/p/4.jsonl" in told.paths or told.rescans)


async def test_a_root_that_is_not_there_yet_is_waited_for(
    either: DirectoryBackend, root: Path
) -> None:
    remove(root)
    async with watching(either) as told:
        assert [(state.tier, state.live) for state in told.states] == [("none", False)]
        assert told.states[0].error is not None
        assert "the folder is not there" in told.states[0].error
        assert told.states[0].retry_s == QUICK.root_s
        put(root / "p" / "a.jsonl")
        await until(lambda: told.states[-1].live and told.rescans)
        assert len(told.states) == 2
        told.forget()
        add(root / "p" / "a.jsonl", b"more\n")
        await until(lambda: told.paths == {"/p/a.jsonl"})
        remove(root)
        await until(lambda: not told.states[-1].live)


async def test_a_root_that_is_swapped_for_another_folder_is_followed(
    either: DirectoryBackend, root: Path
) -> None:
    put(root.parent / "second" / "p" / "b.jsonl")
    async with watching(either) as told:
        swap(root, root.parent / "second")
        await until(partial(told.has, "/p/b.jsonl"))
        told.forget()
        add(root / "p" / "b.jsonl", b"more\n")
        await until(partial(told.has, "/p/b.jsonl"))


async def test_ten_thousand_lines_of_another_process_are_all_there_at_the_last_signal(
    backend: DirectoryBackend, root: Path
) -> None:
    file = put(root / "p" / "a.jsonl", b"")
    known = 0
    async with backend.watch() as signals:
        peer = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c"),
            "import os, sys\n"
            "file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)\n"
            "for number in range(10_000):\n"
            "    os.write(file, b'%06d\\n' % number)\n",
            str(file),
            cwd=PROJECT,
        )
        text = b""
        while len(text) < 70_000:
            signal = await asyncio.wait_for(anext(signals), DEADLINE_S)
            if isinstance(signal, FeedState):
                continue
            (seen,) = await backend.probe([Range("/p/a.jsonl", known)])
            assert seen is not None
            assert len(seen.data) == seen.stat.size - known
            text += seen.data
            known = seen.stat.size
        assert await peer.wait() == 0
    assert text.splitlines() == [b"%06d" % number for number in range(10_000)]


async def test_files_in_view_are_looked_at_more_often_than_the_rest(
    root: Path, tmp_path: Path
) -> None:
    pace = PollTiming(visible_s=0.02, tree_s=600.0, check_s=600.0)
    backend = DirectoryBackend(root, trash_root=tmp_path / "trash", pace=pace, poll=True)
    for name in ("seen", "unseen"):
        put(root / "p" / f"{name}.jsonl")
    asked = 0

    def visible() -> list[str]:
        nonlocal asked
        asked += 1
        return ["/p/seen.jsonl", "/p/gone.jsonl", "no path"]

    async with watching(backend, visible) as told:
        await until(lambda: asked > 2)
        for name in ("seen", "unseen", "gone"):
            add(root / "p" / f"{name}.jsonl", b"more\n")
        await until(lambda: len(told.paths) == 2)
        assert told.paths == {"/p/seen.jsonl", "/p/gone.jsonl"}
    await backend.aclose()


async def test_everything_is_compared_now_and_then(root: Path, tmp_path: Path) -> None:
    for poll in (False, True):
        backend = DirectoryBackend(
            root, trash_root=tmp_path / "trash", pace=PollTiming(check_s=0.05), poll=poll
        )
        async with watching(backend) as told:
            await until(lambda: told.rescans.count("regular check") >= 2)
        await backend.aclose()


async def test_a_link_to_a_folder_does_not_lead_the_watch_out_of_the_root(
    backend: DirectoryBackend, root: Path
) -> None:
    put(root / "p" / "a.jsonl")
    (root / "up").symlink_to("/")
    async with watching(backend) as told:
        assert told.states == [
            FeedState(
                "polling",
                live=True,
                error="a symbolic link to a folder stands inside: /up; looking for changes instead",
            )
        ]
        add(root / "p" / "a.jsonl", b"more\n")
        await until(lambda: told.paths == {"/p/a.jsonl"})
        (root / "up").unlink()
        await until(lambda: told.states[-1] == FeedState("inotify", live=True))


async def test_a_link_that_comes_in_a_folder_is_found(
    backend: DirectoryBackend, root: Path
) -> None:
    put(root.parent / "outside" / "a.jsonl")
    (root.parent / "outside" / "up").symlink_to(root)
    async with watching(backend) as told:
        (root.parent / "outside").rename(root / "p")
        await until(lambda: told.states[-1].tier == "polling")
        await until(partial(told.has, "/p/a.jsonl"))


async def test_a_link_that_leads_nowhere_is_no_hindrance(
    backend: DirectoryBackend, root: Path
) -> None:
    put(root / "p" / "a.jsonl")
    put(root.parent / "outside" / "b.jsonl")
    (root.parent / "outside" / "circle").symlink_to("circle")
    async with SessionStorage(backend) as storage:
        await storage.load()
        (root.parent / "outside").rename(root / "q")
        await until(lambda: storage.exists_sync("/q/b.jsonl"))
        (root / "p" / "circle").symlink_to("circle")
        await storage.load()
        add(root / "p" / "a.jsonl", b"more\n")
        await until(lambda: storage.stat_sync("/p/a.jsonl").size == 8)
        assert storage.feed_state == FeedState("inotify", live=True)


async def test_a_session_too_deep_to_be_one_keeps_no_other_from_being_followed(
    backend: DirectoryBackend, root: Path
) -> None:
    put(root / "p" / "a.jsonl")
    deep = root.joinpath(*["d"] * 70)
    deep.mkdir(parents=True)
    async with SessionStorage(backend) as storage:
        await storage.load()
        put(deep / "b.jsonl")
        add(root / "p" / "a.jsonl", b"more\n")
        await until(lambda: storage.stat_sync("/p/a.jsonl").size == 8)
        await storage.refresh()
        assert [stat.path for stat in storage.stats()] == ["/p/a.jsonl"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_however_the_watch_of_the_system_ends_it_is_told(
    backend: DirectoryBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watch(*_: object, **__: object) -> Iterator[None]:
        yield from ()
        raise LookupError("unheard of")

    monkeypatch.setattr("watchfiles.watch", watch)
    put(root / "p" / "a.jsonl")
    async with watching(backend) as told:
        assert told.states[0].tier == "polling"
        add(root / "p" / "a.jsonl", b"more\n")
        await until(lambda: told.has("/p/a.jsonl"))


async def test_a_name_that_is_no_utf_8_is_followed_by_looking(
    backend: DirectoryBackend, root: Path
) -> None:
    async with watching(backend) as told:
        put(root / "\udcff.jsonl")
        await until(lambda: len(told.states) >= 2)
        assert told.states[1].tier == "polling"
        assert told.states[1].error is not None
        assert "not valid UTF-8" in told.states[1].error
        await until(lambda: told.rescans)
        told.forget()
        add(root / "\udcff.jsonl", b"more\n")
        await until(partial(told.has, "/\udcff.jsonl"))


LIMITED = """
    from sessiontui.storage.directory.watch import PollTiming
    limit, value, root = sys.argv[1:]
    Path(f"/proc/sys/user/{limit}").write_text(value)
    async def main():
        pace = PollTiming(tree_s=0.05, rearm_s=0.1, duty=1.0)
        backend = DirectoryBackend(root, trash_root=root + "-trash", pace=pace)
        async with backend.watch() as signals:
            print(await anext(signals))
            Path(root, "a", "new.jsonl").write_bytes(b"x")
            async for signal in signals:
                if signal == Dirty(frozenset({"/a/new.jsonl"})):
                    break
                assert not isinstance(signal, FeedState), signal
            Path(f"/proc/sys/user/{limit}").write_text("100000")
            async for signal in signals:
                if isinstance(signal, FeedState):
                    print(signal.tier)
                    break
        await backend.aclose()
    asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [
        ("max_inotify_watches", 3, "limit of watched folders"),
        ("max_inotify_instances", 0, "limit of watchers"),
    ],
)
def test_where_the_system_can_watch_no_more_changes_are_looked_for(
    tmp_path: Path, limit: str, value: int, words: str
) -> None:
    for name in "abcdef":
        put(tmp_path / "sessions" / name / "a.jsonl")
    done = run_script(LIMITED, limit, value, tmp_path / "sessions", within=with_own_limits())
    first, last = done.stdout.splitlines()
    assert "tier='polling', live=True" in first
    assert words in first
    assert last == "inotify"


def test_a_folder_that_may_not_be_read_is_no_hindrance(tmp_path: Path) -> None:
    root = tmp_path / "sessions"
    put(root / "closed" / "b.jsonl")
    put(root / "open" / "a.jsonl")
    (root / "closed").chmod(0)
    done = run_script(
        """
        root = sys.argv[1]
        async def main():
            backend = DirectoryBackend(root, trash_root=root + "-trash")
            async with backend.watch() as signals:
                print((await anext(signals)).live)
                Path(root, "open", "a.jsonl").write_bytes(b"more")
                print(await anext(signals))
            await backend.aclose()
        asyncio.run(main())
        """,
        root,
        within=without_rights(),
    )
    (root / "closed").chmod(0o700)
    assert done.stdout.splitlines() == ["True", "Dirty(paths=frozenset({'/open/a.jsonl'}))"]


async def test_signals_that_nobody_takes_are_joined_and_bounded(
    polling: DirectoryBackend, root: Path
) -> None:
    source = put(root.parent / "source")
    async with polling.watch() as signals:
        assert isinstance(await anext(signals), FeedState)
        for name in ("a", "b"):
            put(root / f"{name}.jsonl")
        told = Told()
        task = asyncio.create_task(told.listen(signals))
        await until(lambda: told.paths == {"/a.jsonl", "/b.jsonl"})
        for number in range(MAX_DIRTY + 1):
            (root / f"{number}.jsonl").hardlink_to(source)
        await until(lambda: told.rescans == ["many sessions changed"])
        task.cancel()


async def test_a_burst_is_a_reason_to_compare(backend: DirectoryBackend, root: Path) -> None:
    source = put(root.parent / "source")
    async with watching(backend) as told:
        for number in range(6_000):
            (root / f"{number}.jsonl").hardlink_to(source)
        await until(lambda: "much changed at once" in told.rescans or len(told.paths) == 6_000)


async def test_leaving_ends_threads_and_closes_files(backend: DirectoryBackend, root: Path) -> None:
    await scanned(backend)
    before = open_files()
    for _ in range(6):
        async with watching(backend):
            assert open_files() > before
        await until(lambda: open_files() <= before)


async def test_importing_the_backend_loads_no_watchfiles() -> None:
    done = run_script("print('watchfiles' in sys.modules)")
    assert done.stdout == "False\n"
