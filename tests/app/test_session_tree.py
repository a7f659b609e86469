"""The list of sessions: what it shows, and that its highlight follows its session."""

from __future__ import annotations

import msgspec
import pytest
from rich.cells import cell_len
from textual.events import MouseScrollDown

from sessiontui.app.columns import COLUMNS
from sessiontui.app.theme import DARK, LIGHT
from sessiontui.app.widgets.session_list.header import SortHeader
from sessiontui.app.widgets.session_list.tree import SessionTree
from sessiontui.catalog.row import Row
from sessiontui.formats.base import OpenCall
from tests.app.session_list import (
    DAY,
    HOUR,
    MINUTE,
    NOW_MS,
    SECOND,
    ListApp,
    catalog_of,
    row,
    sample,
)
from tests.waiting import until


def many(count: int, projects: int = 5) -> list[Row]:
    """Return sessions, one a minute older than the other."""
    return [
        row(f"{number:05}", ago_ms=number * MINUTE, project=f"p{number % projects}")
        for number in range(count)
    ]


def touched(old: Row, ago_ms: int = 0) -> Row:
    """Return the row after its session grew."""
    return msgspec.structs.replace(old, mtime_ms=NOW_MS - ago_ms, size=old.size + 100)


def path_of(name: str, project: str) -> str:
    return row(name, project=project).path


async def test_lines_tell_state_title_what_it_does_and_age() -> None:
    app = ListApp(catalog_of(*sample()))
    async with app.run_test(size=(58, 20)) as pilot:
        await pilot.pause()
        assert app.shown()[:15] == [
            " ▾ ~/code/api                                    6   12s",
            "     ● Fix the flaky retry test           bash 42s   12s",
            "     ◐ Add cursor pagination               waiting    4m",
            "   ▸ ✓ Upgrade redis-py to 8 +1                       2h",
            "   ▾ ✗ Move CI to another runner             error    1d",
            "       ✓ ⑂ Move CI, second try                        1d",
            " ▾ ~/code/sessiontui                             4    2h",
            "     ✓ Draw the tree                                  2h",
            "     ! Follow at 10,000 lines/s            crashed    5h",
            "     ✓ A title that is renamed           renaming…    6h",
            "     ✓ 日本語の長い題名を右端で正しく切り詰める必…    2d",
            " ▾ ~/code/notes                                  2    3d",
            "     ⊘ Try the other layout                aborted    3d",
            "     · 2026-11-20T10-00-00-000Z_unread                5w",
            "",
        ]


async def test_columns_go_one_by_one_as_the_list_gets_narrower() -> None:
    app = ListApp(catalog_of(*sample()))
    async with app.run_test(size=(120, 20)) as pilot:
        await pilot.pause()
        assert app.shown()[1].endswith("bash 42s   1.2 MB   12s")
        await pilot.resize_terminal(80, 20)
        await until(lambda: app.shown()[1].endswith("bash 42s   1.2 MB   12s"))
        await pilot.resize_terminal(50, 20)
        await until(lambda: app.shown()[1].endswith("bash 42s   12s"))
        await pilot.resize_terminal(40, 20)
        await until(lambda: app.shown()[1] == "   ● Fix the flaky retry test      12s")
        await pilot.resize_terminal(20, 20)
        await until(lambda: app.shown()[1] == "   ● Fix th…   12s")
        assert app.shown()[0] == " ▾ ~/c…e/api   12s"
        await pilot.resize_terminal(10, 20)
        await until(lambda: app.shown()[1] == "   ● Fix…")


@pytest.mark.parametrize("width", [120, 80, 58, 40, 20, 8, 3])
async def test_every_line_is_exactly_as_wide_as_the_list(width: int) -> None:
    rows = [*sample(), row("joined", "👩\u200d👩\u200d👧 e\u0301 \u0e01\u0e33 ✂\ufe0f " * 8)]
    catalog = catalog_of(*rows)
    catalog.filter("e")
    app = ListApp(catalog)
    async with app.run_test(size=(width, 20)) as pilot:
        await pilot.pause()
        inner = app.sessions.scrollable_content_region.width
        for y in range(18):
            strip = app.sessions.picture(y)
            assert strip.cell_length == inner
            assert cell_len(strip.text) == inner


