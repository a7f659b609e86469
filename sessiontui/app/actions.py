"""The action table: every action with its keys, behind bindings, footer, palette, help and docs.

An action belongs to a context, the part of the screen that must have the
focus: `list`, `transcript`, or `everywhere` on the main screen. A key means
one thing in a context; the same key may mean something else in another, but
not in `everywhere`. Keys are written as Textual names them (`ctrl+p`,
`left_square_bracket`) or as the single character (`[`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

KeyContext = Literal["everywhere", "list", "transcript"]
FooterPlace = Literal["list", "marked", "transcript", "found"]
"""Where the user is, for the footer.

`marked` is the list while sessions are marked, `found` the transcript while hits are lit.
"""

CONTEXTS: dict[KeyContext, str] = {
    "everywhere": "Everywhere",
    "list": "Sessions",
    "transcript": "Transcript",
}
"""The contexts with their headings, in the order help shows them."""


@dataclass(frozen=True, slots=True)
class Action:
    """An action: what a key or a palette entry does."""

    id: str
    """What the configuration calls it; words joined by `-`."""
    keys: tuple[str, ...]
    run: str
    """The Textual action that does it; without a namespace it is the focused widget's own."""
    label: str
    """One or two words, for the footer."""
    help: str
    """What it does, a few words, for help and palette."""
    context: KeyContext
    topic: str = ""
    """The heading in help that this action is the first below, if it is."""
    palette: bool = True
    """Whether it makes sense away from its key; moving about does not."""
    changes: bool = False
    """Whether it changes what the source holds: hidden and refused where nothing may be changed."""


_unlisted = partial(Action, palette=False)


def _list() -> tuple[Action, ...]:
    where: KeyContext = "list"
    return (
        _unlisted("up", ("up", "k"), "cursor_up", "up", "Move up", where, topic="Move"),
        _unlisted("down", ("down", "j"), "cursor_down", "down", "Move down", where),
        _unlisted("page-up", ("pageup", "ctrl+u"), "page_up", "page up", "Page up", where),
        _unlisted(
            "page-down", ("pagedown", "ctrl+d"), "page_down", "page down", "Page down", where
        ),
        _unlisted("first", ("g", "home"), "first", "first", "First session", where),
        _unlisted("last", ("G", "end"), "last", "last", "Last session", where),
        _unlisted(
            "collapse", ("left", "h"), "fold", "collapse", "Collapse, or go to parent", where
        ),
        _unlisted("expand-row", ("right", "l"), "unfold", "expand", "Expand", where),
        _unlisted(
            "read", ("enter",), "open", "open", "Open transcript", where, topic="Filter and sort"
        ),
        Action("filter", ("/",), "screen.find", "filter", "Filter sessions", where),
        Action("sort", ("s",), "screen.sort", "sort", "Sort by next column", where),
        Action("sort-reverse", ("S",), "screen.sort_reverse", "reverse", "Reverse order", where),
        Action("flat", ("t",), "screen.flatten", "flat", "Group by project, or flat", where),
        Action("pin", ("p",), "screen.pin", "pin", "Pin or unpin", where),
        Action("show-empty", ("z",), "screen.show_empty", "empty", "Toggle empty sessions", where),
        Action("columns", ("C",), "screen.columns", "columns", "Choose columns", where),
        _unlisted(
            "select",
            ("space",),
            "mark",
            "select",
            "Select and move down",
            where,
            topic="Select and copy",
        ),
        _unlisted("select-range", ("V",), "mark_range", "select range", "Select range", where),
        Action("select-all", ("ctrl+a",), "mark_all", "select all", "Select all matching", where),
        Action("select-invert", ("*",), "mark_invert", "invert", "Invert selection", where),
        _unlisted(
            "clear-filter",
            ("escape",),
            "screen.clear_filter",
            "clear",
            "Clear selection, then filter",
            where,
        ),
        Action("copy-to", ("c",), "screen.copy_to", "copy to", "Copy to a server or folder", where),
        Action(
            "move-to",
            ("m",),
            "screen.move_to",
            "move to",
            "Move to a server or folder",
            where,
            changes=True,
        ),
        Action("copy-id", ("y",), "screen.copy_id", "copy id", "Copy id", where),
        Action("copy-path", ("Y",), "screen.copy_path", "copy path", "Copy path", where),
    )


