"""Tool calls and their results as display blocks: one telling line, and a body to expand.

Names differ between agents (`bash`, `Bash`, `exec_command`), so a tool is known by
a family; a tool of no family shows its arguments as JSON. An edit shows the diff that
the tool recorded, else one made from its arguments.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from sessiontui.formats.blocks import (
    FOLDED_DIFF,
    FOLDED_ERROR,
    FOLDED_OUTPUT,
    FOLDED_TEXT,
    MAX_LINES,
    MAX_TEXT,
    Block,
    CallPairing,
    Part,
    Result,
    Usage,
    compact_json,
    count_value,
    first_line,
    first_text,
    items,
    json_part,
    mapping,
    number_value,
    text,
    text_part,
    usage,
)
from sessiontui.formats.jsonl import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sessiontui.formats.jsonl import Entry

_EXIT = re.compile(r"(?:exited with code|exit code:?|exit status:?) (-?\d{1,9})\b", re.IGNORECASE)
_SIGNS = {
    "completed": "✓", "done": "✓", "success": "✓", "in_progress": "▸", "running": "▸",
    "pending": "·", "abandoned": "✗", "dropped": "✗", "cancelled": "✗", "failed": "✗",
    "aborted": "✗",
}  # fmt: skip
_MAX_SUBAGENTS = 100
_SPARE = re.compile(r"[^\w.+-]")


def command_outcome(result: Result) -> tuple[str, ...]:
    """Return how a command ended, where that was not just well."""
    details = result.details
    if details.get("interrupted") is True or details.get("cancelled") is True:
        return ("interrupted",)
    for key in ("exitCode", "exit_code", "code"):
        if key in details:
            code = number_value(details[key])
            return (f"exit {code}",) if code else ()
    if not result.error:
        return ()
    lines = (*result.part.lines[:1], *result.part.last[-2:], *result.part.lines[-2:])
    found = next(filter(None, map(_EXIT.search, lines)), None)
    return (f"exit {found[1]}",) if found is not None else ()


def match_count(result: Result) -> tuple[str, ...]:
    """Return how much a search found, as far as its tool says."""
    for key, word in (("matchCount", "match"), ("numMatches", "match"), ("numFiles", "file")):
        count = number_value(result.details.get(key))
        if count > 0:
            more = "" if count == 1 else "es" if word == "match" else "s"
            return (f"{count:,} {word}{more}",)
    return ()


def language_of(given: dict[str, Any]) -> str:
    """Return what a file's name says of its language: its end, or all of `Dockerfile`."""
    path = first_text(given, "path", "file_path", "filePath", "notebook_path", "filename")
    name = path.rpartition("/")[2].lower()
    stem, dot, end = name.rpartition(".")
    if not (dot and stem) and not name.endswith("file"):
        return ""
    return first_line(end.partition(":")[0] if dot and stem else name)[:20]


# -- to-dos


def todo_items(given: dict[str, Any], result: Result | None) -> list[tuple[str, str]]:
    """Return a list of to-dos as pairs of state and text: as the result has it, else the call."""
    details = result.details if result is not None else {}
    found: list[tuple[str, str]] = []
    for phase in items(details.get("phases")):
        name = first_line(first_text(mapping(phase), "name", "title"))
        found += [("phase", name)] if name else []
        found += _todos(mapping(phase).get("tasks"))
    for key in ("todos", "plan", "items"):
        found = found or list(_todos(details.get(key))) or list(_todos(given.get(key)))
    return found


def _todos(value: object) -> Iterator[tuple[str, str]]:
    for entry in items(value):
        data = mapping(entry)
        words = first_line(first_text(data, "content", "step", "text", "title", "task"))
        yield text(data.get("status")), words


def todo_summary(listed: list[tuple[str, str]]) -> str:
    """Return how many are done."""
    states = [state for state, _ in listed if state != "phase"]
    done = sum(state in {"completed", "done"} for state in states)
    return f"{done} of {len(states)} done" if states else ""


