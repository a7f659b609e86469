"""Entries with the right names and any values: every reader makes something of them, none fails."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sessiontui.app.format import cost, duration, tokens
from sessiontui.catalog.row import Row
from sessiontui.catalog.row_builder import build_row, extend_row, read_head, read_tail
from sessiontui.formats.jsonl import decode_line
from sessiontui.formats.registry import blocks_of, call_ids, results_of
from tests.faults.hostile import EVIL, offences

if TYPE_CHECKING:
    from sessiontui.formats.blocks import Block

TYPES = """
    session message model_usage thinking_level_change model_change service_tier_change compaction
    branch_summary reset_boundary custom custom_message label archive title_change ttsr_injection
    session_init mode_change credential_pin session_info user assistant system summary progress
    file-history-snapshot queue-operation response_item event_msg session_meta turn_context
    text thinking redactedThinking toolCall image fallback tool_use tool_result server_tool_use
    input_text output_text function_call function_call_output local_shell_call reasoning
    custom_tool_call web_search_call agent_message user_message token_count title unknown
"""
KEYS = """
    type id parentId timestamp message role content toolCallId toolName toolUseId model stopReason
    usage cost input output cacheRead cacheWrite total totalTokens details arguments name input
    command text thinking payload call_id customType data kind startedAt isError error summary
    shortSummary firstKeptEntryId tokensBefore fromId title titleSource source version cwd
    parentSession branchedFrom modelId provider isMeta isCompactSummary sessionId uuid parentUuid
    tool_use_id diff path file_path old_string new_string edits todos status phases tasks results
    exitCode cancelled truncated mimeType media_type image_url action query url info turn_id
    last_token_usage total_token_usage encrypted_content level label targetId
"""
WORDS = """
    user assistant toolResult developer bashExecution pythonExecution hookMessage custom
    fileMention system stop length toolUse error aborted normal fatal signal session_exit
    tool_execution_start bash read edit write grep glob task todo web_search apply_patch
    2026-11-20T10:00:00.000Z
"""
ODD = (EVIL, "", "\ud800", "blob:sha256:" + "0" * 64)

EXAMPLES = int(os.environ.get("SESSIONTUI_EXAMPLES", "60"))

types = st.sampled_from(TYPES.split())
keys = st.sampled_from(KEYS.split())
words = st.sampled_from([*WORDS.split(), *ODD])
scalars = st.one_of(
    words,
    types,
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from((10**4000, -(10**4000), 1e308)),
    st.floats(),
    st.text(max_size=8),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(keys, inner, max_size=6),
    ),
    max_leaves=25,
)
blocks = st.lists(
    st.builds(
        lambda kind, rest: {**rest, "type": kind},
        st.one_of(types, scalars, st.lists(scalars, max_size=1)),
        st.dictionaries(keys, values, max_size=6),
    ),
    max_size=3,
)
messages = st.builds(
    lambda rest, role, content: {**rest, "role": role, "content": content},
    st.dictionaries(keys, values, max_size=5),
    st.one_of(words, values),
    st.one_of(blocks, values),
)
entries = st.builds(
    lambda rest, kind, message, payload: (
        {**rest, "type": kind, "message": message, "payload": payload}
    ),
    st.dictionaries(keys, values, max_size=6),
    st.one_of(types, values),
    st.one_of(messages, values),
    st.one_of(messages, st.builds(lambda b: b[0] if b else {}, blocks), values),
)


def line_of(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry).encode("utf-8", "surrogatepass")


def text_of(block: Block) -> str:
    parts = [line for part in block.parts for line in (*part.lines, *part.last)]
    figures = [duration(block.duration_ms or 0)]
    if block.usage is not None:
        figures += [tokens(block.usage.tokens), cost(block.usage.cost)]
    assert all(len(figure) <= 10 for figure in figures)
    return "\n".join([block.heading or "", block.detail or "", *block.meta, *figures, *parts])


@settings(max_examples=EXAMPLES)
@given(entries)
@example({"type": "message", "message": {"role": "assistant", "content": [{"type": []}]}})
@example({"type": "message", "message": {"role": "user", "content": [{"type": {}}]}})
@example({"type": "response_item", "payload": {"type": []}})
@example({"type": "message", "message": {"role": "assistant", "usage": {"input": 10**4000}}})
@example({"type": "message", "message": {"role": "assistant", "usage": {"input": -5, "cost": 1}}})
@example({"type": "model_usage", "usage": {"totalTokens": 2**70, "cost": {"total": True}}})
def test_any_entry_shows_as_something_safe(entry: dict[str, Any]) -> None:
    items = decode_line(line_of(entry), 0)
    assert items
    call_ids(items)
    for item in items:
        results_of(item)
        for block in blocks_of(item):
            assert not offences(text_of(block))


@settings(max_examples=EXAMPLES)
@given(st.lists(entries, min_size=1, max_size=6))
def test_any_session_has_a_row(told: list[dict[str, Any]]) -> None:
    data = b"".join(line_of(entry) + b"\n" for entry in told)
    row = Row(path="/p/a.jsonl", size=len(data), mtime_ms=1)
    read = build_row(row, read_head(data, complete=True), read_tail(data, complete=True))
    assert read.read
    grown = extend_row(read, data)
    again = build_row(row, read_head(data * 2, complete=True), read_tail(data * 2, complete=True))
    assert (grown.ending, grown.model, grown.closed) == (again.ending, again.model, again.closed)