def _transcript() -> tuple[Action, ...]:
    where: KeyContext = "transcript"
    return (
        _unlisted("line-up", ("up", "k"), "line_up", "up", "Line up", where, topic="Move"),
        _unlisted("line-down", ("down", "j"), "line_down", "down", "Line down", where),
        _unlisted("scroll-up", ("pageup", "b"), "page_up", "page up", "Page up", where),
        _unlisted(
            "scroll-down", ("pagedown", "space"), "page_down", "page down", "Page down", where
        ),
        _unlisted("start", ("home", "g"), "start", "start", "First entry", where),
        Action("follow", ("end", "G"), "follow", "follow", "Last entry, and follow", where),
        _unlisted("entry-back", ("K",), "previous_entry", "entry", "Previous entry", where),
        _unlisted("entry-next", ("J",), "next_entry", "entry", "Next entry", where),
        _unlisted("turn-back", ("[",), "previous_turn", "turn", "Previous turn", where),
        _unlisted("turn-next", ("]",), "next_turn", "turn", "Next turn", where),
        Action("outline", ("O",), "outline", "turns", "List turns", where),
        Action("go-to-time", ("@",), "go_to_time", "time", "Go to a time", where),
        _unlisted("error-back", ("{",), "previous_error", "error", "Previous error", where),
        _unlisted("error-next", ("}",), "next_error", "error", "Next error", where),
        _unlisted("back", ("escape",), "screen.back", "back", "Back to the list", where),
        _unlisted(
            "expand",
            ("x", "enter"),
            "unfold",
            "expand",
            "Expand or collapse entry",
            where,
            topic="View",
        ),
        Action("expand-all", ("X",), "unfold_all", "expand all", "Expand or collapse all", where),
        Action("branches", ("B",), "branches", "branches", "List branches", where),
        Action("context", ("M",), "context", "context", "Toggle model context", where),
        Action("thinking", ("T",), "thinking", "thinking", "Toggle thinking", where),
        Action("wrap", ("w",), "wrap", "wrap", "Toggle line wrap", where),
        Action("raw", ("v",), "raw", "raw", "Toggle raw", where),
        Action("stored", ("V",), "stored", "JSON", "Show entry as JSON", where),
        Action("subagent", (">",), "subagent", "subagent", "Open subagent session", where),
        Action("pager", ("P",), "pager", "pager", "Open entry in pager", where),
        Action(
            "find-text",
            ("/",),
            "screen.find_text",
            "find",
            "Find in transcript",
            where,
            topic="Find and copy",
        ),
        _unlisted("match-next", ("n",), "next_hit", "next match", "Next match", where),
        _unlisted("match-back", ("N",), "previous_hit", "previous match", "Previous match", where),
        Action("copy", ("y",), "screen.copy_message", "copy", "Copy text of entry", where),
        Action(
            "copy-code",
            ("Y",),
            "screen.copy_code",
            "copy code",
            "Copy code of entry",
            where,
        ),
    )


def _everywhere() -> tuple[Action, ...]:
    where: KeyContext = "everywhere"
    return (
        Action(
            "rename",
            ("r",),
            "screen.rename",
            "rename",
            "Rename title or path",
            where,
            topic="Session",
            changes=True,
        ),
        Action(
            "delete",
            ("d",),
            "screen.delete",
            "delete",
            "Delete (move to trash)",
            where,
            changes=True,
        ),
        Action(
            "undo",
            ("u",),
            "screen.undo",
            "undo",
            "Undo the last deletion",
            where,
            changes=True,
        ),
        Action("export", ("e",), "screen.export", "export", "Export to a file", where),
        Action("resume", ("o",), "screen.resume", "resume", "Resume in its agent", where),
        Action(
            "copy-command",
            ("ctrl+y",),
            "screen.copy_command",
            "copy command",
            "Copy resume command",
            where,
        ),
        Action(
            "search",
            ("ctrl+f",),
            "screen.search",
            "search",
            "Search all transcripts",
            where,
            topic="Other",
        ),
        Action("doctor", ("D",), "screen.doctor", "doctor", "Find and repair problems", where),
        Action("reload", ("f5", "R"), "screen.refresh_all", "reload", "Reload", where),
        _unlisted(
            "other-pane",
            ("tab", "shift+tab"),
            "screen.other_pane",
            "switch pane",
            "Switch pane",
            where,
        ),
        Action("theme", ("ctrl+t",), "app.next_theme", "theme", "Dark or light theme", where),
        _unlisted("palette", ("ctrl+p",), "app.palette", "commands", "Open command palette", where),
        Action("help", ("?", "f1"), "app.show_keys", "keys", "Show all keys", where),
        Action("quit", ("q", "ctrl+q"), "app.leave", "quit", "Quit", where),
    )


ACTIONS: tuple[Action, ...] = (*_list(), *_transcript(), *_everywhere())
"""Every action; within a context in the order that help shows them."""

FORMER_IDS: dict[str, str] = {
    "fold": "collapse", "unfold": "expand-row", "find": "filter", "mark": "select",
    "mark-range": "select-range", "mark-all": "select-all", "mark-invert": "select-invert",
    "hit-next": "match-next", "hit-back": "match-back", "refresh": "reload",
}  # fmt: skip
"""What actions were called in configurations before, which are still understood."""

FOOTER: dict[FooterPlace, tuple[str, ...]] = {
    "list": (
        *("read", "filter", "search", "sort", "rename", "delete", "resume", "export", "select"),
        *("undo", "copy-to", "help", "quit"),
    ),
    "marked": ("delete", "copy-to", "move-to", "export", "clear-filter", "help", "quit"),
    "transcript": (
        *("back", "find-text", "expand", "outline", "thinking", "copy", "branches", "resume"),
        *("follow", "export", "delete", "rename", "help", "quit"),
    ),
    "found": (
        *("match-next", "match-back", "back", "find-text", "expand", "copy", "outline", "thinking"),
        *("resume", "export", "help", "quit"),
    ),
}
"""What the footer offers at each place, the most wanted first; as many as fit are shown."""
