"""The command that looks a store over and puts it right."""

from __future__ import annotations

import click

from sessiontui.cli.root import cli, place_of, place_options


@cli.command("doctor", short_help="Find what is broken, and repair it.")
@place_options
@click.option("--fix", is_flag=True, help="Repair what can be repaired, after asking.")
@click.option("--deep", is_flag=True, help="Read every line of every session too.")
@click.option("--undo", is_flag=True, help="Take back what was repaired last.")
@click.option("--force", is_flag=True, help="Repair sessions too whose agent is running.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One array of objects.")
@click.pass_context
def doctor_command(
    context: click.Context,
    *,
    fix: bool,
    deep: bool,
    undo: bool,
    force: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Find what is broken: pieces of sessions, titles and times that fit nothing, leftovers.

    Nothing is changed without --fix, and every repair can be taken back with
    --undo. Sessions that an agent may hold open are left alone without --force.

    Exit codes: 0 nothing is wrong (any more; notes do not count), 1 something is, 2 wrong usage.

    \b
    Examples:
      sessiontui doctor
      sessiontui doctor --deep --json
      sessiontui doctor --fix
      sessiontui doctor --undo
    """
    from sessiontui.cli.doctor import examine, take_back
    from sessiontui.cli.runner import with_workspace

    if undo and (fix or deep):
        raise click.UsageError("--undo goes alone", context)
    if undo:
        with_workspace(
            place_of(context),
            lambda workspace: take_back(workspace, force=force, as_json=as_json),
            changes=True,
        )
    with_workspace(
        place_of(context),
        lambda workspace: examine(
            workspace, fix=fix, deep=deep, yes=yes, force=force, as_json=as_json
        ),
        changes=fix,
    )
