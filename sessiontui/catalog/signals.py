"""The signals in an entry: what it tells of a session's state, whichever agent wrote it.

omp and pi write `message` entries, Claude Code `user` and `assistant` ones, Codex
`response_item` and `event_msg`. Entries are hostile: any field may be of any type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from sessiontui.catalog.row import OpenCall, RecordedStatus, TurnEnd
from sessiontui.catalog.titles import Title, first_line
from sessiontui.formats.title_slot import parse_title_source
from sessiontui.times import time_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessiontui.formats.jsonl import Entry
    from sessiontui.formats.title_slot import TitleSource

MAX_CALLS = 32
"""How many unanswered tool calls are kept."""


class Signal(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The signal of an entry: what it changes; fields that are not set change nothing."""

    ending: TurnEnd | None = None
    word: RecordedStatus | None = None
    """omp's status word; set by every message, also one that changes no ending."""
    calls: tuple[OpenCall, ...] = ()
    """All tool calls that wait for results from here on."""
    started: tuple[OpenCall, ...] = ()
    """Tool calls that wait for results beside those known before."""
    returned: tuple[str, ...] = ()
    """Ids of calls that have their results now."""
    exit_kind: str | None = None
    text: str | None = None
    """What the user wrote."""
    name: Title | None = None
    summary: str | None = None
    model: str | None = None


_WORDS: Final[dict[TurnEnd, RecordedStatus]] = {
    "user": "pending",
    "answer": "complete",
    "calls": "interrupted",
    "results": "interrupted",
    "error": "error",
    "aborted": "aborted",
    "cut": "interrupted",
}
_STOPPED: Final[dict[str, TurnEnd]] = {"error": "error", "aborted": "aborted", "length": "cut"}
_SYNTHETIC: Final = ("<command-", "<local-command-", "<environment_context>", "<user_instructions>")
"""How user messages begin that Claude Code and Codex write by themselves."""


def read_signal(entry: Entry) -> Signal | None:
    """Return the signal of an entry; None where it changes nothing."""
    reader = _READERS.get(entry.type)
    return None if reader is None else reader(entry, entry.data)


def blocks_of(content: object) -> Iterator[dict[str, Any]]:
    """Yield the blocks of a message's content that are objects."""
    if isinstance(content, list):
        for block in content:
            if isinstance(block, dict):
                yield block


def text_of(content: object) -> str:
    """Return the text of a message: the string, or its text blocks with blanks between."""
    if isinstance(content, str):
        return content
    kinds = ("text", "input_text", "output_text")
    texts = (block.get("text") for block in blocks_of(content) if block.get("type") in kinds)
    return " ".join(text for text in texts if isinstance(text, str))


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _strings(*values: object) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str))


def _calls(content: object, kind: str, since_ms: int | None) -> tuple[OpenCall, ...]:
    calls = [
        OpenCall(_string(block.get("id")) or "", _string(block.get("name")) or "tool", since_ms)
        for block in blocks_of(content)
        if block.get("type") == kind
    ]
    return tuple(calls[:MAX_CALLS])


def _spoken(ending: TurnEnd, **fields: Any) -> Signal:
    return Signal(ending=ending, word=_WORDS[ending], **fields)


# omp and pi


def _message(entry: Entry, data: dict[str, Any]) -> Signal | None:
    message = data.get("message")
    if not isinstance(message, dict):
        return Signal(word="unknown") if message else None
    content = message.get("content")
    match message.get("role"):
        case "user":
            return _spoken("user", text=text_of(content))
        case "toolResult":
            return _spoken("results", returned=_strings(message.get("toolCallId")))
        case "assistant":
            model = _string(message.get("model"))
            calls = _calls(content, "toolCall", entry.timestamp_ms)
            stopped = message.get("stopReason")
            ending = _STOPPED.get(stopped) if isinstance(stopped, str) else None
            if ending is not None:
                return _spoken(ending, model=model)
            return _spoken("calls" if calls else "answer", calls=calls, model=model)
        case _:
            return Signal(word="unknown")


def _custom(entry: Entry, data: dict[str, Any]) -> Signal | None:
    detail = data.get("data")
    detail = detail if isinstance(detail, dict) else {}
    match data.get("customType"):
        case "session_exit":
            return Signal(exit_kind=_string(detail.get("kind")) or "normal")
        case "tool_execution_start":
            since = time_ms(detail.get("startedAt")) or entry.timestamp_ms
            name = _string(detail.get("toolName")) or "tool"
            return Signal(started=(OpenCall(_string(detail.get("toolCallId")) or "", name, since),))
        case _:
            return None


def _title_change(_entry: Entry, data: dict[str, Any]) -> Signal | None:
    title = data.get("title")
    if not isinstance(title, str):
        return None
    return Signal(name=Title(first_line(title), parse_title_source(data.get("source"))))


def _session_info(_entry: Entry, data: dict[str, Any]) -> Signal | None:
    name = data.get("name")
    return Signal(name=Title(first_line(name))) if isinstance(name, str) else None


