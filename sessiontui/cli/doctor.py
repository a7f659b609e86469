"""`sessiontui doctor`: scan, repair, undo."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click
import msgspec

from sessiontui.app.format import plural
from sessiontui.cli.output import Output, StatusLine
from sessiontui.cli.prompts import confirm
from sessiontui.cli.root import (
    cli,
    source_options,
    source_options_of,
)
from sessiontui.cli.runner import CommandError, is_terminal, print_error, with_workspace
from sessiontui.cli.sources import command_line
from sessiontui.doctor import KINDS, Finding, fix_words, waits_for_agents
from sessiontui.errors import StorageError
from sessiontui.text import clean
from sessiontui.workspace.events import error_reason, told_once
from sessiontui.workspace.repair import Repairs
from sessiontui.workspace.scan import StoreScan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiontui.workspace import Workspace

_SHOWN_OTHERS = 5
"""How many more paths of one finding are listed."""


@cli.command("doctor")
@source_options
@click.option("--fix", is_flag=True, help="Repair what can be repaired, after confirmation.")
@click.option("--deep", is_flag=True, help="Also read every line of every session.")
@click.option("--undo", is_flag=True, help="Undo the last repair.")
@click.option("--force", is_flag=True, help="Repair sessions of running agents too.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
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
    """Find problems: lost pieces of sessions, wrong titles and times, orphaned files.

    Nothing is changed without --fix, and every repair can be undone with
    --undo. Sessions that an agent may hold open are left alone without --force.

    Exit codes: 0 no problems found (any more; notes do not count), 1 something is, 2 wrong usage.

    \b
    Examples:
      sessiontui doctor
      sessiontui doctor --deep --json
      sessiontui doctor --fix
      sessiontui doctor --undo
    """
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


async def examine(
    workspace: Workspace, *, fix: bool, deep: bool, yes: bool, force: bool, as_json: bool
) -> int:
    """Tell what is wrong, and repair it where that was asked for; return the exit code.

    Args:
        workspace: What to look over.
        fix: Repair too.
        deep: Look for broken lines in every byte.
        yes: Do not ask for confirmation.
        force: Repair sessions too that an agent may hold open.
        as_json: Print as JSON.

    Raises:
        click.UsageError: Nobody can be asked and `yes` is false.
        StorageError: The source could not be asked.
    """
    findings = await _found(workspace, deep=deep)
    fixable = [finding for finding in findings if finding.fix is not None]
    if fix and fixable and not yes and (as_json or not is_terminal(sys.stdin)):
        raise click.UsageError("not a terminal: pass --yes, or run without --fix first")
    output = Output()
    if not as_json:
        _tell(output, workspace, findings)
    outcomes: dict[tuple[str, str], str] = {}
    if fix and fixable:
        if not yes:
            output.flush()
            if not await confirm(f"Repair {plural(len(fixable), 'finding')}?"):
                raise CommandError("nothing was repaired")
        outcomes = await _repair(workspace, fixable, force=force)
    if as_json:
        output.json_array(
            _facts(workspace, finding, outcomes.get(finding.key)) for finding in findings
        )
    elif fix:
        _tell_outcomes(output, fixable, outcomes)
    left = [finding for finding in findings if outcomes.get(finding.key) != ""]
    return 1 if any(not finding.note or outcomes.get(finding.key) for finding in left) else 0


async def undo_repairs(workspace: Workspace, *, force: bool, as_json: bool) -> int:
    """Take back the repairs of the last run that made some; return the exit code.

    Raises:
        CommandError: There is none.
    """
    repairs = Repairs(workspace)
    made = repairs.last_run()
    if not made:
        raise CommandError("no repair to undo")
    output = Output()
    told: list[dict[str, Any]] = []
    for repair in made:
        error = ""
        try:
            await repairs.take_back(repair, insist=force)
        except StorageError as failure:
            error = error_reason(failure) if as_json else told_once(repair.path, failure)
        told.append(
            {"kind": repair.kind, "path": repair.path, "undone": not error, "error": error or None}
        )
        if not as_json and error:
            print_error(f"not undone: {error}")
        elif not as_json:
            output.line(f"undone: {KINDS[repair.kind].name.lower()}: {clean(repair.path)}")
    if as_json:
        output.json_array(told)
    return 0 if all(item["undone"] for item in told) else 1


async def _found(workspace: Workspace, *, deep: bool) -> list[Finding]:
    """Return what is wrong, the gravest kind first."""
    line = StatusLine()
    findings: list[Finding] = []
    try:
        async for progress in StoreScan(workspace).examine(deep=deep):
            findings += progress.found
            share = f" {progress.done / progress.total:.0%}" if progress.total else ""
            line.show(f"{progress.what}{share}")
    finally:
        line.show("")
    order = list(KINDS)
    return sorted(findings, key=lambda finding: (order.index(finding.kind), finding.path))


async def _repair(
    workspace: Workspace, findings: Sequence[Finding], *, force: bool
) -> dict[tuple[str, str], str]:
    """Return for each finding why it could not be repaired, empty where it was."""
    repairs = Repairs(workspace)
    outcomes: dict[tuple[str, str], str] = {}
    for finding in findings:
        try:
            await repairs.fix(finding, insist=force)
        except StorageError as error:
            outcomes[finding.key] = told_once(finding.path, error)
        else:
            outcomes[finding.key] = ""
    return outcomes


def _tell(output: Output, workspace: Workspace, findings: Sequence[Finding]) -> None:
    for kind, some in groupby(findings, key=lambda finding: finding.kind):
        group = list(some)
        about = KINDS[kind]
        output.line(output.style(f"{about.name} ({len(group)})", bold=True))
        output.line(f"  {about.meaning}")
        output.line(f"  {about.remedy}")
        for finding in group:
            output.line()
            output.line(f"  {clean(finding.path)}")
            for line in finding.evidence:
                output.line(f"    {clean(line)}")
            for path in finding.others[:_SHOWN_OTHERS]:
                output.line(f"    also {clean(path)}")
            if len(finding.others) > _SHOWN_OTHERS:
                output.line(f"    and {len(finding.others) - _SHOWN_OTHERS} more")
            if finding.fix is not None:
                output.line(f"    repair: {clean(fix_words(finding.fix))}")
            reason = _held(workspace, finding)
            if reason is not None:
                output.line(
                    output.style(
                        f"    held open: {clean(reason)}; wait, or use --force", tone="attention"
                    )
                )
        output.line()
    if not findings:
        output.line("No problems found.")
        return
    can = sum(finding.fix is not None for finding in findings)
    notes = sum(finding.note for finding in findings)
    wrong = plural(len(findings) - notes, "finding") if len(findings) > notes else ""
    told = ", ".join(part for part in (wrong, plural(notes, "note") if notes else "") if part)
    output.line(f"{told}, {can} can be repaired.")
    if not wrong:
        output.line("No problems found.")


def _tell_outcomes(
    output: Output, findings: Sequence[Finding], outcomes: dict[tuple[str, str], str]
) -> None:
    for finding in findings:
        reason = outcomes[finding.key]
        if reason:
            print_error(f"not repaired: {reason}")
        else:
            output.line(f"repaired: {clean(finding.path)}")
    if any(reason == "" for reason in outcomes.values()):
        output.line(f"Undo with: {command_line('doctor', '--undo')}")


def _held(workspace: Workspace, finding: Finding) -> str | None:
    """Return why a repair has to wait for an agent, or None."""
    return workspace.held(finding.path) if waits_for_agents(finding.fix) else None


def _facts(workspace: Workspace, finding: Finding, outcome: str | None) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "severity": "note" if finding.note else "finding",
        "path": finding.path,
        "others": list(finding.others),
        "evidence": list(finding.evidence),
        "places": [msgspec.to_builtins(place) for place in finding.places],
        "repair": None if finding.fix is None else fix_words(finding.fix),
        "held": _held(workspace, finding),
        "repaired": outcome == "",
        "error": outcome or None,
    }
