"""Servers that belong together: a primary with replicas and sentinels, or a cluster.

They run on ports of 127.0.0.1, in a folder of their own, and are gone afterwards.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from typing import TYPE_CHECKING

import redis

from sessiontui.embedded import socket_folder
from tests.servers import RealServer, free_port, server_binaries
from tests.waiting import until_sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVICE = "main"


def plain(port: int) -> redis.Redis:
    """Return a client of one server that waits for nothing long; the caller closes it."""
    return redis.Redis(port=port, socket_timeout=5, protocol=2)


class Sentinels:
    """A primary, a replica, and sentinels that watch them."""

    def __init__(self, folder: Path, binary: Path, count: int) -> None:
        self.servers = [self._server(folder / f"s{number}", binary) for number in range(2)]
        self.ports = [free_port() for _ in range(count)]
        self._folder = folder
        self._binary = binary
        self._processes: list[subprocess.Popen[bytes]] = []

    def _server(self, folder: Path, binary: Path) -> RealServer:
        folder.mkdir()
        return RealServer(
            folder, binary=binary, tcp=True, arguments=("--repl-diskless-sync-delay", "0")
        )

    def start(self) -> None:
        """Start all, and return once the sentinels know the replica."""
        for server in self.servers:
            server.start()
        primary, replica = self.servers
        with plain(replica.port) as client:
            client.replicaof("127.0.0.1", str(primary.port))
            until_sync(lambda: client.info("replication")["master_link_status"] == "up")
        for port in self.ports:
            file = self._folder / f"sentinel-{port}.conf"
            file.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {self._folder}\n"
                f"sentinel monitor {SERVICE} 127.0.0.1 {primary.port} {len(self.ports) // 2 + 1}\n"
                f"sentinel down-after-milliseconds {SERVICE} 500\n"
                f"sentinel failover-timeout {SERVICE} 2000\n"
            )
            self._processes.append(
                subprocess.Popen(
                    [self._binary, file, "--sentinel"],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )
        until_sync(lambda: all(map(self._is_ready, self.ports)))

    def _is_ready(self, port: int) -> bool:
        """Tell whether a sentinel knows the others, and a replica fit to take over."""
        try:
            with plain(port) as client:
                found = client.sentinel_master(SERVICE)
                replicas = client.sentinel_slaves(SERVICE)
        except redis.RedisError:
            return False
        known = found["num-other-sentinels"] == len(self.ports) - 1
        return bool(known and [one["master-link-status"] for one in replicas] == ["ok"])

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        for server in self.servers:
            server.stop()

    @property
    def url(self) -> str:
        """The source URL."""
        places = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"redis+sentinel://{places}/{SERVICE}"

    def primary(self) -> RealServer:
        """Return the server that the first sentinel names."""
        with plain(self.ports[0]) as client:
            _, port = client.sentinel_get_master_addr_by_name(SERVICE)
        return next(server for server in self.servers if server.port == int(port))

    def fail_over(self) -> None:
        """Let the replica take over, and return once the primary before follows it."""
        before = self.primary()
        with plain(self.ports[0]) as client:
            until_sync(lambda: self._is_begun(client))
        until_sync(lambda: self.primary() is not before)
        with plain(before.port) as client:  # As the sentinels do too, after eight seconds.
            client.replicaof("127.0.0.1", str(self.primary().port))
            client.client_kill_filter(_type="normal", skipme=True)

    def _is_begun(self, client: redis.Redis) -> bool:
        try:
            client.sentinel_failover(SERVICE)
        except redis.ResponseError:  # A replica is fit only once the sentinel asked it.
            return False
        return True


@contextlib.contextmanager
def sentinels(count: int = 1, *, binary: Path | None = None) -> Iterator[Sentinels]:
    """Run a primary with a replica and `count` sentinels."""
    folder = socket_folder("sessiontui-test-")
    group = Sentinels(folder, binary or server_binaries()[0], count)
    try:
        group.start()
        yield group
    finally:
        group.stop()
        shutil.rmtree(folder, ignore_errors=True)
