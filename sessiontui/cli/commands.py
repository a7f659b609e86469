"""The commands and their options, in the order of `--help`.

What a command does is imported when it runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sessiontui.cli.completion import SHELLS, complete_folders, complete_sessions, completion_script
from sessiontui.cli.root import (
    FILTER_HELP,
    Count,
    cli,
    need_sessions,
    source_options,
    source_options_of,
    typed_path,
)
from sessiontui.paths import index_dir

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiontui.catalog.sorting import Sort
    from sessiontui.export import ExportFormat

SORTS: tuple[Sort, ...] = ("modified", "created", "title", "size")

__all__ = ["cli"]


@cli.command("ls")
@source_options
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
    from sessiontui.workspace import SessionIndex

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


@cli.command("show")
@source_options
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

    with_workspace(
        source_options_of(context), lambda workspace: show_session(workspace, session, raw=raw)
    )


@cli.command("tail")
@source_options
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
        source_options_of(context),
        lambda workspace: tail_session(workspace, session, raw=raw, count=count, follow=follow),
    )


@cli.command("search", short_help="Find what was said in any session.")
@source_options
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
    from sessiontui.cli.search import parse_query, search_sessions
    from sessiontui.workspace import SessionIndex

    wanted = parse_query(words, regex=regex)
    with_workspace(
        source_options_of(context),
        lambda workspace: search_sessions(workspace, wanted, limit=limit, as_json=as_json),
        library=SessionIndex(index_dir(), keep=False),
    )


@cli.command("index", short_help="Look after the index that makes searching fast.")
@source_options
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
    from sessiontui.search.index_cache import index_file
    from sessiontui.workspace import SessionIndex

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


@cli.command("rename")
@source_options
@click.option("--title", metavar="TITLE", help="The new title; empty takes it away.")
@click.option("--path", metavar="PATH", help="The new path; drafts and the like move along.")
@click.option("--force", is_flag=True, help="Move it though its agent is running.")
@click.option("--json", "as_json", is_flag=True, help="Tell as JSON what changed.")
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
    """Give a session another title, another path, or both.

    An agent that has the session open may set its own title again; then that
    is said.

    \b
    Examples:
      sessiontui rename 0199a1b2 --title "Fix the retry test"
      sessiontui rename 0199a1b2 --path /sessions/-old/retry.jsonl
    """
    from sessiontui.cli.change import rename_session
    from sessiontui.cli.runner import with_workspace

    if title is None and path is None:
        raise click.UsageError("say what to change: --title, --path or both", context)
    with_workspace(
        source_options_of(context),
        lambda workspace: rename_session(
            workspace, session, title=title, path=path, force=force, as_json=as_json
        ),
        changes=True,
    )


@cli.command("rm", short_help="Delete sessions; the trash keeps them for a while.")
@source_options
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Delete running sessions too.")
@click.option("--json", "as_json", is_flag=True, help="Tell as JSON what went.")
@click.option("--filter", "query", metavar="QUERY", help=FILTER_HELP)
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
    from sessiontui.cli.change import remove_sessions
    from sessiontui.cli.runner import with_workspace

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


@cli.command("restore", short_help="Bring deleted sessions back.")
@source_options
@click.option("--list", "listing", is_flag=True, help="Only list what can be restored.")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@click.pass_context
def restore_command(context: click.Context, ids: tuple[str, ...], *, listing: bool) -> None:
    """Bring deleted sessions back exactly as they were.

    Without an ID: all that the last deletion took.

    \b
    Examples:
      sessiontui restore
      sessiontui restore --list
    """
    from sessiontui.cli.change import list_trash, restore_session
    from sessiontui.cli.runner import with_workspace

    if listing:
        with_workspace(
            source_options_of(context), lambda workspace: list_trash(workspace, as_json=False)
        )
    with_workspace(
        source_options_of(context), lambda workspace: restore_session(workspace, ids), changes=True
    )


@cli.command("trash", short_help="List what can be restored.")
@source_options
@click.option("--json", "as_json", is_flag=True, help="One array of objects.")
@click.pass_context
def trash_command(context: click.Context, *, as_json: bool) -> None:
    """List what can be restored: id, when, how long it is kept, size, path."""
    from sessiontui.cli.change import list_trash
    from sessiontui.cli.runner import with_workspace

    with_workspace(
        source_options_of(context), lambda workspace: list_trash(workspace, as_json=as_json)
    )


FORMATS: tuple[ExportFormat, ...] = ("md", "html", "json", "jsonl")


@cli.command("export", short_help="Write sessions as Markdown, HTML, JSON or JSONL.")
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
@click.option("--json", "as_json", is_flag=True, help="Tell as JSON what was written.")
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
    from sessiontui.cli.export import export_sessions
    from sessiontui.cli.runner import with_workspace
    from sessiontui.export import ExportOptions

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


@cli.command("resume", short_help="Go on with a session in its agent.")
@source_options
@click.option("--print", "show", is_flag=True, help="Only write the command, for a shell.")
@click.option("--here", is_flag=True, help="In the current folder instead of the session's.")
@click.option("--force", is_flag=True, help="Though an agent may have it open.")
@click.argument("session", shell_complete=complete_sessions)
@click.pass_context
def resume_command(
    context: click.Context, session: str, *, show: bool, here: bool, force: bool
) -> None:
    """Go on with a session in the agent that wrote it, in the folder it worked in.

    omp, pi, Claude Code and Codex are known; [resume] in the configuration file
    names other commands for them.

    \b
    Examples:
      sessiontui resume 0199a1b2
      sessiontui resume --print 0199a1b2
    """
    from sessiontui.cli.resume import resume_session

    resume_session(source_options_of(context), session, show=show, here=here, force=force)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what both commands take."""
    for option in reversed(
        (
            click.option(
                "--to",
                "target",
                metavar="SOURCE",
                required=True,
                shell_complete=complete_folders,
                help="Server or folder to bring them to; omp: omp's own folder.",
            ),
            click.option(
                "--to-password-file",
                type=click.Path(dir_okay=False, path_type=Path),
                help="File whose first line is the password of --to.",
            ),
            click.option(
                "--cwd", metavar="FOLDER", help="The project of the copies, instead of their own."
            ),
            click.option("--filter", "query", metavar="QUERY", help=FILTER_HELP),
            click.option("--overwrite", is_flag=True, help="Trash what is in the way."),
            click.option("--force", is_flag=True, help="Take running sessions too."),
            click.option("--dry-run", is_flag=True, help="Only tell what would go where."),
            click.option("--json", "as_json", is_flag=True, help="Tell as JSON what went where."),
            click.argument(
                "sessions",
                nargs=-1,
                metavar="[SESSION]…",
                shell_complete=complete_sessions,
            ),
        )
    ):
        command = option(command)
    return command


