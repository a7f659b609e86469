"""How a session stands is told by its active branch, omp's word by the order in the file."""

from __future__ import annotations

from datetime import UTC

import pytest
from msgspec.structs import replace

from sessiontui.catalog.row import Row
from sessiontui.catalog.row_builder import build_row, extend_row, read_head, read_tail
from sessiontui.catalog.status import session_status
from tests.sessions import OMP_PATH, START_MS, Omp

NOW = START_MS + 60_000


class Tree(Omp):
    """A session in which one can go back to an entry and go on from there."""

    def go_to(self, entry: str | None) -> None:
        self._last = entry

    @property
    def here(self) -> str | None:
        return self._last


def row_of(data: bytes, *, tail: int | None = None, grew_ms: int | None = None) -> Row:
    row = Row(path=OMP_PATH, size=len(data), mtime_ms=START_MS, grew_ms=grew_ms)
    if tail is None:
        facts = read_head(data, complete=True), read_tail(data, complete=True)
    else:
        facts = read_head(data[:4096], complete=False), read_tail(data[-tail:], complete=False)
    return build_row(row, *facts, zone=UTC)


def failed_branch() -> tuple[Tree, str]:
    """Return a session that was answered, and then failed; and where it was answered."""
    session = Tree()
    session.user()
    session.assistant("Done.")
    answered = session.here or ""
    session.user("Try something else.")
    session.assistant("", stop="error")
    return session, answered


def test_a_session_that_went_back_stands_as_where_it_went() -> None:
    session, answered = failed_branch()
    assert (row_of(session.data).status, row_of(session.data).ending) == ("error", "error")
    session.go_to(answered)
    session.add("branch_summary", fromId="x", summary="Something else failed.")
    row = row_of(session.data)
    assert (row.status, row.ending) == ("error", "answer")
    assert session_status(row, now_ms=NOW) == "waiting"


@pytest.mark.parametrize("kind", ["label", "custom_message", "model_change", "custom"])
def test_any_entry_can_make_a_branch_active(kind: str) -> None:
    session, answered = failed_branch()
    session.go_to(answered)
    session.add(kind)
    assert row_of(session.data).ending == "answer"


def test_a_tool_of_another_branch_does_not_run() -> None:
    session = Tree()
    session.user()
    asked = session.here
    session.assistant(calls=("bash",))
    session.started("bash")
    assert row_of(session.data).tool == "bash"
    session.go_to(asked)
    session.add("branch_summary", fromId="x", summary="-")
    row = row_of(session.data)
    assert (row.tool, row.ending, row.status) == (None, "user", "interrupted")
    assert session_status(row, now_ms=NOW) == "thinking"


def test_an_exit_on_another_branch_is_none() -> None:
    session = Tree()
    session.user()
    session.assistant()
    answered = session.here
    session.exited()
    assert session_status(row_of(session.data), now_ms=NOW) == "done"
    session.go_to(answered)
    session.add("label", targetId=answered, label="good")
    assert session_status(row_of(session.data), now_ms=NOW) == "waiting"


def test_the_branch_is_followed_beyond_what_was_looked_at_first() -> None:
    session, answered = failed_branch()
    for _ in range(100):
        session.assistant("x" * 500, stop="error")
    session.go_to(answered)
    session.add("branch_summary", fromId="x", summary="-")
    tail = read_tail(session.data[-8192:], complete=False)
    assert not tail.enough or tail.ending == "error"
    assert row_of(session.data).ending == "answer"
    # Where it cannot be followed so far, the last message in the file counts.
    assert row_of(session.data, tail=8192).ending == "error"


def test_a_bad_line_breaks_the_branch_and_the_order_in_the_file_counts() -> None:
    session, _ = failed_branch()
    whole = session.add("custom", customType="note", data={})
    session.add("title_change", title="Other")
    broken = session.data.replace(whole, whole[:-10] + b"\n")
    row = row_of(broken)
    assert (row.ending, row.title_source) == ("error", "auto")


def test_names_count_wherever_they_stand() -> None:
    session, answered = failed_branch()
    session = Tree(title=None)
    session.user()
    asked = session.here
    session.assistant()
    session.add("title_change", title="Named here", source="user")
    session.go_to(asked)
    session.assistant("Another answer.")
    assert row_of(session.data).title == "Named here"
    assert answered


def test_a_branch_that_becomes_active_while_one_looks_has_the_session_read_again() -> None:
    session, answered = failed_branch()
    row = row_of(session.data, grew_ms=NOW)
    more = session.assistant("", stop="error")
    row = extend_row(row, more)
    assert (row.read, row.ending) == (True, "error")
    session.go_to(answered)
    more = session.add("label", targetId=answered, label="here")
    row = extend_row(row, more)
    assert not row.read
    assert row_of(session.data, grew_ms=NOW).ending == "answer"


def test_a_session_that_begins_to_grow_with_a_branch_is_read_again() -> None:
    session, answered = failed_branch()
    row = replace(row_of(session.data), grew_ms=NOW)
    session.go_to(answered)
    assert not extend_row(row, session.add("branch_summary", fromId="x", summary="-")).read
    session, _ = failed_branch()
    row = replace(row_of(session.data), grew_ms=NOW)
    assert extend_row(row, session.add("model_change", model="x/y")).read


def test_only_sessions_that_grow_keep_where_they_end() -> None:
    session, _ = failed_branch()
    assert row_of(session.data).tail.leaf == ""
    assert row_of(session.data, grew_ms=NOW).tail.leaf == session.here


@pytest.mark.parametrize("links", [("a", "a"), ("b", "a"), ("a", "b"), (None, None), (5, [])])
def test_circles_and_nonsense_end(links: tuple[object, object]) -> None:
    first, second = links
    lines = b"".join(
        b'{"type":"message","id":"%s","parentId":%s,"message":{"role":"user","content":"x"}}\n'
        % (name, value)
        for name, value in (
            (b"a", b'"b"' if first == "a" else b"null"),
            (b"b", b'"a"' if second == "a" else b"7"),
        )
    )
    assert row_of(lines * 50).ending == "user"
