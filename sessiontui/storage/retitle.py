"""Giving a session a title, by omp's rules (18.3): in the title field and in the body's slot.

The title field alone would be read as lying over the first 256 bytes: over the
header, where a body has no slot. So a body without one gets a slot put before
it, which changes its length and breaks an agent that has it open; only who
allows that gets it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from sessiontui.errors import (
    SessionNotFoundError,
    TitleNeedsRewriteError,
    WriteConflictError,
    WrongTypeError,
)
from sessiontui.formats.encode import to_json
from sessiontui.formats.title_slot import (
    SLOT_BYTES,
    make_slot,
    parse_slot,
    parse_title_field,
    title_field,
)
from sessiontui.storage.backend import Range, Stat
from sessiontui.storage.operation import Operation, PendingWrite, refuse_held

if TYPE_CHECKING:
    from sessiontui.formats.title_slot import TitleSource
    from sessiontui.storage.backend import Seen
    from sessiontui.storage.operation import Guard

_LINE_BYTES = 1 << 16
"""How much is read to see the title line and the header."""
_TITLE_KEYS = frozenset(("title", "titleSource"))
_LOOKS = 5
"""How often to look again when the session keeps changing between look and write."""


@dataclass(frozen=True, slots=True)
class Titled:
    """What came of it."""

    stat: Stat | None
    """The session afterwards; None: an agent's title gave way to the user's, nothing changed."""
    replaced: int = 0
    """How many of the first bytes were replaced; 0: the slot was put before them."""
    new: bytes = b""
    """What stands there now."""


class Retitle(Operation):
    """Sets the title of a session.

    Args:
        path: The session.
        title: Normalised and cut as omp does.
        source: Who names it; `auto` never replaces a title of the user's.
        now_ms: When it is named. That is no work at the session, whose time stays what it is.
        allow_rewrite: Whether a body without a slot may get one; a guard may say so in its turn.
    """

    action: ClassVar[str] = "title"

    def __init__(
        self,
        path: str,
        title: str,
        source: TitleSource,
        now_ms: int,
        *,
        allow_rewrite: bool | Guard,
    ) -> None:
        super().__init__((path,))
        self._title = title
        self._source = source
        self._allow_rewrite = allow_rewrite
        self._slot = make_slot(title, source=source, updated_at=now_ms)
        self._field = title_field(title, source, now_ms)
        self._written = (0, self._slot)
        """How many of the first bytes are replaced, and by what."""
        self.applied = False
        """Whether the title was set, once it is done."""

    def described(self) -> PendingWrite:
        """Return the title, too."""
        return PendingWrite(self.action, self.paths[0], title=self._title)

    async def attempt(self) -> Titled:
        """Look, then write what fits what was seen."""
        for _ in range(_LOOKS - 1):
            with suppress(WriteConflictError):
                return await self._write(await self._seen())
        return await self._write(await self._seen())

    async def look(self) -> Titled | None:
        """Tell by the slot: it holds the time of the change."""
        seen = await self._seen()
        replaced, new = self._written
        return Titled(seen.stat, replaced, new) if seen.data.startswith(new) else None

    def confirm(self, answer: Titled) -> None:
        """Take in the slot; what else may have changed is looked at."""
        if answer.stat is not None:
            self.applied = True
            self.mirror.patched(answer.stat, answer.replaced, answer.new)
            self.look_at = self.paths

    async def _seen(self) -> Seen:
        (path,) = self.paths
        (seen,) = await self.backend.probe([Range(path, 0, _LINE_BYTES)])
        if seen is None:
            raise SessionNotFoundError(path)
        return seen

    async def _write(self, seen: Seen) -> Titled:
        (path,) = self.paths
        slot = parse_slot(seen.data)
        if self._source == "auto" and _named_by_user(seen):
            return Titled(None)
        if slot is not None and slot.exact:
            old = seen.data[:SLOT_BYTES]
            return await self._patch(old, self._slot, seen.data[SLOT_BYTES:])
        if _header(seen.data) is None:
            raise WrongTypeError(f"line 1 is not the header of a session: {path}", path=path)
        if not self._allow_rewrite:
            raise TitleNeedsRewriteError(path)
        if callable(self._allow_rewrite):
            refuse_held(self._allow_rewrite, seen.stat)
        self._written = (0, self._slot)
        stat = await self.backend.prepend(
            path,
            self._slot,
            expected_size=seen.stat.size,
            mtime_ms=None,
            title=self._field,
        )
        if self._title:
            return Titled(stat, *self._written)
        titled = await self._patch(self._slot, self._slot, seen.data)
        header = titled.replaced - SLOT_BYTES
        return Titled(titled.stat, header, titled.new)

    async def _patch(self, old: bytes, new: bytes, rest: bytes) -> Titled:
        """Write over the slot in place; a title that is taken away leaves the header as well.

        Args:
            old: The slot as it is.
            new: The slot as it is to be.
            rest: What follows it, as much as was read.
        """
        if not self._title:
            header, _, _ = rest.partition(b"\n")
            old, new = old + header, new + _untitled(rest)
        self._written = (len(old), new)
        stat = await self.backend.patch(
            *self.paths, old=old, new=new, mtime_ms=None, title=self._field
        )
        return Titled(stat, *self._written)


def _untitled(data: bytes) -> bytes:
    """Return line 1, a session's header, without its title and as long as it was.

    It stays as it is where that cannot be told apart from a loss: its bytes are no UTF-8, say.
    """
    line, _, _ = data.partition(b"\n")
    header = _header(data)
    if header is None or not header.keys() & _TITLE_KEYS:
        return line
    kept = {key: value for key, value in header.items() if key not in _TITLE_KEYS}
    try:
        shorter = to_json(kept).encode()
    except ValueError:  # A number that JSON has not.
        return line
    room = len(line) - len(shorter)
    blanked = shorter[:-1] + b" " * room + b"}"
    return blanked if room >= 0 and _says(blanked, kept) and _says(line, header) else line


def _says(line: bytes, fields: dict[str, object]) -> bool:
    """Tell whether a line is UTF-8 and just these fields."""
    try:
        return bool(json.loads(line.decode("utf-8")) == fields)
    except ValueError:
        return False


def _named_by_user(seen: Seen) -> bool:
    """Tell whether the title that counts now is the user's: field, then slot, then header."""
    field = parse_title_field(seen.stat.title)
    if field is not None:
        return field.source == "user"
    slot = parse_slot(seen.data)
    if slot is not None:
        return slot.source == "user"
    header = _header(seen.data)
    return header is not None and bool(header.get("title")) and header.get("titleSource") == "user"


def _header(data: bytes) -> dict[str, object] | None:
    """Return line 1 if it is a session's header."""
    line, newline, _ = data.partition(b"\n")
    if not newline and len(data) >= _LINE_BYTES:
        return None
    try:
        fields = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    is_header = isinstance(fields, dict) and fields.get("type") == "session"
    return fields if is_header else None
