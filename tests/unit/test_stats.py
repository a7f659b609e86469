"""Sessions in figures: entries, turns, tokens, cost and models, whoever wrote them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sessiontui.catalog.stats import MAX_MODELS, SessionStats, StatsCounter
from sessiontui.formats.base import Tokens
from sessiontui.formats.jsonl import decode_lines, encode_entries
from tests.corpus import CORPUS, corpus_file
from tests.sessions import Omp, every_omp_entry

Fields = dict[str, Any]
USAGE: Fields = {
    "input": 10,
    "output": 20,
    "cacheRead": 300,
    "cacheWrite": 40,
    "totalTokens": 370,
    "cost": {"input": 0.1, "output": 0.2, "cacheRead": 0.3, "cacheWrite": 0.4, "total": 1.0},
}
USED = Tokens(10, 20, 300, 40, 1.0)
CLAUDE: Fields = {
    "input_tokens": 3,
    "output_tokens": 7,
    "cache_read_input_tokens": 500,
    "cache_creation_input_tokens": 60,
}
CLAUDE_USED = Tokens(3, 7, 500, 60, 0.0)


def counted(data: bytes) -> SessionStats:
    """Return the figures of a session's bytes."""
    count = StatsCounter()
    for item in decode_lines(data):
        count.add(item)
    return count.figures()


def message(role: str, **fields: Any) -> Fields:
    """Return a message of omp."""
    return {"type": "message", "message": {"role": role, "content": "x", **fields}}


def answer(message_id: str | None, usage: Fields, **fields: Any) -> Fields:
    """Return a line of an answer of Claude Code."""
    return {
        "type": "assistant",
        "message": {"id": message_id, "model": "opus", "usage": usage, "content": []},
        **fields,
    }


def total(input_tokens: int, cached: int, output: int, written: int = 0) -> Fields:
    """Return an event of Codex that tells what was used so far."""
    usage = {
        "input_tokens": input_tokens,
        "cached_input_tokens": cached,
        "cache_write_input_tokens": written,
        "output_tokens": output,
    }
    info = {"total_token_usage": usage}
    return {"type": "event_msg", "payload": {"type": "token_count", "info": info}}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param([message("assistant", usage=USAGE)], USED, id="an answer"),
        pytest.param([{"type": "model_usage", "usage": USAGE}], USED, id="model_usage"),
        pytest.param(
            [message("toolResult", toolName="task", details={"usage": USAGE})], USED, id="a task"
        ),
        pytest.param(
            [
                message("assistant", usage=USAGE),
                {"type": "model_usage", "usage": USAGE},
                message("toolResult", toolName="task", details={"usage": USAGE}),
            ],
            Tokens(30, 60, 900, 120, 3.0),
            id="all three once each",
        ),
        pytest.param(
            [message("toolResult", toolName="bash", details={"usage": USAGE})],
            Tokens(),
            id="another tool",
        ),
        pytest.param([message("user", usage=USAGE)], Tokens(), id="not what the user wrote"),
        pytest.param(
            [answer("m1", CLAUDE), answer("m1", CLAUDE)], CLAUDE_USED, id="one message in two lines"
        ),
        pytest.param(
            [
                answer("m1", {**CLAUDE, "output_tokens": 1}),
                answer("m2", CLAUDE),
                answer("m1", CLAUDE),
            ],
            CLAUDE_USED + CLAUDE_USED,
            id="the last line of a message counts",
        ),
        pytest.param(
            [answer(None, CLAUDE), answer(None, CLAUDE)], CLAUDE_USED + CLAUDE_USED, id="no id"
        ),
        pytest.param([answer("m1", CLAUDE, costUSD=0.5)], Tokens(3, 7, 500, 60, 0.5), id="costUSD"),
        pytest.param(
            [total(100, 40, 5), total(100, 40, 5), total(300, 200, 9, 20)],
            Tokens(80, 9, 200, 20),
            id="totals that rise",
        ),
        pytest.param(
            [total(300, 200, 9), total(50, 10, 2)],
            Tokens(140, 11, 210, 0),
            id="totals that begin anew",
        ),
        pytest.param(
            [
                message(
                    "assistant", usage={"input": -5, "output": True, "cacheRead": "9", "cost": 3}
                )
            ],
            Tokens(),
            id="nonsense",
        ),
        pytest.param(
            [message("assistant", usage={"input": 10**400, "cost": {"total": 1e300}})],
            Tokens(),
            id="numbers beyond all sense",
        ),
        pytest.param([message("assistant", usage=[1, 2])], Tokens(), id="a usage that is a list"),
    ],
)
def test_tokens_and_cost(entries: list[Fields], expected: Tokens) -> None:
    assert counted(encode_entries(entries)).tokens == expected


