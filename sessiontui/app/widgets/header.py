"""The header: the source, and the state of the workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from sessiontui.app import format as formats
from sessiontui.text import clean
from sessiontui.workspace import WorkspaceState

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAME = "sessiontui"
_GAP = 3
"""Cells between two facts."""
_PLACE = 24
"""Cells that the place gets at least, if it needs them."""
_SHORTEST = 12


class Header(Widget):
    """Shows the source and the workspace's state in one line; drops the least first."""

    state: reactive[WorkspaceState] = reactive(WorkspaceState)
    place: reactive[str] = reactive("")
    """Where the sessions come from, without any secret."""
    ascii_only: reactive[bool] = reactive(False)

    def render(self) -> Content:
        """Return the line, fitted to the width."""
        width = self.size.width - 2
        facts = list(self._facts())
        place = clean(self.place)
        while len(facts) > 1 and _width(facts) + min(cell_len(place), _PLACE) + _GAP > width:
            del facts[-1]
        room = width - _width(facts) - _GAP
        named = room >= len(_NAME) + 2 + cell_len(place)
        name = f"{_NAME}  " if named else ""
        place = formats.cut_middle(place, room - len(name))
        start = Content.assemble(" ", (name, "bold"), (place, "$past"))
        gap = " " * max(1, width + 1 - start.cell_length - _width(facts))
        return Content.assemble(start, gap, _joined(facts))

    def _facts(self) -> Iterable[Content]:
        """Yield what is going on, the most important first."""
        state = self.state
        yield self._feed()
        if state.read_only is not None:
            yield Content.styled(f"read-only ({clean(state.read_only)})", "$attention")
        if state.pending:
            yield Content.styled(formats.plural(state.pending, "write") + " pending", "$attention")
        busy = [
            (text, style)
            for number, text, style in (
                (state.running, f"{state.running} running", "$live"),
                (state.waiting, f"{state.waiting} waiting", "$attention"),
            )
            if number
        ]
        if busy:
            yield Content(" · ").join([Content.styled(text, style) for text, style in busy])
        if state.problem is None:
            yield Content(formats.plural(state.sessions, "session"))
            yield Content.styled(formats.size(state.bytes), "$past")

    def _feed(self) -> Content:
        """Return how changes reach us."""
        state = self.state
        full, empty = ("*", "o") if self.ascii_only else ("●", "◌")
        if state.problem is not None:
            return Content.styled(f"{empty} not connected", "$failed")
        if state.loading:
            return Content.styled(f"{empty} loading", "$past")
        if not state.feed.live:
            refused = state.feed.cause == "refused"
            told = clean(_reason(state.feed.error or ""))
            said = told if refused and told else "reconnecting" + (f": {told}" if told else "")
            room = max(_SHORTEST, self.size.width - 2 - _PLACE - _GAP - 2)
            style = "$failed" if refused else "$attention"
            return Content.styled(f"{empty} {formats.cut_end(said, room)}", style)
        if state.feed.tier == "polling":
            return Content.assemble((full, "$live"), (" polling", "$past"))
        return Content.styled(f"{full} live", "$live")


def _reason(error: str) -> str:
    """Return why the source cannot be reached, without saying once more where it is."""
    start, found, reason = error.partition(": ")
    return reason if found and start.startswith("cannot reach ") else error


def _joined(facts: list[Content]) -> Content:
    return Content(" " * _GAP).join(facts)


def _width(facts: list[Content]) -> int:
    return sum(fact.cell_length for fact in facts) + _GAP * (len(facts) - 1)
