"""Commands that only read: list, show, follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sessiontui.cli.completion import complete_sessions
from sessiontui.cli.root import Count, cli, place_of, place_options

if TYPE_CHECKING:
    from sessiontui.catalog.sorting import Sort

SORTS: tuple[Sort, ...] = ("modified", "created", "title", "size")


@cli.command("ls")
@place_options
@click.option("--json", "as_json", is_flag=True, help="One array of objects.")
@click.option(
    "--sort", type=click.Choice(SORTS), default="modified", show_default=True, help="By what."
)
@click.option("--reverse", is_flag=True, help="Oldest, smallest or Z first.")
@click.option("--limit", type=Count(), metavar="N", help="How many at most.")
@click.option("--filter", "query", default="", metavar="QUERY", help="Only what matches.")
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
    from sessiontui.catalog.query import Query
    from sessiontui.cli.ls import list_sessions
    from sessiontui.cli.runner import with_workspace
    from sessiontui.paths import index_dir
    from sessiontui.workspace import Library

    if figures and not as_json:
        raise click.UsageError("--figures goes with --json", context)

    Query(query)  # What is wrong with it is told before the source is opened.
    with_workspace(
        place_of(context),
        lambda workspace: list_sessions(
            workspace,
            query=query,
            sort=sort,
            reverse=reverse,
            limit=limit,
            as_json=as_json,
            figures=figures,
        ),
        library=Library(index_dir(), keep=False),
    )


@cli.command("show")
@place_options
@click.option("--raw", is_flag=True, help="The stored bytes and nothing else.")
@click.argument("session", shell_complete=complete_sessions)
@click.pass_context
def show_command(context: click.Context, session: str, *, raw: bool) -> None:
    """Write a whole session.

    As text, control codes in it made visible; very long outputs are cut. With
    --raw exactly the bytes that are stored.

    \b
    Examples:
      sessiontui show 0199a1b2 | less
      sessiontui show --raw 0199a1b2 > session.jsonl
    """
    from sessiontui.cli.runner import with_workspace
    from sessiontui.cli.show import show_session

    with_workspace(place_of(context), lambda workspace: show_session(workspace, session, raw=raw))


@cli.command("tail")
@place_options
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added, until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    "count",
    type=Count(),
    default=10,
    show_default=True,
    metavar="N",
    help="How many entries (lines of the session).",
)
@click.option("--raw", is_flag=True, help="The stored bytes and nothing else.")
@click.argument("session", shell_complete=complete_sessions)
@click.pass_context
def tail_command(
    context: click.Context, session: str, *, follow: bool, count: int, raw: bool
) -> None:
    """Write the last entries of a session.

    With -f it goes on with what is added, across lost connections, rewrites and
    renames.

    \b
    Examples:
      sessiontui tail -f 0199a1b2
      sessiontui tail --raw -n 1 0199a1b2 | jq .
    """
    from sessiontui.cli.runner import with_workspace
    from sessiontui.cli.show import tail_session

    with_workspace(
        place_of(context),
        lambda workspace: tail_session(workspace, session, raw=raw, count=count, follow=follow),
    )
