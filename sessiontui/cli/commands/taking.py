"""Commands that take a session elsewhere: back into its agent."""

from __future__ import annotations

import click

from sessiontui.cli.completion import complete_sessions
from sessiontui.cli.group import cli, place_of, place_options


@cli.command("resume", short_help="Go on with a session in its agent.")
@place_options
@click.option("--print", "show", is_flag=True, help="Only write the command, for a shell.")
@click.option("--here", is_flag=True, help="In the current folder instead of the session's.")
@click.option("--force", is_flag=True, help="Though an agent may have it open.")
@click.argument("session", shell_complete=complete_sessions)
@click.pass_context
def resume_command(
    context: click.Context, session: str, *, show: bool, here: bool, force: bool
) -> None:
    """Go on with a session in the agent that wrote it, in the folder it worked in.

    omp, pi, Claude Code and Codex are known; [resume] in the configuration file
    names other commands for them.

    \b
    Examples:
      sessiontui resume 0199a1b2
      sessiontui resume --print 0199a1b2
    """
    from sessiontui.cli.resuming import resume_session

    resume_session(place_of(context), session, show=show, here=here, force=force)
