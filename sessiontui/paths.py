"""Paths of the project's files: stylesheets, configuration, state, data, index."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import PlatformDirs

PRIVATE_FOLDER = 0o700
"""Permissions of the folders we make for ourselves; `mkdir` takes away more, never less."""

PRIVATE_FILE = 0o600
"""Permissions of the files we make for ourselves."""

_PACKAGE = Path(__file__).resolve().parent
_DIRS = PlatformDirs("sessiontui", appauthor=False)


def styles_dir() -> Path:
    """Return the folder of the Textual CSS, in a checkout or in a wheel."""
    beside = _PACKAGE.parent / "styles"
    if (_PACKAGE.parent / "pyproject.toml").is_file() and beside.is_dir():
        return beside
    return _PACKAGE / "styles"


def config_file() -> Path:
    """Return where the configuration file is looked for; it need not exist."""
    return _DIRS.user_config_path / "config.toml"


def state_dir() -> Path:
    """Return the folder for what is remembered between two runs; it need not exist."""
    return _DIRS.user_state_path


def data_dir() -> Path:
    """Return the folder for what must not be lost; it need not exist."""
    return _DIRS.user_data_path


def index_dir() -> Path:
    """Return the folder for what is indexed: may be deleted at any time, and need not exist."""
    return _DIRS.user_cache_path / "index"


def make_private(folder: Path) -> None:
    """Make a folder that only the user can look into, and those above it where they are missing.

    Raises:
        OSError: It could not be made.
    """
    for above in reversed((folder, *folder.parents)):
        if not above.exists():
            above.mkdir(PRIVATE_FOLDER, exist_ok=True)


def open_private(file: Path, flags: int) -> int:
    """Open a file that only the user can read, and make it where it is missing.

    Args:
        file: Its folder must be there.
        flags: How, as `os.open` has it: with `os.O_EXCL` it must not be there yet.

    Returns:
        Its descriptor, which no child inherits.

    Raises:
        OSError: It could not be opened.
    """
    return os.open(file, flags | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)


def is_folder(path: str | Path) -> bool:
    """Tell whether a path leads to a folder, as far as one can look.

    Unlike `Path.is_dir` it never raises: not for a name that is too long, one with a
    NUL in it, or one in a folder that may not be looked into.
    """
    return os.path.isdir(path)  # noqa: PTH112 - see above
