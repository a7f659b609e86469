"""Commands that bring sessions to another store: copy, move."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sessiontui.cli.completion import complete_folders, complete_sessions
from sessiontui.cli.root import FILTER_HELP, cli, need_sessions, place_of, place_options, typed_path

if TYPE_CHECKING:
    from collections.abc import Callable


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what both commands take."""
    for option in reversed(
        (
            click.option(
                "--to",
                "target",
                metavar="SOURCE",
                required=True,
                shell_complete=complete_folders,
                help="Server or folder to bring them to; omp: omp's own folder.",
            ),
            click.option(
                "--to-password-file",
                type=click.Path(dir_okay=False, path_type=Path),
                help="File whose first line is the password of --to.",
            ),
            click.option(
                "--cwd", metavar="FOLDER", help="The project of the copies, instead of their own."
            ),
            click.option("--filter", "query", metavar="QUERY", help=FILTER_HELP),
            click.option("--overwrite", is_flag=True, help="Trash what is in the way."),
            click.option("--force", is_flag=True, help="Take running sessions too."),
            click.option("--dry-run", is_flag=True, help="Only tell what would go where."),
            click.option("--json", "as_json", is_flag=True, help="Tell as JSON what went where."),
            click.argument(
                "sessions",
                nargs=-1,
                metavar="[SESSION]…",
                shell_complete=complete_sessions,
            ),
        )
    ):
        command = option(command)
    return command


@cli.command("cp", short_help="Copy sessions to another server or folder.")
@place_options
@_options
@click.pass_context
def copy_command(context: click.Context, /, **options: Any) -> None:
    """Copy sessions with their drafts and subagents to another server or folder.

    Title and time stay what they are; the copy lies where omp looks for it, so
    that omp --resume finds a session of Redis once it is in omp's folder. What is
    there already, byte for byte, is left alone; anything else in the way keeps a
    session from being copied. A session whose agent may be at work needs --force.

    \b
    Examples:
      sessiontui cp --to omp 0199a1b2
      sessiontui cp --to redis://cache:6379 --cwd /srv/app 0199a1b2 0199c3d4
    """
    _run(context, move=False, yes=True, **options)


@cli.command("mv", short_help="Move sessions to another server or folder.")
@place_options
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@_options
@click.pass_context
def move_command(context: click.Context, /, *, yes: bool, **options: Any) -> None:
    """Move sessions with their drafts and subagents to another server or folder.

    As cp; each copy is read back, and then the original goes to its trash:
    sessiontui restore brings it back. It asks first; where nobody can be asked it
    wants --yes.

    \b
    Examples:
      sessiontui mv --to omp 0199a1b2
      sessiontui mv --to unix:///run/redis.sock --dry-run 0199a1b2
    """
    _run(context, move=True, yes=yes, **options)


def _run(
    context: click.Context,
    *,
    sessions: tuple[str, ...],
    target: str,
    to_password_file: Path | None,
    cwd: str | None,
    query: str | None,
    overwrite: bool,
    force: bool,
    dry_run: bool,
    as_json: bool,
    move: bool,
    yes: bool,
) -> None:
    from sessiontui.cli.runner import with_workspace
    from sessiontui.cli.sources import other_source
    from sessiontui.cli.transfer import transfer_sessions
    from sessiontui.workspace.transfer import Wish

    need_sessions(context, sessions, query)
    source, password = other_source(target, to_password_file)
    project = None if cwd is None else str(typed_path(cwd).absolute())
    wish = Wish(move=move, cwd=project, overwrite=overwrite, force=force)
    with_workspace(
        place_of(context),
        lambda workspace: transfer_sessions(
            workspace,
            sessions,
            source,
            wish,
            query=query,
            password=password,
            dry_run=dry_run,
            yes=yes,
            as_json=as_json,
        ),
        changes=move and not dry_run,
    )
