"""The heading of a transcript tells its session in figures."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sessiontui.app.widgets.details import token_words
from sessiontui.formats.base import Tokens
from sessiontui.formats.jsonl import encode_entries
from sessiontui.search import session_index
from sessiontui.storage.memory import MemoryStore
from tests.app.support import NOW_MS, path_of, running, session, settle, shows
from tests.waiting import until

if TYPE_CHECKING:
    import pytest


def answered(cost: float) -> bytes:
    """Return an answer that cost so much."""
    usage = {"input": 1200, "output": 340, "cacheRead": 8800, "cost": {"total": cost}}
    message = {"role": "assistant", "model": "claude-opus-4-5", "usage": usage, "content": []}
    return encode_entries([{"type": "message", "id": "a9", "message": message}])


async def test_entries_turns_cost_and_tokens_are_told_and_follow() -> None:
    store = MemoryStore(clock=lambda: NOW_MS)
    store.write(path_of("one"), session("One", "Hello", "Go on") + answered(0.5), mtime_ms=NOW_MS)
    async with running(store, size=(220, 34)) as (app, pilot):
        assert shows(app, "opus-4.5 · 5 entries · 2 turns")
        assert shows(app, "$0.50 · 10k in (88% cached), 340 out")

        store.append(path_of("one"), answered(0.25))
        await until(lambda: shows(app, "6 entries"))
        await settle(pilot)
        assert shows(app, "$0.75")


async def test_a_session_that_grows_large_while_it_is_read_is_counted_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = session("One", "Hello", "Go on")
    monkeypatch.setattr(session_index, "MOST_BYTES", len(data) + 10)
    store = MemoryStore(clock=lambda: NOW_MS)
    store.write(path_of("one"), data, mtime_ms=NOW_MS)
    async with running(store, size=(220, 34)) as (app, _pilot):
        for count in range(5, 9):
            store.append(path_of("one"), answered(0.25))
            await until(partial(shows, app, f"{count} entries"))


async def test_a_session_without_cost_tells_none() -> None:
    store = MemoryStore(clock=lambda: NOW_MS)
    store.write(path_of("one"), session("One", "Hello"), mtime_ms=NOW_MS)
    async with running(store, size=(220, 34)) as (app, _pilot):
        assert shows(app, "2 entries · 1 turn · ")
        assert not shows(app, "$")
        assert not shows(app, " in")


def test_tokens_in_words() -> None:
    assert token_words(Tokens(input=10, output=5)) == "10 in, 5 out"
    assert token_words(Tokens(0, 2_000_000, 900, 100)) == "1.0k in (90% cached), 2.0M out"
