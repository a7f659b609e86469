"""The search screen: matches in all sessions, shown as they are found."""

from __future__ import annotations

import time
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from textual import on
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from sessiontui.app import format as formats
from sessiontui.app.format import SAFE_TEXT, snippet, speaker
from sessiontui.app.screens.base import ClosedOnce
from sessiontui.app.timers import call_later
from sessiontui.app.widgets.inputs import Choices, Field
from sessiontui.catalog.sorting import shown_title
from sessiontui.errors import StorageError, TooSlowError
from sessiontui.search.session_search import SessionMatch
from sessiontui.text import clean
from sessiontui.transcript.search import parse_search_terms

if TYPE_CHECKING:
    from asyncio import TimerHandle
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.worker import Worker

    from sessiontui.app.keymap import Keymap
    from sessiontui.catalog.row import Row
    from sessiontui.transcript.search import TextQuery
    from sessiontui.workspace import Workspace

MAX_MATCHES: Final = 1000
"""How many places are listed at most."""
PER_SESSION: Final = 4
"""How many of one session; in its transcript one goes on to the others."""
_LONGEST: Final = 256
_LEAST: Final = 2
"""From how many characters on typing alone begins a search."""
_TYPING_S: Final = 0.3
_SHOW_S: Final = 0.1
"""How often what was found is shown, at most."""
_WHO_CELLS: Final = 10
_MARGIN: Final = 2
_LEAST_TITLE: Final = 24
_HINT: Final = 'words, "exact text" or re:/pattern/'
_ABOUT: Final = (
    "Searches the text of all sessions: yours, the agents' and their tools'. Newest first."
)


class SearchTarget(NamedTuple):
    """What the search screen answers: where a match is, and what was searched."""

    path: str
    offset: int
    block: int
    text: str
    """As typed."""
    wanted: TextQuery


class _Item(NamedTuple):
    """A line of the list."""

    row: Row
    found: SessionMatch
    first: bool
    """Whether it is the first of its session, which is told above it."""


