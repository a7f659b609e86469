"""Finding sessions as one types: what fits, what comes first, and that it can be abandoned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessiontui.catalogue.haystacks import fold, haystack, names_of
from sessiontui.catalogue.query import Query
from sessiontui.catalogue.row import Row
from sessiontui.catalogue.search import SLICE
from tests.unit.test_catalogue import catalogue_of, read, text

if TYPE_CHECKING:
    from sessiontui.catalogue.catalogue import Catalogue


def names(catalogue: Catalogue) -> list[str]:
    return [line.strip() for line in text(catalogue) if line.startswith("  ")]


def asked(catalogue: Catalogue) -> str | None:
    """Return what is searched for, None where nothing is."""
    return None if catalogue.query is None else catalogue.query.text


def lit(query: str, shown: str) -> str:
    """Return the characters of `shown` that are lit up, the others as dots."""
    places = Query(query).positions(shown)
    return "".join(char if place in places else "." for place, char in enumerate(shown))


def test_what_fits_better_comes_first() -> None:
    catalogue = catalogue_of(
        read("/s/message.jsonl", 9, title="Zzz", first_message="why is retry flaky"),
        read("/s/scattered.jsonl", 8, title="far eaten trays"),
        read("/s/initials.jsonl", 7, title="Run each test right away, yes"),
        read("/s/inside.jsonl", 6, title="Noretry"),
        read("/s/word.jsonl", 5, title="The retry test"),
        read("/s/start.jsonl", 4, title="Retry"),
        read("/s/none.jsonl", 3, title="Nothing"),
    )
    catalogue.filter("retry")
    assert names(catalogue) == ["start", "word", "inside", "initials", "message", "scattered"]


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("cursor", True),
        ("CURSOR pag", True),
        ("pag cursor", True),
        ("acp", True),
        ("adcur", True),
        ("~/code", True),
        ("coap", True),
        ("2026-11", True),
        ("0a1b", True),
        ("the id of it", True),
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
    catalogue = catalogue_of(one)
    catalogue.filter(query)
    assert (catalogue.shown == 1) is fits


def test_characters_that_fit_are_lit() -> None:
    assert lit("cur", "Add cursor") == "....cur..."
    assert lit("ac", "Add cursor pagination acme") == "......................ac.."
    assert lit("acp", "Add cursor pagination") == "A...c......p.........".replace(" ", ".")
    assert lit("adcr", "Add cursor") == "A.d.c.r..."
    assert lit("add pag", "Add pagination") == "Add.pag......."
    assert lit("x", "Add") == "..."
    assert lit("İ", "aİb") == ".İ."
    assert Query("ac").positions("A c", loose=False) == frozenset()


def test_folding_keeps_the_length() -> None:
    for shown in ("İstanbul", "STRASSE ß", "ΑΣ", "ﬁ", "\ud800"):
        assert len(fold(shown)) == len(shown)


@given(st.text(max_size=12), st.text(max_size=40))
def test_lit_characters_spell_the_words_that_fit(query: str, title: str) -> None:
    words = fold(query).split()
    places = Query(query).positions(title)
    assert all(0 <= place < len(title) for place in places)
    letters = {fold(title)[place] for place in places}
    assert letters <= set("".join(words))


@given(st.text("ab c", max_size=4), st.text("abc ", max_size=2), st.text("abc/ ", max_size=15))
def test_typing_on_only_narrows(query: str, more: str, title: str) -> None:
    hay = haystack(Row(path="/s/b.jsonl", size=1, mtime_ms=1, title=title), "a")
    narrow, wide = Query(query + more), Query(query)
    assert narrow.narrows(wide)
    if narrow and wide and narrow.score(hay):
        assert wide.score(hay)


_TEXTS = st.text("abİ. /\n", max_size=12)


@given(st.text("abİ. ", max_size=4), st.lists(st.tuples(_TEXTS, _TEXTS, _TEXTS), max_size=20))
def test_sifting_leaves_out_nothing_that_fits(text: str, told: list[tuple[str, str, str]]) -> None:
    hays = [
        haystack(Row(path="/s/x", size=1, mtime_ms=1, title=one, first_message=three), two)
        for one, two, three in told
    ]
    query = Query(text)
    left = list(query.sift(hays, [names_of(hay) for hay in hays]))
    fits = [number for number, hay in enumerate(hays) if query and query.score(hay)]
    assert sorted(set(left)) == left
    assert set(fits) <= set(left)


def test_groups_stand_by_their_best_session() -> None:
    catalogue = catalogue_of(
        read("/s/a.jsonl", 9, "/x", title="The retry"),
        read("/s/b.jsonl", 1, "/y", title="Retry"),
        read("/s/c.jsonl", 8, "/y", title="No retry"),
    )
    catalogue.filter("retry")
    assert text(catalogue) == ["/y (2)", "  b", "  c", "/x (1)", "  a"]
    catalogue.filter("")
    assert text(catalogue) == ["/x (1)", "  a", "/y (2)", "  c", "  b"]
    assert asked(catalogue) is None


def test_equally_good_sessions_stand_in_the_chosen_order() -> None:
    catalogue = catalogue_of(*(read(f"/s/{n}.jsonl", n, title="same", size=-n) for n in range(3)))
    catalogue.filter("same")
    assert names(catalogue) == ["2", "1", "0"]
    catalogue.order_by("size")
    assert names(catalogue) == ["0", "1", "2"]
    catalogue.set_flat(True)
    assert catalogue.height == 3


def test_found_sessions_come_and_go_as_they_change() -> None:
    catalogue = catalogue_of(read("/s/a.jsonl", title="one"), read("/s/b.jsonl", title="two"))
    catalogue.filter("one")
    catalogue.upsert([read("/s/b.jsonl", title="one more"), read("/s/c.jsonl", title="three")])
    assert names(catalogue) == ["a", "b"]
    catalogue.upsert([read("/s/a.jsonl", title="other")])
    catalogue.remove(["/s/b.jsonl"])
    assert names(catalogue) == []
    assert catalogue.height == 0


def test_folds_of_a_search_are_its_own() -> None:
    catalogue = catalogue_of(read("/s/a.jsonl", title="one"))
    catalogue.fold_group("~/api", closed=True)
    catalogue.filter("one")
    assert names(catalogue) == ["a"]
    assert catalogue.reveal("/s/a.jsonl") == 1
    assert catalogue.reveal("/unknown") is None
    catalogue.filter("")
    assert names(catalogue) == []


def test_a_search_shows_nothing_until_it_is_done_and_a_newer_one_ends_it() -> None:
    rows = [read(f"/s/{n}.jsonl", n, title=f"title {n}") for n in range(5_000)]
    catalogue = catalogue_of(*rows)
    old = catalogue.search("title")
    next(old)
    assert asked(catalogue) is None
    assert catalogue.height == 5_001
    new = catalogue.search("4999")
    next(new)
    assert list(old) == []
    assert asked(catalogue) is None
    for _ in new:
        pass
    assert asked(catalogue) == "4999"
    assert catalogue.shown == 1


def test_clearing_ends_a_search_too() -> None:
    catalogue = catalogue_of(*(read(f"/s/{n}.jsonl", n, title="x") for n in range(5_000)))
    steps = catalogue.search("x")
    next(steps)
    catalogue.filter("")
    assert list(steps) == []
    assert asked(catalogue) is None


def test_what_changes_during_a_search_is_found_as_it_is_in_the_end() -> None:
    rows = [read(f"/s/{n:04}.jsonl", n, title="old") for n in range(3_000)]
    catalogue = catalogue_of(*rows)
    steps = catalogue.search("new")
    next(steps)
    catalogue.upsert([read("/s/0000.jsonl", title="new"), read("/s/2999.jsonl", title="new")])
    catalogue.upsert([read("/s/more.jsonl", title="new")])
    next(steps)
    catalogue.remove(["/s/2999.jsonl"])
    for _ in steps:
        pass
    assert sorted(names(catalogue)) == ["0000", "more"]


def test_a_search_takes_time_in_proportion_to_the_text_whatever_it_is() -> None:
    title = "a " * 150
    catalogue = catalogue_of(*(read(f"/s/{n}.jsonl", n, title=title) for n in range(200)))
    # With backtracking this would never end.
    catalogue.filter("a" * 40 + "b")
    assert catalogue.shown == 0


def test_the_newest_that_fit_are_shown_before_everything_was_looked_at() -> None:
    catalogue = catalogue_of(*(read(f"/s/{n:05}.jsonl", n, title="x") for n in range(9_000)))
    steps = catalogue.search("x")
    looked = 0
    while not next(steps):
        looked += 1
    assert looked * SLICE < 3_000
    assert asked(catalogue) == "x"
    assert names(catalogue)[:2] == ["08999", "08998"]
    assert catalogue.shown < 9_000
    for _ in steps:
        pass
    assert catalogue.shown == 9_000


def test_of_very_many_the_best_are_shown_and_all_are_counted() -> None:
    rows = [read(f"/s/{n:05}.jsonl", n, title="an x") for n in range(6_000)]
    catalogue = catalogue_of(*rows, read("/s/best.jsonl", 0, title="x marks it"))
    catalogue.filter("x")
    assert catalogue.shown == 6_001
    assert len(names(catalogue)) == 1_000
    assert names(catalogue)[:2] == ["best", "05999"]
    catalogue.upsert([read("/s/00000.jsonl", 0, title="an x again")])
    assert "00000" in names(catalogue)


def test_typing_on_after_a_partial_result_forgets_nothing() -> None:
    rows = [read(f"/s/{n:05}.jsonl", n, title=f"x {n}") for n in range(9_000)]
    catalogue = catalogue_of(*rows)
    steps = catalogue.search("x")
    while not next(steps):
        pass
    catalogue.filter("x 17")
    assert "00017" in names(catalogue)
