"""Display blocks of the entries of omp and pi that are not messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiontui.formats.blocks import (
    FOLDED_SUMMARY,
    FOLDED_TEXT,
    Block,
    Pairing,
    compact,
    first_line,
    json_part,
    note,
    text_part,
)
from sessiontui.formats.content import (
    amount,
    first_text,
    joined,
    mapping,
    model_name,
    number,
    text,
    usage,
)
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiontui.formats.entries import Entry


def blocks(item: Entry, pairing: Pairing) -> tuple[Block, ...] | None:
    """Return the blocks of an entry of omp or pi that is no message; None for any other."""
    if item.type == "custom" and item.data.get("customType") == "tool_execution_start":
        return _tool_start(item, pairing)
    make = _MAKERS.get(item.type)
    return None if make is None else (make(item),)


def started(item: Entry) -> tuple[str, int | None] | None:
    """Return id and time of the tool call whose start this entry records; None for any other."""
    if item.type != "custom" or item.data.get("customType") != "tool_execution_start":
        return None
    call_id = text(mapping(item.data.get("data")).get("toolCallId"))
    return (call_id, item.timestamp_ms) if call_id else None


def _tool_start(item: Entry, pairing: Pairing) -> tuple[Block, ...]:
    data = mapping(item.data.get("data"))
    if pairing.is_shown(text(data.get("toolCallId")), item.offset):
        return ()
    detail = first_text(data, "intent") or compact(mapping(data.get("args")))
    return (note(item, f"{first_line(data.get('toolName'))} started", first_line(detail)),)


def _title(item: Entry) -> Block:
    return note(item, "title", first_line(item.data.get("title")) or "none")


def _header(item: Entry) -> Block:
    data = item.data
    detail = first_text(data, "cwd", "title") or first_text(data, "id")
    origin = first_text(data, "parentSession", "branchedFrom")
    version = number(data.get("version")) or 1
    meta = [f"version {version}"]
    if origin:
        meta.insert(0, "continues " + first_line(origin).rpartition("/")[2][-24:])
    return note(item, "session", first_line(detail), meta=tuple(meta), cut="middle")


def _model(item: Entry) -> Block:
    data = item.data
    name = first_text(data, "modelId", "model")
    role = first_line(data.get("role"))
    detail = model_name(name) + (f" for {role}" if role and role != "default" else "")
    return note(item, "model", detail, meta=_if(first_line(data.get("provider"))))


def _thinking_level(item: Entry) -> Block:
    return note(item, "thinking level", first_line(item.data.get("thinkingLevel")))


def _compaction(item: Entry) -> Block:
    data = item.data
    before = amount(data.get("tokensBefore"))
    return Block(
        kind="summary",
        offset=item.offset,
        heading="Compaction",
        detail=first_line(data.get("shortSummary")),
        time_ms=item.timestamp_ms,
        meta=(f"{before:,} tokens before",) if before else (),
        usage=usage(data.get("usage")),
        parts=(text_part("markdown", text(data.get("summary"))),),
        folded=FOLDED_SUMMARY,
    )


def _branch_summary(item: Entry) -> Block:
    return Block(
        kind="summary",
        offset=item.offset,
        heading="Branch summary",
        detail="of what was left behind",
        time_ms=item.timestamp_ms,
        parts=(text_part("markdown", text(item.data.get("summary"))),),
        folded=FOLDED_SUMMARY,
    )


def _reset(item: Entry) -> Block:
    return Block(
        kind="summary",
        offset=item.offset,
        heading="Reset",
        detail=first_line(first_text(item.data, "reason")) or "the context starts anew here",
        time_ms=item.timestamp_ms,
    )


def _label(item: Entry) -> Block:
    label = first_line(item.data.get("label"))
    return note(item, "label", label or "removed", meta=_if(first_line(item.data.get("targetId"))))


def _session_info(item: Entry) -> Block:
    return note(item, "title", first_line(item.data.get("name")) or "none")


def _usage(item: Entry) -> Block:
    return note(
        item, "usage", model_name(item.data.get("model")), usage=usage(item.data.get("usage"))
    )


def _mode(item: Entry) -> Block:
    return note(item, "mode", first_text(item.data, "mode", "name") or _rest(item))


def _tier(item: Entry) -> Block:
    return note(item, "service tier", first_text(item.data, "serviceTier", "tier") or _rest(item))


def _pin(item: Entry) -> Block:
    return note(item, "credential", first_line(item.data.get("provider")))


def _session_init(item: Entry) -> Block:
    prompt = first_text(item.data, "task", "systemPrompt", "prompt")
    return Block(
        kind="message",
        offset=item.offset,
        heading="Task",
        time_ms=item.timestamp_ms,
        parts=(text_part("markdown", prompt) if prompt else json_part(item.data),),
        folded=FOLDED_SUMMARY,
    )


def _archive(item: Entry) -> Block:
    return note(item, "archived", _rest(item))


def _rules(item: Entry) -> Block:
    return note(item, "rules", _rest(item))


def _custom(item: Entry) -> Block:
    data = mapping(item.data.get("data"))
    kind = first_line(item.data.get("customType")) or "custom"
    if kind == "session_exit":
        how = first_line(data.get("kind"))
        reason = first_line(data.get("reason"))
        failed = how in {"fatal", "signal"}
        return note(item, "session ended", reason if how in {"normal", ""} else how, error=failed)
    value = item.data.get("data")
    return Block(
        kind="note",
        offset=item.offset,
        heading=kind,
        detail=compact(value, 300) if value is not None else "",
        time_ms=item.timestamp_ms,
        parts=(json_part(value),) if data else (),
        brief=(),
        folded=0 if data else None,
    )


def _custom_message(item: Entry) -> Block:
    words = joined(item.data.get("content"))
    hidden = item.data.get("display") is False
    first = next((line for line in words.splitlines() if line.strip()), "")
    body = text_part("markdown", words) if words else json_part(item.data.get("details"))
    return Block(
        kind="note" if hidden else "message",
        offset=item.offset,
        heading=first_line(item.data.get("customType")) or "message",
        detail=clean(first[:300].strip()) if hidden else "",
        time_ms=item.timestamp_ms,
        parts=(body,),
        brief=() if hidden else None,
        folded=0 if hidden else FOLDED_TEXT,
    )


def _rest(item: Entry) -> str:
    rest = {
        key: value
        for key, value in item.data.items()
        if key not in {"type", "id", "parentId", "timestamp"}
    }
    return compact(rest, 300) if rest else ""


def _if(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


_MAKERS: dict[str, Callable[[Entry], Block]] = {
    "session": _header,
    "title": _title,
    "title_change": _title,
    "model_change": _model,
    "thinking_level_change": _thinking_level,
    "compaction": _compaction,
    "branch_summary": _branch_summary,
    "reset_boundary": _reset,
    "label": _label,
    "session_info": _session_info,
    "model_usage": _usage,
    "mode_change": _mode,
    "service_tier_change": _tier,
    "credential_pin": _pin,
    "session_init": _session_init,
    "archive": _archive,
    "ttsr_injection": _rules,
    "custom": _custom,
    "custom_message": _custom_message,
}
