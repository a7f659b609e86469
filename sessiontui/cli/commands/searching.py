"""Commands about what is in all sessions: search, index."""

from __future__ import annotations

import click

from sessiontui.cli.root import Count, cli, place_of, place_options
from sessiontui.paths import index_dir


@cli.command("search", short_help="Find what was said in any session.")
@place_options
@click.option("--json", "as_json", is_flag=True, help="One array of objects.")
@click.option("--limit", type=Count(), metavar="N", help="How many places at most.")
@click.option("--regex", is_flag=True, help="The words are a regular expression.")
@click.argument("words", nargs=-1, required=True, metavar="WORD…")
@click.pass_context
def search_command(
    context: click.Context, words: tuple[str, ...], *, as_json: bool, limit: int | None, regex: bool
) -> None:
    """Find what the user, the agent or a tool said, in any session.

    Every word must be in one message; a quoted one with blanks in it must be there
    as it is. Case does not matter. The newest session comes first, and what is found
    is written at once. Exits with 1 where nothing is found.

    In a pipe: a line a place, with tabs between id, offset in bytes, who said it and
    the line.

    \b
    Examples:
      sessiontui search flaky retry
      sessiontui search "connection refused" redis
      sessiontui search --regex "time(d )?out" --limit 20
    """
    from sessiontui.cli.runner import with_workspace
    from sessiontui.cli.search import query, search_sessions
    from sessiontui.workspace import Library

    wanted = query(words, regex=regex)
    with_workspace(
        place_of(context),
        lambda workspace: search_sessions(workspace, wanted, limit=limit, as_json=as_json),
        library=Library(index_dir(), keep=False),
    )


@cli.command("index", short_help="Look after the index that makes searching fast.")
@place_options
@click.option("--status", "what", flag_value="status", default="status", help="Tell about it.")
@click.option("--build", "what", flag_value="build", help="Bring it up to date now.")
@click.option("--clear", "what", flag_value="clear", help="Delete it; it can be built again.")
@click.option("--json", "as_json", is_flag=True, help="Tell as JSON.")
@click.pass_context
def index_command(context: click.Context, *, what: str, as_json: bool) -> None:
    """Look after the index of what was said in all sessions of a source.

    The app keeps it current in the background; searching works without it, slower.
    It lies in your cache folder, readable by you alone.

    \b
    Examples:
      sessiontui index --build
      sessiontui index --clear
    """
    from sessiontui.cli.index import build_index, clear_index, tell_index
    from sessiontui.cli.runner import with_workspace
    from sessiontui.cli.sources import choose_source
    from sessiontui.search.place import index_file
    from sessiontui.workspace import Library

    if what == "build":
        with_workspace(
            place_of(context),
            lambda workspace: build_index(workspace, as_json=as_json),
            library=Library(index_dir(), eager=True),
        )
    source, _ = choose_source(place_of(context))
    file = index_file(index_dir(), source)
    if what == "clear":
        clear_index(file, source.label)
    else:
        tell_index(file, source.label, as_json=as_json)
