"""Text fields: keys that arrive together are taken in the order they were typed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from textual import events
from textual.widgets import Input

from sessiontui.app.screens.rename_dialog import RenameDialog
from tests.app.support import running, settle, shows, store_with
from tests.waiting import until

if TYPE_CHECKING:
    from sessiontui.app.app import SessionApp

FIELDS = {
    "find": ("slash",),
    "transcript-find-text": ("tab", "slash"),
    "search-text": ("ctrl+f",),
    "title": ("r",),
    "path": ("r", "tab"),
    "to": ("c",),
    "cwd": ("c", "tab"),
    "place": ("e", "tab"),
    "moment": ("tab", "at"),
}
"""Every field by its id, with the keys that lead there."""

EDITED = {
    "x y backspace z": "xz",
    "a b c home x": "xabc",
    "a b c ctrl+u d": "d",
    "a space b ctrl+w c": "a c",
    "a b left ctrl+k c left d end e": "adce",
    "a b home shift+end c": "c",
    "a b ctrl+a delete c": "cb",
}
"""What is typed at once, and what the field holds then."""


def type_at_once(app: SessionApp, *keys: str) -> None:
    """Send keys as they come when the terminal reads them together."""
    for key in keys:
        character = {"slash": "/", "space": " "}.get(key, key if len(key) == 1 else None)
        app.post_message(events.Key(key, character))


def _ends(field: Input) -> bool:
    """Tell whether the last key has come."""
    return "n" in field.value


@pytest.mark.parametrize(("name", "keys"), FIELDS.items(), ids=FIELDS)
async def test_editing_keys_in_a_burst_are_taken_in_order(name: str, keys: tuple[str, ...]) -> None:
    async with running(store_with("alpha", "beta")) as (app, pilot):
        for key in keys:
            await pilot.press(key)
            await settle(pilot)
        field = app.screen.query_one(f"#{name}", Input)
        assert field.has_focus
        for typed, text in EDITED.items():
            if name in ("to", "cwd") and "ctrl+a" in typed:
                continue  # There it answers the dialog.
            field.value = ""
            type_at_once(app, *typed.split(), "n")
            await until(partial(_ends, field))
            assert field.value.replace("n", "") == text


async def test_enter_in_a_burst_takes_what_was_typed_before_it() -> None:
    async with running(store_with("alpha", "beta")) as (app, pilot):
        type_at_once(app, "slash", *"beat", "backspace", "backspace", *"ta", "enter")
        await until(lambda: app.main.filter_line.text == "beta" and app.main.sessions.has_focus)
        await until(lambda: shows(app, "1 match"))
        await settle(pilot)
        type_at_once(app, "slash", *"x", "escape")
        await until(lambda: not app.main.filter_line.text and app.main.sessions.has_focus)
        await until(lambda: shows(app, "Title alpha"))
        await pilot.press("r")
        await until(lambda: isinstance(app.screen, RenameDialog))
        type_at_once(app, *"Nax", "backspace", *"me", "enter")
        await until(lambda: app.screen is app.main)
        await until(lambda: shows(app, "Name"))
