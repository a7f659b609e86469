"""Change events of sessions, as exact deltas.

Applied in order to the state that was there when the subscription began,
they give the state that is there now: nothing is missed, nothing doubled.
Offsets and sizes are bytes, times are integer milliseconds since the epoch.
"""

from __future__ import annotations

from typing import Final

import msgspec

_SUFFIX: Final = ".jsonl"
_NAMELESS: Final = ("/.jsonl", "/..jsonl", "/...jsonl")
"""Their own folder would be the one they lie in, or the one above."""


class Created(msgspec.Struct, frozen=True, gc=False):
    """A session appeared."""

    path: str
    size: int
    mtime_ms: int
    title: bytes | None = None
    """Value of the title hash field as stored (JSON), if there is one."""


class Appended(msgspec.Struct, frozen=True, gc=False):
    """Bytes were added at the end; a line may come in several pieces."""

    path: str
    start: int
    """Offset of the first new byte; the size before."""
    data: bytes
    mtime_ms: int


class Rewritten(msgspec.Struct, frozen=True, gc=False):
    """The bytes changed in another way than by growing: forget what was read."""

    path: str
    size: int
    mtime_ms: int


class Removed(msgspec.Struct, frozen=True, gc=False):
    """A session is gone."""

    path: str


class Renamed(msgspec.Struct, frozen=True, gc=False):
    """A session moved, bytes unchanged."""

    path: str
    """Where it was."""
    new_path: str
    mtime_ms: int


class Retitled(msgspec.Struct, frozen=True, gc=False):
    """The title hash field changed; the bytes may have too (then `Rewritten` comes as well)."""

    path: str
    title: bytes | None
    """The field as stored (JSON), or None when it is gone."""
    mtime_ms: int


Change = Created | Appended | Rewritten | Removed | Renamed | Retitled


def is_session(path: str) -> bool:
    """Tell whether a path is a session's; drafts and logs beside one are not."""
    return path.endswith(_SUFFIX) and not f"/{path}".endswith(_NAMELESS)


def why_no_session(path: str) -> str | None:
    """Return why nothing of this path can be a session or belong to one; None where it may."""
    if f"/{path}".endswith(_NAMELESS):
        return "there is no name before .jsonl"
    if path.endswith("/"):
        return "it ends with a slash"
    return None if path else "it is empty"
