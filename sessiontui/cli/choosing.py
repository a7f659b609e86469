"""Finds the session that a user means by a path, an id, or the beginning of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sessiontui.catalogue.order import shown_title
from sessiontui.cli.running import CommandError, complain
from sessiontui.models.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiontui.catalogue.row import Row
    from sessiontui.workspace import Workspace

MOST_CANDIDATES = 20
"""How many candidates of an ambiguous name are listed."""


async def the_session(workspace: Workspace, name: str) -> Row:
    """Return the one session that `name` means.

    Raises:
        CommandError: None has this name, or several have; then the candidates were
            listed on stderr, one a line: id, tab, title.
    """
    rows = await workspace.find(name)
    if not rows and (name.endswith(".jsonl") or "/" in name):
        rows = await workspace.find(_from_here(name))
    if not rows:
        raise CommandError(f"no session is called {name!r}; list them with: sessiontui ls")
    if len(rows) == 1:
        return rows[0]
    complain(f"{name!r} may be any of {len(rows)} sessions:")
    _list(rows[:MOST_CANDIDATES])
    more = len(rows) - MOST_CANDIDATES
    rest = f"and {more} more; " if more > 0 else ""
    raise CommandError(f"{rest}write more of the id, or the whole path")


async def the_sessions(workspace: Workspace, names: Sequence[str]) -> list[Row]:
    """Return the sessions that `names` mean, each once, in order."""
    rows = [await the_session(workspace, name) for name in names]
    return list({row.path: row for row in rows}.values())


def _from_here(name: str) -> str:
    """Return the whole path of a file that is named from where the user stands."""
    return str(Path(name).expanduser().resolve())


def label(row: Row) -> str:
    """Return how a message names a session: its title, safe to show."""
    return clean(shown_title(row))


def _list(rows: Sequence[Row]) -> None:
    import click

    for row in rows:
        click.echo(f"  {clean(row.id or row.path)}\t{label(row)}", err=True)
