"""The keymap: the keys of each action, as configured, as bindings and as labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import Binding
from textual.keys import format_key

from sessiontui.app.actions import (
    ACTIONS,
    CONTEXTS,
    FOOTER,
    FORMER_IDS,
    Action,
    FooterPlace,
    KeyContext,
)
from sessiontui.errors import ConfigError
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}
_OFFERED = frozenset(action_id for ids in FOOTER.values() for action_id in ids)


def bindings(context: KeyContext) -> list[Binding]:
    """Return the `BINDINGS` of the widget or screen that serves a context."""
    return [
        Binding(
            ",".join(_long_name(key) for key in action.keys),
            action.run,
            action.label,
            show=action.id in _OFFERED,
            id=action.id,
            # Seen before the key reaches a pane: what is typed right after it is what to find.
            priority=action.id in {"filter", "find-text", "search"},
        )
        for action in ACTIONS
        if action.context == context
    ]


class Keymap:
    """The keymap: which keys each action has, after the user's configuration."""

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
        self.renamed = {old: FORMER_IDS[old] for old in overrides or {} if old in FORMER_IDS}
        """Ids that the configuration uses, and what they are called now."""
        given = {FORMER_IDS.get(key, key): keys for key, keys in (overrides or {}).items()}
        for old, new in self.renamed.items():
            if overrides and new in overrides:
                raise ConfigError(f"keys: {old} is the former name of {new}; keep one of them")
        for action_id, keys in given.items():
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
        self.overrides = {action_id: ",".join(self._keys[action_id]) for action_id in given}
        """What `App.set_keymap` takes."""

    def _refuse_clashes(self) -> None:
        taken: dict[tuple[KeyContext, str], str] = {}
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
        return key if self._ascii_only and not key_label(key).isascii() else key_label(key)

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


def key_label(key: str) -> str:
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


def available_actions(*, read_only: bool = False) -> Iterable[Action]:
    """Yield the actions there are, where nothing may be changed without those that would."""
    return (action for action in ACTIONS if not (read_only and action.changes))


def footer_actions(place: FooterPlace, *, read_only: bool = False) -> Iterable[Action]:
    """Yield what the footer offers at a place, the most wanted first."""
    actions = (BY_ID[action_id] for action_id in FOOTER[place])
    return (action for action in actions if not (read_only and action.changes))


CHANGING_ACTIONS: dict[str, Action] = {action.run: action for action in ACTIONS if action.changes}
"""By what Textual runs for them the actions that change what the source holds."""
