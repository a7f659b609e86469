"""The doctor's rules, over facts written by hand."""

from __future__ import annotations

from typing import Any

import pytest

from sessiontui.catalog.row import Row
from sessiontui.catalog.row_builder import build_row, read_head, read_tail
from sessiontui.doctor import ChangeTimesAndTitles, Discard, GiveSlot, JoinTail, RewriteSlot
from sessiontui.doctor.findings import KINDS, CutBack, FindingKind, PutBack
from sessiontui.doctor.journal import Repair, UndoneRepair, journal_line, open_repairs
from sessiontui.doctor.rules import (
    OLD_MS,
    HeaderlessSession,
    field_findings,
    headerless_finding,
    hierarchy_findings,
    last_entry_id,
    leftover_findings,
    may_be_head,
    may_be_headerless,
    may_have_other_title,
    read_start,
    title_finding,
)
from sessiontui.formats.jsonl import encode_entries
from sessiontui.formats.title_slot import SLOT_BYTES, make_slot, make_title_field, parse_slot
from sessiontui.storage.backend import JOIN_BYTES, HashField, HashFieldChange, Stat
from tests.sessions import START_MS, Omp, claude_session, pi_session

NOW = START_MS + 30 * OLD_MS
OMP_STEM = "/p/2026-09-10T00-26-40-000Z_01a0b000"


def row_of(path: str, data: bytes, **fields: Any) -> Row:
    blank = Row(path=path, size=len(data), mtime_ms=START_MS, **fields)
    return build_row(blank, read_head(data, complete=True), read_tail(data, complete=True))


def split(session: Omp) -> tuple[bytes, bytes]:
    """Return a session's bytes up to now, and those of two more turns."""
    cut = len(session.data)
    session.user("Go on.")
    session.assistant("I do.")
    return session.data[:cut], session.data[cut:]


def talked() -> Omp:
    session = Omp()
    session.user()
    session.assistant()
    return session


def test_a_piece_follows_the_last_entry_of_its_head() -> None:
    head, tail = split(talked())
    begun = read_start(tail, complete=True)
    assert begun.kind == "entry"
    assert begun.parent_id == last_entry_id(head, complete=True) == "00000002"
    assert read_start(head, complete=True).kind == "header"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (make_slot("T", source=None, updated_at=START_MS), "nothing"),
        (b"", "nothing"),
        (b"\n\n", "nothing"),
        (b"not json\n", "other"),
        (encode_entries(claude_session()), "other"),
        (encode_entries(pi_session()), "header"),
        (b'{"type":"message","id":"x"}\n', "other"),
        (b'\n{"type":"message","id":"x","parentId":null}\n', "entry"),
    ],
)
def test_what_a_session_begins_with(data: bytes, kind: str) -> None:
    assert read_start(data, complete=True).kind == kind


def test_a_long_first_line_is_told_by_its_beginning() -> None:
    line = b'{"type":"message","id":"x","parentId":"aa","message":{"content":"' + b"y" * 9000
    begun = read_start(line[:4096], complete=False)
    assert (begun.kind, begun.parent_id) == ("entry", "aa")


def test_the_last_entry_is_found_behind_what_is_none() -> None:
    whole = talked().data
    assert last_entry_id(whole + b"broken\n\n", complete=True) == "00000002"
    assert last_entry_id(whole[-400:], complete=False) == "00000002"
    assert last_entry_id(Omp().data, complete=True) is None
    assert last_entry_id(b'"id":"cut","parentId":null}\n', complete=False) is None


def test_only_what_could_be_one_is_taken_for_a_piece_or_a_head() -> None:
    head, tail = split(talked())
    piece = row_of("/p/tail.jsonl", tail)
    assert may_be_headerless(piece)
    assert not may_be_headerless(row_of("/p/head.jsonl", head))
    assert not may_be_headerless(row_of("/p/claude.jsonl", encode_entries(claude_session())))
    known = HeaderlessSession(Stat(piece.path, piece.size, START_MS), "00000002", START_MS + 3000)
    assert may_be_head(row_of("/p/head.jsonl", head), [known])
    later = talked()
    later.user()
    later.user()
    assert not may_be_head(row_of("/p/later.jsonl", later.data), [known])
    assert not may_be_head(piece, [known])


