"""Real Redis and Valkey servers for the tests: private, on loopback at most, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
from typing import TYPE_CHECKING

import redis.asyncio

from sessiontui.storage.redis.embedded import EmbeddedServer, find_server, socket_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def server_binaries() -> list[Path]:
    """Return every different server that this machine has: the system's and the bundled one."""
    found = (find_server(prefer="system"), find_server(prefer="bundled"))
    return list(dict.fromkeys(binary for binary in found if binary is not None))


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RealServer(EmbeddedServer):
    """A server that a test may also freeze, restart, and reach by TCP."""

    def __init__(
        self,
        folder: Path,
        *,
        binary: Path | None = None,
        tcp: bool = False,
        arguments: Sequence[str] = (),
    ) -> None:
        self.port = free_port() if tcp else 0
        listen = ("--port", str(self.port), "--bind", "127.0.0.1") if tcp else ()
        super().__init__(folder, binary=binary, arguments=(*listen, *arguments))

    @property
    def tcp_url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def client(
        self, *, username: str | None = None, password: str | None = None, decode: bool = False
    ) -> redis.asyncio.Redis:
        """Return a plain client over the unix socket; the caller closes it."""
        return redis.asyncio.Redis(
            unix_socket_path=str(self.socket),
            protocol=2,
            username=username,
            password=password,
            decode_responses=decode,
        )

    def restart(self) -> None:
        """Stop and start again, on the same socket; what it held is lost."""
        self.stop()
        self.start()

    def crash(self) -> None:
        """Kill the process with SIGKILL and start again; what is in its AOF is there again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self.stop()
        self.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the process without ending it: connections stay open and nothing answers."""
        pid = self.pid
        if pid is None:
            raise RuntimeError("the server does not run")
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def real_server(
    *, binary: Path | None = None, tcp: bool = False, arguments: Sequence[str] = ()
) -> Iterator[RealServer]:
    """Run a server in a folder of its own; `arguments` as redis-server takes them."""
    folder = socket_folder("sessiontui-test-")
    try:
        with RealServer(folder, binary=binary, tcp=tcp, arguments=arguments) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)
