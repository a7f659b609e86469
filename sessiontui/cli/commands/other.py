"""Commands that need no source: the demo, the completion."""

from __future__ import annotations

import click

from sessiontui.cli.completion import SHELLS, completion_script
from sessiontui.cli.root import cli


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
