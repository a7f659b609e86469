"""The stats of a session: entries, turns, models, tokens and cost.

    count = Count()
    for entry in entries: count.add(entry)      # in the order of the session, each once
    count.figures()

A count is kept with `dump` and goes on after `load` where it stopped, so that what
is appended costs no second look at what was there. Where the figures come from:

- omp and pi: `usage` of the agent's messages, of `model_usage` entries, and `details.usage`
  of what the `task` tool returned, added up.
- Claude Code: `usage` of its messages; a message is stored in several lines that repeat it,
  and counts once, as it was told last.
- Codex: the last total of a run of totals that only rise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from sessiontui.catalog.signals import read_signal
from sessiontui.formats.jsonl import BadLine

if TYPE_CHECKING:
    from sessiontui.formats.jsonl import Item

MAX_MODELS: Final = 16
"""How many models of a session are named."""
_RECENT: Final = 64
"""Over how many messages of Claude Code the lines of one may be spread."""
_MODEL_LENGTH: Final = 100
_MOST: Final = 10**15
"""Larger numbers are mistakes, and count as nothing."""
_HEADINGS: Final = frozenset({"title", "session", "session_meta"})
"""Lines that are about the session and no part of it."""


class Tokens(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Numbers of tokens, and what they cost."""

    input: int = 0
    """Without those that were read from or written to a cache."""
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cost: float = 0.0
    """US dollars, as far as the agent recorded them."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.input + self.output + self.cache_read + self.cache_write

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
            self.cost + other.cost,
        )


NO_TOKENS: Final = Tokens()


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
        if isinstance(item, BadLine) or item.type in _HEADINGS:
            return
        state, data = self._state, item.data
        state.entries += 1
        match item.type:
            case "message":
                self._message(_mapping(data.get("message")))
            case "model_usage":
                self._used(_tokens(data.get("usage")), data.get("model"))
            case "user" | "response_item":
                sign = None if data.get("isSidechain") is True else read_signal(item)
                state.turns += sign is not None and sign.text is not None
            case "assistant":
                self._claude_answer(_mapping(data.get("message")), data)
            case "event_msg":
                self._codex_event(_mapping(data.get("payload")))
            case "turn_context":
                self._name(_mapping(data.get("payload")).get("model"))
            case _:
                pass

    def _message(self, message: dict[str, Any]) -> None:
        """Count a message of omp or pi."""
        match message.get("role"):
            case "user":
                by_agent = message.get("attribution") == "agent" or message.get("synthetic") is True
                self._state.turns += not by_agent
            case "assistant":
                self._used(_tokens(message.get("usage")), message.get("model"))
            case "toolResult" if message.get("toolName") == "task":
                self._used(_tokens(_mapping(message.get("details")).get("usage")))
            case _:
                pass

    def _claude_answer(self, message: dict[str, Any], data: dict[str, Any]) -> None:
        used = _tokens(message.get("usage"), cost=data.get("costUSD"))
        model = message.get("model")
        message_id = message.get("id")
        if not isinstance(message_id, str):
            self._used(used, model)
            return
        recent = self._state.recent
        before = recent.pop(message_id, NO_TOKENS)
        recent[message_id] = used
        if len(recent) > _RECENT:
            del recent[next(iter(recent))]
        self._used(_without(used, before), None if model == "<synthetic>" else model)

    def _codex_event(self, payload: dict[str, Any]) -> None:
        match payload.get("type"):
            case "user_message":
                self._state.told_turns += 1
            case "token_count":
                info = _mapping(payload.get("info"))
                if not isinstance(info.get("total_token_usage"), dict):
                    return
                total = _tokens(info["total_token_usage"])
                state = self._state
                if total.total < state.running.total:
                    state.tokens += state.running  # It began anew.
                state.running = total
            case _:
                pass

    def _used(self, tokens: Tokens, model: object = None) -> None:
        self._state.tokens += tokens
        self._name(model)

    def _name(self, model: object) -> None:
        models = self._state.models
        if isinstance(model, str) and model and len(models) < MAX_MODELS:
            name = model[:_MODEL_LENGTH]
            if name not in models:
                models.append(name)


def _tokens(value: object, *, cost: object = None) -> Tokens:
    """Return what a usage object of any of the agents tells."""
    data = _mapping(value)
    cached = _number(data.get("cached_input_tokens"))
    written = _number(data.get("cache_write_input_tokens"))
    # Codex counts what it read from a cache among what went in, all others beside it.
    plain = max(0, _number(data.get("input_tokens")) - cached - written)
    dollars = _mapping(data.get("cost")).get("total") if cost is None else cost
    return Tokens(
        input=_number(data.get("input")) + plain,
        output=_number(data.get("output")) + _number(data.get("output_tokens")),
        cache_read=_number(data.get("cacheRead"))
        + _number(data.get("cache_read_input_tokens"))
        + cached,
        cache_write=_number(data.get("cacheWrite"))
        + _number(data.get("cache_creation_input_tokens"))
        + written,
        cost=_amount(dollars),
    )


def _without(tokens: Tokens, other: Tokens) -> Tokens:
    return Tokens(
        tokens.input - other.input,
        tokens.output - other.output,
        tokens.cache_read - other.cache_read,
        tokens.cache_write - other.cache_write,
        tokens.cost - other.cost,
    )


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> int:
    return int(_amount(value))


def _amount(value: object) -> float:
    """Return a number that can be one of these, 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return value if 0 <= value < _MOST else 0
