"""Display blocks of messages as omp and pi store them, of every version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sessiontui.formats.blocks import (
    FOLDED_ERROR,
    FOLDED_OUTPUT,
    FOLDED_SUMMARY,
    FOLDED_TEXT,
    Block,
    Pairing,
    Part,
    Result,
    compact,
    first_line,
    note,
    text_part,
)
from sessiontui.formats.content import (
    content_part,
    first_text,
    image,
    items,
    joined,
    mapping,
    model_name,
    number,
    text,
    usage,
)
from sessiontui.formats.tools import call_block, orphan_block

if TYPE_CHECKING:
    from sessiontui.formats.entries import Entry


def blocks(item: Entry, pairing: Pairing) -> tuple[Block, ...] | None:
    """Return the blocks of a `message` entry; None for any other."""
    if item.type != "message":
        return None
    message = mapping(item.data.get("message"))
    role = text(message.get("role"))
    if role == "assistant":
        return assistant_blocks(item, message, pairing)
    if role == "toolResult":
        return tuple(
            orphan_block(result)
            for result in results(item)
            if not pairing.is_shown(result.call_id, item.offset)
        )
    if role == "user":
        return (user_block(item, message),)
    if role in {"bashExecution", "pythonExecution"}:
        return (_execution_block(item, message),)
    return (_other_block(item, message),)


def results(item: Entry) -> tuple[Result, ...]:
    """Return the result that a `toolResult` message holds."""
    if item.type != "message":
        return ()
    message = mapping(item.data.get("message"))
    if message.get("role") != "toolResult":
        return ()
    return (
        Result(
            call_id=text(message.get("toolCallId")),
            tool=first_line(message.get("toolName")),
            part=content_part(message.get("content")),
            offset=item.offset,
            time_ms=item.timestamp_ms,
            error=message.get("isError") is True,
            details=mapping(message.get("details")),
        ),
    )


def user_block(item: Entry, message: dict[str, Any]) -> Block:
    """Return what a person wrote."""
    by_agent = message.get("attribution") == "agent" or message.get("synthetic") is True
    return Block(
        kind="message" if by_agent else "user",
        offset=item.offset,
        heading="Agent, as user" if by_agent else "You",
        time_ms=item.timestamp_ms,
        parts=(text_part("markdown", joined(message.get("content"))),),
        folded=FOLDED_SUMMARY if by_agent else None,
    )


def assistant_blocks(item: Entry, message: dict[str, Any], pairing: Pairing) -> tuple[Block, ...]:
    """Return heading, texts, thinking and tool calls of an agent's message, and how it ended."""
    content = message.get("content")
    pieces = [{"type": "text", "text": content}] if isinstance(content, str) else items(content)
    body: list[Block] = []
    for piece in pieces:
        body += _piece_blocks(item, mapping(piece), pairing)
    if not body and any("hinking" in text(mapping(piece).get("type")) for piece in pieces):
        body = _thinking(item, {})
    body += _ending(item, message)
    silent = all(block.kind in {"thinking", "tool"} for block in body)
    if body and all(block.kind == "tool" for block in body):
        return tuple(body)
    heading = Block(
        kind="assistant",
        offset=item.offset,
        heading=model_name(message.get("model")) or "Agent",
        detail="" if body else "nothing",
        time_ms=item.timestamp_ms,
        usage=usage(message.get("usage")),
        silent=silent and bool(body),
    )
    return (heading, *body)


def _piece_blocks(item: Entry, piece: dict[str, Any], pairing: Pairing) -> list[Block]:
    kind = text(piece.get("type"))
    if kind == "text":
        return _prose(item, text(piece.get("text")))
    if kind in {"thinking", "redactedThinking", "redacted_thinking"}:
        return _thinking(item, piece)
    if kind in {"toolCall", "tool_use", "server_tool_use"}:
        arguments = piece.get("arguments", piece.get("input"))
        call_id = text(piece.get("id"))
        return [call_block(item, text(piece.get("name")), arguments, call_id, pairing)]
    if kind == "image":
        return [_text_block(item, Part("note", (image(piece),)))]
    if kind == "fallback":
        models = (
            piece.get("from") or piece.get("fromModel"),
            piece.get("to") or piece.get("model"),
        )
        names = filter(None, map(_model_of, models))
        return [note(item, "fallback", " → ".join(names), time_ms=None)]
    if not piece:
        return []
    return [_text_block(item, Part("json", (compact(piece),)))]


