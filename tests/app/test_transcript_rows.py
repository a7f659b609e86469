"""Rows of a transcript: wrapped by cells, folded, capped, and light Markdown in them."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from sessiontui.app.widgets.transcript.layout import (
    MAX_ROWS,
    TextRow,
    ViewOptions,
    layout_rows,
    raw_rows,
    seconds,
)
from sessiontui.app.widgets.transcript.styled_text import break_points, markdown_lines
from sessiontui.formats.blocks import Block, Part, Usage, text_part
from sessiontui.text import clean
from sessiontui.transcript.pages import PageLine

LOOK = ViewOptions(width=63, now_ms=1_789_003_600_000, zone=UTC)


def block(*lines: str, kind: Any = "tool", **fields: Any) -> Block:
    parts = (text_part("plain", "\n".join(lines)),) if lines else ()
    fields = {"heading": "bash", "folded": 4, **fields}
    return Block(kind=kind, offset=0, parts=parts, **fields)


def rows(*blocks: Block, look: ViewOptions = LOOK, is_open: bool = False) -> list[TextRow]:
    return list(layout_rows(blocks, look, lambda _number, _block: is_open, None))


def told(found: list[TextRow]) -> list[str]:
    return [row.text.rstrip() for row in found]


@settings(max_examples=300, deadline=None)
@given(
    st.text(
        st.one_of(
            st.sampled_from("ab  cd,.한글日本語é👩\u200d👩👍🏽e\u0301\u0e33"),
            st.characters(codec="utf-8"),
        ),
        max_size=300,
    ).map(clean),
    st.integers(2, 60),
    st.booleans(),
)
def test_no_row_is_wider_than_the_screen_and_no_character_is_lost(
    text: str, width: int, words: bool
) -> None:
    breaks = break_points(text, width, words=words)
    pieces = [text[start:stop] for start, stop in breaks]
    assert all(cell_len(piece) <= width for piece in pieces)
    if words:
        assert "".join(pieces).replace(" ", "") == text.replace(" ", "")
    else:
        assert "".join(pieces) == text


def test_text_is_broken_at_spaces_where_there_are_some() -> None:
    assert [
        "the quick brown"[start:stop] for start, stop in break_points("the quick brown", 10)
    ] == ["the quick", "brown"]
    text = "한국어 문장은 넓다"
    assert [text[start:stop] for start, stop in break_points(text, 8)] == [
        "한국어 ",
        "문장은 ",
        "넓다",
    ]


def test_a_folded_tool_shows_its_first_lines_and_how_many_more() -> None:
    found = told(rows(block(*"abcdefgh", detail="ls")))
    assert found == ["▸ bash  ls", "    a", "    b", "    c", "    d", "    … 4 more lines"]
    assert told(rows(block(*"abcdefgh"), is_open=True))[-1] == "    h"


def test_one_line_more_is_shown_instead_of_announced() -> None:
    assert told(rows(block(*"abcde")))[1:] == ["    a", "    b", "    c", "    d", "    e"]


def test_a_shell_command_shows_the_end_of_its_output() -> None:
    found = told(rows(block(*"abcdefgh", from_end=True)))
    assert found[1:] == ["    … 4 lines above", "    e", "    f", "    g", "    h"]
    assert told(rows(block(*"abcde", from_end=True)))[1:] == [f"    {line}" for line in "abcde"]


def test_an_entry_takes_a_bounded_number_of_rows_however_long_it_is() -> None:
    for text in ("x\n" * 100_000, "y" * 5_000_000, "한" * 1_000_000, "e" + "\u0301" * 1_000_000):
        part = text_part("markdown", text)
        found = rows(Block(kind="text", offset=0, parts=(part,)))
        assert len(found) <= MAX_ROWS + 2
        assert "(open in pager)" in found[-1].text


def test_a_heading_fits_its_width_and_drops_what_has_no_room() -> None:
    heading = block(
        kind="assistant",
        heading="a-model-with-quite-a-long-name",
        folded=None,
        time_ms=1_789_000_000_000,
        usage=Usage(3100, 0.84),
        detail="한" * 100,
    )
    for width in (8, 20, 41, 63, 120):
        (row,) = rows(heading, look=ViewOptions(width=width, zone=UTC))
        used = sum(cell_len(text) for text, _ in (*row.spans, *row.right))
        assert used <= ViewOptions(width=width).inner
    (row,) = rows(heading, look=ViewOptions(width=120, zone=UTC))
    assert "".join(text for text, _ in row.right) == "00:26 · 3.1k tokens · $0.84"


def test_an_edit_tells_how_many_lines_it_changed() -> None:
    (row,) = rows(block(heading="edit", detail="/a/b.py", added=3, removed=1, duration_ms=1200))
    assert "".join(text for text, _ in row.right) == "+3 \N{MINUS SIGN}1 · 1.2 s"


def test_headings_of_tools_stand_together_and_prose_stands_apart() -> None:
    read = block(heading="read", folded=0)
    text = Block(kind="text", offset=0, parts=(Part("markdown", ("Done.",)),))
    user = Block(kind="user", offset=0, heading="You", parts=(Part("markdown", ("Hi",)),))
    assert told(rows(user, read, read, text)) == ["You", "Hi", "", "▸ read", "▸ read", "", "Done."]


def test_thinking_and_headings_without_text_hide_together() -> None:
    heading = Block(kind="assistant", offset=0, heading="opus", silent=True)
    thinking = Block(kind="thinking", offset=0, folded=3, parts=(Part("thinking", ("Hm.",)),))
    tool = block()
    assert told(rows(heading, thinking, tool)) == ["opus", "Hm.", "", "▸ bash"]
    assert told(rows(heading, thinking, tool, look=ViewOptions(thinking=False))) == ["▸ bash"]


def spans(*lines: str, width: int = 60) -> list[tuple[tuple[str, str], ...]]:
    return [
        tuple(span for span in (line.first, *line.spans) if span[0])
        for line in markdown_lines(lines, width)
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("plain", [("plain", "text")]),
        ("## Title", [("Title", "title")]),
        ("a **b** c", [("a ", "text"), ("b", "strong"), (" c", "text")]),
        ("*i* and _j_", [("i", "emphasis"), (" and ", "text"), ("j", "emphasis")]),
        ("snake_case_name 2*3*4", [("snake_case_name 2*3*4", "text")]),
        ("run `make *all*`", [("run ", "text"), ("make *all*", "inline-code")]),
        ("- item", [("• ", "marker"), ("item", "text")]),
        ("  3. item", [("  3. ", "marker"), ("item", "text")]),
        ("- [x] done", [("☑ ", "marker"), ("done", "text")]),
        ("> quoted", [("▎ ", "faint"), ("quoted", "quote")]),
        ("[docs](http://a)", [("docs", "link"), (" (http://a)", "faint")]),
        ("---", [("─" * 24, "faint")]),
        ("[/x] [red]", [("[/x] [red]", "text")]),
    ],
)
def test_markdown_marks_become_styles(line: str, expected: list[tuple[str, str]]) -> None:
    assert spans(line) == [tuple(expected)]


def test_code_between_fences_stays_as_it_is() -> None:
    found = spans("```py", "x = **y**", "# no title", "```", "**after**")
    assert found == [
        (("│ ", "rule"), ("py", "faint")),
        (("│ ", "rule"), ("x = **y**", "code")),
        (("│ ", "rule"), ("# no title", "code-comment")),
        (("after", "strong"),),
    ]


def test_columns_of_a_table_are_aligned_where_they_fit() -> None:
    table = ("| a | 한국 |", "|---|:--|", "| long cell | b |")
    aligned = ["".join(text for text, _ in line) for line in spans(*table)]
    assert aligned == ["a         │ 한국", "──────────┼─────", "long cell │ b   "]
    assert "".join(text for text, _ in spans(*table, width=10)[0]) == "| a | 한국 |"


def test_cells_of_a_table_that_is_too_wide_are_wrapped() -> None:
    table = ("| a | what it means |", "|---|---|", "| `b` | **many** words of any 한국어 kind |")
    wrapped = ["".join(text for text, _ in line) for line in spans(*table, width=20)]
    assert wrapped == [
        "a │ what it means   ",
        "──┼─────────────────",
        "b │ many words of   ",
        "  │ any 한국어 kind ",
    ]
    assert [span for span in spans(*table, width=20)[2] if "many" in span[0]] == [
        ("many", "strong")
    ]
    for width in range(19, 60):
        lines = spans(*table, ("| " + "x" * 90 + " | y |"), width=width)
        assert len({sum(cell_len(text) for text, _ in line) for line in lines}) == 1
        assert all(sum(cell_len(text) for text, _ in line) <= width for line in lines)


def test_a_stored_line_shows_exactly_and_safely() -> None:
    raw = '{"a": "\ud55c \\u001b[0m"}\x1b]0;x\x07'.encode()
    line = PageLine(0, len(raw), raw, begun=True, ended=True)
    found = raw_rows(line, ViewOptions(width=20))
    assert "".join(row.text for row in found) == clean(raw.decode())
    assert all(cell_len(row.text) <= ViewOptions(width=20).inner for row in found)


def test_a_stored_line_of_many_rows_ends_with_how_much_is_left() -> None:
    raw = b"x" * 100_000
    found = raw_rows(PageLine(0, 3_000_000, raw, begun=True, ended=True), ViewOptions(width=40))
    assert len(found) == MAX_ROWS + 1
    assert found[-1].text == "… 3.0 MB more (open in pager)"


@pytest.mark.parametrize(
    ("ms", "text"),
    [(300, "0.3 s"), (9_900, "9.9 s"), (42_400, "42 s"), (252_000, "4m 12s"), (7_500_000, "2h 5m")],
)
def test_durations_read_naturally(ms: int, text: str) -> None:
    assert seconds(ms) == text
