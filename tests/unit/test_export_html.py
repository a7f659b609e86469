"""The exported page: nothing in a session gets to be more than text in it."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from sessiontui.export import ExportOptions, SessionFacts, writer_for
from sessiontui.export.html import POLICY
from sessiontui.export.markup import MAX_TEXT, to_html
from sessiontui.formats.jsonl import encode_entries
from tests.corpus import CORPUS
from tests.sessions import Omp, claude_session, codex_session, every_omp_entry, pi_session
from tests.unit.export_support import HOSTILE, exported

if TYPE_CHECKING:
    from sessiontui.export import ExportFormat

PLAIN = (
    "head title style body header main footer h1 h2 h3 h4 h5 h6 dt dd p ul li blockquote "
    "table thead tbody tr th td em strong s hr br pre code b small summary"
)
"""Tags that never have an attribute."""

ALLOWED: dict[str, set[str]] = {
    **{tag: set() for tag in PLAIN.split()},
    "html": {"lang"},
    "meta": {"charset", "http-equiv", "content", "name"},
    "dl": {"class"},
    "article": {"class"},
    "div": {"class"},
    "details": {"class", "open"},
    "p": {"class"},
    "span": {"class"},
    "time": {"datetime"},
    "ol": {"start"},
    "a": {"href", "rel"},
}
VOID = {"meta", "hr", "br"}


class Checker(HTMLParser):
    """Reads a page and holds every tag and attribute against a list."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text: list[str] = []
        self.links: list[str] = []
        self.classes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        names = {name for name, _ in attrs}
        assert names <= ALLOWED[tag], (tag, attrs)
        values = dict(attrs)
        if tag == "a":
            assert re.match(r"(https?://|mailto:)", values["href"] or ""), attrs
            assert values["rel"] == "noreferrer noopener"
            self.links.append(values["href"] or "")
        self.classes |= set((values.get("class") or "").split())
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag, (tag, self.open)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def checked(page: str) -> Checker:
    """Read a page; everything in it is on the list, closed, and free of control codes."""
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.open == []
    assert re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028]", page) is None
    assert page.count("<style>") == page.count("</style>") == 1
    assert f'content="{html.escape(POLICY)}"' in page
    return checker


def hostile_session(text: str) -> bytes:
    """Return a session with a text in every place that is shown."""
    session = Omp(title=text[:60], header={"cwd": f"/srv/{text}", "id": text})
    session.user(text)
    session.message(
        "assistant",
        [
            {"type": "thinking", "thinking": text},
            {"type": "text", "text": text},
            {"type": "toolCall", "id": text, "name": text, "arguments": {text: [text]}},
            {"type": "toolCall", "id": "w", "name": "write", "arguments": {"content": text}},
            {"type": "image", "mimeType": text, "data": f"https://evil.example/{text}"},
            {"type": text, text: text},
        ],
        model=text,
        stopReason="error",
        errorMessage=text,
    )
    session.message("toolResult", text, toolCallId=text, toolName=text, isError=True)
    session.message("bashExecution", command=text, output=text, exitCode=1)
    session.message("custom", text, customType=text)
    session.add("compaction", summary=text, shortSummary=text)
    session.add(text, data={text: text})
    session.add("label", targetId=text, label=text)
    return session.data + text.encode("utf-8", "surrogatepass") + b"\n"


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_hostile_becomes_markup(text: str) -> None:
    page = exported(hostile_session(text), title=text, project=text, id=text, model=text)
    checker = checked(page)
    assert {link.split("/")[2] for link in checker.links} <= {"e.example", "ok.example"}


@pytest.mark.parametrize("text", HOSTILE)
def test_what_markdown_makes_of_hostile_text_is_whitelisted_and_closed(text: str) -> None:
    checker = Checker()
    checker.feed(to_html(text.replace("\x00", "␀")))
    checker.close()
    assert checker.open == []


def test_all_hostile_texts_in_one_session_too() -> None:
    text = "\n\n".join(HOSTILE)
    checked(exported(hostile_session(text), title=text))


@pytest.mark.parametrize(
    "data",
    [
        every_omp_entry(),
        encode_entries(pi_session()),
        encode_entries(claude_session()),
        encode_entries(codex_session()),
        b"",
        b"\n\n[]\nnull\n",
    ],
    ids=["omp", "pi", "claude", "codex", "empty", "nothing"],
)
def test_sessions_of_every_agent_make_a_page(data: bytes) -> None:
    checked(exported(data))


def test_every_session_of_the_corpus_makes_a_page() -> None:
    files = sorted(CORPUS.glob("*.jsonl"))
    if not files:
        pytest.skip("the corpus is not beside this checkout")
    for file in files:
        checked(exported(file.read_bytes(), title=file.name, piece=100_000))


def test_what_was_written_is_shown_as_it_was_meant() -> None:
    session = Omp()
    session.user("**Bold**, `code`, [a link](https://example.org/a?b=1&c=2)\n\n1. one\n2. two")
    session.assistant("| a | b |\n| --- | --- |\n| 1 | 2 |\n\n```py\nx < 1\n```", calls=("bash",))
    session.result("bash", "1 failed")
    checker = checked(exported(session.data))
    page = exported(session.data)
    assert "<strong>Bold</strong>, <code>code</code>" in page
    assert checker.links == ["https://example.org/a?b=1&c=2"]
    assert "<li>one" in page
    assert "<td>2</td>" in page
    assert "<pre><code>x &lt; 1\n</code></pre>" in page
    assert page.count("1 failed") == 1
    assert '<details class="tool"><summary><b>bash</b>' in page
    assert '<time datetime="2026-09-10T00:26:41Z">2026-09-10 00:26:41 UTC</time>' in page
    assert {"user", "text", "thinking", "tool"} <= checker.classes


@pytest.mark.parametrize("kind", ["md", "html", "json"])
def test_the_text_comes_while_the_session_goes_by(kind: ExportFormat) -> None:
    session = Omp()
    session.user("Once more. " * 200)
    session.assistant("Running.", calls=("bash",))
    session.result("bash", "line\n" * 2000)
    writer = writer_for(kind, SessionFacts(title="", path="/a", size=1), ExportOptions())
    writer.begin()
    each = len(writer.feed(session.data))
    assert each > len(session.data) // 2
    for _ in range(50):
        assert len(writer.feed(session.data)) >= each // 2, "nothing piles up"


def test_tools_and_thinking_are_left_out_on_request() -> None:
    session = Omp()
    session.assistant("Words", calls=("bash",))
    session.result("bash", "the output")
    without = exported(session.data, options=ExportOptions(tools=False, thinking=False))
    assert "Words" in without
    assert "the output" not in without
    assert "Hm." not in without
    assert "Hm." in exported(session.data)


def test_text_that_is_too_long_for_markdown_is_shown_as_it_is() -> None:
    text = "<b>*x*" * MAX_TEXT
    assert to_html(text) == f"<pre>{html.escape(text)}</pre>"


def test_an_edit_has_its_lines_in_colour() -> None:
    session = Omp()
    arguments = {"path": "a.py", "old_string": "old <b>", "new_string": "new"}
    call = {"type": "toolCall", "id": "e", "name": "edit", "arguments": arguments}
    session.message("assistant", [call], model="opus-5", stopReason="toolUse")
    page = exported(session.data)
    checked(page)
    assert re.search(r'<span class="removed">-\s*old &lt;b&gt;</span>', page)
    assert re.search(r'<span class="added">\+\s*new</span>', page)
