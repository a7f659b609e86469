"""The details over a transcript: title, status and stats of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from sessiontui.app import format as formats
from sessiontui.catalog.projects import home_relative
from sessiontui.catalog.row import Row, Status
from sessiontui.catalog.sorting import shown_title
from sessiontui.catalog.stats import SessionStats
from sessiontui.formats.blocks import model_name
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessiontui.formats.base import Tokens

_MARGIN = 2
"""Cells left free on either side, as beside the entries below."""
_BESIDE = 3
"""Cells kept free between what stands left and what stands right."""


class Details(Widget):
    """Shows one row in full; in a low terminal the title and the state alone."""

    row: reactive[Row | None] = reactive[Row | None](None)
    activity: reactive[Status] = reactive[Status]("unknown")
    now_ms: reactive[int] = reactive(0)
    figures: reactive[SessionStats | None] = reactive[SessionStats | None](None)
    """As far as they are counted."""
    ascii_only: reactive[bool] = reactive(False)
    gone: reactive[bool] = reactive(False)
    """Whether the session was deleted while it was read."""
    home: str = ""
    """Shown as `~`."""

    def render(self) -> Content:
        """Return the lines that fit the height."""
        row = self.row
        if row is None:
            return Content.empty()
        width = self.size.width - 2 * _MARGIN
        title = clean(shown_title(row))
        if self.gone:
            return self._farewell(title, width)
        if self.size.height < 3:
            return self._beside(Content.styled(title, "bold"), self._state(row), width)
        changed = Content.styled(self._exact(row.mtime_ms), "$past")
        heading = self._beside(Content.styled(title, "bold"), changed, width)
        if row.failed:
            return Content("\n").join((heading, *self._failure(row, width)))
        where = Content.styled(formats.cut_middle(self._place(row), width), "$past")
        facts = Content.styled(" · ", "$faint").join([self._state(row), *self._facts(row)])
        lines = [
            heading,
            Content(" " * _MARGIN) + facts.truncate(width, ellipsis=True),
            Content(" " * _MARGIN) + where,
        ]
        return Content("\n").join(lines)

    def _failure(self, row: Row, width: int) -> Iterable[Content]:
        """Yield why an action of ours failed, in as many lines as it needs and there are."""
        told = Content.styled(clean(row.note), "$failed")
        for line in told.wrap(width)[: self.size.height - 1]:
            yield Content(" " * _MARGIN) + line.truncate(width, ellipsis=True)

    def _farewell(self, title: str, width: int) -> Content:
        """Return what is said over what was read of a session that is gone."""
        lines = (
            Content.styled("This session was deleted elsewhere", "bold $attention"),
            Content.styled(f"“{title}”", "$past"),
            Content.styled("What was read of it stays until you go back to the list.", "$past"),
        )
        margin = Content(" " * _MARGIN)
        return Content("\n").join(margin + line.truncate(width, ellipsis=True) for line in lines)

    def _beside(self, left: Content, right: Content, width: int) -> Content:
        """Return one line with `right` at its end, or without it where it leaves too little."""
        room = width - right.cell_length - _BESIDE
        if room < min(left.cell_length, 20):
            return Content(" " * _MARGIN) + left.truncate(width, ellipsis=True)
        left = left.truncate(room, ellipsis=True)
        gap = " " * (width - left.cell_length - right.cell_length)
        return Content.assemble(" " * _MARGIN, left, gap, right)

    def _exact(self, then_ms: int) -> str:
        """Return a time to the second, its day only where that is not today."""
        then, now = formats.exact_time(then_ms), formats.exact_time(self.now_ms)
        return then.removeprefix(now[:11])

    def _state(self, row: Row) -> Content:
        """Return what it does now: an action of ours before what its agent does."""
        if row.note:
            style = "$failed" if row.failed else "$attention"
            return Content.styled(clean(row.note), style)
        sign = formats.STATUS_SYMBOLS[self.activity]
        words = [sign.glyph(ascii_only=self.ascii_only), sign.word or self.activity]
        if self.activity == "running" and row.tool:
            words.append(clean(row.tool))
            if row.tool_since_ms is not None:
                words.append(formats.duration(self.now_ms - row.tool_since_ms))
        return Content.styled(" ".join(words), f"${sign.tone}")

    def _facts(self, row: Row) -> Iterable[Content]:
        told = self.figures
        if row.model:
            yield Content.styled(model_name(row.model), "$past")
        if told is not None:
            yield Content.styled(formats.plural(told.entries, "entry", "entries"), "$past")
            yield Content.styled(formats.plural(told.turns, "turn"), "$past")
        yield Content.styled(formats.size(row.size), "$past")
        if told is not None and told.cost:
            yield Content.styled(formats.cost(told.cost), "$past")
        if told is not None and told.tokens.total:
            yield Content.styled(token_words(told.tokens), "$past")
        if row.created_ms is not None:
            since = formats.clock_time(row.created_ms, self.now_ms)
            yield Content.styled(f"since {since}", "$past")

    def _place(self, row: Row) -> str:
        """Return its folder of work and its path, both as they are told to the user."""
        path = home_relative(clean(row.path), self.home)
        if not row.cwd:
            return path
        folder = home_relative(clean(row.cwd), self.home)
        room = max(8, self.size.width - 2 * _MARGIN - cell_len(folder) - 3)
        return f"{folder} · {formats.cut_middle(path, room)}"


def token_words(used: Tokens) -> str:
    """Return how many tokens went in and out: `1.2M in (97% cached), 45k out`."""
    entered = used.input + used.cache_read + used.cache_write
    cached = f" ({used.cache_read / entered:.0%} cached)" if used.cache_read else ""
    return f"{formats.tokens(entered)} in{cached}, {formats.tokens(used.output)} out"
