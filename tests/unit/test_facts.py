"""Rows told from heads and tails, and brought on as sessions grow."""

from __future__ import annotations

import json
from datetime import UTC, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sessiontui.catalogue.facts import (
    append_facts,
    created_from_path,
    id_from_path,
    read_head,
    read_tail,
    retitled,
    row_from,
)
from sessiontui.catalogue.projects import home_relative, project_label
from sessiontui.catalogue.row import STATUS_BYTES, Row
from sessiontui.catalogue.tails import REST_BYTES
from sessiontui.catalogue.titles import (
    TITLE_CHARACTERS,
    Name,
    Titles,
    choose_title,
    pack_titles,
    unpack_titles,
)
from sessiontui.models.encode import encode_entries
from sessiontui.models.title_slot import make_slot, title_field
from tests.sessions import (
    OMP_PATH,
    START_MS,
    Omp,
    claude_session,
    codex_session,
    every_omp_entry,
    pi_session,
)

ID = "01a0b000-0000-7000-8000-00000000abcd"


def row_of(
    data: bytes,
    *,
    path: str = OMP_PATH,
    head: int = 4096,
    tail: int = 8192,
    field: bytes | None = None,
) -> Row:
    """Return the row as it is read: in whole where small, else from head and tail."""
    row = Row(path=path, size=len(data), mtime_ms=START_MS, title_field=field)
    if len(data) <= head + tail:
        first, last, whole = data, data, True
    else:
        first, last, whole = data[:head], data[-tail:], False
    facts = read_head(first, complete=whole), read_tail(last, complete=whole)
    return row_from(row, *facts, zone=UTC)


def omps_word(data: bytes) -> str:
    """Return omp's status word, written down once more from its rule."""
    for line in reversed(data[-STATUS_BYTES:].split(b"\n")):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("type") == "message" and entry.get("message"):
            message = entry["message"]
            role, stop = message.get("role"), message.get("stopReason")
            if role == "assistant":
                words = {"error": "error", "aborted": "aborted", "length": "interrupted"}
                content = message.get("content")
                blocks = content if isinstance(content, list) else []
                calls = any(block.get("type") == "toolCall" for block in blocks)
                return words.get(stop) or ("interrupted" if calls else "complete")
            return {"toolResult": "interrupted", "user": "pending"}.get(role, "unknown")
    return "unknown"


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


# Titles


def titled(
    *,
    field: str | None = None,
    slot: str | None = None,
    header: str | None = None,
    change: str | None = None,
    summary: str | None = None,
    message: str | None = None,
) -> Row:
    session = Omp(title=slot, header={} if header is None else {"title": header})
    if message is not None:
        session.user(message)
    if change is not None:
        session.add("title_change", title=change, source="user")
    if summary is not None:
        session.add("compaction", summary="long", shortSummary=summary)
    stored = None if field is None else title_field(field, "user", START_MS)
    return row_of(session.data, field=stored)


@pytest.mark.parametrize(
    ("sources", "title"),
    [
        ({"field": "F", "slot": "S", "header": "H", "change": "C"}, "F"),
        ({"slot": "S", "header": "H", "change": "C", "summary": "M"}, "S"),
        ({"header": "H", "change": "C", "summary": "M"}, "H"),
        ({"change": "C", "summary": "M", "message": "U"}, "C"),
        ({"summary": "M", "message": "U"}, "M"),
        ({"message": "\n\n  U said\nmore"}, "U said"),
        ({}, "Untitled · 00:26"),
        ({"field": "", "slot": "S", "header": "H", "change": "C"}, "C"),
        ({"field": " ", "slot": "S", "header": "H", "message": "U"}, "U"),
        ({"slot": "", "header": "H", "summary": "M"}, "M"),
        ({"slot": "", "header": "H"}, "Untitled · 00:26"),
        ({"field": "", "slot": "S"}, "Untitled · 00:26"),
        ({"header": "two\nlines\x1b"}, "two"),
        ({"change": "", "message": "U"}, "U"),
    ],
)
def test_the_title_follows_omps_order_of_sources(sources: dict[str, str], title: str) -> None:
    assert titled(**sources).title == title


def test_untitled_tells_the_time_in_the_zone_asked_for() -> None:
    row = titled()
    zone = timezone(timedelta(hours=2))
    assert retitled(row, None, zone=zone).title == "Untitled · 02:26"


