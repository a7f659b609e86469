"""The real command in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessiontui.demo.sessions import demo_sessions
from tests import prefork
from tests.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
AT_START = ("LANG", "LC_", "PYTHON")
"""How the variables begin that Python reads while it starts."""
NOW_MS = 1_795_000_000_000
"""When the sessions of `write_sessions` are from; long enough ago for none to count as running."""


def usual_signals() -> None:
    """Take the signals that end a program as they usually are; for `preexec_fn`.

    A job that a shell starts in the background ignores SIGINT, and so do its children.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def command_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a bare environment with an own home; nothing of the machine's configuration."""
    return {
        "HOME": str(home),
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(ROOT),
        "LANG": "C.UTF-8",
        **(extra or {}),
    }


class Command:
    """Runs `sessiontui` with a home of its own.

    Args:
        home: The home folder.
        source: Given to every command in `$SESSIONTUI_SOURCE`, if set.
    """

    def __init__(self, home: Path, source: str | None = None) -> None:
        self.home = home
        self._extra = {} if source is None else {"SESSIONTUI_SOURCE": source}

    def __call__(
        self, *arguments: str, text_in: str | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; standard input is closed unless `text_in` is given."""
        done = self._run(*arguments, data_in=(text_in or "").encode(), **environment)
        return subprocess.CompletedProcess(
            done.args, done.returncode, _text(done.stdout), _text(done.stderr)
        )

    def raw(self, *arguments: str) -> bytes:
        """Run a command that has to succeed; return exactly what it wrote."""
        done = self._run(*arguments)
        assert done.returncode == 0, done.stderr
        assert done.stderr == b""
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """Run a command that writes JSON and has to succeed."""
        return json.loads(self.raw(*arguments))

    def _run(
        self, *arguments: str, data_in: bytes = b"", **environment: str
    ) -> subprocess.CompletedProcess[bytes]:
        env = self.environment(**environment)
        if not any(name.startswith(AT_START) for name in environment):
            return prefork.run(arguments, env=env, data_in=data_in, timeout_s=DEADLINE_S)
        return subprocess.run(
            self.line(*arguments),
            env=env,
            input=data_in,
            capture_output=True,
            timeout=DEADLINE_S,
            check=False,
        )

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Have a command run; it is ended at the end if it has not ended by itself."""
        with subprocess.Popen(
            self.line(*arguments),
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=usual_signals,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def line(self, *arguments: str) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-m", "sessiontui", *arguments]

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment that commands run in."""
        return command_environment(self.home, {**self._extra, **more})


def _text(written: bytes) -> str:
    """Return what was written as a text file has it."""
    return written.decode().replace("\r\n", "\n").replace("\r", "\n")


def write_sessions(root: Path) -> dict[str, Path]:
    """Write the demo's sessions into a folder; return files by title, drafts left out."""
    files: dict[str, Path] = {}
    for session in demo_sessions(NOW_MS, root=str(root)):
        file = Path(session.path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(session.content)
        os.utime(file, (session.mtime_ms / 1000, session.mtime_ms / 1000))
        if session.path.endswith(".jsonl"):
            files[json.loads(session.lines[1]).get("title", "")] = file
    return files
