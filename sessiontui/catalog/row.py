"""One session as the list shows it, and the lines of the list.

Rows are immutable: a change makes a new one (`msgspec.structs.replace`), so a
widget can tell by identity what to repaint. Times are milliseconds since the
epoch, sizes bytes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

import msgspec

from sessiontui.catalog.titles import NO_TITLES, PackedTitles, Titles, unpack_titles
from sessiontui.formats.base import UNKNOWN_AGENT, Agent, OpenCall, RecordedStatus, TurnEnd
from sessiontui.formats.omp import OMP
from sessiontui.formats.registry import AGENTS
from sessiontui.formats.title_slot import Title

Status = Literal[
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


class SessionTail(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The tail of a session: how it ends. Equal ones are one object (`shared_tail`)."""

    ending: TurnEnd | None = None
    """None where no message was found."""
    word: RecordedStatus = "unknown"
    """omp's word for the last message, however far from the end that begins."""
    calls: tuple[OpenCall, ...] = ()
    """Tool calls without a result, the one started last at the end; at most 32."""
    closed: bool = False
    """Whether a `session_exit` follows the last message."""
    exit_kind: str | None = None
    """What the last `session_exit` says where `closed`: normal, signal, fatal, process_exit."""
    answered: bool = False
    """Whether the agent ever answered, as far as is known."""
    quiet: bool = False
    """Whether all of the session was seen, a header is there, and no whole line of it says
    anything; see `is_empty`."""
    rest: bytes | None = b""
    """The line still being written; None where it is too long to keep."""
    leaf: str = ""
    """Id of the last entry; kept only of sessions that grow."""


NO_TAIL = SessionTail()


class Row(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A session's row. Text in it is as stored: pass it through `clean` to show it.

    There may be a hundred thousand: what many have in common is one object, and
    what follows from something else is worked out when it is asked for.
    """

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
    agent: Agent = UNKNOWN_AGENT
    created_ms: int | None = None
    parent: str | None = None
    """The header's `parentSession`: an id or a path."""
    has_slot: bool = False
    """Whether line 1 is a title slot of 256 bytes."""
    first_message: str = ""
    model: str | None = None
    last_message_ms: int | None = None
    naming: PackedTitles | Titles = NO_TITLES
    """Every title its bytes hold, as `pack_titles` wrote it; see `titles`."""
    tail: SessionTail = NO_TAIL
    message_bytes: int | None = None
    """How many bytes before the end of the session the last message's line begins."""
    grew_ms: int | None = None
    """When the feed last saw it grow, by our clock; None if it did not since we look."""
    note: str = ""
    """What an action of ours does with it (`renaming…`), or why the last one failed."""
    failed: bool = False
    """Whether `note` tells a failure."""

    @property
    def titles(self) -> Titles:
        """Every title its bytes hold; `title` is chosen from them and the title field."""
        return unpack_titles(self.naming, Title(self.title, self.title_source), self.first_message)

    @property
    def ending(self) -> TurnEnd | None:
        """How the conversation stands; None where no message was found."""
        return self.tail.ending

    @property
    def calls(self) -> tuple[OpenCall, ...]:
        """Tool calls without a result, the one started last at the end."""
        return self.tail.calls

    @property
    def tool(self) -> str | None:
        """Name of the tool that was started last and has no result."""
        return self.tail.calls[-1].name if self.tail.calls else None

    @property
    def tool_since_ms(self) -> int | None:
        """When that tool was started."""
        return self.tail.calls[-1].since_ms if self.tail.calls else None

    @property
    def closed(self) -> bool:
        """Whether a `session_exit` follows the last message."""
        return self.tail.closed

    @property
    def exit_kind(self) -> str | None:
        """What that `session_exit` says."""
        return self.tail.exit_kind

    @property
    def answered(self) -> bool:
        """Whether the agent ever answered, as far as is known."""
        return self.tail.answered

    @property
    def status(self) -> RecordedStatus:
        """Omp's word: none where the last message begins too far from the end."""
        limit = AGENTS.get(self.agent, OMP).status_bytes
        far = limit is not None and (self.message_bytes is None or self.message_bytes > limit)
        return "unknown" if far else self.tail.word


@lru_cache(maxsize=512)
def shared_tail(tail: SessionTail) -> SessionTail:
    """Return the tail, as one object for all sessions that ended so lately."""
    return tail


@lru_cache(maxsize=4096)
def shared_number(number: int | None) -> int | None:
    """Return the number, as one object for all sessions in which it was found lately."""
    return number


PINNED: Final = "\0pinned"
"""Key of the group of pinned sessions; no project is called so."""

FoldState = Literal["none", "open", "partly", "closed"]
"""Whether there is anything beneath a line, and whether it is shown."""


class GroupLine(msgspec.Struct, frozen=True, gc=False):
    """The heading of a project."""

    key: str
    """The project as it is shown: `~/code/api`."""
    sessions: int
    bytes: int
    time_ms: int
    """When its session modified last was; sorted by creation, when its first was created."""
    fold: FoldState


class RowLine(msgspec.Struct, frozen=True, gc=False):
    """A session's line."""

    row: Row
    depth: int
    """0: directly beneath its project."""
    kind: Literal["session", "fork", "subagent"]
    fold: FoldState
    hidden: int
    """How many sessions beneath it are not shown."""
    project: str
    """Its project where no heading tells it; else empty."""
    pinned: bool = False

    @property
    def key(self) -> str:
        """The session's path."""
        return self.row.path


ListLine = GroupLine | RowLine
