"""Restores and saves the view state of the session list."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sessiontui.app.columns import COLUMNS, DEFAULT_COLUMNS
from sessiontui.catalog.sorting import COUNTED, SORTS
from sessiontui.workspace.view_state import ViewState

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiontui.app.format import Tone
    from sessiontui.app.widgets.session_list.tree import SessionTree
    from sessiontui.catalog.catalog import Catalog
    from sessiontui.workspace.view_state import ViewStateFile


class ViewStateController:
    """Saves the view state of the list and restores it.

    Args:
        file: Where it is remembered; None: nowhere.
        catalog: Has order, folds and pins.
        sessions: Has the columns and the highlight.
        tell: Shows one line with its tone.
    """

    def __init__(
        self,
        file: ViewStateFile | None,
        catalog: Catalog,
        sessions: SessionTree,
        tell: Callable[[str, Tone], None],
    ) -> None:
        self._file = file
        self._catalog = catalog
        self._sessions = sessions
        self._tell = tell
        self._known: ViewState | None = None
        self._failed = False
        self.share: float | None = None
        """How much of the width the list takes; None: the usual."""

    def restore(self) -> None:
        """Show the list as it was left."""
        if self._file is None:
            return
        state, problem = self._file.load()
        if problem:
            self._tell(problem, "attention")
        if state is not None:
            self._apply(state)
        cursor = None if state is None else state.cursor
        self._known = replace(self._state(), cursor=cursor)

    def _apply(self, state: ViewState) -> None:
        catalog = self._catalog
        for sort in (*SORTS, *COUNTED):
            if sort == state.sort:
                catalog.order_by(sort, reverse=state.reverse)
        catalog.set_flat(state.flat)
        catalog.show_empty(state.shows_empty)
        catalog.restore_folds(state.closed, state.folds)
        catalog.pin(state.pins, pinned=True)
        if state.columns is not None:
            named = state.columns
            self._sessions.columns = tuple(column.id for column in COLUMNS if column.id in named)
        if state.cursor is not None:
            self._sessions.wish(state.cursor)
        if state.share is not None and 0 < state.share < 1:
            self.share = state.share

    def _state(self) -> ViewState:
        catalog = self._catalog
        closed, folds = catalog.folds
        chosen = self._sessions.columns
        return ViewState(
            sort=catalog.sort,
            reverse=catalog.reverse,
            flat=catalog.flat,
            shows_empty=catalog.shows_empty,
            columns=None if chosen == DEFAULT_COLUMNS else chosen,
            closed=tuple(sorted(closed)),
            folds=dict(folds),
            pins=tuple(catalog.pins),
            cursor=self._sessions.highlighted,
            share=self.share,
        )

    def _changed(self, *, cursor: bool) -> ViewState | None:
        """Return how the list is shown, if that is not what is remembered."""
        state, known = self._state(), self._known
        if known is None or state == known:
            return None
        if not cursor and replace(state, cursor=known.cursor) == known:
            return None
        return state

    async def save(self) -> None:
        """Remember what changed but the highlight, which moves all the time."""
        state = self._changed(cursor=False)
        if self._file is not None and state is not None:
            self._known = state
            self._told(await asyncio.to_thread(self._file.save, state))

    def close(self) -> None:
        """Remember everything; there is nobody left to wait."""
        state = self._changed(cursor=True)
        if self._file is not None and state is not None:
            self._file.save(state)

    def _told(self, problem: str) -> None:
        if problem and not self._failed:
            self._failed = True
            self._tell(problem, "attention")
