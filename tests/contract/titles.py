"""A session with a title slot, as omp 18 writes it."""

from __future__ import annotations

from sessiontui.formats.title_slot import make_slot

HEADER = (
    '{"type":"session","version":3,"id":"abc","timestamp":"2026-09-01T10:00:00.000Z","cwd":"/"}\n'
)
SLOTTED = make_slot("First", source="auto", updated_at=1_790_000_000_000).decode() + HEADER
