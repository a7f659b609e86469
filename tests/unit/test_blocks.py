"""How entries of every agent show: headings, bodies, folds, and nothing that could harm."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from sessiontui.formats.blocks import MAX_LINES, Block
from sessiontui.formats.jsonl import decode_lines, encode_entries
from sessiontui.formats.registry import blocks_of
from sessiontui.transcript.document import Document
from tests.corpus import CORPUS
from tests.sessions import START_MS, claude_session, codex_session, every_omp_entry, pi_session

if TYPE_CHECKING:
    from pathlib import Path

HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\ufeff\ud800-\udfff]"
)


async def shown(data: bytes) -> list[Block]:
    """Return the blocks of a session, calls and results brought together."""

    async def read(start: int, stop: int) -> bytes:
        return data[start:stop]

    document = Document(read, len(data))
    await document.open_tail()
    while await document.load_before():
        pass
    return [
        block
        for page in document.pages
        for number in range(len(page))
        for block in document.blocks(page, number)
    ]


def one(**entry: Any) -> tuple[Block, ...]:
    """Return the blocks of one entry by itself."""
    (item,) = decode_lines(json.dumps(entry).encode())
    return blocks_of(item)


def message(role: str, content: Any = "", **fields: Any) -> dict[str, Any]:
    return {"type": "message", "message": {"role": role, "content": content, **fields}}


def texts(block: Block) -> list[str]:
    """Return every text of a block."""
    parts = [*block.parts, *(block.brief or ())]
    lines = [line for part in parts for line in (*part.lines, *part.last)]
    return [block.heading, block.detail, *block.meta, *lines]


def body(block: Block) -> str:
    return "\n".join(line for part in block.parts for line in part.lines)


async def test_every_entry_of_omp_shows_under_its_own_heading() -> None:
    blocks = await shown(every_omp_entry())
    told = [(block.kind, block.heading, block.detail) for block in blocks]
    assert ("note", "title", "Fix the tests") in told
    assert ("note", "session", "/home/me/code/api") in told
    assert ("note", "model", "opus-5") in told
    assert ("note", "thinking level", "high") in told
    assert ("user", "You", "") in told
    assert ("message", "Instructions", "") in told
    assert ("assistant", "opus-5", "") in told
    assert ("tool", "bash", "") in told
    assert ("command", "!", "ls") in told
    assert ("command", ">>>", "1 + 1") in told
    assert ("message", "Hook", "lint") in told
    assert ("message", "File", "a.py") in told
    assert ("message", "Extension", "note") in told
    assert ("summary", "Compaction", "Ran the tests") in told
    assert ("summary", "Branch summary", "of what was left behind") in told
    assert ("summary", "Reset", "the context starts anew here") in told
    assert ("note", "label", "good") in told
    assert ("unknown", "future_entry", "") in told
    assert ("note", "session ended", "") in told
    assert ("note", "fallback", "a → b") in told
    assert not [block for block in blocks if block.kind == "bad"]


async def test_a_call_shows_its_result_and_how_long_it_ran() -> None:
    (tool,) = [block for block in await shown(every_omp_entry()) if block.kind == "tool"]
    assert body(tool) == "1 failed red \ufffdgnihton"
    assert tool.duration_ms == 1000
    assert not tool.error


@pytest.mark.parametrize("version", [None, 2, 3])
async def test_sessions_of_pi_of_every_version_show(version: int | None) -> None:
    blocks = await shown(encode_entries(pi_session(version=version)))
    assert [block.heading for block in blocks] == ["session", "model", "You", "title"]
    assert blocks[0].meta == (f"version {version or 1}",)
    assert blocks[1].detail == "sonnet-5"
    assert blocks[3].detail == "Named by hand"


async def test_records_of_claude_code_show() -> None:
    result = {
        "type": "user",
        "sessionId": "s",
        "message": {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": "no rule",
                    "is_error": True,
                }
            ],
        },
    }
    blocks = await shown(encode_entries([*claude_session(), result]))
    tool = blocks[-1]
    assert [block.kind for block in blocks] == ["note", "message", "message", "user", "tool"]
    assert (tool.heading, tool.detail, body(tool), tool.error) == ("Bash", "make", "no rule", True)


async def test_records_of_codex_show() -> None:
    blocks = await shown(encode_entries(codex_session()))
    kinds = [(block.kind, block.heading) for block in blocks]
    assert kinds[0] == ("note", "session")
    assert ("message", "Instructions") in kinds
    assert kinds[-2:] == [("tool", "exec_command"), ("tool", "apply_patch")]
    assert body(blocks[-2]) == "ok"


def test_codex_tells_what_was_used_so_far() -> None:
    total = {"input_tokens": 900, "cached_input_tokens": 700, "output_tokens": 50}
    info = {"total_token_usage": total}
    (block,) = one(type="event_msg", payload={"type": "token_count", "info": info})
    assert (block.heading, block.detail) == ("tokens", "so far")
    assert block.usage is not None
    assert block.usage.tokens == 950
    (before_anything,) = one(type="event_msg", payload={"type": "token_count", "info": None})
    assert (before_anything.heading, before_anything.usage) == ("tokens", None)


def test_the_output_of_a_codex_command_is_parted_from_what_stands_before_it() -> None:
    output = (
        "Chunk ID: 1\nWall time: 1.5000 seconds\nProcess exited with code 2\n"
        "Output:\nno such file\n"
    )
    payload = {"type": "function_call_output", "call_id": "c", "output": output}
    (block,) = one(type="response_item", payload=payload)
    assert body(block) == "no such file"
    assert block.error


@pytest.mark.parametrize(
    ("name", "arguments", "detail"),
    [
        ("bash", {"command": "pytest -x"}, "pytest -x"),
        ("bash", {"command": "cd /a\nmake"}, "cd /a …"),
        ("exec_command", json.dumps({"cmd": "ls"}), "ls"),
        ("shell", {"command": ["bash", "-lc", "ls -l"]}, "ls -l"),
        ("read", {"path": "/a/b.py", "offset": 10, "limit": 5}, "/a/b.py:10-14"),
        ("Read", {"file_path": "/a/b.py"}, "/a/b.py"),
        ("grep", {"pattern": "x+", "path": "/src"}, "x+  in /src"),
        ("search", {"pattern": "x", "paths": ["/a", "/b"]}, "x  in /a, /b"),
        ("find", {"pattern": "*.py"}, "*.py"),
        ("task", {"agent": "reviewer", "tasks": [{"description": "Look"}]}, "reviewer · Look"),
        ("Task", {"subagent_type": "x", "description": "Do it", "prompt": "…"}, "x · Do it"),
        ("browser", {"action": "open", "url": "http://a"}, "open http://a"),
        ("set_phase", {"phase": "explore"}, "explore"),
        ("anything", {"a": 1, "b": [2]}, '{"a": 1, "b": [2]}'),
        (
            "todo",
            {"todos": [{"content": "a", "status": "completed"}, {"content": "b"}]},
            "1 of 2 done",
        ),
        ("odd", None, ""),
    ],
)
def test_a_tool_call_tells_in_one_line_what_it_is_about(
    name: str, arguments: Any, detail: str
) -> None:
    call = {"type": "toolCall", "id": "1", "name": name, "arguments": arguments}
    (block,) = one(**message("assistant", [call]))
    assert (block.heading, block.detail) == (name, detail)


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": "a.py", "oldText": "one\ntwo", "newText": "one\nthree\nfour"},
        {"file_path": "a.py", "old_string": "one\ntwo", "new_string": "one\nthree\nfour"},
        {"path": "a.py", "edits": [{"oldText": "two", "newText": "three\nfour"}]},
        {"input": "*** Begin Patch\n*** Update File: a.py\n@@\n one\n-two\n+three\n+four\n"},
    ],
)
def test_an_edit_shows_its_change_from_whatever_arguments(arguments: dict[str, Any]) -> None:
    call = {"type": "toolCall", "id": "1", "name": "edit", "arguments": arguments}
    (block,) = one(**message("assistant", [call]))
    assert block.detail == "a.py"
    assert (block.added, block.removed) == (2, 1)
    assert block.parts[0].format == "diff"
    assert [line for line in body(block).split("\n") if line[0] in "+-"] == [
        "-two",
        "+three",
        "+four",
    ]


def test_a_recorded_diff_counts_before_the_arguments() -> None:
    result = message(
        "toolResult", "ok", toolName="edit", toolCallId="1", details={"diff": " 1 a\n-2 b\n+2 c"}
    )
    (block,) = one(**result)
    assert (block.added, block.removed, body(block)) == (1, 1, " 1 a\n-2 b\n+2 c")


@pytest.mark.parametrize(
    ("fields", "kind", "heading", "text"),
    [
        ({"stopReason": "error", "errorMessage": "overloaded"}, "error", "error", "overloaded"),
        ({"stopReason": "error"}, "error", "error", "the agent did not say why"),
        ({"stopReason": "aborted", "errorMessage": "Request was aborted."}, "note", "aborted", ""),
        ({"stopReason": "length"}, "note", "cut off", "the model reached its length limit"),
    ],
)
def test_a_turn_that_did_not_just_end_says_why(
    fields: dict[str, Any], kind: str, heading: str, text: str
) -> None:
    blocks = one(**message("assistant", [], model="m", **fields))
    assert (blocks[-1].kind, blocks[-1].heading) == (kind, heading)
    assert (blocks[-1].detail or body(blocks[-1])) == text
    assert blocks[-1].error


def test_usage_and_model_stand_in_the_heading() -> None:
    usage = {"input": 6635, "output": 60, "totalTokens": 15655, "cost": {"total": 0.0394}}
    heading, _ = one(**message("assistant", "Hi", model="claude-opus-4-5-20251101", usage=usage))
    assert heading.heading == "opus-4.5"
    assert heading.usage is not None
    assert (heading.usage.tokens, heading.usage.cost) == (15655, 0.0394)


def test_images_show_as_one_line_each() -> None:
    image = {"type": "image", "mimeType": "image/webp", "data": "blob:sha256:" + "ab" * 32}
    inline = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "A" * 4000},
    }
    (block,) = one(**message("user", [image, inline]))
    assert body(block) == "▨ image · image/webp · blob abababababab\n▨ image · image/png · 3 KB"


def test_a_long_text_is_carried_only_as_far_as_it_can_be_shown() -> None:
    (block,) = one(**message("toolResult", "\n".join(map(str, range(10_000))), toolName="bash"))
    part = block.parts[0]
    assert len(part.lines) == MAX_LINES
    assert part.more == 10_000 - MAX_LINES
    assert part.last[-1] == "9999"


def test_a_bad_line_tells_where_it_is_and_how_it_begins() -> None:
    (item,) = decode_lines(b'{"type": \x1b[31m oops', 4711)
    (block,) = blocks_of(item)
    assert block.kind == "bad"
    assert block.meta == ("byte 4,711",)
    assert body(block) == '{"type":  oops'


HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b5m[/x][red]\u202e\u2066\x00\ud800\ufeff\u200b\r\n\ttail"


def _poisoned(value: Any) -> Any:
    """Return `value` with hostile text in the place of every text, also of keys nobody reads."""
    if isinstance(value, dict):
        keep = {"type", "role", "customType", "stopReason"}
        return {
            key: inner if key in keep and isinstance(inner, str) else _poisoned(inner)
            for key, inner in value.items()
        } | {HOSTILE: HOSTILE}
    if isinstance(value, list):
        return [_poisoned(inner) for inner in value]
    return HOSTILE if isinstance(value, str) else value


@pytest.mark.parametrize("agent", ["omp", "pi", "claude", "codex"])
async def test_hostile_text_anywhere_comes_out_harmless(agent: str) -> None:
    sessions = {
        "omp": every_omp_entry(),
        "pi": encode_entries(pi_session()),
        "claude": encode_entries(claude_session()),
        "codex": encode_entries(codex_session()),
    }
    entries = [json.loads(line) for line in sessions[agent].splitlines()]
    data = b"".join(json.dumps(_poisoned(entry)).encode() + b"\n" for entry in entries)
    blocks = await shown(data)
    assert len(blocks) >= len(entries) // 2
    for block in blocks:
        for text in texts(block):
            assert HARMFUL.search(text) is None


def _odd(value: Any, replacement: Any) -> Any:
    """Return an entry with every field but the telling ones replaced by something odd."""
    if isinstance(value, dict):
        return {
            key: inner if key in {"type", "role"} else _odd(inner, replacement)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [*(_odd(inner, replacement) for inner in value), replacement]
    return replacement


@pytest.mark.parametrize(
    "replacement", [None, 7, -1.5, True, "", "text", [], {}, [[None]], {"text": 5}, 10**30, 1e308]
)
async def test_fields_of_any_type_do_no_harm(replacement: Any) -> None:
    entries = [json.loads(line) for line in every_omp_entry().splitlines()]
    entries += [*pi_session(), *claude_session(), *codex_session()]
    data = b"".join(json.dumps(_odd(entry, replacement)).encode() + b"\n" for entry in entries)
    data += b"".join(
        json.dumps({**entry, "message": replacement, "payload": replacement}).encode() + b"\n"
        for entry in entries
    )
    assert await shown(data)


def content(path: Path) -> bytes:
    return path.read_bytes()


def corpus_files() -> list[Path]:
    return sorted(CORPUS.glob("*.jsonl"))


@pytest.mark.skipif(not corpus_files(), reason="the corpus is not beside this checkout")
@pytest.mark.parametrize("path", corpus_files(), ids=lambda path: path.stem)
async def test_every_line_of_the_corpus_shows_harmlessly(path: Path) -> None:
    blocks = await shown(content(path))
    assert {block.offset for block in blocks}
    for block in blocks:
        for text in texts(block):
            assert HARMFUL.search(text) is None
        for part in block.parts:
            assert len(part.lines) <= MAX_LINES


def test_a_time_is_carried_as_a_number() -> None:
    (block,) = one(**message("user", "Hi"), timestamp="2026-09-10T00:26:40.000Z")
    assert block.time_ms == START_MS
