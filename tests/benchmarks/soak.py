"""`python -m tests.benchmarks.soak [--minutes X]`: what the program holds as time goes by.

Runs the program in a terminal, following an agent that writes 1,000 lines a second,
while other sessions are created, grow, and are deleted. Prints memory, processor time
and how old the newest line on the screen is once in a while; the memory should stay
level after the first minute.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import redis

from tests.benchmarks.agents import agents, line, stamps
from tests.benchmarks.data import PREFIX, fill_redis, lines, server, session_path
from tests.benchmarks.harness import expect
from tests.benchmarks.terminal import terminal

if TYPE_CHECKING:
    from tests.benchmarks.terminal import Terminal

RATE: Final = 1000.0
SESSIONS: Final = 1000
"""How many sessions lie there from the start; the agent writes to the newest."""
_ALIVE: Final = 50
"""How many of the sessions that come and go are there at a time."""
_ROUND_S: Final = 0.2
_LOST_S: Final = 30.0
"""A newest line as old as this is none that is followed."""


def main(arguments: list[str]) -> int:
    """Soak; returns 0 unless the program showed something wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--every", type=float, default=15.0, help="seconds between two lines")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # clears up
    with (
        tempfile.TemporaryDirectory(prefix="sessiontui-soak-") as folder,
        server(Path(folder) / "server") as url,
    ):
        fill_redis(url, SESSIONS)
        with terminal(url) as screen:
            screen.wait_for(b"following")
            screen.rest()
            soak(screen, url, options.minutes * 60, options.every)
    return 0


def soak(screen: Terminal, url: str, seconds: float, every: float) -> None:
    """Let sessions come and go beside the agent; print a line every so many seconds."""
    columns = (
        f"{'minutes':>7} {'RSS MB':>7} {'CPU %':>6} {'age s':>6} {'created':>8} {'deleted':>8}"
    )
    click.echo(columns)
    with (
        agents(url, rate=RATE, seconds=seconds, sessions=1, first=SESSIONS - 1) as total,
        redis.Redis.from_url(url, protocol=2) as client,
    ):
        began = told = time.monotonic()
        used = screen.cpu_seconds()
        created = SESSIONS
        last, shown = b"line %d sent" % (total - 1), False
        while time.monotonic() < began + seconds:
            _come_and_go(client, created)
            created += 1
            screen.read_for(_ROUND_S)
            shown = shown or screen.output.find(last) >= 0
            del screen.output[:-100_000]
            now = time.monotonic()
            if now - told >= every:
                share = (screen.cpu_seconds() - used) / (now - told) * 100
                gone = max(0, created - SESSIONS - _ALIVE)
                age = time.time() - max(stamps(bytes(screen.output)), default=0.0)
                click.echo(
                    f"{(now - began) / 60:7.2f} {screen.resident_mb():7.1f} {share:6.1f} "
                    f"{age:6.2f} {created - SESSIONS:8} {gone:8}"
                )
                expect(age < _LOST_S, "lines that are written are not shown any more")
                told, used = now, screen.cpu_seconds()
        if not shown:
            screen.wait_for(last)
    click.echo(f"all {total} lines followed; the last one is on the screen")
    screen.read_for(2.0)
    expect(screen.resident_mb() > 0, "the program ended")


def _come_and_go(client: redis.Redis, number: int) -> None:
    """Create a session, let the one before grow, and delete an old one."""
    path, before, old = (session_path(number - age) for age in (0, 1, _ALIVE))
    now = str(time.time_ns() // 1_000_000)
    pipeline = client.pipeline(transaction=True)
    pipeline.set(f"{PREFIX}file:{path}", b"".join(lines(number)))
    pipeline.hset(f"{PREFIX}meta", path, now)
    if number > SESSIONS:
        pipeline.append(f"{PREFIX}file:{before}", line(number))
        pipeline.hset(f"{PREFIX}meta", before, now)
    if number >= SESSIONS + _ALIVE:
        pipeline.delete(f"{PREFIX}file:{old}")
        pipeline.hdel(f"{PREFIX}meta", old)
    pipeline.execute()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