def test_a_piece_is_joined_only_to_the_one_head_there_is() -> None:
    piece = HeaderlessSession(Stat("/p/tail.jsonl", 400, START_MS), "00000002", None)
    one, two = Stat("/p/1.jsonl", 800, START_MS), Stat("/p/2.jsonl", 800, START_MS)
    assert headerless_finding(piece, [one], [], now_ms=NOW).fix == JoinTail(piece.stat, one)
    both = headerless_finding(piece, [one, two], [], now_ms=NOW)
    assert (both.fix, both.others) == (None, (one.path, two.path))
    none = headerless_finding(piece, [], ["trash-1"], now_ms=NOW)
    assert none.fix is None
    assert "The trash holds trash-1" in none.evidence[-1]
    long = HeaderlessSession(Stat("/p/tail.jsonl", JOIN_BYTES + 1, START_MS), "00000002", None)
    assert headerless_finding(long, [one], [], now_ms=NOW).fix is None


def test_a_title_without_room_needs_a_slot() -> None:
    bare = Omp(title=None)
    bare.user()
    row = row_of("/p/a.jsonl", bare.data, title_field=make_title_field("T", "user", START_MS))
    assert may_have_other_title(row)
    finding = title_finding(row, bare.data)
    assert finding is not None
    assert finding.kind == "title-over-header"
    assert isinstance(finding.fix, GiveSlot)
    assert (finding.fix.title, finding.fix.source) == ("T", "user")


def test_a_slot_that_says_something_else_is_written_over_in_place() -> None:
    session = Omp(title="Old")
    field = make_title_field("New \u00e9" * 80, "auto", START_MS + 5000)
    row = row_of("/p/a.jsonl", session.data, title_field=field)
    finding = title_finding(row, session.data)
    assert finding is not None
    assert isinstance(finding.fix, RewriteSlot)
    assert finding.fix.old == session.data[:SLOT_BYTES]
    assert len(finding.fix.new) == SLOT_BYTES
    slot = parse_slot(finding.fix.new)
    assert slot is not None
    assert slot.title.startswith("New")
    again = finding.fix.new + session.data[SLOT_BYTES:]
    assert title_finding(row_of("/p/a.jsonl", again, title_field=field), again) is None


@pytest.mark.parametrize("field", [None, b"", b"{}", b'{"title":"x"}', b"\xff"])
def test_a_title_field_that_does_not_count_disagrees_with_nothing(field: bytes | None) -> None:
    assert not may_have_other_title(row_of("/p/a.jsonl", Omp().data, title_field=field))


def test_fields_of_no_session_are_taken_away_together() -> None:
    fields = [HashField("meta", "/g.jsonl", b"17"), HashField("title", "/g.jsonl", b"T")]
    [finding] = field_findings(fields, {}, NOW)
    assert finding.kind == "loose"
    assert finding.fix == ChangeTimesAndTitles(
        (
            HashFieldChange("meta", "/g.jsonl", b"17", None),
            HashFieldChange("title", "/g.jsonl", b"T", None),
        )
    )


def test_a_session_without_a_time_gets_that_of_its_last_message() -> None:
    row = row_of("/p/a.jsonl", talked().data)
    wrong = HashField("meta", "/p/b.jsonl", b"soon", session=True)
    untimed = {"/p/a.jsonl": row, "/p/b.jsonl": None}
    by_path = {finding.path: finding for finding in field_findings([wrong], untimed, NOW)}
    assert by_path["/p/a.jsonl"].fix == ChangeTimesAndTitles(
        (HashFieldChange("meta", "/p/a.jsonl", None, b"%d" % (START_MS + 2000), session=True),)
    )
    assert by_path["/p/b.jsonl"].fix == ChangeTimesAndTitles(
        (HashFieldChange("meta", "/p/b.jsonl", b"soon", b"%d" % NOW, session=True),)
    )
    assert "“soon”" in by_path["/p/b.jsonl"].evidence[0]


def test_parents_that_are_gone_and_ids_of_several() -> None:
    def of(path: str, session_id: str, parent: str | None = None) -> Row:
        header = {"id": session_id, **({"parentSession": parent} if parent else {})}
        return row_of(path, Omp(header=header).data)

    rows = [
        of("/p/a.jsonl", "aa"),
        of("/p/b.jsonl", "bb", "aa"),
        of("/p/c.jsonl", "cc", "/p/a.jsonl"),
        of("/p/d.jsonl", "dd", "/elsewhere/2026-09-10T00-26-40-000Z_aa.jsonl"),
        of("/p/e.jsonl", "ee", "zz"),
        of("/p/f.jsonl", "ff", "/p/zz.jsonl"),
        of("/q/a.jsonl", "aa"),
    ]
    findings = list(hierarchy_findings(rows))
    assert [finding.path for finding in findings if finding.kind == "parent"] == [
        "/p/e.jsonl",
        "/p/f.jsonl",
    ]
    [duplicate] = [finding for finding in findings if finding.kind == "duplicate"]
    assert (duplicate.path, duplicate.others, duplicate.fix) == (
        "/p/a.jsonl",
        ("/q/a.jsonl",),
        None,
    )


