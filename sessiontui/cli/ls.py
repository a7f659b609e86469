"""`sessiontui ls`: the sessions of a source, as a table or as JSON."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click

from sessiontui.app.format import FORK_SYMBOL, STATUS_SYMBOLS, age, cut_end, cut_middle, size
from sessiontui.catalog.query import Query
from sessiontui.catalog.row_builder import session_status
from sessiontui.catalog.sorting import Sort, file_name, shown_title, sort_key
from sessiontui.cli.output import Output
from sessiontui.cli.resolve import matching_sessions
from sessiontui.cli.root import (
    Count,
    cli,
    filter_option,
    source_options,
    source_options_of,
)
from sessiontui.cli.runner import with_workspace
from sessiontui.paths import index_dir
from sessiontui.text import clean
from sessiontui.times import iso_time
from sessiontui.workspace import SessionIndex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiontui.app.format import Tone
    from sessiontui.catalog.row import Row
    from sessiontui.catalog.sorting import Sort
    from sessiontui.catalog.stats import SessionStats
    from sessiontui.workspace import Workspace

_SHORT_ID = 8
_PROJECT_SHARE = 3
"""A project gets at most one part in this many of a terminal's width."""


SORTS: tuple[Sort, ...] = ("modified", "created", "title", "size")


@cli.command("ls")
@source_options
@click.option("--json", "as_json", is_flag=True, help="One array of objects.")
@click.option(
    "--sort", type=click.Choice(SORTS), default="modified", show_default=True, help="Sort key."
)
@click.option("--reverse", is_flag=True, help="Reverse the order.")
@click.option("--limit", type=Count(), metavar="N", help="Maximum number of sessions.")
@filter_option("Only sessions that match.", default="")
@click.option(
    "--figures",
    is_flag=True,
    help="With --json: entries, turns, tokens, cost and models too; reads whole sessions.",
)
@click.pass_context
def list_command(
    context: click.Context,
    *,
    as_json: bool,
    sort: Sort,
    reverse: bool,
    limit: int | None,
    query: str,
    figures: bool,
) -> None:
    """List the sessions, newest first.

    In a pipe: a line a session without a header, with tabs between activity, age,
    bytes, id, project and title.

    \b
    Examples:
      sessiontui ls
      sessiontui ls --json | jq -r '.[] | select(.activity == "waiting") | .title'
      sessiontui ls --filter 'status:error age:<7d project:api'
      sessiontui ls --sort size --limit 5 --source redis://cache:6379
    """
    if figures and not as_json:
        raise click.UsageError("--figures goes with --json", context)

    Query(query)  # What is wrong with it is told before the source is opened.
    with_workspace(
        source_options_of(context),
        lambda workspace: list_sessions(
            workspace,
            query=query,
            sort=sort,
            reverse=reverse,
            limit=limit,
            as_json=as_json,
            figures=figures,
        ),
        library=SessionIndex(index_dir(), keep=False),
    )


async def list_sessions(
    workspace: Workspace,
    *,
    query: str = "",
    sort: Sort,
    reverse: bool,
    limit: int | None,
    as_json: bool,
    figures: bool = False,
) -> None:
    """Write the sessions in order.

    Args:
        workspace: Where they are.
        query: Which ones, in the language of the find field; all without any.
        sort: By what; newest, largest or first in the alphabet leads.
        reverse: The other way round.
        limit: How many at most; None for all.
        as_json: One array of objects instead of a table.
        figures: Whether JSON tells entries, turns, tokens, cost and models too: that takes
            reading every session whole that the index does not know.
    """
    rows = list(workspace.catalog.rows.values())
    if query.strip():
        rows = await matching_sessions(workspace, query)
    if sort in ("title", "created"):  # Only heads and tails tell.
        rows = await workspace.read_rows([row.path for row in rows])
    rows.sort(key=sort_key(sort, reverse=reverse))
    rows = await workspace.read_rows([row.path for row in rows[:limit]])
    output = Output()
    if as_json:
        counted = await workspace.library.count([row.path for row in rows]) if figures else {}
        output.json_array(_facts(workspace, row) | _figures(counted.get(row.path)) for row in rows)
    elif output.terminal:
        _write_table(output, workspace, rows)
    else:
        _write_fields(output, workspace, rows)


