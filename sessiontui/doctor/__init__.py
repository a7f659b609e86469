"""The doctor: rules that find what is broken in a store, and fixes as values.

Nothing here reads or changes anything. Whoever gathers the facts (index, rows, first
and last bytes) gives them to `rules`; whoever carries out a fix writes what takes it back
into a `journal`.
"""

from sessiontui.doctor.findings import (
    KINDS,
    BrokenLine,
    ChangeTimesAndTitles,
    CutBack,
    Discard,
    Finding,
    FindingKind,
    Fix,
    GiveSlot,
    JoinTail,
    PutBack,
    RewriteSlot,
    Undo,
    fix_words,
    waits_for_agents,
)

__all__ = [
    "KINDS",
    "BrokenLine",
    "ChangeTimesAndTitles",
    "CutBack",
    "Discard",
    "Finding",
    "FindingKind",
    "Fix",
    "GiveSlot",
    "JoinTail",
    "PutBack",
    "RewriteSlot",
    "Undo",
    "fix_words",
    "waits_for_agents",
]