async def test_a_pinned_session_is_told_by_its_heading_or_among_what_was_found_by_a_sign() -> None:
    catalog = catalog_of(*sample()[:2])
    catalog.pin([sample()[1].path], pinned=True)
    app = ListApp(catalog)
    async with app.run_test(size=(58, 20)) as pilot:
        await pilot.pause()
        assert app.shown()[:2] == [
            " ▾ Pinned                                        1    4m",
            "     ◐ Add cursor pagination               waiting    4m",
        ]
        catalog.filter("cursor")
        app.sessions.rows_changed()
        assert app.shown()[1] == "     ◐ ▴ Add cursor pagination             waiting    4m"


async def test_symbols_have_ascii_stand_ins() -> None:
    app = ListApp(catalog_of(*sample()[:8]), ascii_only=True)
    async with app.run_test(size=(58, 20)) as pilot:
        await pilot.pause()
        assert all(line.isascii() for line in app.shown())
        assert app.shown()[5] == "       + Y Move CI, second try                        1d"


async def test_a_failure_takes_no_room_from_the_title_and_the_columns() -> None:
    why = "an agent may be at work on it: it changed just now: /s/a/very/long/path.jsonl"
    app = ListApp(catalog_of(row("a", "Fix the retry test", note=why, failed=True)))
    async with app.run_test(size=(120, 20)) as pilot:
        app.sessions.columns = tuple(column.id for column in COLUMNS)
        await pilot.pause()
        [line] = [line for line in app.shown() if "failed" in line]
        assert "Fix the retry test" in line
        assert line.endswith("1.2 MB   now")


async def test_hostile_titles_paths_and_notes_reach_the_screen_harmless() -> None:
    evil = "\x1b]52;c;AAAA\x07[/bold] \u202e[@click=app.quit]x[/]\x9b31m\ud800"
    calls = (OpenCall("c", evil, None),)
    rows = [
        row("a", evil, note=evil, project="a"),
        row("b", "", project="b", cwd=f"/home/mira/{evil}", calls=calls, ending="calls"),
        Row(path=f"/s/{evil}.jsonl", size=1, mtime_ms=NOW_MS),
    ]
    app = ListApp(catalog_of(*rows))
    async with app.run_test(size=(120, 20)) as pilot:
        await pilot.press("j", "j", "j")
        for flat in (False, True):
            app.catalog.set_flat(flat)
            app.catalog.filter("x" if flat else "")
            app.sessions.rows_changed()
            await pilot.pause()
            text = "\n".join(app.shown())
            assert "[@click=app.quit]" in text
            assert not any(bad in text for bad in "\x1b\x07\x9b\u202e\ud800")


async def test_the_highlight_follows_its_session_when_rows_move() -> None:
    rows = many(40)
    app = ListApp(catalog_of(*rows))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.press("j", "j", "j")
        chosen = app.highlighted()
        assert chosen == path_of("00015", "p0")
        app.catalog.upsert([touched(rows[30])])
        app.sessions.rows_changed({rows[30].path})
        assert app.highlighted() == chosen
        app.catalog.upsert([touched(rows[15])])
        app.sessions.rows_changed({chosen})
        await pilot.pause()
        assert app.highlighted() == chosen
        lines = [y for y in range(20) if _is_lit(app, y)]
        assert lines == [app.catalog.line_of(chosen)]


def _is_lit(app: ListApp, y: int) -> bool:
    """Tell whether a line has the cursor's background."""
    backgrounds = {
        segment.style.bgcolor for segment in app.sessions.picture(y) if segment.style is not None
    }
    return app.sessions.rich_style.bgcolor not in backgrounds


async def test_the_view_stays_calm_when_rows_move_above_it() -> None:
    rows = many(300, projects=1)
    app = ListApp(catalog_of(*rows))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.press("G")
        await pilot.press("pageup", "pageup", "pageup")
        before = app.shown()
        app.catalog.upsert([row("new", project="p0"), touched(rows[299])])
        app.sessions.rows_changed()
        await pilot.pause()
        assert app.shown() == before
        app.catalog.remove([rows[1].path, rows[2].path])
        app.sessions.rows_changed()
        await pilot.pause()
        assert app.shown() == before


async def test_new_sessions_are_seen_while_the_top_is_in_view() -> None:
    app = ListApp(catalog_of(*many(100)))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.press("j")
        app.catalog.upsert([row("new", "Brand new", project="fresh")])
        app.sessions.rows_changed()
        await pilot.pause()
        assert app.shown()[0].startswith(" ▾ ~/code/fresh")
        assert "Brand new" in app.shown()[1]


