"""The doctor's repairs: carries out fixes, each with an undo that outlives this run.

What was removed lies in the trash, what was written over stands in a journal of the
source: a file of the user's own, in the data folder.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from sessiontui import paths
from sessiontui.doctor.findings import (
    ChangeTimesAndTitles,
    CutBack,
    Discard,
    GiveSlot,
    JoinTail,
    PutBack,
    RewriteSlot,
)
from sessiontui.doctor.journal import Repair, UndoneRepair, journal_line, open_repairs
from sessiontui.errors import BackendDownError, StorageError
from sessiontui.formats.title_slot import SLOT_BYTES
from sessiontui.storage import repair_operations
from sessiontui.storage.backend import TrashItem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sessiontui.doctor.findings import Finding, Fix, Undo
    from sessiontui.storage.backend import HashFieldChange
    from sessiontui.storage.write_queue import Guard
    from sessiontui.workspace.workspace import Workspace

_DAY_MS: Final = 86_400_000
_LONGEST: Final = 64 << 20
"""A journal that is longer begins anew; repairs of so long ago stay as they are."""


class Repairs:
    """Fixes what was found in one workspace.

    Args:
        workspace: Where; its agents are not disturbed.
        journal: File of the journal; by default the source's own.
    """

    def __init__(self, workspace: Workspace, journal: Path | None = None) -> None:
        self._workspace = workspace
        key = hashlib.sha256(workspace.source.key.encode("utf-8", "surrogateescape")).hexdigest()
        self._file = journal or paths.data_dir() / "repairs" / f"{key[:16]}.jsonl"
        self._run = secrets.token_hex(4)

    async def fix(self, finding: Finding, *, insist: bool = False) -> Repair:
        """Put right what was found; looked at once more in the step that does it.

        Args:
            finding: What to put right.
            insist: Also where an agent may hold a session of it open.

        Raises:
            SessionHeldError: An agent may hold a session of it open.
            WriteConflictError: It is not as it was found.
            StorageError: It failed, or there is no fix; nothing changed.
        """
        if finding.fix is None:
            raise StorageError("there is no fix for this", path=finding.path)
        # Who stops waiting does not keep it from the journal.
        working = asyncio.create_task(self._fix(finding, finding.fix, insist=insist))
        return await asyncio.shield(working)

    async def _fix(self, finding: Finding, fix: Fix, *, insist: bool) -> Repair:
        now = self._workspace.clock()
        repair = Repair(
            id=f"{now:014d}-{secrets.token_hex(4)}",
            run=self._run,
            made_ms=now,
            kind=finding.kind,
            path=finding.path,
            undo=_known_undo(fix),
        )
        with self._journal() as journal, self._workspace.notes.on(finding.path, "repairing…"):
            if repair.undo:
                # Noted before: whoever dies in between can still take it back.
                _add(journal, repair)
            try:
                undo = await self._carry_out(fix, insist=insist)
            except StorageError as error:
                # Where the source went away it may have happened all the same.
                if repair.undo and not isinstance(error, BackendDownError):
                    _add(journal, UndoneRepair(repair.id))
                raise
            if not repair.undo:
                repair = replace(repair, undo=undo)
                _add(journal, repair)
        return repair

    def made(self) -> list[Repair]:
        """Return the repairs that can be taken back, oldest first.

        Raises:
            StorageError: The journal cannot be read.
        """
        try:
            return open_repairs(self._file.read_bytes().splitlines())
        except FileNotFoundError:
            return []
        except OSError as error:
            reason = error.strerror or "the system refused"
            raise StorageError(f"the journal of repairs cannot be read: {reason}") from error

    def last_run(self) -> list[Repair]:
        """Return those of the last run in which something was repaired, the newest first."""
        made = self.made()
        return [repair for repair in reversed(made) if repair.run == made[-1].run]

    async def take_back(self, repair: Repair, *, insist: bool = False) -> None:
        """Make everything as it was before a repair.

        Args:
            repair: What to take back.
            insist: Also where an agent may hold a session of it open.

        Raises:
            StorageError: It has changed since, or failed; the repair stays, and can be tried again.
        """
        with self._journal() as journal:
            with self._workspace.notes.reporting():
                for number, step in enumerate(repair.undo):
                    try:
                        await self._take_back(step, insist=insist)
                    except StorageError:
                        if number:  # The next time only the rest is to be taken back.
                            _add(journal, replace(repair, undo=repair.undo[number:]))
                        raise
            _add(journal, UndoneRepair(repair.id))

    async def _carry_out(self, fix: Fix, *, insist: bool) -> tuple[Undo, ...]:
        """Do it; returns what takes it back."""
        storage = self._workspace.storage
        match fix:
            case JoinTail():
                return await self._join(fix, insist=insist)
            case ChangeTimesAndTitles(changes=changes):
                await self._change(changes)
            case RewriteSlot(path=path, old=old, new=new, mtime_ms=mtime_ms):
                await storage.carry_out(
                    repair_operations.OverwriteStart(path, old=old, new=new, mtime_ms=mtime_ms)
                )
            case GiveSlot():
                return await self._give_slot(fix, insist=insist)
            case Discard(stats=stats):
                discard = repair_operations.DiscardFiles(stats, self._item(stats[0].path))
                await storage.carry_out(discard)
                return (PutBack(discard.item.id),)
        return _known_undo(fix)

    async def _join(self, fix: JoinTail, *, insist: bool) -> tuple[Undo, ...]:
        tail, head = fix.tail, fix.head
        holding = self._workspace.holding
        guards: tuple[Guard | None, Guard | None] = (None, None)
        if not insist:
            # The agent of the head has gone on in the tail.
            guards = holding.guard(tail.path), holding.guard(head.path, conversation=False)
        join = repair_operations.JoinSessions(
            tail,
            head,
            self._item(tail.path),
            mtime_ms=max(tail.mtime_ms or 0, head.mtime_ms or 0),
            guards=guards,
        )
        await self._workspace.storage.carry_out(join)
        cut = CutBack(head.path, 0, head.size, join.joined_size, head.mtime_ms or 0)
        return cut, PutBack(join.item.id)

    async def _give_slot(self, fix: GiveSlot, *, insist: bool) -> tuple[Undo, ...]:
        stat = fix.stat
        slot = repair_operations.AddTitleSlot(
            stat,
            fix.title,
            fix.source or "user",
            now_ms=max(self._workspace.clock(), (stat.mtime_ms or 0) + 1),
            guard=None if insist else self._workspace.holding.guard(stat.path),
        )
        await self._workspace.storage.carry_out(slot)
        long = stat.size + SLOT_BYTES
        return (CutBack(stat.path, SLOT_BYTES, long, long, stat.mtime_ms or 0, stat.title),)

    async def _change(self, changes: Sequence[HashFieldChange]) -> None:
        """Change fields.

        Raises:
            StorageError: None of them is as it was found.
        """
        operation = repair_operations.ChangeFields(changes)
        await self._workspace.storage.carry_out(operation)
        if not any(operation.changed):
            raise StorageError(
                f"it is not as it was found any more: {changes[0].path}", path=changes[0].path
            )

    async def _take_back(self, step: Undo, *, insist: bool) -> None:
        storage = self._workspace.storage
        match step:
            case PutBack(item_id=item_id):
                await storage.restore(item_id)
            case ChangeTimesAndTitles(changes=changes):
                await self._change(changes)
            case RewriteSlot(path=path, old=old, new=new, mtime_ms=mtime_ms):
                await storage.carry_out(
                    repair_operations.OverwriteStart(path, old=old, new=new, mtime_ms=mtime_ms)
                )
            case CutBack(path=path, title=title):
                keep = repair_operations.Crop(
                    path,
                    step.start,
                    step.stop,
                    expected_size=step.expected_size,
                    mtime_ms=step.mtime_ms,
                    title="keep" if title is None else title,
                    guard=None if insist else self._workspace.holding.guard(path, growth=False),
                )
                await storage.carry_out(keep)

    def _item(self, path: str) -> TrashItem:
        now = self._workspace.clock()
        keep_ms = self._workspace.config.retention_days * _DAY_MS
        return TrashItem(f"{now:014d}-{secrets.token_hex(4)}", path, (), now, now + keep_ms)

    @contextmanager
    def _journal(self) -> Iterator[int]:
        """Open the journal before anything is changed; yields its descriptor.

        Raises:
            StorageError: It cannot be opened: then nothing could be taken back.
        """
        try:
            paths.make_private(self._file.parent)
            descriptor = paths.open_private(self._file, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            reason = error.strerror or "the system refused"
            raise StorageError(f"the journal of repairs cannot be written: {reason}") from error
        try:
            if os.fstat(descriptor).st_size > _LONGEST:
                os.ftruncate(descriptor, 0)
            yield descriptor
        finally:
            os.close(descriptor)


def _known_undo(fix: Fix) -> tuple[Undo, ...]:
    """Return what takes a fix back, where that is known before it is made."""
    match fix:
        case ChangeTimesAndTitles(changes=changes):
            return (ChangeTimesAndTitles(tuple(change.undone() for change in changes)),)
        case RewriteSlot(path=path, old=old, new=new, mtime_ms=mtime_ms):
            return (RewriteSlot(path, new, old, mtime_ms),)
        case _:
            return ()


def _add(journal: int, record: Repair | UndoneRepair) -> None:
    """Add a line to the journal, on the disk before anything else is done.

    Raises:
        StorageError: The disk is full, say.
    """
    try:
        line = memoryview(journal_line(record))
        while line:
            line = line[os.write(journal, line) :]
        os.fsync(journal)
    except OSError as error:
        reason = error.strerror or "the system refused"
        raise StorageError(f"done, but not noted in the journal of repairs: {reason}") from error
