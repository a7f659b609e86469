"""Source code in colours: nothing is lost, much is left plain, lexers come late."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessiontui.app.widgets.transcript.painter import STYLES
from sessiontui.app.widgets.transcript.styled_text import (
    MAX_CODE,
    code_lines,
    code_spans,
    markdown_lines,
    number_of,
)
from sessiontui.text import clean

LANGUAGES = ["py", "ts", "sh", "json", "rs", "go", "html", "css", "sql", "yaml", "toml", "none"]


def plain(lines: list[str], language: str) -> list[str]:
    return ["".join(text for text, _ in spans) for spans in code_spans(lines, language)]


@pytest.mark.parametrize(
    ("language", "line", "piece"),
    [
        ("python", "def add(a, b):", ("def", "code-keyword")),
        ("py", "x = 'text'  # why", ("# why", "code-comment")),
        ("ts", "const a = 42;", ("42", "code-number")),
        ("sh", 'echo "hello"', ('"hello"', "code-string")),
        ("JSON", '{"a": null}', ("null", "code-number")),
    ],
)
def test_pieces_of_code_have_their_styles(language: str, line: str, piece: tuple[str, str]) -> None:
    (spans,) = code_spans([line], language)
    assert piece in spans
    assert all(style in STYLES for _, style in spans)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.text(st.sampled_from("ab \"'#{}()/*<>\\\n:=$`é한\u2028\x1b\t"), max_size=40)),
    st.sampled_from(LANGUAGES),
)
def test_nothing_of_the_code_is_lost(pieces: list[str], language: str) -> None:
    lines = [clean(piece) for piece in pieces]
    assert plain(lines, language) == lines
    assert [len(line.spans) > 0 for line in code_lines(lines, language, "source")] == [True] * len(
        lines
    )


def test_unknown_languages_long_lines_and_long_code_are_left_plain() -> None:
    assert list(code_spans(["def f(): pass"], "klingon")) == [(("def f(): pass", "code"),)]
    long = ["x = 1", "y = '" + "a" * 5000 + "'", "z = 2"]
    found = list(code_spans(long, "py"))
    assert found[0] != (("x = 1", "code"),)
    assert found[1:] == [((line, "code"),) for line in long[1:]]
    many = ["number = 12345"] * (2 * MAX_CODE // 15)
    found = list(code_spans(many, "py"))
    assert len(found) == len(many)
    assert found[-1] == (("number = 12345", "code"),)


def test_numbers_before_the_lines_of_a_file_stand_apart() -> None:
    assert number_of("    12→def f():") == "    12→"
    assert number_of("228jg|  #chart") == "228jg|  "[:-1]
    assert number_of("12: x") == ""
    first, second = code_lines(["   1→import os", "   2→x = 'a'"], "py", "source")
    assert first.first == ("   1→", "faint")
    assert ("import", "code-keyword") in first.spans
    assert ("'a'", "code-string") in second.spans


def test_a_fence_in_prose_is_coloured_by_its_label_and_a_change_by_its_signs() -> None:
    text = ["```rust,ignore", "fn main() {}", "```", "~~~diff", "-old", "+new", "~~~"]
    spans = [span for line in markdown_lines(text, 60) for span in line.spans]
    assert ("fn", "code-keyword") in spans
    assert ("-old", "removed") in spans
    assert ("+new", "added") in spans


def test_no_lexer_is_loaded_before_there_is_code() -> None:
    code = (
        "import sys, sessiontui.app.app, sessiontui.app.widgets.transcript.view;"
        "sys.exit(any(name.startswith('pygments') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
