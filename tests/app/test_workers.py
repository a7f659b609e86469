"""Workers make what they run only when they begin: one cancelled before leaves nothing behind."""

from __future__ import annotations

import ast
import gc
from pathlib import Path
from typing import TYPE_CHECKING

import sessiontui
from tests.app.support import path_of, running, settle, shows, store_with
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

_LAZY = {"partial"}
"""What makes of a coroutine function what a worker can call."""


async def test_a_transcript_that_is_overtaken_before_it_is_opened_leaves_nothing_behind() -> None:
    async with running(store_with("alpha", "beta")) as (app, pilot):
        reading = app.main.reading
        reading.wish(None)
        await until(lambda: reading.path is None)
        for name in ("beta", "alpha", "beta", "alpha"):
            reading.wish(path_of(name))  # Nothing is open: each begins at once.
        await settle(pilot)
        assert shows(app, "Question 0 about alpha")
    gc.collect()  # What was never awaited is told when it goes.


def test_no_worker_is_given_a_coroutine_that_is_made_before_it_begins() -> None:
    eager = [
        f"{path.name}:{call.lineno}"
        for path in sorted(Path(sessiontui.__file__).parent.rglob("*.py"))
        for call in calls_of_workers(ast.parse(path.read_text()))
        if isinstance(work := call.args[0], ast.Call)
        and not (isinstance(work.func, ast.Name) and work.func.id in _LAZY)
    ]
    assert eager == []


def calls_of_workers(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "run_worker"
        ):
            yield node
