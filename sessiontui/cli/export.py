"""`sessiontui export`: sessions as files, or one on standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sessiontui.app.format import plural, size
from sessiontui.cli.completion import complete_sessions
from sessiontui.cli.output import Output, write_bytes
from sessiontui.cli.resolve import label, quoted, resolve_sessions
from sessiontui.cli.root import (
    cli,
    source_options,
    source_options_of,
    typed_path,
)
from sessiontui.cli.runner import CommandError, with_workspace
from sessiontui.export import EXTENSIONS, ExportFormat, ExportOptions
from sessiontui.paths import is_folder
from sessiontui.text import clean
from sessiontui.workspace.exporter import (
    Export,
    existing_files,
    export_to,
    export_to_file,
    make_folder,
    name_exports,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiontui.catalog.row import Row
    from sessiontui.export import ExportFormat
    from sessiontui.workspace import Workspace


FORMATS: tuple[ExportFormat, ...] = ("md", "html", "json", "jsonl")


@cli.command("export")
@source_options
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="What to write; else what FILE ends with, else md.",
)
@click.option("-o", "output", metavar="FILE|FOLDER", help="Where; - is standard output.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.option("--no-tools", is_flag=True, help="Leave tool calls out (md, html).")
@click.option("--thinking", is_flag=True, help="With the agent's thinking (md, html).")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.argument(
    "sessions", nargs=-1, required=True, metavar="SESSION…", shell_complete=complete_sessions
)
@click.pass_context
def export_command(
    context: click.Context,
    sessions: tuple[str, ...],
    *,
    format_: ExportFormat | None,
    output: str | None,
    force: bool,
    no_tools: bool,
    thinking: bool,
    as_json: bool,
) -> None:
    """Write sessions as Markdown, as one HTML page, as JSON or as stored (JSONL).

    One session goes to standard output unless -o names a file; several go into a
    folder, named by title and id. Files are readable by you alone.

    \b
    Examples:
      sessiontui export 0199a1b2 | less
      sessiontui export 0199a1b2 -o retry.html
      sessiontui export --format jsonl -o backup/ 0199a1b2 0199c3d4
    """
    with_workspace(
        source_options_of(context),
        lambda workspace: export_sessions(
            workspace,
            sessions,
            kind=format_,
            output=output,
            options=ExportOptions(tools=not no_tools, thinking=thinking),
            force=force,
            as_json=as_json,
        ),
    )


async def export_sessions(
    workspace: Workspace,
    names: Sequence[str],
    *,
    kind: ExportFormat | None,
    output: str | None,
    options: ExportOptions,
    force: bool,
    as_json: bool,
) -> None:
    """Write sessions to files, or one to standard output.

    Nothing is written before every name is found and every file may be written.

    Args:
        workspace: Where they are.
        names: What the user calls them.
        kind: What to make of them; None: what the file's name ends with, else Markdown.
        output: A file, a folder, `-` or None for standard output.
        options: What of them is wanted.
        force: Whether to replace files that are there.
        as_json: Print the result as JSON.

    Raises:
        click.UsageError: Several sessions, or a summary, and no file to write to.
        CommandError: A file is in the way and `force` is false.
    """
    to_stdout = output is None or output == "-"
    if to_stdout and as_json:
        raise click.UsageError("--json tells of files: name one, or a folder, with -o")
    rows = await resolve_sessions(workspace, names)
    if output is None or to_stdout:
        if len(rows) > 1:
            raise click.UsageError("several sessions need a folder: -o FOLDER")
        await export_to(workspace, rows[0], write_bytes, kind or "md", options)
        return
    chosen = kind or (_by_name(output) if len(rows) == 1 else None) or "md"
    exports = _places(rows, output, chosen)
    standing = existing_files(exports)
    if standing and not force:
        more = f" (and {len(standing) - 1} more)" if len(standing) > 1 else ""
        raise CommandError(
            f"there is such a file already: {standing[0]}{more}; --force replaces it"
        )
    told: list[dict[str, Any]] = []
    for export in exports:
        written = await export_to_file(workspace, export, chosen, options, replace=force)
        told.append(_told(export, chosen, written))
        if not as_json:
            Output().line(f"exported {quoted(label(export.row))} to {clean(str(export.file))}")
    if as_json:
        Output().json_array(told)
    elif len(told) > 1:
        total = sum(item["bytes"] for item in told)
        Output().line(f"{plural(len(told), 'session')}, {size(total)}")


def _by_name(output: str) -> ExportFormat | None:
    """Return the format that a file's name ends with; None for a folder or without an ending.

    Raises:
        click.UsageError: It ends with something else.
    """
    found = [name for name, extension in EXTENSIONS.items() if output.endswith(extension)]
    place = typed_path(output)
    if not found and place.suffix and not is_folder(place) and not output.endswith("/"):
        known = ", ".join(EXTENSIONS.values())
        raise click.UsageError(
            f"no format has the ending {clean(place.suffix)}: name one of {known}, or --format"
        )
    return found[0] if found else None


def _places(rows: Sequence[Row], output: str, kind: ExportFormat) -> list[Export]:
    """Return where each session is to be written; makes the folder for several."""
    place = typed_path(output)
    if is_folder(place) or output.endswith("/") or len(rows) > 1:
        make_folder(place)
        return name_exports(place, rows, kind, beside=False)
    return [Export(rows[0], place)]


def _told(export: Export, kind: ExportFormat, written: int) -> dict[str, Any]:
    return {
        "path": export.row.path,
        "id": export.row.id,
        "title": export.row.title,
        "file": str(export.file),
        "format": kind,
        "bytes": written,
    }