def _compaction(_entry: Entry, data: dict[str, Any]) -> Signal | None:
    summary = _string(data.get("shortSummary"))
    return Signal(summary=first_line(summary)) if summary else None


def _model_change(_entry: Entry, data: dict[str, Any]) -> Signal | None:
    model = _string(data.get("model")) or _string(data.get("modelId"))
    return Signal(model=model) if model else None


# Claude Code


def _claude_user(_entry: Entry, data: dict[str, Any]) -> Signal | None:
    message = data.get("message")
    if not isinstance(message, dict):
        return None
    content = message.get("content")
    results = [block for block in blocks_of(content) if block.get("type") == "tool_result"]
    if results:
        return _spoken("results", returned=_strings(*(one.get("tool_use_id") for one in results)))
    text = text_of(content)
    if text.startswith("[Request interrupted by user"):
        return _spoken("aborted")
    if data.get("isMeta") is True or text.lstrip().startswith(_SYNTHETIC):
        return None
    return _spoken("user", text=None if data.get("isCompactSummary") is True else text)


def _claude_assistant(entry: Entry, data: dict[str, Any]) -> Signal | None:
    message = data.get("message")
    if not isinstance(message, dict):
        return None
    if data.get("isApiErrorMessage") is True:
        return _spoken("error")
    model = _string(message.get("model"))
    model = None if model == "<synthetic>" else model
    content = message.get("content")
    calls = _calls(content, "tool_use", entry.timestamp_ms)
    if calls:
        # Calls made at once stand on lines of their own.
        return _spoken("calls", started=calls, model=model)
    kinds = [block.get("type") for block in blocks_of(content)]
    if kinds and all(kind in ("thinking", "redacted_thinking") for kind in kinds):
        return Signal(model=model)  # the rest of the message follows on lines of its own
    return _spoken("cut" if message.get("stop_reason") == "max_tokens" else "answer", model=model)


def _claude_title(
    key: str, source: TitleSource
) -> Callable[[Entry, dict[str, Any]], Signal | None]:
    def read(_entry: Entry, data: dict[str, Any]) -> Signal | None:
        title = _string(data.get(key))
        return Signal(name=Title(first_line(title), source)) if title else None

    return read


def _claude_summary(_entry: Entry, data: dict[str, Any]) -> Signal | None:
    summary = _string(data.get("summary"))
    return Signal(summary=first_line(summary)) if summary and "leafUuid" in data else None


# Codex


def _codex_item(entry: Entry, data: dict[str, Any]) -> Signal | None:
    payload = data.get("payload")
    if not isinstance(payload, dict):
        return None
    kind = _string(payload.get("type")) or ""
    if kind == "message":
        return _codex_message(payload)
    call = _string(payload.get("call_id"))
    if kind.endswith("_output"):
        return _spoken("results", returned=_strings(call))
    if kind.endswith("_call") and call:
        name = _string(payload.get("name")) or kind.removesuffix("_call")
        return _spoken("calls", started=(OpenCall(call, name, entry.timestamp_ms),))
    return None


def _codex_message(payload: dict[str, Any]) -> Signal | None:
    text = text_of(payload.get("content"))
    if payload.get("role") == "user":
        if text.lstrip().startswith((*_SYNTHETIC, "# AGENTS.md")):
            return None
        return _spoken("user", text=text)
    if payload.get("role") == "assistant" and payload.get("phase") != "commentary":
        return _spoken("answer")
    return None


def _codex_event(_entry: Entry, data: dict[str, Any]) -> Signal | None:
    payload = data.get("payload")
    if not isinstance(payload, dict):
        return None
    match payload.get("type"):
        case "user_message":
            return _spoken("user", text=_string(payload.get("message")))
        case "task_started":
            return _spoken("user")
        case "task_complete":
            return _spoken("error" if isinstance(payload.get("error"), dict) else "answer")
        case "turn_aborted":
            return _spoken("aborted")
        case "error":
            return _spoken("error")
        case "thread_name_updated":
            title = _string(payload.get("thread_name"))
            return Signal(name=Title(first_line(title))) if title else None
        case _:
            return None


def _codex_context(_entry: Entry, data: dict[str, Any]) -> Signal | None:
    payload = data.get("payload")
    model = _string(payload.get("model")) if isinstance(payload, dict) else None
    return Signal(model=model) if model else None


_READERS: Final[dict[str, Callable[[Entry, dict[str, Any]], Signal | None]]] = {
    "message": _message,
    "custom": _custom,
    "title_change": _title_change,
    "session_info": _session_info,
    "compaction": _compaction,
    "model_change": _model_change,
    "user": _claude_user,
    "assistant": _claude_assistant,
    "custom-title": _claude_title("customTitle", "user"),
    "ai-title": _claude_title("aiTitle", "auto"),
    "summary": _claude_summary,
    "response_item": _codex_item,
    "event_msg": _codex_event,
    "turn_context": _codex_context,
}
