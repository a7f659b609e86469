"""Tool calls and their results as display blocks: one telling line, and a body worth unfolding.

Names differ between agents (`bash`, `Bash`, `exec_command`), so a tool is known by
a family; a tool of no family shows its arguments as JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessiontui.formats.blocks import (
    FOLDED_DIFF,
    FOLDED_ERROR,
    FOLDED_OUTPUT,
    FOLDED_TEXT,
    Block,
    Pairing,
    Part,
    Result,
    compact,
    first_line,
    json_part,
    text_part,
)
from sessiontui.formats.content import first_text, items, mapping, number, text
from sessiontui.formats.diffs import Change, change_of
from sessiontui.formats.nesting import read_json
from sessiontui.formats.tool_facts import (
    hits,
    language_of,
    outcome,
    subagents,
    task_parts,
    task_summary,
    task_usage,
    todo_part,
    todo_summary,
    todos,
    web_summary,
)

if TYPE_CHECKING:
    from sessiontui.formats.entries import Entry

_FAMILIES = {
    "shell": "bash shell exec_command local_shell local_shell_call python eval ssh write_stdin",
    "read": "read view cat notebookread view_image",
    "write": "write create notebookwrite",
    "edit": "edit multiedit apply_patch patch str_replace notebookedit ast_edit",
    "search": "grep search rg ast_grep find glob ls lsp",
    "task": "task agent subagent spawn_agent",
    "todo": "todo todowrite todo_write todowriter update_plan",
    "web": "browser webfetch web_fetch fetch web_search websearch web_search_call navigate",
}
_FAMILY = {name: family for family, names in _FAMILIES.items() for name in names.split()}


def call_block(item: Entry, name: str, arguments: object, call_id: str, pairing: Pairing) -> Block:
    """Return a tool call with its result, where that is at hand.

    Args:
        item: The entry that holds the call.
        name: The tool.
        arguments: As the agent wrote them: an object, or its JSON text.
        call_id: What the result refers to.
        pairing: Knows results and when calls began to run.
    """
    given = _arguments(arguments)
    family = _FAMILY.get(name.lower(), "")
    result = pairing.result(call_id)
    change = change_of(given, result) if family == "edit" else None
    failed = result is not None and result.error
    detail, cut = _summary(family, given, result)
    parts, brief, folded = _body(family, name, given, result, change)
    return Block(
        kind="tool",
        offset=item.offset,
        heading=first_line(name) or "tool",
        detail=detail,
        cut="middle" if cut else "end",
        meta=_meta(family, given, result),
        usage=task_usage(result) if family == "task" else None,
        duration_ms=_duration(item, call_id, result, pairing),
        added=change.added if change else 0,
        removed=change.removed if change else 0,
        parts=parts,
        brief=brief,
        folded=FOLDED_ERROR if failed else folded,
        from_end=family == "shell",
        subagents=subagents(given, result) if family == "task" else (),
        error=failed,
    )


def orphan_block(result: Result) -> Block:
    """Return a result whose call is not at hand."""
    family = _FAMILY.get(result.tool.lower(), "")
    change = change_of({}, result) if family == "edit" else None
    parts = (change.part,) if change else (result.part,)
    return Block(
        kind="tool",
        offset=result.offset,
        heading=result.tool or "result",
        detail="result",
        meta=_meta(family, {}, result),
        subagents=subagents({}, result) if family == "task" else (),
        time_ms=result.time_ms,
        added=change.added if change else 0,
        removed=change.removed if change else 0,
        parts=parts,
        brief=(change.brief,) if change and change.brief else None,
        folded=FOLDED_ERROR if result.error else FOLDED_DIFF if change else FOLDED_OUTPUT,
        from_end=family == "shell",
        error=result.error,
    )


def _arguments(arguments: object) -> dict[str, Any]:
    if isinstance(arguments, str):
        if arguments.lstrip().startswith("{"):
            try:
                return mapping(read_json(arguments))
            except ValueError:
                pass
        return {"input": arguments}
    return mapping(arguments)


def _duration(item: Entry, call_id: str, result: Result | None, pairing: Pairing) -> int | None:
    """Return how long the call ran: as the agent measured it, else from start to result."""
    if result is None:
        return None
    measured = number(result.details.get("wallTimeMs")) or number(result.details.get("durationMs"))
    if measured > 0:
        return measured
    began = pairing.started_ms(call_id) or item.timestamp_ms
    if began is None or result.time_ms is None or result.time_ms < began:
        return None
    return result.time_ms - began


def _meta(family: str, given: dict[str, Any], result: Result | None) -> tuple[str, ...]:
    if result is not None and family == "shell":
        return outcome(result)
    if result is not None and family == "search" and not result.error:
        return hits(result)
    if family == "write" and "content" in given:
        return _lines(text(given.get("content")).rstrip("\n").count("\n") + 1)
    if family == "read" and result is not None and not result.error:
        lines = len(result.part.lines) + result.part.more
        return _lines(lines) if lines > 1 else ()
    return ()


def _lines(number: int) -> tuple[str, ...]:
    return (f"{number:,} line" if number == 1 else f"{number:,} lines",)


def _summary(family: str, given: dict[str, Any], result: Result | None) -> tuple[str, bool]:
    """Return what a call is about, and whether that is a path (to be cut in the middle)."""
    if family == "shell":
        command = given.get("command", given.get("cmd", given.get("code", given.get("input"))))
        if isinstance(command, list):
            command = _shell_script([str(word) for word in command])
        return first_line(text(command).strip()), False
    path = first_line(
        first_text(given, "path", "file_path", "filePath", "notebook_path", "filename")
    )
    if family in {"read", "write", "edit"} and path:
        return path + _range(given), True
    if family == "edit":
        return first_line(_patched_files(first_text(given, "input", "patch"))), True
    if family == "search":
        return _search_summary(given, path), False
    if family == "task":
        return task_summary(given), False
    if family == "todo":
        return todo_summary(todos(given, result)), False
    if family == "web":
        return web_summary(given, result), False
    rest = {key: value for key, value in given.items() if key not in {"_i", "i"}}
    if len(rest) == 1:
        only = next(iter(rest.values()))
        if isinstance(only, str):
            return first_line(only), False
    return compact(rest) if rest else "", False


def _shell_script(words: list[str]) -> str:
    """Return the script of `zsh -lc script`, else the words."""
    return words[2] if len(words) == 3 and words[1] in {"-lc", "-c"} else " ".join(words)


def _range(given: dict[str, Any]) -> str:
    first, limit = number(given.get("offset")), number(given.get("limit"))
    if limit:
        return f":{max(first, 1)}-{max(first, 1) + limit - 1}"
    return f":{first}" if first else ""


def _patched_files(patch: str) -> str:
    marks = ("*** Update File: ", "*** Add File: ", "*** Delete File: ")
    files = [
        line.partition(": ")[2].strip() for line in patch.splitlines() if line.startswith(marks)
    ]
    return ", ".join(files)


def _search_summary(given: dict[str, Any], path: str) -> str:
    pattern = first_line(first_text(given, "pattern", "query", "glob", "action"))
    places = [first_line(place) for place in items(given.get("paths"))] or [path]
    where = ", ".join(filter(None, places))
    if pattern and where:
        return f"{pattern}  in {where}"
    return pattern or where


def _body(
    family: str, name: str, given: dict[str, Any], result: Result | None, change: Change | None
) -> tuple[tuple[Part, ...], tuple[Part, ...] | None, int]:
    """Return the parts, what of them shows while folded (None: their beginning), and how much."""
    output = (result.part,) if result is not None and result.part.lines != ("",) else ()
    failed = result is not None and result.error
    told = output if failed else ()
    if family == "shell":
        script = text(given.get("command", given.get("cmd", given.get("code"))))
        language = "py" if name in {"python", "eval"} else "sh"
        language = first_line(given.get("language")) or language
        return (*_if_long(script, language), *output), output, FOLDED_OUTPUT
    if change is not None and not failed:
        return (change.part,), (change.brief,) if change.brief else None, FOLDED_DIFF
    if family == "read":
        language = "" if failed else language_of(given)
        code = tuple(Part("code", part.lines, part.more, part.last, language) for part in output)
        return code, told, 0
    if family == "write":
        return (text_part("code", text(given.get("content")), language_of(given)), *told), told, 0
    listed = todos(given, result) if family == "todo" else []
    if listed:
        return (todo_part(listed), *told), None, FOLDED_ERROR
    if family == "task":
        asked, done = task_parts(given, result)
        return (*asked, *done, *output), (*done, *output), FOLDED_TEXT
    if family:
        return (*_if_wide(given), *output), output, FOLDED_TEXT
    return (*((json_part(given),) if given else ()), *output), output, FOLDED_TEXT


def _if_long(script: str, language: str) -> tuple[Part, ...]:
    """Return a script that does not stand whole in the heading."""
    script = script.strip()
    return (text_part("code", script, language),) if "\n" in script or len(script) > 100 else ()


def _if_wide(given: dict[str, Any]) -> tuple[Part, ...]:
    """Return arguments that the heading does not tell."""
    return (json_part(given),) if len(given) > 2 else ()
