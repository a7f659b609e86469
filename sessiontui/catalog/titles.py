"""The title of a session: which of its titles counts, by omp's order of sources.

The title field of Redis, the slot, the header, the last title an entry gave, a
compaction's short summary, the first line the user wrote, and if there is
none of these `Untitled · HH:MM`. A blank field masks the slot and the header, a
blank slot the header; a blank one of the user's masks what entries gave, too. A title that the
agent made never replaces the user's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from sessiontui.formats.title_slot import TITLE_CHARACTERS, Title, parse_title_field, title_line

if TYPE_CHECKING:
    from datetime import tzinfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Titles(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Every title a session's bytes hold, each one line without control characters."""

    slot: Title | None = None
    """A blank one masks the header's."""
    header: Title | None = None
    entry: Title | None = None
    """What the last `title_change` or `session_info` said, or another agent's like it."""
    summary: str = ""
    """The last compaction's `shortSummary`, or another agent's summary."""
    message: str = ""
    """First line of the first user message."""

    def renamed(self, name: Title) -> Titles:
        """Return these with what another entry says; the agent never outdoes the user."""
        held = self.entry
        if held is not None and held.source == "user" and name.source == "auto" and held.text:
            return self
        return msgspec.structs.replace(self, entry=name)


NO_TITLES = Titles()
_NAMES: Final = ("slot", "header", "entry")


class PackedTitles(msgspec.Struct, frozen=True, gc=False):
    """The titles of a row, packed: most sessions have one title, or none."""

    names: tuple[str, ...]
    """Which fields of `Titles` are the title that was chosen; the others are empty."""
    length: int
    """How much of the first message is its first line."""


def pack_titles(titles: Titles, chosen: Title, first_message: str) -> PackedTitles | Titles:
    """Return what a row with this title and first message keeps of its titles."""
    names = tuple(name for name in _NAMES if getattr(titles, name) is not None)
    naming = _shared_naming(names, len(titles.message))
    return naming if unpack_titles(naming, chosen, first_message) == titles else titles


def unpack_titles(naming: PackedTitles | Titles, chosen: Title, first_message: str) -> Titles:
    """Return the titles of a row that keeps `naming` of them."""
    if isinstance(naming, Titles):
        return naming
    slot, header, entry = (chosen if name in naming.names else None for name in _NAMES)
    message = first_message[: naming.length]
    return Titles(slot=slot, header=header, entry=entry, message=message)


@lru_cache(maxsize=2048)
def _shared_naming(names: tuple[str, ...], length: int) -> PackedTitles:
    return PackedTitles(names, length)


def flat_text(text: str, limit: int = TITLE_CHARACTERS) -> str:
    """Return the beginning of `text` as one line, every run of blanks as one."""
    return " ".join(text[: 4 * limit].split())[:limit].rstrip()


@lru_cache(maxsize=4096)
def shared(text: str) -> str:
    """Return the text, as one string for all sessions in which it was found lately.

    Subagents, forks and scripts begin many sessions with the same words.
    """
    return text


def choose_title(
    titles: Titles, field: bytes | None, *, time_ms: int | None, zone: tzinfo | None = None
) -> Title:
    """Return the title that counts.

    Args:
        titles: What the session's bytes hold.
        field: The title field of Redis as stored, if there is one.
        time_ms: When the session was created, or else changed; for `Untitled · HH:MM`.
        zone: The zone of that time; the user's own where None.
    """
    stored = parse_title_field(field)
    if stored is not None:
        masking = Title(title_line(stored.title), stored.source)
    else:
        masking = titles.slot or titles.header or Title("")
    if masking.text:
        return masking
    if masking.source == "user":
        # Taken away: what entries said before counts no more.
        return Title(titles.message or _untitled(time_ms, zone))
    if titles.entry is not None and titles.entry.text:
        return titles.entry
    return Title(titles.summary or titles.message or _untitled(time_ms, zone))


def _untitled(time_ms: int | None, zone: tzinfo | None) -> str:
    if time_ms is None:
        return "Untitled"
    try:
        moment = (_EPOCH + timedelta(milliseconds=time_ms)).astimezone(zone)
    except (OverflowError, ValueError, OSError):
        return "Untitled"
    return f"Untitled · {moment:%H:%M}"
