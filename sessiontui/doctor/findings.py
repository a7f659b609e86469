"""The doctor's findings, with fixes and undos as values.

Paths and texts are as stored: they pass through `clean` to be shown.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

from sessiontui.formats.title_slot import TitleSource  # noqa: TC001 - read by msgspec
from sessiontui.storage.backend import HashFieldChange, Stat  # noqa: TC001 - read by msgspec

FindingKind = Literal[
    "tail",
    "title-over-header",
    "slot",
    "loose",
    "time",
    "leftover",
    "passed",
    "broken",
    "duplicate",
    "parent",
]


class KindText(NamedTuple):
    """The name, meaning and remedy of a kind of finding."""

    name: str
    meaning: str
    """Why it matters, one or two sentences."""
    remedy: str
    """What a fix does, or what to do where there is none."""


KINDS: Final[dict[FindingKind, KindText]] = {
    "tail": KindText(
        "Missing header",
        "An agent went on writing to a session that was deleted or moved under it. No agent can "
        "open what is left.",
        "It is put at the end of the session it belongs to; the piece goes to the trash.",
    ),
    "title-over-header": KindText(
        "Unreadable title",
        "The title field stands for the first 256 bytes, but this session has no room for a title "
        "there: omp reads the title over its header, and can neither list nor open it.",
        "The session is rewritten with room for the title, unless an agent holds it open.",
    ),
    "broken": KindText(
        "Broken lines",
        "Lines that are not entries. Agents skip them or refuse the session.",
        "Reported only: any repair would lose data.",
    ),
    "duplicate": KindText(
        "Duplicate ids",
        "An agent that resumes by id may open any of them.",
        "Keep the one you need, and delete or export the others.",
    ),
    "slot": KindText(
        "Conflicting titles",
        "The title in the session is not the one in the title field, which counts. omp leaves the "
        "session's behind when it changes a title; that is a note, not a problem.",
        "The field's title is written into the session, in place; its length stays.",
    ),
    "loose": KindText(
        "Orphaned metadata",
        "A deletion left them behind. A session that gets this path later would begin with them.",
        "The fields are removed.",
    ),
    "time": KindText(
        "Missing time",
        "Without a time, or with one that is no number, a session counts as changed just now, "
        "whenever it is looked at.",
        "The time of its last message is set.",
    ),
    "passed": KindText(
        "Skipped entries",
        "It stands where sessions do and can be none: its name or its kind does not allow it. No "
        "list shows it, and no command takes it.",
        "Reported only: it may hold work. Rename or move it yourself.",
    ),
    "leftover": KindText(
        "Orphaned files",
        "Drafts and logs whose session is gone, and backups, locks and unfinished writes that "
        "nobody has touched for a day.",
        "They go to the trash, but for backups whose session is gone.",
    ),
    "parent": KindText(
        "Missing parents",
        "The header names a parent that is not here. Only its place in the list suffers.",
        "No action needed.",
    ),
}
"""In the order in which findings are shown: what costs work comes first."""


class JoinTail(msgspec.Struct, frozen=True, tag="join"):
    """Put a headerless piece at the end of its head."""

    tail: Stat
    head: Stat


class ChangeTimesAndTitles(msgspec.Struct, frozen=True, tag="fields"):
    """Change fields of the two hashes."""

    changes: tuple[HashFieldChange, ...]


class RewriteSlot(msgspec.Struct, frozen=True, tag="slot"):
    """Write over the slot, in place; time and title field stay."""

    path: str
    old: bytes
    new: bytes
    mtime_ms: int


class GiveSlot(msgspec.Struct, frozen=True, tag="give-slot"):
    """Put a slot before a session that has none."""

    stat: Stat
    title: str
    source: TitleSource | None


class Discard(msgspec.Struct, frozen=True, tag="discard"):
    """Move to the trash what is no session."""

    stats: tuple[Stat, ...]


class PutBack(msgspec.Struct, frozen=True, tag="put-back"):
    """Restore something from the trash."""

    item_id: str


class CutBack(msgspec.Struct, frozen=True, tag="cut-back"):
    """Keep only the bytes that a session had."""

    path: str
    start: int
    stop: int
    expected_size: int
    mtime_ms: int
    title: bytes | None = None
    """The title field to set; None leaves it as it is."""


Fix = JoinTail | ChangeTimesAndTitles | RewriteSlot | GiveSlot | Discard
Undo = CutBack | PutBack | ChangeTimesAndTitles | RewriteSlot


class BrokenLine(msgspec.Struct, frozen=True):
    """A broken line."""

    offset: int
    size: int
    reason: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding: something broken, and its fix if there is one."""

    kind: FindingKind
    path: str
    """The session, or the first of several paths."""
    evidence: tuple[str, ...]
    """What was seen, a sentence or two, a line each."""
    others: tuple[str, ...] = ()
    """What else it is about."""
    beside: str | None = None
    """The session that it lies beside, where that is not what it is about."""
    fix: Fix | None = None
    places: tuple[BrokenLine, ...] = ()
    """Broken lines, the first ones."""
    note: bool = False
    """Whether this is how its agent leaves it: worth knowing, and not a problem."""

    @property
    def key(self) -> tuple[FindingKind, str]:
        """What tells it from others."""
        return self.kind, self.path


def waits_for_agents(fix: Fix | None) -> bool:
    """Tell whether a fix is refused while an agent may hold the session open."""
    return isinstance(fix, JoinTail | GiveSlot)


def fix_words(fix: Fix) -> str:
    """Return in plain words what a fix would do."""
    match fix:
        case JoinTail(tail=tail, head=head):
            return f"put its {tail.size:,} bytes at the end of {head.path}"
        case ChangeTimesAndTitles(changes=changes):
            return ", ".join(_field_words(change) for change in changes)
        case RewriteSlot():
            return "write the field's title into the session, in place"
        case GiveSlot(title=title):
            return f"rewrite the session with room for the title “{title}”"
        case Discard(stats=stats):
            return f"move {len(stats)} to the trash" if len(stats) > 1 else "move it to the trash"


def _field_words(change: HashFieldChange) -> str:
    what = "time" if change.kind == "meta" else "title"
    if change.new is None:
        return f"take its {what} away"
    return f"set its {what} to {change.new.decode('utf-8', 'replace')}"