@cli.command("cp", short_help="Copy sessions to another server or folder.")
@source_options
@_options
@click.pass_context
def copy_command(context: click.Context, /, **options: Any) -> None:
    """Copy sessions with their drafts and subagents to another server or folder.

    Title and time stay what they are; the copy lies where omp looks for it, so
    that omp --resume finds a session of Redis once it is in omp's folder. What is
    there already, byte for byte, is left alone; anything else in the way keeps a
    session from being copied. A session whose agent may be at work needs --force.

    \b
    Examples:
      sessiontui cp --to omp 0199a1b2
      sessiontui cp --to redis://cache:6379 --cwd /srv/app 0199a1b2 0199c3d4
    """
    _run(context, move=False, yes=True, **options)


@cli.command("mv", short_help="Move sessions to another server or folder.")
@source_options
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@_options
@click.pass_context
def move_command(context: click.Context, /, *, yes: bool, **options: Any) -> None:
    """Move sessions with their drafts and subagents to another server or folder.

    As cp; each copy is read back, and then the original goes to its trash:
    sessiontui restore brings it back. It asks first; where nobody can be asked it
    wants --yes.

    \b
    Examples:
      sessiontui mv --to omp 0199a1b2
      sessiontui mv --to unix:///run/redis.sock --dry-run 0199a1b2
    """
    _run(context, move=True, yes=yes, **options)


