"""Which lines belong together: calls, their starts and their results."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sessiontui.formats import codex
from sessiontui.formats.blocks_events import started
from sessiontui.formats.content import mapping, text
from sessiontui.formats.entries import BadLine

if TYPE_CHECKING:
    from sessiontui.formats.entries import Entry, Item

_CALL_TYPES = {"toolCall", "tool_use", "server_tool_use"}


class Links(NamedTuple):
    """Ids of tool calls that a line has to do with."""

    calls: tuple[str, ...] = ()
    """It makes these calls."""
    results: tuple[str, ...] = ()
    """It holds the results of these."""
    starts: tuple[str, ...] = ()
    """It records that these began to run."""


NONE = Links()


def links_of(items: tuple[Item, ...]) -> Links:
    """Return the calls that the entries of one line make, answer and start."""
    found = NONE
    for item in items:
        if isinstance(item, BadLine):
            continue
        one = _links(item)
        if one is not NONE:
            found = Links(*map(tuple.__add__, found, one))
    return found


def _links(item: Entry) -> Links:
    data = item.data
    message = data.get("message")
    if isinstance(message, dict):
        return _message_links(message)
    if item.type == "custom":
        start = started(item)
        return Links(starts=(start[0],)) if start else NONE
    if item.type == "response_item":
        calls = codex.calls(item)
        if calls:
            return Links(calls=calls)
        results = tuple(result.call_id for result in codex.results(item) if result.call_id)
        return Links(results=results) if results else NONE
    return NONE


def _message_links(message: dict[str, object]) -> Links:
    role = text(message.get("role"))
    if role == "toolResult":
        call_id = text(message.get("toolCallId"))
        return Links(results=(call_id,)) if call_id else NONE
    if role == "assistant":
        calls = _ids(message, _CALL_TYPES, "id")
        return Links(calls=calls) if calls else NONE
    if role == "user":
        results = _ids(message, {"tool_result"}, "tool_use_id")
        return Links(results=results) if results else NONE
    return NONE


def _ids(message: dict[str, object], types: set[str], key: str) -> tuple[str, ...]:
    content = message.get("content")
    if not isinstance(content, list):
        return ()
    pieces = (piece for piece in map(mapping, content) if text(piece.get("type")) in types)
    ids = (text(piece.get(key)) for piece in pieces)
    return tuple(call_id for call_id in ids if call_id)
