"""Resolves the session named by a path, an id, or the beginning of one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sessiontui.app.format import cut_end
from sessiontui.catalog.sorting import shown_title
from sessiontui.cli.runner import CommandError, print_error
from sessiontui.cli.sources import command_line
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiontui.catalog.row import Row
    from sessiontui.workspace import Workspace

MOST_CANDIDATES = 20
"""How many candidates of an ambiguous name are listed."""
_LEAST_TITLE = 12
_MOST_TITLE = 50
_BESIDE_TITLE = 10
"""Columns that indent and tab take at most."""


async def resolve_session(workspace: Workspace, name: str) -> Row:
    """Return the one session that `name` stands for.

    Raises:
        CommandError: None has this name, or several have; then the candidates were
            listed on stderr, one a line: id, tab, title.
    """
    rows = await workspace.find(name)
    if not rows and (name.endswith(".jsonl") or "/" in name):
        rows = await workspace.find(_from_here(name))
    if not rows:
        raise CommandError(f"no session is called {name!r}; list them with: {command_line('ls')}")
    if len(rows) == 1:
        return rows[0]
    print_error(f"{name!r} may be any of {len(rows)} sessions:")
    _list(rows[:MOST_CANDIDATES])
    more = len(rows) - MOST_CANDIDATES
    rest = f"and {more} more; " if more > 0 else ""
    raise CommandError(f"{rest}write more of the id, or the whole path")


async def resolve_sessions(
    workspace: Workspace, names: Sequence[str], query: str | None = None
) -> list[Row]:
    """Return the sessions that are named, and those that fit a query, each once, in order.

    Raises:
        CommandError: A name means none or several, or nothing fits the query.
        QueryError: The query is not understood.
    """
    rows = [await resolve_session(workspace, name) for name in names]
    if query is not None:
        if not query.strip():
            raise CommandError("an empty filter matches everything: name the sessions")
        found = await matching_sessions(workspace, query)
        if not found:
            raise CommandError(f"nothing matches {query!r}")
        rows += sorted(found, key=lambda row: row.mtime_ms, reverse=True)
    return list({row.path: row for row in rows}.values())


async def matching_sessions(workspace: Workspace, query: str) -> list[Row]:
    """Return the sessions that fit a query, words only as they are written.

    Read whole is only what nothing else rules out.

    Raises:
        QueryError: It is not understood.
    """
    catalog = workspace.catalog
    await workspace.read_rows(list(catalog.rows))
    catalog.show_empty(True)
    catalog.filter(query)
    counts = await workspace.library.count(sorted(catalog.unsure))
    catalog.figures = counts.get
    catalog.figured(counts)
    return [catalog.rows[path] for path in catalog.fitting]


def _from_here(name: str) -> str:
    """Return the whole path of a file that is named from where the user stands, if it is one."""
    try:
        return str(Path(name).expanduser().resolve())
    except (OSError, RuntimeError):  # An unknown home, links in a circle.
        return name


def label(row: Row) -> str:
    """Return what a session is called: its title, safe to show."""
    return clean(shown_title(row))


def quoted(title: str) -> str:
    """Return how a line names a session: its title in quotes, cut, safe to show."""
    return f"“{cut_end(clean(title), _MOST_TITLE)}”"


def _list(rows: Sequence[Row]) -> None:
    width = shutil.get_terminal_size().columns
    for row in rows:
        name = clean(row.id or row.path)
        title = cut_end(label(row), max(_LEAST_TITLE, width - len(name) - _BESIDE_TITLE))
        click.echo(f"  {name}\t{title}", err=True)
