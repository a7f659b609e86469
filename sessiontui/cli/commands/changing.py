"""Commands that change sessions: rename, delete, restore."""

from __future__ import annotations

import click

from sessiontui.cli.completion import complete_sessions
from sessiontui.cli.root import FILTER_HELP, cli, need_sessions, place_of, place_options


@cli.command("rename")
@place_options
@click.option("--title", metavar="TITLE", help="The new title; empty takes it away.")
@click.option("--path", metavar="PATH", help="The new path; drafts and the like move along.")
@click.option("--force", is_flag=True, help="Move it though its agent is running.")
@click.option("--json", "as_json", is_flag=True, help="Tell as JSON what changed.")
@click.argument("session", shell_complete=complete_sessions)
@click.pass_context
def rename_command(
    context: click.Context,
    session: str,
    *,
    title: str | None,
    path: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Give a session another title, another path, or both.

    An agent that has the session open may set its own title again; then that
    is said.

    \b
    Examples:
      sessiontui rename 0199a1b2 --title "Fix the retry test"
      sessiontui rename 0199a1b2 --path /sessions/-old/retry.jsonl
    """
    from sessiontui.cli.change import rename_session
    from sessiontui.cli.runner import with_workspace

    if title is None and path is None:
        raise click.UsageError("say what to change: --title, --path or both", context)
    with_workspace(
        place_of(context),
        lambda workspace: rename_session(
            workspace, session, title=title, path=path, force=force, as_json=as_json
        ),
        changes=True,
    )


@cli.command("rm", short_help="Delete sessions; the trash keeps them for a while.")
@place_options
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Delete running sessions too.")
@click.option("--json", "as_json", is_flag=True, help="Tell as JSON what went.")
@click.option("--filter", "query", metavar="QUERY", help=FILTER_HELP)
@click.argument("sessions", nargs=-1, metavar="[SESSION]…", shell_complete=complete_sessions)
@click.pass_context
def remove_command(
    context: click.Context,
    sessions: tuple[str, ...],
    *,
    query: str | None,
    dry_run: bool,
    yes: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Delete sessions with their drafts; the trash keeps them for a while.

    It asks first; where nobody can be asked it wants --yes. A session that
    an agent may hold open is refused without --force, with the reason; where it
    was found by --filter it is left out. Either all names are found or nothing
    is deleted.

    \b
    Examples:
      sessiontui rm 0199a1b2
      sessiontui rm --dry-run 0199a1b2 0199c3d4
      sessiontui rm --filter 'project:scratch age:>90d'
      sessiontui restore
    """
    from sessiontui.cli.change import remove_sessions
    from sessiontui.cli.runner import with_workspace

    need_sessions(context, sessions, query)
    with_workspace(
        place_of(context),
        lambda workspace: remove_sessions(
            workspace,
            sessions,
            query=query,
            dry_run=dry_run,
            yes=yes,
            force=force,
            as_json=as_json,
        ),
        changes=not dry_run,
    )


@cli.command("restore", short_help="Bring deleted sessions back.")
@place_options
@click.option("--list", "listing", is_flag=True, help="Only list what can be restored.")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@click.pass_context
def restore_command(context: click.Context, ids: tuple[str, ...], *, listing: bool) -> None:
    """Bring deleted sessions back exactly as they were.

    Without an ID: all that the last deletion took.

    \b
    Examples:
      sessiontui restore
      sessiontui restore --list
    """
    from sessiontui.cli.change import list_trash, restore_session
    from sessiontui.cli.runner import with_workspace

    if listing:
        with_workspace(place_of(context), lambda workspace: list_trash(workspace, as_json=False))
    with_workspace(
        place_of(context), lambda workspace: restore_session(workspace, ids), changes=True
    )


@cli.command("trash", short_help="List what can be restored.")
@place_options
@click.option("--json", "as_json", is_flag=True, help="One array of objects.")
@click.pass_context
def trash_command(context: click.Context, *, as_json: bool) -> None:
    """List what can be restored: id, when, how long it is kept, size, path."""
    from sessiontui.cli.change import list_trash
    from sessiontui.cli.runner import with_workspace

    with_workspace(place_of(context), lambda workspace: list_trash(workspace, as_json=as_json))
