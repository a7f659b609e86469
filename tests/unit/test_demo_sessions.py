"""The demo's sessions: valid, various, and the same for the same seed."""

from __future__ import annotations

import json

from sessiontui.catalog.row import Row
from sessiontui.catalog.row_builder import build_row, read_head, read_tail, session_status
from sessiontui.demo.script import load_script
from sessiontui.demo.sessions import DemoSession, demo_sessions
from sessiontui.formats.jsonl import BadLine, Entry, decode_lines
from sessiontui.formats.title_slot import SLOT_BYTES, parse_slot, parse_title_field

NOW_MS = 1_795_000_000_000


def _sessions() -> list[DemoSession]:
    return [item for item in demo_sessions(NOW_MS) if item.path.endswith(".jsonl")]


def _row(session: DemoSession) -> Row:
    data = session.content
    row = Row(
        path=session.path,
        size=len(data),
        mtime_ms=session.mtime_ms,
        title_field=session.title_field,
    )
    return build_row(row, read_head(data, complete=True), read_tail(data, complete=True))


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    assert demo_sessions(NOW_MS) == demo_sessions(NOW_MS)
    assert demo_sessions(NOW_MS) != demo_sessions(NOW_MS, 2)


def test_every_session_begins_with_a_slot_of_256_bytes_and_a_header() -> None:
    for session in _sessions():
        assert len(session.lines[0]) + 1 == SLOT_BYTES
        slot = parse_slot(session.content)
        assert slot is not None
        assert slot.exact
        header = json.loads(session.lines[1])
        assert header["type"] == "session"
        assert header["version"] == 3
        assert session.path.endswith(f"_{header['id']}.jsonl")


def test_entries_form_a_tree_in_the_order_of_time() -> None:
    for session in _sessions():
        seen: set[str | None] = {None}
        last_ms = 0
        for item in decode_lines(session.content)[2:]:
            if isinstance(item, BadLine):
                assert session.torn
                continue
            assert item.parent_id in seen
            assert item.timestamp_ms is not None
            assert item.timestamp_ms >= last_ms
            last_ms = item.timestamp_ms
            seen.add(item.id)
        assert last_ms <= session.mtime_ms <= NOW_MS


def test_calls_have_results_except_where_a_session_ends_in_one() -> None:
    for session, tale in zip(_sessions(), _tales(), strict=True):
        calls, results = set(), set()
        for item in decode_lines(session.content):
            message = item.data.get("message", {}) if isinstance(item, Entry) else {}
            if message.get("role") == "toolResult":
                results.add(message["toolCallId"])
            elif message.get("role") == "assistant":
                calls |= {part["id"] for part in message["content"] if part["type"] == "toolCall"}
        assert len(calls - results) == (tale in ("running", "torn"))
        assert results <= calls


def _tales() -> list[str]:
    """Return how the sessions end, in their order."""
    ends = {tale.title + tale.prompt: tale.end for tale in load_script().sessions}
    found: list[str] = []
    for session in _sessions():
        header = json.loads(session.lines[1])
        prompt = next(
            item.data["message"]["content"][0]["text"]
            for item in decode_lines(session.content)
            if isinstance(item, Entry) and item.data.get("message", {}).get("role") == "user"
        )
        title = header.get("title", "")
        found.append(ends.get(title + prompt) or ends[title])
    return found


def test_costs_and_tokens_add_up() -> None:
    for session in _sessions():
        for item in decode_lines(session.content):
            usage = item.data.get("message", {}).get("usage") if isinstance(item, Entry) else None
            if usage:
                parts = ("input", "output", "cacheRead", "cacheWrite")
                assert usage["totalTokens"] == sum(usage[part] for part in parts)
                assert usage["cost"]["total"] == sum(usage["cost"][part] for part in parts)


def test_there_is_something_of_every_kind() -> None:
    sessions = _sessions()
    items = [item for session in sessions for item in decode_lines(session.content)]
    kinds = {item.type for item in items if isinstance(item, Entry)}
    assert kinds >= {
        *("title", "session", "message", "model_change", "thinking_level_change", "compaction"),
        *("custom", "label", "branch_summary", "review_verdict"),
    }
    assert any(isinstance(item, BadLine) for item in items)
    rows = [_row(session) for session in sessions]
    doing = {session_status(row, now_ms=NOW_MS) for row in rows}
    assert doing >= {"running", "waiting", "error", "aborted", "crashed"}
    assert {row.cwd for row in rows if row.parent}
    assert any(not row.title_field for row in rows)
    assert max(len(session.lines) for session in sessions) > 1000
    assert any(not title.isascii() for title in (row.title for row in rows))


def test_titles_in_redis_say_what_the_slot_says() -> None:
    for session in _sessions():
        field, slot = parse_title_field(session.title_field), parse_slot(session.content)
        assert slot is not None
        assert (field.title if field else "") == slot.title


def test_drafts_lie_beside_their_session() -> None:
    everything = demo_sessions(NOW_MS)
    paths = {session.path for session in everything}
    drafts = [session for session in everything if session.path.endswith("/draft.txt")]
    assert len(drafts) == 2
    for draft in drafts:
        assert draft.path.removesuffix("/draft.txt") + ".jsonl" in paths


def test_subagents_are_made_for_folders_alone() -> None:
    more = demo_sessions(NOW_MS, subagents=True)
    added = {item.path for item in more} - {item.path for item in demo_sessions(NOW_MS)}
    assert len(added) == 3
    for item in more:
        if item.path in added:
            header = json.loads(item.lines[1])
            assert header["parentSession"] == item.path.rpartition("/")[0] + ".jsonl"