def test_the_last_title_change_counts_but_the_agent_never_outdoes_the_user() -> None:
    session = Omp(title=None)
    session.user("Hello")
    session.add("title_change", title="By agent", source="auto")
    assert row_of(session.data).title == "By agent"
    session.add("title_change", title="By user", source="user")
    session.add("title_change", title="By agent again", source="auto")
    row = row_of(session.data)
    assert (row.title, row.title_source) == ("By user", "user")


def test_a_title_change_is_found_in_the_tail_beyond_the_last_message() -> None:
    session = Omp(title=None)
    session.user("Hello " + "x" * 20_000)
    session.add("title_change", title="Renamed", source="user")
    for _ in range(8):
        session.user()
        session.assistant()
    session.data += b'{"type":"custom","customType":"note"}\n' * 3
    row = row_of(session.data, tail=6000)
    assert row.title == "Renamed"
    assert row.status == "complete"


def test_another_title_field_is_weighed_without_reading_again() -> None:
    row = titled(slot="S", change="C")
    assert row.title == "S"
    named = retitled(row, title_field("F", "user", START_MS))
    assert (named.title, named.title_source) == ("F", "user")
    assert retitled(named, title_field("", None, START_MS)).title == "C"
    assert retitled(named, b"not json").title == "S"
    assert retitled(named, None) == row
    unread = Row(path="/a.jsonl", size=0, mtime_ms=0)
    assert retitled(unread, b"{}") == replace(unread, title_field=b"{}")


@pytest.mark.parametrize(
    ("entry", "title", "source"),
    [
        ({"type": "custom-title", "customTitle": "Mine"}, "Mine", "user"),
        ({"type": "ai-title", "aiTitle": "Its own"}, "Its own", "auto"),
        ({"type": "summary", "summary": "In short", "leafUuid": "u"}, "In short", None),
    ],
)
def test_claude_codes_titles_count(entry: dict[str, Any], title: str, source: str | None) -> None:
    row = row_of(encode_entries([*claude_session(), entry]))
    assert (row.title, row.title_source) == (title, source)


def test_codexs_thread_name_is_its_title() -> None:
    named = {"type": "event_msg", "payload": {"type": "thread_name_updated", "thread_name": "N"}}
    assert row_of(encode_entries([*codex_session(), named]), head=99_999).title == "N"


# Tails


def test_the_status_is_omps_word() -> None:
    session = Omp()
    words = [row_of(session.data).status]
    session.user()
    words.append(row_of(session.data).status)
    session.assistant(calls=("bash",))
    words.append(row_of(session.data).status)
    session.started("bash")
    session.result("bash")
    words.append(row_of(session.data).status)
    for stop in ("length", "aborted", "error", "stop"):
        session.assistant(stop=stop)
        words.append(row_of(session.data).status)
    session.message("bashExecution", command="ls")
    words.append(row_of(session.data).status)
    assert words == [
        "unknown",
        "pending",
        "interrupted",
        "interrupted",
        "interrupted",
        "aborted",
        "error",
        "complete",
        "unknown",
    ]


def test_the_ending_looks_past_what_is_no_part_of_the_conversation() -> None:
    row = row_of(every_omp_entry())
    assert (row.status, row.ending, row.closed) == ("complete", "answer", True)
    session = Omp()
    session.user()
    session.assistant()
    session.message("bashExecution", command="ls")
    session.add("custom", customType="note")
    row = row_of(session.data)
    assert (row.status, row.ending, row.model) == ("unknown", "answer", "opus-5")


def test_a_running_tool_is_named_until_its_result_comes() -> None:
    session = Omp()
    session.user()
    session.assistant(calls=("bash", "read"))
    session.started("bash")
    session.started("read")
    row = row_of(session.data)
    assert ([call.name for call in row.calls], row.tool) == (["bash", "read"], "read")
    assert row.tool_since_ms == START_MS + 4000
    session.result("read")
    row = row_of(session.data)
    assert (row.tool, row.ending) == ("bash", "results")
    session.result("bash")
    row = row_of(session.data)
    assert (row.tool, row.calls, row.ending) == (None, (), "results")


