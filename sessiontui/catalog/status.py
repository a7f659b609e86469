"""The status of a session (running, waiting, …), and whether it may be in use.

No agent says so. It is told from how its last message ends, from tool calls
without a result, from the `session_exit` entry that omp writes when it leaves,
and from how long ago anything happened. Times are milliseconds since the epoch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from sessiontui.formats.registry import AGENTS

if TYPE_CHECKING:
    from sessiontui.catalog.row import Row, Status

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS

GREW_MS: Final = MINUTE_MS
"""A session that grew this recently may be held open by its agent."""
TOOL_MS: Final = 30 * MINUTE_MS
"""A tool may run this long; a longer one counts as stalled."""
THINK_MS: Final = 10 * MINUTE_MS
"""An answer is written only when it is complete, so nothing is heard of it for minutes."""
OPEN_MS: Final = 12 * HOUR_MS
"""Without a word of leaving, omp is taken to be still there this long."""
IDLE_MS: Final = HOUR_MS
"""The same for agents that never say when they leave."""

_Stand = Literal["answer", "error", "aborted", "tool", "turn", "silent", "nothing"]
"""How the conversation stands: `turn` is the agent's, `silent` one it never began."""


class StatusRule(NamedTuple):
    """A rule for the status of a session; a field that is None matches anything."""

    activity: Status
    stand: _Stand | None = None
    closed: bool | None = None
    exit_kind: str | None = None
    tells: bool | None = None
    """Whether this agent says when it leaves."""
    within_ms: int | None = None
    """At most this long ago something happened."""


STATUS_RULES: Final[tuple[StatusRule, ...]] = (
    StatusRule("crashed", closed=True, exit_kind="fatal"),
    StatusRule("error", "error"),
    StatusRule("aborted", "aborted"),
    StatusRule("done", "answer", closed=True),
    StatusRule("exited", closed=True),
    StatusRule("running", "nothing", within_ms=GREW_MS),
    StatusRule("unknown", "nothing"),
    StatusRule("waiting", "answer", tells=True, within_ms=OPEN_MS),
    StatusRule("waiting", "answer", tells=False, within_ms=IDLE_MS),
    StatusRule("done", "answer"),
    StatusRule("running", "tool", within_ms=TOOL_MS),
    StatusRule("thinking", "turn", within_ms=THINK_MS),
    StatusRule("thinking", "silent", within_ms=THINK_MS),
    StatusRule("stalled", tells=True, within_ms=OPEN_MS),
    StatusRule("stalled", tells=False, within_ms=IDLE_MS),
    StatusRule("unknown", "silent"),
    StatusRule("crashed", tells=True),
    StatusRule("exited", tells=False),
)
"""The first rule that fits counts."""


def session_status(row: Row, *, now_ms: int) -> Status:
    """Return the status of a session, by its bytes and the clock.

    Args:
        row: The session. What was read last counts until it is read again; one that
            was never read tells only that it grows.
        now_ms: The time now.
    """
    stand = _stand(row)
    tells = _tells(row)
    quiet_ms = now_ms - _heard_ms(row, stand)
    for rule in STATUS_RULES:
        if (
            rule.stand in (None, stand)
            and rule.closed in (None, row.closed)
            and rule.exit_kind in (None, row.exit_kind)
            and rule.tells in (None, tells)
            and (rule.within_ms is None or quiet_ms <= rule.within_ms)
        ):
            return rule.activity
    return "unknown"


def in_use_reason(row: Row, *, now_ms: int) -> str | None:
    """Return why a session may be in use by an agent, in plain words; None if it is not.

    The evidence, the strongest first: its agent has written that it left, then nobody holds
    it; it grew within the last minute, whatever changed it; it holds a conversation, and its
    last word is not so long ago that its agent must be gone. To ask once too often costs
    nothing, and to ask too seldom somebody's work. An agent that opened a session and has
    written nothing yet cannot be known of.

    Args:
        row: The session; one that was never read tells only when it changed.
        now_ms: The time now.
    """
    if row.closed:
        return None
    ago_ms = max(0, now_ms - max(row.grew_ms or 0, row.mtime_ms))
    works = row.tool is not None and row.ending in ("calls", "results")
    if ago_ms <= GREW_MS:
        seconds = ago_ms // 1000
        when = "just now" if seconds < 1 else f"{seconds} s ago"
        if works:
            return f"it grew {when}, while a tool was running"
        return f"it grew {when}; its agent may still be running"
    stand = _stand(row)
    quiet_ms = max(0, now_ms - _heard_ms(row, stand))
    if stand == "nothing" or quiet_ms > _open_ms(row, stand):
        return None
    since = _span(quiet_ms)
    if works and quiet_ms <= TOOL_MS:
        return f"a tool has been running for {since}"
    if stand in ("turn", "silent") and quiet_ms <= THINK_MS:
        return f"its agent has been answering for {since}"
    return f"last activity {since} ago; its agent may still be running"


def _open_ms(row: Row, stand: _Stand) -> int:
    """Return how long an agent is taken to be still there without a word of leaving."""
    if stand == "silent":
        return THINK_MS  # Before its first answer omp leaves without a word.
    return OPEN_MS if _tells(row) else IDLE_MS


def _tells(row: Row) -> bool:
    """Tell whether the agent is known to write when it leaves."""
    fmt = AGENTS.get(row.agent)
    return fmt is not None and fmt.tells_leaving(has_slot=row.has_slot)


def _span(ms: int) -> str:
    return f"{ms // HOUR_MS} h" if ms >= 2 * HOUR_MS else f"{ms // MINUTE_MS} min"


def _stand(row: Row) -> _Stand:
    match row.ending:
        case None:
            return "nothing"
        case "answer" | "cut":
            return "answer"
        case "error":
            return "error"
        case "aborted":
            return "aborted"
        case "user":
            return "turn" if row.answered else "silent"
        case _:
            return "tool" if row.calls else "turn"


def _heard_ms(row: Row, stand: _Stand) -> int:
    """Return when something last happened in the conversation.

    Times in the session come before the modification time, which a rename or a
    copy sets too.
    """
    times = (row.grew_ms, row.last_message_ms, row.tool_since_ms if stand == "tool" else None)
    known = [time for time in times if time is not None]
    if stand == "nothing":
        return row.grew_ms or 0
    return max(known) if known else row.mtime_ms
