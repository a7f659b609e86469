"""How omp names the folder of a project and the file of a session; pure.

A session lies at `<root>/<folder of the project>/<time>_<id>.jsonl`; omp finds
those of a project by the folder's name alone.
"""

from __future__ import annotations

import re

_SEPARATORS = re.compile(r"[/\\:]")
_FILE = re.compile(r"\d{4}-\d\d-\d\dT[0-9-]+Z_[^/]+\.jsonl")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_TEMPORARY = "/tmp"


def project_folder(cwd: str, *, home: str) -> str:
    """Return the name of the folder that holds a project's sessions.

    Args:
        cwd: The project, an absolute path.
        home: The user's home folder.
    """
    cwd = cwd.rstrip("/") or "/"
    home = home.rstrip("/")
    if home and (cwd == home or cwd.startswith(home + "/")):
        return "-" + _coded(cwd[len(home) + 1 :])
    if cwd == _TEMPORARY or cwd.startswith(_TEMPORARY + "/"):
        rest = cwd[len(_TEMPORARY) + 1 :]
        return f"-tmp-{_coded(rest)}" if rest else "-tmp"
    return f"--{_coded(cwd.lstrip('/'))}--"


def session_file(name: str, *, created: object, session_id: object) -> str:
    """Return the name of a session's file.

    Args:
        name: What it is called now; stays if omp would have called it so.
        created: The header's `timestamp`.
        session_id: The header's `id`.
    """
    if _FILE.fullmatch(name) or not (isinstance(created, str) and isinstance(session_id, str)):
        return name
    if not _TIME.fullmatch(created) or not _ID.fullmatch(session_id):
        return name
    return f"{created.replace(':', '-').replace('.', '-')}_{session_id}.jsonl"


def _coded(path: str) -> str:
    return _SEPARATORS.sub("-", path)
