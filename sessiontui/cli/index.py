"""`sessiontui index`: state, build and clear the search index."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sessiontui.app.format import plural, size
from sessiontui.cli.output import Output
from sessiontui.cli.root import (
    cli,
    source_options,
    source_options_of,
)
from sessiontui.cli.runner import CommandError, with_workspace
from sessiontui.cli.sources import choose_source, command_line
from sessiontui.paths import index_dir
from sessiontui.search import index as files
from sessiontui.search.index import WriteLock
from sessiontui.search.index_cache import index_file
from sessiontui.search.reader import IndexReader
from sessiontui.text import clean
from sessiontui.workspace import SessionIndex

if TYPE_CHECKING:
    from pathlib import Path

    from sessiontui.workspace import Workspace


@cli.command("index")
@source_options
@click.option("--status", "what", flag_value="status", default="status", help="Show its state.")
@click.option("--build", "what", flag_value="build", help="Build or update it now.")
@click.option("--clear", "what", flag_value="clear", help="Delete it.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def index_command(context: click.Context, *, what: str, as_json: bool) -> None:
    """Manage the search index of a source.

    The app keeps it current in the background; searching works without it, slower.
    It lies in your cache folder, readable by you alone.

    \b
    Examples:
      sessiontui index --build
      sessiontui index --clear
    """
    if what == "build":
        with_workspace(
            source_options_of(context),
            lambda workspace: build_index(workspace, as_json=as_json),
            library=SessionIndex(index_dir(), eager=True),
        )
    source, _ = choose_source(source_options_of(context))
    file = index_file(index_dir(), source)
    if what == "clear":
        clear_index(file, source.label)
    else:
        tell_index(file, source.label, as_json=as_json)


def tell_index(file: Path, label: str, *, as_json: bool) -> None:
    """Write where the index of a source is and how much is in it."""
    reader = IndexReader(file)
    try:
        there, contents = bool(reader), reader.contents()
    finally:
        reader.close()
    output = Output()
    if as_json:
        facts = {
            "file": str(file),
            "exists": there,
            "sessions": contents.sessions,
            "texts": contents.texts,
            "text_characters": contents.text_bytes,
            "file_bytes": contents.file_bytes,
        }
        output.json_object(facts)
        return
    output.line(clean(str(file)))
    if not there:
        build = command_line("index", "--build")
        output.line(f"no index of {clean(label)} yet: the app builds it, or {build}")
        return
    output.line(
        f"{plural(contents.sessions, 'session')}, the text of {contents.texts:,} "
        f"({size(contents.text_bytes)}), in {size(contents.file_bytes)}"
    )


async def build_index(workspace: Workspace, *, as_json: bool) -> None:
    """Bring the index up to date and tell about it.

    Raises:
        CommandError: It cannot be written, or another process does so.
    """
    indexing = workspace.library.indexing
    await workspace.settled()
    await indexing.settled()
    if indexing.problem:
        raise CommandError(indexing.problem)
    if not indexing.ours:
        raise CommandError("another sessiontui keeps this index up to date")
    if indexing.file is not None:
        tell_index(indexing.file, workspace.source.label, as_json=as_json)


def clear_index(file: Path, label: str) -> None:
    """Delete the index of a source.

    Raises:
        CommandError: A running process writes it.
    """
    lock = WriteLock(file)
    if not lock.take():
        raise CommandError("a running sessiontui keeps this index: close it first")
    try:
        there = files.remove_index(file)
    finally:
        lock.release()
    what = "deleted the index" if there else "there is no index"
    click.echo(f"{what} of {clean(label)}")
