"""Height index: items of different heights in order, found by line or by key.

Says at which line each begins and what stands at a line. Beginnings are added
up only as far down as someone looks: what moves is near the top as a rule, and
so is the view.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessiontui.catalog.sorting import SortKey

_CHUNK = 512
"""How many beginnings are worked out at once."""


class HeightIndex:
    """Keys in sort order, each with a height in lines."""

    def __init__(self, things: Iterable[tuple[SortKey, str, int]] = ()) -> None:
        in_order = sorted(things)
        self._order = [(place, key) for place, key, _ in in_order]
        self._heights = [height for _, _, height in in_order]
        self._starts = [0]
        """First line of each, as far as worked out."""
        self.height = sum(self._heights)

    def __len__(self) -> int:
        return len(self._order)

    def key(self, index: int) -> str:
        """Return the key of what stands at an index, counted from the top."""
        return self._order[index][1]

    def put(self, place: SortKey, key: str, height: int, old: SortKey) -> None:
        """Insert an item, or change its sort key or height.

        Args:
            place: Where it belongs.
            key: What it is called.
            height: In lines.
            old: Where it stood, if it was there.
        """
        index = self.index(old, key)
        if index is not None:
            if place == old:
                self.height += height - self._heights[index]
                self._heights[index] = height
                del self._starts[index + 1 :]
                return
            self._drop(index)
        index = bisect_left(self._order, (place, key))
        self._order.insert(index, (place, key))
        self._heights.insert(index, height)
        self.height += height
        del self._starts[index + 1 :]

    def take(self, place: SortKey, key: str) -> None:
        """Remove an item, if it is there."""
        index = self.index(place, key)
        if index is not None:
            self._drop(index)

    def _drop(self, index: int) -> None:
        del self._order[index]
        self.height -= self._heights.pop(index)
        del self._starts[index + 1 :]

    def index(self, place: SortKey, key: str) -> int | None:
        """Return the index of a thing; None where it is not there."""
        index = bisect_left(self._order, (place, key))
        there = index < len(self._order) and self._order[index] == (place, key)
        return index if there else None

    def start(self, index: int) -> int:
        """Return the first line of what stands at an index."""
        while len(self._starts) <= index:
            self._reach()
        return self._starts[index]

    def end(self, index: int) -> int:
        """Return the line after the last one of what stands at an index."""
        return self.start(index) + self._heights[index]

    def at(self, line: int) -> int:
        """Return the index of what covers a line, which has to be one of `height`."""
        while self._starts[-1] <= line and len(self._starts) < len(self._heights):
            self._reach()
        return bisect_right(self._starts, line) - 1

    def _reach(self) -> None:
        first = len(self._starts) - 1
        line = self._starts[-1]
        for height in self._heights[first : first + _CHUNK]:
            line += height
            self._starts.append(line)
