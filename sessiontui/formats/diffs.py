"""What an edit changed: the diff the tool recorded, else one made from its arguments."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, NamedTuple

from sessiontui.formats.blocks import FOLDED_DIFF, MAX_TEXT, Part, Result, text_part
from sessiontui.formats.content import first_text, items, mapping, text

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_COMPARED = 2000
"""How many lines of each side are compared; beyond, one side replaces the other."""
_CONTEXT = 2
_MAX_BRIEF = 2 * FOLDED_DIFF


class Change(NamedTuple):
    """What an edit changed."""

    part: Part
    """Lines that begin with `+`, `-`, a space or `…`."""
    added: int
    removed: int
    brief: Part | None = None
    """What changed with a line around it, where the rest is long."""


def change_of(arguments: dict[str, Any], result: Result | None) -> Change | None:
    """Return the change that a call made, or meant to make while it has no result.

    Args:
        arguments: Of the call: `oldText`/`newText` (pi), `old_string`/`new_string` (Claude
            Code), a list `edits` of such, or the text of a patch.
        result: Its `details.diff` (omp, pi) counts before anything else.
    """
    details = result.details if result is not None else {}
    recorded = first_text(details, "diff", "patch")
    if recorded:
        return _counted(recorded.split("\n"))
    patch = first_text(arguments, "input", "patch", "diff")
    if patch and ("\n+" in patch or "\n-" in patch):
        return _counted(line for line in patch.split("\n") if not line.startswith("*** "))
    edits = [mapping(edit) for edit in items(arguments.get("edits"))] or [arguments]
    lines: list[str] = []
    for edit in edits:
        old = first_text(edit, "oldText", "old_string", "old_str", "old_text")
        new = text(edit.get("newText", edit.get("new_string", edit.get("new_str", ""))))
        if old or new:
            lines += ["…"] if lines else []
            lines += _compared(old, new)
    return _counted(lines) if lines else None


def _compared(old: str, new: str) -> list[str]:
    before, after = old[:MAX_TEXT].split("\n"), new[:MAX_TEXT].split("\n")
    if not old:
        before = []
    if not new:
        after = []
    if max(len(before), len(after)) > _MAX_COMPARED:
        return [f"-{line}" for line in before] + [f"+{line}" for line in after]
    lines = list(difflib.unified_diff(before, after, n=_CONTEXT, lineterm=""))
    return ["…" if line.startswith("@@") else line for line in lines[3:]]


def _counted(lines: Iterable[str]) -> Change:
    """Return diff lines as a change; the two file names of a unified diff are left out."""
    kept: list[str] = []
    for line in lines:
        if line.startswith("@@"):
            if kept:
                kept.append("…")
        elif kept or not line.startswith(("--- ", "+++ ")):
            kept.append(line)
    added = sum(line.startswith("+") for line in kept)
    removed = sum(line.startswith("-") for line in kept)
    return Change(text_part("diff", "\n".join(kept)), added, removed, _brief(kept))


def _brief(lines: list[str]) -> Part | None:
    """Return the changed lines with one around them; None where that is hardly less."""
    if len(lines) <= FOLDED_DIFF:
        return None
    near = {
        place
        for number, line in enumerate(lines)
        if line.startswith(("+", "-"))
        for place in (number - 1, number, number + 1)
    }
    kept: list[str] = []
    last = -1
    for number in sorted(near & set(range(len(lines)))):
        if kept and number > last + 1:
            kept.append("…")
        kept.append(lines[number])
        last = number
        if len(kept) > _MAX_BRIEF:
            break
    if kept == lines[: len(kept)] or len(kept) > len(lines) - 2:
        return None
    part = text_part("diff", "\n".join(kept))
    return Part("diff", part.lines, len(lines) - len(part.lines))
