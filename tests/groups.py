"""Servers that belong together: a primary with replicas and sentinels, or a cluster.

They run on ports of 127.0.0.1, in a folder of their own, and are gone afterwards.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING, Any

import redis
from redis.asyncio import RedisCluster

from sessiontui.storage.redis.embedded import socket_folder
from tests.servers import RealServer, free_port, server_binaries
from tests.waiting import until_sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVICE = "main"
SLOTS = 16_384


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


def ask(port: int, *words: object) -> Any:
    """Send one command to one server, and return its answer."""
    with plain(port) as client:
        untyped: Any = client
        return untyped.execute_command(*words)


def port_with_bus() -> int:
    """Return a free port whose cluster bus, ten thousand further on, is free too."""
    while True:
        port = free_port()
        with socket.socket() as probe, contextlib.suppress(OSError, OverflowError):
            probe.bind(("127.0.0.1", port + 10_000))
            return port


class Cluster:
    """Primaries that share the slots, without replicas."""

    def __init__(self, folder: Path, binary: Path, count: int) -> None:
        self._folder, self._binary = folder, binary
        self.servers = [self._server(folder / f"n{number}", binary) for number in range(count)]
        self.replicas: list[RealServer] = []

    def _server(self, folder: Path, binary: Path) -> RealServer:
        folder.mkdir()
        port = port_with_bus()
        server = RealServer(
            folder,
            binary=binary,
            arguments=(
                *("--port", str(port), "--bind", "127.0.0.1", "--cluster-enabled", "yes"),
                *("--cluster-config-file", str(folder / "nodes.conf")),
                *("--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no"),
            ),
        )
        server.port = port
        return server

    def start(self) -> None:
        """Start all, share the slots out, and return once each node knows."""
        step = -(-SLOTS // len(self.servers))
        for number, server in enumerate(self.servers):
            server.start()
            ask(server.port, "CLUSTER", "ADDSLOTS", *range(SLOTS)[number * step :][:step])
        for server in self.servers[1:]:
            ask(self.servers[0].port, "CLUSTER", "MEET", "127.0.0.1", server.port)
        until_sync(lambda: all(map(self._knows_all, self.servers)))

    def _knows_all(self, server: RealServer) -> bool:
        is_up = b"cluster_state:ok" in ask(server.port, "CLUSTER", "INFO")
        return is_up and len(ask(server.port, "CLUSTER", "SLOTS")) == len(self.servers)

    def add_replica(self, primary: RealServer) -> RealServer:
        """Start a replica of one primary, and return it once it has all that one has."""
        replica = self._server(self._folder / f"r{len(self.replicas)}", self._binary)
        self.replicas.append(replica.start())
        ask(self.servers[0].port, "CLUSTER", "MEET", "127.0.0.1", replica.port)
        identity = _identity(primary)
        until_sync(lambda: identity.encode() in ask(replica.port, "CLUSTER", "NODES"))
        ask(replica.port, "CLUSTER", "REPLICATE", identity)
        until_sync(
            lambda: ask(replica.port, "INFO", "replication").get("master_link_status") == "up"
        )
        until_sync(
            lambda: all(ask(one.port, "CLUSTER", "REPLICAS", identity) for one in self.servers)
        )
        return replica

    def stop(self) -> None:
        for server in (*self.servers, *self.replicas):
            server.stop()

    def url(self, prefix: str) -> str:
        """Return the source URL; one of the nodes is enough."""
        return f"redis+cluster://127.0.0.1:{self.servers[0].port}?prefix={prefix}"

    def owner(self, slot: int) -> RealServer:
        """Return the server that holds a slot."""
        for first, last, (_, port, *_), *_ in ask(self.servers[0].port, "CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(one for one in self.servers if one.port == port)
        raise LookupError(slot)

    def other(self, slot: int) -> RealServer:
        """Return a server that does not hold a slot."""
        owner = self.owner(slot)
        return next(server for server in self.servers if server is not owner)

    def client(self) -> RedisCluster:
        """Return a client of the whole; the caller closes it."""
        return RedisCluster(host="127.0.0.1", port=self.servers[0].port)

    def begin_move(self, slot: int, target: RealServer) -> None:
        """Say that a slot is on its way; its keys are where they were."""
        source = self.owner(slot)
        ask(target.port, "CLUSTER", "SETSLOT", slot, "IMPORTING", _identity(source))
        ask(source.port, "CLUSTER", "SETSLOT", slot, "MIGRATING", _identity(target))

    def move_keys(self, slot: int, target: RealServer, *, most: int = 1000) -> list[bytes]:
        """Take some keys of a slot over; return them."""
        source = self.owner(slot)
        keys: list[bytes] = ask(source.port, "CLUSTER", "GETKEYSINSLOT", slot, most)
        if keys:
            ask(source.port, *("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS"), *keys)
        return keys

    def end_move(self, slot: int, target: RealServer) -> None:
        """Move what is left of a slot, and say whose it is now."""
        source = self.owner(slot)
        while self.move_keys(slot, target):
            pass
        for server in (target, source, *self.servers):
            ask(server.port, "CLUSTER", "SETSLOT", slot, "NODE", _identity(target))


def _identity(server: RealServer) -> str:
    return str(ask(server.port, "CLUSTER", "MYID").decode())


@contextlib.contextmanager
def cluster(count: int = 3, *, binary: Path | None = None) -> Iterator[Cluster]:
    """Run a cluster of so many primaries."""
    folder = socket_folder("sessiontui-test-")
    group = Cluster(folder, binary or server_binaries()[0], count)
    try:
        group.start()
        yield group
    finally:
        group.stop()
        shutil.rmtree(folder, ignore_errors=True)
