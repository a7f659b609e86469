"""Qwen Code: `~/.qwen/projects/<project>/chats/<id>.jsonl`, translated to entries of omp's shape.

Records are linked as Claude Code links them, with messages of Gemini's parts. What they hold is
told by `ChatRecord` of qwen-code's `chatRecordingService.ts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sessiontui.formats.base import ByteMarks, Translator, content_objects, string
from sessiontui.formats.blocks import count_value, mapping

if TYPE_CHECKING:
    from collections.abc import Mapping

_BY_AGENT: Final = frozenset({"notification", "cron", "agent_launch_prompt", "goal_runtime"})
"""Subtypes of user records that no person wrote."""


class Qwen(Translator):
    """Qwen Code."""

    agent = "qwen"
    name = "Qwen Code"
    types = frozenset({"user", "assistant", "tool_result", "system"})
    marks = ByteMarks(
        calls=(b'"functionCall"',), failures=(b'"status":"error"',), titles=(b'"custom_title"',)
    )

    def translate(self, data: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """Return messages, titles and compactions; the rest of the system as custom entries."""
        message = mapping(data.get("message"))
        parts = message.get("parts")
        if data.get("type") == "system":
            return [_system(data)] if "systemPayload" in data else None
        if not isinstance(parts, list):
            return None
        pieces = list(content_objects(parts))
        if data["type"] == "tool_result":
            return [_result(data, number, piece) for number, piece in enumerate(_results(pieces))]
        if data["type"] == "user":
            by_agent = data.get("subtype") in _BY_AGENT
            content = [piece for part in pieces for piece in _content(part)]
            return [_message(data, role="user", content=content, synthetic=by_agent)]
        return [_answer(data, pieces)]


def _entry(data: Mapping[str, Any], kind: str, **fields: Any) -> dict[str, Any]:
    """Return an entry of omp's with the facts that every record of Qwen Code repeats."""
    return {
        "type": kind,
        "id": data.get("uuid"),
        "parentId": data.get("parentUuid"),
        "timestamp": data.get("timestamp"),
        "sessionId": data.get("sessionId"),
        "cwd": data.get("cwd"),
        **fields,
    }


def _message(data: Mapping[str, Any], **message: Any) -> dict[str, Any]:
    return _entry(data, "message", message=message, isSidechain=data.get("isSidechain") is True)


def _content(part: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the pieces of omp's that a part is; of an unknown kind the part itself."""
    if isinstance(part.get("text"), str):
        if part.get("thought") is True:
            return [{"type": "thinking", "thinking": part["text"]}]
        return [{"type": "text", "text": part["text"]}]
    if isinstance(call := part.get("functionCall"), dict):
        arguments = call.get("args")
        return [
            {
                "type": "toolCall",
                "id": call.get("id"),
                "name": call.get("name"),
                "arguments": arguments,
            }
        ]
    if isinstance(image := part.get("inlineData"), dict):
        return [{"type": "image", "mimeType": image.get("mimeType"), "data": image.get("data")}]
    return [part] if part else []


def _answer(data: Mapping[str, Any], parts: list[dict[str, Any]]) -> dict[str, Any]:
    used = mapping(data.get("usageMetadata"))
    cached = count_value(used.get("cachedContentTokenCount"))
    return _message(
        data,
        role="assistant",
        model=data.get("model"),
        content=[piece for part in parts for piece in _content(part)],
        usage={
            "input": max(0, count_value(used.get("promptTokenCount")) - cached),
            "output": count_value(used.get("candidatesTokenCount")),
            "cacheRead": cached,
        },
    )


def _results(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [mapping(part.get("functionResponse")) for part in parts if "functionResponse" in part]


def _result(data: Mapping[str, Any], number: int, answer: dict[str, Any]) -> dict[str, Any]:
    """Return one result; further ones of a record follow the first, as entries of their own."""
    response = mapping(answer.get("response"))
    failed = "error" in response or mapping(data.get("toolCallResult")).get("status") == "error"
    output = response.get("error") if "error" in response else response.get("output")
    entry = _message(
        data,
        role="toolResult",
        toolCallId=answer.get("id"),
        toolName=answer.get("name"),
        content=output if isinstance(output, str) else [response],
        isError=failed,
    )
    return {**entry, "id": f"{data.get('uuid')}:{number}"} if number else entry


def _system(data: Mapping[str, Any]) -> dict[str, Any]:
    payload = mapping(data.get("systemPayload"))
    match data.get("subtype"):
        case "custom_title":
            source = "auto" if payload.get("titleSource") == "auto" else "user"
            return _entry(data, "title_change", title=payload.get("customTitle"), source=source)
        case "chat_compression":
            before = mapping(payload.get("info")).get("originalTokenCount")
            return _entry(data, "compaction", tokensBefore=before)
        case subtype:
            kind = string(subtype) or "system"
            return {**_entry(data, "custom", customType=kind), "data": payload}


QWEN: Final = Qwen()
