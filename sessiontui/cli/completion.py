"""Shell completion: commands, options, folders, sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem, get_completion_class

from sessiontui.cli.sources import SourceOptions, choose_source
from sessiontui.errors import SessionTuiError

if TYPE_CHECKING:
    import click

    from sessiontui.catalog.row import Row

SHELLS = ("bash", "zsh", "fish")
OFFERED = 40
"""How many sessions are offered, the newest of those that match."""
LOOKED_INTO = 2000
"""How many of the newest sessions are read where no path tells the id."""
PATIENCE_S = 2.0
"""How long the user waits for an offer at most."""


def completion_script(command: click.Command, shell: str) -> str:
    """Return what the shell has to read for completion to work."""
    kind = get_completion_class(shell)
    if kind is None:
        raise ValueError(shell)
    return kind(command, {}, "sessiontui", "_SESSIONTUI_COMPLETE").source()


def complete_folders(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Let the shell offer folders."""
    return [CompletionItem(incomplete, type="dir")]


def complete_sessions(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the newest sessions by id, or by path or file name once the user began one.

    Their titles stand beside them.

    A source that cannot be read, or not soon enough, offers nothing: completion
    has no place for an error.
    """
    import asyncio

    from sessiontui.text import clean

    try:
        rows = asyncio.run(
            _newest(context.find_object(SourceOptions) or SourceOptions(), incomplete)
        )
    except (SessionTuiError, TimeoutError, OSError):
        return []
    return [CompletionItem(_offer(row, incomplete), help=clean(row.title)) for row in rows]


def _offer(row: Row, incomplete: str) -> str:
    """Return the name of a session that goes on from what was typed."""
    file_name = row.path.rpartition("/")[2]
    for name in (row.id or row.path, row.path, file_name):
        if name.startswith(incomplete):
            return name
    return row.path


async def _newest(place: SourceOptions, incomplete: str) -> list[Row]:
    import asyncio

    from sessiontui.catalog.row_builder import id_from_path
    from sessiontui.workspace import open_workspace

    source, config = choose_source(place)
    async with asyncio.timeout(PATIENCE_S), open_workspace(source, config=config) as workspace:
        await workspace.ready()
        rows = workspace.catalog.rows
        newest = sorted(rows, key=lambda path: -rows[path].mtime_ms)
        fitting = [
            path
            for path in newest
            if any(
                name.startswith(incomplete)
                for name in (path, path.rpartition("/")[2], id_from_path(path) or "")
            )
        ]
        if fitting:
            return await workspace.read_rows(fitting[:OFFERED])
        # No path tells; the sessions themselves may.
        read = await workspace.read_rows(newest[:LOOKED_INTO])
        return [row for row in read if (row.id or "").startswith(incomplete)][:OFFERED]
