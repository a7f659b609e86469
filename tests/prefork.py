"""Start the command line fast: a process that has loaded it forks for each run.

To start Python and load the command takes longer than most of what the tests run. What runs is
still the real command in a process of its own, with its own environment, working folder and
streams; only the loading is done once. Who tests the start itself runs `Command.line`.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LOADED = ("agents", "catalog", "cli", "doctor", "export", "index", "models", "storage")
"""The packages that commands use; who draws the app loads that."""


def run(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    data_in: bytes = b"",
    timeout_s: float,
) -> subprocess.CompletedProcess[bytes]:
    """Run `sessiontui` to its end, in the working folder and with the umask of this process.

    Raises:
        subprocess.TimeoutExpired: It took longer, and was killed.
    """
    os.umask(umask := os.umask(0))
    request = {
        "arguments": list(arguments),
        "environment": dict(env),
        "folder": str(Path.cwd()),
        "umask": umask,
    }
    (in_end, filled), (out, out_end), (err, err_end) = os.pipe(), os.pipe(), os.pipe()
    ours, theirs = socket.socketpair()
    with ours, ThreadPoolExecutor(3) as threads:
        with theirs:
            ends = (theirs.fileno(), in_end, out_end, err_end)
            socket.send_fds(_server(), [b"+"], ends)
            for descriptor in ends[1:]:
                os.close(descriptor)
        threads.submit(_fill, filled, data_in)
        written = threads.submit(_drain, out)
        complained = threads.submit(_drain, err)
        answers = ours.makefile("rw", encoding="utf-8")
        answers.write(json.dumps(request) + "\n")
        answers.flush()
        pid = int(answers.readline())
        ours.settimeout(timeout_s)
        try:
            code = int(answers.readline())
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(list(arguments), timeout_s) from None
        return subprocess.CompletedProcess(
            list(arguments), code, written.result(), complained.result()
        )


def _fill(descriptor: int, data: bytes) -> None:
    try:
        with open(descriptor, "wb") as stream:
            stream.write(data)
    except BrokenPipeError:
        pass  # It need not read what it is given.


def _drain(descriptor: int) -> bytes:
    with open(descriptor, "rb") as stream:
        return stream.read()


@cache
def _server() -> socket.socket:
    """Return the way to the process that forks; it ends with ours."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.prefork", str(theirs.fileno())],
            cwd=Path(__file__).resolve().parent.parent,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )

    @atexit.register
    def end() -> None:
        ours.close()
        process.wait()

    return ours


def _serve(requests: socket.socket) -> None:
    """Fork for each request; return in the process that is to be the command."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody waits for those that watch a run.
    while True:
        byte, streams, _, _ = socket.recv_fds(requests, 1, 4)
        if not byte:
            sys.exit()
        if os.fork() == 0:
            requests.close()
            return _watch(*streams)
        for descriptor in streams:
            os.close(descriptor)


def _watch(answers_to: int, *streams: int) -> None:
    """Fork the command, and tell the process that asked its pid, and then its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    answers = socket.socket(fileno=answers_to).makefile("rw", encoding="utf-8")
    request = json.loads(answers.readline())
    pid = os.fork()
    if pid == 0:
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
            os.close(descriptor)
        answers.close()
        return _become(request)
    for descriptor in streams:
        os.close(descriptor)
    answers.write(f"{pid}\n")
    answers.flush()
    answers.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
    answers.flush()
    os._exit(0)


def _become(request: dict[str, Any]) -> None:
    """Take over what a process is started with."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.umask(request["umask"])
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.argv = ["sessiontui", *request["arguments"]]
    sys.stdin = os.fdopen(0, encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def _load() -> None:
    import sessiontui

    for package in LOADED:
        folder = str(Path(sessiontui.__file__).parent / package)
        for module in pkgutil.walk_packages([folder], f"sessiontui.{package}."):
            importlib.import_module(module.name)


if __name__ == "__main__":
    _load()
    gc.freeze()  # It is of no use to look at all that in each process, least of all at its end.
    _serve(socket.socket(fileno=int(sys.argv[1])))
    from sessiontui.cli import main

    sys.exit(main())
