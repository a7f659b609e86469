"""The hidden screen that tells how the app is doing."""

from __future__ import annotations

import re

from sessiontui.app.screens.diagnostics import DiagnosticsScreen
from sessiontui.formats.jsonl import encode_entry
from tests.app.support import path_of, rows, running, store_with
from tests.waiting import until


async def test_the_hidden_screen_shows_figures_and_no_text_of_a_session() -> None:
    store = store_with("private")
    async with running(store) as (app, pilot):
        await pilot.press("ctrl+backslash")
        await until(lambda: isinstance(app.screen, DiagnosticsScreen))
        await until(lambda: any("Diagnostics" in row for row in rows(app)))
        shown = "\n".join(str(static.render()) for static in app.screen.query("#figures"))
        for word in ("versions", "latency", "CPU", "memory", "feed", "sessions", "kept"):
            assert word in shown
        assert "1, 0 queued" in shown
        assert "private" not in shown
        await pilot.press("escape")
        await until(lambda: not isinstance(app.screen, DiagnosticsScreen))


async def test_what_was_read_and_applied_is_counted() -> None:
    store = store_with("first")
    async with running(store) as (app, pilot):
        before = app.workspace.figures()
        assert before.bytes_read > 0
        store.append(path_of("first"), encode_entry({"type": "message", "id": "x"}))
        await until(lambda: app.workspace.figures().changes > before.changes)
        assert app.workspace.figures().batches > before.batches
        await pilot.press("ctrl+backslash")
        await until(lambda: isinstance(app.screen, DiagnosticsScreen))
        shown = "\n".join(str(static.render()) for static in app.screen.query("#figures"))
        assert re.search(r"latency +not measured yet|latency +median \d+ ms", shown)