def _run(
    context: click.Context,
    *,
    sessions: tuple[str, ...],
    target: str,
    to_password_file: Path | None,
    cwd: str | None,
    query: str | None,
    overwrite: bool,
    force: bool,
    dry_run: bool,
    as_json: bool,
    move: bool,
    yes: bool,
) -> None:
    from sessiontui.cli.runner import with_workspace
    from sessiontui.cli.sources import other_source
    from sessiontui.cli.transfer import transfer_sessions
    from sessiontui.workspace.transfer import TransferOptions

    need_sessions(context, sessions, query)
    source, password = other_source(target, to_password_file)
    project = None if cwd is None else str(typed_path(cwd).absolute())
    wish = TransferOptions(move=move, cwd=project, overwrite=overwrite, force=force)
    with_workspace(
        source_options_of(context),
        lambda workspace: transfer_sessions(
            workspace,
            sessions,
            source,
            wish,
            query=query,
            password=password,
            dry_run=dry_run,
            yes=yes,
            as_json=as_json,
        ),
        changes=move and not dry_run,
    )


@cli.command("doctor", short_help="Find what is broken, and repair it.")
@source_options
@click.option("--fix", is_flag=True, help="Repair what can be repaired, after asking.")
@click.option("--deep", is_flag=True, help="Read every line of every session too.")
@click.option("--undo", is_flag=True, help="Take back what was repaired last.")
@click.option("--force", is_flag=True, help="Repair sessions too whose agent is running.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One array of objects.")
@click.pass_context
def doctor_command(
    context: click.Context,
    *,
    fix: bool,
    deep: bool,
    undo: bool,
    force: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Find what is broken: pieces of sessions, titles and times that fit nothing, leftovers.

    Nothing is changed without --fix, and every repair can be taken back with
    --undo. Sessions that an agent may hold open are left alone without --force.

    Exit codes: 0 nothing is wrong (any more; notes do not count), 1 something is, 2 wrong usage.

    \b
    Examples:
      sessiontui doctor
      sessiontui doctor --deep --json
      sessiontui doctor --fix
      sessiontui doctor --undo
    """
    from sessiontui.cli.doctor import examine, undo_repairs
    from sessiontui.cli.runner import with_workspace

    if undo and (fix or deep):
        raise click.UsageError("--undo goes alone", context)
    if undo:
        with_workspace(
            source_options_of(context),
            lambda workspace: undo_repairs(workspace, force=force, as_json=as_json),
            changes=True,
        )
    with_workspace(
        source_options_of(context),
        lambda workspace: examine(
            workspace, fix=fix, deep=deep, yes=yes, force=force, as_json=as_json
        ),
        changes=fix,
    )


@cli.command("demo", short_help="Try the app without sessions of your own.")
@click.option("--folder", is_flag=True, help="Sessions in a folder instead of a Redis server.")
@click.option("--seed", type=int, default=1, show_default=True, metavar="N", help="Other ids.")
def demo_command(*, folder: bool, seed: int) -> None:
    """Try the app on a private server with sessions and a few live agents.

    Nothing of yours is touched; server, agents and sessions are gone when the
    app is closed.
    """
    from sessiontui.cli.launch import open_demo

    open_demo(folder=folder, seed=seed)


@cli.command("completion", short_help="Complete commands and sessions in the shell.")
@click.argument("shell", type=click.Choice(SHELLS))
def completion_command(shell: str) -> None:
    """Write what makes the shell complete commands and sessions.

    \b
    Examples:
      eval "$(sessiontui completion bash)"       in ~/.bashrc
      eval "$(sessiontui completion zsh)"        in ~/.zshrc
      sessiontui completion fish > ~/.config/fish/completions/sessiontui.fish
    """
    click.echo(completion_script(cli, shell))
