"""Figures and text of all sessions: kept, current, and the same as reading everything."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from sessiontui.catalog.stats import SessionStats, StatsCounter
from sessiontui.errors import BackendDownError
from sessiontui.formats.jsonl import decode_lines
from sessiontui.search import indexer
from sessiontui.search.index import WriteLock
from sessiontui.search.index_cache import index_file
from sessiontui.search.session_search import SessionMatch
from sessiontui.sources import parse_source
from sessiontui.storage.memory import MemoryBackend, MemoryStore
from sessiontui.transcript.search import SEARCHED_KINDS, full_blocks, parse_search_terms
from sessiontui.workspace import SessionIndex, Workspace, open_workspace
from tests.corpus import CORPUS
from tests.sessions import Omp, every_omp_entry
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from sessiontui.storage.backend import Range

SOURCE = parse_source("redis://cache:6379")
_VOCABULARY = ("retry", "flaky", "cursor", "재시도", "naïve", "a_b", "Σχ", "--flag", "x" * 40)

Line = tuple[str, int, int, str]
"""Path, offset, number of the block, and the line that tells it."""


def path_of(name: str) -> str:
    """Return the path of a session."""
    return f"/sessions/-code-api/{name}.jsonl"


def said(*texts: str) -> bytes:
    """Return a session in which the user said these."""
    made = Omp()
    for text in texts:
        made.user(text)
    return made.data


@asynccontextmanager
async def opened(
    store: MemoryStore, folder: Path | None, *, settled: bool = True
) -> AsyncIterator[Workspace]:
    """Open a workspace on a store, with its index in a folder or without one."""
    async with open_workspace(
        SOURCE,
        connect=lambda _source, _password: MemoryBackend(store),
        library=SessionIndex(folder, eager=True),
    ) as workspace:
        await workspace.settled()
        if settled:
            await workspace.library.indexing.settled()
        yield workspace


async def search(workspace: Workspace, text: str, most: int | None = None) -> list[Line]:
    """Return what is found, in order."""
    return [
        (item.path, item.hit.offset, item.hit.block, item.hit.text)
        async for item in workspace.library.search(parse_search_terms(text), most=most)
        if isinstance(item, SessionMatch)
    ]


def plain(store: MemoryStore, text: str) -> set[Line]:
    """Return what reading every session from beginning to end finds."""
    wanted = parse_search_terms(text)
    found: set[Line] = set()
    for path, held in store.sessions.items():
        numbers: dict[int, int] = {}
        for item in decode_lines(bytes(held.data)):
            for block in full_blocks(item):
                number = numbers[item.offset] = numbers.get(item.offset, -1) + 1
                line = wanted.line_in(block) if block.kind in SEARCHED_KINDS else None
                if line is not None:
                    found.add((path, item.offset, number, line))
    return found


def counted(data: bytes) -> SessionStats:
    """Return a session in figures."""
    count = StatsCounter()
    for item in decode_lines(data):
        count.add(item)
    return count.figures()


async def test_everything_said_is_found_newest_first_with_and_without_an_index(
    tmp_path: Path,
) -> None:
    store = MemoryStore()
    for number, name in enumerate("abc"):
        store.write(path_of(name), said(f"needle {name}", "hay"), mtime_ms=number)
    for folder in (None, tmp_path):
        async with opened(store, folder) as workspace:
            lines = await search(workspace, "NEEDLE")

        assert [(path, text) for path, _, _, text in lines] == [
            (path_of(name), f"needle {name}") for name in "cba"
        ]
        assert set(lines) == plain(store, "needle")


@pytest.mark.parametrize(
    "text",
    [
        *_VOCABULARY,
        "re",
        "retry flaky",
        '"retry flaky"',
        "re:/r.try/",
        "e",
        "시도 retry",
        "nowhere-at-all",
        "nothing 재",
    ],
)
async def test_what_is_found_is_what_a_plain_scan_finds_however_much_is_indexed(
    tmp_path: Path, text: str
) -> None:
    chance = random.Random(text)
    store = MemoryStore()

    def grow(name: str, lines: int) -> None:
        made = Omp()
        for _ in range(lines):
            made.user(" ".join(chance.choices(_VOCABULARY, k=chance.randrange(1, 30))))
            made.assistant("\n".join(chance.choices(_VOCABULARY, k=3)), calls=("bash",))
            made.result("bash", chance.choice(_VOCABULARY))
        header_end = made.data.index(b"}\n", 256) + 2
        is_new = path_of(name) not in store.sessions
        store.append(path_of(name), made.data if is_new else made.data[header_end:])

    for number in range(12):
        grow(str(number), chance.randrange(1, 40))
    store.append(path_of("3"), b'{"type":"message","message":{"role":"user","content":"retry')
    store.write(path_of("all"), every_omp_entry())
    async with opened(store, tmp_path) as workspace:
        assert set(await search(workspace, text)) == plain(store, text)
    # Some grow, one is rewritten, one is new: only the rest is known.
    for number in (0, 3, 5):
        grow(str(number), 3)
    store.write(path_of("7"), said("another retry, not flaky"))
    grow("new", 2)
    async with opened(store, tmp_path, settled=False) as workspace:
        assert set(await search(workspace, text)) == plain(store, text)
        await workspace.library.indexing.settled()
        again = await search(workspace, text)
        assert set(again) == plain(store, text)
        assert len(again) == len(set(again))


@pytest.mark.parametrize(
    "text", ["the", "error", "파일", "pagination", "re:/(?:import|export) \\w+/", "to"]
)
async def test_real_sessions_are_found_as_a_plain_scan_finds_them(
    tmp_path: Path, text: str
) -> None:
    store = MemoryStore()
    for path in sorted(CORPUS.glob("*.jsonl")):
        store.write(f"/s/{path.name}", path.read_bytes(), mtime_ms=1)
    async with opened(store, tmp_path) as workspace:
        assert set(await search(workspace, text)) == plain(store, text)


async def test_figures_are_kept_from_run_to_run_and_follow_what_is_appended(tmp_path: Path) -> None:
    store = MemoryStore()
    made = Omp()
    made.user()
    store.write(path_of("a"), made.data)
    async with opened(store, tmp_path) as workspace:
        assert workspace.session_figures(path_of("a")) == counted(made.data)
        line = made.message("assistant", usage={"input": 5, "cost": {"total": 0.5}})
        store.append(path_of("a"), line)
        await until(lambda: workspace.session_figures(path_of("a")) == counted(made.data))
        await workspace.library.indexing.settled()
    async with opened(store, tmp_path, settled=False) as workspace:
        await until(lambda: workspace.session_figures(path_of("a")) is not None)
        figures = workspace.session_figures(path_of("a"))

    assert figures is not None
    assert (figures.turns, figures.cost) == (1, 0.5)


async def test_figures_of_the_session_that_is_looked_at_need_no_index() -> None:
    store = MemoryStore()
    made = Omp()
    made.user("x" * 600_000)
    store.write(path_of("a"), made.data)
    store.write(path_of("b"), said("never looked at"))
    async with opened(store, None) as workspace:
        await workspace.open_document(path_of("a"))
        await until(lambda: workspace.session_figures(path_of("a")) == counted(made.data))
        store.append(path_of("a"), made.user("more"))
        await until(lambda: workspace.session_figures(path_of("a")) == counted(made.data))
        made = Omp()
        made.user("another")
        store.write(path_of("a"), made.data)
        await until(lambda: workspace.session_figures(path_of("a")) == counted(made.data))

        assert workspace.session_figures(path_of("b")) is None


class FailingOnce(MemoryBackend):
    """Does not answer one read, when it is told to."""

    failing = False

    async def read(self, ranges: Sequence[Range]) -> list[bytes | None]:
        if self.failing:
            self.failing = False
            raise BackendDownError("away for a moment")
        return await super().read(ranges)


async def test_figures_come_after_a_read_that_failed() -> None:
    backend = FailingOnce()
    backend.store.write(path_of("a"), said("one"))
    async with open_workspace(
        SOURCE, connect=lambda *_: backend, library=SessionIndex(None)
    ) as workspace:
        await workspace.settled()
        backend.failing = True
        await workspace.open_document(path_of("a"))
        await until(lambda: workspace.session_figures(path_of("a")) == counted(said("one")))
        assert not backend.failing


async def test_sessions_leave_and_move_in_the_index_too(tmp_path: Path) -> None:
    store = MemoryStore()
    for name in ("a", "b", "c", "d"):
        store.write(path_of(name), said(f"needle {name}"), mtime_ms=1)
    async with opened(store, tmp_path) as workspace:
        store.delete(path_of("a"))
        store.rename(path_of("b"), path_of("e"))
        await until(lambda: path_of("e") in workspace.catalog.rows)
        await workspace.library.indexing.settled()
        lines = await search(workspace, "needle")
        known = dict(workspace.library.indexing.known)

    assert {path for path, *_ in lines} == {path_of(name) for name in "cde"} == set(known)
    store.delete(path_of("c"))
    async with opened(store, tmp_path) as workspace:
        lines = await search(workspace, "needle")

        assert {path for path, *_ in lines} == {path_of(name) for name in "de"}
        assert set(workspace.library.indexing.known) == {path_of(name) for name in "de"}


async def test_two_at_once_share_one_index_and_one_of_them_writes(tmp_path: Path) -> None:
    store = MemoryStore()
    store.write(path_of("a"), said("needle"))
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(opened(store, tmp_path))
        second = await stack.enter_async_context(opened(store, tmp_path))
        store.write(path_of("b"), said("needle too"))
        both = [workspace.catalog.rows for workspace in (first, second)]
        await until(lambda: all(path_of("b") in rows for rows in both))
        await first.library.indexing.settled()

        assert (first.library.indexing.ours, second.library.indexing.ours) == (True, False)
        assert second.session_figures(path_of("a")) == counted(said("needle"))
        for workspace in (first, second):
            assert len(await search(workspace, "needle")) == 2


async def test_the_index_of_a_process_that_ended_early_is_finished_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessiontui.search.indexer._AGAIN_S", 0.01)
    store = MemoryStore()
    for name in "abc":
        store.write(path_of(name), said("needle"))
    file = index_file(tmp_path, SOURCE)
    lock = WriteLock(file)
    assert lock.take()
    async with opened(store, tmp_path) as workspace:
        indexing = workspace.library.indexing
        await asyncio.sleep(0.2)  # Several looks, in vain; then nothing changes any more.
        assert (indexing.ours, len(indexing.known)) == (False, 0)
        lock.release()
        await until(lambda: len(indexing.known) == 3)
        assert indexing.ours


@pytest.mark.parametrize("broken", [b"", b"nonsense" * 1000], ids=["empty", "nonsense"])
async def test_a_broken_file_is_made_anew(tmp_path: Path, broken: bytes) -> None:
    store = MemoryStore()
    store.write(path_of("a"), said("needle"))
    index_file(tmp_path, SOURCE).write_bytes(broken)
    async with opened(store, tmp_path) as workspace:
        assert len(await search(workspace, "needle")) == 1
        assert workspace.library.indexing.problem == ""


async def test_where_no_index_can_be_kept_everything_is_found_all_the_same(tmp_path: Path) -> None:
    store = MemoryStore()
    store.write(path_of("a"), said("needle"))
    blocked = tmp_path / "file"
    blocked.write_text("")
    async with opened(store, blocked / "index") as workspace:
        assert len(await search(workspace, "needle")) == 1
        assert "index cannot be used" in workspace.library.indexing.problem


async def test_only_so_much_of_a_session_is_told_and_that_there_is_more(tmp_path: Path) -> None:
    store = MemoryStore()
    store.write(path_of("a"), said(*["needle"] * 9))
    store.write(path_of("b"), said(*["needle"] * 3))
    for folder in (None, tmp_path):
        async with opened(store, folder) as workspace:
            found = [
                (item.path, item.more)
                async for item in workspace.library.search(parse_search_terms("needle"), most=3)
                if isinstance(item, SessionMatch)
            ]
        assert (
            sorted(found)
            == [(path_of("a"), False)] * 2 + [(path_of("a"), True)] + [(path_of("b"), False)] * 3
        )


async def test_a_line_without_end_is_left_to_the_search(tmp_path: Path) -> None:
    store = MemoryStore()
    store.write(path_of("a"), said("needle") + b'{"type":"message","x":"' + b"y" * (18 << 20))
    async with opened(store, tmp_path) as workspace:
        known = workspace.library.indexing.known[path_of("a")]

        assert known.stop == len(said("needle"))
        assert len(await search(workspace, "needle")) == 1


async def test_a_session_that_grows_again_and_again_is_indexed_only_when_it_is_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer, "QUIET_S", 0.2)
    store = MemoryStore()
    store.write(path_of("a"), said("first"))
    async with open_workspace(
        SOURCE,
        connect=lambda _source, _password: MemoryBackend(store),
        library=SessionIndex(tmp_path),
    ) as workspace:
        await workspace.settled()
        index = workspace.library.indexing
        await until(lambda: path_of("a") in index.known)
        for number in range(20):
            store.append(path_of("a"), said(f"again {number}").split(b"\n", 2)[2])
            await until(lambda: workspace.catalog.rows[path_of("a")].size == size(store))
        assert len(await search(workspace, "again")) == 20
        await until(lambda: index.known[path_of("a")].stop == size(store))


def size(store: MemoryStore) -> int:
    """Return the length of the one session."""
    return len(store.sessions[path_of("a")].data)


def test_nothing_of_it_is_loaded_before_it_is_needed() -> None:
    script = (
        "import sys, sessiontui.app.app, sessiontui.workspace;"
        "print(sorted(name for name in sys.modules if 'sqlite' in name"
        " or name.startswith('sessiontui.search.')))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert ran.stdout.split("'")[1::2] == [
        "sessiontui.search.index_cache",
        "sessiontui.search.indexer",
        "sessiontui.search.session_index",
    ]


async def test_what_is_indexed_stays_while_the_source_is_read_again(tmp_path: Path) -> None:
    store = MemoryStore()
    for name in "abc":
        store.write(path_of(name), said(f"needle {name}"), mtime_ms=1)
    away = False

    class AwayBackend(MemoryBackend):
        async def read(self, ranges: Sequence[Range]) -> list[bytes | None]:
            if away:
                raise BackendDownError("away")
            return await super().read(ranges)

    async with open_workspace(
        SOURCE,
        connect=lambda _source, _password: AwayBackend(store),
        library=SessionIndex(tmp_path, eager=True),
    ) as workspace:
        await workspace.settled()
        await workspace.library.indexing.settled()
        ids = _ids(tmp_path)
        away = True
        store.append(path_of("a"), said("needle again").split(b"\n", 2)[2])
        store.write(path_of("d"), said("needle d"), mtime_ms=1)
        await until(lambda: path_of("d") in workspace.catalog.rows)
        away = False
        await workspace.settled()
        await until(lambda: path_of("d") in workspace.library.indexing.known)
        await workspace.library.indexing.settled()
        assert len(await search(workspace, "needle")) == 5

    assert _ids(tmp_path)[: len(ids)] == ids


def _ids(folder: Path) -> list[tuple[int]]:
    """Return the numbers of the sessions in the index: new ones where they were read anew."""
    with sqlite3.connect(index_file(folder, SOURCE)) as database:
        found = database.execute("SELECT id FROM sessions ORDER BY id").fetchall()
    database.close()
    return found