def todo_part(listed: list[tuple[str, str]]) -> Part:
    """Return the to-dos, each with a sign of its state."""
    lines = tuple(
        words if state == "phase" else f"{_SIGNS.get(state, '·')} {words}"
        for state, words in listed
    )
    return Part("plain", lines[:MAX_LINES], max(0, len(lines) - MAX_LINES))


# -- subagents


def task_summary(given: dict[str, Any]) -> str:
    """Return which agent was asked to do what."""
    agent = first_line(first_text(given, "agent", "subagent_type", "agent_type", "action"))
    tasks = [
        first_line(first_text(mapping(task), "description", "id", "name", "assignment"))
        for task in items(given.get("tasks"))
    ]
    about = ", ".join(filter(None, tasks)) or first_line(
        first_text(given, "description", "assignment", "prompt", "task", "message", "id")
    )
    return " · ".join(filter(None, (agent, about)))


def task_parts(
    given: dict[str, Any], result: Result | None
) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """Return what subagents were asked, and a line on how each of them did."""
    asked = [first_text(given, "prompt", "assignment", "task", "context", "message")]
    asked += [
        first_text(mapping(task), "assignment", "prompt") for task in items(given.get("tasks"))
    ]
    lines = tuple(_did(agent) for agent in _agents(result))[:MAX_LINES]
    return (
        tuple(text_part("markdown", prompt) for prompt in asked if prompt),
        (Part("note", lines),) if lines else (),
    )


def _did(agent: dict[str, Any]) -> str:
    """Return a line on a subagent: how it ended, its name, what it used and how long it took."""
    failed = (
        agent.get("error") or number_value(agent.get("exitCode")) or agent.get("aborted") is True
    )
    state = text(agent.get("status")) or ("failed" if failed else "done")
    used = usage(agent.get("usage")) or Usage(count_value(agent.get("tokens")))
    took = number_value(agent.get("durationMs"))
    words = [
        first_line(first_text(agent, "id", "agent", "label", "description")),
        first_line(agent.get("status")),
        f"{used.tokens:,} tokens" if used.tokens else "",
        f"${used.cost:.2f}" if used.cost else "",
        f"{took / 1000:,.0f} s" if took else "",
    ]
    return f"{_SIGNS.get(state, '·')} " + " · ".join(filter(None, words))


def _agents(result: Result | None) -> list[dict[str, Any]]:
    details = result.details if result is not None else {}
    for key in ("results", "subagents", "progress"):
        found = [mapping(agent) for agent in items(details.get(key))]
        if found:
            return found
    return []


def task_usage(result: Result | None) -> Usage | None:
    """Return what the subagents of a call used together."""
    details = result.details if result is not None else {}
    return usage(details.get("usage")) or usage({"totalTokens": details.get("totalTokens")})


def subagent_names(given: dict[str, Any], result: Result | None) -> tuple[str, ...]:
    """Return what the files of the sessions may be called that a call started.

    omp calls them by the task's id, Claude Code `agent-<id>`.
    """
    details = result.details if result is not None else {}
    names = [text(agent.get("id")) for agent in _agents(result)]
    names += [text(mapping(task).get("id")) for task in items(given.get("tasks"))]
    names += [first_text(given, "id")]
    other = first_text(details, "agentId", "agent_id")
    names += [f"agent-{other}"] if other else []
    known = dict.fromkeys(name for name in names if name and not _SPARE.search(name))
    return tuple(known)[:_MAX_SUBAGENTS]


# -- the web


def web_summary(given: dict[str, Any], result: Result | None) -> str:
    """Return what was looked at, and the page's title where it is known."""
    details = result.details if result is not None else {}
    action = given.get("action")
    words = [first_line(action)] if isinstance(action, str) else []
    words.append(
        first_line(
            first_text(given, "url", "query", "q")
            or first_text(details, "finalUrl", "url")
            or first_text(given, "prompt", "code")
        )
    )
    title = first_line(first_text(details, "title", "pageTitle"))
    return " ".join(filter(None, words)) + (f"  “{title}”" if title else "")


_MAX_COMPARED = 2000
"""How many lines of each side are compared; beyond, one side replaces the other."""
_CONTEXT = 2
_MAX_BRIEF = 2 * FOLDED_DIFF


