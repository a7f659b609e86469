"""Reads the URL of a Redis server, of its sentinels, or of a cluster.

Nothing of a URL is repeated in an error that could be part of a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final, Literal
from urllib.parse import quote, unquote, unquote_to_bytes

from sessiontui.config import NO_TLS, Tls
from sessiontui.errors import ConfigError

DEFAULT_PREFIX = "omp:sessions:"
"""omp's own."""
DEFAULT_PORT = 6379
SENTINEL_PORT = 26379
SCHEMES: Final = (
    "redis",
    "rediss",
    "unix",
    "redis+sentinel",
    "rediss+sentinel",
    "redis+cluster",
    "rediss+cluster",
)
_OPTIONS: Final = frozenset({"prefix", "db", "user", "username", "password"})
_TLS_OPTIONS: Final = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_verify"})
_SENTINEL_OPTIONS: Final = frozenset({"sentinel_user", "sentinel_password"})
_HASH_TAG: Final = re.compile(r"[^{]*\{[^}]+\}")

Topology = Literal["single", "sentinel", "cluster"]
Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSource:
    """A Redis or Valkey server, or several that belong together, and the prefix of its keys."""

    host: str = "localhost"
    """Name or address of the server; unused with `socket` and `nodes`."""
    port: int = DEFAULT_PORT
    socket: str | None = None
    """Path of a unix socket, in place of host and port."""
    topology: Topology = "single"
    nodes: tuple[Address, ...] = ()
    """The sentinels, or some nodes of the cluster."""
    service: str = ""
    """What the sentinels call the primary."""
    tls: bool = False
    certificates: Tls = NO_TLS
    """Whom to trust and how to show who we are, with `tls`."""
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    prefix: str = DEFAULT_PREFIX
    """Kept verbatim."""

    @property
    def server(self) -> str:
        """The server without any secret: `redis://cache:6379/2` or `unix:///run/redis.sock`."""
        if self.socket is not None:
            return f"unix://{self.socket}" + (f"?db={self.db}" if self.db else "")
        scheme = "rediss" if self.tls else "redis"
        if self.topology != "single":
            scheme = f"{scheme}+{self.topology}"
        nodes = self.nodes or ((self.host, self.port),)
        places = ",".join(f"{_bracketed(host)}:{port}" for host, port in nodes)
        service = f"/{self.service}" if self.service else ""
        return f"{scheme}://{places}{service}" + (f"/{self.db}" if self.db else "")

    @property
    def is_scattered(self) -> bool:
        """Whether sessions are in many slots of a cluster, since the prefix has no hash tag."""
        return self.topology == "cluster" and not _HASH_TAG.match(self.prefix)

    @property
    def label(self) -> str:
        """Server and prefix without any secret; not yet safe to show (`clean`)."""
        return f"{self.server} · {self.prefix}"

    @property
    def key(self) -> str:
        """What tells this source from others, without any secret; the same in every run."""
        return f"{self.server}#{quote(self.prefix, safe=':')}"


def parse_redis_url(scheme: str, rest: str, elsewhere: str | None, tls: Tls) -> RedisSource:
    """Read what follows `scheme://`.

    Args:
        scheme: One of `SCHEMES`.
        rest: What follows.
        elsewhere: Used where the URL has no password.
        tls: Used for what the URL does not say of certificates.

    Raises:
        ConfigError: It cannot be used; the message never holds a password.
    """
    # A stray # ? / @ is most often part of a password: nothing of it may reach a message.
    if not encodes(rest, "strict"):
        raise ConfigError("the source's URL is not UTF-8")
    if "#" in rest:
        raise ConfigError("a # in the source's URL must be written %23")
    rest, _, query_text = rest.partition("?")
    authority, _, path = rest.partition("/")
    userinfo, at, place = authority.rpartition("@")
    if ("@" in path and scheme != "unix") or ("@" in query_text and not at):
        raise ConfigError(
            "in the source's URL, write / as %2F, ? as %3F and @ as %40 inside a part"
        )
    query = _query(query_text, scheme)
    first, colon, second = (_decoded(part) for part in userinfo.partition(":"))
    if userinfo and not colon and not (elsewhere or "password" in query):
        first, second = "", first  # redis-cli takes a lone part for the password
    source = RedisSource(
        username=first or query.get("user") or query.get("username") or None,
        password=second or query.get("password") or elsewhere or None,
        prefix=query.get("prefix", DEFAULT_PREFIX),
        tls=scheme.startswith("rediss"),
        certificates=_certificates(query, tls),
    )
    where = {"unix": _socket, "sentinel": _sentinels, "cluster": _cluster}
    return where.get(scheme.rpartition("+")[2], _server)(source, place, path, query)


