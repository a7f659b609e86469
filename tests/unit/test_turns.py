"""Turns and what came of each, however the session is read."""

from __future__ import annotations

from random import Random

import pytest

from sessiontui.formats.jsonl import encode_entries
from sessiontui.transcript.navigate import TurnFinder
from tests.corpus import corpus_file


async def told(data: bytes, most: int = 1000) -> list[tuple[str, int, int]]:
    async def read(start: int, stop: int) -> bytes:
        return data[start:stop]

    finder = TurnFinder(read, len(data), most)
    async for first in finder.run():
        assert 0 <= first <= len(finder.turns)
    return [(turn.hit.text, turn.tools, turn.errors) for turn in finder.turns]


def said(text: str) -> bytes:
    return encode_entries([{"type": "message", "message": {"role": "user", "content": text}}])


def called(count: int, failed: int, pad: int = 0) -> bytes:
    calls = [{"type": "toolCall", "id": "c", "name": "bash", "arguments": {"x": "y" * pad}}]
    call = {"type": "message", "message": {"role": "assistant", "content": calls * count}}
    result = {"type": "message", "message": {"role": "toolResult", "isError": True}}
    return encode_entries([call, *[result] * failed])


@pytest.mark.parametrize("step", [40, 333, 5000, 1 << 20])
async def test_calls_and_failures_are_counted_for_the_turn_before(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessiontui.transcript.search.STEP_BYTES", step)
    random = Random(step)
    wanted = []
    pieces = [called(2, 1)]
    for number in range(20):
        tools, errors = random.randrange(4), random.randrange(3)
        wanted.append((f"turn {number}", tools, errors))
        quoted = said(f'turn {number}\nsay "type":"toolCall" and "isError":true')
        pieces += [quoted, called(tools, errors, random.randrange(400))]
    assert await told(b"".join(pieces)) == wanted


async def test_there_is_an_end_to_what_is_told() -> None:
    data = b"".join(said(f"turn {number}") + called(1, 0) for number in range(50))
    assert await told(data, 10) == [
        *((f"turn {number}", 1, 0) for number in range(9)),
        ("turn 9", 0, 0),
    ]


@pytest.mark.parametrize(
    "name",
    ["claude-2025-edits-long.jsonl", "codex-rollout-short.jsonl", "pi-v3-export-linear.jsonl"],
)
async def test_real_sessions_tell_what_their_turns_did(name: str) -> None:
    found = await told(corpus_file(name).read_bytes())
    assert sum(tools for _, tools, _ in found) > 5