async def test_the_first_session_is_highlighted_until_the_user_or_the_app_says_otherwise() -> None:
    app = ListApp(catalog_of(row("a", ago_ms=HOUR)))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        app.catalog.upsert([row("b", ago_ms=MINUTE)])
        app.sessions.rows_changed()
        assert app.highlighted() == path_of("b", "api")
        app.sessions.settle()
        app.catalog.upsert([row("c")])
        app.sessions.rows_changed()
        assert app.highlighted() == path_of("b", "api")
        await pilot.pause()
        keys = [event.key for event in app.heard(SessionTree.Highlighted)]
        assert keys == [path_of("a", "api"), path_of("b", "api")]


async def test_the_highlight_goes_to_the_next_row_when_its_session_goes() -> None:
    rows = many(10, projects=1)
    app = ListApp(catalog_of(*rows))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.press("j", "j")
        assert app.highlighted() == rows[2].path
        app.catalog.remove([rows[2].path])
        app.sessions.rows_changed()
        assert app.highlighted() == rows[3].path
        await pilot.press("G")
        app.catalog.remove([rows[9].path])
        app.sessions.rows_changed()
        assert app.highlighted() == rows[8].path
        app.catalog.clear()
        app.sessions.rows_changed()
        assert app.highlighted() is None
        await pilot.press("j", "k", "g", "G", "enter", "h", "l", "pagedown")
        assert app.highlighted() is None


async def test_the_highlight_follows_a_renamed_session() -> None:
    rows = many(10, projects=1)
    app = ListApp(catalog_of(*rows))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.press("j", "j")
        new = msgspec.structs.replace(rows[2], path="/s/renamed.jsonl", mtime_ms=NOW_MS - DAY)
        app.catalog.rename(rows[2].path, new)
        app.sessions.rows_changed()
        assert app.highlighted() == "/s/renamed.jsonl"


async def test_folding_by_keys() -> None:
    app = ListApp(catalog_of(*sample()))
    async with app.run_test(size=(58, 20)) as pilot:
        await pilot.press("j", "j", "l")
        assert app.shown()[4].startswith("       ✓ Read the changelog")
        await pilot.press("l")
        assert app.highlighted() == sample()[3].path
        await pilot.press("h")
        assert app.highlighted() == sample()[2].path
        await pilot.press("left")
        assert app.shown()[4].startswith("   ▾ ✗ Move CI")
        await pilot.press("left")
        assert app.highlighted() is None
        await pilot.press("left")
        assert app.shown()[:2] == [
            " ▸ ~/code/api                                    6   12s",
            " ▾ ~/code/sessiontui                             4    2h",
        ]
        await pilot.press("enter")
        await pilot.press("right")
        assert app.highlighted() == sample()[0].path


async def test_a_folded_project_keeps_the_highlight_of_its_session() -> None:
    app = ListApp(catalog_of(*sample()))
    async with app.run_test(size=(58, 20)) as pilot:
        await pilot.press("j")
        app.catalog.fold_group("~/code/api", closed=True)
        app.sessions.rows_changed()
        await pilot.pause()
        assert _is_lit(app, 0)
        assert app.highlighted() is None


async def test_moving_about_with_keys() -> None:
    rows = many(200, projects=1)
    app = ListApp(catalog_of(*rows))
    async with app.run_test(size=(60, 21)) as pilot:
        await pilot.press("down", "down", "up")
        assert app.highlighted() == rows[1].path
        await pilot.press("pagedown")
        assert app.highlighted() == rows[20].path
        await pilot.press("pageup", "pageup")
        assert app.highlighted() is None
        await pilot.press("end")
        assert app.highlighted() == rows[199].path
        assert app.shown()[-1].startswith("     ✓ Session 00199")
        await pilot.press("home")
        assert app.shown()[0].startswith(" ▾ ~/code/p0")
        await pilot.press("j", "enter")
        assert [event.key for event in app.heard(SessionTree.Opened)] == [rows[0].path]


