"""The exported Markdown: fences hold, HTML is text, and what is begun is ended."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from sessiontui.export import ExportOptions
from sessiontui.export.markup import MAX_TEXT, safe_markdown
from sessiontui.text import clean_text
from tests.corpus import CORPUS
from tests.sessions import Omp, every_omp_entry
from tests.unit.export_support import HOSTILE, exported
from tests.unit.test_export_html import hostile_session

if TYPE_CHECKING:
    from markdown_it.token import Token

READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def read(text: str) -> list[Token]:
    """Read Markdown as a careless reader would; nothing of it is HTML or a control code."""
    assert re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028]", text) is None
    tokens = READER.parse(text)
    for token in tokens:
        assert token.type != "html_block", token.content
        for child in token.children or ():
            assert child.type != "html_inline", token.content
    return tokens


def headings(tokens: list[Token], tag: str) -> list[str]:
    """Return the texts of all headings of a level that stand in nothing else."""
    return [
        tokens[place + 1].content
        for place, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag == tag and token.level == 0
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_where_it_is(text: str) -> None:
    session = hostile_session(text)
    page = exported(session, "md", title=text, project=text, id=text)
    tokens = read(page)
    assert page.endswith("\n---\n\n1 turn\n")
    assert [token.type for token in tokens[-4:-2]] == ["hr", "paragraph_open"]
    assert sum(heading.startswith("You · ") for heading in headings(tokens, "h2")) == 1


def test_all_hostile_texts_in_one_session_too() -> None:
    read(exported(hostile_session("\n\n".join(HOSTILE)), "md"))


def test_what_follows_a_list_does_not_go_on_with_it() -> None:
    session = Omp()
    session.assistant("- a list\n  1. in a list")
    session.user("     <script>alert(1)</script>")
    texts = [{"type": "text", "text": text} for text in ("- item", "    <b>x</b>", "\t<i>")]
    session.message("assistant", texts, stopReason="stop")
    read(exported(session.data, "md"))


def test_a_fence_is_longer_than_any_run_of_backticks_inside() -> None:
    session = Omp()
    session.assistant("Look", calls=("bash",))
    session.result("bash", "````\n```\n`````sh\n</pre>")
    page = exported(session.data, "md")
    assert "\n``````\n````\n```\n`````sh\n</pre>\n``````\n" in page
    fences = [token.content for token in read(page) if token.type == "fence"]
    assert "````\n```\n`````sh\n</pre>\n" in fences


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("Use `<div>` and x < 1.", "Use `<div>` and x < 1."),
        ("Raw <b>bold</b>", "Raw &lt;b>bold&lt;/b>"),
        ("<https://ok.example>", "<https://ok.example>"),
        ("```html\n<p>\n```", "```html\n<p>\n```"),
        ("~~~~\nopen", "~~~~\nopen\n~~~~"),
        ("a ` b\n` <i> `", "a ` b\n` &lt;i> `"),
    ],
)
def test_only_what_is_html_is_escaped_and_only_what_is_open_is_closed(text: str, made: str) -> None:
    assert safe_markdown(text) == made


@pytest.mark.parametrize("text", HOSTILE)
def test_what_cannot_be_made_harmless_is_said_to_be_so(text: str) -> None:
    made = safe_markdown(clean_text(text))
    assert made is None or read(f"{made}\n\nafter")[-2].content == "after"


def test_long_text_is_not_read_but_fenced() -> None:
    assert safe_markdown("x" * (MAX_TEXT + 1)) is None
    session = Omp()
    session.user("<b>" * MAX_TEXT)
    assert f"\n```\n{'<b>' * MAX_TEXT}\n```\n" in exported(session.data, "md")


def test_it_reads_as_the_session_went() -> None:
    session = Omp(header={"id": "0199-a|b"})
    session.user("Do *it*.")
    session.assistant("I run it.", calls=("bash",))
    session.result("bash", "1 failed")
    session.assistant("It failed.")
    page = exported(session.data, "md", title="A [title] *here*", id="0199-a|b")
    assert page.startswith("# A \\[title\\] \\*here\\*\n\n| | |\n| --- | --- |\n")
    assert "| Id | `0199-a\\|b` |" in page
    places = [
        page.index(text)
        for text in (
            "## You · 2026-09-10 00:26:41 UTC\n\nDo *it*.\n",
            "### opus-5 · 2026-09-10 00:26:42 UTC\n",
            "*Thinking*\n\n> Hm.\n",
            "I run it.\n",
            "**bash**",
            "```\n1 failed\n```\n",
            "It failed.\n",
            "1 turn\n",
        )
    ]
    assert places == sorted(places)
    assert page.count("1 failed") == 1


def test_tools_and_thinking_are_left_out_on_request() -> None:
    session = Omp()
    session.assistant("Words", calls=("bash",))
    session.result("bash", "the output")
    without = exported(session.data, "md", options=ExportOptions(tools=False, thinking=False))
    assert "Words" in without
    assert "the output" not in without
    assert "Hm." not in without


def test_sessions_of_every_kind_are_read_without_html() -> None:
    read(exported(every_omp_entry(), "md"))
    for file in sorted(CORPUS.glob("*.jsonl")):
        read(exported(file.read_bytes(), "md", title=file.name, piece=100_000))
