"""`sessiontui rename`, `rm`, `restore` and `trash`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from sessiontui.app.format import age, as_sentence, cut_middle, duration, plural, size
from sessiontui.cli.completion import complete_sessions
from sessiontui.cli.output import Output, print_failures, show_progress
from sessiontui.cli.prompts import confirm_plan, leave_out_running
from sessiontui.cli.resolve import label, quoted, resolve_session, resolve_sessions
from sessiontui.cli.root import (
    FILTER_HELP,
    cli,
    filter_option,
    need_sessions,
    source_options,
    source_options_of,
)
from sessiontui.cli.runner import CommandError, print_error, with_workspace
from sessiontui.cli.sources import command_line
from sessiontui.formats.title_slot import make_slot, normalize_title, parse_slot
from sessiontui.sources import DirectorySource
from sessiontui.text import clean
from sessiontui.workspace import last_deletion
from sessiontui.workspace.bulk import run_each
from sessiontui.workspace.rename import MAY_SET_AGAIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sessiontui.catalog.row import Row
    from sessiontui.storage.backend import TrashItem
    from sessiontui.workspace import DeletePlan, Workspace

_LOSS = "would lose the rest of its work"
_MOST_TOLD = 50
"""Up to so many sessions are told one by one."""
_LEAST_PATH = 20


@cli.command("rename")
@source_options
@click.option("--title", metavar="TITLE", help="The new title; empty removes it.")
@click.option("--path", metavar="PATH", help="The new path; drafts and the like move along.")
@click.option("--force", is_flag=True, help="Move it even if its agent is running.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
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
    """Rename a session: its title, its path or both.

    An agent that has the session open may set its own title again; then that
    is said.

    \b
    Examples:
      sessiontui rename 0199a1b2 --title "Fix the retry test"
      sessiontui rename 0199a1b2 --path /sessions/-old/retry.jsonl
    """
    if title is None and path is None:
        raise click.UsageError("nothing to change: pass --title, --path or both", context)
    with_workspace(
        source_options_of(context),
        lambda workspace: rename_session(
            workspace, session, title=title, path=path, force=force, as_json=as_json
        ),
        changes=True,
    )


@cli.command("rm")
@source_options
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, delete nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--force", is_flag=True, help="Delete running sessions too.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@filter_option(FILTER_HELP)
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
    need_sessions(context, sessions, query)
    with_workspace(
        source_options_of(context),
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


@cli.command("restore")
@source_options
@click.option("--list", "listing", is_flag=True, help="List the trash, restore nothing.")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@click.pass_context
def restore_command(context: click.Context, ids: tuple[str, ...], *, listing: bool) -> None:
    """Restore deleted sessions exactly as they were.

    Without an ID: all that the last deletion took.

    \b
    Examples:
      sessiontui restore
      sessiontui restore --list
    """
    if listing:
        with_workspace(
            source_options_of(context), lambda workspace: list_trash(workspace, as_json=False)
        )
    with_workspace(
        source_options_of(context), lambda workspace: restore_session(workspace, ids), changes=True
    )


@cli.command("trash")
@source_options
@click.option("--json", "as_json", is_flag=True, help="One array of objects.")
@click.pass_context
def trash_command(context: click.Context, *, as_json: bool) -> None:
    """List what can be restored: id, when, how long it is kept, size, path."""
    with_workspace(
        source_options_of(context), lambda workspace: list_trash(workspace, as_json=as_json)
    )


async def rename_session(
    workspace: Workspace,
    name: str,
    *,
    title: str | None,
    path: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Give a session another title, another path, or both; say what a running agent will do.

    Raises:
        CommandError: A running agent may hold it open, and `force` is false.
    """
    row = await resolve_session(workspace, name)  # read by this, so that it can be judged
    reason = workspace.held(row.path)
    if path is not None and reason is not None and not force:
        raise CommandError(
            f"{label(row)} is held open ({reason}): its agent would keep writing to the old "
            "path and split the session in two; wait, or use --force"
        )
    said = []
    if title is not None:
        title = _stored_title(workspace, title)
        said.append(f"title {quoted(title)}" if title else "title removed")
    if path is not None:
        said.append(f"path {clean(path)}")
    await workspace.rename(row.path, title=title, new_path=path, insist=force)
    await workspace.drain()
    warning = None
    if title is not None and reason is not None:
        warning = f"{as_sentence(reason)} {MAY_SET_AGAIN}"
    output = Output()
    if as_json:
        output.json_array(
            [
                {
                    "path": row.path,
                    "new_path": row.path if path is None else path,
                    "title": row.title if title is None else title,
                    "running": reason,
                    "warning": warning,
                }
            ]
        )
    else:
        output.line(f"renamed {quoted(label(row))}: {', '.join(said)}")
        if warning is not None:
            print_error(warning)
    output.flush()
    if path is not None:
        await tell_written_again(workspace, [row.path])


