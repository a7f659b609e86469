"""The settings: command line before environment before configuration file before default.

The file is TOML, `config.toml` in the user's configuration folder or what
`$SESSIONTUI_CONFIG` names:

    source = "redis://cache:6379?prefix=omp:sessions:"
    password_file = "~/.config/sessiontui/password"
    theme = "sessiontui-light"
    sort = "created"            # modified, created, title, size
    ascii = false               # draw with ASCII characters alone
    retention_days = 7          # how long deleted sessions are kept
    read_only = false           # refuse whatever changes something
    index = true                # keep an index of all texts, for searching

    [tls]                       # for rediss://
    ca = "~/certs/ca.pem"       # whom to trust beside the system's authorities
    cert = "~/certs/me.pem"     # who we are, where the server asks
    key = "~/certs/me.key"

    [keys]
    refresh = "f5"              # by the action's name, one key or a list

    [resume]
    omp = "omp --resume {path}" # by the agent's name, what goes on with a session
"""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from sessiontui.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONFIG_VARIABLE: Final = "SESSIONTUI_CONFIG"
SOURCE_VARIABLE: Final = "SESSIONTUI_SOURCE"
PASSWORD_VARIABLE: Final = "SESSIONTUI_PASSWORD"

Sort = Literal["modified", "created", "title", "size"]
SORTS: Final[tuple[Sort, ...]] = ("modified", "created", "title", "size")
MAX_RETENTION_DAYS: Final = 3650

PLACEHOLDERS: Final = ("id", "path", "cwd")
"""What stands for a part of the session in a command of `[resume]`."""

_NO_COMMANDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
_NO_KEYS: Final[Mapping[str, str]] = MappingProxyType({})
_MAX_FILE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Certificates, as paths of PEM files."""

    ca: str | None = None
    """Authorities to trust beside the system's."""
    cert: str | None = None
    """Our own certificate, with those it leads to."""
    key: str | None = None
    """Its key; None where it stands in the same file."""
    verify: bool = True
    """Whether a server has to prove that it is the one that was named."""


NO_TLS: Final = Tls()


class _UnusableError(Exception):
    """A setting has another value than its message says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting, with its default."""

    source: str | None = field(default=None, repr=False)
    """What names the source, not parsed yet; it may hold a password."""
    password_file: Path | None = None
    """A file whose first line is the password of a Redis source without one."""
    theme: str | None = None
    """Name of a colour theme; None for our own."""
    keys: Mapping[str, str] = field(default_factory=lambda: _NO_KEYS)
    """By an action's name its keys, joined by commas, instead of the usual ones."""
    sort: Sort = "modified"
    """What the list is ordered by when it is opened."""
    ascii: bool = False
    """Whether to draw with ASCII characters alone."""
    retention_days: int = 30
    """How many days a deleted session can be restored."""
    resume: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NO_COMMANDS)
    """By an agent's name the words of the command that goes on with a session of it."""
    tls: Tls = NO_TLS
    """Certificates for sources over TLS that name none."""
    read_only: bool = False
    """Whether to refuse whatever changes something."""
    index: bool = True
    """Whether the app keeps an index of the texts of all sessions."""

    def password(self, environ: Mapping[str, str] = os.environ) -> str | None:
        """Return the password for a Redis source that has none itself.

        Raises:
            ConfigError: The password file cannot be used.
        """
        if self.password_file is None:
            return environ.get(PASSWORD_VARIABLE) or None
        return _first_line(self.password_file)


