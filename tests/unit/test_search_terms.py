"""What may be typed to search all sessions, and patterns that would never end."""

from __future__ import annotations

import threading

import pytest

from sessiontui.errors import TooSlowError
from sessiontui.transcript.regex_timeout import with_regex_timeout
from sessiontui.transcript.search import LiteralQuery, RegexQuery, WordsQuery, parse_search_terms

ENDLESS = r"(a+)+$"
LINE = "a" * 60 + "!"


@pytest.mark.parametrize(
    ("text", "needles"),
    [
        ("Flaky", ["flaky"]),
        ("flaky  retry", ["flaky", "retry"]),
        ("flaky flaky", ["flaky"]),
        ('"flaky retry"', ["flaky retry"]),
        ('fix "flaky retry', ["fix", "flaky retry"]),
        ('a"b c"d', ["a", "b c", "d"]),
        ('""', [""]),
        ("  ", [""]),
    ],
)
def test_words_and_quoted_texts(text: str, needles: list[str]) -> None:
    wanted = parse_search_terms(text)
    found = wanted.needles if isinstance(wanted, WordsQuery) else (wanted,)

    assert [needle.text for needle in found] == needles
    assert bool(wanted) == any(needles)


def test_a_pattern_is_a_pattern() -> None:
    wanted = parse_search_terms("re:/fl.ky  retry/")

    assert isinstance(wanted, RegexQuery)
    assert wanted.text == "fl.ky  retry"
    with pytest.raises(ValueError, match="unterminated"):
        parse_search_terms("re:/(/")


def test_all_words_must_be_in_a_block_and_the_line_with_most_of_them_tells_it() -> None:
    wanted = parse_search_terms("one two three")

    assert wanted.pick(["one", "two ONE", "three", "one two"]) == "two ONE"
    assert wanted.pick(["one", "two one"]) is None


def test_what_is_lit_never_overlaps() -> None:
    wanted = parse_search_terms("abc bcd c")

    assert list(wanted.spans("xabcdx c")) == [(1, 4), (4, 5), (7, 8)]


def test_stored_bytes_are_passed_over_only_where_a_word_is_missing() -> None:
    wanted = parse_search_terms("retry 재시도")
    line = '{"text":"재시도 retry"}\n'.encode()
    other = b'{"text":"retry"}\n'

    assert wanted.next(line, 0) >= 0
    assert wanted.possible(line, 0, len(line))
    assert not wanted.possible(other + line, 0, len(other))


def test_a_pattern_that_would_never_end_is_ended() -> None:
    pattern = RegexQuery(ENDLESS)

    assert pattern.pick(["aaa"]) == "aaa"
    with pytest.raises(TooSlowError):
        pattern.pick([LINE])
    assert list(pattern.spans("aaa")) == []


def test_the_same_process_goes_on_after_that() -> None:
    for _ in range(3):
        with pytest.raises(TooSlowError):
            with_regex_timeout(lambda: RegexQuery(ENDLESS)._find(LINE).__next__(), 0.02)

    assert with_regex_timeout(lambda: 3) == 3
    assert sum(range(1_000_000)) == 499_999_500_000


def test_other_threads_have_no_limit() -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(with_regex_timeout(lambda: 3, 1e-6)))
    thread.start()
    thread.join()

    assert found == [3]


def test_a_needle_that_is_typed_in_capitals_is_found() -> None:
    assert isinstance(parse_search_terms("ÜBER"), LiteralQuery)
    assert parse_search_terms("ÜBER").pick(["überall"]) == "überall"
