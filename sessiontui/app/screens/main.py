"""The main screen: the list on the left, the transcript of the current session on the right.

Lays the widgets out and carries messages between them and the workspace.
What the workspace tells is collected and shown once for each turn of the
message loop, however much arrives.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from sessiontui.app import format as formats
from sessiontui.app.controllers.clipboard import ClipboardController
from sessiontui.app.controllers.edit import EditController
from sessiontui.app.controllers.export import ExportController
from sessiontui.app.controllers.list import ListController
from sessiontui.app.controllers.prompts import Prompts, quote_title
from sessiontui.app.controllers.resume import ResumeController
from sessiontui.app.controllers.search import PREFIX as SEARCH_PREFIX
from sessiontui.app.controllers.search import SearchController
from sessiontui.app.controllers.transcript import TranscriptController, subagent_path
from sessiontui.app.controllers.transfer import TransferController
from sessiontui.app.controllers.view_state import ViewStateController
from sessiontui.app.format import as_sentence
from sessiontui.app.keymap import bindings
from sessiontui.app.screens.base import TerminalSized
from sessiontui.app.screens.problem_view import ProblemView
from sessiontui.app.widgets.details import Details
from sessiontui.app.widgets.footer import Footer, FooterMessage
from sessiontui.app.widgets.header import Header
from sessiontui.app.widgets.session_list.filter_line import FilterInput, FilterLine
from sessiontui.app.widgets.session_list.header import Caption, SortHeader
from sessiontui.app.widgets.session_list.tree import SessionTree
from sessiontui.app.widgets.splitter import PaneRule, Splitter, follow_note
from sessiontui.app.widgets.transcript.finder import FindViewport
from sessiontui.app.widgets.transcript.pane import TranscriptPane
from sessiontui.app.widgets.transcript.view import TranscriptView
from sessiontui.catalog.row_builder import session_status
from sessiontui.catalog.sorting import shown_title
from sessiontui.storage.artifacts import NOT_READ, ODD_NAME
from sessiontui.storage.sync import TOOK_OVER
from sessiontui.workspace import DocumentGone, RowsChanged, StateChanged

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from sessiontui.app.actions import Action
    from sessiontui.app.format import Tone
    from sessiontui.app.keymap import Keymap
    from sessiontui.workspace import Update, Workspace
    from sessiontui.workspace.view_state import ViewStateFile

NARROW = 80
"""Up to so many columns only one pane is shown."""
LOW = 15
"""Up to so many rows the rules are left out and the heading is one line."""
_LIST_SHARE = 0.46
_LIST_LEAST, _TRANSCRIPT_LEAST = 24, 30
_SEARCH_AGAIN_S = 10.0
"""How often a search is done again of which the result changes as time goes by."""
_REMEMBER_S = 3.0
"""How often it is looked whether there is something to remember."""
_FAILURE_MS = 8_000
"""How long a row tells at least why an action failed, however the user moves on."""


class MainPanes(TerminalSized[None]):
    """Shows the sessions of one workspace and the transcript of one of them."""

    AUTO_FOCUS: ClassVar[str | None] = "#sessions"

    class Updated(Message):
        """Something of what was collected is to be shown."""

        def can_replace(self, message: Message) -> bool:
            """Let one message stand for all that wait."""
            return isinstance(message, MainPanes.Updated)

    def __init__(
        self, workspace: Workspace, keys: Keymap, list_file: ViewStateFile | None = None
    ) -> None:
        super().__init__()
        self.workspace = workspace
        self.keys = keys
        ascii_only = workspace.config.ascii
        self.sessions = SessionTree(now=workspace.clock, ascii_only=ascii_only, id="sessions")
        self.transcript = TranscriptView(now=workspace.clock, id="transcript")
        self.transcript_pane = TranscriptPane(self.transcript)
        self.header = Header(id="header")
        self.details = Details(id="details")
        self.filter_line = FilterLine(id="find-line")
        self.sort_header = SortHeader(ascii_only=ascii_only, id="sort")
        self.caption = Caption(id="caption")
        self.footer = Footer(keys)
        self.problem = ProblemView(
            workspace.source,
            retry_key=keys.first("reload"),
            quit_key=keys.first("quit"),
            enter_key=keys.written("enter"),
        )
        self.reading = TranscriptController(self, workspace, self.transcript, self._cannot_read)
        self.searching = SearchController(self)
        self.conversation = Prompts(self, workspace, keys, self.tell)
        self.changing = EditController(self.conversation)
        self.copying = ClipboardController(self, self.transcript, self.tell)
        self.exporting = ExportController(self.conversation)
        self.transferring = TransferController(self.conversation)
        self.resuming = ResumeController(self.conversation)
        self.listing = ListController(
            workspace,
            keys,
            self.sessions,
            self.filter_line,
            self.sort_header,
            self.caption,
            self.tell,
        )
        self.remembering = ViewStateController(
            list_file, workspace.catalog, self.sessions, self.tell
        )
        self._rows: set[str] | None = set()
        self._follows = Content()
        self._moved: list[DocumentGone] = []
        self._retry_at_ms: int | None = None
        self._loss = ""
        self._odd_name = ""

    def compose(self) -> ComposeResult:
        """Lay out header, panes and footer."""
        yield self.header
        yield PaneRule(id="rule-top")
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                with Horizontal(id="list-head"):
                    yield self.filter_line
                    yield self.sort_header
                yield self.caption
                yield self.sessions
            yield Splitter(id="splitter")
            with Vertical(id="right"):
                yield self.details
                yield self.transcript_pane
        yield self.problem
        yield PaneRule(id="rule-bottom")
        yield self.footer

    def on_mount(self) -> None:
        """Begin to listen; what the workspace knows already is shown as well."""
        self.header.place = self.workspace.source.label
        for widget in (self.header, self.details, *self.query(PaneRule), *self.query(Splitter)):
            widget.ascii_only = self.workspace.config.ascii
        self.workspace.catalog.order_by(self.workspace.config.sort)
        self.remembering.restore()
        self.details.home = self.workspace.home
        self.sessions.catalog = self.workspace.catalog
        self.query_one("#rule-bottom", PaneRule).opens_down = False
        self._remove_listener = self.workspace.listen(self._collect)
        self._collect(StateChanged())
        self._collect(RowsChanged(None))
        self.set_interval(1.0, self._tick)
        self.set_interval(_SEARCH_AGAIN_S, self._search_again)
        self.set_interval(_REMEMBER_S, self._remember)
        if renamed := self.keys.renamed:
            pairs = ", ".join(f"{old} is now {new}" for old, new in renamed.items())
            self.tell(f"Configuration, [keys]: {pairs}", "past")
        self.sessions.focus()

    def on_unmount(self) -> None:
        """Listen no more, and remember how the list was left."""
        self.remembering.close()
        self._remove_listener()

    # From the workspace to the widgets

    def _collect(self, update: Update) -> None:
        """Take note of what happened and see that it is shown soon; the workspace calls it."""
        if isinstance(update, DocumentGone):
            self._moved.append(update)
        elif isinstance(update, RowsChanged):
            if update.paths is None:
                self._rows = None
            elif self._rows is not None:
                self._rows |= update.paths
        elif isinstance(update, StateChanged):
            problem = self.workspace.state.problem
            if problem is not None and problem is not self.problem.problem:
                wait = None if problem.retry_s is None else round(problem.retry_s * 1000)
                self._retry_at_ms = None if wait is None else self.workspace.clock() + wait
        self.post_message(self.Updated())

    def on_main_panes_updated(self) -> None:
        """Show what was collected."""
        moved, self._moved = self._moved, []
        for gone in moved:
            self._document_gone(gone)
        rows, self._rows = self._rows, set()
        if rows is None or rows:
            self.workspace.catalog.figured(rows or ())
            self.sessions.rows_changed(rows)
            self.listing.show()
            self.show_marks()
            self._found_again()
        self._show_state()
        self._show_details()

    def _document_gone(self, gone: DocumentGone) -> None:
        """Follow a session that moved; where one was deleted by others, say so."""
        reading = self.has_class("-reading")
        elsewhere = (
            gone.new_path is None
            and gone.path == self.reading.path
            and not self.workspace.storage.took(gone.path)
        )
        if elsewhere and not reading and self.details.row is not None:
            self.tell(
                f"{quote_title(shown_title(self.details.row))} was deleted elsewhere", "attention"
            )
        self.reading.moved(gone.path, gone.new_path, keep=elsewhere and reading)

    def _found_again(self) -> None:
        """Read on where a session that was deleted elsewhere is back."""
        lost = self.reading.lost
        if lost is not None and self.workspace.row(lost) is not None:
            self.sessions.select(lost)
            self.reading.wish(lost)

    def _show_state(self) -> None:
        state = self.workspace.state
        self.header.state = state
        self.footer.read_only = state.read_only is not None
        losses = [warning for warning in state.warnings if warning.startswith(TOOK_OVER)]
        if losses and losses[-1] != self._loss:
            self._loss = losses[-1]
            self.tell(as_sentence(self._loss), "failed")
        odd = [warning for warning in state.warnings if warning.startswith((ODD_NAME, NOT_READ))]
        if odd and odd[-1] != self._odd_name:
            self._odd_name = odd[-1]
            self.tell(as_sentence(self._odd_name), "attention")
        if not state.loading:
            self.sessions.settle()
            if state.feed.live:
                self.reading.again()
        empty = not state.loading and state.sessions == 0
        shown = state.problem is not None or empty
        if shown:
            self.problem.problem = state.problem
        if shown != self.has_class("-problem"):
            self.set_class(shown, "-problem")
            self.footer.alone = shown
            self._place_rule()
            (self.problem.action_enter if shown else self.sessions.focus)()
        self._count_down()

    def _show_details(self) -> None:
        self.details.gone = self.reading.lost is not None
        if self.details.gone:
            return
        path = self.sessions.highlighted
        row = None if path is None else self.workspace.row(path)
        now = self.workspace.clock()
        self.details.now_ms = now
        self.details.row = row
        self.details.figures = None if row is None else self.workspace.session_figures(row.path)
        if row is not None:
            self.details.activity = session_status(row, now_ms=now)

    @work(group="remember", exclusive=True)
    async def _remember(self) -> None:
        await self.remembering.save()

    def _search_again(self) -> None:
        if self.listing.ages:
            self._search(self.listing.wanted)

    def _tick(self) -> None:
        if (told := self.footer.note) is None or told.tone != "failed":
            self.workspace.notes.forget_failures(older_than_ms=_FAILURE_MS)
        self._show_details()
        self._count_down()

    def _count_down(self) -> None:
        at_ms, now_ms = self._retry_at_ms, self.workspace.clock()
        self.problem.wait_s = None if at_ms is None else max(0, math.ceil((at_ms - now_ms) / 1000))

    def show_marks(self) -> None:
        """Tell how many sessions are marked, and how much they are."""
        marks = self.workspace.catalog.marks
        self.footer.marked = (
            f"{len(marks):,} selected · {formats.size(marks.bytes)}" if marks else ""
        )

    def _cannot_read(self, reason: str) -> None:
        concerned = (self.reading.path, self.reading.wanted)
        if not any(path and self.changing.has_deleted(path) for path in concerned):
            self.tell(f"Cannot read the transcript: {reason}", "failed")

    def tell(self, text: str, tone: Tone) -> None:
        """Show one line where the keys stand."""
        self.footer.note = FooterMessage(text, tone)

    # From the widgets to the workspace

    @on(SessionTree.Highlighted)
    def _highlighted(self, event: SessionTree.Highlighted) -> None:
        if self.reading.lost is not None and self.has_class("-reading"):
            return  # Shown until the reader goes away from it.
        self.reading.wish(event.key)
        self._place_rule()
        self._show_details()

    @on(SessionTree.Opened)
    def _opened(self, event: SessionTree.Opened) -> None:
        self.reading.wish(event.key)
        self.add_class("-reading")
        self.transcript.focus()

    @on(SessionTree.Marked)
    def _marked(self) -> None:
        self.show_marks()

    @on(SessionTree.NotMarked)
    def _not_marked(self, event: SessionTree.NotMarked) -> None:
        self.tell(f"Not selected: {event.reason}", "attention")

    @on(SessionTree.ViewChanged)
    def _view_changed(self, event: SessionTree.ViewChanged) -> None:
        self.workspace.show(event.keys)

    @on(SortHeader.Clicked)
    def _sort_clicked(self, event: SortHeader.Clicked) -> None:
        (self.listing.turn_order if event.turned else self.listing.step_order)()

    @on(Caption.HeadClicked)
    def _head_clicked(self, event: Caption.HeadClicked) -> None:
        self.listing.sort_at(event.x)

    @on(FilterLine.Changed)
    def _filter_changed(self, event: FilterLine.Changed) -> None:
        event.stop()
        self._search(self.listing.wanted)

    @work(group="filter", exclusive=True)
    async def _search(self, text: str) -> None:
        await self.listing.search(text)

    @on(FilterLine.Left)
    def _filter_left(self) -> None:
        text = self.filter_line.text.strip()
        if text.startswith(SEARCH_PREFIX):
            self.filter_line.clear()
            self.searching.open(text.removeprefix(SEARCH_PREFIX).strip())
        self.sessions.focus()

    @on(ProblemView.PasswordGiven)
    @work(group="retry", exclusive=True)
    async def _password_given(self, event: ProblemView.PasswordGiven) -> None:
        await self.workspace.retry(event.password)

    @on(Footer.Chosen)
    async def _footer_chosen(self, event: Footer.Chosen) -> None:
        await self.run_listed(event.action)

    @on(TranscriptView.FollowChanged)
    def _follow_changed(self, event: TranscriptView.FollowChanged) -> None:
        self._follows = follow_note(
            self.keys.first("follow"), following=event.following, new_lines=event.new_lines
        )
        self._place_rule()

    @on(TranscriptView.ReadFailed)
    def _read_failed(self, event: TranscriptView.ReadFailed) -> None:
        self.reading.missed()
        self._cannot_read(event.error)

    @on(TranscriptView.Failed)
    def _transcript_failed(self, event: TranscriptView.Failed) -> None:
        self.tell(event.reason, "failed")

    @on(TranscriptView.Switched)
    def _branch_switched(self) -> None:
        self.tell("The session went on in another branch", "attention")

    @on(TranscriptView.SubagentWanted)
    def _subagent_wanted(self, event: TranscriptView.SubagentWanted) -> None:
        path, known = self.reading.path, self.workspace.catalog.rows
        found = path and subagent_path(path, event.names, known)
        if found:
            self.show_session(found)
            self.focus_pane(reading=True)
        else:
            self.tell("The session of this subagent is not in the list", "past")

    # Where things stand

    def on_resize(self) -> None:
        """Keep the share of each pane."""
        self._place_rule()

    @on(Splitter.Moved)
    def _rule_moved(self, event: Splitter.Moved) -> None:
        self.remembering.share = round(event.column / max(1, self.size.width), 4)
        self._place_rule()

    def _place_rule(self) -> None:
        """Give each pane its width; the rules meet where the upright one stands."""
        width = self.size.width
        left: int | None = None
        if width > NARROW:
            most = width - 1 - _TRANSCRIPT_LEAST
            left = max(
                _LIST_LEAST, min(most, round(width * (self.remembering.share or _LIST_SHARE)))
            )
        self.query_one("#left").styles.width = "1fr" if left is None else left
        self.call_after_refresh(self.listing.show_heads)
        reading = self.has_class("-reading")
        whole = self.has_class("-problem")
        for rule in self.query(PaneRule):
            rule.joint = None if whole else left
            if whole:
                rule.bright = (0, 0)
            elif left is None:
                rule.bright = (0, width)
            else:
                rule.bright = (left + 1, width) if reading else (0, left)
        told = self.reading.wanted is not None and not whole and (left is not None or reading)
        self.query_one("#rule-bottom", PaneRule).text = self._follows if told else Content()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Let rules and keys tell which pane has the focus."""
        self.listing.typing = isinstance(event.widget, FilterInput)
        self.listing.show()
        self.footer.hints = getattr(event.widget, "HINTS", ())
        self.show_pane(reading=self.transcript_pane in event.widget.ancestors_with_self)

    def show_pane(self, *, reading: bool) -> None:
        """Let keys and rules belong to a pane."""
        self.set_class(reading, "-reading")
        self.footer.context = "transcript" if reading else "list"
        if not reading and self.reading.lost is not None:
            self.reading.wish(self.sessions.highlighted)
            self._show_details()
        self._place_rule()

    def on_key(self) -> None:
        """Take away what was told, once the user goes on."""
        self.footer.clear_note()

    async def run_listed(self, action: Action) -> None:
        """Do what an action of the table says, wherever the focus is."""
        target = {"list": self.sessions, "transcript": self.transcript}.get(action.context, self)
        await self.app.run_action(action.run, default_namespace=target)

    def show_session(self, path: str) -> None:
        """Move the highlight to a session, even if a filter or a fold hides it."""
        if self.filter_line.text:
            self.filter_line.clear()
            self.workspace.catalog.filter("")
        self.workspace.catalog.reveal(path)
        self.sessions.rows_changed(None)
        self.sessions.select(path)
        self.focus_pane(reading=False)

    def focus_pane(self, *, reading: bool) -> None:
        """Show a pane and give it the focus."""
        self.show_pane(reading=reading)
        self.set_focus(self.transcript if reading else self.sessions)


