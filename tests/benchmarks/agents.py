"""Agents as a process of their own: they append stamped lines at a rate, as omp does.

Run as `python -m tests.benchmarks.agents URL RATE SECONDS SESSIONS FIRST`: each line
carries the time it was sent. They write with APPEND and HSET.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import redis

from tests.benchmarks.data import MESSAGES, PREFIX, session_path
from tests.benchmarks.harness import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

STAMP: Final = re.compile(rb"line (\d+) sent (\d+\.\d+) by")
"""How a line's number and the time it was sent stand in its text."""
_IDS: Final = 0x100000
"""The ids of agents' lines begin here."""
_EVERY_S: Final = 0.001


def stamps(data: bytes) -> list[float]:
    """Return when the lines in `data` were sent, in seconds since the epoch."""
    return [float(sent) for _number, sent in STAMP.findall(data)]


def line(number: int, sessions: int = 1) -> bytes:
    """Return one stamped message line; sessions take turns, and each goes on after its own last."""
    first = number < sessions
    return (
        b'{"type":"message","id":"%08x","parentId":"%08x","timestamp":"2026-06-01T11:00:00.000Z",'
        b'"message":{"role":"assistant","content":[{"type":"text","text":"line %d sent %.6f by '
        b'an agent that writes at this very moment"}],"stopReason":"stop"}}\n'
        % (
            number + _IDS,
            MESSAGES - 1 if first else number - sessions + _IDS,
            number,
            time.time(),
        )
    )


@contextmanager
def agents(
    url: str, *, rate: float, seconds: float, sessions: int, first: int = 0
) -> Iterator[int]:
    """Run agents meanwhile; yield how many lines they will have written in the end.

    Args:
        url: The server.
        rate: Lines a second, over all sessions.
        seconds: For how long.
        sessions: How many sessions take turns.
        first: The number of the first of them.
    """
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.benchmarks.agents"),
            *(url, str(rate), str(seconds), str(sessions), str(first)),
        ]
    )
    finished = False
    try:
        yield int(rate * seconds)
        finished = True
    finally:
        if not finished:
            process.terminate()
        process.wait()
    expect(process.returncode == 0, "the agents failed")


def write(url: str, rate: float, seconds: float, sessions: int, first: int) -> None:
    """Append lines, in bursts of what became due each millisecond."""
    total = int(rate * seconds)
    with redis.Redis.from_url(url, protocol=2) as connection:
        began = time.monotonic()
        written = 0
        while written < total:
            due = min(total, int((time.monotonic() - began) * rate) + 1)
            pipeline = connection.pipeline(transaction=False)
            for number in range(written, due):
                path = session_path(first + number % sessions)
                pipeline.append(f"{PREFIX}file:{path}", line(number, sessions))
                pipeline.hset(f"{PREFIX}meta", path, str(time.time_ns() // 1_000_000))
            if due > written:
                pipeline.execute()
            written = due
            time.sleep(_EVERY_S)


if __name__ == "__main__":
    target, rate_text, seconds_text, sessions_text, first_text = sys.argv[1:]
    write(target, float(rate_text), float(seconds_text), int(sessions_text), int(first_text))
