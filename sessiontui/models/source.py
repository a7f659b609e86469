"""Where sessions are kept: a Redis server with a prefix, or a folder.

`parse_source` reads what a user types: a URL as redis-cli takes it, or a path.
A password never shows: not in `repr`, not in `label`, not in an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, unquote_to_bytes

from sessiontui.errors import ConfigError

DEFAULT_PREFIX = "omp:sessions:"
"""omp's own."""
DEFAULT_PORT = 6379

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")
_REDIS_SCHEMES = ("redis", "rediss", "unix")
_HINT = "expected redis://, rediss:// or unix:// with a server, or the path of a folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSource:
    """A Redis or Valkey server and the prefix of its session keys."""

    host: str = "localhost"
    """Name or address of the server; unused with `socket`."""
    port: int = DEFAULT_PORT
    socket: str | None = None
    """Path of a unix socket, in place of host and port."""
    tls: bool = False
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    prefix: str = DEFAULT_PREFIX
    """Kept verbatim."""

    @property
    def server(self) -> str:
        """The server without any secret: `redis://cache:6379/2` or `unix:///run/redis.sock`."""
        if self.socket is not None:
            return f"unix://{self.socket}" + (f"?db={self.db}" if self.db else "")
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "rediss" if self.tls else "redis"
        return f"{scheme}://{host}:{self.port}" + (f"/{self.db}" if self.db else "")

    @property
    def label(self) -> str:
        """Server and prefix without any secret; not yet safe to show (`clean`)."""
        return f"{self.server} · {self.prefix}"

    @property
    def key(self) -> str:
        """What tells this source from others, without any secret; the same in every run."""
        return f"{self.server}#{quote(self.prefix, safe=':')}"


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
) -> Source:
    """Read what a user gave as the place of the sessions.

    Args:
        text: `redis://[user[:password]@]host[:port][/db][?prefix=…]`, the same with
            `rediss://`, `unix://[user[:password]@]/path[?db=…&prefix=…]`, `file://` with
            an absolute path, or a path. Parts of URLs may be percent-encoded; `db`,
            `user`, `username`, `password` and `prefix` are also taken from the query.
            A lone part before the @ is a password as in redis-cli, or the user where
            the password comes from elsewhere.
        home: What `~` stands for; the user's own where None.
        cwd: What relative paths start from; the process's own where None.
        password: Used for a Redis source whose URL has none.

    Raises:
        ConfigError: It is neither; the message never holds a password.
    """
    text = text.strip()
    if not text:
        raise ConfigError(f"the source is empty: {_HINT}")
    if not _encodes(text, "surrogateescape"):
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
    if scheme not in _REDIS_SCHEMES:
        late = scheme.startswith(("redis", "valkey"))
        what = "is not supported yet" if late else "is not known"
        raise ConfigError(f"{scheme}:// {what}: {_HINT}")
    return _redis_url(scheme, rest, password)


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
    plain = _path_decoded("/" + path)
    if "\0" in plain:
        raise ConfigError("the source's path holds a zero byte")
    return Path(plain)


def _redis_url(scheme: str, rest: str, elsewhere: str | None) -> RedisSource:
    # A stray # ? / @ is most often part of a password: nothing of it may reach a message.
    if not _encodes(rest, "strict"):
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
    query = _query(query_text)
    first, colon, second = (_decoded(part) for part in userinfo.partition(":"))
    if userinfo and not colon and not (elsewhere or "password" in query):
        first, second = "", first  # redis-cli takes a lone part for the password
    username = first or query.get("user") or query.get("username") or None
    password = second or query.get("password") or elsewhere or None
    prefix = query.get("prefix", DEFAULT_PREFIX)
    if scheme == "unix":
        if place or not path:
            raise ConfigError("unix:// takes the absolute path of a socket: unix:///run/redis.sock")
        socket = _path_decoded("/" + path)
        if "\0" in socket:
            raise ConfigError("the source's path holds a zero byte")
        return RedisSource(
            socket=socket,
            db=_db(query.get("db", "")),
            username=username,
            password=password,
            prefix=prefix,
        )
    host, port = _host_and_port(place)
    return RedisSource(
        host=host,
        port=port,
        tls=scheme == "rediss",
        db=_db(_decoded(path).strip("/") or query.get("db", "")),
        username=username,
        password=password,
        prefix=prefix,
    )


def _encodes(text: str, errors: str) -> bool:
    try:
        text.encode("utf-8", errors)
    except UnicodeEncodeError:
        return False
    return True


def _path_decoded(text: str) -> str:
    plain = unquote_to_bytes(text.encode("utf-8", "surrogateescape"))
    return plain.decode("utf-8", "surrogateescape")


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise ConfigError("the percent-encoding in the source's URL is not UTF-8") from error


def _query(text: str) -> dict[str, str]:
    known = {"prefix", "db", "user", "username", "password"}
    # No parse_qsl: it makes blanks of plus signs, which prefixes and passwords may hold.
    query: dict[str, str] = {}
    for option in filter(None, text.split("&")):
        name, _, value = option.partition("=")
        if name not in known:
            raise ConfigError(
                "the source's URL has an unknown option: expected prefix, db, user or password"
            )
        query[name] = _decoded(value)
    return query


def _host_and_port(place: str) -> tuple[str, int]:
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
        return _decoded(host) or "localhost", DEFAULT_PORT
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise ConfigError("the source's port is not valid: expected a number from 1 to 65535")
    return _decoded(host) or "localhost", int(port)


def _db(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ConfigError("the source's database is not valid: expected a number such as /0")
    return int(text)
