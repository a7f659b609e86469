"""The pictures of the app: what each shows, and how it is drawn.

`python -m screenshots.scenes` draws them all, `--check` fails when one is
stale and says which rows differ. Sessions, clock and terminal size are fixed,
so that a picture is the same on every machine; only another release of
Textual draws another one.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

os.environ["TZ"] = "UTC"
time.tzset()
for _variable in ("NO_COLOR", "TEXTUAL_THEME"):
    os.environ.pop(_variable, None)

from textual.command import CommandPalette  # noqa: E402 - the environment above is read on import
from textual.widgets import Input  # noqa: E402

from screenshots.rows import portable, text_rows  # noqa: E402
from sessiontui.app.app import SessionApp  # noqa: E402
from sessiontui.app.screens.doctor_screen import DoctorScreen  # noqa: E402
from sessiontui.app.screens.search_screen import SearchScreen  # noqa: E402
from sessiontui.app.theme import DARK, LIGHT  # noqa: E402
from sessiontui.demo.sessions import demo_sessions  # noqa: E402
from sessiontui.errors import BackendDownError  # noqa: E402
from sessiontui.formats.title_slot import make_title_field  # noqa: E402
from sessiontui.sources import parse_source  # noqa: E402
from sessiontui.storage.memory import MemoryBackend, MemoryStore  # noqa: E402
from sessiontui.workspace import open_workspace  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from textual.pilot import Pilot

    from sessiontui.sources import Source
    from sessiontui.storage.backend import Backend, ScanBatch

FOLDER = Path(__file__).parent
NOW_MS = 1_795_442_529_000
"""2026-11-23 14:02:09 UTC: the time in every picture."""
_DAY_MS = 86_400_000
HOME = "/home/mira"
SOURCE = "redis://cache:6379"
EXPORTS = Path("/tmp")


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture."""

    name: str
    keys: Sequence[str] = ()
    """Pressed before it is taken."""
    size: tuple[int, int] = (120, 34)
    """Columns and rows."""
    theme: str = DARK
    reachable: bool = True
    broken: bool = False
    """Whether something is wrong with the sessions."""


SCENES = (
    Scene("main"),
    Scene("transcript", keys=["enter", "pageup"]),
    Scene("filter", keys=["/", *"cursor"]),
    Scene(
        "list",
        keys=[
            *("G", "k", "p", "g", *["down"] * 8, "p", "t"),
            *("C", *["down"] * 7, "space", "down", "space", "enter"),
            *("g", *["down"] * 26, "home", "down"),
        ],
        size=(150, 34),
    ),
    Scene("query", keys=["/", *"-status:done age:<7d size:>5Q"], size=(140, 24)),
    Scene("columns", keys=["C", "down", "down", "down", "space"]),
    Scene("find", keys=["down"] * 7 + ["enter", "/", *"retry", "enter", "N"]),
    Scene("code", keys=["/", *"flaky", "enter", "enter", *"KKKKK", "x"], size=(120, 44)),
    Scene("branches", keys=["/", *"cursor", "enter", "enter", "home", *"JJJJJJ", "x"]),
    Scene("branch-list", keys=["/", *"cursor", "enter", "enter", "home", "B"]),
    Scene("search", keys=["ctrl+f", *"cursor", "enter", "down", "down"]),
    Scene("rename", keys=["down", "r", "end", *" again"]),
    Scene("delete", keys=["d"]),
    Scene("copy-marked", keys=["down", "down", "space", "space", "c"]),
    Scene("delete-marked", keys=["space", "down", "space", "down", "V", "d"]),
    Scene("export", keys=["e", "down"]),
    Scene("help", keys=["?"], size=(140, 40)),
    Scene("palette", keys=["ctrl+p", *"offline"]),
    Scene("doctor", keys=["D"], broken=True),
    Scene("unreachable", reachable=False, size=(100, 24)),
    Scene("narrow", size=(80, 24)),
    Scene("light", theme=LIGHT),
)


class AwayBackend(MemoryBackend):
    """A server that refuses the first attempt and leaves the next without an answer."""

    attempts = 0

    async def scan(self) -> AsyncIterator[ScanBatch]:
        """Refuse, or wait for ever."""
        await self._refuse()
        async for batch in super().scan():
            yield batch

    async def _refuse(self) -> None:
        AwayBackend.attempts += 1
        if AwayBackend.attempts > 1:
            await asyncio.Event().wait()
        raise BackendDownError("connection to cache:6379 refused")


