"""Which source a command works on, and with which password.

The first that is there: the argument or `--source`, `$SESSIONTUI_SOURCE`, the
configuration file, omp's own folder, pi's.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sessiontui.errors import ConfigError

if TYPE_CHECKING:
    from sessiontui.config import Config
    from sessiontui.models.source import Source

NOWHERE = (
    "no sessions were found: name a source (redis://…, unix://… or a folder), "
    "or try it out with: sessiontui demo"
)


@dataclass(slots=True)
class Place:
    """What the options say about the source; the last one given counts."""

    source: str | None = field(default=None, repr=False)
    """It may hold a password."""
    password_file: Path | None = None
    read_only: bool = False


def choose_source(place: Place) -> tuple[Source, Config]:
    """Return the source to work on, and the settings.

    Raises:
        ConfigError: There is no source, or what names it cannot be used.
    """
    from sessiontui.config import load_config
    from sessiontui.models.source import DirectorySource, parse_source
    from sessiontui.paths import config_file

    config = load_config(
        config_file(),
        source=place.source,
        password_file=place.password_file,
        read_only=place.read_only,
    )
    if config.source:
        return parse_source(config.source, password=config.password(), tls=config.tls), config
    from sessiontui.agents.roots import session_roots

    for root in session_roots(os.environ, Path.home()):
        if root.is_dir():
            return DirectorySource(root), config
    raise ConfigError(NOWHERE)


def other_source(text: str, password_file: Path | None) -> tuple[Source, str | None]:
    """Return a second source that a command works on, and its password if a file has it.

    Args:
        text: A server or a folder as for `--source`, or `omp` for omp's own folder.
        password_file: Holds the password, on its first line.

    Raises:
        ConfigError: It cannot be used.
    """
    from sessiontui.agents.roots import OMP, session_roots
    from sessiontui.config import load_config
    from sessiontui.models.source import DirectorySource, parse_source
    from sessiontui.paths import config_file

    if text == OMP:
        return DirectorySource(session_roots(os.environ, Path.home())[0]), None
    config = load_config(config_file(), source=text, password_file=password_file)
    password = None if password_file is None else config.password()
    return parse_source(text, password=password, tls=config.tls), password
