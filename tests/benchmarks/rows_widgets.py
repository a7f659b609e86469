"""The list of sessions against Textual's own tree."""

from __future__ import annotations

import statistics
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar, Final

from msgspec.structs import replace
from textual.app import App, ComposeResult
from textual.widgets import Tree

from sessiontui.app.theme import DARK, themes, token_defaults
from sessiontui.app.widgets.session_list.tree import SessionTree
from sessiontui.catalog.catalog import Catalog
from sessiontui.catalog.row import RowLine
from sessiontui.catalog.sorting import SORTS
from sessiontui.paths import styles_dir
from tests.benchmarks.data import FIRST_MTIME_MS, row_of, session_path
from tests.benchmarks.harness import Bench, Figure, expect, row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from textual.pilot import Pilot
    from textual.strip import Strip
    from textual.widgets.tree import TreeNode

    from sessiontui.catalog.row import Row

_NOW: Final = FIRST_MTIME_MS + 10_000_000
_HOME: Final = "/home/ada"


class _Watched(SessionTree):
    """Notes when a line was painted last."""

    painted_s = 0.0

    def render_line(self, y: int) -> Strip:
        strip = super().render_line(y)
        self.painted_s = time.perf_counter()
        return strip


class _Plain(App[None]):
    def __init__(self) -> None:
        super().__init__()
        for theme in themes():
            self.register_theme(theme)
        self.theme = DARK

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return token_defaults(self.current_theme)


class _ListApp(_Plain):
    """Nothing but the list."""

    CSS_PATH: ClassVar = [styles_dir() / "session_tree.tcss"]

    def compose(self) -> ComposeResult:
        yield _Watched(now=lambda: _NOW, id="sessions")


class _TreeApp(_Plain):
    """Nothing but Textual's tree."""

    def compose(self) -> ComposeResult:
        yield Tree("sessions")


async def _painted(pilot: Pilot[None], tree: _Watched, start: float) -> float:
    """Return the seconds from `start` until a line was painted."""
    deadline = start + 10
    while tree.painted_s <= start:
        expect(time.perf_counter() < deadline, "nothing was painted")
        await pilot.pause()
    return tree.painted_s - start


async def _build_ours(rows: list[Row]) -> float:
    app = _ListApp()
    async with app.run_test(size=(60, 40)) as pilot:
        start = time.perf_counter()
        catalog = Catalog(home=_HOME)
        catalog.upsert(rows)
        tree = app.query_one(_Watched)
        tree.catalog = catalog
        took = await _painted(pilot, tree, start)
        expect(catalog.height == len(rows) + catalog.totals.groups, "lines are missing")
        return took


async def _build_textual(rows: list[Row]) -> float:
    app = _TreeApp()
    async with app.run_test(size=(60, 40)) as pilot:
        start = time.perf_counter()
        tree = app.query_one(Tree)
        groups: dict[str | None, TreeNode[str]] = {}
        for item in rows:
            group = groups.get(item.cwd)
            if group is None:
                group = groups[item.cwd] = tree.root.add(item.cwd or "", expand=True)
            group.add_leaf(item.title, data=item.path)
        tree.root.expand()
        await pilot.pause()
        return time.perf_counter() - start


@row("tree.build", "build 100k rows vs textual Tree", target=0.1)
async def build(bench: Bench) -> Figure:
    rows = [row_of(number) for number in range(bench.count(100_000))]
    ours: list[float] = []
    peer: list[float] = []
    for _ in range(3):
        ours.append(await _build_ours(rows))
        peer.append(await _build_textual(rows))
    own_s, peer_s = statistics.median(ours), statistics.median(peer)
    return Figure(own_s / peer_s, f"{own_s * 1e3:.0f} ms / {peer_s * 1e3:.0f} ms")


@asynccontextmanager
async def _list_of(count: int) -> AsyncIterator[tuple[Pilot[None], _Watched, Catalog]]:
    """Show so many sessions."""
    app = _ListApp()
    async with app.run_test(size=(60, 40)) as pilot:
        catalog = Catalog(home=_HOME)
        catalog.upsert(row_of(number) for number in range(count))
        tree = app.query_one(_Watched)
        start = time.perf_counter()
        tree.catalog = catalog
        await _painted(pilot, tree, start)
        yield pilot, tree, catalog


async def _move(count: int) -> float:
    """Return the median seconds that the list needs for a session that becomes the newest."""
    durations: list[float] = []
    async with _list_of(count) as (pilot, tree, catalog):
        for number in range(200):
            path = session_path(number)
            old = catalog.rows[path]
            start = time.perf_counter()
            catalog.upsert([replace(old, mtime_ms=_NOW + number, size=old.size + 100)])
            tree.rows_changed({path})
            durations.append(time.perf_counter() - start)
            await _painted(pilot, tree, start)
            top = catalog.line(1)
            expect(isinstance(top, RowLine) and top.key == path, "it is not at the top")
    return statistics.median(durations)


@row("tree.move", "move a row to the top at 100k vs at 1k", target=2)
async def move(bench: Bench) -> Figure:
    large = await _move(bench.count(100_000))
    small = await _move(1000)
    return Figure(large / small, f"{large * 1e3:.2f} ms / {small * 1e3:.2f} ms, painting aside")


@row("tree.sort", "sort 100k by another key, until painted", target=250, unit="ms")
async def sort(bench: Bench) -> Figure:
    durations: list[float] = []
    slow: dict[str, Callable[[Row], int]] = {
        "modified": lambda item: -item.mtime_ms,
        "created": lambda item: -(item.created_ms or 0),
        "size": lambda item: -item.size,
    }
    async with _list_of(bench.count(100_000)) as (pilot, tree, catalog):
        for number in range(12):
            key = SORTS[(number + 1) % len(SORTS)]
            start = time.perf_counter()
            catalog.order_by(key)
            tree.rows_changed()
            durations.append(await _painted(pilot, tree, start))
            order = [line.row for line in catalog.lines(0, 400) if isinstance(line, RowLine)]
            if key in slow and order:
                shown = [item for item in order if item.cwd == order[0].cwd]
                expect(shown == sorted(shown, key=slow[key]), f"not in order of {key}")
    return Figure(statistics.median(durations) * 1e3, "median over four keys")
