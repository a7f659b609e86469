"""Where coding agents keep their sessions on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def session_roots(environ: Mapping[str, str], home: Path) -> list[Path]:
    """Return the folders to look at when nobody named one, the likeliest first.

    omp's own comes first, moved by the variables omp reads; then pi's. None of
    them need exist.

    Args:
        environ: Environment variables.
        home: The user's home folder.
    """
    return [_omp_root(environ, home), home / ".pi" / "agent" / "sessions"]


def _omp_root(environ: Mapping[str, str], home: Path) -> Path:
    """Return omp's root: a variable that names the folder wins over one that names a parent."""
    if sessions := environ.get("PI_CODING_AGENT_SESSION_DIR"):
        return home / Path(sessions).expanduser()
    if agent := environ.get("PI_CODING_AGENT_DIR"):
        return home / Path(agent).expanduser() / "sessions"
    base = home / (environ.get("PI_CONFIG_DIR") or ".omp")
    if profile := environ.get("OMP_PROFILE") or environ.get("PI_PROFILE"):
        return base / "profiles" / profile / "agent" / "sessions"
    shared = environ.get("XDG_DATA_HOME")
    if shared and (Path(shared) / "omp").is_dir():
        return Path(shared) / "omp" / "sessions"
    return base / "agent" / "sessions"