class FileDiff(NamedTuple):
    """What an edit changed."""

    part: Part
    """Lines that begin with `+`, `-`, a space or `…`."""
    added: int
    removed: int
    brief: Part | None = None
    """What changed with a line around it, where the rest is long."""


def file_diff(arguments: dict[str, Any], result: Result | None) -> FileDiff | None:
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


def _counted(lines: Iterable[str]) -> FileDiff:
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
    return FileDiff(text_part("diff", "\n".join(kept)), added, removed, _brief(kept))


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
    for place in sorted(near & set(range(len(lines)))):
        if kept and place > last + 1:
            kept.append("…")
        kept.append(lines[place])
        last = place
        if len(kept) > _MAX_BRIEF:
            break
    if kept == lines[: len(kept)] or len(kept) > len(lines) - 2:
        return None
    part = text_part("diff", "\n".join(kept))
    return Part("diff", part.lines, len(lines) - len(part.lines))


_FAMILIES = {
    "shell": "bash shell run_shell_command exec_command local_shell local_shell_call python eval"
    " ssh write_stdin",
    "read": "read view cat notebookread view_image",
    "write": "write create notebookwrite",
    "edit": "edit multiedit apply_patch patch str_replace notebookedit ast_edit",
    "search": "grep search rg ast_grep find glob ls lsp",
    "task": "task agent subagent spawn_agent",
    "todo": "todo todowrite todo_write todowriter update_plan",
    "web": "browser webfetch web_fetch fetch web_search websearch web_search_call navigate",
}
_FAMILY = {name: family for family, names in _FAMILIES.items() for name in names.split()}


def call_block(
    item: Entry, name: str, arguments: object, call_id: str, pairing: CallPairing
) -> Block:
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
    change = file_diff(given, result) if family == "edit" else None
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
        subagents=subagent_names(given, result) if family == "task" else (),
        error=failed,
    )


def unpaired_result_block(result: Result) -> Block:
    """Return a result whose call is not at hand."""
    family = _FAMILY.get(result.tool.lower(), "")
    change = file_diff({}, result) if family == "edit" else None
    parts = (change.part,) if change else (result.part,)
    return Block(
        kind="tool",
        offset=result.offset,
        heading=result.tool or "result",
        detail="result",
        meta=_meta(family, {}, result),
        subagents=subagent_names({}, result) if family == "task" else (),
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


def _duration(item: Entry, call_id: str, result: Result | None, pairing: CallPairing) -> int | None:
    """Return how long the call ran: as the agent measured it, else from start to result."""
    if result is None:
        return None
    measured = number_value(result.details.get("wallTimeMs")) or number_value(
        result.details.get("durationMs")
    )
    if measured > 0:
        return measured
    began = pairing.started_ms(call_id) or item.timestamp_ms
    if began is None or result.time_ms is None or result.time_ms < began:
        return None
    return result.time_ms - began


def _meta(family: str, given: dict[str, Any], result: Result | None) -> tuple[str, ...]:
    if result is not None and family == "shell":
        return command_outcome(result)
    if result is not None and family == "search" and not result.error:
        return match_count(result)
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
        return todo_summary(todo_items(given, result)), False
    if family == "web":
        return web_summary(given, result), False
    rest = {key: value for key, value in given.items() if key not in {"_i", "i"}}
    if len(rest) == 1:
        only = next(iter(rest.values()))
        if isinstance(only, str):
            return first_line(only), False
    return compact_json(rest) if rest else "", False


def _shell_script(words: list[str]) -> str:
    """Return the script of `zsh -lc script`, else the words."""
    return words[2] if len(words) == 3 and words[1] in {"-lc", "-c"} else " ".join(words)


def _range(given: dict[str, Any]) -> str:
    first, limit = number_value(given.get("offset")), number_value(given.get("limit"))
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
    family: str, name: str, given: dict[str, Any], result: Result | None, change: FileDiff | None
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
    listed = todo_items(given, result) if family == "todo" else []
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
