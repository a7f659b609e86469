"""Display blocks of the records of Claude Code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessiontui.formats.blocks import (
    FOLDED_SUMMARY,
    FOLDED_TEXT,
    Block,
    Pairing,
    Result,
    compact,
    first_line,
    json_part,
    note,
    text_part,
)
from sessiontui.formats.content import (
    amount,
    content_part,
    first_text,
    items,
    joined,
    mapping,
    number,
    text,
)
from sessiontui.formats.omp import assistant_blocks, error_block
from sessiontui.formats.tools import orphan_block

if TYPE_CHECKING:
    from sessiontui.formats.entries import Entry

_FRAME = {
    "type", "uuid", "parentUuid", "sessionId", "session_id", "timestamp", "isSidechain", "userType",
    "cwd", "version", "gitBranch", "entrypoint", "slug", "isMeta",
}  # fmt: skip
"""Fields that every record has, and that say nothing about this one."""

_TITLES = {"custom-title": "customTitle", "ai-title": "aiTitle", "agent-name": "agentName"}


def blocks(item: Entry, pairing: Pairing) -> tuple[Block, ...] | None:
    """Return the blocks of a record of Claude Code; None for anything else."""
    data = item.data
    message = mapping(data.get("message"))
    if item.type == "assistant" and message:
        return _assistant(item, message, pairing)
    if item.type == "user" and message:
        return _user(item, message, pairing)
    if item.type == "system":
        return (_system(item),)
    if item.type == "summary" and "summary" in data:
        return (note(item, "summary", text(data.get("summary"))),)
    if item.type in _TITLES:
        return (note(item, "title", text(data.get(_TITLES[item.type]))),)
    if item.type == "attachment":
        attachment = mapping(data.get("attachment"))
        return (_event(item, first_text(attachment, "type") or "attachment", attachment),)
    if item.type == "progress":
        progress = mapping(data.get("data"))
        return (_event(item, first_text(progress, "type") or "progress", progress),)
    if "sessionId" in data or item.type == "file-history-snapshot":
        rest = {key: value for key, value in data.items() if key not in _FRAME}
        return (_event(item, item.type, rest),)
    return None


def results(item: Entry) -> tuple[Result, ...]:
    """Return the results of tool calls that a user record holds."""
    if item.type != "user":
        return ()
    found = []
    for piece in items(mapping(item.data.get("message")).get("content")):
        data = mapping(piece)
        if data.get("type") == "tool_result":
            found.append(
                Result(
                    call_id=text(data.get("tool_use_id")),
                    tool="",
                    part=content_part(data.get("content")),
                    offset=item.offset,
                    time_ms=item.timestamp_ms,
                    error=data.get("is_error") is True,
                    details=mapping(item.data.get("toolUseResult")),
                )
            )
    return tuple(found)


def _assistant(item: Entry, message: dict[str, Any], pairing: Pairing) -> tuple[Block, ...]:
    if item.data.get("isApiErrorMessage") is True:
        return (error_block(item, "error", joined(message.get("content"))),)
    reason = {"max_tokens": "length"}.get(text(message.get("stop_reason")), "")
    if item.data.get("isAbortedMidStream") is True:
        reason = "aborted"
    return assistant_blocks(item, {**message, "stopReason": reason}, pairing)


def _user(item: Entry, message: dict[str, Any], pairing: Pairing) -> tuple[Block, ...]:
    """Return what a person wrote, without the results that a call's own block shows."""
    found = [
        orphan_block(result)
        for result in results(item)
        if not pairing.is_shown(result.call_id, item.offset)
    ]
    content = message.get("content")
    if isinstance(content, list):
        content = [piece for piece in content if mapping(piece).get("type") != "tool_result"]
        if not content:
            return tuple(found)
    words = joined(content)
    heading, folded = "You", None
    if item.data.get("isCompactSummary") is True:
        heading, folded = "Summary", FOLDED_SUMMARY
    elif item.data.get("isMeta") is True or words.startswith(("<command-", "<local-command-")):
        heading, folded = "Command", FOLDED_TEXT
    block = Block(
        kind="user" if folded is None else "message",
        offset=item.offset,
        heading=heading,
        time_ms=item.timestamp_ms,
        parts=(text_part("markdown", words),),
        folded=folded,
    )
    return (block, *found)


def _system(item: Entry) -> Block:
    data = item.data
    kind = first_text(data, "subtype") or "system"
    if kind == "compact_boundary":
        before = amount(mapping(data.get("compactMetadata")).get("preTokens"))
        meta = (f"{before:,} tokens before",) if before else ()
        return Block(
            kind="summary",
            offset=item.offset,
            heading="Compaction",
            detail=first_line(data.get("content")),
            time_ms=item.timestamp_ms,
            meta=meta,
        )
    if kind in {"api_error", "error"} or "refusal" in kind:
        error = mapping(data.get("error"))
        why = first_text(error, "formatted", "message") or first_text(
            data, "apiRefusalExplanation", "content"
        )
        return error_block(item, kind.replace("_", " "), why or compact(error))
    if kind == "turn_duration":
        return note(item, "turn", duration_ms=number(data.get("durationMs")))
    content = first_text(data, "content")
    if content:
        return note(item, kind.replace("_", " "), content)
    return _event(item, kind, {key: value for key, value in data.items() if key not in _FRAME})


def _event(item: Entry, kind: str, rest: dict[str, Any]) -> Block:
    rest = {key: value for key, value in rest.items() if key != "type" and value not in ("", None)}
    return Block(
        kind="note",
        offset=item.offset,
        heading=first_line(kind).replace("_", " "),
        detail=compact(rest, 300) if rest else "",
        time_ms=item.timestamp_ms,
        parts=(json_part(rest),) if rest else (),
        brief=(),
        folded=0 if rest else None,
    )
