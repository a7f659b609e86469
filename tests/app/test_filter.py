"""What a filter selects: nothing where it is not understood, not done, or fits but by letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual import events

from sessiontui.app.screens.delete_dialog import DeleteDialog
from sessiontui.app.screens.export_dialog import ExportDialog
from sessiontui.app.screens.transfer_dialog import TransferDialog
from sessiontui.app.widgets.session_list.filter_line import FilterInput
from tests.app.support import path_of, running, settle, shows, store_with
from tests.waiting import until

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from sessiontui.app.app import SessionApp

NAMES = ("alpha", "beta", "gamma", "delta", "epsilon")


async def filtered(app: SessionApp, pilot: Pilot[None], text: str) -> None:
    """Type a filter, go to the list, and wait until what is typed was looked at."""
    await pilot.press("/", *text, "enter")
    catalog = app.workspace.catalog
    await until(lambda: catalog.wrong or catalog.is_result_of(text))
    await until(lambda: app.focused is app.main.sessions)
    await pilot.pause()


@pytest.mark.parametrize(
    "text", ["age:>30days", "age:>3", "age:", "size:>5Q", "re:/(/", '""', "nokey:x", "status:er"]
)
async def test_a_filter_that_is_not_understood_selects_nothing(text: str) -> None:
    store = store_with(*NAMES)
    async with running(store) as (app, pilot):
        await filtered(app, pilot, text)
        await until(lambda: shows(app, "Filter not understood: nothing matches"))
        await until(lambda: shows(app, "filter not understood: "))
        assert not shows(app, "Title alpha")
        assert not shows(app, "5 matches")
        for key in ("ctrl+a", "asterisk", "V"):
            await pilot.press(key)
            await until(lambda: shows(app, "Not selected: the filter is not understood"))
            assert not app.workspace.catalog.marks
            await pilot.press("G")
        for key in ("d", "c", "m", "e", "p", "y"):
            await pilot.press(key)
            await until(lambda: shows(app, "the filter is not understood"))
            assert app.screen is app.main
            await pilot.press("G")
        assert len(store.sessions) == len(NAMES)
        await pilot.press("escape")
        await until(lambda: shows(app, "Title alpha"))


async def test_marks_are_not_acted_on_while_the_filter_is_not_understood_and_stay() -> None:
    async with running(store_with(*NAMES)) as (app, pilot):
        await pilot.press("space", "space")
        await filtered(app, pilot, "age:>30days")
        await pilot.press("d")
        await until(lambda: shows(app, "Nothing to delete: the filter is not understood"))
        assert app.screen is app.main
        await pilot.press("escape")
        await until(lambda: shows(app, "Title alpha"))
        assert len(app.workspace.catalog.marks) == 2
        await pilot.press("d")
        await until(lambda: isinstance(app.screen, DeleteDialog))


async def test_while_a_condition_is_typed_the_list_waits_and_counts_nothing() -> None:
    async with running(store_with(*NAMES)) as (app, pilot):
        await pilot.press("/", *"title age:>3")
        await until(lambda: app.main.caption.told[0].startswith("age:>3: an age is like"))
        assert app.main.caption.told[1] == "past"
        assert shows(app, "Title alpha")
        assert shows(app, "…  ")
        assert not shows(app, "match")
        catalog = app.workspace.catalog
        assert (catalog.shown, list(catalog.fitting)) == (0, [])
        await pilot.press("h")
        await until(lambda: shows(app, "2 matches"))
        await pilot.press("backspace", "enter")
        await until(lambda: shows(app, "Filter not understood: nothing matches"))


async def test_without_a_literal_match_similar_ones_are_shown_as_such_and_not_taken() -> None:
    async with running(store_with(*NAMES)) as (app, pilot):
        await filtered(app, pilot, "tial")
        await until(lambda: shows(app, "no literal match · 1 similar"))
        await until(lambda: shows(app, "Title alpha"))
        assert shows(app, "1 similar ")
        for keys in (("ctrl+a",), ("asterisk",), ("g", "space")):
            await pilot.press(*keys)
            await until(lambda: shows(app, "Not selected: no literal match"))
            assert not app.workspace.catalog.marks
            await pilot.press("G")
        await pilot.press("space")
        assert list(app.workspace.catalog.marks) == [path_of("alpha")]


async def test_all_that_fit_are_those_of_what_is_typed_now() -> None:
    async with running(store_with(*NAMES)) as (app, pilot):
        marks = app.workspace.catalog.marks
        await filtered(app, pilot, "title")
        field = app.main.query_one(FilterInput)
        for text in ("alpha", "", "age:>30days", "//"):
            field.value = text
            app.main.sessions.action_mark_all()  # Before anything looked at what is typed.
            app.main.sessions.action_mark_invert()
            app.main.sessions.action_mark_range()
            assert not marks
            await until(lambda: shows(app, "Not selected: the filter is "))
            await settle(pilot)
        field.value = "alpha"
        await until(lambda: app.workspace.catalog.is_result_of("alpha"))
        await pilot.press("ctrl+a")
        assert list(marks) == [path_of("alpha")]


async def test_a_search_that_goes_on_is_not_taken_for_its_result() -> None:
    async with running(store_with(*NAMES)) as (app, pilot):
        app.main.query_one(FilterInput).value = "alpha"
        catalog = app.workspace.catalog
        await until(lambda: catalog.is_result_of("alpha"))
        steps = catalog.search("alpha")  # As it is done again for what changes with time.
        next(steps)
        app.main.sessions.action_mark_all()
        assert not catalog.marks
        await until(lambda: shows(app, "Not selected: the filter is still at work"))
        for _ in steps:
            pass
        await pilot.pause()
        app.main.sessions.action_mark_all()
        assert list(catalog.marks) == [path_of("alpha")]


@pytest.mark.parametrize(
    ("key", "dialog"),
    [("d", DeleteDialog), ("c", TransferDialog), ("m", TransferDialog), ("e", ExportDialog)],
)
async def test_a_question_about_many_names_the_filter_and_the_first(
    key: str, dialog: type[DeleteDialog | TransferDialog | ExportDialog]
) -> None:
    async with running(store_with(*NAMES)) as (app, pilot):
        await filtered(app, pilot, "title:Title -gamma")
        await pilot.press("ctrl+a", key)
        await until(lambda: isinstance(app.screen, dialog))
        await until(lambda: shows(app, "Filter: title:Title -gamma"))
        assert shows(app, "“Title alpha”, “Title beta”, “Title delta” and 1 more")
        await pilot.press("escape", "escape", "escape")
        await until(lambda: not app.main.filter_line.text)
        await until(lambda: app.workspace.catalog.is_result_of(""))
        await pilot.press("ctrl+a", "d")
        await until(lambda: isinstance(app.screen, DeleteDialog))
        await until(lambda: shows(app, "No filter"))
        await pilot.press("escape", "escape", "g", "down", "space", "space", "d")
        await until(lambda: isinstance(app.screen, DeleteDialog))
        await until(lambda: shows(app, "“Title alpha”, “Title beta”"))
        assert not shows(app, "No filter")
        assert not shows(app, "Filter:")


async def test_a_filter_that_is_pasted_shows_its_end() -> None:
    async with running(store_with(*NAMES), size=(120, 40)) as (app, pilot):
        await pilot.press("/")
        field = app.main.query_one(FilterInput)
        field.post_message(events.Paste("project:api status:error age:<7d cost:>0"))
        await until(lambda: shows(app, "cost:>0 ") and shows(app, "0 matches"))
        await until(lambda: field.scroll_offset.x == field.max_scroll_x > 0)
