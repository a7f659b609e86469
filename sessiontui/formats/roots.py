"""Where coding agents keep their sessions on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

OMP: Final = "omp"
"""Stands for omp's own folder where a place to copy to is named."""


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
    """Return omp's root, by omp's order of what may move it.

    A folder named outright wins; a profile hides the agent's folder; and only
    where neither says anything does the XDG folder count, if omp moved there.
    """
    if sessions := environ.get("PI_CODING_AGENT_SESSION_DIR"):
        return _under(sessions, home)
    profile = environ.get("OMP_PROFILE", environ.get("PI_PROFILE", "")).strip()
    profile = "" if profile == "default" else profile
    base = home / (environ.get("PI_CONFIG_DIR") or ".omp")
    agent = environ.get("PI_CODING_AGENT_DIR")
    if agent and not profile:
        return _under(agent, home) / "sessions"
    inner = Path("profiles") / profile if profile else Path()
    if data := environ.get("XDG_DATA_HOME"):
        moved = Path(data) / "omp" / inner
        if moved.is_dir():
            return moved / "sessions"
    return base / inner / "agent" / "sessions"


def _under(text: str, home: Path) -> Path:
    """Return the path that `text` names; `~` is `home`, and relative ones start there."""
    if text == "~" or text.startswith("~/"):
        return home / text[2:]
    return home / text