def _model_of(value: object) -> str:
    return model_name(mapping(value).get("model", value) if value else "")


def _prose(item: Entry, words: str) -> list[Block]:
    return [_text_block(item, text_part("markdown", words.lstrip("\n")))] if words.strip() else []


def _text_block(item: Entry, part: Part) -> Block:
    return Block(kind="text", offset=item.offset, parts=(part,))


def _thinking(item: Entry, piece: dict[str, Any]) -> list[Block]:
    words = text(piece.get("thinking"))
    if not words.strip():
        if piece.get("type") == "thinking":
            return []  # with a signature alone; others tell more
        words = "thinking that its provider keeps sealed"
    return [
        Block(
            kind="thinking",
            offset=item.offset,
            parts=(text_part("thinking", words.strip("\n")),),
            folded=FOLDED_TEXT,
        )
    ]


def _ending(item: Entry, message: dict[str, Any]) -> list[Block]:
    """Return why a message ended, where it did not just end."""
    reason = message.get("stopReason")
    why = first_text(message, "errorMessage")
    if reason == "error":
        block = error_block(item, "error", why or "the agent did not say why")
        return [msgspec.structs.replace(block, time_ms=None)]
    if reason == "aborted":
        plain = why.lower().rstrip(".") in {"", "request was aborted", "aborted"}
        return [note(item, "aborted", "" if plain else why, error=True, time_ms=None)]
    if reason == "length":
        limit = "the model reached its length limit"
        return [note(item, "cut off", limit, error=True, time_ms=None)]
    return []


def error_block(item: Entry, heading: str, why: str) -> Block:
    """Return something that went wrong, with the reason."""
    return Block(
        kind="error",
        offset=item.offset,
        heading=heading,
        time_ms=item.timestamp_ms,
        parts=(text_part("plain", why),),
        folded=FOLDED_ERROR,
        error=True,
    )


def _execution_block(item: Entry, message: dict[str, Any]) -> Block:
    """Return a command that the user ran from the agent's prompt."""
    code = message.get("exitCode")
    cancelled = message.get("cancelled") is True
    failed = cancelled or (isinstance(code, int) and code != 0)
    source = first_text(message, "command", "code")
    parts = [text_part("plain", text(message.get("output")))]
    if "\n" in source.strip():
        parts.insert(0, text_part("code", source))
    return Block(
        kind="command",
        offset=item.offset,
        heading=">>>" if message.get("role") == "pythonExecution" else "!",
        detail=first_line(source),
        time_ms=item.timestamp_ms,
        meta=("cancelled",) if cancelled else (f"exit {number(code)}",) if failed else (),
        parts=tuple(parts),
        brief=(parts[-1],),
        folded=FOLDED_ERROR if failed else FOLDED_OUTPUT,
        from_end=True,
        error=failed,
    )


_HEADINGS = {
    "developer": "Instructions",
    "system": "Instructions",
    "hookMessage": "Hook",
    "fileMention": "File",
    "custom": "Extension",
    "branchSummary": "Branch summary",
    "compactionSummary": "Compaction",
}


def _other_block(item: Entry, message: dict[str, Any]) -> Block:
    """Return a message of any other role."""
    role = text(message.get("role"))
    words = joined(message.get("content")) or first_text(message, "summary", "text")
    files = [first_line(mapping(entry).get("path")) for entry in items(message.get("files"))]
    body = text_part("markdown", words) if words else text_part("json", compact(message))
    name = first_text(message, "hookName", "customType", "path") or ", ".join(filter(None, files))
    return Block(
        kind="message",
        offset=item.offset,
        heading=_HEADINGS.get(role, "") or first_line(role) or "Message without a role",
        detail=first_line(name),
        time_ms=item.timestamp_ms,
        parts=(body,) if words or not name else (),
        folded=FOLDED_TEXT,
    )
