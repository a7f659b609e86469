"""Opens the search over all sessions, and the match that was chosen there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sessiontui.transcript.search import MatchPosition

if TYPE_CHECKING:
    from sessiontui.app.screens.main import MainPanes
    from sessiontui.app.screens.search_screen import SearchTarget

PREFIX: Final = "text:"
"""With this before it, what is typed to filter the list is looked for in all texts."""
_NAME: Final = "search"


class SearchController:
    """Opens the search screen, which keeps its matches, and the chosen match.

    Args:
        main: The screen to come back to.
    """

    def __init__(self, main: MainPanes) -> None:
        self._main = main

    def open(self, text: str = "") -> None:
        """Show the search as it was left, or search for something else."""
        from sessiontui.app.screens.search_screen import SearchScreen

        app = self._main.app
        if not app.is_screen_installed(_NAME):
            app.install_screen(SearchScreen(self._main.workspace, self._main.keys), _NAME)
        screen = app.get_screen(_NAME)
        if app.screen is not screen:
            app.push_screen(screen, self._go_to)
        if text and isinstance(screen, SearchScreen):
            screen.call_after_refresh(screen.look_for, text)

    def _go_to(self, place: SearchTarget | None) -> None:
        """Read a session where something was found."""
        main = self._main
        if place is None:
            return
        if main.workspace.row(place.path) is None:
            main.tell("This session is gone", "attention")
            return
        main.show_session(place.path)
        main.focus_pane(reading=True)

        def show() -> None:
            # Later: what is about to be read must have begun before something else is read instead.
            spot = MatchPosition(place.offset, place.block)
            main.call_later(main.transcript_pane.show_found, place.text, place.wanted, spot)

        main.reading.wish(place.path, then=show)
