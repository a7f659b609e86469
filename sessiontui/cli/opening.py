"""Opens the app, on a source or on the demo."""

from __future__ import annotations

import difflib
import gc
import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import click

from sessiontui.cli import first_frame
from sessiontui.cli.running import INTERRUPTED, is_terminal
from sessiontui.cli.sources import choose_source
from sessiontui.errors import SessionTuiError
from sessiontui.models.source import DirectorySource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sessiontui.cli.sources import Place
    from sessiontui.config import Config
    from sessiontui.models.source import Source
    from sessiontui.storage.backend import Backend
    from sessiontui.workspace import Workspace

_COLLECT_AFTER = 10_000
"""How many objects are made before the garbage collector looks at the youngest."""


def open_source(place: Place, *, commands: Sequence[str]) -> None:
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
    _run_app(source, config)


def open_demo(*, folder: bool, seed: int) -> None:
    """Open the app on the demo; afterwards nothing of it is left."""
    _needs_terminal()
    from sessiontui.config import load_config
    from sessiontui.demo.stage import demo_stage
    from sessiontui.paths import config_file

    with demo_stage(folder=folder, seed=seed) as stage:
        _run_app(stage.source, load_config(config_file()), stage.connect)


def _needs_terminal() -> None:
    if not (is_terminal(sys.stdin) and is_terminal(sys.stdout)):
        raise click.UsageError("the app needs a terminal; in a pipe there is: sessiontui ls")


def _run_app(
    source: Source,
    config: Config,
    connect: Callable[[Source, str | None], Backend] | None = None,
) -> None:
    """Show the first line at once, then load the app and run it.

    Args:
        source: What to show.
        config: Settings.
        connect: Opens the backend of the source, if not in the usual way.
    """
    with ExitStack() as waiting:
        first_frame.enter(source.label, ascii_only=config.ascii)
        waiting.callback(first_frame.leave)
        gc.disable()  # Until all is loaded, next to nothing of what is made is garbage.
        import asyncio

        from sessiontui.app.app import SessionApp
        from sessiontui.workspace import open_workspace
        from sessiontui.workspace.connect import open_backend

        opens = connect or open_backend

        async def body() -> int:
            async with open_workspace(source, config=config, connect=opens) as workspace:
                app = SessionApp(workspace)
                loading = asyncio.create_task(_collect_after_loading(workspace))
                waiting.pop_all()  # From here on the screen is the app's.
                await app.run_async()
                loading.cancel()
                return app.return_code or 0

        try:
            code = asyncio.run(body())
        except KeyboardInterrupt:
            code = INTERRUPTED
    raise click.exceptions.Exit(code)


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
