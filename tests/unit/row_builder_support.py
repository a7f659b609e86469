"""What the tests of rows share: a row read as it is read from a store, and omp's own rule."""

from __future__ import annotations

import json
from datetime import UTC

from sessiontui.catalog.row import Row
from sessiontui.catalog.row_builder import build_row, read_head, read_tail
from sessiontui.formats.omp import STATUS_BYTES
from tests.sessions import (
    OMP_PATH,
    START_MS,
)

ID = "01a0b000-0000-7000-8000-00000000abcd"


def row_of(
    data: bytes,
    *,
    path: str = OMP_PATH,
    head: int = 4096,
    tail: int = 8192,
    field: bytes | None = None,
) -> Row:
    """Return the row as it is read: in whole where small, else from head and tail."""
    row = Row(path=path, size=len(data), mtime_ms=START_MS, title_field=field)
    if len(data) <= head + tail:
        first, last, whole = data, data, True
    else:
        first, last, whole = data[:head], data[-tail:], False
    facts = read_head(first, complete=whole), read_tail(last, complete=whole)
    return build_row(row, *facts, zone=UTC)


def omps_word(data: bytes) -> str:
    """Return omp's status word, written down once more from its rule."""
    for line in reversed(data[-STATUS_BYTES:].split(b"\n")):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("type") == "message" and entry.get("message"):
            message = entry["message"]
            role, stop = message.get("role"), message.get("stopReason")
            if role == "assistant":
                words = {"error": "error", "aborted": "aborted", "length": "interrupted"}
                content = message.get("content")
                blocks = content if isinstance(content, list) else []
                calls = any(block.get("type") == "toolCall" for block in blocks)
                return words.get(stop) or ("interrupted" if calls else "complete")
            return {"toolResult": "interrupted", "user": "pending"}.get(role, "unknown")
    return "unknown"
