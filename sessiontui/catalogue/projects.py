"""What a project is called: its folder as the agent knew it, or as a folder's name tells.

omp and pi make one folder of sessions for each project and name it after the
project's path, which loses the difference between `/` and `-`. So the name is
read only where no header says the path.
"""

from __future__ import annotations

import re

_HASHED = re.compile(r"(?:home|tmp|abs)-(.+)-[0-9a-f]{64}")


def project_label(cwd: str | None, path: str, *, home: str) -> str:
    """Return the label of a session's project; not yet safe to show (`clean`).

    Args:
        cwd: The working directory that the session's header says, if any.
        path: The session's path.
        home: The home folder that shows as `~`; empty for none.
    """
    if cwd:
        return home_relative(cwd, home)
    folder = path.rpartition("/")[0].rpartition("/")[2]
    return home_relative(_decoded(folder, home), home)


def home_relative(path: str, home: str) -> str:
    """Return `path` with the home folder as `~`, without a slash at its end."""
    home = home.rstrip("/")
    if home and (path == home or path.startswith(home + "/")):
        return "~" + path[len(home) :].rstrip("/")
    return path.rstrip("/") or path


def _decoded(folder: str, home: str) -> str:
    """Return the path that a folder's name most likely stands for."""
    if folder.startswith("--") and folder.endswith("--") and len(folder) > 4:
        inner = folder[2:-2]
        # Claude Code and older agents write the home out in full.
        coded_home = home.strip("/").replace("/", "-")
        if coded_home and (inner == coded_home or inner.startswith(coded_home + "-")):
            return home.rstrip("/") + inner[len(coded_home) :].replace("-", "/")
        return "/" + inner.replace("-", "/")
    if hashed := _HASHED.fullmatch(folder):
        return hashed[1]
    if folder == "-tmp" or folder.startswith("-tmp-"):
        return "/tmp" + folder[4:].replace("-", "/")
    if folder.startswith("-"):
        coded_home = home.rstrip("/").replace("/", "-")
        if coded_home and folder.startswith(coded_home + "-"):
            return home.rstrip("/") + folder[len(coded_home) :].replace("-", "/")
        return "~" + folder.replace("-", "/").rstrip("/")
    return folder
