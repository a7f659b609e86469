"""Everything a key can do: one table behind bindings, footer, palette and help.

An action belongs to a context, the part of the screen that must have the
focus: `list`, `transcript`, or `everywhere` on the main screen. A key means
one thing in a context; the same key may mean something else in another, but
not in `everywhere`. Keys are written as Textual names them (`ctrl+p`,
`left_square_bracket`) or as the single character (`[`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from textual.binding import Binding
from textual.keys import format_key

from sessiontui.errors import ConfigError
from sessiontui.models.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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


def _everywhere() -> tuple[Action, ...]:
    where: Context = "everywhere"
    return (
        Action("rename", ("r",), "screen.rename", "rename", "Change title or path", where, True),
        Action(
            "delete",
            ("d",),
            "screen.delete",
            "delete",
            "Move to the trash, after asking",
            where,
            True,
        ),
        Action(
            "undo",
            ("u",),
            "screen.undo",
            "restore",
            "Bring back what was deleted last",
            where,
            True,
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
        Action(
            "clear-filter",
            ("escape",),
            "screen.clear_filter",
            "all",
            "Clear the filter",
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
        Action("pager", ("P",), "pager", "pager", "Read this entry whole in your pager", where),
        Action("thinking", ("T",), "thinking", "thinking", "Show or hide thinking", where, True),
        Action("wrap", ("w",), "wrap", "wrap", "Wrap long lines or cut them", where),
        Action("raw", ("v",), "raw", "raw", "Show entries or stored lines", where, True),
        Action("back", ("escape",), "screen.back", "back", "Back to the list", where, True, False),
    )


ACTIONS: tuple[Action, ...] = (*_list(), *_transcript(), *_everywhere())
"""Every action; within a context in the order that help and footer show them."""

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}


def bindings(context: Context) -> list[Binding]:
    """Return the `BINDINGS` of the widget or screen that serves a context."""
    return [
        Binding(
            ",".join(_long_name(key) for key in action.keys),
            action.run,
            action.label,
            show=action.footer,
            id=action.id,
            # Seen before the key reaches a pane: what is typed right after it is what to find.
            priority=action.id in {"find", "find-text"},
        )
        for action in ACTIONS
        if action.context == context
    ]


class Keys:
    """Which keys each action has, after the user's own settings."""

    def __init__(
        self, overrides: Mapping[str, str] | None = None, *, ascii_only: bool = False
    ) -> None:
        """Check and take over the settings.

        Args:
            overrides: By action id its keys, comma separated, instead of the usual ones.
            ascii_only: Write `up` and `enter` where a sign would do.

        Raises:
            ConfigError: An id is unknown, has no key, or a key would mean two things.
        """
        self._ascii_only = ascii_only
        self._keys = {action.id: action.keys for action in ACTIONS}
        for action_id, keys in (overrides or {}).items():
            if action_id not in BY_ID:
                known = ", ".join(BY_ID)
                raise ConfigError(
                    f"keys: no action is called {clean(action_id)!r}; there are {known}"
                )
            parts = tuple(part.strip() for part in keys.split(",") if part.strip())
            if not parts:
                raise ConfigError(f"keys: {action_id} has no key")
            self._keys[action_id] = parts
        self._refuse_clashes()
        self.overrides = {
            action_id: ",".join(self._keys[action_id]) for action_id in overrides or {}
        }
        """What `App.set_keymap` takes."""

    def _refuse_clashes(self) -> None:
        taken: dict[tuple[Context, str], str] = {}
        for action in ACTIONS:
            contexts = CONTEXTS if action.context == "everywhere" else (action.context,)
            for key in map(_long_name, self._keys[action.id]):
                for context in contexts:
                    other = taken.setdefault((context, key), action.id)
                    if other != action.id:
                        raise ConfigError(
                            f"keys: {format_key(key)!r} cannot be both {other} and {action.id}"
                        )

    def of(self, action_id: str) -> tuple[str, ...]:
        """Return the keys of an action, the usual one first, as they are written on a keyboard."""
        return tuple(self.written(key) for key in self._keys[action_id])

    def written(self, key: str) -> str:
        """Return a key as the user is told it."""
        return key if self._ascii_only and not shown(key).isascii() else shown(key)

    def first(self, action_id: str) -> str:
        """Return the key of an action to tell the user."""
        return self.of(action_id)[0]


_SHOWN = {
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "enter": "⏎",
    "escape": "esc",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
}


def shown(key: str) -> str:
    """Return a key as the footer and help write it: `↑`, `⏎`, `esc`, `F5`, `ctrl+p`, `[`."""
    if key in _SHOWN:
        return _SHOWN[key]
    if len(key) > 1 and key[0] == "f" and key[1:].isdigit():
        return key.upper()
    if "+" in key:
        return key
    return format_key(key)


def _long_name(key: str) -> str:
    """Return a key under the name that Textual gives its events."""
    return next(iter(Binding.make_bindings([Binding(key, "")]))).key if key != "," else "comma"


def footer_actions(context: Context) -> Iterable[Action]:
    """Yield what the footer offers where `context` has the focus, its own actions first."""
    for where in (context, "everywhere"):
        yield from (action for action in ACTIONS if action.context == where and action.footer)