def test_calls_made_on_lines_of_their_own_wait_together() -> None:
    call = {"type": "tool_use", "id": "toolu_2", "name": "Read", "input": {}}
    message = {"role": "assistant", "content": [call]}
    second = {"type": "assistant", "uuid": "u5", "sessionId": "s", "message": message}
    row = row_of(encode_entries([*claude_session(), second]))
    assert [call.name for call in row.calls] == ["Bash", "Read"]
    results = [{"type": "tool_result", "tool_use_id": name} for name in ("toolu_1", "toolu_2")]
    answer = {"type": "user", "sessionId": "s", "message": {"role": "user", "content": results}}
    row = append_facts(row, encode_entries([answer]))
    assert (row.calls, row.ending, row.status) == ((), "results", "interrupted")


@pytest.mark.parametrize(
    ("entry", "ending", "status"),
    [
        ({"message": {"content": "[Request interrupted by user]"}}, "aborted", "aborted"),
        ({"message": {"content": "<local-command-stdout>x"}}, "calls", "interrupted"),
        ({"message": {"content": "Go on"}}, "user", "pending"),
        ({"type": "assistant", "isApiErrorMessage": True, "message": {}}, "error", "error"),
        ({"type": "assistant", "message": {"content": [{"type": "text"}]}}, "answer", "complete"),
        ({"type": "assistant", "message": {"content": [{"type": "thinking"}]}}, "calls",
         "interrupted"),
        ({"type": "assistant", "message": {"content": "x", "stop_reason": "max_tokens"}}, "cut",
         "interrupted"),
    ],
)  # fmt: skip
def test_claude_codes_last_line_tells_its_status(
    entry: dict[str, Any], ending: str, status: str
) -> None:
    row = row_of(encode_entries([*claude_session(), {"type": "user", "sessionId": "s", **entry}]))
    assert (row.ending, row.status) == (ending, status)


@pytest.mark.parametrize(
    ("kind", "payload", "status"),
    [
        ("event_msg", {"type": "task_complete"}, "complete"),
        ("event_msg", {"type": "task_complete", "error": {}}, "error"),
        ("event_msg", {"type": "turn_aborted"}, "aborted"),
        ("event_msg", {"type": "error"}, "error"),
        ("event_msg", {"type": "user_message", "message": "x"}, "pending"),
        ("response_item", {"type": "message", "role": "assistant"}, "complete"),
        ("response_item", {"type": "message", "role": "assistant", "phase": "commentary"},
         "interrupted"),
        ("response_item", {"type": "custom_tool_call", "call_id": "c9"}, "interrupted"),
    ],
)  # fmt: skip
def test_codexs_last_line_tells_its_status(kind: str, payload: dict[str, Any], status: str) -> None:
    row = row_of(encode_entries([*codex_session(), {"type": kind, "payload": payload}]))
    assert row.status == status


def test_a_session_is_closed_while_nothing_follows_its_exit() -> None:
    session = Omp()
    session.user()
    session.assistant()
    session.exited("signal")
    session.add("custom", customType="note")
    row = row_of(session.data)
    assert (row.closed, row.exit_kind) == (True, "signal")
    session.user("Again")
    row = row_of(session.data)
    assert (row.closed, row.exit_kind) == (False, None)


def test_a_last_line_longer_than_omps_window_is_unknown_to_omp_but_not_to_us() -> None:
    session = Omp()
    session.user()
    session.assistant("y" * 40_000)
    row = row_of(session.data, tail=50_000, head=4096)
    assert omps_word(session.data) == row.status == "unknown"
    assert row.ending == "answer"
    narrow = read_tail(session.data[-8192:], complete=False)
    assert (narrow.enough, narrow.ending) == (False, None)


def test_a_tail_that_begins_inside_a_line_passes_it_over() -> None:
    session = Omp()
    session.assistant('nested {"type":"message","message":{"role":"user"}}', calls=("bash",))
    session.add("label", label="end")
    whole = session.data
    for start in range(len(whole) - 600, len(whole)):
        facts = read_tail(whole[start:], complete=False)
        assert facts.ending in (None, "calls")


def test_a_line_with_two_objects_counts_for_us_and_not_for_omp() -> None:
    session = Omp()
    session.user()
    line = session.assistant().rstrip() + session.user("Quick")
    row = row_of(session.data[: -len(line) - 1] + line)
    assert (row.status, row.ending) == ("pending", "user")
    session.data = session.data.replace(b"}\n{", b"}{", 9)
    row = row_of(session.data)
    assert (row.status, row.ending) == ("unknown", "user")