def debris(*paths: str, mtime_ms: int | None = START_MS) -> list[Stat]:
    return [Stat(path, 1, mtime_ms) for path in paths]


@pytest.mark.parametrize("keys", [True, False])
def test_what_belongs_to_no_session_is_left_over(keys: bool) -> None:
    gone = (
        "/p/gone/draft.txt",
        "/p/gone/.draft-only-session",
        f"{OMP_STEM}/0.bash.log",
        f"{OMP_STEM}/btw-history/1.md",
        "/p/.gone2.jsonl.lock",
        "/p/.gone3.jsonl.lock.os",
        "/p/.gone4.jsonl.7f.tmp",
    )
    kept = ("/p/here.jsonl", "/p/here/draft.txt", "/p/here/0.bash.log")
    findings = list(leftover_findings(debris(*gone, *kept), keys=keys, now_ms=NOW))
    found = [path for finding in findings for path in (finding.path, *finding.others)]
    assert sorted(found) == sorted(gone)
    for finding in findings:
        assert isinstance(finding.fix, Discard)
        assert [stat.path for stat in finding.fix.stats] == [finding.path, *finding.others]


def test_files_that_nobody_knows_are_left_alone_and_keys_are_not() -> None:
    stats = debris("/p/README.md", "/p/here.jsonl")
    assert list(leftover_findings(stats, keys=False, now_ms=NOW)) == []
    [finding] = leftover_findings(stats, keys=True, now_ms=NOW)
    assert finding.path == "/p/README.md"


def test_debris_beside_a_session_names_it() -> None:
    stats = debris("/p/a.jsonl", "/p/.a.jsonl.1.tmp", "/p/a.jsonl.1.bak")
    [finding] = leftover_findings(stats, keys=False, now_ms=NOW)
    assert (finding.path, *finding.others) == ("/p/.a.jsonl.1.tmp", "/p/a.jsonl.1.bak")
    assert finding.beside == "/p/a.jsonl"


def test_the_backup_of_a_session_that_is_gone_is_told_and_kept() -> None:
    stats = debris("/p/gone.jsonl.12.bak", "/p/.gone.jsonl.lock")
    backup, lock = leftover_findings(stats, keys=False, now_ms=NOW)
    assert (backup.path, backup.fix) == ("/p/gone.jsonl.12.bak", None)
    assert "omp puts it back" in backup.evidence[-1]
    assert isinstance(lock.fix, Discard)
    assert [stat.path for stat in lock.fix.stats] == ["/p/.gone.jsonl.lock"]


def test_what_has_no_time_is_not_said_to_be_old() -> None:
    [finding] = leftover_findings(debris("/p/gone/draft.txt", mtime_ms=None), keys=True, now_ms=NOW)
    assert "without a time" in finding.evidence[0]


def test_what_was_touched_within_a_day_is_not_left_over() -> None:
    fresh = debris("/p/gone/draft.txt", mtime_ms=NOW - OLD_MS + 1)
    assert list(leftover_findings(fresh, keys=True, now_ms=NOW)) == []


def test_logs_beside_a_subagent_of_a_session_that_is_gone_stay() -> None:
    stats = debris(f"{OMP_STEM}/Explore.jsonl", f"{OMP_STEM}/Explore.md", f"{OMP_STEM}/0.bash.log")
    assert list(leftover_findings(stats, keys=False, now_ms=NOW)) == []


def test_every_kind_is_explained() -> None:
    for about in KINDS.values():
        assert about.name
        assert about.meaning.endswith(".")
        assert about.remedy.endswith(".")


def repair(number: int, kind: FindingKind = "slot") -> Repair:
    path = "/p/\udcff\u00e9.jsonl"
    undo = (
        CutBack(path, 0, 5, 9, START_MS, b"\xff"),
        PutBack("00-1"),
        ChangeTimesAndTitles((HashFieldChange("meta", path, None, b"1", session=True),)),
        RewriteSlot(path, b"\x00old", b"new\xff", START_MS),
    )
    return Repair(id=str(number), run="r", made_ms=number, kind=kind, path=path, undo=undo)


def test_the_journal_gives_back_what_was_written_into_it() -> None:
    lines = [
        journal_line(repair(1)),
        journal_line(repair(2)),
        b"garbage\n",
        journal_line(UndoneRepair("1")),
    ]
    assert open_repairs([*lines, journal_line(repair(3))[:-20]]) == [repair(2)]
    assert all(line.count(b"\n") == 1 for line in lines)
