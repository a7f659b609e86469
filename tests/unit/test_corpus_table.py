"""Titles and states of the corpus beside what omp's own rules give, each difference explained.

The rules of omp are written down once more here, from what is known of it, and share
nothing with the program. `python -m tests.unit.test_corpus_table` prints the table.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC
from typing import Any, Final, NamedTuple

import pytest

from sessiontui.catalog.row import Row
from sessiontui.catalog.row_builder import build_row, read_head, read_tail
from sessiontui.catalog.status import session_status
from tests.corpus import CORPUS, corpus_file

NOW_MS: Final = 1_795_442_529_000
"""2026-11-23 14:02:09 UTC: long after every session."""


class Told(NamedTuple):
    """What is told of a session."""

    title: str
    status: str
    activity: str


def entries_of(data: bytes) -> list[dict[str, Any]]:
    """Return the entries as omp reads them: a line is one object, or is passed over."""
    entries = []
    for line in data.split(b"\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            entries.append(entry)
    return entries


def first_line(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line), "")


def omps_title(data: bytes) -> str:
    """Return omp's title: slot, header, last given one, summary, first message, or none."""
    entries = entries_of(data)
    slot = entries[0] if entries and entries[0].get("type") == "title" else None
    header = next((entry for entry in entries if entry.get("type") == "session"), {})
    if slot is not None:
        if slot.get("title"):
            return str(slot["title"])
    elif header.get("title"):
        return str(header["title"])
    given = [
        entry.get("name") if entry["type"] == "session_info" else entry.get("title")
        for entry in entries
        if entry.get("type") in ("session_info", "title_change")
    ]
    summaries = [
        entry.get("shortSummary") for entry in entries if entry.get("type") == "compaction"
    ]
    for texts in (given, summaries):
        if texts and texts[-1]:
            return str(texts[-1])
    for entry in entries:
        message = entry.get("message")
        if entry.get("type") == "message" and isinstance(message, dict):
            if message.get("role") != "user":
                continue
            content = message.get("content")
            if isinstance(content, list):
                texts = [block.get("text") for block in content if block.get("type") == "text"]
                content = " ".join(text for text in texts if text)
            if content and (line := first_line(content)):
                return line
    return "Untitled"


def omps_status(data: bytes) -> str:
    """Return omp's word for the last message in the last 32,768 bytes."""
    for entry in reversed(entries_of(data[-32_768:])):
        if entry.get("type") != "message" or not isinstance(entry.get("message"), dict):
            continue
        message = entry["message"]
        role, stop = message.get("role"), message.get("stopReason")
        if role == "assistant":
            if stop in ("error", "aborted"):
                return str(stop)
            content = message.get("content")
            blocks = content if isinstance(content, list) else []
            calls = any(block.get("type") == "toolCall" for block in blocks)
            return "interrupted" if stop == "length" or calls else "complete"
        return {"toolResult": "interrupted", "user": "pending"}.get(role, "unknown")
    return "unknown"


def ours(name: str, data: bytes) -> Told:
    """Return what the program tells, after the looks at both ends that it takes."""
    row = Row(path=f"/corpus/{name}.jsonl", size=len(data), mtime_ms=NOW_MS - 86_400_000)
    for head, tail in ((4096, 8192), (65_536, 262_144), (65_536, 4_194_304)):
        whole = len(data) <= head + tail
        first, last = (data, data) if whole else (data[:head], data[-tail:])
        heads = read_head(first, complete=whole)
        tails = read_tail(last, complete=whole)
        if whole or (heads.enough and tails.enough):
            break
    row = build_row(row, heads, tails, zone=UTC)
    return Told(row.title, row.status, session_status(row, now_ms=NOW_MS))


DIFFERENT: Final = {
    "claude-2025-edits-long": "omp cannot read Claude Code's records; we do",
    "claude-2026-forks-progress": "omp cannot read Claude Code's records; we do",
    "claude-every-record-kind-scrubbed": "omp cannot read Claude Code's records; we do",
    "codex-every-record-kind-scrubbed": "omp cannot read Codex's records; we do",
    "codex-rollout-short": "omp cannot read Codex's records; we do",
}
"""Why title or status are not omp's."""


def corpus_names() -> list[str]:
    return sorted(file.stem for file in CORPUS.glob("*.jsonl")) or ["(no corpus here)"]


@pytest.mark.parametrize("name", corpus_names())
def test_title_and_status_are_omps_or_the_difference_is_explained(name: str) -> None:
    data = corpus_file(f"{name}.jsonl").read_bytes()
    told = ours(name, data)
    title = omps_title(data)
    same_title = (
        told.title.startswith("Untitled")
        if title == "Untitled"
        else (told.title == title[:200].rstrip())
    )
    same = same_title and told.status == omps_status(data)
    assert same is (name not in DIFFERENT), (told, title, omps_status(data))


def table() -> list[str]:
    """Return the table, a line a session."""
    lines = [f"{'session':<44} {'omp':<12} {'status':<12} {'activity':<9} title / omp's title"]
    for name in corpus_names():
        data = corpus_file(f"{name}.jsonl").read_bytes()
        told, title = ours(name, data), omps_title(data)
        both = told.title[:40] if told.title[:40] == title[:40] else f"{told.title[:40]} / {title}"
        why = f"  ({DIFFERENT[name]})" if name in DIFFERENT else ""
        lines.append(
            f"{name:<44} {omps_status(data):<12} {told.status:<12} {told.activity:<9} {both}{why}"
        )
    return lines


if __name__ == "__main__":
    sys.stdout.write("\n".join(table()) + "\n")
