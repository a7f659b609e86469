"""The transcript pane: the transcript and the find bar beneath it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from sessiontui.app.format import SAFE_TEXT, plural
from sessiontui.app.widgets.inputs import Field
from sessiontui.app.widgets.transcript.branch_view import BranchState, BranchViewport
from sessiontui.app.widgets.transcript.finder import FindState, FindViewport
from sessiontui.transcript.search import parse_find_text, parse_search_terms

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from sessiontui.app.widgets.transcript.view import TranscriptView
    from sessiontui.transcript.search import MatchPosition, TextQuery

_LONGEST = 256
_HINT = "text, or re:/pattern/"


class TranscriptFindInput(Field):
    """The field itself; Enter goes on to the transcript, Escape ends the search."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,down,up", "done", show=False),
        Binding("escape", "stop", show=False),
    ]
    HINTS: ClassVar = (("enter", "to the match"), ("escape", "end the search"))
    """What can be done while one types, for the footer: keys with their labels."""

    def action_done(self) -> None:
        """Keep what was found and go to the transcript."""
        self._pane.leave()

    def action_stop(self) -> None:
        """Look for nothing any more."""
        self._pane.stop_finding()

    @property
    def _pane(self) -> TranscriptPane:
        return self.query_ancestor(TranscriptPane)


class TranscriptPane(Vertical):
    """Shows a transcript, and beneath it, while something is looked for, how that goes.

    Args:
        transcript: What is shown and searched.
    """

    def __init__(self, transcript: TranscriptView) -> None:
        super().__init__(id="transcript-pane")
        self.transcript = transcript
        self._read_as: Callable[[str], TextQuery] = parse_find_text
        """How what is typed is understood: as text, or as where all sessions are searched."""

    def compose(self) -> ComposeResult:
        """Lay out the transcript and the lines around it."""
        yield Static(id="transcript-branch")
        yield self.transcript
        with Horizontal(id="transcript-find"):
            yield Static("/", id="transcript-find-slash")
            yield TranscriptFindInput(
                id="transcript-find-text",
                placeholder=_HINT,
                restrict=SAFE_TEXT,
                max_length=_LONGEST,
                compact=True,
                select_on_focus=True,
            )
            yield Static(id="transcript-find-count")

    def open_find(self) -> None:
        """Let the user type what to find."""
        self.add_class("-finding")
        # At once: the next key is the field's already, however fast it comes.
        self.screen.set_focus(self.query_one(TranscriptFindInput))

    def show_found(self, text: str, wanted: TextQuery, spot: MatchPosition) -> None:
        """Show what was found by searching all sessions: the place, and what was typed."""
        self._read_as = parse_search_terms
        self.add_class("-finding")
        with self.prevent(Input.Changed):
            self.query_one(TranscriptFindInput).value = text
        self.transcript.find_at(wanted, spot)

    def leave(self) -> None:
        """Go back to the transcript; what was found stays lit."""
        if not self.query_one(TranscriptFindInput).value:
            self.stop_finding()
        self.screen.set_focus(self.transcript)

    def stop_finding(self) -> bool:
        """Take the line away; return whether it was there."""
        there = self.has_class("-finding")
        self._read_as = parse_find_text
        if there:
            self.query_one(TranscriptFindInput).value = ""
            self.transcript.stop_finding()
            self._tell("")
            self.remove_class("-finding")
            self.screen.set_focus(self.transcript)
        return there

    @on(BranchViewport.LensChanged)
    def _branch_changed(self, event: BranchViewport.LensChanged) -> None:
        """Say above the transcript what of the session is shown, unless that is the usual."""
        event.stop()
        words = branch_summary(event.state)
        self.set_class(bool(words), "-branch")
        self.query_one("#transcript-branch", Static).update(Content.styled(words, "$attention"))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        try:
            self.transcript.find(self._read_as(event.value))
        except ValueError as error:
            self.transcript.find(None)
            self._tell(f"no pattern: {error}", failed=True)

    @on(FindViewport.FindChanged)
    def _found(self, event: FindViewport.FindChanged) -> None:
        if event.found is not None:
            self._tell(*find_summary(event.found))
        elif not self.query_one(TranscriptFindInput).value:
            self._tell("")

    def _tell(self, text: str, failed: bool = False) -> None:
        style = "$failed" if failed else "$past"
        count = self.query_one("#transcript-find-count", Static)
        count.update(Content.styled(text, style), layout=False)


def find_summary(found: FindState) -> tuple[str, bool]:
    """Return how far a search is in a few words, and whether it failed."""
    if found.problem:
        return found.problem, True
    count = f"{found.count:,}" + ("+" if found.full else "")
    if not found.count:
        words = "nothing found" if found.complete else "nothing yet"
    elif found.rank:
        words = f"{found.rank:,} of {count}"
    else:
        words = f"{count} found"
    if not found.complete:
        words += f" · {found.share:.0%}"
    return words, False


def branch_summary(state: BranchState) -> str:
    """Return in a few words what of a session is shown; nothing where it is the usual."""
    words = ["Model context"] if state.context else []
    if state.choice is not None:
        words.append("⑂ Not the newest branch")
        if state.elsewhere:
            words.append(f"{plural(state.elsewhere, 'entry', 'entries')} came elsewhere")
    return " · ".join(words)
