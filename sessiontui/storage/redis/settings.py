"""How to reach a Redis server: from a source's URL, or from a client made elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from redis.asyncio import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import TimeoutError as RedisTimeoutError

from sessiontui.errors import ConfigError
from sessiontui.storage.redis.sentinel import Sentinels
from sessiontui.storage.redis.tls import tls_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis.asyncio import Redis
    from redis.asyncio.connection import AbstractConnection

    from sessiontui.sources import RedisSource

PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Settings:
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
    def of_source(cls, source: RedisSource, password: str | None) -> Settings:
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
    def of_client(cls, client: Redis) -> Settings:
        """Return the settings of a client made elsewhere; the client itself is not used.

        Raises:
            ConfigError: It is no client of one server.
        """
        pool = getattr(client, "connection_pool", None)
        if pool is None:
            raise ConfigError("a client of a single Redis server is needed")
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