# Growth


def test_a_row_follows_what_is_appended_in_any_pieces() -> None:
    data = every_omp_entry()
    begin = data.index(b"\n", 256) + 1
    for size in (1, 7, 100, 1000, len(data)):
        row = replace(row_of(data[:begin]), grew_ms=START_MS)
        for start in range(begin, len(data), size):
            row = append_facts(row, data[start : start + size], zone=UTC)
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
        row = append_facts(row, session.data[-cut:])
        assert (row.ending, row.tool, row.tail.rest) == ("calls", "bash", b"")


def test_a_line_too_long_to_keep_asks_for_reading_again_when_it_ends() -> None:
    session = Omp()
    session.user()
    row = row_of(session.data)
    row = append_facts(row, b'{"type":"message","message":{"role":"assistant","content":"')
    row = append_facts(row, b"z" * REST_BYTES)
    assert (row.tail.rest, row.read, row.ending) == (None, True, "user")
    row = append_facts(row, b"z" * 100)
    assert (row.read, row.status) == (True, "unknown")
    row = append_facts(row, b'"}}\n')
    assert not row.read


def test_a_tail_without_any_line_end_asks_for_more() -> None:
    facts = read_tail(b"z" * 8192, complete=False)
    assert (facts.enough, facts.rest) == (False, None)


def test_appending_leaves_alone_what_the_caller_keeps() -> None:
    session = Omp()
    row = replace(row_of(session.data), grew_ms=5, note="renaming…", failed=True, mtime_ms=7)
    grown = append_facts(row, session.user())
    assert (grown.grew_ms, grown.note, grown.failed, grown.mtime_ms) == (5, "renaming…", True, 7)
    assert grown.size == row.size


def test_the_first_message_and_the_title_may_come_later() -> None:
    session = Omp(title=None)
    row = row_of(session.data)
    assert row.title == "Untitled · 00:26"
    row = append_facts(row, session.user("Now then\nlet us go"))
    assert (row.title, row.first_message) == ("Now then", "Now then let us go")
    row = append_facts(row, session.user("Another"))
    assert (row.title, row.first_message) == ("Now then", "Now then let us go")
    row = append_facts(row, session.add("title_change", title="Named", source="auto"))
    assert (row.title, row.title_source) == ("Named", "auto")


TEXTS = st.sampled_from(["", "Fix", "Fix the tests", "Fix the tests. All of them"])
NAMES = st.none() | st.builds(Name, TEXTS, st.sampled_from([None, "auto", "user"]))


@given(
    st.builds(Titles, slot=NAMES, header=NAMES, entry=NAMES, summary=TEXTS, message=TEXTS),
    TEXTS,
    st.none() | TEXTS.map(lambda title: title_field(title, "user", START_MS)),
)
def test_a_row_keeps_every_title_however_it_was_named(
    titles: Titles, first_message: str, field: bytes | None
) -> None:
    chosen = choose_title(titles, field, time_ms=0, zone=UTC)
    naming = pack_titles(titles, chosen, first_message)
    assert unpack_titles(naming, chosen, first_message) == titles
    row = replace(row_of(b""), naming=titles, first_message=first_message)
    named = retitled(row, field, zone=UTC)
    assert named.titles == titles
    assert retitled(named, None, zone=UTC) == retitled(row, None, zone=UTC)


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
        row = append_facts(row, data[start : start + size], zone=UTC)
    assert row.status == omps_word(data) or not row.read
    if row.read:
        assert replace(row, size=len(data)) == row_of(data, head=len(data))


@given(st.binary(max_size=400))
def test_any_bytes_give_a_row(data: bytes) -> None:
    row = row_of(data, head=100, tail=100)
    grown = append_facts(row, data)
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
    assert replace(append_facts(row_of(b""), data), size=len(data)).status == row_of(data).status


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
    assert created_from_path(path) == created


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


def test_a_slot_that_is_not_exact_gives_a_title_but_may_not_be_rewritten() -> None:
    slot = make_slot("Short", source="user", updated_at=START_MS).replace(b" " * 100, b"")
    row = row_of(slot + Omp(title=None).data)
    assert (row.title, row.has_slot) == ("Short", False)
