"""The source that a command works on, and its password.

The first that is there: the argument or `--source`, `$SESSIONTUI_SOURCE`, the
configuration file, omp's own folder, pi's.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode

import click

from sessiontui.errors import ConfigError

if TYPE_CHECKING:
    from sessiontui.config import Config
    from sessiontui.sources import Source

NO_SOURCE = (
    "no sessions were found: name a source (redis://…, unix://… or a folder), "
    "or try it out with: sessiontui demo"
)


@dataclass(slots=True)
class SourceOptions:
    """The source options of a command; the last one given counts."""

    source: str | None = field(default=None, repr=False)
    """It may hold a password."""
    password_file: Path | None = None
    read_only: bool = False


def choose_source(place: SourceOptions) -> tuple[Source, Config]:
    """Return the source to work on, and the settings.

    Raises:
        ConfigError: There is no source, or what names it cannot be used.
    """
    from sessiontui.config import load_config
    from sessiontui.paths import config_file
    from sessiontui.sources import DirectorySource, parse_source

    config = load_config(
        config_file(),
        source=place.source,
        password_file=place.password_file,
        read_only=place.read_only,
    )
    if config.source:
        return parse_source(config.source, password=config.password(), tls=config.tls), config
    from sessiontui.formats.registry import session_roots

    for root in session_roots(os.environ, Path.home()):
        if root.is_dir():
            return DirectorySource(root), config
    raise ConfigError(NO_SOURCE)


def other_source(text: str, password_file: Path | None) -> tuple[Source, str | None]:
    """Return a second source that a command works on, and its password if a file has it.

    Args:
        text: A server or a folder as for `--source`, or `omp` for omp's own folder.
        password_file: Holds the password, on its first line.

    Raises:
        ConfigError: It cannot be used.
    """
    from sessiontui.config import load_config
    from sessiontui.formats.omp import OMP
    from sessiontui.paths import config_file
    from sessiontui.sources import DirectorySource, parse_source

    if text == OMP.agent:
        return DirectorySource(OMP.roots(os.environ, Path.home())[0]), None
    config = load_config(config_file(), source=text, password_file=password_file)
    password = None if password_file is None else config.password()
    return parse_source(text, password=password, tls=config.tls), password


def command_line(*words: str) -> str:
    """Return a command on the same source, to be pasted into a shell; it holds no password.

    Args:
        words: The command and its arguments, without `sessiontui`.
    """
    place = click.get_current_context().find_object(SourceOptions)
    command, *arguments = words
    options: list[str] = []
    if place is not None and place.source is not None:
        options += ["--source", _without_password(place.source)]
    if place is not None and place.password_file is not None:
        options += ["--password-file", str(place.password_file)]
    return shlex.join(["sessiontui", command, *options, *arguments])


def _without_password(text: str) -> str:
    """Return a source as it was named, a folder with its whole path, a server without secrets."""
    from sessiontui.sources import DirectorySource, parse_source

    source = parse_source(text)
    if isinstance(source, DirectorySource):
        return str(source.path)
    if source.password is None and source.sentinel_password is None:
        return text
    base, _, query = text.partition("?")
    scheme, _, place = base.partition("://")
    fields = [
        (name, value)
        for name, value in parse_qsl(query, keep_blank_values=True)
        if name not in {"password", "sentinel_password", "user", "username"}
    ]
    if source.username is not None:
        fields.append(("user", source.username))
    shown = f"{scheme}://{place.rpartition('@')[2]}"
    shown += f"?{urlencode(fields, safe=':{}/', quote_via=quote)}" if fields else ""
    # What is not the same place without a password may be part of one.
    same = parse_source(shown) == replace(source, password=None, sentinel_password=None)
    return shown if same else source.server
