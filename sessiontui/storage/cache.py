"""Bytes of sessions that were read lately."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import OrderedDict


class RangeCache:
    """Ranges of bytes by session, the least recently used forgotten first.

    Args:
        limit: How many bytes it holds at most.
    """

    def __init__(self, limit: int) -> None:
        self.bytes = 0
        """How many it holds."""
        self._limit = limit
        self._ranges: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._starts: dict[str, list[int]] = {}
        self._versions: dict[str, int] = {}

    def get(self, path: str, version: int, start: int, stop: int) -> bytes | None:
        """Return bytes `[start, stop)` of that version of a session, None if not all are here."""
        if self._versions.get(path) != version:
            return None
        starts = self._starts[path]
        at = bisect_right(starts, start) - 1
        if at < 0:
            return None
        key = (path, starts[at])
        held = self._ranges[key]
        if starts[at] + len(held) < stop:
            return None
        self._ranges.move_to_end(key)
        return held[start - starts[at] : stop - starts[at]]

    def put(self, path: str, version: int, start: int, data: bytes) -> None:
        """Keep bytes of a session from `start` on; other versions of it are forgotten."""
        if not data or len(data) > self._limit:
            return
        if self._versions.get(path) != version:
            self.forget(path)
            self._versions[path] = version
        key = (path, start)
        before = self._ranges.get(key)
        if before is None:
            insort(self._starts.setdefault(path, []), start)
        elif len(before) >= len(data):
            return
        self.bytes += len(data) - len(before or b"")
        self._ranges[key] = data
        self._ranges.move_to_end(key)
        while self.bytes > self._limit:
            (old, old_start), dropped = self._ranges.popitem(last=False)
            self.bytes -= len(dropped)
            self._starts[old].remove(old_start)
            if not self._starts[old]:
                del self._starts[old], self._versions[old]

    def forget(self, path: str) -> None:
        """Forget a session."""
        for start in self._starts.pop(path, ()):
            self.bytes -= len(self._ranges.pop((path, start)))
        self._versions.pop(path, None)
