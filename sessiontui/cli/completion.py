"""What the shell offers when the user presses Tab: commands, options, folders, sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem, get_completion_class

from sessiontui.cli.sources import Place, choose_source
from sessiontui.errors import SessionTuiError

if TYPE_CHECKING:
    import click

    from sessiontui.catalogue.row import Row

SHELLS = ("bash", "zsh", "fish")
OFFERED = 40
"""How many sessions are offered, the newest of those that match."""
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
    """Offer the ids (or paths, once the user began one) of the newest sessions, with their titles.

    A source that cannot be read, or not soon enough, offers nothing: completion
    has no place for an error.
    """
    import asyncio

    from sessiontui.models.text import clean

    try:
        rows = asyncio.run(_newest(context.find_object(Place) or Place(), incomplete))
    except (SessionTuiError, TimeoutError, OSError):
        return []
    if "/" in incomplete:
        return [CompletionItem(row.path, help=clean(row.title)) for row in rows]
    return [CompletionItem(row.id or row.path, help=clean(row.title)) for row in rows]


async def _newest(place: Place, incomplete: str) -> list[Row]:
    import asyncio

    from sessiontui.catalogue.facts import id_from_path
    from sessiontui.workspace import open_workspace

    source, config = choose_source(place)
    async with asyncio.timeout(PATIENCE_S), open_workspace(source, config=config) as workspace:
        await workspace.ready()
        newest = sorted(workspace.catalogue.rows.values(), key=lambda row: -row.mtime_ms)
        fitting = [
            row.path
            for row in newest
            if row.path.startswith(incomplete)
            or (id_from_path(row.path) or "").startswith(incomplete)
        ]
        return await workspace.read_rows(fitting[:OFFERED])
