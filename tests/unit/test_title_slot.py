"""The title slot and the title field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessiontui.formats.title_slot import (
    SLOT_BYTES,
    TitleField,
    TitleSlot,
    make_slot,
    make_title_field,
    normalize_title,
    parse_slot,
    parse_title_field,
)
from sessiontui.times import time_ms
from tests.corpus import corpus_file

if TYPE_CHECKING:
    from sessiontui.formats.title_slot import TitleSource

WHEN = 1_789_410_094_726
SOURCES = st.sampled_from(["user", "auto", None])
ANY_TEXT = st.text(st.characters(codec=None), max_size=300)


def test_the_slot_reads_back_what_was_written() -> None:
    slot = make_slot("Fix the flaky test", source="user", updated_at=WHEN)
    assert len(slot) == SLOT_BYTES
    assert parse_slot(slot + b'{"type":"session"}\n') == TitleSlot(
        title="Fix the flaky test",
        source="user",
        updated_at="2026-09-14T18:21:34.726Z",
        exact=True,
    )


def test_the_slot_holds_its_keys_in_omps_order() -> None:
    with_source = json.loads(make_slot("a", source="auto", updated_at=WHEN))
    without = json.loads(make_slot("a", source=None, updated_at=WHEN))
    assert list(with_source) == ["type", "v", "title", "source", "updatedAt", "pad"]
    assert list(without) == ["type", "v", "title", "updatedAt", "pad"]


@pytest.mark.parametrize(("source", "room"), [("user", 158), ("auto", 158), (None, 174)])
def test_a_title_is_cut_where_its_room_ends(source: TitleSource | None, room: int) -> None:
    slot = parse_slot(make_slot("x" * 500, source=source, updated_at=WHEN))
    assert slot is not None
    assert slot.title == "x" * room


@pytest.mark.parametrize(
    ("character", "fits"),
    [("é", 79), ("한", 52), ("😀", 39), ('"', 79), ("\\", 79), ("\ud800", 26)],
)
def test_a_title_is_cut_between_code_points_by_the_length_of_its_json(
    character: str, fits: int
) -> None:
    line = make_slot(character * 200, source="user", updated_at=WHEN)
    slot = parse_slot(line)
    assert slot is not None
    assert slot.title == character * fits
    assert len(line) == SLOT_BYTES


@given(title=ANY_TEXT, source=SOURCES)
def test_every_title_makes_an_exact_slot(title: str, source: TitleSource | None) -> None:
    line = make_slot(title, source=source, updated_at=WHEN)
    slot = parse_slot(line)
    assert len(line) == SLOT_BYTES
    assert line.endswith(b'"}\n')
    assert slot is not None
    assert slot.exact
    assert slot.source == source
    assert normalize_title(title).startswith(slot.title)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("  two words  ", "two words"),
        ("first\nsecond", "first"),
        ("first\r\nsecond", "first"),
        ("\nsecond", ""),
        ("a\tb\x00c\x1b[31md\x7fe\x9bf", "abc[31mdef"),
    ],
)
def test_a_title_is_one_line_without_control_characters(text: str, title: str) -> None:
    assert normalize_title(text) == title


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b'{"type":"title","v":1,"title":"no newline"}',
        b'{"type":"session","title":"a header"}\n',
        b'{"type":"title","v":1,"title":5}\n',
        b'{"type":"title","v":1}\n',
        b'["title"]\n',
        b"not json\n",
        b'{"type":"title","title":' + b"[" * 100_000 + b"\n",
        b'{"type":"title","title":"a","v":' + b"9" * 5000 + b"}\n",
    ],
)
def test_what_is_no_title_line_is_none(line: bytes) -> None:
    assert parse_slot(line) is None


def test_a_title_line_of_another_length_is_a_title_but_not_the_slot() -> None:
    short = parse_slot(
        b'{"type":"title","v":1,"title":"","updatedAt":"2026-08-21T13:29:34.583Z"}\n'
    )
    assert short == TitleSlot(title="", updated_at="2026-08-21T13:29:34.583Z", exact=False)
    padded = make_slot("a", source=None, updated_at=WHEN)
    longer = parse_slot(padded[:-3] + b' "}\n')
    assert longer is not None
    assert not longer.exact


def test_a_slot_with_an_unknown_source_still_gives_its_title() -> None:
    slot = parse_slot(b'{"type":"title","v":1,"title":"a","source":["user"]}\n')
    assert slot == TitleSlot(title="a", exact=False)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_slot_or_none(data: bytes) -> None:
    slot = parse_slot(data)
    assert slot is None or isinstance(slot, TitleSlot)


@given(title=ANY_TEXT, source=SOURCES)
def test_the_title_field_reads_back_what_was_written(
    title: str, source: TitleSource | None
) -> None:
    field = parse_title_field(make_title_field(title, source, WHEN))
    assert field == TitleField(
        title=normalize_title(title), source=source, updated_at="2026-09-14T18:21:34.726Z"
    )
    assert time_ms(field.updated_at) == WHEN


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (None, None),
        (b"", None),
        (b"plain text", None),
        (b"[]", None),
        (b"\xff\xfe", None),
        (b'{"title":"not dated"}', None),
        (b'{"title":"not dated","updatedAt":""}', None),
        (b'{"title":"dated by number","updatedAt":5}', None),
        (b'{"updatedAt":"x"}', TitleField(title="", updated_at="x")),
        (b'{"title":"","source":"user","updatedAt":"x"}',
         TitleField(title="", source="user", updated_at="x")),
        (b'{"title":7,"source":"me","updatedAt":"x"}', TitleField(title="", updated_at="x")),
    ],
)  # fmt: skip
def test_the_title_field_counts_only_with_its_date(
    value: bytes | None, field: TitleField | None
) -> None:
    assert parse_title_field(value) == field


def test_a_real_slot_is_written_byte_for_byte_as_omp_wrote_it() -> None:
    line = corpus_file("omp-v3-title-slot-256.jsonl").read_bytes()[:SLOT_BYTES]
    slot = parse_slot(line)
    assert slot is not None
    assert slot.exact
    when = time_ms(slot.updated_at)
    assert when is not None
    assert make_slot(slot.title, source=slot.source, updated_at=when) == line
