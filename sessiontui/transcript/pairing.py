"""Pairing of tool calls and results in a window of pages.

A call shows its result, wherever in the window that is; the line of the result
then shows nothing. What comes into the window or leaves it changes how other
lines show: those are told by `take_stale`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiontui.formats.base import NO_CALL_IDS
from sessiontui.formats.jsonl import Entry
from sessiontui.formats.registry import call_ids, results_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiontui.formats.base import CallIds
    from sessiontui.formats.blocks import Result
    from sessiontui.formats.jsonl import Item
    from sessiontui.transcript.pages import Page

_Ids = tuple[tuple[str, ...], ...]
"""A plain copy of `CallIds`: the garbage collector passes such tuples over."""

_MAX_STALE = 10_000
"""Beyond this many nobody listens; the oldest knowledge of them would be of no use."""


class PairIndex:
    """An index of calls, starts and results by call id; numbers only, since it can be large.

    Args:
        decode_at: Returns the entries of the line at an offset in the window.
    """

    def __init__(
        self,
        decode_at: Callable[[int], tuple[Item, ...]],
    ) -> None:
        self._decode_at = decode_at
        self._calls: dict[str, int] = {}
        self._starts: dict[str, int] = {}
        self._results: dict[str, int] = {}
        self._links: dict[int, dict[int, _Ids]] = {}
        self._stale: set[int] = set()

    def clear(self) -> None:
        """Forget everything."""
        for table in (self._calls, self._starts, self._results, self._links, self._stale):
            table.clear()

    def add(self, page: Page, number: int, entries: tuple[Item, ...]) -> None:
        """Take in the entries of a line of a page."""
        found = call_ids(entries)
        if found is not NO_CALL_IDS:
            self._links.setdefault(page.uid, {})[number] = tuple(found)
            self._enter(page.offset(number), found)

    def _enter(self, offset: int, links: CallIds) -> None:
        for call_id in links.calls:
            self._calls[call_id] = offset
            self._spoil(self._results.get(call_id), self._starts.get(call_id))
        for call_id in links.results:
            known = self._results.get(call_id)
            if known is None or known > offset:
                self._results[call_id] = offset
                self._spoil(known, self._calls.get(call_id))
        for call_id in links.starts:
            self._starts[call_id] = offset
            self._spoil(self._calls.get(call_id))

    def drop(self, page: Page) -> None:
        """Forget the lines of a page that leaves the window."""
        for number, (calls, results, starts) in self._links.pop(page.uid, {}).items():
            offset = page.offset(number)
            for call_id in calls:
                if self._calls.get(call_id) == offset:
                    del self._calls[call_id]
                    self._spoil(self._results.get(call_id), self._starts.get(call_id))
            for table, ids in ((self._results, results), (self._starts, starts)):
                for call_id in ids:
                    if table.get(call_id) == offset:
                        del table[call_id]
                        self._spoil(self._calls.get(call_id))

    def take_stale(self) -> set[int]:
        """Return offsets of lines that show in another way now, and forget them."""
        stale, self._stale = self._stale, set()
        return stale

    def _spoil(self, *offsets: int | None) -> None:
        for offset in offsets:
            if offset is not None and len(self._stale) < _MAX_STALE:
                self._stale.add(offset)

    def result(self, call_id: str) -> Result | None:
        """Return what the call got, if that is in the window."""
        offset = self._results.get(call_id)
        for item in self._decode_at(offset) if offset is not None else ():
            for result in results_of(item):
                if result.call_id == call_id:
                    return result
        return None

    def call_at(self, call_id: str) -> int | None:
        """Return where the line with a call begins, if that is in the window."""
        return self._calls.get(call_id)

    def result_at(self, call_id: str) -> int | None:
        """Return where the line with the result of a call begins, if that is in the window."""
        return self._results.get(call_id)

    def started_ms(self, call_id: str) -> int | None:
        """Return when the call began to run, if that is in the window."""
        offset = self._starts.get(call_id)
        for item in self._decode_at(offset) if offset is not None else ():
            if isinstance(item, Entry) and call_id in call_ids((item,)).starts:
                return item.timestamp_ms
        return None

    def is_shown(self, call_id: str, offset: int) -> bool:
        """Return whether the call is in the window, and shows what the line at `offset` holds."""
        return call_id in self._calls and offset in {
            self._results.get(call_id),
            self._starts.get(call_id),
        }
