"""The main screen: what its keys do."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.widgets import Input

from sessiontui.app.keymap import bindings
from sessiontui.app.screens.main import MainPanes
from sessiontui.app.widgets.transcript.finder import FindView

if TYPE_CHECKING:
    from textual.binding import BindingType


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

    @on(FindView.FindChanged)
    def _found(self, event: FindView.FindChanged) -> None:
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
        catalogue = self.workspace.catalogue
        if catalogue.marks and not catalogue.wrong:
            self.workspace.catalogue.marks.clear()
            self.sessions.rows_changed()
            self.show_marks()
        else:
            self.filter_line.clear()

    def action_sort(self) -> None:
        """Sort by the next key."""
        self.listing.step_order()

    def action_sort_reverse(self) -> None:
        """Turn the order round."""
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
        from sessiontui.app.screens.columns_dialog import ColumnsScreen

        self.app.push_screen(
            ColumnsScreen(
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
            self.tell(f"{'Gone: nothing' if lost else 'Choose a session'} to {verb}", "past")
        return path

    def chosen(self, verb: str) -> list[str]:
        """Return the sessions an action is about: the marked ones, else the highlighted one.

        Marked ones come in the order of the list. Where it is about none, that is told.
        """
        if self.workspace.catalogue.wrong:
            self.tell(f"Nothing to {verb}: the filter is not understood", "attention")
            return []
        marked = self.workspace.catalogue.marked
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
        """Bring back what was deleted last."""
        if not self.conversation.going_on:
            await self.changing.undo()

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
        """Read everything again, or try an unreachable source at once."""
        if self.workspace.state.problem is None:
            await self.changing.refresh()
        else:
            await self.workspace.retry()

    @work(group="doctor", exclusive=True)
    async def action_doctor(self) -> None:
        """Look for what is broken, and repair it."""
        from sessiontui.app.screens.doctor_screen import DoctorScreen

        if self.workspace.state.problem is not None:
            self.tell("There is nothing to examine while the source cannot be reached", "past")
            return
        path = await self.app.push_screen_wait(DoctorScreen(self.workspace))
        if path is not None and self.workspace.row(path) is not None:
            self.show_session(path)
