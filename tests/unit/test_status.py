"""What a session is doing, and whether an agent may hold it open."""

from __future__ import annotations

from typing import Any

import pytest

from sessiontui.catalog.row import Row, SessionTail
from sessiontui.catalog.status import (
    GREW_MS,
    HOUR_MS,
    IDLE_MS,
    MINUTE_MS,
    OPEN_MS,
    STATUS_RULES,
    THINK_MS,
    TOOL_MS,
    in_use_reason,
    session_status,
)
from sessiontui.formats.base import OpenCall

NOW = 1_789_000_000_000
BASH = (OpenCall("c", "bash", None),)


def row(*, ago_ms: int = 0, **fields: Any) -> Row:
    """Return an omp session whose last message came so long ago."""
    values: dict[str, Any] = {
        "path": "/a.jsonl",
        "size": 1,
        "mtime_ms": NOW - ago_ms,
        "read": True,
        "agent": "omp",
        "has_slot": True,
        "answered": True,
        "last_message_ms": NOW - ago_ms,
        **fields,
    }
    tail = {name: values.pop(name) for name in SessionTail.__struct_fields__ if name in values}
    return Row(**values, tail=SessionTail(**tail))


PI: dict[str, Any] = {"agent": "pi", "has_slot": False}
CASES: list[tuple[str, dict[str, Any], str]] = [
    ("omp died", {"ending": "calls", "closed": True, "exit_kind": "fatal"}, "crashed"),
    ("failed", {"ending": "error"}, "error"),
    ("failed and left", {"ending": "error", "closed": True}, "error"),
    ("failed long ago", {"ending": "error", "ago_ms": 99 * HOUR_MS}, "error"),
    ("aborted", {"ending": "aborted"}, "aborted"),
    ("answered and left", {"ending": "answer", "closed": True, "exit_kind": "normal"}, "done"),
    ("cut and left", {"ending": "cut", "closed": True, "exit_kind": "signal"}, "done"),
    ("left in a call", {"ending": "calls", "closed": True, "exit_kind": "signal"}, "exited"),
    ("left before an answer", {"ending": "user", "closed": True}, "exited"),
    ("unknown bytes grow", {"ending": None, "grew_ms": NOW - GREW_MS}, "running"),
    ("unknown bytes rest", {"ending": None, "grew_ms": NOW - GREW_MS - 1}, "unknown"),
    ("unknown bytes", {"ending": None}, "unknown"),
    ("answered", {"ending": "answer"}, "waiting"),
    ("answered, in a while", {"ending": "answer", "ago_ms": OPEN_MS}, "waiting"),
    ("answered, too long ago", {"ending": "answer", "ago_ms": OPEN_MS + 1}, "done"),
    ("ran out of tokens", {"ending": "cut"}, "waiting"),
    ("pi answered", {**PI, "ending": "answer", "ago_ms": IDLE_MS}, "waiting"),
    ("pi answered, too long ago", {**PI, "ending": "answer", "ago_ms": IDLE_MS + 1}, "done"),
    ("called", {"ending": "calls", "calls": BASH}, "running"),
    ("one of two returned", {"ending": "results", "calls": BASH}, "running"),
    ("runs long", {"ending": "calls", "calls": BASH, "ago_ms": TOOL_MS}, "running"),
    ("runs too long", {"ending": "calls", "calls": BASH, "ago_ms": TOOL_MS + 1}, "stalled"),
    ("started later", {"ending": "calls", "calls": (OpenCall("c", "bash", NOW),),
                       "ago_ms": TOOL_MS + 1}, "running"),
    ("asked", {"ending": "user"}, "thinking"),
    ("asked for the first time", {"ending": "user", "answered": False}, "thinking"),
    ("results are in", {"ending": "results"}, "thinking"),
    ("thinks long", {"ending": "user", "ago_ms": THINK_MS}, "thinking"),
    ("thinks too long", {"ending": "results", "ago_ms": THINK_MS + 1}, "stalled"),
    ("still stalled", {"ending": "results", "ago_ms": OPEN_MS}, "stalled"),
    ("pi stalled", {**PI, "ending": "results", "ago_ms": IDLE_MS}, "stalled"),
    ("never answered", {"ending": "user", "answered": False, "ago_ms": OPEN_MS + 1}, "unknown"),
    ("gone in a turn", {"ending": "user", "ago_ms": OPEN_MS + 1}, "crashed"),
    ("gone in a call", {"ending": "calls", "calls": BASH, "ago_ms": OPEN_MS + 1}, "crashed"),
    ("pi gone in a turn", {**PI, "ending": "user", "ago_ms": IDLE_MS + 1}, "exited"),
    ("old omp gone", {"has_slot": False, "ending": "user", "ago_ms": OPEN_MS}, "exited"),
    ("the feed saw it grow", {"ending": "results", "ago_ms": HOUR_MS, "grew_ms": NOW}, "thinking"),
    ("renamed just now", {"ending": "results", "ago_ms": OPEN_MS + 1, "mtime_ms": NOW}, "crashed"),
    ("no times but its own", {"ending": "user", "last_message_ms": None, "mtime_ms": NOW},
     "thinking"),
    ("written by a clock ahead", {"ending": "user", "ago_ms": -HOUR_MS}, "thinking"),
    ("never read", {"ending": None, "read": False}, "unknown"),
    ("to be read again", {"ending": "calls", "calls": BASH, "read": False}, "running"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "doing"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_what_a_session_is_doing(fields: dict[str, Any], doing: str) -> None:
    assert session_status(row(**fields), now_ms=NOW) == doing


def test_every_rule_of_the_table_decides_some_case() -> None:
    """A rule that no case needs is either untested or never reached."""
    import sessiontui.catalog.status as module

    for number, rule in enumerate(STATUS_RULES):
        others = STATUS_RULES[:number] + STATUS_RULES[number + 1 :]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "STATUS_RULES", others)
            missed = [
                name
                for name, fields, doing in CASES
                if session_status(row(**fields), now_ms=NOW) != doing
            ]
        assert missed, rule


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"ago_ms": 12_000}, "it grew 12 s ago; its agent may still be running"),
        ({"ago_ms": 0}, "it grew just now; its agent may still be running"),
        ({"ago_ms": -5000}, "it grew just now; its agent may still be running"),
        ({"ago_ms": MINUTE_MS}, "it grew 60 s ago; its agent may still be running"),
        ({"ago_ms": HOUR_MS, "grew_ms": NOW - 3000},
         "it grew 3 s ago; its agent may still be running"),
        ({"ago_ms": 5000, "ending": "calls", "calls": BASH},
         "it grew 5 s ago, while a tool was running"),
        ({"ago_ms": 5000, "read": False},
         "it grew 5 s ago; its agent may still be running"),
        ({"ago_ms": 20 * MINUTE_MS, "ending": "calls", "calls": BASH},
         "a tool has been running for 20 min"),
        ({"ago_ms": TOOL_MS + 1, "ending": "calls", "calls": BASH},
         "last activity 30 min ago; its agent may still be running"),
        ({"ago_ms": 5 * MINUTE_MS, "ending": "user"},
         "its agent has been answering for 5 min"),
        ({"ago_ms": OPEN_MS, "ending": "answer"},
         "last activity 12 h ago; its agent may still be running"),
        ({"ago_ms": HOUR_MS, "ending": "error"},
         "last activity 60 min ago; its agent may still be running"),
        ({**PI, "ago_ms": IDLE_MS, "ending": "answer"},
         "last activity 60 min ago; its agent may still be running"),
        ({"ago_ms": HOUR_MS, "mtime_ms": NOW - 2000, "ending": "answer"},
         "it grew 2 s ago; its agent may still be running"),
    ],
)  # fmt: skip
def test_why_a_session_may_be_held_open(fields: dict[str, Any], reason: str) -> None:
    assert in_use_reason(row(**fields), now_ms=NOW) == reason


@pytest.mark.parametrize(
    "fields",
    [
        {"ago_ms": MINUTE_MS + 1},
        {"ago_ms": 0, "closed": True},
        {"ago_ms": 0, "closed": True, "ending": "calls", "calls": BASH},
        {"ago_ms": OPEN_MS + 1, "ending": "answer"},
        {"ago_ms": OPEN_MS + 1, "ending": "calls", "calls": BASH},
        {"ago_ms": THINK_MS + 1, "ending": "user", "answered": False},
        {**PI, "ago_ms": IDLE_MS + 1, "ending": "answer"},
        {"ago_ms": 2 * MINUTE_MS, "read": False},
    ],
)
def test_a_session_that_nothing_speaks_for_is_held_by_nobody(fields: dict[str, Any]) -> None:
    assert in_use_reason(row(**fields), now_ms=NOW) is None
