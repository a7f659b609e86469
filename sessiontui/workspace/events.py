"""State and events of a workspace: immutable values for the app and the command line."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from sessiontui.storage.backend import FeedState, Stat
from sessiontui.text import one_line

ProblemKind = Literal["unreachable", "password", "permission", "missing", "file", "invalid"]


class Problem(msgspec.Struct, frozen=True):
    """A problem with the source; cleared when it can be shown."""

    kind: ProblemKind
    message: str
    """What the system said, one line, safe to show, without any secret."""
    hint: str
    """What to do about it, one sentence."""
    retry_s: float | None = None
    """Seconds until it is tried again by itself; None if that would not help."""


class WorkspaceState(msgspec.Struct, frozen=True):
    """The state of a workspace, for the header."""

    feed: FeedState = FeedState(tier="none", live=False)
    loading: bool = True
    """Whether the first index is still being read."""
    sessions: int = 0
    bytes: int = 0
    running: int = 0
    waiting: int = 0
    pending: int = 0
    """Writes that the source has not confirmed yet."""
    read_only: str | None = None
    """Why nothing may be changed, in a few plain words; None where something may."""
    problem: Problem | None = None
    last_error: str | None = None
    """The last failure of an action or of the feed, safe to show."""
    warnings: tuple[str, ...] = ()
    """What the source holds that is not shown, and why; the newest 100."""


class Diagnostics(msgspec.Struct, frozen=True):
    """Diagnostics of a workspace: queues and caches."""

    batches: int
    """Batches of changes applied so far."""
    changes: int
    """Changes applied so far."""
    rows_waiting: int
    """Rows in the queue to be read."""
    pending: int
    """Writes that are not confirmed."""
    bytes_read: int
    """Bytes of sessions read so far, those of the feed aside."""
    bytes_cached: int
    bytes_open: int
    """Bytes of open transcripts in memory."""


class RowsChanged(msgspec.Struct, frozen=True):
    """These rows came, went, moved or look different; None: all of them may."""

    paths: frozenset[str] | None


class StateChanged(msgspec.Struct, frozen=True):
    """`Workspace.state` was replaced."""


class DocumentChanged(msgspec.Struct, frozen=True):
    """An open transcript grew or was rewritten."""

    path: str


class DocumentGone(msgspec.Struct, frozen=True):
    """The session of an open transcript was removed, or moved to `new_path` and stays open."""

    path: str
    new_path: str | None = None


Update = RowsChanged | StateChanged | DocumentChanged | DocumentGone


class SessionInUse(msgspec.Struct, frozen=True):
    """A session that may be in use by a running agent."""

    path: str
    title: str
    reason: str
    """In plain words: `grew 12 s ago`."""


class DeletePlan(msgspec.Struct, frozen=True):
    """The plan of a deletion: what it would move to the trash."""

    paths: tuple[str, ...]
    """The sessions."""
    stats: tuple[tuple[Stat, ...], ...]
    """For each session everything that goes with it, itself first."""
    held: tuple[SessionInUse, ...]

    @property
    def count(self) -> int:
        """Number of keys or files."""
        return sum(len(stats) for stats in self.stats)

    @property
    def bytes(self) -> int:
        """Bytes of all of them together."""
        return sum(stat.size for stats in self.stats for stat in stats)

    def without_held(self) -> DeletePlan:
        """Return the plan for the sessions that no agent holds open."""
        held = {item.path for item in self.held}
        kept = [
            (path, stats)
            for path, stats in zip(self.paths, self.stats, strict=True)
            if path not in held
        ]
        return DeletePlan(
            paths=tuple(path for path, _ in kept), stats=tuple(stats for _, stats in kept), held=()
        )


def told_once(name: str, error: BaseException) -> str:
    """Return what an error says, behind the name of what it is about unless it tells that itself.

    Args:
        name: A path, or a title in quotes.
        error: What went wrong.
    """
    name, reason = one_line(name), error_reason(error)
    # Not where the name is only the beginning of another one.
    is_told = re.search(rf"(?<!\S){re.escape(name)}(?=$|[\s:;,)])", reason) is not None
    return reason if is_told else f"{name}: {reason}"


def error_reason(error: BaseException) -> str:
    """Return what an error says, as one line that is safe to show."""
    return one_line(str(error)) or type(error).__name__
