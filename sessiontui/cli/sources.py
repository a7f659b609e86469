"""Which source a command works on, and with which password.

The first that is there: the argument or `--source`, `$SESSIONTUI_SOURCE`, the
configuration file, omp's own folder, pi's.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sessiontui.errors import ConfigError

if TYPE_CHECKING:
    from sessiontui.config import Config
    from sessiontui.models.source import Source

SOURCE_VARIABLE = "SESSIONTUI_SOURCE"
PASSWORD_VARIABLE = "SESSIONTUI_PASSWORD"

NOWHERE = (
    "no sessions were found: name a source (redis://…, unix://… or a folder), "
    "or try it out with: sessiontui demo"
)


@dataclass(slots=True)
class Place:
    """What the options say about the source; the last one given counts."""

    source: str | None = None
    password_file: Path | None = None


def choose_source(place: Place) -> tuple[Source, Config]:
    """Return the source to work on, and the configuration.

    Raises:
        ConfigError: There is no source, or what names it cannot be used.
    """
    from sessiontui.config import load_config
    from sessiontui.models.source import DirectorySource, parse_source

    config = load_config()
    password = _password(place)
    text = place.source or os.environ.get(SOURCE_VARIABLE) or config.source
    if text:
        return parse_source(text, password=password), config
    from sessiontui.agents.roots import session_roots

    for root in session_roots(os.environ, Path.home()):
        if root.is_dir():
            return DirectorySource(root), config
    raise ConfigError(NOWHERE)


def _password(place: Place) -> str | None:
    """Return the password for a source whose URL has none."""
    if place.password_file is None:
        return os.environ.get(PASSWORD_VARIABLE) or None
    try:
        lines = place.password_file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"the password file cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError("the password file is not UTF-8 text") from error
    if not lines or not lines[0]:
        raise ConfigError("the password file is empty")
    return lines[0]
