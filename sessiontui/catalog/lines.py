"""The lines of the list, as values."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from sessiontui.catalog.row import Row  # noqa: TC001  (msgspec reads it)

PINNED: Final = "\0pinned"
"""Key of the group of pinned sessions; no project is called so."""

Fold = Literal["none", "open", "partly", "closed"]
"""Whether there is anything beneath a line, and whether it is shown."""


class GroupLine(msgspec.Struct, frozen=True, gc=False):
    """A project's heading."""

    key: str
    """The project as it is shown: `~/code/api`."""
    sessions: int
    bytes: int
    time_ms: int
    """When its session modified last was; sorted by creation, when its first was created."""
    fold: Fold


class RowLine(msgspec.Struct, frozen=True, gc=False):
    """A session's line."""

    row: Row
    depth: int
    """0: directly beneath its project."""
    kind: Literal["session", "fork", "subagent"]
    fold: Fold
    hidden: int
    """How many sessions beneath it are not shown."""
    project: str
    """Its project where no heading tells it; else empty."""
    pinned: bool = False

    @property
    def key(self) -> str:
        """The session's path."""
        return self.row.path


Line = GroupLine | RowLine