def _facts(workspace: Workspace, row: Row) -> dict[str, Any]:
    """Return what `--json` tells of a session."""
    return {
        "path": row.path,
        "id": row.id,
        "title": row.title,
        "project": workspace.catalog.project(row),
        "cwd": row.cwd,
        "size": row.size,
        "mtime_ms": row.mtime_ms,
        "created": None if row.created_ms is None else iso_time(row.created_ms),
        "status": row.status,
        "activity": session_status(row, now_ms=workspace.clock()),
        "held": workspace.held(row.path),
        "agent": row.agent,
        "model": row.model,
        "parent": row.parent,
    }


def _figures(counted: SessionStats | None) -> dict[str, Any]:
    """Return what `--json --figures` tells of a session besides."""
    if counted is None:
        return {}
    used = counted.tokens
    return {
        "entries": counted.entries,
        "turns": counted.turns,
        "tokens": {
            "input": used.input,
            "output": used.output,
            "cache_read": used.cache_read,
            "cache_write": used.cache_write,
        },
        "cost": used.cost,
        "models": list(counted.models),
    }


def _write_fields(output: Output, workspace: Workspace, rows: Sequence[Row]) -> None:
    """Write a line a session for programs, with tabs between the fields."""
    now = workspace.clock()
    for row in rows:
        fields = (
            session_status(row, now_ms=now),
            age(row.mtime_ms, now),
            str(row.size),
            clean(row.id or row.path),
            clean(workspace.catalog.project(row)),
            clean(shown_title(row)),
        )
        output.line("\t".join(fields))


def _write_table(output: Output, workspace: Workspace, rows: Sequence[Row]) -> None:
    """Write aligned columns that fit the terminal."""
    if not rows:
        output.line(f"No sessions in {clean(workspace.source.label)}.")
        return
    now = workspace.clock()
    ids = short_ids([row.id or file_name(row.path) for row in rows])
    projects = [clean(workspace.catalog.project(row)) for row in rows]
    most = max(12, output.width // _PROJECT_SHARE)
    project_width = min(most, max(map(_cells, projects)))
    id_width = max(map(len, ids))
    title_width = max(12, output.width - project_width - id_width - 21)
    head = f"  {'age':>4}  {'size':>7}  {_pad('id', id_width)}  {_pad('project', project_width)}"
    output.line(output.style(f"{head}  title", tone="past"))
    for row, short, project in zip(rows, ids, projects, strict=True):
        doing = session_status(row, now_ms=now)
        sign = STATUS_SYMBOLS[doing]
        title = (
            shown_title(row) if row.parent is None else f"{FORK_SYMBOL.symbol} {shown_title(row)}"
        )
        told: Tone = "plain" if sign.tone == "past" else sign.tone
        output.line(
            f"{output.style(sign.symbol, tone=sign.tone)} {age(row.mtime_ms, now):>4}"
            f"  {size(row.size):>7}  {output.style(_pad(short, id_width), tone='past')}"
            f"  {_pad(cut_middle(project, project_width), project_width)}"
            f"  {output.style(cut_end(clean(title), title_width), tone=told)}"
        )


def short_ids(ids: Sequence[str]) -> list[str]:
    """Return the beginnings of ids that tell them apart, all of one length, safe to show."""
    ordered = sorted(set(ids))
    shared = max((_common(one, other) for one, other in pairwise(ordered)), default=0)
    length = max(_SHORT_ID, shared + 1)
    return [clean(item[:length]) for item in ids]


def _common(one: str, other: str) -> int:
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _cells(text))
