"""Processes that stand for agents: they live until they are ended, and do what is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SESSION_ID = "7f3c9a52-1d2e-4f60-8a1b-0c9d8e7f6a5b"

_IDLE = "print('ready', flush=True); sys.stdin.read()"
_LOCK = "f = open(sys.argv[1], 'rb'); fcntl.flock(f, fcntl.LOCK_EX); " + _IDLE
_OPEN = "f = open(sys.argv[1], sys.argv[2]); " + _IDLE


def ticks(pid: int) -> str:
    """Return when a process was started, as Claude Code notes it on Linux."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return stat.rpartition(")")[2].split()[19]


@contextmanager
def agent(
    *arguments: str, does: str = _IDLE, called: str | None = None, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Have a process live; it is ended at the end if it has not ended by itself."""
    with subprocess.Popen(
        [called or sys.executable, "-c", "import fcntl, sys; " + does, *arguments],
        executable=sys.executable,
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            assert _stream(process.stdout).readline() == b"ready\n"
            yield process
        finally:
            process.kill()


def locking(file: Path) -> Any:
    """Have a process that has a file locked."""
    return agent(str(file), does=_LOCK)


def opening(file: Path, mode: str) -> Any:
    """Have a process that has a file open."""
    return agent(str(file), mode, does=_OPEN)


def register(root: Path, pid: int, **fields: Any) -> Path:
    """Write what Claude Code writes of a process; None leaves a field out."""
    record = {
        "pid": pid,
        "sessionId": SESSION_ID,
        "cwd": "/home/me/code/api",
        "version": "2.1.267",
        "kind": "interactive",
        "status": "idle",
        **fields,
    }
    file = root / "sessions" / f"{pid}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in record.items() if value is not None}
    file.write_text(json.dumps(kept), encoding="utf-8")
    return file


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
