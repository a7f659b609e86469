"""`sessiontui resume`: replaces this process by the agent's."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sessiontui.cli.completion import complete_sessions
from sessiontui.cli.output import Output
from sessiontui.cli.resolve import label, quoted, resolve_session
from sessiontui.cli.root import (
    cli,
    source_options,
    source_options_of,
)
from sessiontui.cli.runner import CommandError, with_workspace
from sessiontui.cli.sources import command_line
from sessiontui.config import without_secrets
from sessiontui.errors import ReadOnlyError
from sessiontui.formats import resume as agents
from sessiontui.formats.omp import OMP
from sessiontui.paths import is_folder
from sessiontui.sources import DirectorySource
from sessiontui.text import clean
from sessiontui.workspace.connection import READ_ONLY_REQUESTED

if TYPE_CHECKING:
    from sessiontui.cli.sources import SourceOptions
    from sessiontui.workspace import Workspace


@cli.command("resume")
@source_options
@click.option("--print", "show", is_flag=True, help="Print the command instead of running it.")
@click.option("--here", is_flag=True, help="In the current folder instead of the session's.")
@click.option("--force", is_flag=True, help="Even if an agent may have it open.")
@click.argument("session", shell_complete=complete_sessions)
@click.pass_context
def resume_command(
    context: click.Context, session: str, *, show: bool, here: bool, force: bool
) -> None:
    """Resume a session in the agent that wrote it, in the folder it worked in.

    omp, pi, Claude Code and Codex are known; [resume] in the configuration file
    names other commands for them.

    \b
    Examples:
      sessiontui resume 0199a1b2
      sessiontui resume --print 0199a1b2
    """
    resume_session(source_options_of(context), session, show=show, here=here, force=force)


@dataclass(frozen=True, slots=True)
class _Run:
    """What to run, and where."""

    file: str
    command: tuple[str, ...]
    cwd: str


def resume_session(place: SourceOptions, name: str, *, show: bool, here: bool, force: bool) -> None:
    """Go on with a session in its agent, which takes the place of this process.

    Args:
        place: Where the sessions are.
        name: What the user calls the session.
        show: Only write the command, as a line for a shell.
        here: Run it in the current folder, not in the session's.
        force: Go on though an agent may have it open.

    Raises:
        SessionTuiError: There is no such command, or it should not be run.
    """
    found: list[_Run] = []

    async def look(workspace: Workspace) -> None:
        if workspace.config.read_only and not show:
            raise ReadOnlyError(READ_ONLY_REQUESTED)  # The agent would change it.
        run = await _run(workspace, name, show=show, here=here, force=force)
        if run is not None:
            found.append(run)

    try:
        with_workspace(place, look)
    except click.exceptions.Exit as done:
        if done.exit_code or not found:
            raise
    run = found[0]
    try:
        os.chdir(run.cwd)
        os.execve(run.file, run.command, without_secrets())
    except OSError as error:
        raise CommandError(f"{run.command[0]} cannot be run: {error.strerror}") from error


async def _run(
    workspace: Workspace, name: str, *, show: bool, here: bool, force: bool
) -> _Run | None:
    row = await resolve_session(workspace, name)
    on_disk = isinstance(workspace.source, DirectorySource)
    if not on_disk and row.agent == "omp" and "omp" not in workspace.config.resume:
        session_id = clean(row.id or row.path)
        root = OMP.roots(os.environ, Path.home())[0]
        raise CommandError(
            "omp resumes only from disk, and this session is in Redis; copy it: "
            f"{command_line('cp', '--to', 'omp', session_id)}; then: "
            f"sessiontui resume --source {shlex.quote(str(root))} {session_id}"
        )
    command = agents.resume_command(
        row.agent,
        workspace.config.resume,
        session_id=row.id,
        path=row.path,
        cwd=row.cwd,
        on_disk=on_disk,
    )
    cwd = str(Path.cwd()) if here else row.cwd or ""
    if show:
        Output().line(clean(agents.shell_line(command, cwd)))
        return None
    file = agents.find_program(command, os.environ.get("PATH"))
    held = workspace.held(row.path)
    if held is not None and not force:
        raise CommandError(
            f"{quoted(label(row))} is running ({held}): two agents in one session overwrite each "
            "other's work; wait, or use --force"
        )
    if not (cwd.startswith("/") and is_folder(cwd)):
        raise CommandError(
            f"the session's folder is gone ({cwd or 'it names none'}); "
            "to resume in the current one: --here"
        )
    return _Run(file, command, cwd)
