"""Commands that take a session elsewhere: into a file, back into its agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sessiontui.cli.completion import complete_sessions
from sessiontui.cli.root import cli, place_of, place_options

if TYPE_CHECKING:
    from sessiontui.export import Format


FORMATS: tuple[Format, ...] = ("md", "html", "json", "jsonl")


@cli.command("export", short_help="Write sessions as Markdown, HTML, JSON or JSONL.")
@place_options
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="What to write; else what FILE ends with, else md.",
)
@click.option("-o", "output", metavar="FILE|FOLDER", help="Where; - is standard output.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.option("--no-tools", is_flag=True, help="Leave tool calls out (md, html).")
@click.option("--thinking", is_flag=True, help="With the agent's thinking (md, html).")
@click.option("--json", "as_json", is_flag=True, help="Tell as JSON what was written.")
@click.argument(
    "sessions", nargs=-1, required=True, metavar="SESSION…", shell_complete=complete_sessions
)
@click.pass_context
def export_command(
    context: click.Context,
    sessions: tuple[str, ...],
    *,
    format_: Format | None,
    output: str | None,
    force: bool,
    no_tools: bool,
    thinking: bool,
    as_json: bool,
) -> None:
    """Write sessions as Markdown, as one HTML page, as JSON or as stored (JSONL).

    One session goes to standard output unless -o names a file; several go into a
    folder, named by title and id. Files are readable by you alone.

    \b
    Examples:
      sessiontui export 0199a1b2 | less
      sessiontui export 0199a1b2 -o retry.html
      sessiontui export --format jsonl -o backup/ 0199a1b2 0199c3d4
    """
    from sessiontui.cli.export import export_sessions
    from sessiontui.cli.runner import with_workspace
    from sessiontui.export import Options

    with_workspace(
        place_of(context),
        lambda workspace: export_sessions(
            workspace,
            sessions,
            kind=format_,
            output=output,
            options=Options(tools=not no_tools, thinking=thinking),
            force=force,
            as_json=as_json,
        ),
    )


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
    from sessiontui.cli.resume import resume_session

    resume_session(place_of(context), session, show=show, here=here, force=force)
