"""The group that holds the commands, and what several of them share.

`--help` and `--version` load click alone.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click
from click.shell_completion import CompletionItem

from sessiontui import __version__
from sessiontui.cli.completion import SHELLS, complete_folders, completion_script
from sessiontui.cli.sources import SourceOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


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
    """Return a word as it may be repeated: of a URL its scheme alone, nothing with an @."""
    scheme, mark, _ = word.partition("://")
    if mark:
        return f"{scheme}{mark}…"
    return "…" if "@" in word else word


class Count(click.IntRange):
    """A number from 0 on; called so in messages."""

    name = "number"

    def __init__(self) -> None:
        super().__init__(min=0)


class _Listed(NamedTuple):
    """A command as `--help` lists it."""

    help: str
    module: str | None
    """Where it is, under `sessiontui.cli`; None: here."""


COMMANDS: Final[Mapping[str, _Listed]] = {
    "ls": _Listed("List the sessions, newest first.", "ls"),
    "show": _Listed("Print a session.", "show"),
    "tail": _Listed("Print the last entries of a session.", "tail"),
    "search": _Listed("Search the text of all sessions.", "search"),
    "index": _Listed("Manage the search index.", "index"),
    "rename": _Listed("Rename a session: its title, its path or both.", "change"),
    "rm": _Listed("Delete sessions (move them to the trash).", "change"),
    "restore": _Listed("Restore deleted sessions.", "change"),
    "trash": _Listed("List the trash.", "change"),
    "export": _Listed("Export sessions as Markdown, HTML, JSON or JSONL.", "export"),
    "resume": _Listed("Resume a session in its agent.", "resume"),
    "cp": _Listed("Copy sessions to another server or folder.", "transfer"),
    "mv": _Listed("Move sessions to another server or folder.", "transfer"),
    "doctor": _Listed("Find problems and repair them.", "doctor"),
    "demo": _Listed("Try the app without sessions of your own.", None),
    "completion": _Listed("Print the shell completion script.", None),
}
"""The commands in the order of `--help`, which loads none of them."""


class CommandGroup(click.Group):
    """The commands; a first word that is none of them is the source to open the app on."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's name
        """Return the names in the order of `--help`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; its module is loaded now."""
        listed = COMMANDS.get(cmd_name)
        if listed is not None and listed.module is not None:
            import_module(f"sessiontui.cli.{listed.module}")
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, listed.help) for name, listed in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take the first word as a command, else everything as the arguments of `open`."""
        if args and self.get_command(ctx, args[0]) is None:
            return "open", self.get_command(ctx, "open"), args
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer folders as soon as the word can only be one, else commands and options."""
        if incomplete.startswith((".", "/", "~")):
            return complete_folders(ctx, self.params[0], incomplete)
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        return [
            *(CompletionItem(name, help=COMMANDS[name].help) for name in names),
            *click.Command.shell_complete(self, ctx, incomplete),
        ]


def _set_place(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value is not None:
            setattr(context.ensure_object(SourceOptions), name, value)

    return callback


def source_options(command: AnyCallable) -> AnyCallable:
    """Add the options that say where the sessions are; they work before a command and after it."""
    command = click.option(
        "--read-only",
        is_flag=True,
        default=None,
        expose_value=False,
        callback=_set_place("read_only"),
        help="Refuse all writes.",
    )(command)
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


def filter_option(help_text: str, *, default: str | None = None) -> Callable[..., Any]:
    """Return `--filter`, which is given once: a second one would silently replace the first."""

    def once(
        context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
    ) -> str | None:
        if len(values) > 1:
            problem = "it is given twice; put all conditions into one query"
            raise click.BadParameter(problem, context, parameter)
        return values[0] if values else default

    return click.option(
        "--filter", "query", metavar="QUERY", multiple=True, callback=once, help=help_text
    )


FILTER_HELP = "Sessions that match; words match literally (docs/find.md)."


def need_sessions(context: click.Context, sessions: Sequence[str], query: str | None) -> None:
    """Refuse a command about sessions that names none, or asks for them as nobody understands.

    That is before anything is opened or read.

    Raises:
        click.UsageError: It names none, or its filter is empty.
        QueryError: Its filter is not understood.
    """
    if query is None:
        if not sessions:
            raise click.UsageError("Missing argument 'SESSION…'.", context)
        return
    from sessiontui.catalog.query import Query

    if not Query(query):
        raise click.UsageError("an empty filter matches everything: name the sessions", context)


def source_options_of(context: click.Context) -> SourceOptions:
    """Return where the sessions are, as far as the command line says."""
    return context.ensure_object(SourceOptions)


@click.group(
    cls=CommandGroup,
    invoke_without_command=True,
    context_settings=_SETTINGS,
    subcommand_metavar="[SOURCE | COMMAND …]",
)
@source_options
@click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Find, read, follow, tidy and resume the sessions of coding agents.

    Without a command the app opens.

    \b
    SOURCE is a server or a folder:
      redis://[user[:password]@]host[:port][/db][?prefix=omp:sessions:]
      rediss://…, unix:///path/to/redis.sock[?db=0&prefix=…]
      redis+cluster://host1[:port],host2[?prefix={omp}:sessions:]
      redis+sentinel://host1[:port],host2/name[/db]
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
@source_options
@click.pass_context
def open_app(context: click.Context, opened: str | None = None) -> None:
    """Open the app on a source."""
    from sessiontui.cli.launch import open_source

    place = source_options_of(context)
    if opened is not None:
        place.source = opened
    open_source(place, commands=cli.list_commands(context))


def typed_path(text: str) -> Path:
    """Return a path as the user typed it, with the home that its ~ stands for.

    Raises:
        click.UsageError: No such home is known.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        problem = f"the ~ of {text!r} stands for no known home: write the whole path"
        raise click.UsageError(problem) from error


@cli.command("demo")
@click.option("--folder", is_flag=True, help="Sessions in a folder instead of a Redis server.")
@click.option("--seed", type=int, default=1, show_default=True, metavar="N", help="Other ids.")
def demo_command(*, folder: bool, seed: int) -> None:
    """Try the app on a private server with sessions and a few live agents.

    Nothing of yours is touched; server, agents and sessions are gone when the
    app is closed.
    """
    from sessiontui.cli.launch import open_demo

    open_demo(folder=folder, seed=seed)


@cli.command("completion")
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
