"""The command palette: actions by name, sessions by title."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Provider
from textual.content import Content
from textual.fuzzy import FuzzySearch

from sessiontui.app import format as formats
from sessiontui.app import keymap
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from sessiontui.app.actions import Action
    from sessiontui.app.app import SessionApp
    from sessiontui.catalog.row import Row

_SESSIONS = 20
"""How many sessions are offered at most."""
_SLICE = 500
"""Titles looked at before keys get their turn."""
_TITLE_CELLS = 60
_TITLE_LENGTH = 200
"""Characters of a title that are matched."""


class ActionCommands(Provider):
    """Offers the actions of the table, those of the focused pane first."""

    async def discover(self) -> AsyncIterator[DiscoveryHit]:
        """Yield every action."""
        for action in self._offered():
            name = _name(action)
            yield DiscoveryHit(self._display(Content(name), action), self._run(action), text=name)

    async def search(self, query: str) -> AsyncIterator[Hit]:
        """Yield the actions that `query` may mean; where it begins a word, above all sessions."""
        matcher = self.matcher(query)
        offered = self._offered()
        for number, action in enumerate(offered):
            name = _name(action)
            fuzzy = matcher.match(name)
            nearness = (len(offered) - number) / len(offered)
            if _begins_word(query, action):
                score = 2 + nearness
            elif fuzzy > 0:
                score = fuzzy / (1 + fuzzy) * (1 + nearness) / 2
            else:
                continue
            shown = matcher.highlight(name)
            yield Hit(score, self._display(shown, action), self._run(action), text=name)

    def _offered(self) -> list[Action]:
        """Return what makes sense by name: of the focused pane, of both, then of the other."""
        near = {_app(self).main.footer.context: 0, "everywhere": 1}
        read_only = _app(self).workspace.state.read_only is not None
        found = [
            action for action in keymap.available_actions(read_only=read_only) if action.palette
        ]
        return sorted(found, key=lambda action: near.get(action.context, 2))

    def _display(self, name: Content, action: Action) -> Content:
        return Content.assemble(name, ("  ", ""), (_app(self).keys.first(action.id), "$past"))

    def _run(self, action: Action) -> Callable[[], Awaitable[None]]:
        return lambda: _app(self).run_listed(action)


class SessionCommands(Provider):
    """Offers the sessions whose title matches, the best and the newest first."""

    async def search(self, query: str) -> AsyncIterator[Hit]:
        """Yield at most `_SESSIONS` sessions; looks at all titles, a slice at a time."""
        # Not `self.matcher`: it reads what it highlights as markup.
        fuzzy = FuzzySearch()
        best: list[tuple[float, int, Row]] = []
        for number, row in enumerate(list(_app(self).workspace.catalog.rows.values())):
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


def _name(action: Action) -> str:
    """Return the help, and the footer's word before it where the help lacks that word."""
    if f" {action.label.casefold()} " in f" {action.help.casefold().replace(',', '')} ":
        return action.help
    return f"{action.label.capitalize()}: {action.help[:1].lower()}{action.help[1:]}"


def _begins_word(query: str, action: Action) -> bool:
    """Tell whether an action's name or its id has a word that begins with `query`."""
    names = f" {_name(action)} {action.id} {action.id.replace('-', ' ')}".casefold()
    return f" {query.strip().casefold()}" in names
