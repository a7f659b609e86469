"""The tail of a session: status, open calls and last title from its last bytes.

Read backwards to the last message that says how the conversation stands, so
that a few lines are decoded whatever the size; then brought on line by line
as the session grows, without reading anything again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from sessiontui.formats.base import MAX_CALLS
from sessiontui.formats.jsonl import Entry
from sessiontui.formats.registry import MARKS, decode_line, signal_of
from sessiontui.formats.title_slot import TITLE_CHARACTERS, Title

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiontui.formats.base import OpenCall, RecordedStatus, Signal, TurnEnd

REST_BYTES: Final = 64 * 1024
"""How much of a line still being written is kept."""
_TEXT: Final = 8 * TITLE_CHARACTERS
_MORE_LINES: Final = 64
"""How many lines before the last message are looked at for the model."""
_NAMING: Final = tuple({mark for marks in MARKS for mark in marks.titles})


class TailFacts(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What the end of a session tells; names as in `Row`."""

    ending: TurnEnd | None = None
    word: RecordedStatus = "unknown"
    message_bytes: int | None = None
    calls: tuple[OpenCall, ...] = ()
    closed: bool = False
    exit_kind: str | None = None
    answered: bool = False
    last_message_ms: int | None = None
    model: str | None = None
    name: Title | None = None
    """The last title that an entry gave."""
    summary: str | None = None
    text: str | None = None
    """What the user wrote first in the entries that were looked at; its beginning."""
    leaf: str = ""
    """Id of the last entry."""
    rest: bytes | None = b""
    enough: bool = True
    """Whether more bytes would not tell more that matters."""


def read_tail(tail: bytes, *, complete: bool) -> TailFacts:
    """Return what the end of a session tells.

    Args:
        tail: Its last bytes; they may begin inside a line.
        complete: Whether these are all its bytes.
    """
    end = tail.rfind(b"\n") + 1
    state = TailState(TailFacts())
    if end or complete:
        rest: bytes | None = tail[end:] if len(tail) - end <= REST_BYTES else None
    else:
        rest = None
    branch = ActiveBranch()
    seen = _look_back(tail, end, complete, branch)
    # Where the branch cannot be followed to a message, the last one in the file counts.
    everything = branch.is_lost and not any(
        active and sign.ending for line in seen for _, sign, active in line.signs
    )
    for line in reversed(seen):
        state.take(line, len(tail) - line.start, everything=everything)
    state.leaf = branch.leaf
    return state.facts(
        rest=rest, enough=complete or (state.ending is not None and rest is not None)
    )


class ActiveBranch:
    """The active branch: tells of each entry, the last one first, whether it is on it.

    Entries without a link, as other agents write them, always are.
    """

    def __init__(self) -> None:
        self.leaf = ""
        """Id of the last entry."""
        self._wanted: str | None = None

    @property
    def is_lost(self) -> bool:
        """Whether the branch goes on where no entry was found."""
        return self._wanted is not None

    def holds(self, entry: Entry) -> bool:
        """Tell whether the next entry towards the beginning is on the branch."""
        link = parent_link(entry)
        if link is None or (not self.leaf and link.parent is None and entry.type != "message"):
            return True
        if self.leaf and link.id != self._wanted:
            return False
        self.leaf = self.leaf or link.id
        self._wanted = link.parent
        return True


class ParentLink(NamedTuple):
    """The id of an entry, and of the one it follows."""

    id: str
    parent: str | None


def parent_link(entry: Entry) -> ParentLink | None:
    """Return the link of an entry; None where it has none."""
    data = entry.data
    identity, parent = data.get("id"), data.get("parentId")
    if entry.type == "session" or not isinstance(identity, str) or "parentId" not in data:
        return None
    return ParentLink(identity, parent if isinstance(parent, str) else None)


class _Line(NamedTuple):
    """What one line tells."""

    start: int
    signs: list[tuple[Entry, Signal, bool]]
    """Its entries that tell something, each with that and whether it is on the active branch."""
    single: bool
    """Whether it holds one object alone; omp reads no others."""


def _look_back(tail: bytes, end: int, complete: bool, branch: ActiveBranch) -> list[_Line]:
    """Return the lines that matter, the last one first."""
    seen: list[_Line] = []
    naming = any(mark in tail for mark in _NAMING)
    anchored = worded = modelled = False
    further = 0
    while end > 0:
        start = tail.rfind(b"\n", 0, end - 1) + 1
        raw, end = tail[start : end - 1], start
        if anchored and worded and (modelled or further >= _MORE_LINES):
            if not naming:
                break
            if not any(mark in raw for mark in _NAMING):
                continue
        further += anchored
        line = _read(raw, start, branch.holds, whole=complete or start > 0)
        if not line.signs:
            continue
        seen.append(line)
        worded = worded or (line.single and line.signs[0][1].word is not None)
        signs = [sign for _, sign, active in line.signs if active]
        modelled = modelled or any(sign.model for sign in signs)
        anchored = anchored or any(_settles(sign) for sign in signs)
    return seen