async def test_a_search_highlights_its_best_session_and_lights_what_fits() -> None:
    app = ListApp(catalog_of(*sample()))
    async with app.run_test(size=(58, 20)) as pilot:
        await pilot.press("G")
        app.catalog.filter("mo ci")
        app.sessions.rows_changed()
        await pilot.pause()
        assert app.highlighted() == sample()[4].path
        lit = [
            segment.text
            for segment in app.sessions.picture(1)
            if segment.style is not None
            and segment.style.bold
            and segment.style.color != app.sessions.rich_style.color
        ]
        assert lit == ["Mo", "CI"]
        app.catalog.filter("qqqqq")
        app.sessions.rows_changed()
        await pilot.pause()
        assert app.highlighted() is None
        assert [line.strip() for line in app.shown() if line] == [
            "Nothing matches “qqqqq”",
            "Escape shows every session",
        ]
        app.catalog.filter("")
        app.sessions.rows_changed()
        await pilot.pause()
        assert app.shown()[0].startswith(" ▾ ~/code/api")
        assert app.highlighted() == sample()[0].path


async def test_clearing_a_search_keeps_the_highlight() -> None:
    rows = many(300)
    app = ListApp(catalog_of(*rows))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        app.catalog.filter("00217")
        app.sessions.rows_changed()
        assert app.highlighted() == rows[217].path
        app.catalog.filter("")
        app.sessions.rows_changed()
        await pilot.pause()
        assert app.highlighted() == rows[217].path
        assert any("00217" in line for line in app.shown())


async def test_the_order_is_told_and_chosen_by_click() -> None:
    app = ListApp(catalog_of(*sample()))
    async with app.run_test(size=(58, 20)) as pilot:
        await pilot.press("j")
        chosen = app.highlighted()
        words = []
        for _ in range(4):
            words.append(app.header.render().plain)
            await pilot.click(SortHeader, offset=(2, 0))
        assert words == ["newest first ▾", "newest created ▾", "title A to Z ▾", "largest first ▾"]
        await pilot.click(SortHeader, offset=(app.header.size.width - 1, 0))
        assert app.header.render().plain == "oldest first ▴"
        assert (app.catalog.sort, app.catalog.reverse) == ("modified", True)
        assert app.highlighted() == chosen


async def test_clicks_select_fold_and_open() -> None:
    app = ListApp(catalog_of(*sample()))
    async with app.run_test(size=(58, 20)) as pilot:
        await pilot.click(SessionTree, offset=(12, 2))
        assert app.highlighted() == sample()[1].path
        assert not app.heard(SessionTree.Opened)
        await pilot.click(SessionTree, offset=(12, 1), times=2)
        assert [event.key for event in app.heard(SessionTree.Opened)] == [sample()[0].path]
        await pilot.click(SessionTree, offset=(3, 3))
        assert app.shown()[4].startswith("       ✓ Read the changelog")
        await pilot.click(SessionTree, offset=(1, 0))
        assert app.shown()[1].startswith(" ▾ ~/code/sessiontui")
        await pilot.click(SessionTree, offset=(20, 15))
        assert app.highlighted() is None


async def test_a_click_hits_what_was_seen_even_if_it_has_moved_meanwhile() -> None:
    rows = many(10, projects=1)
    app = ListApp(catalog_of(*rows))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        app.catalog.upsert([row("new", project="p0"), row("newer", project="p0")])
        await pilot.click(SessionTree, offset=(12, 5))
        assert app.highlighted() == rows[4].path


async def test_enter_opens_the_highlighted_session_even_if_it_has_moved_meanwhile() -> None:
    rows = many(10, projects=1)
    app = ListApp(catalog_of(*rows))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.press("j")
        app.catalog.upsert([row("new", project="p0"), row("newer", project="p0")])
        await pilot.press("enter")
        assert [event.key for event in app.heard(SessionTree.Opened)] == [rows[1].path]


async def test_the_wheel_scrolls_and_leaves_the_highlight() -> None:
    rows = many(200, projects=1)
    app = ListApp(catalog_of(*rows))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        for _ in range(10):
            await pilot._post_mouse_events([MouseScrollDown], SessionTree, offset=(5, 5))
        await until(lambda: app.sessions.scroll_offset.y > 10)
        assert app.highlighted() == rows[0].path


async def test_a_resize_keeps_the_highlight_in_view() -> None:
    app = ListApp(catalog_of(*many(200)))
    async with app.run_test(size=(60, 40)) as pilot:
        await pilot.press(*["j"] * 35)
        chosen = app.highlighted()
        await pilot.resize_terminal(60, 10)
        await until(lambda: app.sessions.size.height == 9)
        await pilot.pause()
        assert app.highlighted() == chosen
        assert any(_is_lit(app, y) for y in range(9))


