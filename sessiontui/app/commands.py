"""The command palette: every action that makes sense by name, and every session by its title."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Provider
from textual.content import Content
from textual.fuzzy import FuzzySearch

from sessiontui.app import format as formats
from sessiontui.app.actions import ACTIONS, Action
from sessiontui.models.text import clean

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from sessiontui.app.app import SessionApp
    from sessiontui.catalogue.row import Row

_SESSIONS = 20
"""How many sessions are offered at most."""
_SLICE = 500
"""Titles looked at before keys get their turn."""
_TITLE_CELLS = 60
_TITLE_LENGTH = 200
"""Characters of a title that are matched."""


class ActionCommands(Provider):
    """Offers the actions of the table."""

    async def discover(self) -> AsyncIterator[DiscoveryHit]:
        """Yield every action."""
        for action in _offered():
            yield DiscoveryHit(
                self._display(Content(action.help), action), self._run(action), text=action.help
            )

    async def search(self, query: str) -> AsyncIterator[Hit]:
        """Yield the actions whose help matches."""
        matcher = self.matcher(query)
        for action in _offered():
            score = matcher.match(action.help)
            if score > 0:
                shown = matcher.highlight(action.help)
                yield Hit(score, self._display(shown, action), self._run(action), text=action.help)

    def _display(self, help_text: Content, action: Action) -> Content:
        return Content.assemble(help_text, ("  ", ""), (_app(self).keys.first(action.id), "$past"))

    def _run(self, action: Action) -> Callable[[], Awaitable[None]]:
        return lambda: _app(self).run_listed(action)


class SessionCommands(Provider):
    """Offers the sessions whose title matches, the best and the newest first."""

    async def search(self, query: str) -> AsyncIterator[Hit]:
        """Yield at most `_SESSIONS` sessions; looks at all titles, a slice at a time."""
        # Not `self.matcher`: it reads what it highlights as markup.
        fuzzy = FuzzySearch()
        best: list[tuple[float, int, Row]] = []
        for number, row in enumerate(list(_app(self).workspace.catalogue.rows.values())):
            if number % _SLICE == 0:
                await asyncio.sleep(0)
            score, _ = fuzzy.match(query, row.title[:_TITLE_LENGTH])
            if score > 0:
                best.append((score, row.mtime_ms, row))
        best.sort(key=lambda item: item[:2], reverse=True)
        highest = best[0][0] if best else 1.0
        now = _app(self).workspace.clock()
        for score, changed, row in best[:_SESSIONS]:
            title = formats.cut_end(clean(row.title[:_TITLE_LENGTH]), _TITLE_CELLS)
            shown = Content(title)
            for offset in fuzzy.match(query, title)[1]:
                shown = shown.stylize(self.match_style or "bold", offset, offset + 1)
            shown += Content.styled("  " + formats.age(changed, now), "$past")
            yield Hit(score / highest, shown, self._go_to(row.path), text=title)

    def _go_to(self, path: str) -> Callable[[], None]:
        return lambda: _app(self).show_session(path)


def _app(provider: Provider) -> SessionApp:
    return cast("SessionApp", provider.app)


def _offered() -> list[Action]:
    return [action for action in ACTIONS if action.palette]