class SearchInput(Field):
    """The field itself; Enter searches, or goes on to what was found."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.search_now", show=False),
        Binding("down", "screen.results", show=False),
        Binding("escape", "screen.leave", show=False, priority=True),
    ]


class SearchScreen(ClosedOnce[SearchTarget | None]):
    """Finds text in all sessions; answers with the place to read. Keeps what it found.

    Args:
        workspace: Where the sessions are.
        keys: Names the keys.
    """

    AUTO_FOCUS: ClassVar[str | None] = "SearchInput"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", show=False),
        Binding("slash,ctrl+f", "type", show=False),
    ]

    def __init__(self, workspace: Workspace, keys: Keymap) -> None:
        super().__init__()
        self._workspace = workspace
        self._keys = keys
        self._wanted: TextQuery | None = None
        self._text = ""
        """What is looked for, or was last."""
        self._items: list[_Item] = []
        self._looking: Worker[None] | None = None
        self._timer: TimerHandle | None = None
        self._sessions = 0

    def compose(self) -> ComposeResult:
        """Lay out the field, what is found, and the keys."""
        with Horizontal(id="search-line"):
            yield Static("/", id="search-slash")
            yield SearchInput(
                id="search-text",
                placeholder=_HINT,
                restrict=SAFE_TEXT,
                max_length=_LONGEST,
                compact=True,
                select_on_focus=True,
            )
            yield Static(id="search-count")
        yield Static(Content.styled(_ABOUT, "$past"), id="search-about")
        yield Choices(id="search-results", markup=False, compact=True)
        enter = self._keys.written("enter")
        yield Static(
            Content.styled(f"{enter} open   / new search   esc back", "$past"),
            id="search-keys",
        )

    @property
    def _list(self) -> Choices:
        return self.query_one(Choices)

    @property
    def _field(self) -> SearchInput:
        return self.query_one(SearchInput)

    @property
    def quiet(self) -> bool:
        """Whether nothing is being looked for, or about to be."""
        return self._timer is None and (self._looking is None or self._looking.is_finished)

    def look_for(self, text: str) -> None:
        """Look for this as if it had been typed."""
        with self.prevent(Input.Changed):
            self._field.value = text
        self._search()

    # -- what the user does

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._wait_no_more()
        text = event.value.strip()
        # Of keys that come together, Enter has searched already what the field tells of here.
        if len(text) >= _LEAST and text != self._text:
            self._timer = call_later(self, _TYPING_S, self._search)

    def action_search_now(self) -> None:
        """Search at once; what is found already is gone to."""
        if self._field.value.strip() == self._text and self._items:
            self.action_results()
        else:
            self._search()

    def action_results(self) -> None:
        """Go to what was found."""
        if self._items:
            self.set_focus(self._list)

    def action_type(self) -> None:
        """Type what to look for."""
        self.set_focus(self._field)

    def action_leave(self) -> None:
        """End the search that runs; else go back to where one was."""
        if self.quiet:
            self.dismiss(None)
            return
        self._wait_no_more()
        if self._looking is not None:
            self._looking.cancel()
        self._tell(f"stopped · {self._counted()}")

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if self._wanted is not None and event.option_index < len(self._items):
            found = self._items[event.option_index].found
            hit = found.hit
            self.dismiss(SearchTarget(found.path, hit.offset, hit.block, self._text, self._wanted))

    # -- searching

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _search(self) -> None:
        self._wait_no_more()
        if self._looking is not None:
            self._looking.cancel()
        self._text = self._field.value.strip()
        self._items, self._sessions = [], 0
        self._list.clear_options()
        self._show_about()
        try:
            self._wanted = parse_search_terms(self._text)
        except ValueError as error:
            self._tell(f"no pattern: {error}", failed=True)
            return
        if not self._wanted:
            self._tell("")
            return
        self._tell("searching…")
        self._looking = self.run_worker(partial(self._look, self._wanted), group="search")

    async def _look(self, wanted: TextQuery) -> None:
        waiting: list[SessionMatch] = []
        shown_s = time.monotonic()
        count = 0
        try:
            async with aclosing(
                self._workspace.library.search(wanted, most=PER_SESSION)
            ) as results:
                async for item in results:
                    if isinstance(item, SessionMatch):
                        waiting.append(item)
                        count += 1
                    if count >= MAX_MATCHES or time.monotonic() - shown_s > _SHOW_S:
                        await self._show(waiting)
                        waiting, shown_s = [], time.monotonic()
                    if count >= MAX_MATCHES:
                        self._tell(f"the first {self._counted()}")
                        return
                    if not isinstance(item, SessionMatch):
                        progress = f"searching {item.sessions:,} of {item.of:,}"
                        self._tell(f"{progress} · {self._counted()}")
            await self._show(waiting)
        except (StorageError, TooSlowError) as error:
            await self._show(waiting)
            self._tell(clean(str(error)), failed=True)
            return
        self._tell(self._counted() if self._items else "nothing found")

    async def _show(self, found: Sequence[SessionMatch]) -> None:
        """Add what was found to the list; a session that is gone meanwhile is left out."""
        if not found:
            return
        paths = dict.fromkeys(item.path for item in found)
        rows = {row.path: row for row in await self._workspace.read_rows(list(paths))}
        last = self._items[-1].row.path if self._items else None
        fresh = []
        for item in found:
            row = rows.get(item.path)
            if row is not None:
                fresh.append(_Item(row, item, first=item.path != last))
                self._sessions += item.path != last
                last = item.path
        results = self._list
        results.add_options(self._options(fresh))
        self._items += fresh
        if results.highlighted is None and self._items:
            results.highlighted = 0
        self._show_about()

    # -- what is shown

    def _options(self, items: Sequence[_Item]) -> list[Option | None]:
        """Return the lines of what follows `_items`; None parts sessions from one another."""
        options: list[Option | None] = []
        for item in items:
            if item.first and (options or self._items):
                options.append(None)
            options.append(Option(self._line(item)))
        return options

    def _line(self, item: _Item) -> Content:
        """Return a place, beneath its session where that was not told yet."""
        width = max(_LEAST_TITLE, self.size.width - _MARGIN)
        hit, more = item.found.hit, "  and more" if item.found.more else ""
        who = formats.cut_end(speaker(hit), _WHO_CELLS)
        room = width - _WHO_CELLS - 4 - len(more)
        wanted = self._wanted
        text, spans = snippet(hit, wanted, room) if wanted is not None else (hit.text, [])
        line = Content(text)
        for start, end in spans:
            line = line.stylize("bold $attention", start, end)
        pad = " " * (_WHO_CELLS - Content(who).cell_length)
        told = Content.assemble("  ", (who, "$past"), pad, "  ", line, (more, "$faint"))
        return Content("\n").join((self._heading(item.row, width), told)) if item.first else told

    def _heading(self, row: Row, width: int) -> Content:
        project = formats.cut_middle(clean(self._workspace.catalog.project(row)), width // 3)
        when = formats.age(row.mtime_ms, self._workspace.clock())
        right = Content.styled(f"{project} · {when}", "$past")
        room = max(_LEAST_TITLE, width - right.cell_length - 2)
        title = Content.styled(formats.cut_end(clean(shown_title(row)), room), "bold")
        gap = " " * max(2, width - title.cell_length - right.cell_length)
        return Content.assemble(title, gap, right)

    def _counted(self) -> str:
        hits = formats.plural(len(self._items), "match", "matches")
        if not self._items:
            return hits
        return f"{hits} in {formats.plural(self._sessions, 'session')}"

    def _show_about(self) -> None:
        self.set_class(bool(self._items), "-found")

    def _tell(self, text: str, failed: bool = False) -> None:
        count = self.query_one("#search-count", Static)
        count.update(Content.styled(text, "$failed" if failed else "$past"))

    def on_resize(self, event: events.Resize) -> None:
        """Cut the lines anew."""
        if event.size.width and self._items:
            results = self._list
            highlighted = results.highlighted
            items, self._items = self._items, []
            results.set_options(self._options(items))
            self._items = items
            results.highlighted = highlighted
