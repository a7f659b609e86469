"""Runs a command: exit code, errors on one line, closed pipes, Ctrl-C."""

from __future__ import annotations

import os
import re
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn, TextIO

import click

from sessiontui.cli.sources import choose_source, command_line
from sessiontui.errors import ConfigError, QueryError, ReadOnlyError, SessionTuiError
from sessiontui.text import one_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType

    from sessiontui.cli.sources import SourceOptions
    from sessiontui.workspace import Problem, SessionIndex, Workspace

_MISPLACED = re.compile(r"(://)[^\s']+|(')[^']*@[^']*(?=')")
"""What may hold a password where a word is repeated."""

FAILED = 1
USAGE = 2
INTERRUPTED = 130

PASSWORD_VARIABLE = "SESSIONTUI_PASSWORD"
DEBUG_VARIABLE = "SESSIONTUI_DEBUG"
"""Environment variable that, when set, shows the traceback of an error nobody expected."""


_MOST_ODD_NAMES = 3
"""How many names that no session can have are told one by one."""


class CommandError(SessionTuiError):
    """A command that cannot be done; says why in one line."""


def run(arguments: Sequence[str] | None) -> int:
    """Run one command; every error becomes one line on stderr and an exit code."""
    from sessiontui.cli.root import cli

    if not os.environ.get(DEBUG_VARIABLE):
        sys.excepthook = _unexpected
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(arguments, prog_name="sessiontui", standalone_mode=False)
        sys.stdout.flush()
    except click.Abort:
        return INTERRUPTED
    except click.UsageError as error:
        return _fail(_usage(error), USAGE)
    except (click.ClickException, ConfigError, QueryError) as error:
        message = error.format_message() if isinstance(error, click.ClickException) else str(error)
        return _fail(message, USAGE)
    except SessionTuiError as error:
        return _fail(str(error), FAILED)
    except OSError as error:
        _drop_output()
        return _fail(_plain(error), FAILED)
    return code if isinstance(code, int) else 0


def _plain(error: OSError) -> str:
    """Return what the system refused, without its number."""
    words = error.strerror or str(error)
    where = f": {error.filename}" if error.filename else ""
    return words[:1].lower() + words[1:] + where


def with_workspace(
    place: SourceOptions,
    action: Callable[[Workspace], Awaitable[int | None]],
    *,
    changes: bool = False,
    library: SessionIndex | None = None,
) -> NoReturn:
    """Open the source, wait until its index is read, and do `action` there.

    Args:
        place: What the user said about the source.
        action: Returns the exit code; None counts as 0.
        changes: Whether it changes something; then nothing is asked where nothing may change.
        library: Has the index of figures and texts, for those who need it.

    Raises:
        ReadOnlyError: It changes something, and nothing may be changed.
        SessionTuiError: The source cannot be read, or the action failed.
        click.exceptions.Exit: With the exit code.
    """
    import asyncio

    from sessiontui.workspace import open_workspace

    source, config = choose_source(place)

    async def body() -> int | None:
        task = asyncio.current_task()

        def end() -> None:
            if task is not None:
                task.cancel()  # What broke is raised on the way out.

        opening = open_workspace(source, config=config, library=library, failed=end)
        async with opening as workspace:
            try:
                await workspace.ready()
            except SessionTuiError as error:
                raise CommandError(f"{error}{_hint(workspace.state.problem)}") from error
            opened.append(workspace)
            _tell_passed_over(workspace)
            reason = workspace.state.read_only
            if changes and reason is not None:
                raise ReadOnlyError(reason)
            return await action(workspace)

    opened: list[Workspace] = []
    try:
        code = asyncio.run(body())
        sys.stdout.flush()
    except BrokenPipeError:  # Caught here, since click would make it a failure.
        _drop_output()  # Nobody reads it any more; that is no failure.
        code = 0
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None
    finally:
        for workspace in opened:
            if words := GivenUp(workspace).keep():
                print_error(words)
    raise click.exceptions.Exit(code or 0)


def _tell_passed_over(workspace: Workspace) -> None:
    """Say which keys or files no command takes: unreadable ones, names that no session can have."""
    from sessiontui.storage.artifacts import NOT_READ, ODD_NAME

    odd = [
        warning for warning in workspace.state.warnings if warning.startswith((ODD_NAME, NOT_READ))
    ]
    for warning in odd[:_MOST_ODD_NAMES]:
        print_error(warning)
    if (more := len(odd) - _MOST_ODD_NAMES) > 0:
        print_error(f"and {more} more; list them with: {command_line('doctor')}")


class GivenUp:
    """Keeps what a source did not confirm, once, whoever asks for it and in whatever thread."""

    def __init__(self, workspace: Workspace | None = None) -> None:
        self.workspace = workspace
        self._turn = threading.Lock()

    def keep(self) -> str:
        """Write it to a file and return what to say of it; nothing where there is nothing."""
        with self._turn:
            workspace, self.workspace = self.workspace, None
            writes = () if workspace is None else workspace.unconfirmed
            if workspace is None or not writes:
                return ""
            from sessiontui.paths import state_dir
            from sessiontui.workspace.unsaved_writes import save_unsaved_writes

            count = f"{len(writes)} {'write was' if len(writes) == 1 else 'writes were'}"
            try:
                path = save_unsaved_writes(writes, state_dir(), now_ms=workspace.clock())
            except OSError as error:
                left = f"could not be kept: {error.strerror}"
                return f"{count} not confirmed by the source, and {left}"
        return f"{count} not confirmed by the source; kept in {path}"


def _hint(problem: Problem | None) -> str:
    """Return what to do about a source that cannot be read, as a sentence that follows another."""
    if problem is None:
        return ""
    if problem.kind == "password":
        return f"; give it in ${PASSWORD_VARIABLE} or by --password-file"
    return f". {problem.hint}"


def print_error(message: str) -> None:
    """Say `message` on stderr, on one line that is safe to show, if anybody can read it."""
    with suppress(OSError):
        print(f"sessiontui: {one_line(message)}", file=sys.stderr)  # noqa: T201 - this is the output


def _fail(message: str, code: int) -> int:
    print_error(message)
    return code


def _usage(error: click.UsageError) -> str:
    """Return the message with the command that tells more."""
    context = error.ctx
    if context is not None and context.command.hidden:
        context = context.parent
    command = context.command_path if context else "sessiontui"
    # A word in the wrong place may be a URL with a password.
    message = _MISPLACED.sub(r"\1\2…", error.format_message().rstrip("."))
    return f"{message} (see {command} --help)"


def _drop_output() -> None:
    """Let what is left in the buffer go nowhere, so that Python says nothing of it at its end."""
    with suppress(OSError, ValueError):
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, sys.stdout.fileno())
        os.close(sink)


def _unexpected(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Say on one line what nobody expected; Python's exit code is 1 then."""
    from sessiontui.cli.crash import unexpected

    unexpected(kind, error, trace)


def is_terminal(stream: TextIO) -> bool:
    """Tell whether a person looks at the stream, or types into it."""
    return not stream.closed and stream.isatty()
