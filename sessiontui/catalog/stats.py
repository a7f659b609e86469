"""The stats of a session: entries, turns, models, tokens and cost.

    count = Count()
    for entry in entries: count.add(entry)      # in the order of the session, each once
    count.figures()

A count is kept with `dump` and goes on after `load` where it stopped, so that what
is appended costs no second look at what was there. What an entry adds, its format tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

import msgspec

from sessiontui.formats.base import NO_TOKENS, Tokens
from sessiontui.formats.jsonl import BadLine
from sessiontui.formats.registry import usage_of

if TYPE_CHECKING:
    from sessiontui.formats.base import EntryUsage
    from sessiontui.formats.jsonl import Item

MAX_MODELS: Final = 16
"""How many models of a session are named."""
_RECENT: Final = 64
"""Over how many messages of Claude Code the lines of one may be spread."""
_MODEL_LENGTH: Final = 100


class SessionStats(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The stats of a session."""

    entries: int = 0
    """Without the title slot and the header."""
    turns: int = 0
    """How often the user wrote."""
    tokens: Tokens = NO_TOKENS
    models: tuple[str, ...] = ()
    """As stored, in the order in which they answered first; pass them through `clean`."""

    @property
    def cost(self) -> float:
        """US dollars, as far as the agent recorded them."""
        return self.tokens.cost


class _State(msgspec.Struct, array_like=True):
    """Everything a count remembers."""

    entries: int = 0
    turns: int = 0
    told_turns: int = 0
    """Of Codex, which tells what the user wrote twice: as an event, and as part of the context."""
    tokens: Tokens = NO_TOKENS
    models: list[str] = msgspec.field(default_factory=list)
    recent: dict[str, Tokens] = msgspec.field(default_factory=dict)
    """What the latest messages of Claude Code used, by id; in `tokens` already."""
    running: Tokens = NO_TOKENS
    """The last total of Codex; not in `tokens` yet."""


_decode = msgspec.msgpack.Decoder(_State).decode
_encode = msgspec.msgpack.Encoder().encode


class StatsCounter:
    """Counts stats as a session is read from its beginning to its end."""

    def __init__(self) -> None:
        self._state = _State()

    @classmethod
    def load(cls, data: bytes) -> Self:
        """Return a count that goes on where another one was dumped.

        Raises:
            ValueError: `data` comes from somewhere else.
        """
        count = cls()
        count._state = _decode(data)
        return count

    def dump(self) -> bytes:
        """Return what `load` takes."""
        return _encode(self._state)

    def figures(self) -> SessionStats:
        """Return what was counted so far."""
        state = self._state
        return SessionStats(
            entries=state.entries,
            turns=state.told_turns or state.turns,
            tokens=state.tokens + state.running,
            models=tuple(state.models),
        )

    def add(self, item: Item) -> None:
        """Count one entry; a line that is none counts as nothing."""
        if isinstance(item, BadLine):
            return
        state, used = self._state, usage_of(item)
        if not used.is_part:
            return
        state.entries += 1
        if used.turn == "event":
            state.told_turns += 1
        elif used.turn:
            state.turns += 1
        if used.counts == "by message":
            state.tokens += used.tokens - self._replaced(used)
        elif used.counts == "once":
            state.tokens += used.tokens
        else:
            if used.tokens.total < state.running.total:
                state.tokens += state.running  # It began anew.
            state.running = used.tokens
        self._name(used.model)

    def _replaced(self, used: EntryUsage) -> Tokens:
        """Return what an earlier line of the same message told, and keep what this one does."""
        recent = self._state.recent
        before = recent.pop(used.message_id, NO_TOKENS)
        recent[used.message_id] = used.tokens
        if len(recent) > _RECENT:
            del recent[next(iter(recent))]
        return before

    def _name(self, model: object) -> None:
        models = self._state.models
        if isinstance(model, str) and model and len(models) < MAX_MODELS:
            name = model[:_MODEL_LENGTH]
            if name not in models:
                models.append(name)
