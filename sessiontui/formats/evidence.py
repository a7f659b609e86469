"""What tells whether an agent runs a session: proof, or a guess that is told as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Evidence(NamedTuple):
    """What one trace says of a session's agent."""

    state: Literal["running", "maybe", "gone"]
    """`running` and `gone` are proven, `maybe` is a guess."""
    reason: str
    """In plain words: `Claude Code is running it (pid 1234)`."""
    as_of_ms: int | None = None
    """When the trace was left, in milliseconds since the epoch; None where it is of now.

    Of an agent that is gone: what changed long after it was the work of another.
    """


_WEIGHT: Final = {"gone": 0, "maybe": 1, "running": 2}


def strongest(traces: Iterable[Evidence | None]) -> Evidence | None:
    """Return the trace that counts: an agent that runs before a guess, that before one gone."""
    known = [trace for trace in traces if trace is not None]
    return max(known, key=lambda trace: (_WEIGHT[trace.state], trace.as_of_ms or 0), default=None)
