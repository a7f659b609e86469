"""Where sessions are kept: a Redis server (or several) with a prefix, or a folder.

`parse_source` reads what a user types: a URL as redis-cli takes it, or a path.
A password never shows: not in `repr`, not in `label`, not in an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sessiontui.config import NO_TLS, Tls
from sessiontui.errors import ConfigError
from sessiontui.redis_url import (
    DEFAULT_PORT,
    DEFAULT_PREFIX,
    SCHEMES,
    RedisSource,
    encodes,
    parse_redis_url,
    path_decoded,
)

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
