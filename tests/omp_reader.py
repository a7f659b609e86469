"""Finds sessions in a folder by omp's own rules, written down anew: nothing of ours is used."""

from __future__ import annotations

import json
import re
import stat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_NAME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d\d\dZ)_(.+)\.jsonl")


def folder_name(cwd: str, home: str) -> str:
    """Return what omp calls the folder of a project."""
    if cwd == home or cwd.startswith(home + "/"):
        return "-" + cwd[len(home) + 1 :].replace("/", "-").replace(":", "-")
    if cwd.startswith("/tmp/"):
        return cwd.replace("/", "-").replace(":", "-")
    return "--" + cwd[1:].replace("/", "-").replace(":", "-") + "--"


def resumable(root: Path, cwd: str, home: str) -> dict[str, dict[str, Any]]:
    """Return what `omp --resume` offers in a project: by id the title and the entries.

    Raises:
        AssertionError: A session there breaks a rule.
    """
    found: dict[str, dict[str, Any]] = {}
    folder = root / folder_name(cwd, home)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in sorted(folder.glob("*.jsonl")):
        if file.name.startswith("."):
            continue
        name = _NAME.fullmatch(file.name)
        assert name is not None, file.name
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        data = file.read_bytes()
        # A line that is still being written is passed over.
        lines = [json.loads(line) for line in data.rpartition(b"\n")[0].split(b"\n")]
        title = None
        if lines[0]["type"] == "title":
            assert data.index(b"\n") == 255
            assert list(lines[0])[:3] == ["type", "v", "title"]
            title = lines.pop(0)["title"]
        header = lines[0]
        assert header["type"] == "session"
        assert header["id"] == name[2]
        assert header["cwd"] == cwd
        assert header["timestamp"].replace(":", "-").replace(".", "-") == name[1]
        known = {None}
        for entry in lines[1:]:
            assert entry.get("parentId") in known
            known.add(entry.get("id"))
        found[header["id"]] = {
            "title": header.get("title") if title is None else title,
            "entries": lines[1:],
            "file": file,
        }
    return found
