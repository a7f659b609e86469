"""The commands and their options; what they do is imported when one runs.

`--help` and `--version` load click alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sessiontui import __version__
from sessiontui.cli.completion import (
    SHELLS,
    complete_folders,
    complete_sessions,
    completion_script,
)
from sessiontui.cli.sources import Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from sessiontui.catalogue.order import Sort

SORTS: tuple[Sort, ...] = ("modified", "created", "title", "size")

AnyCallable = TypeVar("AnyCallable", bound="Callable[..., Any]")

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Command(click.Command):
    """A command that says how a source is named where one is put among the other words."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the words that belong to the command.

        Raises:
            click.UsageError: There are more.
        """
        ctx.allow_extra_args = True
        rest = super().parse_args(ctx, args)
        if not rest or ctx.resilient_parsing:
            return rest
        word = ctx.params.get("opened") or rest[0]
        takes_source = any(parameter.name == "source" for parameter in self.params)
        meant = f"; name the source with --source {_without_secrets(word)}" if takes_source else ""
        raise click.UsageError(f"{_without_secrets(rest[0])!r} is one word too many{meant}", ctx)


def _without_secrets(word: str) -> str:
    """Return a word as it may be repeated: of a URL its scheme alone."""
    scheme, mark, _ = word.partition("://")
    return f"{scheme}{mark}…" if mark else word


class Count(click.IntRange):
    """A number from 0 on; called so in messages."""

    name = "number"

    def __init__(self) -> None:
        super().__init__(min=0)


class Commands(click.Group):
    """The commands; a first word that is none of them is the source to open the app on."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's name
        """Return the names in the order of their definition."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take the first word as a command, else everything as the arguments of `open`."""
        if args and self.get_command(ctx, args[0]) is None:
            return "open", self.get_command(ctx, "open"), args
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer folders as soon as the word can only be one."""
        if incomplete.startswith((".", "/", "~")):
            return complete_folders(ctx, self.params[0], incomplete)
        return super().shell_complete(ctx, incomplete)


def _set_place(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value is not None:
            setattr(context.ensure_object(Place), name, value)

    return callback


def place_options(command: AnyCallable) -> AnyCallable:
    """Add the options that say where the sessions are; they work before a command and after it."""
    command = click.option(
        "--password-file",
        type=click.Path(dir_okay=False, path_type=Path),
        expose_value=False,
        callback=_set_place("password_file"),
        help="File whose first line is the password (else $SESSIONTUI_PASSWORD).",
    )(command)
    return click.option(
        "--source",
        metavar="SOURCE",
        expose_value=False,
        callback=_set_place("source"),
        shell_complete=complete_folders,
        help="Server or folder; what it may be: sessiontui --help.",
    )(command)


def _place(context: click.Context) -> Place:
    return context.ensure_object(Place)


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings=_SETTINGS,
    subcommand_metavar="[SOURCE | COMMAND …]",
)
@place_options
@click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Browse, follow, rename and delete the sessions of coding agents.

    Without a command the app opens.

    \b
    SOURCE is a server or a folder:
      redis://[user[:password]@]host[:port][/db][?prefix=omp:sessions:]
      rediss://…, unix:///path/to/redis.sock[?db=0&prefix=…]
      ~/.omp/agent/sessions, file:///home/me/sessions
    A folder that is named like a command: ./ls

    Without one: $SESSIONTUI_SOURCE, the configuration file, the folder of
    omp, the folder of pi.

    \b
    SESSION is a path, an id, a file name, or the beginning of one that no
    other session has.

    \b
    Examples:
      sessiontui redis://cache:6379
      sessiontui ls --sort size --limit 10
      sessiontui tail -f 0199a1b2
      sessiontui demo

    Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    if context.invoked_subcommand is None:
        context.invoke(open_app)


@cli.command("open", hidden=True)
@click.argument("opened", required=False)
@place_options
@click.pass_context
def open_app(context: click.Context, opened: str | None = None) -> None:
    """Open the app on a source."""
    from sessiontui.cli.opening import open_source

    place = _place(context)
    if opened is not None:
        place.source = opened
    open_source(place, commands=cli.list_commands(context))


@cli.command("ls")
@place_options
@click.option("--json", "as_json", is_flag=True, help="One array of objects.")
@click.option(
    "--sort", type=click.Choice(SORTS), default="modified", show_default=True, help="By what."
)
@click.option("--reverse", is_flag=True, help="Oldest, smallest or Z first.")
@click.option("--limit", type=Count(), metavar="N", help="How many at most.")
@click.pass_context
def list_command(
    context: click.Context, *, as_json: bool, sort: Sort, reverse: bool, limit: int | None
) -> None:
    """List the sessions, newest first.

    In a pipe: a line a session without a header, with tabs between activity, age,
    bytes, id, project and title.

    \b
    Examples:
      sessiontui ls
      sessiontui ls --json | jq -r '.[] | select(.activity == "waiting") | .title'
      sessiontui ls --sort size --limit 5 --source redis://cache:6379
    """
    from sessiontui.cli.listing import list_sessions
    from sessiontui.cli.running import with_workspace

    with_workspace(
        _place(context),
        lambda workspace: list_sessions(
            workspace, sort=sort, reverse=reverse, limit=limit, as_json=as_json
        ),
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
    from sessiontui.cli.reading import show_session
    from sessiontui.cli.running import with_workspace

    with_workspace(_place(context), lambda workspace: show_session(workspace, session, raw=raw))


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
    from sessiontui.cli.reading import tail_session
    from sessiontui.cli.running import with_workspace

    with_workspace(
        _place(context),
        lambda workspace: tail_session(workspace, session, raw=raw, count=count, follow=follow),
    )


@cli.command("rename")
@place_options
@click.option("--title", metavar="TITLE", help="The new title; empty takes it away.")
@click.option("--path", metavar="PATH", help="The new path; drafts and the like move along.")
@click.option("--force", is_flag=True, help="Move it though its agent is running.")
@click.argument("session", shell_complete=complete_sessions)
@click.pass_context
def rename_command(
    context: click.Context, session: str, *, title: str | None, path: str | None, force: bool
) -> None:
    """Give a session another title, another path, or both.

    \b
    Examples:
      sessiontui rename 0199a1b2 --title "Fix the retry test"
      sessiontui rename 0199a1b2 --path /sessions/-old/retry.jsonl
    """
    from sessiontui.cli.changing import rename_session
    from sessiontui.cli.running import with_workspace

    if title is None and path is None:
        raise click.UsageError("say what to change: --title, --path or both", context)
    with_workspace(
        _place(context),
        lambda workspace: rename_session(workspace, session, title=title, path=path, force=force),
    )


@cli.command("rm", short_help="Delete sessions; the trash keeps them for a while.")
@place_options
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Delete running sessions too.")
@click.option("--json", "as_json", is_flag=True, help="Tell as JSON what went.")
@click.argument(
    "sessions", nargs=-1, required=True, metavar="SESSION…", shell_complete=complete_sessions
)
@click.pass_context
def remove_command(
    context: click.Context,
    sessions: tuple[str, ...],
    *,
    dry_run: bool,
    yes: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Delete sessions with their drafts; the trash keeps them for a while.

    It asks first; where nobody can be asked it wants --yes. A session that grew
    within the last minute may have an agent at work and is refused without
    --force. Either all names are found or nothing is deleted.

    \b
    Examples:
      sessiontui rm 0199a1b2
      sessiontui rm --dry-run 0199a1b2 0199c3d4
      sessiontui restore
    """
    from sessiontui.cli.changing import remove_sessions
    from sessiontui.cli.running import with_workspace

    with_workspace(
        _place(context),
        lambda workspace: remove_sessions(
            workspace, sessions, dry_run=dry_run, yes=yes, force=force, as_json=as_json
        ),
    )


