"""What the user does to the list as a whole, by keys: filter, flatten, pin, hide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual.screen import Screen

from sessiontui.app.columns import COLUMNS, DEFAULT_COLUMNS, fit_columns
from sessiontui.app.screens.columns_dialog import ColumnOptions, ColumnsDialog
from sessiontui.app.widgets.session_list.filter_line import FilterInput
from sessiontui.formats.jsonl import encode_entries
from sessiontui.storage.storage import open_backend
from sessiontui.times import iso_time
from tests.app.support import NOW_MS, path_of, rows, running, session, settle, shows, store_with
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from textual.geometry import Size
    from textual.pilot import Pilot

    from sessiontui.app.app import SessionApp
    from sessiontui.sources import Source
    from sessiontui.storage.backend import Backend
    from sessiontui.storage.memory import MemoryStore

HOUR_MS = 3_600_000


def stub(session_id: str) -> bytes:
    """Return a session that was begun and left."""
    header = {"type": "session", "version": 3, "id": session_id, "timestamp": iso_time(NOW_MS)}
    return encode_entries([{**header, "cwd": "/home/mira/code/api"}])


def connect(source: Source, password: str | None) -> Backend:
    return open_backend(source, password=password)


def caption(app: SessionApp) -> str:
    return app.main.caption.told[0]


def listed(app: SessionApp) -> list[str]:
    """Return the titles in the list, from top to bottom."""
    catalog = app.workspace.catalog
    lines = catalog.lines(0, catalog.height)
    return [line.row.title if hasattr(line, "row") else line.key for line in lines]


async def type_query(pilot: Pilot[None], text: str) -> None:
    await pilot.press("/", *text)
    await pilot.pause()


def two_projects() -> MemoryStore:
    store = store_with("alpha", "beta")
    web = session("Title web", cwd="/home/mira/code/web", session_id="web")
    store.write(path_of("web", "/-code-web"), web, mtime_ms=NOW_MS - 5 * HOUR_MS)
    return store


@pytest.mark.parametrize("size", [(100, 24), (60, 14)])
async def test_what_is_wrong_is_told_whole_where_there_is_little_room(
    size: tuple[int, int],
) -> None:
    async with running(two_projects(), size=size) as (app, pilot):
        await type_query(pilot, "status:nix")
        await until(lambda: "status takes" in caption(app))
        await until(lambda: all(shows(app, word) for word in ("complete", "stalled", "done")))
        assert "to the list" in rows(app)[-1]
        await pilot.press("escape")
        await until(lambda: shows(app, "Title alpha"))
        assert not shows(app, "stalled")
        assert "open" in rows(app)[-1]


async def test_what_is_wrong_with_a_query_stands_beneath_it_and_nothing_matches() -> None:
    async with running(two_projects()) as (app, pilot):
        await type_query(pilot, "title:alpha")
        await until(lambda: listed(app) == ["~/code/api", "Title alpha"])
        await pilot.press(*" size:>5Q")
        await until(lambda: "a size is like >5M" in caption(app))
        assert caption(app).startswith("filter not understood: size:>5Q: a size is like")
        await until(lambda: shows(app, "Filter not understood: nothing matches"))
        assert shows(app, "filter not understood: size:>5Q")
        assert shows(app, "not understood  ")
        assert not shows(app, "match ")
        assert not shows(app, "Title alpha")
        assert listed(app) == []
        assert isinstance(app.focused, FilterInput)
        await pilot.press("backspace", "backspace", "1")
        await until(lambda: caption(app) == "")
        await until(lambda: app.workspace.catalog.shown == 1)
        await pilot.press("escape")
        await until(lambda: len(listed(app)) == 5)


async def test_keys_in_the_find_field_do_not_lay_out_the_screen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(two_projects(), size=(120, 30)) as (app, pilot):
        await type_query(pilot, "t")
        await until(lambda: shows(app, "3 matches"))
        layouts: list[str] = []
        layout = Screen._refresh_layout

        def counted(screen: Screen[None], size: Size | None = None) -> None:
            layouts.append(app.main.filter_line.text)
            layout(screen, size)

        monkeypatch.setattr(Screen, "_refresh_layout", counted)
        await pilot.press(*"itle alph")
        await until(lambda: shows(app, "1 match"))
        await pilot.press(*" and much more that is wider than the field itself")
        await until(lambda: shows(app, "field itself"))
        assert shows(app, "no match") or shows(app, "0 matches")
        assert not layouts


async def test_an_error_that_is_cleared_away_leaves_the_whole_list() -> None:
    async with running(two_projects()) as (app, pilot):
        await type_query(pilot, "re:/(")
        await until(lambda: "no slash at its end" in caption(app))
        await pilot.press("escape")
        await until(lambda: caption(app) == "")
        assert len(listed(app)) == 5


async def test_keys_are_hinted_while_one_types() -> None:
    async with running(two_projects()) as (app, pilot):
        await pilot.press("/")
        await until(lambda: "status:error" in caption(app))
        await pilot.press(":")
        await until(lambda: caption(app).startswith("status project title"))
        await pilot.press("escape")
        await until(lambda: caption(app) == "")


async def test_one_key_sorts_what_was_found_best_first_and_then_as_the_list() -> None:
    store = store_with("alpha", "beta")
    better = session("Question", "Title", session_id="q")
    store.write(path_of("q"), better, mtime_ms=NOW_MS - 9 * HOUR_MS)
    async with running(store) as (app, pilot):
        await type_query(pilot, "question")
        await until(lambda: app.workspace.catalog.ranked)
        await until(lambda: listed(app)[1] == "Question")
        await until(lambda: shows(app, "best first"))
        await pilot.press("enter", "s")
        await until(lambda: shows(app, "newest first"))
        assert listed(app)[-1] == "Question"
        await pilot.press("s", "s", "s", "s")
        await until(lambda: shows(app, "best first"))


async def test_all_sessions_in_one_list_and_back() -> None:
    async with running(two_projects()) as (app, pilot):
        await pilot.press("t")
        await until(lambda: listed(app) == ["Title alpha", "Title beta", "Title web"])
        assert shows(app, "Flat list")
        await pilot.press("t")
        await until(lambda: len(listed(app)) == 5)


async def test_pinned_sessions_go_to_the_top_and_come_back() -> None:
    async with running(two_projects()) as (app, pilot):
        await pilot.press("G", "p")
        await settle(pilot)
        assert rows(app)[4].lstrip().startswith("▾ Pinned")
        assert listed(app)[1] == "Title web"
        assert app.main.sessions.highlighted == path_of("web", "/-code-web")
        await pilot.press("t")
        await settle(pilot)
        assert listed(app)[1:] == ["Title web", "Title alpha", "Title beta"]
        await pilot.press("p")
        await settle(pilot)
        assert listed(app) == ["Title alpha", "Title beta", "Title web"]
        await pilot.press("ctrl+a", "p")
        await settle(pilot)
        assert shows(app, "Pinned 3 sessions to the top")
        assert len(app.workspace.catalog.pins) == 3


async def test_empty_sessions_are_counted_and_shown_by_a_key() -> None:
    store = two_projects()
    for name in ("e1", "e2"):
        store.write(path_of(name), stub(name), mtime_ms=NOW_MS - HOUR_MS)
    async with running(store) as (app, pilot):
        assert "e1" not in "".join(listed(app))
        assert caption(app) == "2 empty sessions hidden  z shows"
        await pilot.press("z")
        await settle(pilot)
        assert len(listed(app)) == 7
        assert caption(app) == ""
        await pilot.press("z")
        await settle(pilot)
        assert len(listed(app)) == 5
        app.show_session(path_of("e1"))
        await settle(pilot)
        assert app.main.sessions.highlighted == path_of("e1")


async def test_columns_are_chosen_seen_at_once_and_taken_back() -> None:
    async with running(two_projects(), size=(160, 30)) as (app, pilot):
        assert not app.main.caption.heads
        await pilot.press("C")
        await until(lambda: isinstance(app.screen, ColumnsDialog))
        await until(lambda: app.screen.query_one(ColumnOptions).highlighted == 0)
        turns = [column.id for column in COLUMNS].index("turns")
        await pilot.press(*["down"] * turns, "space", "enter")
        await until(lambda: app.screen is app.main)
        await settle(pilot)
        await until(lambda: app.main.caption.heads == "  turns     size   age ")
        head = next(y for y, line in enumerate(rows(app)) if "turns" in line)
        column = rows(app)[head].index("turns") + len("turns")
        line = next(line for line in rows(app) if "✓ Title alpha" in line)
        assert line[column - 1 : column] == "1"  # Counted, since it is looked at.
        await pilot.press("C", "u")
        await until(lambda: not app.main.caption.heads)
        await pilot.press("escape")
        await until(lambda: app.main.caption.heads != "")


async def test_when_sessions_were_begun_stands_under_its_own_heading() -> None:
    async with running(two_projects(), size=(160, 30)) as (app, pilot):
        assert not app.main.caption.heads
        await pilot.press("s")
        await until(lambda: shows(app, "newest created"))
        assert app.main.caption.heads.split() == ["created", "size", "age"]


async def test_a_click_on_a_heading_sorts_by_it_and_turns_it_round() -> None:
    async with running(two_projects(), size=(160, 30)) as (app, pilot):
        app.main.listing.show_columns(("turns", "size", "age"))
        await pilot.pause()
        x = app.main.caption.size.width - 3 - len("   age")
        await pilot.click(app.main.caption, offset=(x, 0))
        await until(lambda: app.workspace.catalog.sort == "size")
        await pilot.click(app.main.caption, offset=(x, 0))
        await until(lambda: app.workspace.catalog.reverse)
        await pilot.click(app.main.caption, offset=(app.main.caption.size.width - 4, 0))
        await until(lambda: app.workspace.catalog.sort == "modified")
        await pilot.click(app.main.caption, offset=(x - 9, 0))
        await until(lambda: app.workspace.catalog.sort == "turns")
        await until(lambda: shows(app, "most turns"))


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (18, ""),
        (19, "age"),
        (50, "age"),
        (51, "cost age"),
        (66, "tokens cost age"),
        (68, "tokens cost size age"),
        (86, "turns tokens cost size age"),
        (114, "model created turns tokens cost size age"),
        (136, "project model created turns tokens cost size age"),
    ],
)
def test_columns_are_left_out_by_importance_where_there_is_no_room(width: int, shown: str) -> None:
    chosen = tuple(column.id for column in COLUMNS if column.id not in ("agent", "entries"))
    found = fit_columns(chosen, width, "modified", projects=True)
    assert " ".join(column.id for column in found if column.id != "now") == shown


def test_the_column_sorted_by_is_shown_before_all_else() -> None:
    found = fit_columns(DEFAULT_COLUMNS, 50, "size", projects=False)
    assert [column.id for column in found] == ["now", "size", "age"]
    found = fit_columns(("age",), 50, "created", projects=False)
    assert [column.id for column in found] == ["created", "age"]


async def test_in_a_folder_orphans_stand_below_and_empty_sessions_are_hidden(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "-code-api"
    sidecar = folder / "2026-11-22T10-00-00-000Z_gone"
    sidecar.mkdir(parents=True)
    (folder / "2026-11-23T10-00-00-000Z_alpha.jsonl").write_bytes(session("Alpha"))
    (folder / "2026-11-23T11-00-00-000Z_stub.jsonl").write_bytes(stub("stub"))
    (sidecar / "agent.jsonl").write_bytes(session("Lost", session_id="lost"))
    async with running(source=str(tmp_path), connect=connect) as (app, pilot):
        assert listed(app) == ["~/code/api", "Alpha", "other", "Lost"]
        await pilot.press("z")
        await settle(pilot)
        assert len(listed(app)) == 5
        await pilot.press("z", "G", "p", "t")
        await settle(pilot)
        assert listed(app)[1:] == ["Lost", "Alpha"]
        await type_query(pilot, "is:orphan -is:empty size:>1")
        await until(lambda: listed(app) == ["Lost"])
