"""How a session stands, told from its last bytes."""

from __future__ import annotations

from typing import Any

import pytest

from sessiontui.catalog.row_builder import extend_row, read_tail
from sessiontui.formats.jsonl import encode_entries
from tests.sessions import (
    START_MS,
    Omp,
    claude_session,
    codex_session,
    every_omp_entry,
)
from tests.unit.row_builder_support import omps_word, row_of


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
    row = extend_row(row, encode_entries([answer]))
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
