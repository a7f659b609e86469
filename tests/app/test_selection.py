"""Marking sessions in the list: keys, clicks, the sign in front, the count."""

from __future__ import annotations

from tests.app.session_list import HOUR, MINUTE, ListApp, catalog_of, row
from tests.app.support import path_of, running, settle, shows, store_with
from tests.waiting import until


def four() -> ListApp:
    return ListApp(
        catalog_of(
            row("a", ago_ms=MINUTE),
            row("b", ago_ms=2 * MINUTE),
            row("c", ago_ms=HOUR, project="web"),
            row("d", ago_ms=2 * HOUR, project="web"),
        )
    )


def marked(app: ListApp) -> str:
    """Return the names of what is marked."""
    return "".join(sorted(path.rpartition("_")[2][0] for path in app.catalog.marks))


def signs(app: ListApp) -> str:
    """Return the first column of the list."""
    return "".join(line[:1] or " " for line in app.shown()[:6])


async def test_space_marks_and_goes_on_and_the_sign_moves_nothing() -> None:
    app = four()
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.pause()
        before = app.shown()
        await pilot.press("space")
        assert marked(app) == "a"
        assert app.highlighted() == row("b").path
        assert signs(app) == "▖▌    "
        assert [line[1:] for line in app.shown()] == [line[1:] for line in before]
        await pilot.press("up", "space")
        assert marked(app) == ""
        assert app.shown() == before


async def test_a_sign_is_ascii_where_the_rest_is() -> None:
    app = ListApp(four().catalog, ascii_only=True)
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("space")
        assert signs(app) == "-#    "


async def test_space_on_a_heading_marks_the_project_open_or_closed_and_stays() -> None:
    app = four()
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("g", "space")
        assert marked(app) == "ab"
        assert signs(app) == "▌▌▌   "
        await pilot.press("h", "space")
        assert marked(app) == ""
        await pilot.press("space", "down", "down", "space")
        assert marked(app) == "abc"
        assert signs(app) == "▌▖▌   "


async def test_a_range_goes_from_the_last_mark_to_the_highlight_up_or_down() -> None:
    app = four()
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("V")
        assert marked(app) == "a"
        await pilot.press("escape", "space", "G", "V")
        assert marked(app) == "abcd"
        await pilot.press("space", "k", "k", "V")
        assert marked(app) == "abcd"


async def test_a_range_follows_its_session_when_the_order_changes() -> None:
    app = four()
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("down", "space")  # b
        app.catalog.order_by("modified", reverse=True)
        app.sessions.rows_changed()
        app.sessions.select(row("d", project="web").path)
        await pilot.press("V")
        assert marked(app) == "bcd"


async def test_all_and_invert_keep_to_what_fits_the_filter() -> None:
    app = four()
    async with app.run_test(size=(60, 12)) as pilot:
        app.catalog.filter("web")
        app.sessions.rows_changed()
        await pilot.press("ctrl+a")
        assert marked(app) == "cd"
        app.catalog.filter("")
        app.sessions.rows_changed()
        await pilot.press("*")
        assert marked(app) == "ab"
        await pilot.press("ctrl+a")
        assert marked(app) == "abcd"


async def test_clicks_with_ctrl_and_shift_mark() -> None:
    app = four()
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.click("#sessions", offset=(20, 2), control=True)
        assert marked(app) == "b"
        assert app.highlighted() == row("b").path
        await pilot.click("#sessions", offset=(20, 5), shift=True)
        assert marked(app) == "bcd"
        await pilot.click("#sessions", offset=(20, 2), control=True)
        assert marked(app) == "cd"
        await pilot.click("#sessions", offset=(20, 0), control=True)
        assert marked(app) == "abcd"


async def test_the_footer_counts_and_escape_takes_marks_before_the_filter() -> None:
    store = store_with("alpha", "beta", "gamma")
    async with running(store) as (app, pilot):
        await pilot.press("/", *"a", "enter")
        await settle(pilot)
        await pilot.press("space", "space")
        await until(lambda: shows(app, "2 selected · "))
        await pilot.press("escape")
        assert not shows(app, "selected")
        assert app.main.filter_line.text == "a"
        await pilot.press("escape")
        await settle(pilot)
        assert app.main.filter_line.text == ""


async def test_marks_follow_a_rename_and_go_with_a_session_deleted_by_another() -> None:
    store = store_with("alpha", "beta")
    async with running(store) as (app, pilot):
        await pilot.press("ctrl+a")
        await app.workspace.rename(path_of("alpha"), new_path=path_of("moved"))
        await settle(pilot)
        assert app.main.chosen("delete") == [path_of("moved"), path_of("beta")]
        store.delete(path_of("beta"))
        await until(lambda: shows(app, "1 selected"))
        assert app.main.chosen("delete") == [path_of("moved")]


async def test_what_keys_are_about_is_what_is_marked_else_what_is_highlighted() -> None:
    async with running(store_with("alpha", "beta", "gamma")) as (app, pilot):
        assert app.main.chosen("delete") == [path_of("alpha")]
        await pilot.press("down", "space")
        assert app.main.chosen("delete") == [path_of("beta")]
        assert app.main.chosen_one("rename") == path_of("gamma")
        await pilot.press("escape", "g")
        await settle(pilot)
        assert app.main.chosen("delete") == []
        assert shows(app, "Select a session to delete")