def demo_store() -> MemoryStore:
    """Return a store that holds the demo's sessions."""
    store = MemoryStore(clock=lambda: NOW_MS)
    for session in demo_sessions(NOW_MS, home=HOME):
        store.write(
            session.path, session.content, mtime_ms=session.mtime_ms, title=session.title_field
        )
    return store


def break_something(store: MemoryStore) -> None:
    """Do to a few sessions what goes wrong when several work on them."""
    old = [
        path
        for path, held in sorted(store.sessions.items())
        if path.endswith(".jsonl") and (held.mtime_ms or 0) < NOW_MS - 3 * _DAY_MS
    ]
    moved, renamed, _ = old[0], old[1], old[2]
    lines = (store.data(moved) or b"").splitlines(keepends=True)
    store.write(moved.replace("/sessions/", "/sessions/-archive"), b"".join(lines[:9]), mtime_ms=1)
    store.write(moved, b"".join(lines[9:]), mtime_ms=store.sessions[moved].mtime_ms)
    field = make_title_field("Heat the flat without the landlord", "user", NOW_MS - 4 * _DAY_MS)
    store.retitle(renamed, field, mtime_ms=store.sessions[renamed].mtime_ms)
    gone = renamed.replace("2026-", "2025-")
    store.loose["meta", gone] = b"1764000000000"
    store.loose["title", gone] = field
    store.write(f"{gone.removesuffix('.jsonl')}/draft.txt", b"And then", mtime_ms=1764000000000)


async def settle(pilot: Pilot[None]) -> None:
    """Wait until everything that was asked for has been read and painted."""
    app = pilot.app
    if not isinstance(app, SessionApp):
        raise TypeError("a scene shows the app")
    if app.workspace.state.problem is None:
        await app.workspace.settled()
    await pilot.pause()
    if isinstance(app.screen, CommandPalette):
        searches = [worker for worker in app.workers if worker.node is app.screen]
        await app.workers.wait_for_complete(searches)
    while isinstance(app.screen, DoctorScreen) and not app.screen.quiet:
        await pilot.pause()
    main = app.main
    while main.reading.wanted != main.reading.path or not main.transcript.quiet:
        await pilot.pause()
    while isinstance(app.screen, SearchScreen) and not app.screen.quiet:
        await pilot.pause()
    if app.workspace.state.problem is None:
        await app.workspace.library.settled()
    await pilot.pause()


async def draw(scene: Scene) -> str:
    """Return the picture of a scene as SVG."""
    store = demo_store()
    if scene.broken:
        break_something(store)

    def connect(_source: Source, _password: str | None) -> Backend:
        return MemoryBackend(store) if scene.reachable else AwayBackend(store)

    AwayBackend.attempts = 0
    async with open_workspace(
        parse_source(SOURCE), clock=lambda: NOW_MS, home=HOME, connect=connect
    ) as workspace:
        app = SessionApp(workspace)
        app.theme = scene.theme
        async with app.run_test(size=scene.size) as pilot:
            while not scene.reachable and workspace.state.problem is None:
                await pilot.pause()
            await settle(pilot)
            app.main.exporting.folder = EXPORTS
            for key in scene.keys:
                await pilot.press(key)
                await settle(pilot)
            for field in app.screen.query(Input):
                field.cursor_blink = False
            await settle(pilot)
            return portable(app.export_screenshot(title="sessiontui", simplify=True))


def stale_rows(scene: Scene, drawn: str) -> str:
    """Return how the stored picture differs from `drawn`; empty if it does not."""
    file = FOLDER / f"{scene.name}.svg"
    stored = file.read_text(encoding="utf-8") if file.exists() else ""
    if stored == drawn:
        return ""
    differences = difflib.unified_diff(
        text_rows(stored), text_rows(drawn), "stored", "drawn", lineterm="", n=0
    )
    return "\n".join(differences) or "the text is the same; colours or positions differ"


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw or check the pictures; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m screenshots.scenes", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if one is stale")
    parser.add_argument("names", nargs="*", help="pictures to draw; all of them by default")
    options = parser.parse_args(arguments)
    stale = 0
    for scene in SCENES:
        if options.names and scene.name not in options.names:
            continue
        drawn = asyncio.run(draw(scene))
        if options.check:
            difference = stale_rows(scene, drawn)
            stale += bool(difference)
            sys.stdout.write(f"{scene.name}: {'stale' if difference else 'fresh'}\n")
            sys.stdout.write(f"{difference}\n" if difference else "")
        else:
            (FOLDER / f"{scene.name}.svg").write_text(drawn, encoding="utf-8", newline="\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
