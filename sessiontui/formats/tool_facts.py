"""What arguments and results of common tools tell: outcomes, to-dos, subagents, pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sessiontui.formats.blocks import MAX_LINES, Part, Usage, first_line, text_part
from sessiontui.formats.content import amount, first_text, items, mapping, number, text, usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiontui.formats.blocks import Result

_EXIT = re.compile(r"(?:exited with code|exit code:?|exit status:?) (-?\d{1,9})\b", re.IGNORECASE)
_SIGNS = {
    "completed": "✓", "done": "✓", "success": "✓", "in_progress": "▸", "running": "▸",
    "pending": "·", "abandoned": "✗", "dropped": "✗", "cancelled": "✗", "failed": "✗",
    "aborted": "✗",
}  # fmt: skip
_MAX_SUBAGENTS = 100
_SPARE = re.compile(r"[^\w.+-]")


def outcome(result: Result) -> tuple[str, ...]:
    """Return how a command ended, where that was not just well."""
    details = result.details
    if details.get("interrupted") is True or details.get("cancelled") is True:
        return ("interrupted",)
    for key in ("exitCode", "exit_code", "code"):
        if key in details:
            code = number(details[key])
            return (f"exit {code}",) if code else ()
    if not result.error:
        return ()
    lines = (*result.part.lines[:1], *result.part.last[-2:], *result.part.lines[-2:])
    found = next(filter(None, map(_EXIT.search, lines)), None)
    return (f"exit {found[1]}",) if found is not None else ()


def hits(result: Result) -> tuple[str, ...]:
    """Return how much a search found, as far as its tool says."""
    for key, word in (("matchCount", "match"), ("numMatches", "match"), ("numFiles", "file")):
        count = number(result.details.get(key))
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


def todos(given: dict[str, Any], result: Result | None) -> list[tuple[str, str]]:
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
    failed = agent.get("error") or number(agent.get("exitCode")) or agent.get("aborted") is True
    state = text(agent.get("status")) or ("failed" if failed else "done")
    used = usage(agent.get("usage")) or Usage(amount(agent.get("tokens")))
    took = number(agent.get("durationMs"))
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


def subagents(given: dict[str, Any], result: Result | None) -> tuple[str, ...]:
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
