"""Text from outside, made harmless."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessiontui.text import clean, clean_lines, clean_text

ANY_TEXT = st.text(st.characters(codec=None), max_size=80)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("", ""),
        ("[bold]not markup[/x]", "[bold]not markup[/x]"),
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇"),
        ("\x9b31m\x90\x9d", "\ufffd31m\ufffd\ufffd"),
        ("a\nb\rc\x00d\x7f", "a␊b␍c␀d␡"),
        ("a\tb", "a   b"),
        ("\u202egnp.exe\u2066x\u2069\u061c", "\ufffdgnp.exe\ufffdx\ufffd\ufffd"),
        ("zero\u200bwidth\ufeff\u2060\u00ad", "zero\ufffdwidth\ufffd\ufffd\ufffd"),
        ("tag\U000e0041 filler\u3164", "tag\ufffd filler\ufffd"),
        ("line\u2028end\u2029", "line\ufffdend\ufffd"),
        ("lone\ud800\udcff", "lone\ufffd\ufffd"),
    ],
)
def test_text_is_one_harmless_line(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_what_people_write_stays_as_it_is() -> None:
    text = "한글 العربية עברית 👩\u200d💻 é e\u0301 ❤\ufe0f"
    assert clean(text) is text


@given(ANY_TEXT)
def test_no_text_holds_anything_a_terminal_acts_on(text: str) -> None:
    shown = clean(text)
    shown.encode()
    for character in shown:
        assert unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        assert unicodedata.bidirectional(character) not in (
            "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI",
        )  # fmt: skip
    assert clean(shown) == shown


def test_lines_end_where_a_text_says_so() -> None:
    assert clean_lines("a\r\nb\rc\n\td\x1b") == ["a", "b", "c", "    d␛"]
    assert clean_lines("") == [""]
    assert clean_lines("a\n") == ["a", ""]


def test_a_text_for_elsewhere_keeps_lines_and_tabs_alone() -> None:
    hostile = "a\tb\r\nc\rd\ne\x00\x1b[1m\x7f\x9b\u202e\ud800\u2028"
    assert clean_text(hostile) == "a\tb\nc\nd\ne␀␛[1m␡" + "\ufffd" * 4
    assert clean_text("plain ▨ é") == "plain ▨ é"
