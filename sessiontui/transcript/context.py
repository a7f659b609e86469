"""Which entries become part of what an agent sends to its model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiontui.formats.content import mapping
from sessiontui.formats.entries import BadLine

if TYPE_CHECKING:
    from sessiontui.formats.entries import Item

_SEEN = {
    "message", "custom_message", "branch_summary", "compaction", "reset_boundary",  # omp, pi
    "user", "assistant",  # Claude Code
    "response_item", "compacted",  # Codex
}  # fmt: skip


def seen_by_model(item: Item) -> bool:
    """Return whether a model is sent what an entry holds; the cut that leaves others out is."""
    if isinstance(item, BadLine):
        return False
    if item.type == "system":
        return item.data.get("subtype") == "compact_boundary"
    if item.data.get("isSidechain") is True:
        return False
    return item.type in _SEEN and not mapping(item.data.get("message")).get("excludeFromContext")