def _read(raw: bytes, start: int, holds: Callable[[Entry], bool], *, whole: bool) -> _Line:
    """Return what a line tells; one that is cut in front counts only if it decodes."""
    items = decode_line(raw, start)
    entries = [item for item in items if isinstance(item, Entry)]
    if not whole and len(entries) < len(items):
        return _Line(start, [], False)
    linked = [(entry, holds(entry)) for entry in reversed(entries)]
    signs = [
        (entry, sign, active)
        for entry, active in reversed(linked)
        if (sign := signal_of(entry)) is not None
    ]
    return _Line(start, signs, len(items) == 1)


def _settles(sign: Signal) -> bool:
    """Tell whether nothing before this entry matters for how the conversation stands."""
    return bool(sign.calls) or sign.ending not in (None, "calls", "results")


class TailState:
    """The tail of a session while entries are added to it.

    Args:
        facts: What was known so far.
    """

    def __init__(self, facts: TailFacts) -> None:
        self.ending = facts.ending
        self.name = facts.name
        self._word = facts.word
        self._message_bytes = facts.message_bytes
        self._calls = list(facts.calls)
        self._exit_kind = facts.exit_kind if facts.closed else None
        self._answered = facts.answered
        self._last_message_ms = facts.last_message_ms
        self._model = facts.model
        self._summary = facts.summary
        self._text = facts.text
        self.leaf = facts.leaf
        self.branched = False
        """Whether entries came that do not follow the last one: another branch is active."""

    def grow(self, size: int) -> None:
        """Note that the session is `size` bytes longer."""
        if self._message_bytes is not None:
            self._message_bytes += size

    def take_line(self, line: bytes, before_end: int) -> None:
        """Add a whole line that begins this many bytes before the end of the session."""
        self.take(_read(line, 0, self._follows, whole=True), before_end)

    def _follows(self, entry: Entry) -> bool:
        """Take note of an entry that came; what it tells counts until all is read again."""
        link = parent_link(entry)
        if link is not None:
            other = link.parent != self.leaf if self.leaf else entry.type == "branch_summary"
            self.branched = self.branched or other
            self.leaf = link.id
        return True

    def take(self, line: _Line, before_end: int, *, everything: bool = False) -> None:
        """Add what the entries of one line tell; of other branches only omp's word and names."""
        for entry, sign, active in line.signs:
            if sign.word is not None and line.single:
                self._word, self._message_bytes = sign.word, before_end
            if active or everything:
                if sign.word is not None:
                    self._exit_kind = None
                    self._last_message_ms = entry.timestamp_ms or self._last_message_ms
                self._converse(sign)
                self._exit_kind = sign.exit_kind or self._exit_kind
                self._model = sign.model or self._model
            self._summary = sign.summary or self._summary
            if sign.name is not None and not self._outdone(sign.name):
                self.name = sign.name
            if self._text is None and sign.text and (text := sign.text[:_TEXT].strip()):
                self._text = text

    def facts(self, *, rest: bytes | None, enough: bool = True) -> TailFacts:
        """Return what is known now."""
        return TailFacts(
            ending=self.ending,
            word=self._word,
            message_bytes=self._message_bytes,
            calls=tuple(self._calls),
            closed=self._exit_kind is not None,
            exit_kind=self._exit_kind,
            answered=self._answered,
            last_message_ms=self._last_message_ms,
            model=self._model,
            name=self.name,
            summary=self._summary,
            text=self._text,
            leaf=self.leaf,
            rest=rest,
            enough=enough,
        )

    def _converse(self, sign: Signal) -> None:
        if sign.calls or sign.ending not in (None, "calls", "results"):
            self._calls = list(sign.calls)
        if sign.returned:
            self._calls = [call for call in self._calls if call.id not in sign.returned]
        if sign.started:
            ids = {call.id for call in sign.started}
            kept = [call for call in self._calls if call.id not in ids]
            self._calls = (kept + list(sign.started))[-MAX_CALLS:]
        if sign.ending is not None:
            self.ending = sign.ending
            self._answered = self._answered or sign.ending != "user"

    def _outdone(self, name: Title) -> bool:
        held = self.name
        return held is not None and held.source == "user" and name.source == "auto"
