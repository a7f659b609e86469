"""Rows told from heads and tails, and brought on as sessions grow."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sessiontui.catalog.projects import home_relative, project_label
from sessiontui.catalog.row_builder import (
    extend_row,
    id_from_path,
    read_head,
    read_tail,
)
from sessiontui.catalog.tail import REST_BYTES
from sessiontui.formats.jsonl import encode_entries
from sessiontui.formats.registry import parse_file_name
from sessiontui.formats.title_slot import TITLE_CHARACTERS
from tests.sessions import (
    OMP_PATH,
    START_MS,
    Omp,
    claude_session,
    codex_session,
    every_omp_entry,
    pi_session,
)
from tests.unit.row_builder_support import ID, omps_word, row_of

# Heads


def test_an_omp_session_is_known_by_its_header() -> None:
    session = Omp(header={"parentSession": "/sessions/other.jsonl"})
    session.add("model_change", model="anthropic/opus-5")
    session.user("Run the tests.\n\tAll of them.")
    row = row_of(session.data)
    assert row.read
    assert (row.agent, row.id, row.cwd) == ("omp", ID, "/home/me/code/api")
    assert (row.created_ms, row.parent) == (START_MS, "/sessions/other.jsonl")
    assert (row.has_slot, row.title, row.title_source) == (True, "Fix the tests", "auto")
    assert row.first_message == "Run the tests. All of them."
    assert row.model == "anthropic/opus-5"


@pytest.mark.parametrize(
    ("version", "model"), [(None, "sonnet-5"), (2, "sonnet-5"), (3, "sonnet-5")]
)
def test_a_pi_session_is_known_by_what_only_pi_writes(version: int | None, model: str) -> None:
    row = row_of(encode_entries(pi_session(version=version)))
    assert (row.agent, row.id, row.cwd, row.model) == ("pi", "pi-1", "/srv/app", model)
    assert (row.title, row.first_message) == ("Named by hand", "Hello pi")
    assert row.status == "pending"


def test_a_claude_session_is_known_without_a_header() -> None:
    row = row_of(encode_entries(claude_session()), path="/p/x.jsonl")
    assert (row.agent, row.id) == ("claude", "5f0d6d0e-0000-4000-8000-000000000001")
    assert (row.cwd, row.created_ms) == ("/home/me/web", START_MS + 1000)
    assert (row.title, row.first_message) == ("Build it", "Build it")
    assert (row.model, row.status, row.tool) == ("opus-5", "interrupted", "Bash")
    assert row.tool_since_ms == START_MS + 4000


def test_a_codex_rollout_is_known_though_its_first_line_is_longer_than_the_head() -> None:
    data = encode_entries(codex_session())
    assert data.index(b"\n") > 4096
    narrow, wide = read_head(data[:4096], complete=False), read_head(data, complete=True)
    assert (narrow.agent, narrow.cwd, narrow.enough) == ("codex", "/home/me/rust", False)
    assert wide.enough
    row = row_of(data, head=len(data))
    assert (row.id, row.created_ms) == ("019fc8be-0000-7000-8000-000000000001", START_MS - 5000)
    assert (row.title, row.model) == ("Port the parser", "gpt-6-codex")
    assert (row.status, row.tool) == ("interrupted", "apply_patch")


@pytest.mark.parametrize(
    ("entries", "agent"),
    [
        ([{"type": "session", "version": 3, "id": "a"}], "omp"),
        ([{"type": "session", "version": 2, "id": "a"}], "pi"),
        ([{"type": "session", "id": "a"}], "pi"),
        ([{"type": "session", "version": 3}, {"type": "model_change", "modelId": "m"}], "pi"),
        ([{"type": "session", "version": 3}, {"type": "model_change", "model": "p/m"}], "omp"),
        ([{"type": "session", "titleSource": "auto"}], "omp"),
        ([{"type": "session"}, {"type": "session_init"}], "omp"),
        ([{"type": "session", "version": 3}, {"type": "session_info", "name": "n"}], "pi"),
        ([{"type": "summary", "summary": "s", "leafUuid": "u"}], "claude"),
        ([{"type": "mode", "sessionId": "s"}], "claude"),
        ([{"type": "turn_context", "payload": {}}], "codex"),
        ([{"type": "message", "message": {"role": "user", "content": "tail only"}}], "unknown"),
        ([{"type": "session_meta"}], "unknown"),
        ([], "unknown"),
    ],
)
def test_the_agent_is_told_by_what_only_it_writes(
    entries: list[dict[str, Any]], agent: str
) -> None:
    assert read_head(encode_entries(entries), complete=True).agent == agent


def test_a_long_first_message_is_kept_by_its_beginning_though_the_head_cuts_it() -> None:
    session = Omp(title=None)
    session.user("First line of many\n" + "and more words " * 2000)
    session.assistant()
    head = read_head(session.data[:4096], complete=False)
    assert head.enough
    assert head.first_message.startswith("First line of many and more words")
    assert len(head.first_message) <= TITLE_CHARACTERS
    assert head.titles.message == "First line of many"


def test_a_head_without_a_message_wants_more() -> None:
    session = Omp(title="", header={"additionalDirectories": ["/x" * 3000]})
    session.user("Late")
    assert not read_head(session.data[:4096], complete=False).enough
    assert read_head(session.data, complete=False).enough


def test_what_is_no_session_has_no_facts() -> None:
    row = row_of(b'[12:00] Starting\n"text"\n\n' * 40, path="/logs/cli.jsonl")
    assert row.read
    assert (row.agent, row.id, row.cwd, row.created_ms) == ("unknown", None, None, None)
    assert (row.status, row.ending, row.title) == ("unknown", None, "Untitled · 00:26")


def test_a_header_of_wrong_types_is_passed_over() -> None:
    header = {"type": "session", "id": 5, "cwd": ["x"], "timestamp": "soon", "title": {}}
    row = row_of(encode_entries([header]))
    assert (row.id, row.cwd, row.created_ms) == (ID, None, 1_789_000_000_000)


# Growth


def test_a_row_follows_what_is_appended_in_any_pieces() -> None:
    data = every_omp_entry()
    begin = data.index(b"\n", 256) + 1
    for size in (1, 7, 100, 1000, len(data)):
        row = replace(row_of(data[:begin]), grew_ms=START_MS)
        for start in range(begin, len(data), size):
            row = extend_row(row, data[start : start + size], zone=UTC)
        tail = replace(row.tail, leaf="")
        assert replace(row, size=len(data), grew_ms=None, tail=tail) == row_of(data)


def test_a_row_read_inside_a_line_still_gets_the_whole_line() -> None:
    session = Omp()
    session.user("x" * 15_000)
    session.user()
    line = session.assistant("Done", calls=("bash",))
    for cut in (1, 50, len(line) - 1):
        row = row_of(session.data[:-cut])
        assert row.tail.rest == line[: len(line) - cut]
        assert row.ending == "user"
        row = extend_row(row, session.data[-cut:])
        assert (row.ending, row.tool, row.tail.rest) == ("calls", "bash", b"")


def test_a_line_too_long_to_keep_asks_for_reading_again_when_it_ends() -> None:
    session = Omp()
    session.user()
    row = row_of(session.data)
    row = extend_row(row, b'{"type":"message","message":{"role":"assistant","content":"')
    row = extend_row(row, b"z" * REST_BYTES)
    assert (row.tail.rest, row.read, row.ending) == (None, True, "user")
    row = extend_row(row, b"z" * 100)
    assert (row.read, row.status) == (True, "unknown")
    row = extend_row(row, b'"}}\n')
    assert not row.read


def test_a_tail_without_any_line_end_asks_for_more() -> None:
    facts = read_tail(b"z" * 8192, complete=False)
    assert (facts.enough, facts.rest) == (False, None)


def test_appending_leaves_alone_what_the_caller_keeps() -> None:
    session = Omp()
    row = replace(row_of(session.data), grew_ms=5, note="renaming…", failed=True, mtime_ms=7)
    grown = extend_row(row, session.user())
    assert (grown.grew_ms, grown.note, grown.failed, grown.mtime_ms) == (5, "renaming…", True, 7)
    assert grown.size == row.size


def test_the_first_message_and_the_title_may_come_later() -> None:
    session = Omp(title=None)
    row = row_of(session.data)
    assert row.title == "Untitled · 00:26"
    row = extend_row(row, session.user("Now then\nlet us go"))
    assert (row.title, row.first_message) == ("Now then", "Now then let us go")
    row = extend_row(row, session.user("Another"))
    assert (row.title, row.first_message) == ("Now then", "Now then let us go")
    row = extend_row(row, session.add("title_change", title="Named", source="auto"))
    assert (row.title, row.title_source) == ("Named", "auto")


MESSAGES = st.sampled_from(
    [
        Omp.user,
        Omp.assistant,
        lambda session: session.assistant(calls=("bash",)),
        lambda session: session.assistant(stop="error"),
        lambda session: session.assistant(stop="length"),
        lambda session: session.assistant("long " * 8000),
        lambda session: session.started("bash"),
        lambda session: session.result("bash"),
        lambda session: session.result("bash", "x" * 20_000),
        lambda session: session.message("hookMessage", "x"),
        lambda session: session.exited(),
        lambda session: session.add("label", label="y" * 9000),
        lambda session: session.add("title_change", title="T", source="user"),
    ]
)


@given(st.lists(MESSAGES, max_size=12), st.integers(0, 12), st.integers(64, 50_000))
def test_a_grown_row_is_the_row_read_anew(steps: list[Any], read: int, size: int) -> None:
    session = Omp()
    session.user()
    known = session.data
    for number, step in enumerate(steps):
        step(session)
        known = session.data if number < read else known
    data = session.data
    row = row_of(known, head=len(known))
    for start in range(len(known), len(data), size):
        row = extend_row(row, data[start : start + size], zone=UTC)
    assert row.status == omps_word(data) or not row.read
    if row.read:
        assert replace(row, size=len(data)) == row_of(data, head=len(data))


@given(st.binary(max_size=400))
def test_any_bytes_give_a_row(data: bytes) -> None:
    row = row_of(data, head=100, tail=100)
    grown = extend_row(row, data)
    assert isinstance(grown.title, str)


HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "role", "content", "text", "id", "name", "data", "kind", "model", "title"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
TYPES = st.sampled_from(
    ["session", "message", "custom", "user", "assistant", "response_item", "event_msg", "title",
     "session_meta", "turn_context", "compaction", "title_change", "session_info", "summary"]
)  # fmt: skip
ROLES = st.sampled_from(["user", "assistant", "toolResult", "custom", 5, None])
KINDS = st.sampled_from(["message", "function_call", "task_complete", "user_message", 1, []])


@given(
    st.lists(
        st.fixed_dictionaries(
            {"type": TYPES},
            optional={
                "message": st.fixed_dictionaries({"role": ROLES, "content": HOSTILE}) | HOSTILE,
                "payload": st.fixed_dictionaries({"type": KINDS, "role": ROLES, "content": HOSTILE})
                | HOSTILE,
                "customType": st.sampled_from(["session_exit", "tool_execution_start", [], 4]),
                "data": HOSTILE,
                "title": HOSTILE,
                "name": HOSTILE,
                "id": HOSTILE,
                "timestamp": HOSTILE,
                "shortSummary": HOSTILE,
                "summary": HOSTILE,
                "model": HOSTILE,
            },
        ),
        max_size=4,
    )
)
def test_entries_of_any_shape_give_a_row(entries: list[dict[str, Any]]) -> None:
    data = encode_entries(entries)
    assert replace(extend_row(row_of(b""), data), size=len(data)).status == row_of(data).status


# Paths


@pytest.mark.parametrize(
    ("path", "name", "created"),
    [
        (OMP_PATH, ID, START_MS),
        ("/p/2026-09-10T00-26-40-000Z_s4b9c212331be.jsonl", "s4b9c212331be", START_MS),
        ("/p/2026-09-10T00-26-40-000Z_a_b.jsonl", "a_b", START_MS),
        ("/p/5f0d6d0e-0000-4000-8000-000000000001.jsonl",
         "5f0d6d0e-0000-4000-8000-000000000001", None),
        ("/2026/rollout-2026-05-04T18-00-19-019df425-ecb7-7d20-b980-1c2f3521fd65.jsonl",
         "019df425-ecb7-7d20-b980-1c2f3521fd65", None),
        ("/p/2026-99-10T00-26-40-000Z_x.jsonl", "x", None),
        ("/p/notes.jsonl", None, None),
        ("/p/draft.txt", None, None),
        ("", None, None),
    ],
)  # fmt: skip
def test_a_file_name_tells_id_and_time(path: str, name: str | None, created: int | None) -> None:
    assert id_from_path(path) == name
    assert parse_file_name(path).created_ms == created


@pytest.mark.parametrize(
    ("cwd", "path", "label"),
    [
        ("/home/me/code/api", "/x/y.jsonl", "~/code/api"),
        ("/home/me", "/x/y.jsonl", "~"),
        ("/home/me/", "/x/y.jsonl", "~"),
        ("/home/melanie", "/x/y.jsonl", "/home/melanie"),
        ("/srv/app/", "/x/y.jsonl", "/srv/app"),
        ("/", "/x/y.jsonl", "/"),
        ("C:\\code", "/x/y.jsonl", "C:\\code"),
        (None, "/s/-code-api/y.jsonl", "~/code/api"),
        (None, "/s/-/y.jsonl", "~"),
        (None, "/s/-tmp/y.jsonl", "/tmp"),
        (None, "/s/-tmp-x/y.jsonl", "/tmp/x"),
        (None, "/s/--srv-app--/y.jsonl", "/srv/app"),
        (None, "/s/--home-me-code--/y.jsonl", "~/code"),
        (None, "/s/--home-me--/y.jsonl", "~"),
        (None, "/s/-home-me-web/y.jsonl", "~/web"),
        (None, "/s/home-api-" + "0" * 64 + "/y.jsonl", "api"),
        (None, "/s/my-project/y.jsonl", "my-project"),
        (None, "/y.jsonl", ""),
        (None, "y.jsonl", ""),
    ],
)
def test_a_project_is_called_by_its_folder(cwd: str | None, path: str, label: str) -> None:
    assert project_label(cwd, path, home="/home/me") == label


def test_the_home_folder_is_a_tilde() -> None:
    paths = ("/home/mira", "/home/mira/", "/home/mira/code", "/home/mirabel", "/srv", "/")
    shown = ["~", "~", "~/code", "/home/mirabel", "/srv", "/"]
    assert [home_relative(path, "/home/mira") for path in paths] == shown


def test_without_a_home_nothing_is_a_tilde() -> None:
    assert project_label("/home/me", "/x/y.jsonl", home="") == "/home/me"
    assert project_label("/home/me", "/x/y.jsonl", home="/") == "/home/me"
