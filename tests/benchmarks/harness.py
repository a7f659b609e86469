"""Rows of figures: each measured against its floor or its peer in the same run.

A row is a coroutine function that measures and returns a `Figure`. It raises
`WrongResultError` when what it measured did not do the job, and never because of a time.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

Better = Literal["lower", "higher"]
Unit = Literal["x", "ms", "MB", "%", "B"]
Shared = TypeVar("Shared")

REPEATS: Final = 5
"""Runs of which the median counts, unless a row says otherwise."""


class WrongResultError(Exception):
    """The thing that was measured gave a wrong result: the only way for a benchmark to fail."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured."""

    value: float
    """What is held against the target: a ratio where there is a peer."""
    detail: str = ""
    """The absolute figures behind it, in words."""


@dataclass(frozen=True, slots=True)
class Row:
    """What is measured, and what it should be."""

    name: str
    """By which it is selected, `group.what`."""
    what: str
    target: float
    unit: Unit
    """`x` for a ratio."""
    better: Better
    measure: Callable[[Bench], Awaitable[Figure]]


@dataclass(frozen=True, slots=True)
class Result:
    """A row with its figure."""

    row: Row
    figure: Figure

    @property
    def reached(self) -> bool:
        """Whether the figure is at the target or better."""
        if self.row.better == "lower":
            return self.figure.value <= self.row.target
        return self.figure.value >= self.row.target


@dataclass(frozen=True, slots=True)
class Bench:
    """What a row needs to run."""

    folder: Path
    """Where data is built; the same for all rows of a run, removed after it."""
    scale: float
    """1.0 for the sizes the targets speak of; smaller for a trial."""
    _stack: ExitStack = field(default_factory=ExitStack)
    _shared: dict[str, Any] = field(default_factory=dict)

    def count(self, full: int) -> int:
        """Return how many of something there are at this scale."""
        return max(100, round(full * self.scale))

    def seconds(self, full: float) -> float:
        """Return how long to watch something at this scale."""
        return max(3.0, full * self.scale)

    def shared(self, name: str, make: Callable[[], AbstractContextManager[Shared]]) -> Shared:
        """Return what several rows use, made by the first of them."""
        if name not in self._shared:
            self._shared[name] = self._stack.enter_context(make())
        made: Shared = self._shared[name]
        return made

    def release(self) -> None:
        """End everything shared."""
        self._shared.clear()
        self._stack.close()


_ROWS: list[Row] = []


def row(
    name: str, what: str, *, target: float, unit: Unit = "x", better: Better = "lower"
) -> Callable[[Callable[[Bench], Awaitable[Figure]]], Callable[[Bench], Awaitable[Figure]]]:
    """Register a function as a row of the table."""

    def register(
        measure: Callable[[Bench], Awaitable[Figure]],
    ) -> Callable[[Bench], Awaitable[Figure]]:
        _ROWS.append(Row(name, what, target, unit, better, measure))
        return measure

    return register


def rows(selected: Sequence[str]) -> list[Row]:
    """Return the rows whose name contains one of the selections; all without any."""
    return [item for item in _ROWS if not selected or any(part in item.name for part in selected)]


def expect(condition: object, message: str) -> None:
    """Raise `WrongResultError` unless `condition` is true."""
    if not condition:
        raise WrongResultError(message)


async def paired(
    ours: Callable[[], Awaitable[object]],
    peer: Callable[[], Awaitable[object]],
    *,
    repeats: int = REPEATS,
) -> tuple[float, float]:
    """Time two things in turn; return the median seconds of each.

    They alternate, so that a slow spell of the machine hits both; one run of
    each before counts for nothing.
    """
    await ours()
    await peer()
    own_times: list[float] = []
    peer_times: list[float] = []
    for _ in range(repeats):
        own_times.append(await timed(ours))
        peer_times.append(await timed(peer))
    return statistics.median(own_times), statistics.median(peer_times)


async def timed(function: Callable[[], Awaitable[object]]) -> float:
    """Return how many seconds one call takes, garbage collected before."""
    gc.collect()
    start = time.perf_counter()
    await function()
    return time.perf_counter() - start


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def ratio(ours_s: float, peer_s: float) -> Figure:
    """Return the ratio of two durations in seconds, with both in the detail."""
    return Figure(ours_s / peer_s, f"{ours_s * 1e3:.1f} ms / {peer_s * 1e3:.1f} ms")


def table(results: Sequence[Result]) -> str:
    """Return the results as a table for people."""
    lines = [f"{'row':<20} {'target':>9} {'figure':>9}  {'':<6} what"]
    for item in results:
        sign = "≤" if item.row.better == "lower" else "≥"
        target = f"{sign} {item.row.target:g} {item.row.unit}"
        value = f"{item.figure.value:.3g} {item.row.unit}"
        if math.isnan(item.figure.value):
            value, verdict = "-", "WRONG"
        else:
            verdict = "ok" if item.reached else "MISSED"
        detail = f": {item.figure.detail}" if item.figure.detail else ""
        lines.append(
            f"{item.row.name:<20} {target:>9} {value:>9}  {verdict:<6} {item.row.what}{detail}"
        )
    return "\n".join(lines)


def as_json(results: Sequence[Result]) -> str:
    """Return the results as a JSON array; the value of a wrong one is null."""
    return json.dumps(
        [
            {
                "row": item.row.name,
                "what": item.row.what,
                "target": item.row.target,
                "unit": item.row.unit,
                "better": item.row.better,
                "value": None if math.isnan(item.figure.value) else item.figure.value,
                "reached": item.reached,
                "detail": item.figure.detail,
            }
            for item in results
        ],
        indent=2,
    )


def run(bench: Bench, item: Row) -> Result:
    """Measure one row in an event loop of its own."""
    return Result(item, asyncio.run(_measure(bench, item)))


async def _measure(bench: Bench, item: Row) -> Figure:
    return await item.measure(bench)