@cli.command("restore", short_help="Bring deleted sessions back.")
@place_options
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
    from sessiontui.cli.changing import list_trash, restore_session
    from sessiontui.cli.running import with_workspace

    if listing:
        with_workspace(_place(context), lambda workspace: list_trash(workspace, as_json=False))
    with_workspace(_place(context), lambda workspace: restore_session(workspace, ids))


@cli.command("trash", short_help="List what can be restored.")
@place_options
@click.option("--json", "as_json", is_flag=True, help="One array of objects.")
@click.pass_context
def trash_command(context: click.Context, *, as_json: bool) -> None:
    """List what can be restored: id, when, how long it is kept, size, path."""
    from sessiontui.cli.changing import list_trash
    from sessiontui.cli.running import with_workspace

    with_workspace(_place(context), lambda workspace: list_trash(workspace, as_json=as_json))


@cli.command("demo", short_help="Try the app without sessions of your own.")
@click.option("--folder", is_flag=True, help="Sessions in a folder instead of a Redis server.")
@click.option("--seed", type=int, default=1, show_default=True, metavar="N", help="Other ids.")
def demo_command(*, folder: bool, seed: int) -> None:
    """Try the app on a private server with sessions and a few live agents.

    Nothing of yours is touched; server, agents and sessions are gone when the
    app is closed.
    """
    from sessiontui.cli.opening import open_demo

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
