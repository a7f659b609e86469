"""Branch filter: which lines of a session one branch has, as far as lines were looked at.

Every entry names the one it follows, and that stands further up: omp and pi store `id` and
`parentId`, Claude Code `uuid` and `parentUuid`; Codex, and pi in its first version, store a
plain list. So one way up from the end of a branch tells its entries from those of others, a
line at a time and without an index: what is known is one piece of the session, `top` to
`bottom`. Where the session's end is not at hand, the last entry that is counts as the
branch's end. Offsets are bytes from the start of the session.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from sessiontui.formats.base import UNKNOWN_PARENT, EntryLink
from sessiontui.formats.jsonl import BadLine
from sessiontui.formats.registry import decode_line, link_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiontui.formats.jsonl import Item


class LineLinks(NamedTuple):
    """The links of a line's entries."""

    offset: int
    stop: int
    """Offset after it and its newline."""
    links: tuple[EntryLink, ...]
    ended: bool = True
    """Whether it has its newline."""


def entry_links(found: Sequence[Item]) -> tuple[EntryLink, ...]:
    """Return the links that the entries of one line are."""
    return tuple(map(link_of, found))


class _Ids(msgspec.Struct, gc=False):
    """What is read of a line of omp or pi where only its links matter."""

    type: str
    id: str
    parentId: str | None  # noqa: N815 - as it is stored
    firstKeptEntryId: str = ""  # noqa: N815


_ids = msgspec.json.Decoder(_Ids).decode


def scan_entry_links(raw: bytes, offset: int, size: int) -> tuple[EntryLink, ...]:
    """Return the links of a line as `entry_links` does, from its bytes and faster.

    Args:
        raw: The line, or its beginning.
        offset: Where it begins.
        size: Its true length.
    """
    try:
        found = _ids(raw)
    except (ValueError, RecursionError):
        return entry_links(decode_line(raw, offset, size=size))
    if not found.id or raw.find(b'"uuid"', 0, 4096) >= 0:
        return entry_links(decode_line(raw, offset, size=size))
    if found.type == "compaction":
        kept = found.firstKeptEntryId
        return (EntryLink("entry", found.id, found.parentId, "compaction", kept),)
    if found.type == "reset_boundary":
        return (EntryLink("entry", found.id, found.parentId, "reset"),)
    return (EntryLink("entry", found.id, found.parentId),)


MAX_HIDDEN_RANGES = 10_000
"""How many pieces of other branches are told apart; beyond, everything shows."""
_MAX_NUMBERED = 200_000
_MAX_OPEN = 20_000
"""How many entries that others follow are remembered until they are come by."""


class HiddenRange(NamedTuple):
    """A hidden range: consecutive lines that are not shown."""

    start: int
    stop: int
    entries: int
    """How many it has."""
    whole: bool = True
    """Whether nothing before `start` may belong to it."""
    context: bool = False
    """Whether it is left out because the model does not see it."""


class BranchTip(NamedTuple):
    """The tip of a branch: its last entry."""

    offset: int
    id: str