async def tell_written_again(workspace: Workspace, paths: Sequence[str]) -> None:
    """Say at which paths, from which sessions were just taken, an agent has written meanwhile."""
    for path in await workspace.written_again(paths):
        print_error(
            f"an agent wrote at the old path meanwhile: its version is kept at {clean(path)}"
        )


def _stored_title(workspace: Workspace, title: str) -> str:
    """Return a title as it will be read again; in a file the slot has room for so much only.

    Raises:
        CommandError: It is no text.
    """
    try:
        title.encode()
    except UnicodeEncodeError as error:
        raise CommandError("the title is not valid UTF-8") from error
    title = normalize_title(_without_controls(title))
    if isinstance(workspace.source, DirectorySource):
        slot = parse_slot(make_slot(title, source="user", updated_at=0))
        title = title if slot is None else slot.title
    return title


def _without_controls(title: str) -> str:
    """Return a title with blanks for its control characters, so that no words are glued."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", title)


async def remove_sessions(
    workspace: Workspace,
    names: Sequence[str],
    *,
    query: str | None,
    dry_run: bool,
    yes: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Move sessions with all that belongs to them to the trash.

    Nothing is touched before every name is found and the user agreed.

    Args:
        workspace: Where they are.
        names: What the user calls them.
        query: What others are to fit, if given.
        dry_run: Show what would be deleted, delete nothing.
        yes: Do not ask for confirmation.
        force: Take running ones too.
        as_json: Print as JSON.

    Returns:
        The exit code.

    Raises:
        CommandError: One is running and `force` is false, or the user said no.
        click.UsageError: Nobody can be asked and `yes` is false.
    """
    rows = await resolve_sessions(workspace, names, query)
    plan = await workspace.plan_delete([row.path for row in rows])
    rows = [row for row in rows if row.path in plan.paths]
    keep_days = workspace.config.retention_days
    output = Output()
    if dry_run:
        if as_json:
            output.json_array(_planned(row, plan, number) for number, row in enumerate(rows))
        else:
            _tell_plan(output, rows, plan, keep_days)
        return 0
    if not force:
        plan = leave_out_running(plan, _LOSS, leave_out=query is not None)
        rows = [row for row in rows if row.path in plan.paths]
    if not yes:
        if not await confirm_plan(
            output, "Delete?", lambda: _tell_plan(output, rows, plan, keep_days)
        ):
            raise CommandError("nothing was deleted")
        plan = await workspace.plan_delete(plan.paths)
        if not force:  # An agent may have begun while the user thought.
            plan = leave_out_running(plan, _LOSS, leave_out=query is not None)
    called = {row.path: quoted(label(row)) for row in rows}
    with show_progress("deleting") as progress:
        outcome = await workspace.delete(plan, progress)
    await workspace.drain()
    if as_json:
        output.json_array(_item_facts(item) for item in outcome.done)
    else:
        _tell_deleted(output, outcome.done, called)
    output.flush()
    await tell_written_again(workspace, [item.path for item in outcome.done])
    return print_failures(outcome, called, "deleted")


def _tell_deleted(output: Output, items: Sequence[TrashItem], called: Mapping[str, str]) -> None:
    """Say what was deleted, and how to get it back."""
    if len(items) > _MOST_TOLD:
        deleted = plural(len(items), "session")
        output.line(f"deleted {deleted}; undo with: {command_line('restore')}")
        return
    for item in items:
        again = f"undo with: {command_line('restore', item.id)}"
        output.line(f"deleted {called[item.path]}; {again}")


