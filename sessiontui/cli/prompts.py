"""Prompts at a terminal before a change; refuses sessions that may be in use."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from sessiontui.cli.resolve import quoted
from sessiontui.cli.runner import CommandError, is_terminal, print_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiontui.cli.output import Output
    from sessiontui.workspace import DeletePlan


def leave_out_running(plan: DeletePlan, loss: str, *, leave_out: bool) -> DeletePlan:
    """Return the plan without sessions that may be in use; refuse them unless left out.

    Args:
        plan: The sessions.
        loss: What the agent would do otherwise.
        leave_out: Whether to say on stderr which are left out; else any of them is refused.

    Raises:
        CommandError: There are such, or there are no others.
    """
    if not plan.held:
        return plan
    held = plan.held[0]
    name = quoted(held.title or held.path)
    if not leave_out:
        more = f" (and {len(plan.held) - 1} more)" if len(plan.held) > 1 else ""
        raise CommandError(
            f"{name} is held open{more}: {held.reason}; its agent {loss}; wait, or use --force"
        )
    rest = plan.without_held()
    if not rest.paths:
        raise CommandError(
            f"an agent may hold each of them open ({name}: {held.reason}); wait, or use --force"
        )
    for held in plan.held:
        print_error(f"left out: {quoted(held.title or held.path)} is held open: {held.reason}")
    return rest


async def confirm_plan(output: Output, question: str, tell: Callable[[], None]) -> bool:
    """Ask the user, after telling what would happen.

    Raises:
        click.UsageError: There is nobody to ask.
    """
    if not is_terminal(sys.stdin):
        raise click.UsageError("not a terminal: pass --yes, or preview with --dry-run")
    tell()
    output.flush()
    return await confirm(question)


async def confirm(question: str) -> bool:
    """Ask on stderr; anything but yes, also the end of the input, is no."""
    click.echo(f"{question} [y/N] ", err=True, nl=False)
    return (await _typed_line()).strip().lower() in ("y", "yes")


async def _typed_line() -> str:
    """Return the next line that is typed, without keeping Ctrl-C from ending the wait."""
    loop = asyncio.get_running_loop()
    typed = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), typed.set)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
    return sys.stdin.readline()
