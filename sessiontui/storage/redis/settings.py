"""How to reach a Redis server: by a source's URL, by a client made elsewhere, by sentinels."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from redis.asyncio import Connection, RedisCluster, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from sessiontui.errors import AccessError, BackendDownError, ConfigError, StorageError
from sessiontui.sources import RedisSource
from sessiontui.storage.redis.errors import connection_error, reply_error
from sessiontui.storage.redis.tls import tls_arguments
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from redis.asyncio import Redis
    from redis.asyncio.connection import AbstractConnection

Address = tuple[str, int]
_PATIENCE_S = 2.0
"""Longest time for one sentinel: there are others."""


class Sentinels:
    """The sentinels of one primary; the one that answered last is asked first."""

    def __init__(
        self,
        nodes: Sequence[Address],
        service: str,
        connection_class: type[AbstractConnection],
        arguments: Mapping[str, Any],
    ) -> None:
        """Prepare; nothing is connected yet.

        Args:
            nodes: Where they are.
            service: What they call the primary.
            connection_class: How to connect to them.
            arguments: With what, their own user and password included.
        """
        self._nodes = list(nodes)
        self._service = service
        self._connection_class = connection_class
        self._arguments = dict(arguments)

    async def primary(self) -> Address:
        """Return where the primary is.

        Raises:
            BackendDownError: No sentinel can be reached, or none knows a primary of this name.
            AccessError: They do not let us ask.
        """
        problem: StorageError | None = None
        unknown = 0
        for node in tuple(self._nodes):
            try:
                found = await self._ask(node)
            except AccessError:
                raise
            except StorageError as error:
                problem = problem or error
                continue
            if found is not None:
                self._nodes.remove(node)
                self._nodes.insert(0, node)
                return found
            unknown += 1
        if unknown:
            raise BackendDownError(f"no sentinel knows a primary called {clean(self._service)}")
        raise BackendDownError(f"no sentinel answers: {problem}") from problem

    async def _ask(self, node: Address) -> Address | None:
        host, port = node
        arguments = self._arguments | {"host": host, "port": port}
        connection = self._connection_class(**arguments)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                connect: Callable[[], Awaitable[None]] = connection.connect
                await connect()
                await connection.send_command(
                    "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service, check_health=False
                )
                reply = await connection.read_response()
        except ResponseError as error:
            raise reply_error(error) from error
        except (RedisError, OSError, TimeoutError) as error:
            raise connection_error(error, f"{host}:{port}") from error
        finally:
            await connection.disconnect(nowait=True)
        return None if reply is None else (reply[0].decode(), int(reply[1]))


PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """How to reach a server; every connection of a backend is made from this."""

    connection_class: type[AbstractConnection]
    arguments: Mapping[str, Any] = field(repr=False)
    where: str
    """The server without any secret: `redis://cache:6379/0`."""
    patience_s: float = PATIENCE_S
    """Longest time to connect, and longest without any progress in an exchange."""
    sentinels: Sentinels | None = field(default=None, repr=False)
    """Who knows where the server is, in place of host and port."""
    nodes: tuple[tuple[str, int], ...] = ()
    """Some nodes of a cluster, in place of host and port."""
    origin: object = field(default=None, repr=False)
    """What the arguments may only hold weakly: a pool that asks sentinels for the server."""

    @property
    def db(self) -> int:
        """Number of the database."""
        return int(self.arguments.get("db") or 0)

    def tls_hint(self, error: Exception) -> str:
        """Return what may be wrong with TLS where a connection broke before it was of use."""
        if not issubclass(self.connection_class, SSLConnection):
            return ""
        if isinstance(error, RedisTimeoutError | TimeoutError):
            return "; does it speak TLS there?"
        # From TLS 1.3 on a server that does not like our certificate may just hang up.
        if self.arguments.get("ssl_certfile"):
            return "; it may not take our certificate"
        return "; it may want a certificate of ours (ssl_certfile)"

    @classmethod
    def of_source(cls, source: RedisSource, password: str | None) -> RedisSettings:
        """Return the settings of a parsed source URL.

        Args:
            source: Where to connect to.
            password: Used instead of the source's, if given.

        Raises:
            ConfigError: A certificate cannot be used.
        """
        arguments: dict[str, Any] = {
            "db": source.db,
            "username": source.username,
            "password": source.password if password is None else password,
        }
        kind: type[AbstractConnection]
        if source.socket is not None:
            kind = UnixDomainSocketConnection
            arguments["path"] = source.socket
            return cls(kind, _ours(arguments), source.server)
        kind = SSLConnection if source.tls else Connection
        encrypted = tls_arguments(source.certificates) if source.tls else {}
        if source.topology == "sentinel":
            login = {"username": source.sentinel_username, "password": source.sentinel_password}
            sentinels = Sentinels(source.nodes, source.service, kind, _ours(login | encrypted))
            return cls(kind, _ours(arguments | encrypted), source.server, sentinels=sentinels)
        if source.topology == "cluster":
            return cls(kind, _ours(arguments | encrypted), source.server, nodes=source.nodes)
        arguments |= {"host": source.host, "port": source.port}
        return cls(kind, _ours(arguments | encrypted), source.server)

    async def place(self) -> dict[str, Any]:
        """Return what tells where the server is now, for the next connection.

        Raises:
            StorageError: Nobody knows.
        """
        if self.sentinels is None:
            return {}
        host, port = await self.sentinels.primary()
        return {"host": host, "port": port}

    @classmethod
    def of_client(cls, client: Redis | RedisCluster) -> RedisSettings:
        """Return the settings of a client made elsewhere; the client itself is not used.

        Raises:
            ConfigError: It is no client of a server or a cluster.
        """
        if isinstance(client, RedisCluster):
            arguments = dict(client.connection_kwargs)
            kind = arguments.pop("connection_class", Connection)
            nodes = tuple(
                (n.host, int(n.port)) for n in client.nodes_manager.startup_nodes.values()
            )
            tls = issubclass(kind, SSLConnection)
            source = RedisSource(topology="cluster", nodes=nodes, tls=tls)
            return cls(kind, _ours(arguments), source.server, nodes=nodes)
        pool = getattr(client, "connection_pool", None)
        if pool is None:
            raise ConfigError("a redis.asyncio client of a server or of a cluster is needed")
        arguments = dict(pool.connection_kwargs)
        where = _where(pool.connection_class, arguments, getattr(pool, "service_name", None))
        return cls(pool.connection_class, _ours(arguments), where, origin=pool)


def _where(
    kind: type[AbstractConnection], arguments: Mapping[str, Any], service: str | None
) -> str:
    """Return the server of a client without any secret."""
    host, port = arguments.get("host", "localhost"), arguments.get("port", 6379)
    scheme = "rediss" if issubclass(kind, SSLConnection) else "redis"
    where = f"{scheme}://{service or f'{host}:{port}'}"
    if "path" in arguments:
        where = f"unix://{arguments['path']}"
    return where + (f"/{arguments['db']}" if arguments.get("db") else "")


def _ours(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return connection arguments without what would decode, retry, or time out by itself."""
    dropped = (
        *("max_connections", "retry_on_error", "retry_on_timeout", "client_name", "encoding"),
        *("lib_name", "lib_version"),
        # A cluster's client has these for its nodes.
        *("response_callbacks", "himport_registry", "redis_connect_func", "event_dispatcher"),
    )
    kept = {
        name: value
        for name, value in arguments.items()
        if name not in dropped and not name.startswith(("maint_", "maintenance_", "orig_"))
    }
    return kept | {
        "protocol": 2,
        "decode_responses": False,
        "socket_timeout": None,
        "socket_connect_timeout": PATIENCE_S,
        "health_check_interval": 0,
        "retry": Retry(NoBackoff(), 0),
        # Few users may tell the server which library they use; each refusal is in its ACL LOG.
        "driver_info": None,
    }
