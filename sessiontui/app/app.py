"""The Textual application: puts theme, keys and screens together."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual import events, work
from textual.app import App
from textual.binding import Binding

from sessiontui.app.keymap import CHANGING_ACTIONS, Keymap
from sessiontui.app.screens.main import LOW, NARROW, MainScreen
from sessiontui.app.terminal import HUNG_UP
from sessiontui.app.theme import DARK, LIGHT, AsciiFilter, themes, token_defaults
from sessiontui.errors import ConfigError
from sessiontui.paths import styles_dir
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType
    from textual.actions import ActionParseResult
    from textual.binding import BindingType
    from textual.dom import DOMNode
    from textual.driver import Driver
    from textual.filter import LineFilter
    from textual.screen import Screen
    from textual.timer import Timer, TimerCallback

    from sessiontui.app.actions import Action
    from sessiontui.workspace import Workspace
    from sessiontui.workspace.view_state import ViewStateFile


_INTERRUPTED: Final = 130
"""Exit code after SIGINT."""
_FAILED: Final = 1
"""Exit code after an error that nobody expected; Textual sets it."""


class SessionApp(App[None], inherit_bindings=False):
    """Shows one workspace; whoever opened the workspace closes it.

    Args of the constructor:
        workspace: What to show; may still be connecting.
        list_file: Remembers how the list is shown; not remembered without one.

    Raises:
        ConfigError: The configured keys or the theme cannot be used.
    """

    ENABLE_COMMAND_PALETTE: ClassVar[bool] = False
    """Ours is opened by the action table's key."""
    CSS_PATH: ClassVar = sorted(styles_dir().glob("*.tcss"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt", show=False, priority=True, system=True),
        Binding("ctrl+backslash", "diagnostics", show=False, system=True),
    ]

    def __init__(self, workspace: Workspace, *, list_file: ViewStateFile | None = None) -> None:
        self.keys = Keymap(workspace.config.keys, ascii_only=workspace.config.ascii)
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW + 1, "-wide")]
        self.VERTICAL_BREAKPOINTS = [(0, "-low"), (LOW + 1, "-high")]
        self.workspace = workspace
        self._list_file = list_file
        self._plain = (AsciiFilter(),) if workspace.config.ascii else ()
        self._is_ready = False
        self._is_ending = False
        self._end_code: int | None = None
        self._terminal_is_lent = False
        self.failure: BaseException | None = None
        """The error that nobody expected and that ended the app, if one did."""
        for theme in themes():
            self.register_theme(theme)
        self.theme = self._known_theme(workspace.config.theme or DARK)
        self.set_keymap(self.keys.overrides)

    def _known_theme(self, name: str) -> str:
        if self.get_theme(name) is None:
            known = ", ".join(sorted(self.available_themes))
            raise ConfigError(f"theme: {clean(name)!r} is none of {known}")
        return name

    def get_default_screen(self) -> Screen[None]:
        """Return the main screen."""
        return MainScreen(self.workspace, self.keys, self._list_file)

    def get_driver_class(self) -> type[Driver]:
        """Return what reads and writes the terminal."""
        usual = super().get_driver_class()
        if usual.__module__ != "textual.drivers.linux_driver":
            return usual
        from sessiontui.app.driver import CarefulDriver

        return CarefulDriver

    def set_timer(
        self,
        delay: float,
        callback: TimerCallback | None = None,
        *,
        name: str | None = None,
        pause: bool = False,
    ) -> Timer:
        """Call something after a while, for certain: `sessiontui.app.timers` tells of what.

        Textual itself waits so before it takes a new size of the terminal over.
        """
        timer = super().set_timer(delay, callback, name=name, pause=pause)
        timer._skip = False  # noqa: SLF001 - it begins with the next turn of the loop
        return timer

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return the design tokens, for themes that do not define them."""
        return token_defaults(self.current_theme)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return what every drawn line passes through."""
        return [*super().get_line_filters(), *self._plain]

    @property
    def main(self) -> MainScreen:
        """The main screen, also while a dialog is open."""
        screen = self.screen_stack[0]
        if not isinstance(screen, MainScreen):
            raise TypeError("the first screen is always the main one")
        return screen

    def on_ready(self) -> None:
        """End if that was asked for meanwhile."""
        self._is_ready = True
        self.app_suspend_signal.subscribe(self, self._lend_terminal, immediate=True)
        self.app_resume_signal.subscribe(self, self._take_terminal, immediate=True)
        if self._end_code is not None:
            self.exit(return_code=self._end_code)

    def _lend_terminal(self, _app: App[Any]) -> None:
        self._terminal_is_lent = True

    def _take_terminal(self, _app: App[Any]) -> None:
        self._terminal_is_lent = False

    @property
    def is_hung_up(self) -> bool:
        """Whether it ends because its terminal was closed."""
        return self._end_code == HUNG_UP

    def end(self, code: int) -> None:
        """End with an exit code, once the app stands.

        While another program has the terminal, ctrl+c is for that one. Without a
        terminal there is nobody who would wait for anything.
        """
        if self._terminal_is_lent and code == _INTERRUPTED:
            return
        if code == HUNG_UP:
            self.workspace.hurry()
        self._end_code = code
        if self._is_ready:
            self.exit(return_code=code)

    def exit(
        self,
        result: None = None,
        return_code: int = 0,
        message: RenderableType | None = None,
    ) -> None:
        """End; what is only half composed cannot be taken down, so not before."""
        self._is_ending = True
        top = self.screen_stack[-1] if self.screen_stack else None
        if top is not None and not top.is_mounted:
            top.call_later(self.exit, result, return_code, message)
        else:
            super().exit(result, return_code, message)
            self.workers.cancel_all()  # One might open a dialog yet.

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Run what a key, a click or a command stands for, unless it may not change anything."""
        if self._is_ending:
            return True
        reason = self.workspace.state.read_only
        refused = CHANGING_ACTIONS.get(action) if isinstance(action, str) else None
        if reason is not None and refused is not None:
            self.main.tell(f"Cannot {refused.label}: read-only ({reason})", "attention")
            return True
        return await super().run_action(action, default_namespace, namespaces)

    async def on_event(self, event: events.Event) -> None:
        """Let keys and clicks wait until the screen that they are for stands."""
        if isinstance(event, events.InputEvent) and self.screen_stack:
            await self.screen._mounted_event.wait()  # noqa: SLF001 - nothing public waits for it
        await super().on_event(event)

    def bell(self) -> None:
        """Ring; where Textual rings for an error that nobody expected, keep the error too.

        There is no other public place that hears of it before it is printed.
        """
        self._keep_failure(sys.exception())
        super().bell()

    def panic(self, *renderables: RenderableType) -> None:
        """End with something to print; where that is an error, keep it too."""
        self._keep_failure(sys.exception())
        if self.failure is not None and not self.return_code:
            self.exit(return_code=_FAILED)  # The keyboard cannot be read any more.
        super().panic(*renderables)

    def _keep_failure(self, error: BaseException | None) -> None:
        if self.return_code == _FAILED and self.failure is None:
            self.failure = error

    def show_session(self, path: str) -> None:
        """Move the highlight to a session."""
        self.main.show_session(path)

    async def run_listed(self, action: Action) -> None:
        """Do what an action of the table says."""
        await self.main.run_listed(action)

    def action_interrupt(self) -> None:
        """Copy what is selected, else quit."""
        if self.screen.get_selected_text():
            self.screen.action_copy_text()
        else:
            self.action_leave()

    @work(group="leave", exclusive=True)
    async def action_leave(self) -> None:
        """Quit, asking first while writes are pending."""
        if await self.main.changing.may_leave():
            self.exit()

    def action_palette(self) -> None:
        """Open the command palette."""
        from textual.command import CommandPalette

        from sessiontui.app.commands import ActionCommands, SessionCommands
        from sessiontui.app.screens.base import Palette

        if not isinstance(self.screen, CommandPalette):
            self.push_screen(
                Palette(
                    [ActionCommands, SessionCommands],
                    placeholder="A command, or the title of a session",
                )
            )

    def action_show_keys(self) -> None:
        """Show all keys."""
        from sessiontui.app.screens.help_screen import HelpScreen

        read_only = self.workspace.state.read_only is not None
        self.push_screen(HelpScreen(self.keys, pane=self.main.footer.context, read_only=read_only))

    def action_diagnostics(self) -> None:
        """Show how the app is doing; for reports, so it is on no list of keys."""
        from sessiontui.app.screens.diagnostics import DiagnosticsScreen

        if not isinstance(self.screen, DiagnosticsScreen):
            self.push_screen(DiagnosticsScreen(self.workspace))

    def action_next_theme(self) -> None:
        """Switch between our dark and our light theme."""
        self.theme = LIGHT if self.current_theme.dark else DARK
