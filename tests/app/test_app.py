"""The main screen, driven by keys and mouse over sessions in memory."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
from rich.color import Color, ColorSystem
from textual import events
from textual.command import CommandList
from textual.geometry import Size
from textual.widgets import Button, Input

from sessiontui.app.actions import ACTIONS, CONTEXTS
from sessiontui.app.screens.help_screen import HelpScreen
from sessiontui.app.screens.rename_dialog import RenameDialog
from sessiontui.app.theme import DARK, LIGHT, themes
from sessiontui.app.widgets.footer import FooterMessage
from sessiontui.config import Config
from sessiontui.errors import ConfigError
from sessiontui.formats.jsonl import encode_entry
from sessiontui.storage.memory import MemoryBackend
from sessiontui.times import iso_time
from tests.app.support import (
    NOW_MS,
    answer,
    hold_up,
    path_of,
    rows,
    running,
    session,
    settle,
    shows,
    store_with,
)
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection

    from textual.message import Message
    from textual.pilot import Pilot

    from sessiontui.app.app import SessionApp
    from sessiontui.storage.backend import WatchEvent


class SilentBackend(MemoryBackend):
    """A source that never answers."""

    @asynccontextmanager
    async def watch(
        self, visible: Callable[[], Collection[str]] = tuple
    ) -> AsyncIterator[AsyncIterator[WatchEvent]]:
        await asyncio.Event().wait()
        async with super().watch(visible) as signals:
            yield signals


def in_list(app: SessionApp) -> bool:
    return app.focused is app.main.sessions


def in_transcript(app: SessionApp) -> bool:
    return app.focused is app.main.transcript


@pytest.mark.parametrize("context", CONTEXTS)
async def test_every_key_of_the_table_does_its_action(context: str) -> None:
    async with running(store_with("beta")) as (app, pilot):
        if context == "transcript":
            await pilot.press("tab")
            await pilot.pause()
        active = app.screen.active_bindings
        for action in ACTIONS:
            if action.context != context:
                continue
            bound = {
                binding.key
                for _node, binding, enabled, _tooltip in active.values()
                if binding.id == action.id and enabled
            }
            assert len(bound) == len(action.keys), action.id
            target = {"list": app.main.sessions, "transcript": app.main.transcript}.get(
                context, app.main
            )
            namespace, _, name = action.run.rpartition(".")
            node = {"app": app, "screen": app.main}.get(namespace, target)
            assert hasattr(node, f"action_{name}"), action.id


async def test_the_screen_is_painted_before_the_source_answers() -> None:
    backend = SilentBackend()
    async with running(connect=lambda *_: backend, settled=False) as (app, pilot):
        await pilot.pause()
        assert shows(app, "loading")
        assert shows(app, "redis://cache:6379")
        await pilot.press("q")


async def test_sessions_stand_newest_first_under_their_project() -> None:
    async with running(store_with("alpha", "beta", "gamma")) as (app, _pilot):
        shown = rows(app)
        places = [
            next(number for number, row in enumerate(shown) if text in row[:55])
            for text in ("~/code/api", "Title alpha", "Title beta", "Title gamma")
        ]
        assert places == sorted(places)
        assert shows(app, "3 sessions")


async def test_the_highlighted_transcript_is_open_at_its_end() -> None:
    async with running(store_with("alpha", "beta", size=40)) as (app, pilot):
        assert shows(app, "Answer to Question 39 about alpha")
        await pilot.press("down")
        await settle(pilot)
        assert shows(app, "Answer to Question 39 about beta")
        assert app.main.reading.path == path_of("beta")


async def test_going_through_the_list_opens_only_where_it_rests() -> None:
    async with running(store_with(*"abcdefgh")) as (app, pilot):
        opened: list[str] = []
        open_document = app.workspace.open_document

        async def counted(path: str) -> object:
            opened.append(path)
            return await open_document(path)

        app.workspace.open_document = counted  # type: ignore[method-assign,assignment]
        for _ in range(6):
            app.main.sessions.action_cursor_down()
        await settle(pilot)
        assert opened == [app.main.sessions.highlighted] == [path_of("g")]


async def test_what_a_peer_appends_is_painted_and_its_row_moves_up() -> None:
    store = store_with("alpha", "beta")
    async with running(store) as (app, pilot):
        await pilot.press("down")
        await settle(pilot)
        line = encode_entry(answer("Fresh from the agent", 9, iso_time(NOW_MS)))
        store.append(path_of("beta"), line, mtime_ms=NOW_MS)
        await until(lambda: shows(app, "Fresh from the agent"))
        assert app.main.sessions.highlighted == path_of("beta")
        shown = rows(app)
        beta, alpha = (
            next(number for number, row in enumerate(shown) if text in row[:55])
            for text in ("Title beta", "Title alpha")
        )
        assert beta < alpha


async def test_the_highlight_survives_a_session_arriving_above_it() -> None:
    store = store_with("alpha", "beta")
    async with running(store) as (app, pilot):
        await pilot.press("down")
        store.write(path_of("new"), store.data(path_of("alpha")) or b"", mtime_ms=NOW_MS)
        await until(lambda: app.workspace.row(path_of("new")))
        await settle(pilot)
        assert app.main.sessions.highlighted == path_of("beta")


async def test_enter_reads_and_escape_goes_back() -> None:
    async with running(store_with("alpha")) as (app, pilot):
        assert in_list(app)
        await pilot.press("enter")
        assert in_transcript(app)
        await pilot.press("escape")
        assert in_list(app)
        await pilot.press("tab")
        assert in_transcript(app)
        await pilot.press("shift+tab")
        assert in_list(app)


async def test_the_footer_offers_the_keys_of_the_focused_pane() -> None:
    async with running(store_with("alpha")) as (app, pilot):
        assert "s sort" in rows(app)[-1]
        await pilot.press("tab")
        await pilot.pause()
        assert "T thinking" in rows(app)[-1]
        assert "q quit" in rows(app)[-1]


async def test_beneath_a_dialog_the_footer_offers_nothing() -> None:
    async with running(store_with("alpha")) as (app, pilot):
        for key in ("r", "d", "c", "C", "?"):
            await pilot.press(key)
            await until(lambda: app.screen is not app.main)
            await until(lambda: not shows(app, "q quit"))
            await pilot.press("escape")
            await until(lambda: app.screen is app.main and shows(app, "q quit"))


async def test_in_a_narrow_terminal_the_footer_still_offers_what_is_wanted_most() -> None:
    async with running(store_with("alpha"), size=(80, 24)) as (app, pilot):
        offered = ("open", "filter", "search", "sort", "rename", "delete", "keys", "quit")
        assert all(f" {label}" in rows(app)[-1] for label in offered)
        await pilot.press("tab")
        await pilot.pause()
        assert all(f" {label}" in rows(app)[-1] for label in ("back", "find", "turns", "quit"))


async def test_a_click_in_the_footer_runs_what_it_says() -> None:
    async with running(store_with("alpha")) as (app, pilot):
        column = rows(app)[-1].index("? keys")
        await pilot.click("#footer", offset=(column, 0))
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)


async def test_sorting_steps_through_the_keys_and_turns_round() -> None:
    async with running(store_with("alpha", "beta")) as (app, pilot):
        catalog = app.workspace.catalog
        assert catalog.sort == "modified"
        await pilot.press("s")
        assert (catalog.sort, catalog.reverse) == ("created", False)
        await pilot.press("s", "S")
        await pilot.pause()
        assert (catalog.sort, catalog.reverse) == ("title", True)
        shown = rows(app)
        beta, alpha = (
            next(number for number, row in enumerate(shown) if text in row[:55])
            for text in ("Title beta", "Title alpha")
        )
        assert beta < alpha


async def test_the_filter_leaves_what_matches_and_escape_clears_it() -> None:
    async with running(store_with("alpha", "beta", "gamma")) as (app, pilot):
        await pilot.press("/", *"bet")
        await until(lambda: shows(app, "1 match"))
        assert not shows(app, "Title alpha")
        await pilot.press("enter")
        assert in_list(app)
        await settle(pilot)
        assert app.main.sessions.highlighted == path_of("beta")
        await pilot.press("escape")
        await until(lambda: shows(app, "Title alpha"))
        assert app.main.filter_line.text == ""


async def test_letters_typed_into_the_filter_are_no_commands() -> None:
    async with running(store_with("alpha")) as (app, pilot):
        await pilot.press("/", *"qdru?")
        await pilot.pause()
        assert app.is_running
        assert app.main.filter_line.text == "qdru?"
        assert app.screen is app.main


async def test_help_lists_every_action_with_its_keys() -> None:
    async with running(store_with("alpha"), size=(140, 40)) as (app, pilot):
        await pilot.press("question_mark")
        await pilot.pause()
        assert all(shows(app, action.help) for action in ACTIONS)
        await pilot.press("escape")
        assert app.screen is app.main


async def test_the_palette_finds_sessions_by_title_and_goes_there() -> None:
    async with running(store_with("alpha", "beta", "gamma")) as (app, pilot):
        await pilot.press("ctrl+p")
        await pilot.press(*"title gam")
        await until(lambda: shows(app, "Title gamma  3h"))
        await pilot.press("down", "enter")
        await until(lambda: app.screen is app.main)
        await until(lambda: app.main.sessions.highlighted == path_of("gamma"))


async def test_the_palette_runs_actions() -> None:
    async with running(store_with("alpha")) as (app, pilot):
        await pilot.press("ctrl+p")
        await pilot.press(*"show all keys")
        await until(lambda: shows(app, "Show all keys"))
        await pilot.press("down", "enter")
        await until(lambda: isinstance(app.screen, HelpScreen))


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("delete", "Delete (move to trash)  d"),
        ("rename", "Rename title or path  r"),
        ("filter", "Filter sessions  /"),
    ],
)
async def test_the_palette_finds_a_command_by_its_word_above_sessions(
    query: str, first: str
) -> None:
    store = store_with("alpha")
    data = session("Delete, rename, filter", session_id="words")
    store.write(path_of("words"), data, mtime_ms=NOW_MS - 1)
    async with running(store) as (app, pilot):
        await pilot.press("ctrl+p", *query)
        await until(lambda: shows(app, "Delete, rename, filter  now"))
        listed = app.screen.query_one(CommandList)
        assert str(listed.get_option_at_index(0).prompt).strip() == first


@pytest.mark.parametrize(
    ("keys", "first"), [("", "Filter sessions"), ("tab", "Last entry, and follow")]
)
async def test_the_palette_begins_with_what_the_focused_pane_can_do(keys: str, first: str) -> None:
    async with running(store_with("alpha")) as (app, pilot):
        await pilot.press(*keys.split(), "ctrl+p")
        await until(lambda: shows(app, first))
        listed = app.screen.query_one(CommandList)
        assert str(listed.get_option_at_index(0).prompt).strip().startswith(first)


async def test_markup_in_a_title_is_shown_as_it_is_everywhere() -> None:
    store = store_with("alpha")
    data = (store.data(path_of("alpha")) or b"").replace(b"Title alpha", b"Odd [/x][b]")
    store.write(path_of("alpha"), data, mtime_ms=NOW_MS - 10_000_000)
    async with running(store) as (app, pilot):
        assert shows(app, "Odd [/x][b]")
        await pilot.press("r")
        await until(lambda: app.screen is not app.main)
        assert shows(app, "Odd [/x][b]")
        await pilot.press("escape", "d")
        await until(lambda: shows(app, "Delete “Odd [/x][b]”?"))
        await pilot.press("escape", "ctrl+p", *"odd")
        await until(lambda: shows(app, "Odd [/x][b]"))
        await pilot.press("escape")


async def test_the_theme_can_be_switched_and_configured() -> None:
    async with running(store_with("alpha")) as (app, pilot):
        assert app.theme == DARK
        await pilot.press("ctrl+t")
        assert app.theme == LIGHT
        await pilot.press("ctrl+t")
        assert app.theme == DARK
    async with running(store_with("alpha"), config=Config(theme="nord")) as (app, _pilot):
        assert app.theme == "nord"


async def test_settings_that_cannot_be_used_are_refused_before_anything_is_painted() -> None:
    for config in (Config(theme="plaid"), Config(keys={"rename": "d"})):
        with pytest.raises(ConfigError):
            async with running(config=config):
                pass


async def test_a_former_name_of_an_action_in_the_configuration_is_told_with_the_new_one() -> None:
    async with running(store_with("alpha"), config=Config(keys={"find": "f"})) as (app, pilot):
        await until(lambda: shows(app, "Configuration, [keys]: find is now filter"))
        await pilot.press("f")
        assert isinstance(app.focused, Input)


async def test_keys_can_be_given_anew() -> None:
    config = Config(keys={"rename": "f8", "filter": "f"})
    async with running(store_with("alpha"), config=config) as (app, pilot):
        assert "F8 rename" in rows(app)[-1]
        await pilot.press("r")
        await pilot.pause()
        assert app.screen is app.main
        await pilot.press("f8")
        await until(lambda: app.screen is not app.main)
        await pilot.press("escape", "f")
        assert isinstance(app.focused, Input)


@pytest.mark.parametrize("key", ["q", "ctrl+q", "ctrl+c"])
async def test_every_key_to_quit_quits(key: str) -> None:
    async with running(store_with("alpha")) as (app, pilot):
        await pilot.press(key)
        await until(lambda: not app.is_running)


async def test_eighty_columns_show_the_list_or_the_transcript() -> None:
    async with running(store_with("alpha"), size=(80, 24)) as (app, pilot):
        assert shows(app, "Title alpha")
        assert not shows(app, "Answer to Question 0")
        await pilot.press("enter")
        await settle(pilot)
        assert shows(app, "Answer to Question 0")
        assert not shows(app, "~/code/api  ")
        await pilot.press("escape")
        await pilot.pause()
        assert not shows(app, "Answer to Question 0")


@pytest.mark.parametrize("size", [(80, 15), (40, 10), (200, 60), (20, 6)])
async def test_any_size_paints(size: tuple[int, int]) -> None:
    async with running(store_with("alpha", "beta"), size=size) as (app, pilot):
        await pilot.press("enter")
        await settle(pilot)
        assert app.main.reading.path == path_of("alpha")
        await pilot.press("escape", "r")
        await until(lambda: app.screen is not app.main)
        await pilot.press("escape")


async def test_fifteen_rows_have_one_line_of_header_and_one_of_footer() -> None:
    async with running(store_with("alpha"), size=(120, 15)) as (app, _pilot):
        shown = rows(app)
        assert "sessiontui" in shown[0]
        assert "filter" in shown[1]
        assert "quit" in shown[14]
        assert not any(row.startswith("───") for row in shown)


async def test_resizing_keeps_highlight_filter_and_transcript() -> None:
    async with running(store_with("alpha", "beta")) as (app, pilot):
        await pilot.press("/", *"beta", "enter")
        await settle(pilot)
        for size in ((70, 20), (140, 40), (60, 12), (120, 34)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
            assert app.main.sessions.highlighted == path_of("beta")
        assert app.main.filter_line.text == "beta"
        assert shows(app, "Answer to Question 0 about beta")


def has_width(app: SessionApp, width: int) -> bool:
    return app.main.footer.size.width == width


async def test_a_process_that_is_held_up_takes_every_size_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(store_with("alpha", "beta")) as (app, pilot):
        hold_up(monkeypatch)
        for width in range(100, 110):
            await pilot.resize_terminal(width, 30)
            await until(partial(has_width, app, width))


@pytest.mark.parametrize("keys", [(), ("d",), ("ctrl+p",), ("question_mark",)], ids=str)
async def test_sizes_that_come_together_do_not_follow_one_another_for_ever(
    keys: tuple[str, ...],
) -> None:
    async with running(store_with("alpha", "beta")) as (app, pilot):
        await pilot.press(*keys)
        handled = 0
        shown = app.screen
        for width in (100, 110, 120):
            shown.post_message(events.Resize(Size(width, 34), Size(width, 34)))
            shown.post_message(events.Callback(lambda: None))

        def count(message: Message) -> None:
            nonlocal handled
            handled += isinstance(message, events.Resize)
            if handled > 50:
                app.exit()

        shown.message_signal.subscribe(app, count, immediate=True)
        await pilot.pause()
        await until(shown._message_queue.empty)
        assert handled < 10
        assert shown.size == app.size == (120, 34)


async def answer_twice(app: SessionApp, pilot: Pilot[None]) -> None:
    """Rename what is held: the same button is pressed once more to move it anyway."""
    answers: list[object] = []
    dialog = RenameDialog(
        app.workspace.catalog.rows[path_of("alpha")],
        held="It grew a moment ago.",
        untitled=None,
        taken=lambda _path: False,
        unit="key",
        enter_key="enter",
    )
    await app.push_screen(dialog, answers.append)
    await pilot.pause()
    button = dialog.query_one("#rename", Button)
    dialog.query_one("#path", Input).value = "/sessions/other.jsonl"
    await until(lambda: not button.disabled)
    dialog.set_focus(button)
    await pilot.press("enter")
    await until(lambda: "anyway" in str(button.label))
    await pilot.press("enter")
    await until(lambda: answers)


async def test_a_process_that_is_held_up_takes_every_press_of_a_button(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(store_with("alpha")) as (app, pilot):
        hold_up(monkeypatch)
        for _ in range(5):
            await answer_twice(app, pilot)


async def test_a_note_of_a_failure_outlives_the_note_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(store_with("alpha")) as (app, pilot):
        footer = app.main.footer
        monkeypatch.setattr("sessiontui.app.widgets.footer._SHOWN_S", 0.0)
        footer.note = FooterMessage("copied", "plain")
        for _ in range(2):  # Its time is over, and what takes it away stands in line.
            await asyncio.sleep(0)
        failure = footer.note = FooterMessage("Not renamed: the server is away", "failed")
        await pilot.pause()
        assert footer.note == failure


async def test_dragging_the_rule_resizes_the_panes() -> None:
    async with running(store_with("alpha")) as (app, pilot):
        splitter = app.main.query_one("#splitter")
        before = splitter.region.x
        await pilot.mouse_down("#splitter", offset=(0, 5))
        await pilot.hover(offset=(before + 12, 8))
        await pilot.mouse_up(offset=(before + 12, 8))
        await pilot.pause()
        assert splitter.region.x == before + 12
        assert rows(app)[1].index("┬") == before + 12
        await pilot.resize_terminal(240, 34)
        await pilot.pause()
        assert abs(splitter.region.x - 2 * (before + 12)) <= 1


async def test_refresh_says_what_it_found() -> None:
    async with running(store_with("alpha", "beta")) as (app, pilot):
        await pilot.press("f5")
        await until(lambda: shows(app, "Refreshed: 2 sessions"))
        await pilot.press("R")
        await until(lambda: shows(app, "Refreshed: 2 sessions"))


async def test_keys_that_come_all_at_once_reach_the_filter_in_order() -> None:
    async with running(store_with("alpha", "beta")) as (app, _pilot):
        for key in ("slash", *"title beta"):
            character = {"slash": "/", " ": " "}.get(key, key)
            app.post_message(events.Key({" ": "space"}.get(key, key), character))
        await until(lambda: app.main.filter_line.text == "title beta")
        await until(lambda: shows(app, "1 match"))


def test_what_the_first_paint_does_not_need_is_not_imported() -> None:
    code = "import sys, sessiontui.app.app; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"redis", "watchfiles", "textual.widgets._markdown", "textual.widgets._text_area"}
    later = {"catalog.query", "workspace.transfer", "search.writer", "app.screens.dialog"}
    assert heavy.isdisjoint(loaded)
    assert {f"sessiontui.{name}" for name in later}.isdisjoint(loaded)
    assert {"pygments", "sqlite3"}.isdisjoint(loaded)


async def test_ascii_alone_is_drawn_where_that_is_wanted() -> None:
    store = store_with(*"abcdefgh", size=40)
    data = session("A title that is far too long for the list " * 3, "| a |\n|---|\n- x")
    store.write(path_of("long"), data, mtime_ms=NOW_MS - 1)
    async with running(store, config=Config(ascii=True), size=(100, 12)) as (app, pilot):
        for keys in ("tab", "X", "tab", "?", "escape", "r", "escape", "d", "escape", "ctrl+p"):
            await pilot.press(keys)
            await pilot.pause()
            assert [row for row in rows(app) if not row.isascii()] == []


async def test_where_no_session_is_chosen_nothing_is_followed() -> None:
    async with running(store_with("alpha")) as (app, pilot):
        assert "following" in rows(app)[-2]
        await pilot.press("up")
        await until(lambda: shows(app, "No session selected"))
        assert "follow" not in rows(app)[-2]
        await pilot.press("down")
        await settle(pilot)
        assert "following" in rows(app)[-2]


def test_sixteen_colours_keep_the_meanings_apart() -> None:
    for theme in themes():
        hues = {
            name: Color.parse(theme.variables[name]).downgrade(ColorSystem.STANDARD).number
            for name in ("live", "attention", "failed", "past", "added", "removed")
        }
        assert hues["live"] in {2, 10}
        assert hues["added"] in {2, 10}
        assert hues["attention"] in {3, 11}
        assert hues["failed"] in {1, 9}
        assert hues["removed"] in {1, 9}
        assert hues["past"] in {7, 8}
