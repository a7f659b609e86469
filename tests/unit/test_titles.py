"""Which title a session has, from all that name it."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sessiontui.catalog.row import Row
from sessiontui.catalog.row_builder import retitle_row
from sessiontui.catalog.titles import Titles, choose_title, pack_titles, unpack_titles
from sessiontui.formats.jsonl import encode_entries
from sessiontui.formats.title_slot import Title, TitleSource, make_slot, make_title_field
from tests.sessions import (
    START_MS,
    Omp,
    claude_session,
    codex_session,
)
from tests.unit.row_builder_support import row_of


def titled(
    *,
    field: str | None = None,
    slot: str | None = None,
    header: str | None = None,
    change: str | None = None,
    summary: str | None = None,
    message: str | None = None,
    by: TitleSource = "auto",
) -> Row:
    session = Omp(title=slot, header={} if header is None else {"title": header})
    if message is not None:
        session.user(message)
    if change is not None:
        session.add("title_change", title=change, source="user")
    if summary is not None:
        session.add("compaction", summary="long", shortSummary=summary)
    stored = None if field is None else make_title_field(field, by, START_MS)
    return row_of(session.data, field=stored)


@pytest.mark.parametrize(
    ("sources", "title"),
    [
        ({"field": "F", "slot": "S", "header": "H", "change": "C"}, "F"),
        ({"slot": "S", "header": "H", "change": "C", "summary": "M"}, "S"),
        ({"header": "H", "change": "C", "summary": "M"}, "H"),
        ({"change": "C", "summary": "M", "message": "U"}, "C"),
        ({"summary": "M", "message": "U"}, "M"),
        ({"message": "\n\n  U said\nmore"}, "U said"),
        ({}, "Untitled · 00:26"),
        ({"field": "", "slot": "S", "header": "H", "change": "C"}, "C"),
        ({"field": " ", "slot": "S", "header": "H", "message": "U"}, "U"),
        ({"slot": "", "header": "H", "summary": "M"}, "M"),
        ({"slot": "", "header": "H"}, "Untitled · 00:26"),
        ({"field": "", "slot": "S"}, "Untitled · 00:26"),
        ({"header": "two\nlines\x1b"}, "two"),
        ({"change": "", "message": "U"}, "U"),
    ],
)
def test_the_title_follows_omps_order_of_sources(sources: dict[str, Any], title: str) -> None:
    assert titled(**sources).title == title


def test_a_title_that_the_user_took_away_is_not_found_in_the_entries_either() -> None:
    row = titled(field="", slot="S", header="H", change="C", summary="M", message="U", by="user")
    assert row.title == "U"
    assert titled(field="", change="C", by="user").title == "Untitled · 00:26"
    assert titled(field="", change="C", message="U", by="auto").title == "C"


def test_untitled_tells_the_time_in_the_zone_asked_for() -> None:
    row = titled()
    zone = timezone(timedelta(hours=2))
    assert retitle_row(row, None, zone=zone).title == "Untitled · 02:26"


def test_the_last_title_change_counts_but_the_agent_never_outdoes_the_user() -> None:
    session = Omp(title=None)
    session.user("Hello")
    session.add("title_change", title="By agent", source="auto")
    assert row_of(session.data).title == "By agent"
    session.add("title_change", title="By user", source="user")
    session.add("title_change", title="By agent again", source="auto")
    row = row_of(session.data)
    assert (row.title, row.title_source) == ("By user", "user")


def test_a_title_change_is_found_in_the_tail_beyond_the_last_message() -> None:
    session = Omp(title=None)
    session.user("Hello " + "x" * 20_000)
    session.add("title_change", title="Renamed", source="user")
    for _ in range(8):
        session.user()
        session.assistant()
    session.data += b'{"type":"custom","customType":"note"}\n' * 3
    row = row_of(session.data, tail=6000)
    assert row.title == "Renamed"
    assert row.status == "complete"


def test_another_title_field_is_weighed_without_reading_again() -> None:
    row = titled(slot="S", change="C")
    assert row.title == "S"
    named = retitle_row(row, make_title_field("F", "user", START_MS))
    assert (named.title, named.title_source) == ("F", "user")
    assert retitle_row(named, make_title_field("", None, START_MS)).title == "C"
    assert retitle_row(named, b"not json").title == "S"
    assert retitle_row(named, None) == row
    unread = Row(path="/a.jsonl", size=0, mtime_ms=0)
    assert retitle_row(unread, b"{}") == replace(unread, title_field=b"{}")


@pytest.mark.parametrize(
    ("entry", "title", "source"),
    [
        ({"type": "custom-title", "customTitle": "Mine"}, "Mine", "user"),
        ({"type": "ai-title", "aiTitle": "Its own"}, "Its own", "auto"),
        ({"type": "summary", "summary": "In short", "leafUuid": "u"}, "In short", None),
    ],
)
def test_claude_codes_titles_count(entry: dict[str, Any], title: str, source: str | None) -> None:
    row = row_of(encode_entries([*claude_session(), entry]))
    assert (row.title, row.title_source) == (title, source)


def test_codexs_thread_name_is_its_title() -> None:
    named = {"type": "event_msg", "payload": {"type": "thread_name_updated", "thread_name": "N"}}
    assert row_of(encode_entries([*codex_session(), named]), head=99_999).title == "N"


TEXTS = st.sampled_from(["", "Fix", "Fix the tests", "Fix the tests. All of them"])
NAMES = st.none() | st.builds(Title, TEXTS, st.sampled_from([None, "auto", "user"]))


@given(
    st.builds(Titles, slot=NAMES, header=NAMES, entry=NAMES, summary=TEXTS, message=TEXTS),
    TEXTS,
    st.none() | TEXTS.map(lambda title: make_title_field(title, "user", START_MS)),
)
def test_a_row_keeps_every_title_however_it_was_named(
    titles: Titles, first_message: str, field: bytes | None
) -> None:
    chosen = choose_title(titles, field, time_ms=0, zone=UTC)
    naming = pack_titles(titles, chosen, first_message)
    assert unpack_titles(naming, chosen, first_message) == titles
    row = replace(row_of(b""), naming=titles, first_message=first_message)
    named = retitle_row(row, field, zone=UTC)
    assert named.titles == titles
    assert retitle_row(named, None, zone=UTC) == retitle_row(row, None, zone=UTC)


def test_a_slot_that_is_not_exact_gives_a_title_but_may_not_be_rewritten() -> None:
    slot = make_slot("Short", source="user", updated_at=START_MS).replace(b" " * 100, b"")
    row = row_of(slot + Omp(title=None).data)
    assert (row.title, row.has_slot) == ("Short", False)
