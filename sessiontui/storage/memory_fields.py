"""Times and titles of the store in memory, as fields that stand apart from the sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sessiontui.storage.backend import FieldChange
    from sessiontui.storage.memory import MemoryStore


def change_field(store: MemoryStore, change: FieldChange) -> bool:
    """Change one field where it is as expected; tell whether it is as wished now."""
    held = store.sessions.get(change.path)
    if (held is not None) != change.session:
        return False
    key = (change.kind, change.path)
    if held is None:
        now = store.loose.get(key)
    elif change.kind == "title":
        now = held.title
    else:
        now = None if held.mtime_ms is None else b"%d" % held.mtime_ms
    if now != change.old:
        return now == change.new
    if held is not None and change.kind == "title":
        held.title = change.new
    elif held is not None:
        held.mtime_ms = None if change.new is None else int(change.new)
    elif change.new is None:
        del store.loose[key]
    else:
        store.loose[key] = change.new
    store.signal(change.path)
    return True
