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
        _unlisted("page-up", ("pageup", "ctrl+u"), "page_up", "page up", "Move a page up", where),
        _unlisted(
            "page-down", ("pagedown", "ctrl+d"), "page_down", "page down", "Move a page down", where
        ),
        _unlisted("first", ("g", "home"), "first", "first", "Go to the first row", where),
        _unlisted("last", ("G", "end"), "last", "last", "Go to the last row", where),
        _unlisted("fold", ("left", "h"), "fold", "fold", "Fold, or go to the parent", where),
        _unlisted("unfold", ("right", "l"), "unfold", "unfold", "Unfold", where),
        _unlisted(
            "read", ("enter",), "open", "read", "Read the transcript", where, topic="Find and order"
        ),
        Action("find", ("/",), "screen.find", "find", "Find sessions as you type", where),
        Action("sort", ("s",), "screen.sort", "sort", "Sort by the next column", where),
        Action(
            "sort-reverse", ("S",), "screen.sort_reverse", "reverse", "Turn the order round", where
        ),
        Action("flat", ("t",), "screen.flatten", "flat", "By project, or one flat list", where),
        Action("pin", ("p",), "screen.pin", "pin", "Pin to the top, or unpin", where),
        Action(
            "show-empty", ("z",), "screen.show_empty", "empty", "Show or hide empty sessions", where
        ),
        Action("columns", ("C",), "screen.columns", "columns", "Choose the columns", where),
        _unlisted(
            "mark",
            ("space",),
            "mark",
            "mark",
            "Mark, and go on to the next",
            where,
            topic="Mark and copy",
        ),
        _unlisted(
            "mark-range", ("V",), "mark_range", "mark to here", "Mark from the last to here", where
        ),
        Action(
            "mark-all", ("ctrl+a",), "mark_all", "mark all", "Mark all that fit the filter", where
        ),
        Action("mark-invert", ("*",), "mark_invert", "invert", "Turn the marks round", where),
        _unlisted(
            "clear-filter",
            ("escape",),
            "screen.clear_filter",
            "clear",
            "Clear marks, then the filter",
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
        Action("copy-id", ("y",), "screen.copy_id", "copy id", "Copy the id", where),
        Action("copy-path", ("Y",), "screen.copy_path", "copy path", "Copy the path", where),
    )


