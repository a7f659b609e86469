"""The branches of a session, found in one pass up from its end.

An entry that nobody further down follows is the last one of a branch. Only what
each branch waits for is remembered, so a session of any length takes little memory,
and the newest branch is known at once. Offsets are bytes from the start.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sessiontui.formats.base import UNKNOWN_PARENT
from sessiontui.formats.registry import blocks_of, decode_line
from sessiontui.transcript.branch_filter import scan_entry_links
from sessiontui.transcript.pages import PAGE_BYTES, STEP_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from sessiontui.formats.base import EntryLink
    from sessiontui.transcript.pages import ReadRange

MAX_BRANCHES = 2000
"""How many branches are told apart at most."""
_LINES_AT_ONCE = 400
"""How many lines are looked at before others have their turn."""
_MAX_TRIES = 50
"""How many entries from a branch's end on are looked through for its last words."""


@dataclass(slots=True)
class Branch:
    """A branch of a session, as far as it is known."""

    offset: int
    """Where the line of its last entry begins."""
    id: str
    """Of that entry."""
    time_ms: int | None = None
    """When that was written, milliseconds since the epoch."""
    entries: int = 0
    """How many it has that no newer branch has too."""
    words: str = ""
    """What was said last, one safe line."""
    newest: bool = False
    """Whether the session goes on in it."""
    parted: bool = False
    """Whether it was followed up to where it leaves a newer branch, or to its beginning."""
    groups: set[str] = field(default_factory=set)
    tries: int = 0


class Branches:
    """Looks for the branches of a session.

    Args:
        read: Reads bytes of the session.
        size: Its length.
    """

    def __init__(self, read: ReadRange, size: int) -> None:
        self.found: list[Branch] = []
        """The newest first."""
        self.full = False
        """Whether there are more than are told."""
        self.offset = size
        """Where what was looked at begins."""
        self._read = read
        self._awaited: dict[str, list[Branch]] = {}
        self._last: tuple[str, list[Branch]] | None = None
        """Whom the last entry that was met belongs to, and what they wait for."""
        self._gap = False

    async def run(self) -> AsyncGenerator[int]:
        """Look on, and yield now and then how far up it is.

        Raises:
            StorageError: The backend could not read.
        """
        head, unheld = b"", 0
        while self.offset:
            start = max(0, self.offset - STEP_BYTES)
            data = await self._read(start, self.offset)
            if len(data) < self.offset - start:
                return  # The session is shorter now.
            data += head
            first = data.find(b"\n") + 1 if start else 0
            if start and not first:
                # One long line: of it the beginning alone tells anything.
                unheld += len(data) - min(len(data), PAGE_BYTES)
                head = data[:PAGE_BYTES]
                self.offset = start
            else:
                async for _ in self._lines(data[first:], start + first, unheld):
                    yield start
                head, unheld = data[:first], 0
                self.offset = start
            yield start
            await asyncio.sleep(0)

    async def _lines(self, data: bytes, base: int, unheld: int) -> AsyncGenerator[None]:
        """Meet the entries of the lines of `data`, the last one first."""
        for number, (first, raw) in enumerate(_upwards(data), 1):
            missing = unheld if first + len(raw) >= len(data) else 0
            if raw:
                self._meet_line(raw, base + first, len(raw) + missing)
            if number % _LINES_AT_ONCE == 0:
                await asyncio.sleep(0)
                yield

    def _meet_line(self, raw: bytes, offset: int, size: int) -> None:
        for link in reversed(scan_entry_links(raw, offset, size)):
            if link.role == "unknown":
                self._gap = self._gap or self._last is not None
            elif link.role != "unlinked":
                self._meet(link, raw, offset, size)

    def _meet(self, link: EntryLink, raw: bytes, offset: int, size: int) -> None:
        who = self._awaited.pop(link.id, None)
        if link.role == "sidechain":
            if who is not None:
                self._await(link, who)
            return
        if who is None and self._gap and self._last is not None:
            awaited, who = self._last
            self._awaited.pop(awaited, None)
        self._gap = False
        if who is None:
            if len(self.found) >= MAX_BRANCHES:
                self.full = True
                return
            who = [Branch(offset, link.id, newest=not self.found)]
            self.found += who
        for branch in who[1:]:
            branch.parted = True
            if link.group and branch.groups == {link.group}:
                self.found.remove(branch)  # Calls made at once: one message.
        branch = who[0]
        branch.parted = branch.parted or len(who) > 1
        if not branch.parted:
            branch.entries += 1
            branch.groups.add(link.group)
        if not branch.words and branch.tries < _MAX_TRIES:
            branch.tries += 1
            _describe(branch, raw, offset, size)
        self._await(link, [branch])

    def _await(self, link: EntryLink, who: list[Branch]) -> None:
        self._last = (link.parent or UNKNOWN_PARENT, who)
        self._gap = link.parent == UNKNOWN_PARENT
        if link.parent:
            self._awaited.setdefault(link.parent, []).extend(who)
        elif link.parent is None:
            for branch in who:
                branch.parted = True


def _upwards(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield where lines begin and their bytes, the last one first."""
    stop = len(data)
    while stop > 0:
        end = stop - 1 if data[stop - 1 : stop] == b"\n" else stop
        first = data.rfind(b"\n", 0, end) + 1
        yield first, data[first:end]
        stop = first


def _describe(branch: Branch, raw: bytes, offset: int, size: int) -> None:
    """Take over what an entry tells of the branch's end."""
    for item in decode_line(raw, offset, size=size):
        for block in blocks_of(item):
            branch.time_ms = branch.time_ms or block.time_ms
            if block.kind in {"user", "text"}:
                lines = (line.strip(" #>*`-") for part in block.parts for line in part.lines)
                branch.words = branch.words or next(filter(None, lines), "").replace("`", "")
