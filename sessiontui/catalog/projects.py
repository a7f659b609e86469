"""The names of projects: the folder as the agent knew it, or as the folder's name tells.

omp and pi make one folder of sessions for each project and name it after the
project's path, which loses the difference between `/` and `-`. So the name is
read only where no header says the path.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sessiontui.catalog.sorting import folder_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from sessiontui.catalog.hierarchy import RowChanges
    from sessiontui.catalog.row import Row

NO_PROJECT = "other"
"""Where neither a header nor a folder tells it."""

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


class Projects:
    """What the projects of sessions are called, learned from those that were read.

    Args:
        home: The home folder that shows as `~`; empty for none.
    """

    def __init__(self, home: str) -> None:
        self._home = home
        self._agreed: dict[str, str | None] = {}
        """Folder -> the one project of the sessions read in it; None: there are several."""
        self._labels: dict[str, str] = {}
        """Working directory -> how it is shown; kept until `clear`."""
        self._folder_labels: dict[str, str] = {}
        """Folder -> how it is shown where no header tells the working directory; kept too."""

    def clear(self) -> None:
        """Forget everything."""
        self._agreed.clear()
        self._labels.clear()
        self._folder_labels.clear()

    def of(self, row: Row) -> str:
        """Return the project of a session as it is shown: `~/code/api`.

        Without a header it is what the folder's name tells. A session not read
        yet is taken to belong where those read in its folder do, if they agree.
        """
        cwd = row.cwd
        if cwd:
            return self._labels.get(cwd) or self._label(cwd)
        folder = folder_of(row.path)
        if not row.read and (agreed := self._agreed.get(folder)) is not None:
            return agreed
        label = self._folder_labels.get(folder)
        if label is None:
            label = project_label(None, row.path, home=self._home) or NO_PROJECT
            self._folder_labels[folder] = label
        return label

    def _label(self, cwd: str) -> str:
        label = self._labels[cwd] = project_label(cwd, "", home=self._home)
        return label

    def agree(
        self, batch: RowChanges, rows: Mapping[str, Row], inside: Callable[[str], Collection[str]]
    ) -> set[str]:
        """Learn projects of folders; return the unread sessions that change theirs by it.

        Args:
            batch: What changed.
            rows: All sessions.
            inside: Tells what is directly in a folder.
        """
        read = [
            (folder, {row.cwd for row in came if row.read and row.cwd})
            for folder, came in batch.came.items()
        ]
        read += [
            (folder_of(new.path), {new.cwd}) for _, new in batch.changed if new.read and new.cwd
        ]
        moved: set[str] = set()
        for folder, cwds in read:
            agreed = self._agreed.get(folder, "")
            if agreed is None:
                continue
            projects = {self._labels.get(cwd) or self._label(cwd) for cwd in cwds}
            if agreed:
                projects.add(agreed)
            if not projects or projects == {agreed}:
                continue
            self._agreed[folder] = projects.pop() if len(projects) == 1 else None
            moved.update(
                other
                for other in inside(folder)
                if (seen := rows.get(other)) is not None and not seen.read
            )
        return moved
