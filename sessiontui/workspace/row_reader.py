"""The row reader: reads heads and tails of sessions, visible ones first.

Every session costs two small ranges, however long it is. Rows in view come
before all others, then the newest; the rest is read in the background at
a bounded share of the time.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sessiontui.catalog.row_builder import build_row, read_head, read_tail
from sessiontui.storage.backend import Range

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from sessiontui.catalog.row import Row

LOOKS: Final = ((4096, 8192), (65_536, 262_144), (65_536, 4_194_304))
"""Bytes of head and tail at each look; the next one only where one did not find enough."""
_TRIES: Final = 5
"""How often to read anew for one who waits, while a session grows under the reader."""
CHUNK: Final = 64
"""Sessions a round trip."""
BACKGROUND_SHARE: Final = 0.5
"""Share of the time that reading what is not in view may take."""


class RowReader:
    """Fills rows with what heads and tails tell; `run` is a task of the owner.

    Args:
        read_many: Reads ranges in one round trip; None for a session that is gone.
        rows: The rows as they are now, by path.
        publish: Called with new rows, after each round trip.
    """

    def __init__(
        self,
        read_many: Callable[[Sequence[Range]], Awaitable[list[bytes | None]]],
        rows: Mapping[str, Row],
        publish: Callable[[list[Row]], None],
    ) -> None:
        self._read_many = read_many
        self.rows = self._rows = rows
        self._publish = publish
        self._first: deque[str] = deque()
        """Rows in view: as many as were shown last."""
        self._rest: deque[str] = deque()
        """All others, each once for every change until it is read; read ones are passed over."""
        self._turn = asyncio.Lock()
        """Rows show what the first look tells before the second: who waits for them takes turns."""
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def waiting(self) -> int:
        """How many rows are in line, some maybe twice."""
        return len(self._first) + len(self._rest)

    def show(self, paths: Iterable[str]) -> None:
        """Read these first; an earlier call's paths that are still unread go back in line."""
        wanted = [path for path in paths if self._unread(path)]
        if self._first:
            self._rest.extendleft(reversed(self._first))
        self._first = deque(wanted)
        self._start()

    def add(self, paths: Iterable[str]) -> None:
        """Read these when nothing in view is waiting."""
        self._rest.extend(paths)
        self._start()

    async def settled(self) -> None:
        """Wait until everything asked for has been read."""
        await self._idle.wait()

    async def read_now(self, paths: Sequence[str]) -> None:
        """Read these rows unless they are read already; for one who needs them to go on."""
        async with self._turn:
            for _ in range(_TRIES):
                wanted = [path for path in paths if self._unread(path)]
                if not wanted:
                    return
                for start in range(0, len(wanted), CHUNK):
                    await self._read(wanted[start : start + CHUNK])

    async def run(self) -> None:
        """Read until cancelled.

        Raises:
            StorageError: From `read_many`; what was not read yet stays in line.
        """
        while True:
            if not (self._first or self._rest):
                self._idle.set()
                await self._wake.wait()
            self._wake.clear()
            visible = bool(self._first)
            paths = self._take()
            if not paths:
                continue
            began = time.monotonic()
            try:
                async with self._turn:
                    await self._read(paths)
            except BaseException:
                self._rest.extendleft(paths)
                raise
            if not visible:
                spent = time.monotonic() - began
                await self._pause(spent * (1 - BACKGROUND_SHARE) / BACKGROUND_SHARE)

    async def _pause(self, seconds: float) -> None:
        """Give way for a while; rows that come into view end it."""
        # Not `wait_for`: in Python 3.11 it loses a cancellation that comes with the event.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._first:
                    self._wake.clear()
                    await self._wake.wait()

    def _start(self) -> None:
        if self._first or self._rest:
            self._idle.clear()
            self._wake.set()

    def _unread(self, path: str) -> bool:
        row = self._rows.get(path)
        return row is not None and not row.read

    def _take(self) -> list[str]:
        queue = self._first or self._rest
        taken: dict[str, None] = {}
        while queue and len(taken) < CHUNK:
            path = queue.popleft()
            if self._unread(path):
                taken[path] = None
        return list(taken)

    async def _read(self, paths: Sequence[str]) -> None:
        """Read heads and tails in one round trip, and wider where that was not enough."""
        left = list(paths)
        for head_bytes, tail_bytes in LOOKS:
            if left:
                told = await self._facts(left, head_bytes, tail_bytes)
                left = [path for path, enough in told if not enough]

    async def _facts(
        self, paths: Sequence[str], head_bytes: int, tail_bytes: int
    ) -> list[tuple[str, bool]]:
        """Publish the rows of `paths`; tell for each whether what was read was enough."""
        known = [row for path in paths if (row := self._rows.get(path)) is not None]
        ranges: list[Range] = []
        for row in known:
            if row.size <= head_bytes + tail_bytes:
                ranges.append(Range(row.path, 0, row.size))
            else:
                ranges.append(Range(row.path, 0, head_bytes))
                ranges.append(Range(row.path, row.size - tail_bytes, row.size))
        replies = iter(await self._read_many(ranges))
        rows: list[Row] = []
        enough: list[tuple[str, bool]] = []
        for row in known:
            whole = row.size <= head_bytes + tail_bytes
            head = next(replies)
            tail = head if whole else next(replies)
            now = self._rows.get(row.path)
            if now is None or head is None or tail is None:
                continue
            if now.size != row.size:
                # It grew while we read: what was read is of the past, so read again.
                self._rest.appendleft(row.path)
                continue
            head_facts = read_head(head, complete=whole)
            tail_facts = read_tail(tail, complete=whole)
            rows.append(build_row(now, head_facts, tail_facts))
            enough.append((row.path, whole or (head_facts.enough and tail_facts.enough)))
        if rows:
            self._publish(rows)
        return enough