class MainScreen(MainPanes):
    """Browses the sessions of one workspace."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("everywhere")]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let the key that begins a filter be a character where one types."""
        if action in {"find", "find_text"} and isinstance(self.focused, Input):
            return False
        return super().check_action(action, parameters)

    def on_screen_suspend(self) -> None:
        """Offer no keys while others count."""
        self.footer.covered = True

    def on_screen_resume(self) -> None:
        """Offer the keys again."""
        self.footer.covered = False

    @on(FindViewport.FindChanged)
    def _found(self, event: FindViewport.FindChanged) -> None:
        """Offer the ways between hits as long as there are some."""
        event.stop()
        self.footer.finding = event.found is not None and event.found.count > 0

    def action_other_pane(self) -> None:
        """Go to the other pane."""
        self.focus_pane(reading=not self.has_class("-reading"))

    def action_back(self) -> None:
        """End what is being found in the transcript, else go back to the list."""
        if not self.transcript_pane.stop_finding():
            self.focus_pane(reading=False)

    def action_find(self) -> None:
        """Type a filter."""
        self.show_pane(reading=False)
        self.filter_line.open()

    def action_find_text(self) -> None:
        """Type what to find in the transcript."""
        self.show_pane(reading=True)
        self.transcript_pane.open_find()

    def action_search(self) -> None:
        """Search all sessions."""
        self.searching.open()

    def action_clear_filter(self) -> None:
        """Take the marks away; without any, or with a filter that is none, show every session."""
        catalog = self.workspace.catalog
        if catalog.marks and not catalog.wrong:
            self.workspace.catalog.marks.clear()
            self.sessions.rows_changed()
            self.show_marks()
        else:
            self.filter_line.clear()

    def action_sort(self) -> None:
        """Sort by the next key."""
        self.listing.step_order()

    def action_sort_reverse(self) -> None:
        """Reverse the order."""
        self.listing.turn_order()

    def action_flatten(self) -> None:
        """Show the sessions without their projects, or grouped by them."""
        self.listing.flatten()

    def action_pin(self) -> None:
        """Pin the marked sessions, or the highlighted one; or take the pins away."""
        paths = self.chosen("pin")
        if paths:
            self.listing.pin(paths)

    def action_columns(self) -> None:
        """Choose the columns of the list."""
        from sessiontui.app.screens.columns_dialog import ColumnsDialog

        self.app.push_screen(
            ColumnsDialog(
                self.sessions.columns,
                self.listing.show_columns,
                ascii_only=self.workspace.config.ascii,
            )
        )

    def action_show_empty(self) -> None:
        """Show or hide the sessions without any message."""
        self.listing.show_empty()

    def chosen_one(self, verb: str) -> str | None:
        """Return the session that is highlighted, or say why there is none."""
        lost = self.reading.lost is not None
        path = None if lost else self.sessions.highlighted
        if path is None:
            self.tell(f"{'Gone: nothing' if lost else 'Select a session'} to {verb}", "past")
        return path

    def chosen(self, verb: str) -> list[str]:
        """Return the sessions an action is about: the marked ones, else the highlighted one.

        Marked ones come in the order of the list. Where it is about none, that is told.
        """
        if self.workspace.catalog.wrong:
            self.tell(f"Nothing to {verb}: the filter is not understood", "attention")
            return []
        marked = self.workspace.catalog.marked
        if marked:
            return marked
        path = self.chosen_one(verb)
        return [] if path is None else [path]

    @work(group="change")
    async def action_rename(self) -> None:
        """Rename the highlighted session."""
        path = self.chosen_one("rename")
        if path is not None and not self.conversation.going_on:
            await self.changing.rename(path)

    @work(group="change")
    async def action_delete(self) -> None:
        """Delete the marked sessions, or the highlighted one."""
        paths = self.chosen("delete")
        if paths and not self.conversation.going_on:
            await self.changing.delete(paths)

    @work(group="change")
    async def action_undo(self) -> None:
        """Undo the last deletion, and go to what is there again."""
        if self.conversation.going_on:
            return
        restored = await self.changing.undo()
        if restored is not None and not self.sessions.select(restored):
            self.sessions.wish(restored)

    @work(group="change")
    async def action_export(self) -> None:
        """Write the marked sessions, or the highlighted one, to files."""
        paths = self.chosen("export")
        if paths and not self.conversation.going_on:
            await self.exporting.export(paths)

    @work(group="change")
    async def action_copy_to(self) -> None:
        """Copy the marked sessions, or the highlighted one, to another store."""
        await self._transfer("copy", move=False)

    @work(group="change")
    async def action_move_to(self) -> None:
        """Move the marked sessions, or the highlighted one, to another store."""
        await self._transfer("move", move=True)

    async def _transfer(self, verb: str, *, move: bool) -> None:
        paths = self.chosen(verb)
        if paths and not self.conversation.going_on:
            await self.transferring.transfer(paths, move=move)

    @work(group="change")
    async def action_resume(self) -> None:
        """Go on with the highlighted session in its agent."""
        path = self.chosen_one("resume")
        if path is not None and not self.conversation.going_on:
            await self.resuming.resume(path)

    def action_copy_id(self) -> None:
        """Copy the ids of the marked sessions, or that of the highlighted one."""
        paths = self.chosen("copy")
        if paths:
            self.copying.copy_ids([row for path in paths if (row := self.workspace.row(path))])

    def action_copy_path(self) -> None:
        """Copy the paths of the marked sessions, or that of the highlighted one."""
        paths = self.chosen("copy")
        if paths:
            self.copying.copy_each(paths, "path")

    @work(group="copy", exclusive=True)
    async def action_copy_command(self) -> None:
        """Copy the command that resumes the highlighted session."""
        path = self.chosen_one("copy")
        if path is not None:
            await self.resuming.copy_line(path, self.copying)

    @work(group="copy", exclusive=True)
    async def action_copy_message(self) -> None:
        """Copy the text of the current entry."""
        await self.copying.copy_message()

    @work(group="copy", exclusive=True)
    async def action_copy_code(self) -> None:
        """Copy the code in the current entry."""
        await self.copying.copy_code()

    @work(group="refresh", exclusive=True)
    async def action_refresh_all(self) -> None:
        """Compare the whole source with what is shown, or try an unreachable source at once."""
        if self.workspace.state.problem is None:
            await self.changing.refresh()
        else:
            await self.workspace.retry()

    @work(group="doctor", exclusive=True)
    async def action_doctor(self) -> None:
        """Look for what is broken, and repair it."""
        from sessiontui.app.screens.doctor_screen import DoctorScreen

        if self.workspace.state.problem is not None:
            self.tell("Nothing to check while the source cannot be reached", "past")
            return
        path = await self.app.push_screen_wait(DoctorScreen(self.workspace))
        if path is not None and self.workspace.row(path) is not None:
            self.show_session(path)
