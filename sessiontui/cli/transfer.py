"""`sessiontui cp` and `mv`: copy and move sessions to another store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sessiontui.app.format import plural, size
from sessiontui.cli.change import tell_written_again
from sessiontui.cli.completion import complete_folders, complete_sessions
from sessiontui.cli.output import Output, print_failures, show_progress
from sessiontui.cli.prompts import confirm_plan, leave_out_running
from sessiontui.cli.resolve import label, quoted, resolve_sessions
from sessiontui.cli.root import (
    FILTER_HELP,
    cli,
    filter_option,
    need_sessions,
    source_options,
    source_options_of,
    typed_path,
)
from sessiontui.cli.runner import CommandError, print_error, with_workspace
from sessiontui.cli.sources import command_line, other_source
from sessiontui.errors import ReadOnlyError
from sessiontui.text import clean
from sessiontui.workspace.connection import READ_ONLY_REQUESTED
from sessiontui.workspace.transfer import TransferOptions, Transfers, open_destination

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sessiontui.sources import Source
    from sessiontui.workspace import DeletePlan, Workspace
    from sessiontui.workspace.transfer import Destination, TransferResult


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
                help="Destination: a server or folder, or omp for omp's own folder.",
            ),
            click.option(
                "--to-password-file",
                type=click.Path(dir_okay=False, path_type=Path),
                help="File whose first line is the password of --to.",
            ),
            click.option(
                "--cwd", metavar="FOLDER", help="The project of the copies, instead of their own."
            ),
            filter_option(FILTER_HELP),
            click.option("--overwrite", is_flag=True, help="Move what is in the way to the trash."),
            click.option("--force", is_flag=True, help="Include running sessions."),
            click.option("--dry-run", is_flag=True, help="Show what would happen, do nothing."),
            click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
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


@cli.command("cp")
@source_options
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


@cli.command("mv")
@source_options
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@_options
@click.pass_context
def move_command(context: click.Context, /, *, yes: bool, **options: Any) -> None:
    """Move sessions with their drafts and subagents to another server or folder.

    As cp; each copy is read back, and then the original goes to its trash:
    sessiontui restore restores it. It asks first; without a terminal it
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

    need_sessions(context, sessions, query)
    source, password = other_source(target, to_password_file)
    project = None if cwd is None else str(typed_path(cwd).absolute())
    wish = TransferOptions(move=move, cwd=project, overwrite=overwrite, force=force)
    with_workspace(
        source_options_of(context),
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


async def transfer_sessions(
    workspace: Workspace,
    names: Sequence[str],
    target: Source,
    wish: TransferOptions,
    *,
    query: str | None,
    password: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Copy or move sessions; nothing is touched before every name is found and the user agreed.

    Args:
        workspace: Where they are.
        names: What the user calls them.
        target: Where they go.
        wish: How.
        query: What others are to fit, if given.
        password: Of the target, instead of the one it has.
        dry_run: Show what would happen, do nothing.
        yes: Do not ask for confirmation.
        as_json: Print as JSON.

    Returns:
        The exit code.

    Raises:
        CommandError: One is running and that was not wished, or the user said no.
        StorageError: The target cannot be reached.
        click.UsageError: Nobody can be asked and `yes` is false.
    """
    if workspace.config.read_only and not dry_run:
        raise ReadOnlyError(READ_ONLY_REQUESTED)
    rows = await resolve_sessions(workspace, names, query)
    titles = {row.path: label(row) for row in rows}
    plan = await workspace.plan_delete(list(titles))
    loss = "would lose the rest of its work" if wish.move else "would go on with the original alone"
    async with open_destination(
        target, home=workspace.home, origin=workspace.source, password=password
    ) as destination:
        transfers = Transfers(workspace)
        output = Output()
        if dry_run:
            facts = await _planned(transfers, plan, titles, destination, wish)
            if as_json:
                output.json_array(facts)
            else:
                _tell_plan(output, facts, plan)
            return 0
        if not wish.force:
            plan = leave_out_running(plan, loss, leave_out=query is not None)
        if not yes:
            facts = await _planned(transfers, plan, titles, destination, wish)
            if not await confirm_plan(output, "Move?", lambda: _tell_plan(output, facts, plan)):
                raise CommandError("nothing was moved")
        word, done = ("moving", "moved") if wish.move else ("copying", "copied")
        with show_progress(word) as progress:
            outcome = await transfers.run(plan.paths, destination, wish, progress)
        await workspace.drain()
    called = {path: quoted(title) for path, title in titles.items()}
    if as_json:
        output.json_array(_facts(one) for one in outcome.done)
    else:
        for one in outcome.done:
            _tell(output, called[one.path], one, done)
    output.flush()
    await tell_written_again(workspace, [one.path for one in outcome.done if one.item is not None])
    return print_failures(outcome, called, done)


def _tell(output: Output, title: str, one: TransferResult, done: str) -> None:
    text = f"{done} {title} to {clean(one.new_path)}"
    if one.state == "there":
        there = "was there already"
        text = f"{title} {there}: {clean(one.new_path)}" if one.item is None else f"{text}, {there}"
    if one.replaced is not None:
        text += f"; what was there is in its trash as {clean(one.replaced.id)}"
    if one.expires:
        text += "; it expires on the server, the copy does not"
    if one.item is not None:
        text += f"; restore the original with: {command_line('restore', one.item.id)}"
    output.line(text)


async def _planned(
    transfers: Transfers,
    plan: DeletePlan,
    titles: Mapping[str, str],
    destination: Destination,
    wish: TransferOptions,
) -> list[dict[str, Any]]:
    held = {item.path: item.reason for item in plan.held}
    facts = []
    for path, stats in zip(plan.paths, plan.stats, strict=True):
        new_path = await transfers.new_path(path, destination, wish.cwd)
        facts.append(
            {
                "path": path,
                "new_path": new_path,
                "title": titles[path],
                "exists": destination.storage.exists_sync(new_path),
                "running": held.get(path),
                "bytes": sum(stat.size for stat in stats),
                "with": [stat.path for stat in stats[1:]],
            }
        )
    return facts


def _tell_plan(output: Output, facts: Sequence[Mapping[str, Any]], plan: DeletePlan) -> None:
    for one in facts:
        there = "  (something is there)" if one["exists"] else ""
        output.line(
            f"{quoted(one['title'])}  {clean(one['path'])} -> {clean(one['new_path'])}{there}"
        )
        for path in one["with"]:
            output.line(f"  with {clean(path)}")
    for held in plan.held:
        print_error(f"{quoted(held.title or held.path)} is running: {held.reason}")
    files = plural(plan.count, "key or file", "keys or files")
    output.line(f"{plural(len(facts), 'session')}, {files}, {size(plan.bytes)}")


def _facts(one: TransferResult) -> dict[str, Any]:
    return {
        "path": one.path,
        "new_path": one.new_path,
        "state": one.state,
        "files": one.files,
        "bytes": one.bytes,
        "trash_id": None if one.item is None else one.item.id,
        "replaced_trash_id": None if one.replaced is None else one.replaced.id,
    }