def _transcript() -> tuple[Action, ...]:
    where: KeyContext = "transcript"
    return (
        _unlisted("line-up", ("up", "k"), "line_up", "up", "A line up", where, topic="Move"),
        _unlisted("line-down", ("down", "j"), "line_down", "down", "A line down", where),
        _unlisted("scroll-up", ("pageup", "b"), "page_up", "page up", "A page up", where),
        _unlisted(
            "scroll-down", ("pagedown", "space"), "page_down", "page down", "A page down", where
        ),
        _unlisted("start", ("home", "g"), "start", "start", "Go to the first entry", where),
        Action("follow", ("end", "G"), "follow", "follow", "Go to the end and follow", where),
        _unlisted("entry-back", ("K",), "previous_entry", "entry", "To the entry before", where),
        _unlisted("entry-next", ("J",), "next_entry", "entry", "To the next entry", where),
        _unlisted("turn-back", ("[",), "previous_turn", "turn", "To the turn before", where),
        _unlisted("turn-next", ("]",), "next_turn", "turn", "To the next turn", where),
        Action("outline", ("O",), "outline", "turns", "List the turns, to go to one", where),
        Action("go-to-time", ("@",), "go_to_time", "time", "Go to a time", where),
        _unlisted("error-back", ("{",), "previous_error", "error", "To the error before", where),
        _unlisted("error-next", ("}",), "next_error", "error", "To the next error", where),
        _unlisted("back", ("escape",), "screen.back", "back", "Back to the list", where),
        _unlisted(
            "expand",
            ("x", "enter"),
            "unfold",
            "unfold",
            "Unfold or fold this entry",
            where,
            topic="What is shown",
        ),
        Action("expand-all", ("X",), "unfold_all", "unfold all", "Unfold or fold all", where),
        Action("branches", ("B",), "branches", "branches", "List the branches", where),
        Action("context", ("M",), "context", "context", "What the model sees, or all", where),
        Action("thinking", ("T",), "thinking", "thinking", "Show or hide thinking", where),
        Action("wrap", ("w",), "wrap", "wrap", "Wrap long lines or cut them", where),
        Action("raw", ("v",), "raw", "raw", "Show entries or stored lines", where),
        Action("stored", ("V",), "stored", "JSON", "Show the entry as JSON", where),
        Action("subagent", (">",), "subagent", "subagent", "Read the subagent's session", where),
        Action("pager", ("P",), "pager", "pager", "Read the entry in your pager", where),
        Action(
            "find-text",
            ("/",),
            "screen.find_text",
            "find",
            "Find in this transcript",
            where,
            topic="Find and copy",
        ),
        _unlisted("hit-next", ("n",), "next_hit", "next hit", "To the next hit", where),
        _unlisted("hit-back", ("N",), "previous_hit", "hit before", "To the hit before", where),
        Action("copy", ("y",), "screen.copy_message", "copy", "Copy the text of this entry", where),
        Action(
            "copy-code",
            ("Y",),
            "screen.copy_code",
            "copy code",
            "Copy the code of this entry",
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
            "Change title or path",
            where,
            topic="A session",
            changes=True,
        ),
        Action(
            "delete",
            ("d",),
            "screen.delete",
            "delete",
            "Ask, then move to the trash",
            where,
            changes=True,
        ),
        Action(
            "undo",
            ("u",),
            "screen.undo",
            "restore",
            "Take back the last deletion",
            where,
            changes=True,
        ),
        Action("export", ("e",), "screen.export", "export", "Export to a file", where),
        Action("resume", ("o",), "screen.resume", "resume", "Resume it in its agent", where),
        Action(
            "copy-command",
            ("ctrl+y",),
            "screen.copy_command",
            "copy command",
            "Copy the resume command",
            where,
        ),
        Action(
            "search",
            ("ctrl+f",),
            "screen.search",
            "search",
            "Search all transcripts",
            where,
            topic="Everything else",
        ),
        Action("doctor", ("D",), "screen.doctor", "doctor", "Find what is broken", where),
        Action(
            "refresh", ("f5", "R"), "screen.refresh_all", "refresh", "Read everything again", where
        ),
        _unlisted(
            "other-pane",
            ("tab", "shift+tab"),
            "screen.other_pane",
            "other pane",
            "Go to the other pane",
            where,
        ),
        Action("theme", ("ctrl+t",), "app.next_theme", "theme", "Dark or light theme", where),
        _unlisted(
            "palette", ("ctrl+p",), "app.palette", "commands", "Find a command or session", where
        ),
        Action("help", ("?", "f1"), "app.show_keys", "keys", "Show what every key does", where),
        Action("quit", ("q", "ctrl+q"), "app.leave", "quit", "Quit", where),
    )


ACTIONS: tuple[Action, ...] = (*_list(), *_transcript(), *_everywhere())
"""Every action; within a context in the order that help shows them."""

FOOTER: dict[FooterPlace, tuple[str, ...]] = {
    "list": (
        *("read", "find", "search", "sort", "rename", "delete", "resume", "export", "mark"),
        *("undo", "copy-to", "help", "quit"),
    ),
    "marked": ("delete", "copy-to", "move-to", "export", "clear-filter", "help", "quit"),
    "transcript": (
        *("back", "find-text", "expand", "outline", "thinking", "copy", "branches", "resume"),
        *("follow", "export", "delete", "rename", "help", "quit"),
    ),
    "found": (
        *("hit-next", "hit-back", "back", "find-text", "expand", "copy", "outline", "thinking"),
        *("resume", "export", "help", "quit"),
    ),
}
"""What the footer offers at each place, the most wanted first; as many as fit are shown."""
