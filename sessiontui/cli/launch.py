"""Launches the app on a source or on the demo."""

from __future__ import annotations

import difflib
import gc
import io
import os
import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import click

from sessiontui.app.terminal import HUNG_UP
from sessiontui.cli import first_frame
from sessiontui.cli.ending import Ending
from sessiontui.cli.runner import DEBUG_VARIABLE, FAILED, GivenUp, is_terminal, print_error
from sessiontui.cli.sources import choose_source
from sessiontui.errors import SessionTuiError
from sessiontui.paths import index_dir, state_dir
from sessiontui.sources import DirectorySource, RedisSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sessiontui.app.app import SessionApp
    from sessiontui.cli.sources import SourceOptions
    from sessiontui.config import Config
    from sessiontui.sources import Source
    from sessiontui.storage.backend import Backend
    from sessiontui.workspace import Workspace

_SWITCH_S = 0.001
"""How long the thread that writes to the terminal waits for its turn, several times a picture."""
_COLLECT_AFTER = 10_000
"""How many objects are made before the garbage collector looks at the youngest."""


def open_source(place: SourceOptions, *, commands: Sequence[str]) -> None:
    """Open the app on the source that was chosen.

    Args:
        place: What the user said.
        commands: Names of the commands, to tell a mistyped one from a folder.

    Raises:
        click.UsageError: There is no terminal, or the source is a word that is
            neither a folder nor a command.
    """
    source, config = choose_source(place)
    word = place.source or ""
    if (
        isinstance(source, DirectorySource)
        and "/" not in word
        and word
        and not source.path.exists()
    ):
        close = difflib.get_close_matches(word, commands, n=1)
        meant = f"; did you mean {close[0]!r}?" if close else ""
        raise click.UsageError(f"{word!r} is neither a command nor a folder{meant}")
    _needs_terminal()
    with Ending() as ending:
        _run_app(source, config, ending, index=index_dir(), lists=state_dir() / "lists")


def open_demo(*, folder: bool, seed: int) -> None:
    """Open the app on the demo; afterwards nothing of it is left."""
    _needs_terminal()
    from sessiontui.config import load_config
    from sessiontui.demo.server import demo_server
    from sessiontui.paths import config_file

    with Ending() as ending, demo_server(folder=folder, seed=seed) as stage:
        config = load_config(config_file())
        _run_app(stage.source, config, ending, stage.connect, index=stage.index)


def _needs_terminal() -> None:
    if not (is_terminal(sys.stdin) and is_terminal(sys.stdout)):
        raise click.UsageError("the app needs a terminal; in a pipe, use: sessiontui ls")
    if not is_terminal(sys.stderr):  # Textual draws there.
        raise click.UsageError("the app draws on standard error too: do not redirect it")
    if os.environ.get("TERM", "").lower() == "dumb":
        raise click.UsageError(
            "this terminal cannot show the app (TERM=dumb): set TERM, or use sessiontui ls"
        )


def _run_app(
    source: Source,
    config: Config,
    ending: Ending,
    connect: Callable[[Source, str | None], Backend] | None = None,
    *,
    index: Path,
    lists: Path | None = None,
) -> None:
    """Show the first line at once, then load the app and run it.

    Args:
        source: What to show.
        config: Settings.
        ending: Sees to it that the process ends.
        connect: Opens the backend of the source, if not in the usual way.
        index: Folder of the index.
        lists: Folder where it is remembered how lists are shown; None: nowhere.
    """
    with ExitStack() as waiting:
        waiting.callback(first_frame.leave)
        _give_size()
        first_frame.enter(source.label, ascii_only=config.ascii)
        sys.setswitchinterval(_SWITCH_S)
        gc.disable()  # Until all is loaded, next to nothing of what is made is garbage.
        import asyncio

        from sessiontui.app.app import SessionApp
        from sessiontui.storage.storage import open_backend
        from sessiontui.workspace import SessionIndex, open_workspace
        from sessiontui.workspace.view_state import ViewStateFile

        opens = connect or open_backend
        library = SessionIndex(index if config.index else None)

        apps: list[SessionApp] = []
        given_up = GivenUp()
        ending.last_act = given_up.keep

        def end() -> None:
            for app in apps:
                app.end(FAILED)

        async def body() -> int:
            async with open_workspace(
                source, config=config, connect=opens, library=library, failed=end
            ) as workspace:
                given_up.workspace = workspace
                list_file = None if lists is None else ViewStateFile(lists, source)
                apps.append(SessionApp(workspace, list_file=list_file))
                return await _show(apps[0], workspace, ending, screen_returned=waiting.pop_all)

        try:
            code = asyncio.run(body())
        finally:
            if words := given_up.keep():
                print_error(words)
    raise click.exceptions.Exit(code)


async def _show(
    app: SessionApp, workspace: Workspace, ending: Ending, *, screen_returned: Callable[[], object]
) -> int:
    """Run the app and return its exit code; an error that nobody expected is reported.

    Args:
        app: Not yet run.
        workspace: What it shows.
        ending: Sees to it that the process ends.
        screen_returned: Called when the app has given the screen back itself.
    """
    import asyncio

    unheard: list[BaseException] = []

    def note(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException) and not unheard:
            unheard.append(error)

    hides_errors = not os.environ.get(DEBUG_VARIABLE)
    if hides_errors:
        # What Textual and asyncio print of an error shows text of sessions.
        app.error_console.file = io.StringIO()
        asyncio.get_running_loop().set_exception_handler(note)
    loading = asyncio.create_task(_collect_after_loading(workspace))
    with ending.through(app.end):
        await app.run_async(size=os.get_terminal_size())  # Rich guesses it for unknown terminals.
    screen_returned()
    loading.cancel()
    if ending.hung_up:
        return HUNG_UP  # What failed without a terminal is no error.
    failure = app.failure or (unheard[0] if unheard else None)
    if failure is not None and hides_errors:
        _report(failure, workspace)
    return app.return_code or 0


def _give_size() -> None:
    """Let the terminal alone say how large it is; one that does not know is as large as they were.

    What the environment says of it is out of date as soon as it is resized.
    """
    import termios

    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    with suppress(termios.error, OSError, ValueError):
        keyboard = sys.stdin.fileno()
        rows, columns = termios.tcgetwinsize(keyboard)
        if not rows or not columns:
            termios.tcsetwinsize(keyboard, (rows or 24, columns or 80))


def _report(error: BaseException, workspace: Workspace) -> None:
    """Write a report of an error that nobody expected, and say where it is."""
    from sessiontui.cli.crash import one_line_report, write_report

    state, figures = workspace.state, workspace.figures()
    numbers = {name: getattr(figures, name) for name in figures.__struct_fields__}
    about: dict[str, int | str] = {
        "source": "server" if isinstance(workspace.source, RedisSource) else "folder",
        "feed": f"{state.feed.tier}, {'live' if state.feed.live else 'away'}",
        "sessions": state.sessions,
        "bytes": state.bytes,
        **numbers,
    }
    print_error(one_line_report(error, write_report(error, about)))


async def _collect_after_loading(workspace: Workspace) -> None:
    """Let the garbage collector begin, and never look at what stays until the end.

    Looking through everything that is loaded takes a tenth of a second, once in a
    second while a session is followed: long enough to be seen.
    """
    with suppress(SessionTuiError):
        await workspace.ready()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
    gc.enable()
