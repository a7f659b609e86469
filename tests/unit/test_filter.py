"""Finding sessions as one types: what fits, what comes first, and that it can be abandoned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessiontui.catalog.filter import SLICE
from sessiontui.catalog.query import Query
from sessiontui.catalog.row import Row
from sessiontui.catalog.search_text import fold_case, name_lines, search_text
from tests.unit.test_catalog import catalog_of, read, text

if TYPE_CHECKING:
    from sessiontui.catalog.catalog import Catalog


def names(catalog: Catalog) -> list[str]:
    return [line.strip() for line in text(catalog) if line.startswith("  ")]


def asked(catalog: Catalog) -> str | None:
    """Return what is searched for, None where nothing is."""
    return None if catalog.query is None else catalog.query.text


def find(catalog: Catalog, text: str) -> None:
    """Look for words as the list does, similar ones too."""
    for _ in catalog.search(text, similar=True):
        pass


def lit(query: str, shown: str) -> str:
    """Return the characters of `shown` that are lit up, the others as dots."""
    places = Query(query, similar=True).positions(shown)
    return "".join(char if place in places else "." for place, char in enumerate(shown))


def test_what_fits_better_comes_first() -> None:
    catalog = catalog_of(
        read("/s/message.jsonl", 9, title="Zzz", first_message="why is retry flaky"),
        read("/s/scattered.jsonl", 8, title="far eaten trays"),
        read("/s/initials.jsonl", 7, title="Run each test right away, yes"),
        read("/s/inside.jsonl", 6, title="Noretry"),
        read("/s/word.jsonl", 5, title="The retry test"),
        read("/s/start.jsonl", 4, title="Retry"),
        read("/s/none.jsonl", 3, title="Nothing"),
    )
    find(catalog, "retry")
    assert names(catalog) == ["start", "word", "inside", "message"]
    catalog.remove([f"/s/{name}.jsonl" for name in ("start", "word", "inside", "message")])
    find(catalog, "")
    find(catalog, "retry")
    assert names(catalog) == ["initials"]


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("cursor", True),
        ("CURSOR pag", True),
        ("pag cursor", True),
        ("acp", False),
        ("adcur", False),
        ("coap", False),
        ("~/code", True),
        ("2026-11", True),
        ("0a1b", True),
        ('"the id of it"', True),
        ('"id of"', False),
        ("sessions/-code", True),
        ("how do", True),
        ("hdipr", False),
        ("cursor zebra", False),
        ("rosruc", False),
    ],
)
def test_words_fit_title_project_path_id_and_first_message(query: str, fits: bool) -> None:
    one = read(
        "/sessions/-code-api/2026-11-20_0a1b2c.jsonl",
        1,
        "/home/mira/code/api",
        id="the id of it",
        title="Add cursor pagination",
        first_message="How do I paginate results?",
    )
    catalog = catalog_of(one)
    catalog.filter(query)
    assert (catalog.shown == 1) is fits


@pytest.mark.parametrize(
    ("query", "alike"),
    [
        ("acp", True),  # Add cursor pagination
        ("adcur", True),
        ("addpag", True),
        ("coap", True),  # code/api
        ("acp pagi", True),
        ("dcp", False),  # not at the beginning of a word
        ("adrsor", False),
        ("pac", False),
        ("hdipr", False),
        ('"acp"', False),
        ("acp -cursor", False),
        ("acp project:web", False),
        ("a", True),
        ("z", False),
    ],
)
def test_without_a_literal_match_what_holds_the_letters_is_shown_and_does_not_fit(
    query: str, alike: bool
) -> None:
    one = read(
        "/s/2026-11-20_0a1b2c.jsonl", 1, "/home/mira/code/api", title="Add cursor pagination"
    )
    catalog = catalog_of(one, read("/s/zzz.jsonl", 2, title="Zzz"))
    find(catalog, query)
    literally = query in ("a", "z")
    shown = "2026-11-20_0a1b2c" in names(catalog)
    assert shown is alike
    assert catalog.similar == (0 if literally else int(alike))
    if not literally:
        assert (catalog.shown, list(catalog.fitting)) == (0, [])
    catalog.filter(query)
    assert catalog.similar == 0


def test_similar_ones_give_way_to_what_fits_literally() -> None:
    catalog = catalog_of(read("/s/a.jsonl", 1, title="Fix the tests"))
    find(catalog, "ft")
    find(catalog, "ftt")
    assert (catalog.similar, catalog.shown, names(catalog)) == (1, 0, ["a"])
    catalog.upsert([read("/s/b.jsonl", 2, title="Fetch the times")])
    assert (catalog.similar, catalog.shown, names(catalog)) == (2, 0, ["a", "b"])
    catalog.upsert([read("/s/c.jsonl", 3, title="An FTT")])
    assert (catalog.similar, catalog.shown, names(catalog)) == (0, 1, ["c"])
    assert list(catalog.fitting) == ["/s/c.jsonl"]
    assert catalog.is_result_of("ftt")


def test_what_begins_to_fit_while_similar_ones_are_looked_for_is_all_that_is_found() -> None:
    rows = [read(f"/s/{n}.jsonl", n, title="Fix the tests") for n in range(3 * SLICE)]
    catalog = catalog_of(*rows)
    steps = catalog.search("ftt", similar=True)
    for _ in range(4):
        next(steps)
    catalog.upsert([read("/s/7.jsonl", 7, title="ftt")])
    for _ in steps:
        pass
    assert (catalog.similar, list(catalog.fitting)) == (0, ["/s/7.jsonl"])


UUID = "019aD1e2-d1d1-7000-8abc-00000000d1ff"


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("d1", False),
        ("D1", False),
        ("7000", False),
        ("ff", False),
        ("00-00", False),
        ("11-20T", False),
        ("019ad1", True),
        (UUID, True),
        ("2026-11-20", True),
        (f"2026-11-20T10-00-00-000Z_{UUID}", True),
        ("id:d1ff", True),
        ("path:d1d1", True),
        ('"d1"', False),
        ("-d1", True),
        ("-019ad1", False),
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        f"/sessions/-srv-shop/2026-11-20T10-00-00-000Z_{UUID}.jsonl",
        f"/sessions/-srv-shop/{UUID}.jsonl",
        f"/sessions/2026/11/rollout-2026-11-20T10-00-00-{UUID}.jsonl",
        f"/sessions/-srv-shop/2026-11-20T10-00-00-000Z_{UUID}/{UUID}.jsonl",
        f"/sessions/{UUID}/subagents/{UUID}.jsonl",
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_ids_fit_from_their_beginning_and_nowhere_inside(
    path: str, known: bool, query: str, fits: bool
) -> None:
    if query.startswith("2026") and f"/2026-11-20T10-00-00-000Z_{UUID}.jsonl" not in path:
        return
    one = read(path, 1, "/srv/shop", title="Sell it", id=UUID if known else None)
    catalog = catalog_of(one)
    catalog.filter(query)
    assert (catalog.shown == 1) is fits


def test_a_name_that_a_person_gave_is_text() -> None:
    catalog = catalog_of(read("/s/notes of mira/fix-login-deadbeef01.jsonl", 1))
    for query, fits in (("login", 1), ("mira", 1), ("beef", 0), ("fix-login-dead", 1)):
        catalog.filter(query)
        assert catalog.shown == fits, query


def test_characters_that_fit_are_lit() -> None:
    assert lit("cur", "Add cursor") == "....cur..."
    assert lit("ac", "Add cursor pagination acme") == "......................ac.."
    assert lit("acp", "Add cursor pagination") == "A...c......p.........".replace(" ", ".")
    assert lit("adcu", "Add cursor") == "Ad..cu...."
    assert lit("adcr", "Add cursor") == ".........."
    assert lit("add pag", "Add pagination") == "Add.pag......."
    assert lit("x", "Add") == "..."
    assert lit("İ", "aİb") == ".İ."
    assert lit("flt", "Fix the flaky test") == "........fl....t..."[:18]
    assert Query("ac", similar=True).positions("A c", loose=False) == frozenset()
    assert Query("ac").positions("A c") == frozenset()


def test_folding_keeps_the_length() -> None:
    for shown in ("İstanbul", "STRASSE ß", "ΑΣ", "ﬁ", "\ud800"):
        assert len(fold_case(shown)) == len(shown)


@given(st.text(max_size=12).filter(lambda text: '"' not in text), st.text(max_size=40))
def test_lit_characters_spell_the_words_that_fit(query: str, title: str) -> None:
    words = fold_case(query).split()
    places = Query(query, similar=True).positions(title)
    assert all(0 <= place < len(title) for place in places)
    letters = {fold_case(title)[place] for place in places}
    assert letters <= set("".join(words))


@given(st.text("ab c", max_size=4), st.text("abc ", max_size=2), st.text("abc/ ", max_size=15))
def test_typing_on_only_narrows(query: str, more: str, title: str) -> None:
    hay = search_text(Row(path="/s/b.jsonl", size=1, mtime_ms=1, title=title), "a")
    for similar in (False, True):
        narrow, wide = Query(query + more, similar=similar), Query(query, similar=similar)
        assert narrow.narrows(wide)
        if narrow and wide and narrow.score(hay):
            assert wide.score(hay)


_TEXTS = st.text("abİ. /\n", max_size=12)


@given(
    st.text("abİ. ", max_size=4),
    st.lists(st.tuples(_TEXTS, _TEXTS, _TEXTS), max_size=20),
    st.booleans(),
)
def test_sifting_leaves_out_nothing_that_fits(
    text: str, told: list[tuple[str, str, str]], similar: bool
) -> None:
    hays = [
        search_text(Row(path="/s/x", size=1, mtime_ms=1, title=one, first_message=three), two)
        for one, two, three in told
    ]
    query = Query(text, similar=similar)
    left = list(query.sift(hays, [name_lines(hay) for hay in hays]))
    fits = [number for number, hay in enumerate(hays) if query and query.score(hay)]
    assert sorted(set(left)) == left
    assert set(fits) <= set(left)


def test_groups_stand_by_their_best_session() -> None:
    catalog = catalog_of(
        read("/s/a.jsonl", 9, "/x", title="The retry"),
        read("/s/b.jsonl", 1, "/y", title="Retry"),
        read("/s/c.jsonl", 8, "/y", title="No retry"),
    )
    catalog.filter("retry")
    assert text(catalog) == ["/y (2)", "  b", "  c", "/x (1)", "  a"]
    catalog.filter("")
    assert text(catalog) == ["/x (1)", "  a", "/y (2)", "  c", "  b"]
    assert asked(catalog) is None


def test_equally_good_sessions_stand_in_the_chosen_order() -> None:
    catalog = catalog_of(*(read(f"/s/{n}.jsonl", n, title="same", size=-n) for n in range(3)))
    catalog.filter("same")
    assert names(catalog) == ["2", "1", "0"]
    catalog.order_by("size")
    assert names(catalog) == ["0", "1", "2"]
    catalog.set_flat(True)
    assert catalog.height == 3


def test_found_sessions_come_and_go_as_they_change() -> None:
    catalog = catalog_of(read("/s/a.jsonl", title="one"), read("/s/b.jsonl", title="two"))
    catalog.filter("one")
    catalog.upsert([read("/s/b.jsonl", title="one more"), read("/s/c.jsonl", title="three")])
    assert names(catalog) == ["a", "b"]
    catalog.upsert([read("/s/a.jsonl", title="other")])
    catalog.remove(["/s/b.jsonl"])
    assert names(catalog) == []
    assert catalog.height == 0


def test_folds_of_a_search_are_its_own() -> None:
    catalog = catalog_of(read("/s/a.jsonl", title="one"))
    catalog.fold_group("~/api", closed=True)
    catalog.filter("one")
    assert names(catalog) == ["a"]
    assert catalog.reveal("/s/a.jsonl") == 1
    assert catalog.reveal("/unknown") is None
    catalog.filter("")
    assert names(catalog) == []


def test_a_search_shows_nothing_until_it_is_done_and_a_newer_one_ends_it() -> None:
    rows = [read(f"/s/{n}.jsonl", n, title=f"title {n}") for n in range(5_000)]
    catalog = catalog_of(*rows)
    old = catalog.search("title")
    next(old)
    assert asked(catalog) is None
    assert catalog.height == 5_001
    new = catalog.search("4999")
    next(new)
    assert list(old) == []
    assert asked(catalog) is None
    for _ in new:
        pass
    assert asked(catalog) == "4999"
    assert catalog.shown == 1


def test_clearing_ends_a_search_too() -> None:
    catalog = catalog_of(*(read(f"/s/{n}.jsonl", n, title="x") for n in range(5_000)))
    steps = catalog.search("x")
    next(steps)
    catalog.filter("")
    assert list(steps) == []
    assert asked(catalog) is None


def test_what_changes_during_a_search_is_found_as_it_is_in_the_end() -> None:
    rows = [read(f"/s/{n:04}.jsonl", n, title="old") for n in range(3_000)]
    catalog = catalog_of(*rows)
    steps = catalog.search("new")
    next(steps)
    catalog.upsert([read("/s/0000.jsonl", title="new"), read("/s/2999.jsonl", title="new")])
    catalog.upsert([read("/s/more.jsonl", title="new")])
    next(steps)
    catalog.remove(["/s/2999.jsonl"])
    for _ in steps:
        pass
    assert sorted(names(catalog)) == ["0000", "more"]


def test_a_search_takes_time_in_proportion_to_the_text_whatever_it_is() -> None:
    title = "a " * 150
    catalog = catalog_of(*(read(f"/s/{n}.jsonl", n, title=title) for n in range(200)))
    # With backtracking this would never end.
    find(catalog, "a" * 40 + "b")
    assert (catalog.shown, catalog.similar) == (0, 0)


def test_the_newest_that_fit_are_shown_before_everything_was_looked_at() -> None:
    catalog = catalog_of(*(read(f"/s/{n:05}.jsonl", n, title="x") for n in range(9_000)))
    steps = catalog.search("x")
    looked = 0
    while not next(steps):
        looked += 1
    assert looked * SLICE < 3_000
    assert asked(catalog) == "x"
    assert names(catalog)[:2] == ["08999", "08998"]
    assert catalog.shown < 9_000
    for _ in steps:
        pass
    assert catalog.shown == 9_000


def test_of_very_many_the_best_are_shown_and_all_are_counted() -> None:
    rows = [read(f"/s/{n:05}.jsonl", n, title="an x") for n in range(6_000)]
    catalog = catalog_of(*rows, read("/s/best.jsonl", 0, title="x marks it"))
    catalog.filter("x")
    assert catalog.shown == 6_001
    assert len(names(catalog)) == 1_000
    assert names(catalog)[:2] == ["best", "05999"]
    catalog.upsert([read("/s/00000.jsonl", 0, title="an x again")])
    assert "00000" in names(catalog)


def test_typing_on_after_a_partial_result_forgets_nothing() -> None:
    rows = [read(f"/s/{n:05}.jsonl", n, title=f"x {n}") for n in range(9_000)]
    catalog = catalog_of(*rows)
    steps = catalog.search("x")
    while not next(steps):
        pass
    catalog.filter("x 17")
    assert "00017" in names(catalog)
