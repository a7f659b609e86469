"""One session as the list shows it.

Rows are immutable: a change makes a new one (`msgspec.structs.replace`), so a
widget can tell by identity what to repaint. Times are milliseconds since the
epoch, sizes bytes.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from sessiontui.catalogue.titles import NO_TITLES, Titles

Agent = Literal["omp", "pi", "claude", "codex", "unknown"]

Ending = Literal["user", "answer", "calls", "results", "error", "aborted", "cut"]
"""How the conversation stands after its last message, whichever agent wrote it: the
user spoke; the agent answered, called tools, failed, was aborted or ran out of
tokens; a tool returned."""

Status = Literal["complete", "interrupted", "pending", "error", "aborted", "unknown"]
"""omp's six words, by omp's rule."""

Activity = Literal[
    "running",
    "thinking",
    "waiting",
    "stalled",
    "exited",
    "crashed",
    "error",
    "aborted",
    "done",
    "unknown",
]
"""What the session is doing at the moment; told from the tail, the clock and the feed."""


class Call(msgspec.Struct, frozen=True, gc=False):
    """A tool call without a result."""

    id: str
    name: str
    since_ms: int | None


class Row(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A session's row. Text in it is as stored: pass it through `clean` to show it."""

    path: str
    size: int
    mtime_ms: int
    title_field: bytes | None = None
    """The title hash field as stored (JSON)."""

    read: bool = False
    """Whether head and tail have been read; until then only the index is known."""
    id: str | None = None
    title: str = ""
    """By omp's order of sources; empty while unread."""
    title_source: Literal["user", "auto"] | None = None
    cwd: str | None = None
    """The header's working directory; None without a header."""
    agent: Agent = "unknown"
    created_ms: int | None = None
    parent: str | None = None
    """The header's `parentSession`: an id or a path."""
    has_slot: bool = False
    """Whether line 1 is a title slot of 256 bytes."""
    first_message: str = ""
    model: str | None = None
    status: Status = "unknown"
    tool: str | None = None
    """Name of the tool that was started last and has no result."""
    tool_since_ms: int | None = None
    closed: bool = False
    """Whether a `session_exit` follows the last message."""
    last_message_ms: int | None = None
    titles: Titles = NO_TITLES
    """Every title its bytes hold; `title` is chosen from them and the title field."""
    ending: Ending | None = None
    """None where no message was found."""
    calls: tuple[Call, ...] = ()
    """Tool calls without a result, the one started last at the end; at most 32."""
    exit_kind: str | None = None
    """What the last `session_exit` says where `closed`: normal, signal, fatal, process_exit."""
    answered: bool = False
    """Whether the agent ever answered, as far as is known."""
    word: Status = "unknown"
    """omp's word for the last message, however far from the end that begins."""
    message_bytes: int | None = None
    """How many bytes before the end of the session the last message's line begins."""
    rest: bytes | None = b""
    """The line still being written; None where it is too long to keep."""
    grew_ms: int | None = None
    """When the feed last saw it grow, by our clock; None if it did not since we look."""
    note: str = ""
    """What an action of ours does with it (`renaming…`), or why the last one failed."""
    failed: bool = False
    """Whether `note` tells a failure."""
