"""The demo's server: starts the supervisor for as long as the app is open."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sessiontui.errors import BackendDownError
from sessiontui.sources import DirectorySource, parse_source
from sessiontui.storage.storage import open_backend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiontui.sources import Source
    from sessiontui.storage.backend import Backend

_STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class DemoServer:
    """The running demo: its source, and folders of its own."""

    source: Source

    @property
    def index(self) -> Path:
        """A folder for the index, which goes with the rest."""
        source = self.source
        path = source.path if isinstance(source, DirectorySource) else Path(source.socket or "")
        return path.parent / "index"

    def connect(self, source: Source, password: str | None) -> Backend:
        """Open the demo's backend; what is deleted there stays in the demo's own folder."""
        if isinstance(source, DirectorySource):
            from sessiontui.storage.directory.backend import DirectoryBackend

            return DirectoryBackend(
                source.path, absolute=True, trash_root=source.path.parent / "trash"
            )
        return open_backend(source, password)


@contextmanager
def demo_server(*, folder: bool = False, seed: int = 1) -> Iterator[DemoServer]:
    """Start a private server (or folder), its sessions and agents; take all away at the end.

    They live in a process of their own, which ends with this one even if this
    one is killed.

    Args:
        folder: Sessions in a folder instead of a server.
        seed: What the sessions are made from.

    Raises:
        BackendDownError: It did not start; says why.
    """
    command = [sys.executable, "-P", "-m", "sessiontui.demo.supervisor", "--seed", str(seed)]
    supervisor = subprocess.Popen(
        [*command, *(["--folder"] if folder else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with supervisor:
        try:
            yield DemoServer(parse_source(_first_words(supervisor)))
        finally:
            _end(supervisor)


def _first_words(supervisor: subprocess.Popen[bytes]) -> str:
    """Return the source that the supervisor names once everything is there."""
    line = supervisor.stdout.readline() if supervisor.stdout else b""
    words = json.loads(line) if line else {"error": "its process ended"}
    if "source" not in words:
        raise BackendDownError(f"the demo did not start: {words['error']}")
    return str(words["source"])


def _end(supervisor: subprocess.Popen[bytes]) -> None:
    """Close the supervisor's input and wait until it has cleared up."""
    if supervisor.stdin:
        supervisor.stdin.close()
    try:
        supervisor.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        supervisor.terminate()
        supervisor.wait()
