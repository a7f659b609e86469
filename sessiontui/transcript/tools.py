"""Tool calls and their results as display blocks: one telling line, and a body worth unfolding.

Names differ between agents (`bash`, `Bash`, `exec_command`), so a tool is known by
a family; a tool of no family shows its arguments as JSON.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sessiontui.transcript.content import first_text, items, mapping, number, text
from sessiontui.transcript.diffs import Change, change_of
from sessiontui.transcript.values import (
    FOLDED_DIFF,
    FOLDED_ERROR,
    FOLDED_OUTPUT,
    FOLDED_TEXT,
    Block,
    Pairing,
    Part,
    Result,
    compact,
    json_part,
    one_line,
    text_part,
)

if TYPE_CHECKING:
    from sessiontui.models.entries import Entry

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

_SIGNS = {"completed": "✓", "done": "✓", "in_progress": "▸", "abandoned": "✗", "dropped": "✗"}


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
    detail, cut = _summary(family, given)
    parts, brief, folded = _body(family, given, result, change)
    return Block(
        kind="tool",
        offset=item.offset,
        heading=one_line(name) or "tool",
        detail=detail,
        cut="middle" if cut else "end",
        meta=_meta(family, given, result),
        duration_ms=_duration(item, call_id, result, pairing),
        added=change.added if change else 0,
        removed=change.removed if change else 0,
        parts=parts,
        brief=brief,
        folded=FOLDED_ERROR if failed else folded,
        from_end=family == "shell",
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
        time_ms=result.time_ms,
        added=change.added if change else 0,
        removed=change.removed if change else 0,
        parts=parts,
        folded=FOLDED_ERROR if result.error else FOLDED_DIFF if change else FOLDED_OUTPUT,
        from_end=family == "shell",
        error=result.error,
    )


def _arguments(arguments: object) -> dict[str, Any]:
    if isinstance(arguments, str):
        if arguments.lstrip().startswith("{"):
            try:
                return mapping(json.loads(arguments))
            except (ValueError, RecursionError):
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
    if family == "write":
        return (f"{text(given.get('content')).count(chr(10)) + 1:,} lines",)
    if family == "read" and result is not None and not result.error:
        lines = len(result.part.lines) + result.part.more
        return (f"{lines:,} lines",) if lines > 1 else ()
    return ()


def _summary(family: str, given: dict[str, Any]) -> tuple[str, bool]:
    """Return what a call is about, and whether that is a path (to be cut in the middle)."""
    if family == "shell":
        command = given.get("command", given.get("cmd", given.get("code", given.get("input"))))
        if isinstance(command, list):
            command = _shell_script([str(word) for word in command])
        return one_line(text(command).strip()), False
    path = one_line(first_text(given, "path", "file_path", "filePath", "notebook_path", "filename"))
    if family in {"read", "write", "edit"} and path:
        return path + _range(given), True
    if family == "edit":
        return one_line(_patched_files(first_text(given, "input", "patch"))), True
    if family == "search":
        return _search_summary(given, path), False
    if family == "task":
        return _task_summary(given), False
    if family == "todo":
        return _todo_summary(_todos(given)), False
    if family == "web":
        action = one_line(given.get("action")) if isinstance(given.get("action"), str) else ""
        about = one_line(first_text(given, "url", "query", "prompt", "code"))
        return " ".join(filter(None, (action, about))), False
    rest = {key: value for key, value in given.items() if key not in {"_i", "i"}}
    if len(rest) == 1:
        only = next(iter(rest.values()))
        if isinstance(only, str):
            return one_line(only), False
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
    pattern = one_line(first_text(given, "pattern", "query", "glob", "action"))
    places = [one_line(place) for place in items(given.get("paths"))] or [path]
    where = ", ".join(filter(None, places))
    if pattern and where:
        return f"{pattern}  in {where}"
    return pattern or where


def _task_summary(given: dict[str, Any]) -> str:
    agent = one_line(first_text(given, "agent", "subagent_type", "action"))
    tasks = [
        one_line(first_text(mapping(task), "description", "id", "assignment"))
        for task in items(given.get("tasks"))
    ]
    about = ", ".join(filter(None, tasks)) or one_line(
        first_text(given, "description", "assignment", "prompt", "task", "message", "id")
    )
    return " · ".join(filter(None, (agent, about)))


def _todos(given: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the to-dos of a call as pairs of state and text."""
    found = []
    entries = items(given.get("todos")) or items(given.get("plan")) or items(given.get("items"))
    for entry in entries:
        data = mapping(entry)
        words = one_line(first_text(data, "content", "step", "text", "title"))
        found.append((text(data.get("status")), words))
    return found


def _todo_summary(todos: list[tuple[str, str]]) -> str:
    done = sum(state in {"completed", "done"} for state, _ in todos)
    return f"{done} of {len(todos)} done" if todos else ""


def _body(
    family: str, given: dict[str, Any], result: Result | None, change: Change | None
) -> tuple[tuple[Part, ...], tuple[Part, ...] | None, int]:
    """Return the parts, what of them shows while folded (None: their beginning), and how much."""
    output = (result.part,) if result is not None and result.part.lines != ("",) else ()
    failed = result is not None and result.error
    told = output if failed else ()
    if family == "shell":
        script = text(given.get("command", given.get("cmd", given.get("code"))))
        return (*_if_long(script), *output), output, FOLDED_OUTPUT
    if change is not None and not failed:
        return (change.part,), None, FOLDED_DIFF
    if family == "read":
        code = tuple(Part("code", part.lines, part.more, part.last) for part in output)
        return code, told, 0
    if family == "write":
        return (text_part("code", text(given.get("content"))), *told), told, 0
    todos = _todos(given) if family == "todo" else []
    if todos:
        lines = tuple(f"{_SIGNS.get(state, '·')} {words}" for state, words in todos)
        return (Part("plain", lines[:400], max(0, len(lines) - 400)), *told), None, FOLDED_ERROR
    if family == "task":
        return (*_task_parts(given), *output), output, FOLDED_TEXT
    if family:
        return (*_if_wide(given), *output), output, FOLDED_TEXT
    return (*((json_part(given),) if given else ()), *output), output, FOLDED_TEXT


def _if_long(script: str) -> tuple[Part, ...]:
    """Return a script that does not stand whole in the heading."""
    script = script.strip()
    return (text_part("code", script),) if "\n" in script or len(script) > 100 else ()


def _if_wide(given: dict[str, Any]) -> tuple[Part, ...]:
    """Return arguments that the heading does not tell."""
    return (json_part(given),) if len(given) > 2 else ()


def _task_parts(given: dict[str, Any]) -> tuple[Part, ...]:
    prompts = [first_text(given, "prompt", "assignment", "task", "context", "message")]
    prompts += [
        first_text(mapping(task), "assignment", "prompt") for task in items(given.get("tasks"))
    ]
    return tuple(text_part("markdown", prompt) for prompt in prompts if prompt)