class BranchFilter:
    """The branch filter: shows one branch, or of it only what the model sees."""

    def __init__(self) -> None:
        self.choice: BranchTip | None = None
        """The branch that was chosen; None for the one that the session goes on in."""
        self.context = False
        """Whether only what the model sees is shown."""
        self.version = 0
        """Rises when lines show in another way that were looked at before."""
        self.switched = False
        """Whether the session went on in another branch; who tells of it sets it back."""
        self.elsewhere = 0
        """How many entries came in other branches than the chosen one."""
        self.reset()

    def reset(self) -> None:
        """Know nothing."""
        self.top = self.bottom = -1
        self.stale = False
        """Whether what is known has to be found out anew, from the bottom up."""
        self.forks: dict[int, int] = {}
        """How many other branches leave at lines of this one."""
        self._starts: list[int] = []
        self._stops: list[int] = []
        self._counts: list[int] = []
        self._opened: set[int] = set()
        self._touched: set[int] = set()
        self._full = False
        self._tip: str | None = None
        self._sidechain: set[str] = set()
        self._started = False
        self._wanted: str | None = None
        self._gap = self._near = self._growing = False
        self._groups: set[str] = set()
        self._followed: dict[str, int] = {}
        self._last_shown = 0
        self._seen_from: int | None = None
        self._compaction: int | None = None
        self._kept = ""
        self._kept_number = -1
        self._numbered: list[int] = []
        """Where entries without id begin, from a compaction that kept one of them upwards."""
        self._unknown = False

    # -- what is shown

    def stretch(self, offset: int) -> HiddenRange | None:
        """Return the stretch that keeps the line at `offset` from view, folded or not."""
        if self.context and self._seen_from is not None and offset < self._seen_from:
            return HiddenRange(0, self._seen_from, 0, context=True)
        number = bisect_right(self._starts, offset) - 1
        if number < 0 or offset >= self._stops[number]:
            return None
        whole = number > 0 or not self._growing or self.top == 0
        return HiddenRange(self._starts[number], self._stops[number], self._counts[number], whole)

    def hides(self, offset: int) -> bool:
        """Return whether a line is kept from view, folded as things are."""
        found = self.stretch(offset)
        return found is not None and found.stop not in self._opened

    @property
    def hides_some(self) -> bool:
        """Whether there may be anything that is not shown."""
        return bool(self._starts) or (self.context and self._seen_from is not None)

    def is_open(self, stretch: HiddenRange) -> bool:
        """Return whether a stretch is unfolded."""
        return stretch.stop in self._opened

    def toggle(self, stretch: HiddenRange) -> None:
        """Fold or unfold a stretch."""
        self._opened ^= {stretch.stop}
        self.version += 1

    def reveal(self, offset: int) -> None:
        """Unfold what keeps a line from view."""
        found = self.stretch(offset)
        if found is not None and not self.is_open(found):
            self.toggle(found)

    @property
    def sealed(self) -> bool:
        """Whether nothing from `top` upwards shows until it is unfolded."""
        seen = self._seen_from
        return self.context and seen is not None and seen not in self._opened and self.top < seen

    def choose(self, choice: BranchTip | None) -> None:
        """Show another branch; what is known of this one counts no more."""
        self.choice = choice
        self.elsewhere = 0
        self.stale = True

    def show_context(self, *, alone: bool) -> None:
        """Show only what the model sees, or everything."""
        self.context = alone
        self.version += 1

    def take_touched(self) -> set[int]:
        """Return where stretches begin that grew since the last call, and forget them."""
        touched, self._touched = self._touched, set()
        return touched

    # -- finding out

    def take(self, lines: Sequence[LineLinks], *, live: bool = False) -> None:
        """Look at lines in a row, those that are new above or below what is known.

        Args:
            lines: In order; they touch what is known, or nothing is known.
            live: Whether they were written just now.
        """
        if self.stale or not lines:
            return
        if self.top < 0:
            last = lines[-1]
            torn = not last.ended and any(link.role == "unknown" for link in last.links)
            self.top = self.bottom = last.offset if torn else last.stop
        if lines[0].offset < self.top:
            for line_links in reversed(lines):
                if line_links.offset < self.top:
                    self._climb(line_links)
        if lines[-1].offset >= self.bottom:
            for line_links in lines:
                if line_links.offset >= self.bottom and not self._follow(line_links, live=live):
                    break
        if self.top == 0:
            self._arrive()

    def again(self, lines: Sequence[LineLinks]) -> None:
        """Find out anew, from all lines at hand; what was unfolded stays so."""
        opened = self._opened
        self.reset()
        self._opened = opened
        self.take(lines)
        self.version += 1

    def _climb(self, line_links: LineLinks) -> None:
        """Look at the next line further up."""
        self.top = line_links.offset
        hidden = shown = 0
        for link in reversed(line_links.links):
            on = self._meet(line_links.offset, link)
            shown += on
            hidden += not on
            if on and (link.cut or self._compaction is not None):
                self._look_back(line_links.offset, link)
        if hidden and not shown:
            self._hide(line_links, hidden)
        elif shown:
            self._growing = False
            self._groups.clear()

    def _meet(self, offset: int, link: EntryLink) -> bool:
        """Return whether an entry shows; the next one to be met may be another one then."""
        if link.role == "unlinked":
            return True
        if link.role == "unknown":
            self._gap = self._gap or self._near
            return True
        on = link.id == self._wanted if self._started else self._begins(offset, link)
        if link.role == "sidechain":
            if on and self._started:
                self._wanted = link.parent
            others = self._followed.pop(link.id, 0)
            if others and link.parent:
                self._followed[link.parent] = self._followed.get(link.parent, 0) + others
            return True
        if not on and not (self._gap and self._started):
            self._near = self._gap = False
            self._followed.pop(link.id, None)
            if link.parent and len(self._followed) < _MAX_OPEN:
                self._followed[link.parent] = self._followed.get(link.parent, 0) + 1
            self._groups.add(link.group)
            return False
        self._join(offset, link)
        return True

    def _begins(self, offset: int, link: EntryLink) -> bool:
        """Return whether the branch ends with this entry."""
        choice = self.choice
        if choice is not None and choice.offset < self.bottom:
            return choice == (offset, link.id)
        return link.role == "entry"

    def _join(self, offset: int, link: EntryLink) -> None:
        """Take an entry for one of the branch."""
        if not self._started:
            self._started, self._tip = True, link.id
        if self._growing and link.group and self._groups == {link.group}:
            # Calls made at once are one message; one of their results alone is followed.
            del self._starts[0], self._stops[0], self._counts[0]
            self._followed.pop(link.id, None)
        others = self._followed.pop(link.id, 0)
        if others and len(self.forks) < MAX_HIDDEN_RANGES:
            self.forks[offset] = others
        self._wanted, self._near = link.parent, True
        self._gap = link.parent == UNKNOWN_PARENT
        self._last_shown = offset

    def _look_back(self, offset: int, link: EntryLink) -> None:
        """Find out from where on the model sees the branch."""
        if self._seen_from is not None:
            return
        keeps = link.kept or link.kept_number >= 0
        if link.cut == "reset" or (link.cut and not keeps and self._compaction is None):
            self._seen_from = offset
        elif self._compaction is None:
            self._compaction, self._kept = offset, link.kept
            self._kept_number = link.kept_number
        elif self._kept_number >= 0 and len(self._numbered) < _MAX_NUMBERED:
            self._numbered.append(offset)
        elif link.id == self._kept:
            self._seen_from = offset
        if self._seen_from is not None and self.context:
            self.version += 1

    def _hide(self, line_links: LineLinks, count: int) -> None:
        if self._growing:
            self._starts[0] = line_links.offset
            self._counts[0] += count
        elif len(self._starts) < MAX_HIDDEN_RANGES and not self._full:
            self._starts.insert(0, line_links.offset)
            self._stops.insert(0, line_links.stop)
            self._counts.insert(0, count)
            self._growing = True
        else:
            self._full = True

    def _arrive(self) -> None:
        """Take note that nothing is further up."""
        if self._compaction is not None and self._seen_from is None:
            found = self._numbered[::-1]
            known = 0 <= self._kept_number < len(found) < _MAX_NUMBERED
            self._seen_from = found[self._kept_number] if known else self._compaction
            self.version += self.context
        if self._wanted and self._started:
            # What the branch followed is not there: what came before shows.
            while self._stops and self._stops[0] <= self._last_shown:
                del self._starts[0], self._stops[0], self._counts[0]
                self.version += 1
            self._wanted = None

    # -- growth

    def just_follows(self, found: Sequence[Item], offset: int, stop: int) -> bool:
        """Look at the next line further down if it is what it is nearly always.

        Args:
            found: The entries of the line.
            offset: Where it begins.
            stop: Where it ends.

        Returns:
            Whether it is, and nothing else has to be done about it.
        """
        if len(found) != 1 or offset != self.bottom or self.stale:
            return False
        item = found[0]
        if isinstance(item, BadLine) or item.type != "message":
            return False
        if item.parent_id != self._tip or not item.parent_id or not item.id or "uuid" in item.data:
            return False
        self._tip, self._unknown, self.bottom = item.id, False, stop
        if self._sidechain:
            self._sidechain.clear()
        return True

    def _follow(self, line_links: LineLinks, *, live: bool) -> bool:
        """Look at the next line further down; return whether what is known still counts."""
        if not line_links.ended and any(link.role == "unknown" for link in line_links.links):
            return True  # Still being written.
        hidden = shown = 0
        for link in line_links.links:
            if link.role == "unknown":
                self._unknown = True
            elif link.role == "sidechain":
                near = link.parent == self._tip or link.parent in self._sidechain
                if near and len(self._sidechain) < _MAX_OPEN:
                    self._sidechain.add(link.id)
            elif link.role == "unlinked":
                self._cut_off(line_links.offset, link)
            elif self._goes_on(link):
                shown += 1
                self._tip, self._unknown = link.id, False
                self._sidechain.clear()
                self._cut_off(line_links.offset, link)
            elif self.choice is None or line_links.offset <= self.choice.offset:
                self.stale = True
                self.switched = self.switched or live
                return False
            else:
                hidden += 1
        if self.stale:
            return False
        self.bottom = line_links.stop
        if hidden and not shown:
            self.elsewhere += hidden if live else 0
            self._hide_below(line_links, hidden)
        return True

    def _goes_on(self, link: EntryLink) -> bool:
        if self._tip is None:
            return self.choice is None
        known = link.parent == self._tip or (link.parent is not None and self._unknown)
        return known or link.parent == UNKNOWN_PARENT or link.parent in self._sidechain

    def _cut_off(self, offset: int, link: EntryLink) -> None:
        keeps = link.kept or link.kept_number >= 0
        if link.cut == "reset" or (link.cut and not keeps):
            self._seen_from = offset
            self.version += self.context
        elif link.cut:
            self.stale = True

    def _hide_below(self, line_links: LineLinks, count: int) -> None:
        if self._stops and self._stops[-1] == line_links.offset:
            if self._stops[-1] in self._opened:
                self._opened ^= {self._stops[-1], line_links.stop}
            self._stops[-1] = line_links.stop
            self._counts[-1] += count
            self._touched.add(self._starts[-1])
        elif len(self._starts) < MAX_HIDDEN_RANGES:
            self._starts.append(line_links.offset)
            self._stops.append(line_links.stop)
            self._counts.append(count)
