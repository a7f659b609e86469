"""JSON and JSONL: everything that is stored, and what is none of it named as such."""

from __future__ import annotations

import json
from datetime import UTC
from pathlib import Path

import pytest

from sessiontui.export import ExportOptions, SessionFacts, writer_for
from sessiontui.export.json import BEGINNING, MAX_LINE
from tests.corpus import CORPUS
from tests.sessions import every_omp_entry
from tests.unit.export_support import exported

HEADER = b'{"type":"session","id":"a"}\n'


def test_the_bytes_come_exactly() -> None:
    data = every_omp_entry() + b"\xff\x00 broken\r\n\n\nno end"
    known = SessionFacts(title="", path="/a", size=len(data))
    writer = writer_for("jsonl", known, ExportOptions())
    made = writer.begin() + writer.feed(data[:7]) + writer.feed(data[7:]) + writer.finish()
    assert made == data


def test_entries_come_as_they_are_stored_with_what_is_known() -> None:
    data = every_omp_entry()
    made = json.loads(exported(data, "json", title="T\ud800", project="~/x", piece=13))
    assert made["session"]["title"] == "T\ud800"
    assert made["session"]["project"] == "~/x"
    assert made["session"]["size"] == len(data)
    assert made["entries"] == [json.loads(line) for line in data.splitlines()]


@pytest.mark.parametrize("data", [b"", b"\n\n", b" \r\n"])
def test_without_entries_the_array_is_empty(data: bytes) -> None:
    assert json.loads(exported(data, "json"))["entries"] == []


def test_what_is_no_entry_is_an_object_that_says_so() -> None:
    bad = [b"\xff\x00not json", b"[1, 2]", b'{"a": NaN}', b'{"a":1} trailing', b"\xef\xbb\xbfnull"]
    data = HEADER + b"\n".join(bad)
    entries = json.loads(exported(data, "json"))["entries"]
    told = [entry["badLine"] for entry in entries[1:]]
    assert [item["text"] for item in told] == [line.decode("utf-8", "replace") for line in bad]
    assert [item["size"] for item in told] == [len(line) for line in bad]
    offsets = [item["offset"] for item in told]
    assert [data[offset:].partition(b"\n")[0] for offset in offsets] == bad
    assert all(item["reason"] for item in told)


def test_what_only_a_kind_reader_takes_is_written_anew() -> None:
    data = HEADER + b'{"a":1}{"b":2}\n\xef\xbb\xbf{"c":"\\ud800"}\r\n'
    entries = json.loads(exported(data, "json"))["entries"]
    assert entries[1:] == [{"a": 1}, {"b": 2}, {"c": "\ud800"}]


def test_a_line_that_is_too_long_comes_with_its_beginning() -> None:
    line = b'{"type":"message","text":"' + b"x" * MAX_LINE + b'"}'
    data = HEADER + line + b"\n" + HEADER
    entries = json.loads(exported(data, "json", piece=1_000_000))["entries"]
    assert [entry.get("type") for entry in entries] == ["session", None, "session"]
    assert entries[1]["badLine"]["size"] == len(line)
    assert entries[1]["badLine"]["text"] == line[:BEGINNING].decode()


def test_every_session_of_the_corpus_is_valid_json_and_nothing_is_lost() -> None:
    for file in sorted(CORPUS.glob("*.jsonl")):
        data = file.read_bytes()
        made = json.loads(exported(data, "json", piece=100_000))["entries"]
        lines = [line for line in data.split(b"\n") if line.strip()]
        assert len(made) >= len(lines), file.name


def test_times_are_told_in_utc() -> None:
    known = SessionFacts(title="", path="/a", size=0, created_ms=1_789_000_001_000, zone=UTC)
    writer = writer_for("json", known, ExportOptions())
    made = json.loads(writer.begin() + writer.finish())
    assert made["session"]["created"] == "2026-09-10T00:26:41Z"
    assert made["session"]["modified"] is None
    assert Path(made["session"]["path"]).name == "a"
