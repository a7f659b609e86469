"""Everything a key can do: the one table behind bindings, footer, palette, help and README.

An action belongs to a context, the part of the screen that must have the
focus: `list`, `transcript`, or `everywhere` on the main screen. A key means
one thing in a context; the same key may mean something else in another, but
not in `everywhere`. Keys are written as Textual names them (`ctrl+p`,
`left_square_bracket`) or as the single character (`[`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Context = Literal["everywhere", "list", "transcript"]

CONTEXTS: dict[Context, str] = {
    "everywhere": "Everywhere",
    "list": "Sessions",
    "transcript": "Transcript",
}
"""The contexts with their headings, in the order help shows them."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something the user can do with a key."""

    id: str
    """What the configuration calls it; words joined by `-`."""
    keys: tuple[str, ...]
    run: str
    """The Textual action that does it; without a namespace it is the focused widget's own."""
    label: str
    """One or two words, for the footer."""
    help: str
    """What it does, a few words, for help and palette."""
    context: Context
    footer: bool = False
    palette: bool = True
    """Whether it makes sense away from its key; moving about does not."""
    changes: bool = False
    """Whether it changes what the source holds: hidden and refused where nothing may be changed."""


def _everywhere() -> tuple[Action, ...]:
    where: Context = "everywhere"
    return (
        Action(
            "rename",
            ("r",),
            "screen.rename",
            "rename",
            "Change title or path",
            where,
            True,
            changes=True,
        ),
        Action(
            "delete",
            ("d",),
            "screen.delete",
            "delete",
            "Move to the trash, after asking",
            where,
            True,
            changes=True,
        ),
        Action(
            "undo",
            ("u",),
            "screen.undo",
            "restore",
            "Bring back what was deleted last",
            where,
            True,
            changes=True,
        ),
        Action(
            "export", ("e",), "screen.export", "export", "Write to a file, for elsewhere", where
        ),
        Action("resume", ("o",), "screen.resume", "resume", "Go on with it in its agent", where),
        Action(
            "copy-command",
            ("ctrl+y",),
            "screen.copy_command",
            "copy command",
            "Copy the command that resumes it",
            where,
        ),
        Action("doctor", ("D",), "screen.doctor", "doctor", "Find what is broken", where),
        Action(
            "search",
            ("ctrl+f",),
            "screen.search",
            "search",
            "Search what was said in all sessions",
            where,
        ),
        Action(
            "refresh", ("f5", "R"), "screen.refresh_all", "refresh", "Read everything again", where
        ),
        Action(
            "other-pane",
            ("tab", "shift+tab"),
            "screen.other_pane",
            "other pane",
            "Go to the other pane",
            where,
            palette=False,
        ),
        Action(
            "theme", ("ctrl+t",), "app.next_theme", "theme", "Switch between dark and light", where
        ),
        Action(
            "palette",
            ("ctrl+p",),
            "app.palette",
            "commands",
            "Find a command or a session by name",
            where,
            palette=False,
        ),
        Action(
            "help", ("?", "f1"), "app.show_keys", "keys", "Show what every key does", where, True
        ),
        Action("quit", ("q", "ctrl+q"), "app.leave", "quit", "Quit", where, True),
    )


def _list() -> tuple[Action, ...]:
    where: Context = "list"
    move = {"palette": False}
    return (
        Action("up", ("up", "k"), "cursor_up", "up", "Move up", where, **move),
        Action("down", ("down", "j"), "cursor_down", "down", "Move down", where, **move),
        Action(
            "page-up", ("pageup", "ctrl+u"), "page_up", "page up", "Move a page up", where, **move
        ),
        Action(
            "page-down",
            ("pagedown", "ctrl+d"),
            "page_down",
            "page down",
            "Move a page down",
            where,
            **move,
        ),
        Action("first", ("g", "home"), "first", "first", "Go to the first row", where, **move),
        Action("last", ("G", "end"), "last", "last", "Go to the last row", where, **move),
        Action("fold", ("left", "h"), "fold", "fold", "Fold, or go to the parent", where, **move),
        Action("unfold", ("right", "l"), "unfold", "unfold", "Unfold", where, **move),
        Action("read", ("enter",), "open", "read", "Read the transcript", where, True, False),
        Action(
            "find", ("/",), "screen.find", "find", "Filter the list while you type", where, True
        ),
        Action("sort", ("s",), "screen.sort", "sort", "Sort by the next column", where, True),
        Action(
            "sort-reverse", ("S",), "screen.sort_reverse", "reverse", "Turn the order round", where
        ),
        Action("flat", ("t",), "screen.flatten", "flat", "By project, or all in one list", where),
        Action("pin", ("p",), "screen.pin", "pin", "Pin to the top, or take the pin away", where),
        Action(
            "show-empty",
            ("z",),
            "screen.show_empty",
            "empty",
            "Show or hide empty sessions",
            where,
        ),
        Action("columns", ("C",), "screen.columns", "columns", "Choose the columns", where),
        Action(
            "copy-to",
            ("c",),
            "screen.copy_to",
            "copy to",
            "Copy to another server or folder",
            where,
        ),
        Action(
            "move-to",
            ("m",),
            "screen.move_to",
            "move to",
            "Move to another server or folder",
            where,
            changes=True,
        ),
        Action("mark", ("space",), "mark", "mark", "Mark, and go on to the next", where, **move),
        Action(
            "mark-range",
            ("V",),
            "mark_range",
            "mark to here",
            "Mark from the last mark to here",
            where,
            **move,
        ),
        Action(
            "mark-all", ("ctrl+a",), "mark_all", "mark all", "Mark all that fit the filter", where
        ),
        Action("mark-invert", ("*",), "mark_invert", "invert", "Turn the marks round", where),
        Action("copy-id", ("y",), "screen.copy_id", "copy id", "Copy the id", where),
        Action("copy-path", ("Y",), "screen.copy_path", "copy path", "Copy the path", where),
        Action(
            "clear-filter",
            ("escape",),
            "screen.clear_filter",
            "all",
            "Clear the marks, then the filter",
            where,
            palette=False,
        ),
    )


