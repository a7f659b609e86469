"""Operations on whole sessions: move, delete, trash, restore, place, and set the title.

A title is set by omp's rules (18.3): in the title field and in the body's slot. The title
field alone would be read as lying over the first 256 bytes: over the header, where a body
has no slot. So a body without one gets a slot put before it, which changes its length
and breaks an agent that has it open; only who allows that gets it.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from sessiontui.errors import (
    SessionExistsError,
    SessionHeldError,
    SessionNotFoundError,
    StorageError,
    TitleNeedsRewriteError,
    WriteConflictError,
    WrongTypeError,
)
from sessiontui.formats.jsonl import to_json
from sessiontui.formats.title_slot import (
    SLOT_BYTES,
    make_slot,
    make_title_field,
    parse_slot,
    parse_title_field,
)
from sessiontui.storage.artifacts import (
    artifact_prefixes,
    artifact_target,
    find_artifacts,
    is_artifact,
    is_unfinished,
)
from sessiontui.storage.backend import Range, Stat, TrashItem
from sessiontui.storage.changes import is_session
from sessiontui.storage.operations import Append
from sessiontui.storage.write_queue import Operation, PendingWrite, refuse_in_use

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sessiontui.formats.title_slot import TitleSource
    from sessiontui.storage.backend import Backend, Snapshot
    from sessiontui.storage.mirror import Mirror
    from sessiontui.storage.write_queue import Guard, WriteQueue
    from sessiontui.storage.writer import SessionStorageWriter

_LISTINGS: Final = 10
"""How often to look for what belongs to a session whose agent is at work."""


async def _seen(backend: Backend, *paths: str) -> list[Snapshot | None]:
    return await backend.probe([Range(path, 0, 0) for path in paths])


class Move(Operation):
    """Renames a session, alone or with what belongs to it; open writers go along.

    Args:
        source: Its path.
        target: Its new path.
        known: What else moves, as far as the mirror knows; source to target.
        artifacts: Whether everything that belongs to it moves, also what only the store knows.
        guard: Refuses it in its turn, if given.
    """

    action: ClassVar[str] = "rename"

    def __init__(
        self,
        source: str,
        target: str,
        *,
        known: dict[str, str],
        artifacts: bool,
        overwrite: bool,
        guard: Guard | None = None,
    ) -> None:
        prefixes = (*artifact_prefixes(source), *artifact_prefixes(target)) if artifacts else ()
        moves = {source: target, **known}
        super().__init__(tuple(dict.fromkeys((*moves, *moves.values()))), prefixes)
        self.source = source
        self.target = target
        self.home = source
        """Where its writers go when it fails: a rename before it may have failed too."""
        self._moves = moves
        self._tried: dict[str, str] = {}
        self._artifacts = artifacts
        self._overwrite = overwrite
        self._guard = guard
        self._write_queue: WriteQueue | None = None
        self._writers: list[SessionStorageWriter] = []

    def described(self) -> PendingWrite:
        """Return where it leads, too."""
        return PendingWrite(self.action, self.source, target=self.target)

    def take_along(self, writers: Iterable[SessionStorageWriter], write_queue: WriteQueue) -> None:
        """Let open writers of what moves write to the new paths from now on."""
        self._write_queue = write_queue
        for writer in writers:
            target = self._moves.get(writer.path)
            if target is not None:
                writer.path = target
                writer.follows = self
                self._writers.append(writer)

    async def attempt(self) -> dict[str, str]:
        """Rename; returns what moved where."""
        for _ in range(_LISTINGS):
            await self._list()
            try:
                await self.backend.rename(tuple(self._tried.items()), overwrite=self._overwrite)
            except SessionNotFoundError as error:
                # An agent at work makes and removes drafts, logs and locks all the time.
                if not self._artifacts or error.path == self.source:
                    raise
                gone = error
            else:
                return self._tried
        raise gone

    async def _list(self) -> None:
        """Find out what moves; a write that an agent has not finished stays, to be finished."""
        self._tried = {self.source: self.target}
        if not self._artifacts:
            return
        session, *others = await find_artifacts(self.backend, self.source)
        refuse_in_use(self._guard, session)
        for stat in others:
            newer = (stat.mtime_ms or 0) >= (session.mtime_ms or 0)
            if not (newer and is_unfinished(stat.path, self.source)):
                self._tried[stat.path] = artifact_target(stat.path, self.source, self.target)

    async def look(self) -> dict[str, str] | None:
        """Tell by what stands at the two paths now."""
        source, target = await _seen(self.backend, self.source, self.target)
        if target is None:
            return None
        known = self.mirror.confirmed.get(self.source)
        if source is not None and (known is None or source.stat.size >= known.size):
            return None
        before = self.mirror.confirmed.get(self.target)
        if before is not None and (target.stat.size, target.stat.mtime_ms) == (
            before.size,
            before.mtime_ms,
        ):
            return None
        self.look_at = (self.source, self.target)
        return self._tried

    def preview(self) -> None:
        """Show the new paths."""
        for source, target in self._moves.items():
            self.mirror.preview_move(source, target)

    def confirm(self, answer: dict[str, str]) -> None:
        """Take in the moves."""
        self.touched = (*answer, *answer.values())
        for source, target in answer.items():
            if source in self.mirror.confirmed:
                self.mirror.moved(source, target, None, own=True)
            elif source == self.source:
                self.look_at = (target,)
        for writer in self._writers:
            if writer.follows is self:
                writer.follows = None

    def failed(self) -> None:
        """Lead the writers back, and the lines they have queued meanwhile."""
        if self._write_queue is None:
            return
        waiting = [one for one in self._write_queue.waiting() if one is not self]
        for later in waiting:
            if isinstance(later, Move) and later.source == self.target:
                later.home = self.home
        back = {target: source for source, target in self._moves.items()} | {self.target: self.home}
        for writer in self._writers:
            if writer.follows is self:
                writer.path, writer.follows = back[writer.path], None
        for later in waiting:
            if isinstance(later, Append) and later.follows is self:
                self._write_queue.retarget(later, back[later.paths[0]])


class Delete(Operation):
    """Removes a session for good, alone or with what belongs to it.

    Args:
        path: The session.
        known: What else goes, as far as the mirror knows.
        artifacts: Whether everything that belongs to it goes, also what only the store knows.
    """

    action: ClassVar[str] = "delete"

    def __init__(self, path: str, *, known: tuple[str, ...] = (), artifacts: bool = False) -> None:
        super().__init__((path, *known), artifact_prefixes(path) if artifacts else ())
        self._path = path
        self._artifacts = artifacts
        self._tried: tuple[str, ...] = ()

    async def attempt(self) -> tuple[str, ...]:
        """Remove; returns what is gone."""
        paths: tuple[str, ...] = (self._path,)
        if self._artifacts:
            paths = tuple(stat.path for stat in await find_artifacts(self.backend, self._path))
        self._tried = paths
        await self.backend.delete(paths)
        return paths

    async def look(self) -> tuple[str, ...] | None:
        """Tell by whether the session is there."""
        (seen,) = await _seen(self.backend, self._path)
        return self._tried if seen is None else None

    def preview(self) -> None:
        """Show that they are gone."""
        for path in self.paths:
            self.mirror.preview_remove(path)

    def confirm(self, answer: tuple[str, ...]) -> None:
        """Take that in."""
        self.touched = answer
        for path in {*self.paths, *answer}:
            self.mirror.removed(path, own=True)


class MoveToTrash(Operation):
    """Moves a session with all that belongs to it to the trash.

    Args:
        item: What is known beforehand; its `stats` are found in the turn if there are none.
        known: What else goes, as far as the mirror knows.
        guard: Refuses it in its turn, if given.
        whole: Whether the guard is asked about all that goes, not of the session alone.
    """

    action: ClassVar[str] = "delete"

    def __init__(
        self,
        item: TrashItem,
        *,
        known: tuple[str, ...],
        guard: Guard | None = None,
        whole: bool = False,
    ) -> None:
        super().__init__((item.path, *known), artifact_prefixes(item.path))
        self.item = item
        self._guard = guard
        self._whole = whole

    async def attempt(self) -> TrashItem:
        """Throw it away; returns what is in the trash now."""
        if not self.item.stats:
            stats = await find_artifacts(self.backend, self.item.path)
            self.item = msgspec.structs.replace(self.item, stats=tuple(stats))
            refuse_in_use(self._guard, stats[0])
        elif self._guard is not None:
            more = self.item.stats[1:] if self._whole else ()
            paths = (self.item.path, *(stat.path for stat in more))
            session, *others = await _seen(self.backend, *paths)
            if session is None:
                raise SessionNotFoundError(self.item.path)
            for seen in (session, *others):
                if seen is not None:
                    refuse_in_use(self._guard, seen.stat)
        taken = await self.backend.trash(self.item)
        try:
            for stat in (taken or ())[: None if self._whole else 1]:
                refuse_in_use(self._guard, stat)
        except SessionHeldError as error:
            # Its agent wrote between the last look and the step that took it.
            try:
                await self.backend.restore(self.item.id)
            except SessionExistsError:
                path = self.item.path
                raise StorageError(
                    f"its agent wrote it anew meanwhile: that stays at {path}, and what was there "
                    f"before is in the trash as {self.item.id}",
                    path=path,
                ) from error
            raise
        return self.item

    async def look(self) -> TrashItem | None:
        """Tell by whether it is in the trash."""
        items = await self.backend.trashed()
        return next((item for item in items if item.id == self.item.id), None)

    def preview(self) -> None:
        """Show that they are gone."""
        for path in self.paths:
            self.mirror.preview_remove(path)

    def confirm(self, answer: TrashItem) -> None:
        """Take that in."""
        self.touched = tuple(stat.path for stat in answer.stats)
        for path in {*self.paths, *self.touched}:
            self.mirror.removed(path, own=True)


class Restore(Operation):
    """Brings back what a `MoveToTrash` took."""

    action: ClassVar[str] = "restore"

    def __init__(self, item: TrashItem) -> None:
        super().__init__(tuple(stat.path for stat in item.stats))
        self._item = item

    async def attempt(self) -> TrashItem:
        """Bring it back."""
        return await self.backend.restore(self._item.id)

    async def look(self) -> TrashItem | None:
        """Tell by whether it has left the trash, and stands where it was."""
        if any(item.id == self._item.id for item in await self.backend.trashed()):
            return None
        (seen,) = await _seen(self.backend, self._item.path)
        if seen is None:
            raise SessionNotFoundError(self._item.path)
        return self._item

    def confirm(self, answer: TrashItem) -> None:
        """Read what came back; what the index does not list stays out of the mirror."""
        came = (stat.path for stat in answer.stats)
        self.look_at = tuple(path for path in came if is_session(path))
        self.look_at_own = True


class PlaceFiles(Operation):
    """Puts files in place that were staged under a token.

    Args:
        token: What they were staged under.
        files: Path, size, mtime and title of each, by number; the session first.
        lives: How many milliseconds each is to live from now on; None, or none at all: for ever.
    """

    action: ClassVar[str] = "copy"

    def __init__(self, token: str, files: Sequence[Stat], lives: Sequence[int | None] = ()) -> None:
        super().__init__(tuple(stat.path for stat in files))
        self._token = token
        self._files = tuple(files)
        self._lives = tuple(lives)
        self._begun_s = asyncio.get_running_loop().time()

    async def attempt(self) -> tuple[Stat, ...]:
        """Put them there."""
        passed_ms = round((asyncio.get_running_loop().time() - self._begun_s) * 1000)
        lives = [None if life is None else max(0, life - passed_ms) for life in self._lives]
        await self.backend.place(self._token, self._files, lives)
        return self._files

    async def look(self) -> tuple[Stat, ...] | None:
        """Tell by the session: it appears last."""
        session = self._files[0]
        (seen,) = await _seen(self.backend, session.path)
        there = seen is not None and seen.stat.size >= session.size
        return self._files if there else None

    def confirm(self, answer: tuple[Stat, ...]) -> None:
        """Read what came; what the index does not list stays out of the mirror."""
        self.look_at = tuple(stat.path for stat in answer if is_session(stat.path))
        self.look_at_own = True


def artifact_paths(mirror: Mirror, path: str) -> tuple[str, ...]:
    """Return what the mirror knows to belong to a session.

    Raises:
        InvalidPathError: The path is not that of a session.
    """
    artifact_prefixes(path)
    return tuple(name for name in mirror.paths() if is_artifact(name, path))


_LINE_BYTES = 1 << 16
"""How much is read to see the title line and the header."""
_TITLE_KEYS = frozenset(("title", "titleSource"))
_LOOKS = 5
"""How often to look again when the session keeps changing between look and write."""


@dataclass(frozen=True, slots=True)
class TitleResult:
    """The result."""

    stat: Stat | None
    """The session afterwards; None: an agent's title gave way to the user's, nothing changed."""
    replaced: int = 0
    """How many of the first bytes were replaced; 0: the slot was put before them."""
    new: bytes = b""
    """What stands there now."""


class SetTitle(Operation):
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
        self._field = make_title_field(title, source, now_ms)
        self._written = (0, self._slot)
        """How many of the first bytes are replaced, and by what."""
        self.applied = False
        """Whether the title was set, once it is done."""

    def described(self) -> PendingWrite:
        """Return the title, too."""
        return PendingWrite(self.action, self.paths[0], title=self._title)

    async def attempt(self) -> TitleResult:
        """Look, then write what fits what was seen."""
        for _ in range(_LOOKS - 1):
            with suppress(WriteConflictError):
                return await self._write(await self._seen())
        return await self._write(await self._seen())

    async def look(self) -> TitleResult | None:
        """Tell by the slot: it holds the time of the change."""
        seen = await self._seen()
        replaced, new = self._written
        return TitleResult(seen.stat, replaced, new) if seen.data.startswith(new) else None

    def confirm(self, answer: TitleResult) -> None:
        """Take in the slot; what else may have changed is looked at."""
        if answer.stat is not None:
            self.applied = True
            self.mirror.patched(answer.stat, answer.replaced, answer.new)
            self.look_at = self.paths

    async def _seen(self) -> Snapshot:
        (path,) = self.paths
        (seen,) = await self.backend.probe([Range(path, 0, _LINE_BYTES)])
        if seen is None:
            raise SessionNotFoundError(path)
        return seen

    async def _write(self, seen: Snapshot) -> TitleResult:
        (path,) = self.paths
        slot = parse_slot(seen.data)
        if self._source == "auto" and _named_by_user(seen):
            return TitleResult(None)
        if slot is not None and slot.exact:
            old = seen.data[:SLOT_BYTES]
            return await self._patch(old, self._slot, seen.data[SLOT_BYTES:])
        if _header(seen.data) is None:
            raise WrongTypeError(f"line 1 is not the header of a session: {path}", path=path)
        if not self._allow_rewrite:
            raise TitleNeedsRewriteError(path)
        if callable(self._allow_rewrite):
            refuse_in_use(self._allow_rewrite, seen.stat)
        self._written = (0, self._slot)
        stat = await self.backend.prepend(
            path,
            self._slot,
            expected_size=seen.stat.size,
            mtime_ms=None,
            title=self._field,
        )
        if self._title:
            return TitleResult(stat, *self._written)
        titled = await self._patch(self._slot, self._slot, seen.data)
        header = titled.replaced - SLOT_BYTES
        return TitleResult(titled.stat, header, titled.new)

    async def _patch(self, old: bytes, new: bytes, rest: bytes) -> TitleResult:
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
        return TitleResult(stat, *self._written)


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


def _named_by_user(seen: Snapshot) -> bool:
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
