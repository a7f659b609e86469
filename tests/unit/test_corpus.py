"""Real sessions: what is told of each, checked by hand against what it holds."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import pytest

from sessiontui.catalog.row import Row
from sessiontui.catalog.row_builder import build_row, extend_row, read_head, read_tail
from sessiontui.formats.jsonl import BadLine, Entry, decode_lines, encode_entry
from tests.corpus import corpus_file
from tests.unit.row_builder_support import omps_word

if TYPE_CHECKING:
    from sessiontui.formats.base import Agent, RecordedStatus, TurnEnd


class Known(NamedTuple):
    """What a session of the corpus is."""

    file: str
    entries: int
    bad: int
    agent: Agent
    id: str | None
    title: str
    status: RecordedStatus
    ending: TurnEnd | None
    closed: bool = False
    model: str | None = None
    created_ms: int | None = None


KNOWN = [
    Known("claude-2025-edits-long", 187, 0, "claude", "f0b4ca22-f8e4-4c07-a952-8302b638e125",
          "I want to persist the timer state in the browser t", "aborted", "aborted",
          model="claude-sonnet-4-20250514", created_ms=1_752_512_037_958),
    Known("claude-2026-forks-progress", 98, 0, "claude", "a263b894-c8c2-44af-8845-663362b5a201",
          "hi!", "pending", "user", model="claude-opus-4-6", created_ms=1_776_144_133_609),
    Known("claude-every-record-kind-scrubbed", 89, 0, "claude", "ses_stage0_small",
          "Stage0 small fixture", "pending", "user", model="claude-sonnet-5",
          created_ms=1_765_843_200_000),
    Known("codex-every-record-kind-scrubbed", 118, 0, "codex",
          "019fc8be-3658-7ca3-9e29-000000000000", "[trimmed for fixture]", "interrupted",
          "results", model="gpt-5.6-sol", created_ms=1_785_754_136_000),
    Known("codex-rollout-short", 38, 0, "codex", "019df425-ecb7-7d20-b980-1c2f3521fd65", ".",
          "interrupted", "results", model="gpt-5.4", created_ms=1_777_917_619_392),
    Known("not-a-session-cli-log", 0, 1146, "unknown", None, "Untitled", "unknown", None),
    Known("omp-v3-compaction-blob-image-korean-badline", 586, 1, "omp", "s4b9c212331be",
          'I added the "호가 (매수%)" column to the dashboard tab', "complete", "answer",
          model="glm-5.2", created_ms=1_783_954_038_506),
    Known("omp-v3-title-slot-256", 8, 0, "omp", "01a0a126-b356-7000-9e69-cc5fadd7991d",
          "Reply with single word", "complete", "answer", closed=True,
          model="deepseek/deepseek-v4-flash-0731", created_ms=1_789_410_063_191),
    Known("omp-v3-title-unpadded-tool-events", 14, 0, "omp",
          "01a02483-3877-7242-828b-6281d5e44f30",
          "Run the bash command 'echo hello from omp' and the", "complete", "answer",
          closed=True, model="gpt-5.6-sol", created_ms=1_787_318_974_583),
    Known("pi-v1-branchedfrom-compaction-bash", 1003, 0, "pi",
          "ffae836b-9420-4060-ac13-7745215f90ff",
          "alright, read @packages/coding-agent/src/main.ts @", "unknown", "answer",
          model="claude-opus-4-5", created_ms=1_765_241_609_825),
    Known("pi-v1-two-objects-on-one-line", 464, 0, "pi", "5fd1e58c-9635-410e-a644-133a96057c90",
          "do you know how to create a custom tool?", "complete", "answer",
          model="claude-opus-4-5", created_ms=1_766_000_361_535),
    Known("pi-v2-hookmessage-handwritten", 4, 0, "pi", "pi-v2.native",
          "Migrate the v2 hook message.", "complete", "answer", model="claude-sonnet-4-5",
          created_ms=1_787_234_400_000),
    Known("pi-v3-custom-entries", 112, 0, "pi", "019dce0b-879b-730d-99c2-d8ae04e716d2",
          "we're in the directory of our bespoke coding harne", "complete", "answer",
          model="kimi-k2.5", created_ms=1_777_280_573_212),
    Known("pi-v3-export-linear", 163, 0, "pi", "019e68d1-e031-7fc4-aae5-4d20a4e36675",
          "refer to @benchmarks/HANDOFF.md and @benchmarks/as", "complete", "answer",
          model="claude-opus-4.6", created_ms=1_779_877_784_398),
    Known("pi-v3-tree-branch-label-handwritten", 19, 0, "pi", "pi.native_2026-08-20",
          "Pinned Pi authored title", "interrupted", "results", model="claude-opus-4-1",
          created_ms=1_787_227_200_000),
]  # fmt: skip
NAMES = [known.file for known in KNOWN]


def read(data: bytes, name: str, *, head: int, tail: int) -> Row:
    row = Row(path=f"/corpus/{name}.jsonl", size=len(data), mtime_ms=0)
    if len(data) <= head + tail:
        return build_row(row, read_head(data, complete=True), read_tail(data, complete=True))
    return build_row(
        row, read_head(data[:head], complete=False), read_tail(data[-tail:], complete=False)
    )


@pytest.mark.parametrize("known", KNOWN, ids=NAMES)
def test_every_line_is_an_entry_or_a_bad_line_at_its_offset(known: Known) -> None:
    data = corpus_file(f"{known.file}.jsonl").read_bytes()
    items = decode_lines(data)
    entries = [item for item in items if isinstance(item, Entry)]
    assert len(entries) == known.entries
    assert len(items) - len(entries) == known.bad
    for item in items:
        end = item.offset + item.size
        assert data[end : end + 1] in (b"\n", b"")
        if isinstance(item, BadLine):
            assert data[item.offset : end].startswith(item.excerpt)


@pytest.mark.parametrize("known", KNOWN, ids=NAMES)
def test_what_each_session_is(known: Known) -> None:
    data = corpus_file(f"{known.file}.jsonl").read_bytes()
    row = read(data, known.file, head=len(data), tail=len(data))
    found = Known(
        known.file, known.entries, known.bad, row.agent, row.id, row.title[:50], row.status,
        row.ending, row.closed, row.model, row.created_ms,
    )  # fmt: skip
    if known.title == "Untitled":
        assert row.title.startswith("Untitled · ")
        found = found._replace(title="Untitled")
    assert found == known


@pytest.mark.parametrize("name", NAMES)
def test_the_status_of_omps_and_pis_sessions_is_omps_word(name: str) -> None:
    data = corpus_file(f"{name}.jsonl").read_bytes()
    row = read(data, name, head=4096, tail=262_144)
    if row.agent in ("omp", "pi", "unknown"):
        assert row.status == omps_word(data)


@pytest.mark.parametrize("name", NAMES)
def test_a_wide_look_at_both_ends_tells_how_each_session_stands(name: str) -> None:
    data = corpus_file(f"{name}.jsonl").read_bytes()
    whole = read(data, name, head=len(data), tail=len(data))
    looked = read(data, name, head=65_536, tail=262_144)
    assert (looked.agent, looked.id, looked.cwd) == (whole.agent, whole.id, whole.cwd)
    assert (looked.status, looked.ending, looked.closed) == (
        whole.status,
        whole.ending,
        whole.closed,
    )
    assert (looked.calls, looked.first_message) == (whole.calls, whole.first_message)


@pytest.mark.parametrize("name", NAMES)
def test_a_session_that_grew_here_stands_as_one_read_anew(name: str) -> None:
    data = corpus_file(f"{name}.jsonl").read_bytes()
    begin = len(data) // 2
    row = read(data[:begin], name, head=begin, tail=begin)
    for start in range(begin, len(data), 50_000):
        row = extend_row(row, data[start : start + 50_000])
        if not row.read:  # a line ended that was too long to keep
            row = read(data[: start + 50_000], name, head=len(data), tail=len(data))
    anew = read(data, name, head=len(data), tail=len(data))
    assert (row.status, row.ending, row.calls) == (anew.status, anew.ending, anew.calls)
    assert (row.closed, row.model, row.title) == (anew.closed, anew.model, anew.title)


def test_the_two_objects_on_one_line_are_both_there() -> None:
    items = decode_lines(corpus_file("pi-v1-two-objects-on-one-line.jsonl").read_bytes())
    shared = [(first, second) for first, second in pairwise(items) if first.offset == second.offset]
    ((first, second),) = shared
    assert isinstance(first, Entry)
    assert isinstance(second, Entry)
    assert (first.data["message"]["role"], second.data["message"]["role"]) == ("assistant", "user")


@pytest.mark.parametrize("name", ["omp-v3-title-slot-256", "pi-v3-export-linear"])
def test_entries_are_encoded_as_their_agent_wrote_them(name: str) -> None:
    data = corpus_file(f"{name}.jsonl").read_bytes()
    lines = data.splitlines(keepends=True)
    same = [
        encode_entry(item.data) == line
        for item, line in zip(decode_lines(data), lines, strict=True)
        if isinstance(item, Entry)
    ]
    # Only small fractions differ: JavaScript writes them out, Python with an exponent.
    assert sum(same) >= 0.8 * len(lines)