def _transcript() -> tuple[Action, ...]:
    where: Context = "transcript"
    move = {"palette": False}
    return (
        Action("line-up", ("up", "k"), "line_up", "up", "A line up", where, **move),
        Action("line-down", ("down", "j"), "line_down", "down", "A line down", where, **move),
        Action("scroll-up", ("pageup", "b"), "page_up", "page up", "A page up", where, **move),
        Action(
            "scroll-down",
            ("pagedown", "space"),
            "page_down",
            "page down",
            "A page down",
            where,
            **move,
        ),
        Action("start", ("home", "g"), "start", "start", "Go to the first entry", where, **move),
        Action("follow", ("end", "G"), "follow", "follow", "Go to the end and follow", where, True),
        Action(
            "entry-back", ("K",), "previous_entry", "entry", "To the entry before", where, **move
        ),
        Action("entry-next", ("J",), "next_entry", "entry", "To the next entry", where, **move),
        Action("turn-back", ("[",), "previous_turn", "turn", "To the turn before", where, **move),
        Action("turn-next", ("]",), "next_turn", "turn", "To the next turn", where, **move),
        Action("outline", ("O",), "outline", "turns", "List the turns, to go to one", where),
        Action("go-to-time", ("@",), "go_to_time", "time", "Go to a time", where),
        Action("branches", ("B",), "branches", "branches", "List the branches, to see one", where),
        Action(
            "context", ("M",), "context", "context", "Everything, or what the model sees", where
        ),
        Action(
            "error-back", ("{",), "previous_error", "error", "To the error before", where, **move
        ),
        Action("error-next", ("}",), "next_error", "error", "To the next error", where, **move),
        Action(
            "expand",
            ("x", "enter"),
            "unfold",
            "unfold",
            "Unfold or fold this entry",
            where,
            True,
            False,
        ),
        Action("expand-all", ("X",), "unfold_all", "unfold all", "Unfold or fold all", where),
        Action(
            "find-text", ("/",), "screen.find_text", "find", "Find in this transcript", where, True
        ),
        Action("hit-next", ("n",), "next_hit", "next hit", "To the next hit", where, **move),
        Action("hit-back", ("N",), "previous_hit", "hit", "To the hit before", where, **move),
        Action(
            "subagent", (">",), "subagent", "subagent", "Read the subagent's own session", where
        ),
        Action("pager", ("P",), "pager", "pager", "Read this entry whole in your pager", where),
        Action("copy", ("y",), "screen.copy_message", "copy", "Copy the text of this entry", where),
        Action("copy-code", ("Y",), "screen.copy_code", "copy code", "Copy the code in it", where),
        Action("thinking", ("T",), "thinking", "thinking", "Show or hide thinking", where, True),
        Action("wrap", ("w",), "wrap", "wrap", "Wrap long lines or cut them", where),
        Action("raw", ("v",), "raw", "raw", "Show entries or stored lines", where, True),
        Action("stored", ("V",), "stored", "JSON", "Show this entry as stored JSON", where),
        Action("back", ("escape",), "screen.back", "back", "Back to the list", where, True, False),
    )


ACTIONS: tuple[Action, ...] = (*_list(), *_transcript(), *_everywhere())
"""Every action; within a context in the order that help and footer show them."""