async def test_colours_follow_theme_and_focus() -> None:
    app = ListApp(catalog_of(*sample()))
    async with app.run_test(size=(58, 20)) as pilot:
        await pilot.pause()
        seen = set()
        for theme in (DARK, LIGHT):
            app.theme = theme
            for focus in (True, False):
                app.sessions.focus() if focus else app.set_focus(None)
                await pilot.pause()
                seen.add(tuple(str(segment.style) for segment in app.sessions.picture(1)))
        assert len(seen) == 4


async def test_ten_thousand_sessions_and_a_move_paints_the_lines_concerned_alone() -> None:
    rows = many(10_000)
    app = ListApp(catalog_of(*rows))
    async with app.run_test(size=(60, 40)) as pilot:
        await pilot.press("j")
        await pilot.pause()
        app.sessions.painted.clear()
        app.catalog.upsert([touched(rows[20], ago_ms=1)])
        app.sessions.rows_changed({rows[20].path})
        await pilot.pause()
        # The fifth session of the first project becomes its second: these four lines changed.
        assert sorted(app.sessions.painted) == [2, 3, 4, 5]
        app.sessions.painted.clear()
        app.catalog.upsert([touched(rows[9_000], ago_ms=9_000 * MINUTE - 1)])
        app.sessions.rows_changed({rows[9_000].path})
        await pilot.pause()
        assert app.sessions.painted == []
        await pilot.press("j")
        assert sorted(app.sessions.painted) == [3, 4]


async def test_only_ages_that_changed_are_painted_as_time_goes_by() -> None:
    rows = [row("s", ago_ms=10 * SECOND), row("m", ago_ms=10 * MINUTE), row("h", ago_ms=5 * HOUR)]
    app = ListApp(catalog_of(*rows))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        app.sessions.painted.clear()
        app.now_ms += 3 * SECOND
        await until(lambda: app.sessions.painted)
        assert sorted(app.sessions.painted) == [0, 1]
        assert app.shown()[1].endswith("13s")


async def test_what_is_in_view_is_told_once_it_is_calm() -> None:
    rows = many(500, projects=1)
    app = ListApp(catalog_of(*rows))
    async with app.run_test(size=(60, 11)) as pilot:
        await until(lambda: app.heard(SessionTree.ViewChanged))
        first = app.heard(SessionTree.ViewChanged)[-1]
        assert first.keys == tuple(one.path for one in rows[:9])
        count = len(app.heard(SessionTree.ViewChanged))
        await pilot.press("G")
        await until(lambda: len(app.heard(SessionTree.ViewChanged)) > count)
        assert app.heard(SessionTree.ViewChanged)[-1].keys == tuple(one.path for one in rows[490:])


async def test_select_goes_to_a_session_and_says_when_it_has_no_line() -> None:
    rows = many(500)
    app = ListApp(catalog_of(*rows))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        assert app.sessions.select(rows[400].path)
        assert app.highlighted() == rows[400].path
        await pilot.pause()
        assert any("00400" in line for line in app.shown())
        assert not app.sessions.select("/unknown.jsonl")
        assert app.highlighted() == rows[400].path


async def test_strips_that_are_kept_stay_within_their_bound() -> None:
    app = ListApp(catalog_of(*many(3_000)))
    async with app.run_test(size=(60, 40)) as pilot:
        for _ in range(40):
            await pilot.press("pagedown")
        assert len(app.sessions._strips) <= 512


async def test_a_search_shows_where_it_fits_when_the_title_does_not() -> None:
    catalog = catalog_of(
        row("a", "Something else", first_message="Please find out why the retry test is flaky"),
        row("b", "Different"),
    )
    catalog.filter("retry")
    app = ListApp(catalog)
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.pause()
        assert app.shown()[1].startswith(
            "     ✓ Something else …t why the retry test is fla…    now"
        )
        catalog.filter("b")
        app.sessions.rows_changed()
        await pilot.pause()
        assert app.shown()[1].startswith("     ✓ Different …0-00-000Z_b ")
        await pilot.resize_terminal(24, 10)
        await until(lambda: app.shown()[1].startswith("   ✓ Different"))
        assert "_b" not in app.shown()[1]