def _server(source: RedisSource, place: str, path: str, query: dict[str, str]) -> RedisSource:
    host, port = _host_and_port(place, DEFAULT_PORT)
    db = _db(_decoded(path).strip("/") or query.get("db", ""))
    return replace(source, host=host, port=port, db=db)


def _socket(source: RedisSource, place: str, path: str, query: dict[str, str]) -> RedisSource:
    if place or not path:
        raise ConfigError("unix:// takes the absolute path of a socket: unix:///run/redis.sock")
    socket = path_decoded("/" + path)
    if "\0" in socket:
        raise ConfigError("the source's path holds a zero byte")
    return replace(source, socket=socket, db=_db(query.get("db", "")))


def _sentinels(source: RedisSource, place: str, path: str, query: dict[str, str]) -> RedisSource:
    service, _, db = path.strip("/").partition("/")
    if not service:
        raise ConfigError(
            "redis+sentinel:// takes what the sentinels call the primary: "
            "redis+sentinel://host1,host2/mymaster"
        )
    return replace(
        source,
        topology="sentinel",
        nodes=tuple(_host_and_port(one, SENTINEL_PORT) for one in place.split(",")),
        service=_decoded(service),
        db=_db(_decoded(db) or query.get("db", "")),
        sentinel_username=query.get("sentinel_user") or None,
        sentinel_password=query.get("sentinel_password") or None,
    )


def _cluster(source: RedisSource, place: str, path: str, query: dict[str, str]) -> RedisSource:
    if _db(_decoded(path).strip("/") or query.get("db", "")):
        raise ConfigError("a cluster has no databases: leave the number out")
    if "{" in source.prefix and not _HASH_TAG.match(source.prefix):
        raise ConfigError("in a cluster a { in the prefix begins a hash tag and needs its }")
    nodes = tuple(_host_and_port(one, DEFAULT_PORT) for one in place.split(","))
    return replace(source, topology="cluster", nodes=nodes)


def _certificates(query: dict[str, str], tls: Tls) -> Tls:
    verify = query.get("ssl_verify")
    if verify not in (None, "true", "false"):
        raise ConfigError("the source's ssl_verify is not valid: expected true or false")
    return Tls(
        ca=query.get("ssl_ca_certs") or tls.ca,
        cert=query.get("ssl_certfile") or tls.cert,
        key=query.get("ssl_keyfile") or tls.key,
        verify=tls.verify if verify is None else verify == "true",
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def encodes(text: str, errors: str) -> bool:
    """Tell whether a text can be written as UTF-8."""
    try:
        text.encode("utf-8", errors)
    except UnicodeEncodeError:
        return False
    return True


def path_decoded(text: str) -> str:
    """Return a path without percent-encoding; undecodable bytes become lone surrogates."""
    plain = unquote_to_bytes(text.encode("utf-8", "surrogateescape"))
    return plain.decode("utf-8", "surrogateescape")


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise ConfigError("the percent-encoding in the source's URL is not UTF-8") from error


def _query(text: str, scheme: str) -> dict[str, str]:
    known = _OPTIONS
    if scheme.startswith("rediss"):
        known |= _TLS_OPTIONS
    if scheme.endswith("+sentinel"):
        known |= _SENTINEL_OPTIONS
    # No parse_qsl: it makes blanks of plus signs, which prefixes and passwords may hold.
    query: dict[str, str] = {}
    for option in filter(None, text.split("&")):
        name, _, value = option.partition("=")
        if name not in known:
            raise ConfigError(
                f"the source's URL has an unknown option: expected {', '.join(sorted(known))}"
            )
        query[name] = _decoded(value)
    return query


def _host_and_port(place: str, default: int) -> Address:
    if place.startswith("["):
        host, bracket, tail = place[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            raise ConfigError("the source's server is not valid: an IPv6 address stands in [ ]")
        port = tail[1:]
    else:
        host, _, port = place.partition(":")
        if ":" in port:
            raise ConfigError(
                "the source's server is not valid: expected host:port, "
                "an IPv6 address in [ ], and : @ / in a password percent-encoded"
            )
    if not port:
        return _decoded(host) or "localhost", default
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise ConfigError("the source's port is not valid: expected a number from 1 to 65535")
    return _decoded(host) or "localhost", int(port)


def _db(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ConfigError("the source's database is not valid: expected a number such as /0")
    return int(text)
