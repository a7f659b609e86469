"""Every screen goes away once: whatever comes twice, together, late, or beside Escape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual import events
from textual.geometry import Offset

from sessiontui.storage.memory import MemoryStore
from tests.app.support import NOW_MS, path_of, running, session
from tests.waiting import until

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from sessiontui.app.app import SessionApp

SIZES = [(120, 34), (1, 1), (5, 100), (300, 3), (300, 100)]
SCREENS = {
    "help": ["question_mark"],
    "rename": ["r"],
    "delete": ["d"],
    "columns": ["C"],
    "copy": ["c"],
    "move": ["m"],
    "export": ["e"],
    "doctor": ["D"],
    "search": ["ctrl+f"],
    "turns": ["tab", "O"],
    "branches": ["tab", "B"],
    "moment": ["tab", "at"],
    "stored": ["tab", "V"],
    "codes": ["tab", "Y"],
    "palette": ["ctrl+p"],
    "diagnostics": ["ctrl+backslash"],
}
BURSTS = [
    ["enter", "enter", "enter", "escape", "escape"],
    ["pagedown", "pageup", "pagedown", "down", "enter", "escape", "enter", "enter"],
]


def store() -> MemoryStore:
    """Return two sessions with turns, and code in what was said."""
    kept = MemoryStore(clock=lambda: NOW_MS)
    for name in ("alpha", "beta"):
        said = (f"Why {name}?", "How?", "And\n```py\nx = 1\n```\nthen\n```py\ny = 2\n```\n?")
        kept.write(path_of(name), session(f"Title {name}", *said, session_id=name))
    return kept


def at_once(app: SessionApp, keys: list[str]) -> None:
    """Send keys as the driver does that has read them all at once."""
    for key in keys:
        app.post_message(events.Key(key, key if len(key) == 1 else None))


async def open_screen(app: SessionApp, pilot: Pilot[None], name: str) -> None:
    await pilot.press(*SCREENS[name])
    await pilot.pause()
    if name == "search" and len(app.screen_stack) == 2:
        await pilot.press(*"why")
        app.screen.query_one("SearchInput").focus()
        at_once(app, ["enter"])
        await until(lambda: app.screen.quiet)  # type: ignore[attr-defined]
        at_once(app, ["down"])
        await pilot.pause()


async def back(app: SessionApp, pilot: Pilot[None]) -> None:
    """Leave what is open."""
    while len(app.screen_stack) > 1:
        await pilot.press("escape")
    await pilot.pause()


@pytest.mark.parametrize("name", SCREENS)
async def test_every_screen_is_closed_once_by_keys_that_come_together(name: str) -> None:
    odd = SIZES[1 + list(SCREENS).index(name) % (len(SIZES) - 1)]
    async with running(store(), size=SIZES[0]) as (app, pilot):
        for size, burst in zip((SIZES[0], odd), BURSTS, strict=True):
            await pilot.resize_terminal(*size)
            await open_screen(app, pilot, name)
            at_once(app, burst)
            await pilot.pause()
            assert app.is_running, (size, burst)
            assert app.return_code is None, (size, burst)
            await back(app, pilot)


@pytest.mark.parametrize("name", ["rename", "delete", "export", "turns", "search"])
async def test_a_screen_that_is_seen_below_another_closes_neither(name: str) -> None:
    async with running(store()) as (app, pilot):
        await open_screen(app, pilot, name)
        below = app.screen
        app.action_diagnostics()
        await pilot.pause()
        above = app.screen
        assert above is not below
        below.dismiss()
        below.dismiss()
        await pilot.pause()
        assert app.screen_stack[-2:] == [below, above]
        await pilot.press("escape")
        assert app.screen is below
        await back(app, pilot)
        assert app.is_running


@pytest.mark.parametrize("size", SIZES[1:], ids=str)
async def test_pages_of_the_palette_need_no_room(size: tuple[int, int]) -> None:
    async with running(store(), size=size) as (app, pilot):
        await open_screen(app, pilot, "palette")
        at_once(app, ["down", "pagedown", "pageup", "pagedown"])
        await pilot.resize_terminal(*reversed(size))
        at_once(app, ["pagedown", "pageup"])
        await pilot.pause()
        assert app.is_running
        await back(app, pilot)


@pytest.mark.parametrize("name", ["search", "turns", "branches", "codes", "palette"])
async def test_a_double_click_chooses_once(name: str) -> None:
    async with running(store()) as (app, pilot):
        await open_screen(app, pilot, name)
        rows = app.screen.query("OptionList").first()
        await until(lambda: rows.option_count)  # type: ignore[attr-defined]
        place = rows.region.offset + Offset(3, 1)
        for _ in range(3):
            for kind in (events.MouseDown, events.MouseUp):
                app.post_message(
                    kind(None, place.x, place.y, 0, 0, 1, False, False, False, place.x, place.y)
                )
        await pilot.pause()
        assert app.is_running
        assert app.return_code is None
        await back(app, pilot)