@pytest.mark.parametrize(
    ("entries", "turns"),
    [
        pytest.param([message("user"), message("assistant"), message("user")], 2, id="omp"),
        pytest.param([message("user", attribution="agent")], 0, id="written by an agent"),
        pytest.param([message("user", synthetic=True)], 0, id="synthetic"),
        pytest.param([message("developer"), message("toolResult")], 0, id="others"),
        pytest.param([{"type": "user", "message": {"content": "Hi"}}], 1, id="claude"),
        pytest.param(
            [{"type": "user", "isSidechain": True, "message": {"content": "Hi"}}], 0, id="subagent"
        ),
        pytest.param(
            [{"type": "user", "isMeta": True, "message": {"content": "Hi"}}], 0, id="meta"
        ),
        pytest.param(
            [{"type": "user", "message": {"content": [{"type": "tool_result"}]}}], 0, id="a result"
        ),
        pytest.param(
            [
                {"type": "event_msg", "payload": {"type": "user_message", "message": "Hi"}},
                {
                    "type": "response_item",
                    "payload": {"type": "message", "role": "user", "content": "Hi"},
                },
            ],
            1,
            id="codex tells it twice",
        ),
        pytest.param(
            [
                {
                    "type": "response_item",
                    "payload": {"type": "message", "role": "user", "content": "Hi"},
                }
            ],
            1,
            id="codex tells it once",
        ),
    ],
)
def test_turns_are_what_the_user_wrote(entries: list[Fields], turns: int) -> None:
    assert counted(encode_entries(entries)).turns == turns


def test_entries_are_all_but_the_slot_the_header_and_what_cannot_be_read() -> None:
    session = Omp()
    session.user()
    session.assistant()
    session.add("future_entry")

    assert counted(session.data + b"{broken\n").entries == 3


def test_models_are_named_once_in_their_order_and_not_without_end() -> None:
    entries = [message("assistant", model=name) for name in ("b", "a", "b", "", None, 3)]
    assert counted(encode_entries(entries)).models == ("b", "a")

    many = [message("assistant", model=f"m{number}") for number in range(100)]
    assert len(counted(encode_entries(many)).models) == MAX_MODELS


def test_a_count_goes_on_where_it_was_dumped() -> None:
    entries = [
        answer("m1", CLAUDE),
        total(100, 40, 5),
        answer("m1", {**CLAUDE, "output_tokens": 9}),
        total(300, 200, 9),
        message("user"),
    ]
    data = every_omp_entry() + encode_entries(entries)
    count = StatsCounter()
    for item in decode_lines(data):
        count = StatsCounter.load(count.dump())
        count.add(item)

    assert count.figures() == counted(data)


def test_a_dump_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match=r"MessagePack|Expected"):
        StatsCounter.load(b"\x93nonsense")


@pytest.mark.parametrize("name", sorted(path.name for path in CORPUS.glob("*.jsonl")) or ["none"])
def test_figures_of_real_sessions_are_what_another_way_of_counting_gives(name: str) -> None:
    data = corpus_file(name).read_bytes()

    tokens, dollars = counted(data).tokens, counted(data).cost

    assert [tokens.input, tokens.output, tokens.cache_read, tokens.cache_write] == _slow_tokens(
        data
    )
    assert dollars == pytest.approx(_slow_cost(data))


def _objects(data: bytes) -> list[Any]:
    found = []
    decoder = json.JSONDecoder()
    for raw in data.decode("utf-8", "replace").splitlines():
        text = raw.strip().removeprefix("\ufeff")
        while text:
            try:
                value, end = decoder.raw_decode(text)
            except ValueError:
                break
            found.append(value)
            text = text[end:].strip()
    return [value for value in found if isinstance(value, dict)]


def _slow_tokens(data: bytes) -> list[int]:
    """Add up by agent: each message by its id, of Codex what each new total added."""
    sums = [0, 0, 0, 0]
    messages: dict[str, Fields] = {}
    codex: Fields = {}
    for entry in _objects(data):
        message = entry.get("message")
        if entry.get("type") == "assistant" and isinstance(message, dict) and "id" in message:
            messages[message["id"]] = message.get("usage") or {}
        elif entry.get("type") == "event_msg" and entry["payload"].get("type") == "token_count":
            info = entry["payload"].get("info") or {}
            if info.get("total_token_usage", codex) != codex:
                codex = info["total_token_usage"]
                last = info["last_token_usage"]
                sums[0] += last["input_tokens"] - last["cached_input_tokens"]
                sums[1] += last["output_tokens"]
                sums[2] += last["cached_input_tokens"]
        for usage in _usages(entry):
            for place, key in enumerate(("input", "output", "cacheRead", "cacheWrite")):
                sums[place] += usage.get(key, 0)
    for usage in messages.values():
        for place, key in enumerate(CLAUDE):
            sums[place] += usage.get(key, 0)
    return sums


def _slow_cost(data: bytes) -> float:
    return float(
        sum(
            (usage.get("cost") or {}).get("total", 0)
            for entry in _objects(data)
            for usage in _usages(entry)
        )
    )


def _usages(entry: Fields) -> list[Fields]:
    """Return the usage objects of omp and pi that count."""
    message: Fields = (entry.get("message") if entry.get("type") == "message" else None) or {}
    found = [message.get("usage") if message.get("role") == "assistant" else None]
    if entry.get("type") == "model_usage":
        found.append(entry.get("usage"))
    if message.get("toolName") == "task":
        found.append((message.get("details") or {}).get("usage"))
    return [usage for usage in found if usage]
