"""A process of its own that pings a server and notes how long each answer took.

Run as `python -m tests.benchmarks.pinger SOCKET`: pings until standard input
closes, then prints the durations in seconds as a JSON array.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import click

from tests.benchmarks.harness import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

_EVERY_S: Final = 0.001


@contextmanager
def pings(url: str) -> Iterator[list[float]]:
    """Ping the server of a `unix://` URL meanwhile; the list is filled at the end."""
    path = unquote(url.removeprefix("unix://"))
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.pinger", path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        expect(process.stdout is not None and process.stdout.readline(), "the pinger failed")
        durations: list[float] = []
        try:
            yield durations
        finally:
            output, _ = process.communicate()
            durations.extend(json.loads(output))


def main(path: str) -> None:
    """Ping until standard input closes."""
    durations: list[float] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        click.echo("ready")
        while not select.select([sys.stdin], [], [], _EVERY_S)[0]:
            start = time.perf_counter()
            connection.sendall(b"PING\r\n")
            connection.recv(64)
            durations.append(time.perf_counter() - start)
    click.echo(json.dumps(durations))


if __name__ == "__main__":
    main(sys.argv[1])
