"""Searching all sessions from the app: what is shown, where it leads, what stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual.widgets import Input, OptionList

from sessiontui.app.screens.main import MainScreen
from sessiontui.app.screens.search_screen import MAX_MATCHES, PER_SESSION, SearchScreen
from sessiontui.storage.memory import MemoryBackend, MemoryStore
from tests.app.support import NOW_MS, path_of, rows, running, session, settle, shows, store_with
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.pilot import Pilot

    from sessiontui.app.app import SessionApp
    from sessiontui.storage.backend import Range


async def search(pilot: Pilot[None], text: str) -> None:
    """Open the search, type this and wait until all is found."""
    await pilot.press("ctrl+f")
    await until(lambda: isinstance(pilot.app.screen, SearchScreen))
    pilot.app.screen.query_one(Input).value = text
    await pilot.press("enter")
    await settle(pilot)


def said(app: SessionApp) -> str:
    """Return all the text on the screen."""
    return "\n".join(rows(app))


async def test_what_is_found_stands_beneath_its_session_newest_first() -> None:
    async with running(store_with("alpha", "beta")) as (app, pilot):
        await search(pilot, "question about")

        lines = [row.strip() for row in rows(app) if row.strip(" ─")]
        assert "4 matches in 2 sessions" in lines[0]
        assert lines[1].startswith("Title alpha")
        assert lines[1].endswith("~/code/api · 1h")
        assert lines[2].split() == ["You", "Question", "0", "about", "alpha"]
        assert lines[3].split() == ["Agent", "Answer", "to", "Question", "0", "about", "alpha"]
        assert lines[4].startswith("Title beta")


async def test_enter_reads_on_there_with_the_words_lit_and_the_results_stay() -> None:
    store = store_with("alpha", "beta", size=200)
    async with running(store) as (app, pilot):
        await search(pilot, '"question 77 " beta')
        assert "2 matches in 1 session" in said(app)
        await pilot.press("enter", "down", "enter")
        await until(lambda: shows(app, "2 of 2"))
        await settle(pilot)

        main = app.main
        assert isinstance(app.screen, MainScreen)
        assert main.sessions.highlighted == path_of("beta") == main.reading.path
        assert main.has_class("-reading")
        assert shows(app, "Answer to Question 77 about beta")
        assert shows(app, "2 of 2")
        current = main.transcript.current
        assert current is not None
        offset = store.sessions[path_of("beta")].data.index(b"Answer to Question 77 ")
        assert current.offset == store.sessions[path_of("beta")].data.rindex(b"\n", 0, offset) + 1

        await pilot.press("ctrl+f")
        await settle(pilot)
        assert "2 matches in 1 session" in said(app)
        assert app.screen.query_one(Input).value == '"question 77 " beta'
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.screen, MainScreen)
        await pilot.press("escape")
        await settle(pilot)
        assert not main.transcript_pane.has_class("-finding")
        assert main.has_class("-reading")


async def test_a_session_that_a_filter_hides_is_read_all_the_same() -> None:
    async with running(store_with("alpha", "beta")) as (app, pilot):
        await pilot.press("/", *"alpha", "enter")
        await settle(pilot)
        await search(pilot, "beta")
        await pilot.press("enter", "enter")
        await until(lambda: shows(app, "2 of 3"))

        assert app.main.reading.path == path_of("beta")
        assert app.main.filter_line.text == ""


async def test_what_is_typed_after_text_in_the_filter_is_searched() -> None:
    async with running(store_with("alpha", "beta")) as (app, pilot):
        await pilot.press("/", *"text: about beta")
        await settle(pilot)
        assert shows(app, "Title alpha")
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, SearchScreen))
        await settle(pilot)

        assert app.screen.query_one(Input).value == "about beta"
        assert "2 matches in 1 session" in said(app)
        assert app.main.filter_line.text == ""


async def test_typing_alone_begins_a_search_and_a_new_one_takes_its_place() -> None:
    async with running(store_with("alpha", "beta")) as (app, pilot):
        await pilot.press("ctrl+f", *"alpha")
        await settle(pilot)
        assert "matches in 1 session" in said(app)
        await pilot.press("ctrl+u", *"nowhere-at-all")
        await settle(pilot)

        assert "nothing found" in said(app)
        assert app.screen.query_one(OptionList).option_count == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("re:/qu.stion/", "4 matches in 2 sessions"),
        ("re:/(/", "no pattern"),
        (r"re:/(\S+\s?)+$(?!)/", "takes too long"),
        ('""', "Searches the text"),
    ],
)
async def test_patterns_work_or_say_why_not(text: str, told: str) -> None:
    async with running(store_with("alpha", "beta")) as (app, pilot):
        await search(pilot, text)

        assert told in said(app)


async def test_hostile_text_is_shown_harmless() -> None:
    store = MemoryStore(clock=lambda: NOW_MS)
    title = "Bad \x1b]0;x\x07[/red] [bold]"
    store.write(path_of("bad"), session(title, "needle \x1b[2J\u202e [/x] [b]"), mtime_ms=NOW_MS)
    async with running(store) as (app, pilot):
        await search(pilot, "needle")

        assert shows(app, "[/red] [bold]")
        assert shows(app, "[/x] [b]")
        assert not set(said(app)) & {"\x1b", "\x07", "\u202e"}


async def test_a_session_with_much_tells_that_there_is_more() -> None:
    async with running(store_with("alpha", size=50)) as (app, pilot):
        await search(pilot, "question")

        assert f"{PER_SESSION} matches in 1 session" in said(app)
        assert shows(app, "and more")


async def test_a_session_that_went_meanwhile_is_told() -> None:
    store = store_with("alpha", "beta")
    async with running(store) as (app, pilot):
        await search(pilot, "beta")
        store.delete(path_of("beta"))
        await app.workspace.settled()
        await pilot.press("enter", "enter")
        await settle(pilot)

        assert shows(app, "This session is gone")
        assert app.main.reading.path == path_of("alpha")


async def test_the_list_is_cut_anew_for_another_width() -> None:
    store = MemoryStore(clock=lambda: NOW_MS)
    store.write(path_of("long"), session("Long", "x " * 60 + "needle " + "y " * 60))
    async with running(store) as (app, pilot):
        await search(pilot, "needle")
        for width in (60, 140):
            await pilot.resize_terminal(width, 34)
            await settle(pilot)
            assert sum("needle" in row and "…" in row for row in rows(app)) == 2


class SlowBackend(MemoryBackend):
    """Answers reads of whole sessions only when it is let go."""

    blocked = False

    async def read(self, ranges: Sequence[Range]) -> list[bytes | None]:
        """Wait as long as it is blocked."""
        await until(lambda: not self.blocked)
        return await super().read(ranges)


async def test_escape_ends_a_search_and_then_leaves() -> None:
    backends: list[SlowBackend] = []

    def connect(_source: object, _password: object) -> SlowBackend:
        backends.append(SlowBackend(store_with("alpha", "beta")))
        return backends[-1]

    async with running(connect=connect) as (app, pilot):
        backends[0].blocked = True
        await pilot.press("ctrl+f", *"beta", "enter")
        await until(lambda: "searching" in said(app))
        await pilot.press("escape")
        await until(lambda: "stopped" in said(app))
        assert isinstance(app.screen, SearchScreen)
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, MainScreen))
        backends[0].blocked = False


def test_bounds_are_what_the_screen_can_hold() -> None:
    assert PER_SESSION < MAX_MATCHES <= 10_000
