"""Random pieces of markup, put together: still nothing but text comes out."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sessiontui.export.markup import safe_markdown, to_html
from tests.unit.export_support import exported
from tests.unit.test_export_html import Checker, checked, hostile_session
from tests.unit.test_export_markdown import read

PIECES = (
    *"<>\"'`~*_[]()!#-+|\\&;:/=\n\t ",
    "    ", "\n\n", "```", "~~~~", "> ", "- ", "1. ", "<!--", "-->", "</pre>", "<script>",
    "<a href=x>", "<b\n", "<?", "?>", "<![CDATA[", "]]>", "]:", "](", "javascript:", "https://e.example/",
    "![", "&lt;", "&#60;", "| a |", "| - |", "=", "---", "x", "<div>", "\\<", "`<i>`", "\u200d",
)  # fmt: skip
TEXT = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@settings(max_examples=400, deadline=None)
@given(TEXT)
def test_no_text_makes_a_tag_of_its_own(text: str) -> None:
    checker = Checker()
    checker.feed(to_html(text))
    checker.close()
    assert checker.open == []


@settings(max_examples=400, deadline=None)
@given(TEXT)
@example("`x\n- ```\n<b>")
def test_markdown_without_html_stays_so_and_ends(text: str) -> None:
    made = safe_markdown(text.lstrip())
    assert made is None or read(f"{made}\n\nafter")[-2].content == "after"


@settings(max_examples=60, deadline=None)
@given(TEXT)
def test_a_session_of_such_text_is_a_page_and_a_text(text: str) -> None:
    checked(exported(hostile_session(text), title=text, project=text))
    read(exported(hostile_session(text), "md", title=text, project=text))