def without_secrets(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment for programs that we start: our password is none of theirs."""
    secret = {PASSWORD_VARIABLE}
    if "@" in environ.get(SOURCE_VARIABLE, "") or "password=" in environ.get(SOURCE_VARIABLE, ""):
        secret.add(SOURCE_VARIABLE)
    return {name: value for name, value in environ.items() if name not in secret}


def load_config(
    default: Path,
    environ: Mapping[str, str] = os.environ,
    *,
    source: str | None = None,
    password_file: Path | None = None,
    read_only: bool = False,
) -> Config:
    """Return the settings that hold.

    Args:
        default: The configuration file where `$SESSIONTUI_CONFIG` names none; it need
            not exist (`paths.config_file()`).
        environ: Environment variables.
        source: What the command line says of the source, if anything.
        password_file: What it says of the password file, if anything.
        read_only: Whether it says that nothing is to be changed.

    Raises:
        ConfigError: The file cannot be used; the message names file and setting.
    """
    if named := environ.get(CONFIG_VARIABLE):
        config = _from_file(_named_file(named))
    else:
        config = _from_file(default, must_exist=False)
    return replace(
        config,
        source=source or environ.get(SOURCE_VARIABLE) or config.source,
        password_file=password_file or config.password_file,
        read_only=read_only or config.read_only,
    )


def _named_file(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"${CONFIG_VARIABLE}: its ~ stands for no known home") from error


def _from_file(path: Path, *, must_exist: bool = True) -> Config:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not must_exist:
            return Config()
        raise ConfigError(f"{path}: there is no such configuration file") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > _MAX_FILE_BYTES:
        raise ConfigError(f"{path}: is too large for a configuration file")
    try:
        table = tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise ConfigError(f"{path}: is not valid TOML: {reason}") from error
    values: dict[str, Any] = {}
    for name, value in table.items():
        reader = _READERS.get(name)
        if reader is None:
            known = ", ".join(_READERS)
            raise ConfigError(f"{path}: {name!r} is no setting; the settings are {known}")
        try:
            values[name] = reader(value, path)
        except _UnusableError as error:
            raise ConfigError(f"{path}: {name}: expected {error}") from error
    return Config(**values)


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            text = file.readline(_MAX_FILE_BYTES).decode()
    except OSError as error:
        raise ConfigError(f"{path}: the password file cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: the password file is not UTF-8 text") from error
    password = text.rstrip("\r\n")
    if not password:
        raise ConfigError(f"{path}: the password file is empty")
    return password


# Each reader returns the setting, or raises an error that says what was expected.


def _text(value: object, _path: Path) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _UnusableError("some text in quotes")
    return value


def _file(value: object, path: Path) -> Path:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise _UnusableError("the path of a file, in quotes")
    try:
        return path.parent / Path(value).expanduser()
    except RuntimeError as error:
        raise _UnusableError("the path of a file; its ~ stands for no known home") from error


def _sort(value: object, _path: Path) -> Sort:
    for sort in SORTS:
        if value == sort:
            return sort
    raise _UnusableError("one of " + ", ".join(f'"{sort}"' for sort in SORTS))


def _flag(value: object, _path: Path) -> bool:
    if not isinstance(value, bool):
        raise _UnusableError("true or false")
    return value


def _days(value: object, _path: Path) -> int:
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or not 1 <= value <= MAX_RETENTION_DAYS
    ):
        raise _UnusableError(f"a whole number of days from 1 to {MAX_RETENTION_DAYS}")
    return value


def _keys(value: object, _path: Path) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise _UnusableError('a table such as [keys] with lines such as refresh = "f5"')
    keys: dict[str, str] = {}
    for action, given in value.items():
        listed = given if isinstance(given, list) else [given]
        if not listed or not all(
            isinstance(key, str) and key.strip() and key.isprintable() for key in listed
        ):
            raise _UnusableError(f"a key in quotes, or a list of such, for {action!r}")
        keys[action] = ",".join(listed)
    return MappingProxyType(keys)


def _commands(value: object, _path: Path) -> Mapping[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise _UnusableError(
            'a table such as [resume] with lines such as omp = "omp --resume {path}"'
        )
    from sessiontui.formats.registry import AGENTS

    commands: dict[str, tuple[str, ...]] = {}
    for agent, given in value.items():
        if agent not in AGENTS:
            raise _UnusableError(f"only {', '.join(AGENTS)}; {agent!r} is none of them")
        commands[agent] = _command(agent, given)
    return MappingProxyType(commands)


def _command(agent: str, given: object) -> tuple[str, ...]:
    """Return the words of a command; it is never given to a shell."""
    if not isinstance(given, str) or not given.strip() or "\0" in given:
        raise _UnusableError(f"a command in quotes for {agent}")
    try:
        words = tuple(shlex.split(given))
    except ValueError as error:
        raise _UnusableError(
            f"a command as a shell takes it for {agent}, but it has {str(error).lower()}"
        ) from error
    if not words or not words[0]:
        raise _UnusableError(f"a command for {agent} that begins with a program")
    found = {name for word in words for name in re.findall(r"\{(\w*)\}", word)}
    if unknown := sorted(found - set(PLACEHOLDERS)):
        raise _UnusableError(
            f"no {{{unknown[0]}}} for {agent}; there are {{id}}, {{path}} and {{cwd}}"
        )
    if not found & {"id", "path"} or "{" in words[0]:
        raise _UnusableError(
            f"a program for {agent}, and {{id}} or {{path}} after it, to name the session"
        )
    return words


def _tls(value: object, path: Path) -> Tls:
    expected = _UnusableError("a table such as [tls] with ca, cert, key and verify")
    if not isinstance(value, dict) or not value.keys() <= {"ca", "cert", "key", "verify"}:
        raise expected
    files = {name: str(_file(value[name], path)) for name in value if name != "verify"}
    return Tls(**files, verify=_flag(value.get("verify", True), path))


_READERS: Final[dict[str, Callable[[object, Path], object]]] = {
    "source": _text,
    "password_file": _file,
    "theme": _text,
    "sort": _sort,
    "ascii": _flag,
    "retention_days": _days,
    "read_only": _flag,
    "index": _flag,
    "tls": _tls,
    "keys": _keys,
    "resume": _commands,
}
