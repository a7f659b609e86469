"""The doctor's scan: gathers the facts for its rules, in short slices.

The index, the two hashes, the rows and the first and last bytes are enough for all but
broken lines: those are looked for in every byte, and only where asked.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import msgspec

from sessiontui.doctor import rules
from sessiontui.doctor.findings import BrokenLine, Finding
from sessiontui.doctor.rules import HeaderlessSession, last_entry_id, read_start
from sessiontui.errors import SessionNotFoundError
from sessiontui.formats.jsonl import BadLine, Entry, LineBuffer, decode_line
from sessiontui.sources import RedisSource
from sessiontui.storage.backend import Range, Stat
from sessiontui.storage.changes import is_session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from sessiontui.catalog.row import Row
    from sessiontui.storage.backend import HashField, PassedOver
    from sessiontui.workspace.workspace import Workspace

_SLICE: Final = 256
"""Sessions that are looked at in one go."""
_HEAD_BYTES: Final = 4096
_TAIL_BYTES: Final = 8192
_WIDER_BYTES: Final = 262_144
_WINDOW: Final = 1 << 20
"""Bytes of a session that are read at once."""
_PLACES: Final = 20
"""How many broken lines of one session are told."""


class ScanProgress(msgspec.Struct, frozen=True):
    """The progress of a scan, with the findings since the last one."""

    what: str
    done: int
    total: int
    found: tuple[Finding, ...] = ()


class StoreScan:
    """The doctor's scan of a workspace.

    Args:
        workspace: Its sessions; the index must have been read.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._storage = workspace.storage
        self._rows = workspace.catalog.rows

    async def examine(self, *, deep: bool = False) -> AsyncIterator[ScanProgress]:
        """Look everything over; who stops listening stops it.

        Args:
            deep: Look for broken lines too, in every byte of every session.

        Raises:
            StorageError: The source could not be asked.
        """
        stats: list[Stat] = []
        passed: list[PassedOver] = []
        async for batch in self._storage.survey():
            stats += batch.stats
            passed += batch.passed
            yield ScanProgress("reading the index", len(stats), 0)
        stats = list({stat.path: stat for stat in stats}.values())
        fields: list[HashField] = []
        async for some in self._storage.loose_fields():
            fields += some
        found = await self._of_index(stats, fields)
        found += rules.passed_over(stats, {one.path: one for one in passed}.values())
        yield ScanProgress("reading the index", len(stats), len(stats), tuple(found))
        paths = [stat.path for stat in stats if is_session(stat.path)]
        async for progress in self._look_at_rows(paths):
            yield progress
        rows = list(self._rows.values())
        family = await asyncio.to_thread(lambda: tuple(rules.hierarchy_findings(rows)))
        yield ScanProgress("comparing", len(rows), len(rows), family)
        async for progress in self._look_for_heads(paths):
            yield progress
        if deep:
            async for progress in self._read_all(paths):
                yield progress

    async def _of_index(self, stats: list[Stat], fields: list[HashField]) -> list[Finding]:
        """Return what times, titles and names tell; of rows only those it is about are read."""
        now = self._workspace.clock()
        keys = isinstance(self._workspace.source, RedisSource)
        untimed = [stat.path for stat in stats if stat.mtime_ms is None and is_session(stat.path)]
        await self._workspace.read_rows(untimed)
        known = {path: self._rows.get(path) for path in untimed}
        findings = rules.field_findings(fields, known, now)
        left = await asyncio.to_thread(
            lambda: list(rules.leftover_findings(stats, keys=keys, now_ms=now))  # 100,000 names
        )
        await self._workspace.read_rows([finding.beside for finding in left if finding.beside])
        for finding in left:
            if finding.beside is None or self._workspace.held(finding.beside) is None:
                findings.append(finding)
        return findings

    async def _look_at_rows(self, paths: list[str]) -> AsyncIterator[ScanProgress]:
        """Have all rows read, and compare titles."""
        for start in range(0, len(paths), _SLICE):
            rows = await self._workspace.read_rows(paths[start : start + _SLICE])
            doubtful = [row for row in rows if rules.may_have_other_title(row)]
            heads = await self._heads(doubtful)
            found = [
                finding
                for row, head in zip(doubtful, heads, strict=True)
                if (finding := rules.title_finding(row, head)) is not None
            ]
            done = min(start + _SLICE, len(paths))
            yield ScanProgress("reading heads and tails", done, len(paths), tuple(found))
            await asyncio.sleep(0)

    async def _heads(self, rows: Sequence[Row]) -> list[bytes]:
        ranges = [Range(row.path, 0, _HEAD_BYTES) for row in rows]
        return [head or b"" for head in await self._storage.read_many(ranges)]

    async def _look_for_heads(self, paths: list[str]) -> AsyncIterator[ScanProgress]:
        """Find the sessions without a head, and those that they went on from."""
        pieces = await self._pieces(paths)
        heads: defaultdict[str, list[Stat]] = defaultdict(list)
        wanted = {piece.parent_id for piece in pieces}
        found = {piece.stat.path for piece in pieces}
        rows = [row for path in paths if path not in found and (row := self._rows.get(path))]
        rows = [row for row in rows if pieces and rules.may_be_head(row, pieces)]
        for start in range(0, len(rows), _SLICE):
            for row, last in await self._last_ids(rows[start : start + _SLICE]):
                if last in wanted and last is not None:
                    heads[last].append(Stat(row.path, row.size, row.mtime_ms))
            yield ScanProgress("looking for heads", min(start + _SLICE, len(rows)), len(rows))
            await asyncio.sleep(0)
        lost = {piece.parent_id for piece in pieces if not heads[piece.parent_id or ""]} - {None}
        within: defaultdict[str, list[Stat]] = defaultdict(list)
        if lost:
            orphans = [piece for piece in pieces if piece.parent_id in lost]
            rows = [row for path in paths if path not in found and (row := self._rows.get(path))]
            rows = [row for row in rows if rules.may_hold_parent(row, orphans)]
            for number, row in enumerate(rows, 1):
                for one in await self._held_ids(row, {one for one in lost if one is not None}):
                    within[one].append(Stat(row.path, row.size, row.mtime_ms))
                yield ScanProgress("looking for heads", number, len(rows))
                await asyncio.sleep(0)
        trashed = await self._storage.trashed() if pieces else []
        now = self._workspace.clock()
        findings = [
            rules.headerless_finding(
                piece,
                heads[piece.parent_id or ""] or within[piece.parent_id or ""],
                [item.id for item in trashed if item.path == piece.stat.path],
                now_ms=now,
                within=piece.parent_id in within,
            )
            for piece in pieces
        ]
        yield ScanProgress("looking for heads", len(rows), len(rows), tuple(findings))

    async def _held_ids(self, row: Row, wanted: set[str]) -> set[str]:
        """Return which ids are those of entries of a session; it is read in pieces."""
        held: set[str] = set()
        lines = LineBuffer()
        marks = {one: one.encode("utf-8", "replace") for one in wanted}
        for start in range(0, row.size, _WINDOW):
            stop = min(start + _WINDOW, row.size)
            try:
                data = await self._storage.read_range(row.path, start, stop)
            except SessionNotFoundError:
                return set()
            whole = lines.feed(data)
            if stop == row.size and lines.rest_size:
                whole += lines.feed(b"\n")
            for line in whole:
                if any(mark in line.data for one, mark in marks.items() if one not in held):
                    entries = decode_line(line.data, line.offset, size=line.size)
                    ids = {entry.id for entry in entries if isinstance(entry, Entry)}
                    held |= wanted & ids
            await asyncio.sleep(0)
        return held

    async def _pieces(self, paths: list[str]) -> list[HeaderlessSession]:
        rows = [
            row for path in paths if (row := self._rows.get(path)) and rules.may_be_headerless(row)
        ]
        pieces = []
        for start in range(0, len(rows), _SLICE):
            some = rows[start : start + _SLICE]
            for row, head in zip(some, await self._heads(some), strict=True):
                begun = read_start(head, complete=row.size <= len(head))
                if begun.kind == "entry":
                    stat = Stat(row.path, row.size, row.mtime_ms)
                    pieces.append(HeaderlessSession(stat, begun.parent_id, begun.time_ms))
        return pieces

    async def _last_ids(self, rows: Sequence[Row]) -> list[tuple[Row, str | None]]:
        """Return the id of the last entry of each session, reading further where need be."""
        told: dict[str, str | None] = {}
        left = list(rows)
        for length in (_TAIL_BYTES, _WIDER_BYTES):
            ranges = [Range(row.path, max(0, row.size - length), row.size) for row in left]
            tails = await self._storage.read_many(ranges) if ranges else []
            for row, tail in zip(left, tails, strict=True):
                told[row.path] = last_entry_id(tail or b"", complete=row.size <= length)
            left = [row for row in left if told[row.path] is None and row.size > length]
        return [(row, told[row.path]) for row in rows]

    async def _read_all(self, paths: list[str]) -> AsyncIterator[ScanProgress]:
        """Decode every line of every session, and tell the broken ones."""
        stats = [(path, row.size) for path in paths if (row := self._rows.get(path)) is not None]
        total = sum(size for _, size in stats)
        done = 0
        for path, size in stats:
            places: list[BrokenLine] = []
            count = 0
            lines = LineBuffer()
            for start in range(0, size, _WINDOW):
                stop = min(start + _WINDOW, size)
                try:
                    data = await self._storage.read_range(path, start, stop)
                except SessionNotFoundError:
                    break
                broken = list(_broken(lines, data, last=stop == size))
                count += len(broken)
                places += broken[: _PLACES - len(places)]
                done += stop - start
                yield ScanProgress("reading every line", done, total)
                await asyncio.sleep(0)
            if count:
                yield ScanProgress(
                    "reading every line", done, total, (_of_lines(path, places, count),)
                )


def _broken(lines: LineBuffer, data: bytes, *, last: bool) -> Iterator[BrokenLine]:
    complete = lines.feed(data)
    if last and lines.rest_size:
        complete += lines.feed(b"\n")
    for line in complete:
        for item in decode_line(line.data, line.offset, size=line.size):
            if isinstance(item, BadLine):
                yield BrokenLine(item.offset, item.size, item.reason)


def _of_lines(path: str, places: Sequence[BrokenLine], count: int) -> Finding:
    first = places[0]
    seen = f"At byte {first.offset:,}, {first.size:,} bytes long: {first.reason}."
    more = (f"There are {count - 1:,} more.",) if count > 1 else ()
    return Finding(kind="broken", path=path, evidence=(seen, *more), places=tuple(places))
