"""The language in which sessions are asked for: what fits, what is refused, and that it ends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from sessiontui.catalog.catalog import Catalog
from sessiontui.catalog.conditions import KEYS
from sessiontui.catalog.filter import PATTERN_SLICE, SLICE
from sessiontui.catalog.query import LONGEST_QUERY, Query, is_beginning, query_hint
from sessiontui.catalog.row import Row, SessionTail
from sessiontui.catalog.safe_regex import LONGEST, safe_pattern
from sessiontui.catalog.search_text import search_text
from sessiontui.catalog.stats import SessionStats
from sessiontui.errors import QueryError
from sessiontui.formats.base import OpenCall, Tokens
from sessiontui.formats.registry import AGENT_NAMES
from sessiontui.formats.title_slot import TITLE_CHARACTERS

HOME = "/home/mira"
NOW = 1_795_442_529_000
"""2026-11-23 14:02:09 UTC."""
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def row(name: str = "0a1b2c", *, ago_ms: int = 0, **fields: Any) -> Row:
    told: dict[str, Any] = {
        "path": f"/sessions/-code-api/2026-11-20T10-00-00-000Z_{name}.jsonl",
        "size": 5_000_000,
        "mtime_ms": NOW - ago_ms,
        "read": True,
        "id": name,
        "title": "Fix the flaky retry test",
        "first_message": "Why does it fail one time in ten?",
        "cwd": f"{HOME}/code/api",
        "agent": "omp",
        "has_slot": True,
        "model": "anthropic/opus-4.5",
        "created_ms": NOW - ago_ms - HOUR,
        "last_message_ms": NOW - ago_ms,
        "message_bytes": 100,
    } | fields
    tail = {name: told.pop(name) for name in SessionTail.__struct_fields__ if name in told}
    return Row(**told, tail=SessionTail(**({"ending": "answer", "word": "complete"} | tail)))


def catalog_of(*rows: Row) -> Catalog:
    catalog = Catalog(home=HOME, clock=lambda: NOW)
    catalog.upsert(rows)
    return catalog


def fits(query: str, one: Row, figures: SessionStats | None = None) -> bool | None:
    """Return whether a session is found; None where that is not known yet."""
    catalog = catalog_of(one)
    catalog.figures = lambda _path: figures
    catalog.filter(query)
    if catalog.unsure:
        assert catalog.shown == 0
        return None
    return catalog.shown == 1


BASH = (OpenCall("c1", "bash", NOW - 42_000),)
FIGURES = SessionStats(
    entries=214, turns=12, tokens=Tokens(input=100_000, cache_read=50_000, cost=0.84)
)

FIT: list[tuple[str, dict[str, Any], bool]] = [
    ('"flaky retry"', {}, True),
    ('"retry flaky"', {}, False),
    ('"FLAKY RETRY', {}, True),
    ('"fthe"', {"title": "for the better"}, False),
    ("fthe", {"title": "for the better"}, False),
    (r'"say \"hi\""', {"title": 'Never say "hi"'}, True),
    ("-flaky", {}, False),
    ("-zebra", {}, True),
    ("retry -zebra", {}, True),
    ('-"one time"', {}, False),
    # Only what stands together is barred: letters that follow one another do all the time.
    ("-ftt", {}, True),
    ("re:/fl.ky/", {}, True),
    ("re:/FL.KY/", {}, False),
    ("re:/FL.KY/i", {}, True),
    ("-re:/fl.ky/", {}, False),
    (r"re:/code\/api$/", {}, True),
    (r"re:/^Why\b/", {}, True),
    ("re:/^0a1b2c$/", {}, True),
    ("project:api", {}, True),
    ("project:~/code", {}, True),
    ("project:web", {}, False),
    ("-project:web", {}, True),
    ('project:"code/api"', {}, True),
    ("title:RETRY", {}, True),
    ('title:"the flaky"', {}, True),
    ("title:fail", {}, False),
    ("path:-code-api", {}, True),
    ("path:web", {}, False),
    ("id:0a1b", {}, True),
    ("id:ffff", {}, False),
    ("model:opus", {}, True),
    ("model:sonnet", {}, False),
    ("model:opus", {"model": None}, False),
    ("agent:omp", {}, True),
    ("agent:pi,OMP", {}, True),
    ("agent:claude", {}, False),
    ("status:complete", {}, True),
    ("status:waiting", {}, True),
    ("status:done", {"closed": True}, True),
    ("status:error", {"ending": "error", "word": "error"}, True),
    ("status:interrupted", {"ending": "calls", "word": "interrupted", "calls": BASH}, True),
    ("status:running", {"ending": "calls", "word": "interrupted", "calls": BASH}, True),
    ("status:running,thinking", {"ending": "user", "word": "pending", "answered": True}, True),
    ("status:crashed", {"closed": True, "exit_kind": "fatal"}, True),
    ("-status:complete", {}, False),
    ("size:>4M", {}, True),
    ("size:>5M", {}, False),
    ("size:>=5M", {}, True),
    ("size:<=5mb", {}, True),
    ("size:<5000k", {}, False),
    ("size:1M..5M", {}, True),
    ("size:6M..9G", {}, False),
    ("size:>1.5M -size:>5M", {}, True),
    ("age:<7d", {"ago_ms": 6 * DAY}, True),
    ("age:<7d", {"ago_ms": 7 * DAY}, False),
    ("age:>2h", {"ago_ms": 3 * HOUR}, True),
    ("age:1d..3d", {"ago_ms": 2 * DAY}, True),
    ("age:<1w", {"ago_ms": 8 * DAY}, False),
    ("created:2026-11-23", {}, True),
    ("created:>2026-11-22", {}, True),
    ("created:>2026-11-23", {}, False),
    ("created:>=2026-11-23", {}, True),
    ("created:<2026-11-23", {}, False),
    ("created:<=2026-11", {}, True),
    ("created:2026", {}, True),
    ("created:2026-09..2026-11", {}, True),
    ("created:2026-12-01..2026-12-31", {}, False),
    ("created:>2020", {"created_ms": None}, False),
    ("modified:2026-11-23", {}, True),
    ("modified:<2026-11-23", {"ago_ms": 2 * DAY}, True),
    ("is:live", {}, True),
    ("is:live", {"closed": True}, False),
    ("is:pinned", {}, False),
    ("is:fork", {"parent": "gone"}, True),
    ("is:orphan", {"parent": "gone"}, True),
    ("is:fork", {}, False),
    ("is:empty", {"ending": None, "first_message": "", "message_bytes": None}, False),
    ("is:empty", {"ending": None, "first_message": "", "message_bytes": None, "quiet": True},
     True),
    ("has:subagents", {}, False),
    ("cost:>0.5", {}, True),
    ("cost:>1", {}, False),
    ("cost:0.5..1", {}, True),
    ("tokens:>100k", {}, True),
    ("tokens:<0.1M", {}, False),
    ("turns:12", {}, True),
    ("turns:>10", {}, True),
    ("turns:5..11", {}, False),
    ("entries:>200", {}, True),
    ("-cost:>1", {}, True),
    # Not meant as keys.
    ("https://example.com", {"title": "https://example.com/x"}, True),
    ("std::vector", {"title": "Use std::vector"}, True),
    ("localhost:8080", {"title": "Why is localhost:8080 taken"}, True),
    ("fix: it", {"title": "fix: it all"}, True),
    ("10:30", {"title": "At 10:30"}, True),
    ("--force", {"title": "Push with --force"}, True),
    ("-", {"title": "a - b"}, True),
    ('"status:error"', {"title": "What does status:error mean"}, True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "fields", "fit"), FIT, ids=[f"{number}-{case[0]}" for number, case in enumerate(FIT)]
)
def test_what_fits(query: str, fields: dict[str, Any], fit: bool) -> None:
    assert fits(query, row(**fields), FIGURES) is fit


def test_every_key_has_a_case_and_its_example_is_understood() -> None:
    asked = {condition.key for query, _, _ in FIT for condition in Query(query).conditions}
    assert asked == KEYS.keys()
    for key in KEYS.values():
        assert Query(key.example).conditions


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("size:>5Q", "size:>5Q: a size is like >5M, <200k or 1M..5M"),
        ("size:5M", "size:5M: a size is like >5M, <200k or 1M..5M"),
        ("size:", "a size is like >5M, <200k or 1M..5M"),
        ("-age:<3x", "-age:<3x: an age is like <7d, >2h or 1d..3d (s m h d w y)"),
        ("created:soon", "created:soon: a day is like 2026-01-31, >2026-01 or 2026-01..2026-03"),
        ("created:2026-13", "created:2026-13: a day is like 2026-01-31, >2026-01 or "
         "2026-01..2026-03"),
        ("created:2026-02-30", "created:2026-02-30: a day is like 2026-01-31, >2026-01 or "
         "2026-01..2026-03"),
        ("cost:>much", "cost:>much: a cost is in dollars, like >1, <0.50 or 1..5"),
        ("turns:many", "turns:many: a number is like >10, <3 or 5..20"),
        ("agent:vim", f"agent:vim: agent takes {', '.join(AGENT_NAMES)} or unknown"),
        ("is:red", "is:red: is takes pinned, live, empty, fork, subagent or orphan"),
        ("title:", "part of the title"),
        ("staus:error",
         "unknown filter “staus”, did you mean “status”? (to match it as text, quote it)"),
        ('""', 'there is nothing between the quotes, like "flaky retry"'),
        ("re:foo", "a pattern stands between slashes, like re:/time(d )?out/i"),
        ("re:/foo", "the pattern has no slash at its end, like re:/time(d )?out/i"),
        ("re:/foo/x", "after a pattern stand i, s or a, not x"),
        ("re:/(/", "no pattern: missing ), unterminated subpattern at position 0"),
        ("re:/(a+)+$/", "a choice or a repetition inside a repetition could take for ever"),
        ("x" * (LONGEST_QUERY + 1), "a query has at most 1,000 characters"),
        ("x " * 33, "a query has at most 32 words and conditions"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_what_is_allowed(query: str, says: str) -> None:
    with pytest.raises(QueryError) as caught:
        Query(query)
    assert str(caught.value) == says


@pytest.mark.parametrize(
    "query",
    ["-newer:7d", "-project_name:api", "-s:error", "-status::running", "-is://live",
     "-is\uff1alive",
     '-"draft age:>3000d', '-title:"draft age:>3000d', "-size:5M..1M", "-age:3d..1d",
     "-created:2026-03..2026-01", "size:>1i"],
)  # fmt: skip
def test_what_is_not_understood_is_never_ruled_out(query: str) -> None:
    """Else everything else would be a match."""
    with pytest.raises(QueryError):
        Query(query)


@pytest.mark.parametrize("query", ["-important", "-title:important", "-re:/important/"])
def test_of_a_title_that_was_cut_nobody_knows_what_is_not_in_it(query: str) -> None:
    cut = row(title="a" * TITLE_CHARACTERS)
    assert fits(query, cut) is None
    assert fits(query, row(title="short")) is True
    assert fits("-re:/i.*m.*p.*t/", row(title="a title that is sixty characters long " * 3)) is None


def test_an_unknown_key_is_told_the_known_ones() -> None:
    with pytest.raises(
        QueryError, match=r"unknown filter “tool”, there are status, .*, id and re \("
    ):
        Query("tool:bash")


@pytest.mark.parametrize("before", ["", "retry"])
def test_what_is_not_understood_fits_nothing_until_it_is_put_right(before: str) -> None:
    catalog = catalog_of(row(), row("other"))
    catalog.filter(before)
    with pytest.raises(QueryError):
        catalog.filter("retry size:>5Q")
    assert "a size is like" in catalog.wrong
    assert (catalog.shown, list(catalog.fitting), catalog.height) == (0, [], 0)
    assert not catalog.is_result_of("retry size:>5Q")
    assert catalog.line_of(row().path) is None
    catalog.upsert([row("late")])
    catalog.remove([row("other").path])
    assert (catalog.shown, list(catalog.fitting), catalog.height) == (0, [], 0)
    catalog.filter("retry size:>1")
    assert not catalog.wrong
    assert sorted(catalog.fitting) == sorted([row().path, row("late").path])
    assert catalog.is_result_of("retry size:>1")
    with pytest.raises(QueryError):
        catalog.filter('""')
    catalog.filter("")
    assert (catalog.shown, catalog.height) == (2, 3)


@pytest.mark.parametrize("before", ["", "flaky", "age", "zebra", "status:er"])
def test_while_a_condition_is_typed_what_stands_before_it_is_shown_and_nothing_fits(
    before: str,
) -> None:
    catalog = catalog_of(row(), row("other", title="Another"))
    for _ in catalog.search(before, typing=True):
        pass
    for _ in catalog.search("flaky age:>3", typing=True):
        pass
    assert catalog.waits
    assert "an age is like" in catalog.wrong
    assert not catalog.is_result_of("flaky age:>3")
    assert (catalog.shown, list(catalog.fitting), catalog.height) == (0, [], 2)
    assert catalog.end_typing()
    assert not catalog.end_typing()
    assert (catalog.shown, list(catalog.fitting), catalog.height) == (0, [], 0)


@pytest.mark.parametrize(
    "query",
    ["age:", "age:>", "age:>3", "age:1d..", "age:3", "size:1M..", "size:>", "status:", "status:er",
     "status:error,run", "is:p", "has:", "agent:o", "created:2", "created:2026-", "created:>20",
     "turns:5..", "title:", 'title:"', "model:", "re:", "re:/", "re:/fo", "re:/(fo", "re:/[a",
     "api -age:<3", '"'],
)  # fmt: skip
def test_a_condition_is_being_typed(query: str) -> None:
    with pytest.raises(QueryError):
        Query(query)
    assert is_beginning(query)


@pytest.mark.parametrize(
    "query",
    ["age:>30days", "age:>30da", "age: ", "age:x api", "size:>5Q", "size:>abc", "status:nonsense",
     "is:nonsense", "has:nonsense", "agent:vim", "cost:>x", "created:2026-99", "created:soon",
     "turns:>>3", "re:/(/", "re:/(a+)+$/", "staus:error", '""', 'api ""', "x" * 1_001],
)  # fmt: skip
def test_no_letters_more_make_a_query_of_it(query: str) -> None:
    with pytest.raises(QueryError):
        Query(query)
    assert not is_beginning(query)


def test_whether_a_result_is_that_of_what_is_typed() -> None:
    catalog = catalog_of(*(row(f"{number}") for number in range(2 * SLICE)))
    assert catalog.is_result_of("")
    steps = catalog.search("flaky")
    assert not catalog.is_result_of("flaky")
    next(steps)
    assert not catalog.is_result_of("flaky")
    assert not catalog.is_result_of("")
    for _ in steps:
        pass
    assert catalog.is_result_of("flaky")
    assert not catalog.is_result_of("flaky ")
    assert not catalog.is_result_of("")


@pytest.mark.parametrize("query", ["cost:>1", "-cost:>1", "retry tokens:<5", "turns:3"])
def test_a_session_without_figures_does_not_fit_and_is_counted(query: str) -> None:
    assert fits(query, row()) is None
    assert fits(f"{query} zebra", row()) is False


@pytest.mark.parametrize(
    "query",
    ["model:opus", "status:error", "agent:omp", "created:>2020", "is:empty", "-draft", '-"a b"',
     "-re:/draft/"],
)  # fmt: skip
def test_a_session_not_read_yet_does_not_fit_and_is_counted(query: str) -> None:
    unread = Row(path="/s/a.jsonl", size=1, mtime_ms=1)
    assert fits(query, unread) is None


def test_figures_that_become_known_bring_their_session_in() -> None:
    one = row()
    catalog = catalog_of(one)
    known: dict[str, SessionStats] = {}
    catalog.figures = known.get
    catalog.filter("cost:>0.5")
    assert (catalog.shown, len(catalog.unsure)) == (0, 1)
    known[one.path] = FIGURES
    catalog.figured([one.path])
    assert (catalog.shown, len(catalog.unsure)) == (1, 0)


def test_a_session_that_is_read_now_comes_in_or_is_counted_no_more() -> None:
    unread = [Row(path=f"/s/{name}.jsonl", size=1, mtime_ms=1) for name in "ab"]
    catalog = catalog_of(*unread)
    catalog.filter("model:opus")
    assert (catalog.shown, len(catalog.unsure)) == (0, 2)
    quiet = SessionTail(quiet=True)
    catalog.upsert([replace(unread[0], read=True, agent="omp", model="opus-5", tail=quiet)])
    catalog.upsert([replace(unread[1], read=True, agent="omp", model="sonnet", tail=quiet)])
    assert (catalog.shown, len(catalog.unsure)) == (0, 0)
    said = SessionTail(ending="answer")
    catalog.upsert([replace(unread[0], read=True, agent="omp", model="opus-5", tail=said)])
    assert catalog.shown == 1


def test_typing_on_after_a_comparison_looks_at_everything_again() -> None:
    catalog = catalog_of(*(row(f"{size}", size=size) for size in (3, 30, 300)))
    catalog.filter("size:<5")
    assert catalog.shown == 1
    catalog.filter("size:<50")
    assert catalog.shown == 2
    catalog.filter("size:<50 fl")
    catalog.filter("size:<50 fla")
    assert catalog.shown == 2


def test_what_changes_with_time_is_found_when_it_is_looked_for_again() -> None:
    now = [NOW]
    catalog = Catalog(home=HOME, clock=lambda: now[0])
    catalog.upsert([row(ago_ms=HOUR)])
    catalog.filter("age:>2h")
    assert catalog.query is not None
    assert catalog.query.timed
    assert catalog.shown == 0
    now[0] += 2 * HOUR
    catalog.filter("age:>2h")
    assert catalog.shown == 1


def test_what_fits_without_words_stands_in_the_order_of_the_list() -> None:
    catalog = catalog_of(*(row(f"{n}", ago_ms=n, size=n) for n in range(1, 1_500)))
    catalog.filter("size:>0")
    assert catalog.shown == 1_499
    assert not catalog.ranked
    catalog.order_by("size")
    first = catalog.line(1)
    assert first.key.endswith("_1499.jsonl")
    assert catalog.height == 1_001


def test_what_was_found_is_sorted_best_first_then_as_the_list_is() -> None:
    catalog = catalog_of(
        row("old", title="Retry", ago_ms=HOUR, size=1), row("new", title="No retry", size=2)
    )
    catalog.filter("retry")
    steps = []
    for _ in range(6):
        lines = catalog.lines(1, 3)
        steps.append((catalog.ranked, catalog.sort, lines[0].key[-9:-6]))
        catalog.step_order()
    assert steps == [
        (True, "modified", "old"),
        (False, "modified", "new"),
        (False, "created", "new"),
        (False, "title", "new"),
        (False, "size", "new"),
        (True, "modified", "old"),
    ]


def test_patterns_and_phrases_are_lit_where_they_match() -> None:
    shown = "Fix the flaky retry test"

    def lit(query: str) -> str:
        places = Query(query).positions(shown)
        return "".join(char if place in places else "." for place, char in enumerate(shown))

    assert lit("re:/fl\\w+/") == "........flaky..........."
    assert lit('"the flaky"') == "....the flaky..........."
    assert lit("-retry status:error -re:/test/") == "." * len(shown)


def test_what_is_typed_next_is_hinted() -> None:
    assert "status:error" in query_hint("")
    assert query_hint("retry :").startswith("status project title ")
    assert query_hint("retry") == query_hint("size:") == query_hint("fix: ") == ""


# It ends


_PIECES = st.sampled_from(
    ["(", ")", "a", "b", ".", "*", "+", "?", "|", "[ab]", "{2}", "{0,9}", "{3,}", "\\w", "\\b",
     "^", "$", "(?:", "(?=", "(?!", "(?i)", "(?P<n>", "(?P=n)", "\\1", "[^a]", "??", "*+", "é"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=12).map("".join))
@example("(a?){30}a{30}")
@example("(?:(?:(?:){300}){300}){300}")
@example("a?" * 30 + "a" * 30)
@example("(x+x+)+y")
@example(".*.*.*.*b")
def test_a_pattern_is_refused_or_ends(text: str) -> None:
    try:
        pattern = safe_pattern(text)
    except QueryError:
        return
    for subject in ("a" * LONGEST, "ab" * LONGEST, "aaab " * LONGEST):
        pattern.found_in(subject)
        list(pattern.positions(subject))


_TYPED = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            [*(f"{key}:" for key in KEYS), "re:/", "/", "/i", '"', "\\", "-", " ", ">", "<", "..",
             "=", "5", "1e9", "9" * 20, "2026-01-31", "M", "d", ",", "error", "(", "*", "\x00",
             "\ud800", "İ", "٣"]
        ),
        max_size=12,
    ).map("".join),
)  # fmt: skip


@given(_TYPED, st.sampled_from(["", "Fix the flaky retry test", 'a "b" c\\d', "\ud800\x00"]))
def test_whatever_is_typed_is_a_query_or_an_error_of_ours(typed: str, title: str) -> None:
    one = row(title=title)
    try:
        query = Query(typed)
    except QueryError:
        return
    catalog = catalog_of(one)
    catalog.filter(typed)
    assert bool(query) is (catalog.query is not None)
    assert all(0 <= place < len(title) for place in query.positions(title))
    if query:
        assert query.score(search_text(one, "api")) >= 0


@given(_TYPED)
def test_not_is_the_other_way_round(typed: str) -> None:
    word = typed.strip()
    if not word or any(char.isspace() for char in word) or word[0] == "-":
        return
    if any(char in word for char in ':"\\'):
        return
    one = row(title="Fix the flaky retry test")
    assert fits(f"-{word}", one) is not fits(f'"{word}"', one)


def test_a_pattern_is_looked_for_in_few_sessions_at_a_time() -> None:
    catalog = catalog_of(*(row(f"{number}") for number in range(2 * SLICE)))
    assert sum(1 for _ in catalog.search("flaky")) < 2 * SLICE // PATTERN_SLICE
    assert sum(1 for _ in catalog.search("re:/flaky/")) >= 2 * SLICE // PATTERN_SLICE
    assert catalog.shown == 2 * SLICE


def test_the_language_is_for_hostile_sessions_too() -> None:
    one = row(title="a" * 5_000, first_message="b" * 5_000, path="/s/" + "a" * 250 + ".jsonl")
    catalog = catalog_of(*(replace(one, path=f"{one.path}{n}") for n in range(200)))
    catalog.filter(r"re:/.*.*.*x/")
    assert catalog.shown == 0