async def restore_session(workspace: Workspace, names: Sequence[str]) -> int:
    """Bring back what was deleted, exactly as it was.

    Args:
        workspace: Where it was.
        names: Ids of the trash, or beginnings of them; empty for all of the last deletion.

    Returns:
        The exit code.

    Raises:
        CommandError: The trash is empty, or has none or several of such a name.
    """
    items = await workspace.trashed()
    if not items:
        raise CommandError("the trash is empty")
    chosen = [_trash_item(items, name) for name in names] or last_deletion(items)
    by_id = {item.id: item for item in chosen}
    paths = {item.id: clean(item.path) for item in chosen}
    with show_progress("restoring") as progress:
        outcome = await run_each(
            list(by_id),
            lambda item_id: workspace.restore(by_id[item_id]),
            progress,
            paths.__getitem__,
        )
    await workspace.drain()
    output = Output()
    if len(outcome.done) > _MOST_TOLD:
        output.line(f"restored {plural(len(outcome.done), 'session')}")
    else:
        for item in outcome.done:
            output.line(f"restored {clean(item.path)}")
    output.flush()
    return print_failures(outcome, paths, "restored")


async def list_trash(workspace: Workspace, *, as_json: bool) -> None:
    """Write what can be restored, newest first."""
    items = await workspace.trashed()
    output = Output()
    if as_json:
        output.json_array(_item_facts(item) for item in items)
        return
    now = workspace.clock()
    if output.terminal:
        _write_trash(output, items, now)
        return
    for item in items:
        kept = duration(item.expires_ms - now)
        output.line(
            f"{clean(item.id)}\t{age(item.deleted_ms, now)}\t{kept} left"
            f"\t{size(_bytes(item))}\t{clean(item.path)}"
        )


def _write_trash(output: Output, items: Sequence[TrashItem], now: int) -> None:
    """Write aligned columns that fit the terminal, ids whole."""
    if not items:
        output.line("The trash is empty.")
        return
    wide = max(len(clean(item.id)) for item in items)
    head = f"{'age':>4}  {'left':>4}  {'size':>7}  {'id':<{wide}}  path"
    output.line(output.style(head, tone="past"))
    room = max(_LEAST_PATH, output.width - wide - 23)
    for item in items:
        kept, trash_id = duration(item.expires_ms - now), clean(item.id)
        output.line(
            f"{age(item.deleted_ms, now):>4}  {kept:>4}  {size(_bytes(item)):>7}"
            f"  {output.style(f'{trash_id:<{wide}}', tone='past')}"
            f"  {cut_middle(clean(item.path), room)}"
        )


def _trash_item(items: Sequence[TrashItem], name: str) -> TrashItem:
    found = [item for item in items if name in (item.id, item.path)]
    found = found or [item for item in items if name and item.id.startswith(name)]
    if not found:
        raise CommandError(f"nothing in the trash is called {name!r}; see: {command_line('trash')}")
    if len({item.path for item in found}) > 1:
        raise CommandError(
            f"{name!r} may be any of {len(found)} deletions; see: {command_line('trash')}"
        )
    return found[0]


def _tell_plan(output: Output, rows: Sequence[Row], plan: DeletePlan, keep_days: int) -> None:
    for row, stats in zip(rows, plan.stats, strict=True):
        output.line(f"{quoted(label(row))}  {clean(row.path)}")
        for stat in stats[1:]:
            output.line(f"  with {clean(stat.path)}")
    for held in plan.held:
        print_error(f"{quoted(held.title or held.path)} is held open: {held.reason}")
    output.line(
        f"{plural(len(rows), 'session')}, {plural(plan.count, 'key or file', 'keys or files')}, "
        f"{size(plan.bytes)}; kept in the trash for {plural(keep_days, 'day')}"
    )


def _planned(row: Row, plan: DeletePlan, number: int) -> dict[str, Any]:
    held = {item.path: item.reason for item in plan.held}
    return {
        "path": row.path,
        "id": row.id,
        "title": row.title,
        "running": held.get(row.path),
        "bytes": sum(stat.size for stat in plan.stats[number]),
        "with": [stat.path for stat in plan.stats[number][1:]],
    }


def _item_facts(item: TrashItem) -> dict[str, Any]:
    return {
        "trash_id": item.id,
        "path": item.path,
        "bytes": _bytes(item),
        "with": [stat.path for stat in item.stats[1:]],
        "deleted_ms": item.deleted_ms,
        "expires_ms": item.expires_ms,
    }


def _bytes(item: TrashItem) -> int:
    return sum(stat.size for stat in item.stats)
