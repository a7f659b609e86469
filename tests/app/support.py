"""What the tests of the app share: sessions written by us, a running app, waiting for quiet."""

from __future__ import annotations

import itertools
import random
import time
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING

from sessiontui.app.app import SessionApp
from sessiontui.app.screens.search_screen import SearchScreen
from sessiontui.formats.jsonl import encode_entries
from sessiontui.formats.title_slot import make_slot
from sessiontui.sources import parse_source
from sessiontui.storage.memory import MemoryBackend, MemoryStore
from sessiontui.times import iso_time
from sessiontui.workspace import open_workspace
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import pytest
    from textual.pilot import Pilot

    from sessiontui.config import Config
    from sessiontui.sources import Source
    from sessiontui.storage.backend import Backend

NOW_MS = 1_795_442_529_000
"""2026-11-23 14:02:09 UTC."""
HOUR_MS = 3_600_000


def session(
    title: str,
    *turns: str,
    cwd: str = "/home/mira/code/api",
    session_id: str = "0000",
    start_ms: int = NOW_MS - 30 * HOUR_MS,
    slot: bool = True,
) -> bytes:
    """Return the bytes of a session in which the user says `turns` and is answered."""
    header = {
        "type": "session",
        "version": 3,
        "id": session_id,
        "title": title,
        "timestamp": iso_time(start_ms),
        "cwd": cwd,
    }
    entries: list[dict[str, object]] = [header]
    for number, text in enumerate(turns or ("Hello",)):
        when = iso_time(start_ms + 1000 * number)
        entries.append(
            {
                "type": "message",
                "id": f"u{number:07}",
                "parentId": f"a{number - 1:07}" if number else None,
                "timestamp": when,
                "message": {"role": "user", "content": text},
            }
        )
        entries.append(answer(f"Answer to {text}", number, when))
    body = encode_entries(entries)
    return make_slot(title, source="user", updated_at=start_ms) + body if slot else body


def answer(text: str, number: int, when: str) -> dict[str, object]:
    """Return an entry in which the agent answers."""
    return {
        "type": "message",
        "id": f"a{number:07}",
        "parentId": f"u{number:07}",
        "timestamp": when,
        "message": {
            "role": "assistant",
            "model": "opus-4.5",
            "stopReason": "stop",
            "content": [{"type": "text", "text": text}],
        },
    }


def path_of(name: str, folder: str = "/-code-api") -> str:
    """Return a path of a session as omp forms it."""
    return f"{folder}/2026-11-23T10-00-00-000Z_{name}.jsonl"


def store_with(*names: str, size: int = 1) -> MemoryStore:
    """Return a store with a session for each name, the first the newest, an hour apart."""
    store = MemoryStore(clock=lambda: NOW_MS)
    for age, name in enumerate(names, start=1):
        turns = [f"Question {number} about {name}" for number in range(size)]
        data = session(f"Title {name}", *turns, session_id=name)
        store.write(path_of(name), data, mtime_ms=NOW_MS - age * HOUR_MS)
    return store


@asynccontextmanager
async def running(
    store: MemoryStore | None = None,
    *,
    source: str = "redis://cache:6379",
    connect: Callable[[Source, str | None], Backend] | None = None,
    size: tuple[int, int] = (120, 34),
    config: Config | None = None,
    clock: Callable[[], int] = lambda: NOW_MS,
    settled: bool = True,
) -> AsyncIterator[tuple[SessionApp, Pilot[None]]]:
    """Yield the app at work on a store (or on what `connect` opens), and its pilot."""
    opened = store if store is not None else MemoryStore(clock=clock)
    async with open_workspace(
        parse_source(source),
        config=config,
        clock=clock,
        home="/home/mira",
        connect=connect or (lambda _source, _password: MemoryBackend(opened)),
    ) as workspace:
        app = SessionApp(workspace)
        async with app.run_test(size=size) as pilot:
            if settled:
                await settle(pilot)
            yield app, pilot


async def settle(pilot: Pilot[None]) -> None:
    """Wait until writes are confirmed, changes applied, the wanted transcript open and painted."""
    app = app_of(pilot)
    if app.workspace.state.problem is None:
        await app.workspace.settled()
    await pilot.pause()
    screen = app.screen
    if isinstance(screen, SearchScreen):
        await until(lambda: screen.quiet)
    main = app.main
    await until(lambda: main.sessions.highlighted == main.reading.wanted == main.reading.path)
    await until(lambda: main.transcript.quiet)
    if app.workspace.state.problem is None:
        await app.workspace.library.settled()
    await pilot.pause()


def app_of(pilot: Pilot[None]) -> SessionApp:
    """Return the app that a pilot drives."""
    app = pilot.app
    if not isinstance(app, SessionApp):
        raise TypeError(f"not the app: {app!r}")
    return app


def rows(app: SessionApp) -> list[str]:
    """Return the text rows on the screen, without blanks at the ends; no picture is made for it."""
    found = [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]
    while found and not found[-1]:
        found.pop()
    return found


def shows(app: SessionApp, text: str) -> bool:
    """Tell whether a text stands on one row of the screen."""
    return any(text in row for row in rows(app))


def hold_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every other look of Textual's timers at the clock, by chance, come a second late.

    So it is on a machine with too much to do; when that happens cannot be chosen.
    """
    chance = random.Random(1)
    late_s = itertools.accumulate(iter(lambda: chance.randrange(2), None))
    clock = SimpleNamespace(get_time=lambda: time.monotonic() + next(late_s))
    monkeypatch.setattr("textual.timer._time", clock)
