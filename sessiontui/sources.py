"""Where sessions are kept: a Redis server (or several) with a prefix, or a folder.

`parse_source` reads what a user types: a URL as redis-cli takes it, or a path.
A password never shows: not in `repr`, not in `label`; and nothing of a URL that could
be part of a password is repeated in an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
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
        return self.topology == "cluster" and not has_hash_tag(self.prefix)

    @property
    def label(self) -> str:
        """Server and prefix without any secret; not yet safe to show (`clean`)."""
        return f"{self.server} · {self.prefix}"

    @property
    def key(self) -> str:
        """What tells this source from others, without any secret; the same in every run."""
        return f"{self.server}#{quote(self.prefix, safe=':')}"


def has_hash_tag(prefix: str) -> bool:
    """Tell whether all keys with a prefix are in one slot of a cluster.

    Raises:
        ConfigError: It depends on what follows: a hash tag begins and does not end.
    """
    if _HASH_TAG.match(prefix):
        return True
    if "{" in prefix:
        raise ConfigError("in a cluster a { in the prefix begins a hash tag and needs its }")
    return False


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
    has_hash_tag(source.prefix)
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


__all__ = [
    "DEFAULT_PORT",
    "DEFAULT_PREFIX",
    "DirectorySource",
    "RedisSource",
    "Source",
    "parse_source",
]

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")
_HINT = "expected redis://, rediss:// or unix:// with a server, or the path of a folder"


@dataclass(frozen=True, slots=True)
class DirectorySource:
    """A folder whose subfolders hold sessions."""

    path: Path
    """Absolute."""

    @property
    def label(self) -> str:
        """The folder; not yet safe to show (`clean`)."""
        return str(self.path)

    @property
    def key(self) -> str:
        """What tells this source from others; the same in every run."""
        return self.path.as_uri()


Source = RedisSource | DirectorySource


def parse_source(
    text: str,
    *,
    home: Path | None = None,
    cwd: Path | None = None,
    password: str | None = None,
    tls: Tls = NO_TLS,
) -> Source:
    """Read what a user gave as the place of the sessions.

    Args:
        text: `redis://[user[:password]@]host[:port][/db][?prefix=…]`, the same with
            `rediss://`, `unix://[user[:password]@]/path[?db=…&prefix=…]`,
            `redis+sentinel://…host1[:port],host2/name[/db]`, `redis+cluster://…host1,host2`,
            `file://` with an absolute path, or a path. Parts of URLs may be percent-encoded; `db`,
            `user`, `username`, `password` and `prefix` are also taken from the query, with
            TLS `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile` and `ssl_verify`, for sentinels
            `sentinel_user` and `sentinel_password`.
            A lone part before the @ is a password as in redis-cli, or the user where
            the password comes from elsewhere.
        home: What `~` stands for; the user's own where None.
        cwd: What relative paths start from; the process's own where None.
        password: Used for a Redis source whose URL has none.
        tls: Certificates for a Redis source over TLS whose URL names none.

    Raises:
        ConfigError: It is neither; the message never holds a password.
    """
    text = text.strip()
    if not text:
        raise ConfigError(f"the source is empty: {_HINT}")
    if not encodes(text, "surrogateescape"):
        raise ConfigError("the source holds what is no character of any text")
    match = _SCHEME.match(text)
    if match is None:
        if re.match(r"(rediss?|unix):", text, re.IGNORECASE):
            scheme = text.partition(":")[0].lower()
            raise ConfigError(f"the source lacks slashes: write {scheme}://…")
        return DirectorySource(_folder(text, home, cwd))
    scheme, rest = match.group(1).lower(), text[match.end() :]
    if scheme == "file":
        return DirectorySource(_file_url(rest))
    if scheme not in SCHEMES:
        raise ConfigError(f"{scheme}:// is not known: {_HINT}")
    return parse_redis_url(scheme, rest, password, tls)


def _folder(text: str, home: Path | None, cwd: Path | None) -> Path:
    if "\0" in text:
        raise ConfigError("the source's path holds a zero byte")
    if re.fullmatch(r"[A-Za-z0-9.-]+:[0-9]{2,5}(/[0-9]*)?", text):
        raise ConfigError(f"is {text} a server? write redis://{text}, or ./{text} for a folder")
    if not text.startswith(("/", ".", "~")) and re.search(r":[^@]*@", text):
        # It may hold a password, so it is not repeated.
        raise ConfigError("is the source a server? write redis:// before it, or ./ for a folder")
    try:
        if text == "~" or text.startswith("~/"):
            return (home or Path.home()) / text[2:]
        if text.startswith("~"):
            return (cwd or Path.cwd()) / Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            "the source's ~ stands for no known home: write the whole path"
        ) from error
    return (cwd or Path.cwd()) / text


def _file_url(rest: str) -> Path:
    host, slash, path = rest.partition("/")
    if host not in ("", "localhost") or not slash:
        raise ConfigError("file:// takes an absolute path: file:///home/me/sessions")
    plain = path_decoded("/" + path)
    if "\0" in plain:
        raise ConfigError("the source's path holds a zero byte")
    return Path(plain)
