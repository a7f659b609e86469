"""What sessiontui knows of an agent: the protocol that each agent's module fulfils.

    class Claude(Format): …              # in `formats/claude.py`, with one instance `CLAUDE`
    FORMATS = (OMP, PI, CODEX, CLAUDE)   # in `formats/registry.py`

A format answers for the records that its agent writes. Records are hostile: any field may be of
any type. A record is read by the format that owns its type, so that a file in which the records
of several agents stand is read right, too. Times are milliseconds since the epoch, sizes bytes.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

import msgspec

from sessiontui.formats.blocks import mapping, number_value, text
from sessiontui.formats.title_slot import Title  # noqa: TC001 - read by msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from sessiontui.formats.blocks import Block, CallPairing, Result
    from sessiontui.formats.jsonl import Entry
    from sessiontui.formats.processes import Process

Agent = str
"""An agent's short name, as filters and the configuration have it: a key of the registry."""
UNKNOWN_AGENT: Final[Agent] = "unknown"

TurnEnd = Literal["user", "answer", "calls", "results", "error", "aborted", "cut"]
"""How the conversation stands after its last message, whichever agent wrote it: the
user spoke; the agent answered, called tools, failed, was aborted or ran out of
tokens; a tool returned."""

RecordedStatus = Literal["complete", "interrupted", "pending", "error", "aborted", "unknown"]
"""omp's six words, by omp's rule."""

MAX_CALLS: Final = 32
"""How many unanswered tool calls are kept."""


class OpenCall(msgspec.Struct, frozen=True, gc=False):
    """An open tool call: it has no result yet."""

    id: str
    name: str
    since_ms: int | None


class Signal(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The signal of an entry: what it changes in a session's state.

    Fields that are not set change nothing.
    """

    ending: TurnEnd | None = None
    word: RecordedStatus | None = None
    """omp's status word; set by every message, also one that changes no ending."""
    calls: tuple[OpenCall, ...] = ()
    """All tool calls that wait for results from here on."""
    started: tuple[OpenCall, ...] = ()
    """Tool calls that wait for results beside those known before."""
    returned: tuple[str, ...] = ()
    """Ids of calls that have their results now."""
    exit_kind: str | None = None
    text: str | None = None
    """What the user wrote."""
    name: Title | None = None
    summary: str | None = None
    model: str | None = None


class Header(NamedTuple):
    """What the beginning of a session tells of the whole; None where it does not."""

    id: str | None = None
    cwd: str | None = None
    created_ms: int | None = None
    parent: str | None = None
    """The session it continues: an id or a path."""
    title: Title | None = None
    model: str | None = None


class FileName(NamedTuple):
    """What the name of a session file tells; None where it does not."""

    id: str | None = None
    created_ms: int | None = None


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

    def __sub__(self, other: Tokens) -> Tokens:
        return Tokens(
            self.input - other.input,
            self.output - other.output,
            self.cache_read - other.cache_read,
            self.cache_write - other.cache_write,
            self.cost - other.cost,
        )


NO_TOKENS: Final = Tokens()


class EntryUsage(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What an entry adds to the stats of its session."""

    is_part: bool = True
    """Whether it is part of the session, and not about it, as headers and title slots are."""
    turn: Literal["", "turn", "event"] = ""
    """Whether the user wrote here; where a session has events of it, those alone count."""
    tokens: Tokens = NO_TOKENS
    counts: Literal["once", "by message", "so far"] = "once"
    """`by message`: the last entry with this `message_id` counts. `so far`: a running total; a
    lower one than before begins anew."""
    message_id: str = ""
    model: object = None
    """As stored; a name only if it is a string."""


NO_USAGE: Final = EntryUsage()
"""Of an entry that is part of the session, and adds nothing else."""


LinkRole = Literal[
    "entry",  # a link of the chain
    "sidechain",  # a link that is shown whatever branch it is of: progress, results
    "unknown",  # it may be a link: nobody can tell
    "unlinked",  # it is none
]
UNKNOWN_PARENT: Final = ""
"""The parent of a link that does not tell it, and follows something all the same."""


class EntryLink(NamedTuple):
    """The link of an entry: its id and its parent's."""

    role: LinkRole
    id: str = ""
    parent: str | None = None
    """Id of the entry it follows; None for the first, `UNKNOWN_PARENT` where nobody can tell."""
    cut: Literal["", "compaction", "reset"] = ""
    """Whether the model sees nothing before it any more, but for what is kept."""
    kept: str = ""
    """Id of the first entry before a compaction that the model still sees."""
    kept_number: int = -1
    """Number of that entry from the beginning of the session, where it has no id."""
    group: str = ""
    """Links of one group belong together, though one of them alone is followed."""


UNLINKED: Final = EntryLink("unlinked")
UNREADABLE: Final = EntryLink("unknown")


class CallIds(NamedTuple):
    """The ids of tool calls on a line: calls, results, starts."""

    calls: tuple[str, ...] = ()
    """It makes these calls."""
    results: tuple[str, ...] = ()
    """It holds the results of these."""
    starts: tuple[str, ...] = ()
    """It records that these began to run."""


NO_CALL_IDS: Final = CallIds()


class ByteMarks(NamedTuple):
    """Bytes that stand for something in the lines of an agent; they are counted, not decoded."""

    calls: tuple[bytes, ...] = ()
    failures: tuple[bytes, ...] = ()
    titles: tuple[bytes, ...] = ()
    """Lines with one of these may name the session."""


class Evidence(NamedTuple):
    """What one trace says of a session's agent."""

    state: Literal["running", "maybe", "gone"]
    """`running` and `gone` are proven, `maybe` is a guess."""
    reason: str
    """In plain words: `Claude Code is running it (pid 1234)`."""
    as_of_ms: int | None = None
    """When the trace was left, in milliseconds since the epoch; None where it is of now.

    Of an agent that is gone: what changed long after it was the work of another.
    """


_WEIGHT: Final = {"gone": 0, "maybe": 1, "running": 2}


def strongest(traces: Iterable[Evidence | None]) -> Evidence | None:
    """Return the trace that counts: an agent that runs before a guess, that before one gone."""
    known = [trace for trace in traces if trace is not None]
    return max(known, key=lambda trace: (_WEIGHT[trace.state], trace.as_of_ms or 0), default=None)


class LiveRegistry(Protocol):
    """What the agent of one home tells of the sessions that it runs."""

    def evidence(self, session_id: str) -> Evidence | None:
        """Return what it tells of a session; None where it tells nothing."""
        ...

    def accounts_for(self, process: Process) -> bool:
        """Tell whether it says which session a process of the agent has open, if any."""
        ...


class Format(Protocol):
    """What is known of one agent.

    Subclass it: what is abstract is asked of every agent; the rest has an answer for most.
    """

    agent: Agent
    name: str
    """How the agent calls itself."""
    types: frozenset[str]
    """The types of the records that it reads."""
    resume: tuple[str, ...]
    """The words of the command that resumes a session; `{id}`, `{path}` and `{cwd}` stand for
    the session's. A path is used where the agent takes one: it never means another session."""
    marks: ByteMarks
    header_type: str | None = None
    """The type of the record that a session begins with; None: there is none."""
    is_tree: bool = False
    """Whether entries name their parents by `parentId`, after a header of type `session`."""
    status_bytes: int | None = None
    """Its own status looks for the last message in so many bytes before the end; None: all."""

    home_name: str = ""
    """The agent's own folder in the user's home, if it keeps more there than sessions."""
    home_variable: str = ""
    """The environment variable that may name another."""
    session_folders: tuple[str, ...] = ()
    """The folders of sessions in there."""

    # Where sessions are.

    def roots(self, environ: Mapping[str, str], home: Path) -> list[Path]:
        """Return the folders where it keeps sessions, the likeliest first; they need not exist.

        Args:
            environ: Environment variables, which may move them.
            home: The user's home folder.
        """
        homes = self.homes(environ, home)
        return [root / name for root in homes for name in self.session_folders]

    @abstractmethod
    def file_name(self, name: str) -> FileName | None:
        """Return what the name of a session file tells; None for a name it gives no session."""

    def side_folder(self, path: str) -> str:
        """Return the folder of a session's further files, beside it, with a slash at its end."""
        return path.removesuffix(".jsonl") + "/"

    # What its records tell.

    @abstractmethod
    def recognises(self, entry: Entry) -> Literal["no", "likely", "certain"]:
        """Tell whether the agent wrote a session with this entry in it."""

    @abstractmethod
    def header(self, entries: Sequence[Entry]) -> Header:
        """Return what the first entries of a session tell of the whole."""

    @abstractmethod
    def signal(self, entry: Entry) -> Signal | None:
        """Return what an entry changes in the session's state; None where nothing."""

    @abstractmethod
    def says_nothing(self, entry: Entry) -> bool:
        """Tell whether it is certain that an entry holds nothing that anybody said."""

    @abstractmethod
    def usage(self, entry: Entry) -> EntryUsage:
        """Return what an entry adds to the stats."""

    @abstractmethod
    def link(self, entry: Entry) -> EntryLink:
        """Return how an entry is linked to others."""

    @abstractmethod
    def in_context(self, entry: Entry) -> bool:
        """Tell whether a model is sent what an entry holds."""

    # How its records show.

    @abstractmethod
    def blocks(self, entry: Entry, pairing: CallPairing) -> tuple[Block, ...] | None:
        """Return the display blocks of an entry, none if another shows it; None if not known."""

    @abstractmethod
    def results(self, entry: Entry) -> tuple[Result, ...]:
        """Return the results of tool calls that an entry holds."""

    @abstractmethod
    def call_ids(self, entry: Entry) -> CallIds:
        """Return the tool calls that an entry makes, answers and starts."""

    # Titles.

    def no_title(self, *, has_slot: bool) -> str | None:
        """Return why a title cannot be stored, a sentence; None where it goes into the slot."""
        del has_slot
        return f"{self.name} keeps no title in its sessions; only the path can change."

    # Whether it runs.

    def homes(self, environ: Mapping[str, str], home: Path) -> list[Path]:
        """Return the agent's own folders, the moved one first; arguments as `roots`."""
        if not self.home_name:
            return []
        moved = environ.get(self.home_variable)
        return [*([Path(moved)] if moved else []), home / self.home_name]

    def home_of(self, file: Path) -> Path | None:
        """Return the agent's own folder to which a session file belongs, by where it lies."""
        names = self.session_folders
        folder = next((folder for folder in file.parents if folder.name in names), None)
        return None if folder is None else folder.parent

    def live(self, home: Path, now_ms: int) -> LiveRegistry | None:
        """Return what it tells in a home; costs what is registered there, never a session."""
        del home, now_ms
        return None

    def lock(self, file: Path) -> Evidence | None:
        """Return what locks beside a session file tell."""
        del file
        return None

    def tells_leaving(self, *, has_slot: bool) -> bool:
        """Tell whether it writes into the session when it leaves it."""
        del has_slot
        return False


class Translator(Protocol):
    """A pure function from the records of an agent to entries of omp's shape.

    For agents of which nothing more is needed: what is translated is shown, counted and
    searched as omp's is; the stored bytes stay what they are.
    """

    agent: Agent
    name: str
    types: frozenset[str]
    """The types of its records; `""` for records without one."""
    marks: ByteMarks = ByteMarks()

    def translate(self, data: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """Return the entries; None for a record of another agent's shape.

        What tells of the session is an entry of type `session`, or `sessionId` and `cwd` kept in
        every entry.
        """
        ...


# Helpers for what several agents write in one way.


def header_of_records(entries: Sequence[Entry]) -> Header:
    """Return the first `sessionId`, `cwd` and time, for agents that repeat them in each record."""
    data = [entry.data for entry in entries]
    times = (entry.timestamp_ms for entry in entries)
    return Header(
        id=next(filter(None, (string(one.get("sessionId")) for one in data)), None),
        cwd=next(filter(None, (string(one.get("cwd")) for one in data)), None),
        created_ms=next((when for when in times if when is not None), None),
    )


def content_objects(content: object) -> Iterator[dict[str, Any]]:
    """Yield the pieces of a message's content that are objects."""
    if isinstance(content, list):
        for piece in content:
            if isinstance(piece, dict):
                yield piece


def message_text(content: object) -> str:
    """Return the text of a message: the string, or its text pieces with blanks between."""
    if isinstance(content, str):
        return content
    kinds = ("text", "input_text", "output_text")
    texts = (piece.get("text") for piece in content_objects(content) if piece.get("type") in kinds)
    return " ".join(text for text in texts if isinstance(text, str))


def string(value: object) -> str | None:
    """Return a text that says something; None for anything else."""
    return value if isinstance(value, str) and value else None


def strings(*values: object) -> tuple[str, ...]:
    """Return those of the values that are texts."""
    return tuple(value for value in values if isinstance(value, str))


def open_calls(content: object, kind: str, since_ms: int | None) -> tuple[OpenCall, ...]:
    """Return the tool calls in a message's content, pieces of type `kind`."""
    calls = [
        OpenCall(string(piece.get("id")) or "", string(piece.get("name")) or "tool", since_ms)
        for piece in content_objects(content)
        if piece.get("type") == kind
    ]
    return tuple(calls[:MAX_CALLS])


_STATUS: Final[dict[TurnEnd, RecordedStatus]] = {
    "user": "pending",
    "answer": "complete",
    "calls": "interrupted",
    "results": "interrupted",
    "error": "error",
    "aborted": "aborted",
    "cut": "interrupted",
}


def message_signal(ending: TurnEnd, **fields: Any) -> Signal:
    """Return the signal of a message, with the status that it sets."""
    return Signal(ending=ending, word=_STATUS[ending], **fields)


_CALL_TYPES: Final = frozenset({"toolCall", "tool_use", "server_tool_use"})


def message_call_ids(message: object) -> CallIds:
    """Return the calls that a message makes or answers, in the pieces of its content."""
    message = mapping(message)
    role = text(message.get("role"))
    if role == "toolResult":
        call_id = text(message.get("toolCallId"))
        return CallIds(results=(call_id,)) if call_id else NO_CALL_IDS
    if role == "assistant":
        calls = _ids(message, _CALL_TYPES, "id")
        return CallIds(calls=calls) if calls else NO_CALL_IDS
    if role == "user":
        results = _ids(message, frozenset({"tool_result"}), "tool_use_id")
        return CallIds(results=results) if results else NO_CALL_IDS
    return NO_CALL_IDS


def _ids(message: dict[str, object], types: Collection[str], key: str) -> tuple[str, ...]:
    pieces = content_objects(message.get("content"))
    ids = (text(piece.get(key)) for piece in pieces if text(piece.get("type")) in types)
    return tuple(call_id for call_id in ids if call_id)


_MOST: Final = 10**15
"""Larger numbers are mistakes, and count as nothing."""


def tokens(value: object, *, cost: object = None) -> Tokens:
    """Return what a usage object of any of the agents tells."""
    data = mapping(value)
    cached = _number(data.get("cached_input_tokens"))
    written = _number(data.get("cache_write_input_tokens"))
    # Codex counts what it read from a cache among what went in, all others beside it.
    plain = max(0, _number(data.get("input_tokens")) - cached - written)
    dollars = mapping(data.get("cost")).get("total") if cost is None else cost
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


def _number(value: object) -> int:
    return int(_amount(value))


def _amount(value: object) -> float:
    """Return a number that can be one of these, 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return value if 0 <= value < _MOST else 0


_LONGEST_WORD: Final = 300
_BLANK = re.compile(r"\s")
_TEXT_FIELDS: Final = frozenset(
    {
        "message", "messages", "content", "text", "parts", "prompt", "task", "entries", "history",
        "turns", "conversation", "transcript",
    }
)  # fmt: skip
"""Fields in which text would stand, also in a record that has none of them as a rule."""


def says_something(value: object, known: Collection[str] = (), *, field: str = "") -> bool:
    """Tell whether a record that sets something up holds more than settings.

    Settings are numbers, single words, and objects of such. Anything else may be what somebody
    said: a text with blanks, a list of texts or objects, a field in which text stands as a rule.

    Args:
        value: The record, or a part of it.
        known: Fields of which the content is known to be no such thing, at any depth.
        field: The field that `value` is the content of.
    """
    if field in _TEXT_FIELDS:
        return isinstance(value, (str, dict, list)) and bool(value)
    if isinstance(value, dict):
        return any(
            says_something(inner, known, field=key)
            for key, inner in value.items()
            if key not in known
        )
    if isinstance(value, list):
        return any(isinstance(inner, (str, dict, list)) for inner in value)
    if not isinstance(value, str) or not value:
        return False
    return len(value) > _LONGEST_WORD or bool(_BLANK.search(value))


def unlinked(entry: Entry) -> EntryLink:
    """Return the link of an entry that names no parent: none, unless that was cut off."""
    cut_off = entry.partial and "id" not in entry.data and "type" in entry.data
    return UNREADABLE if cut_off else UNLINKED


def parent_link(entry: Entry) -> EntryLink:
    """Return the link of an entry that names its parent by `parentId`, if it does."""
    if "parentId" in entry.data and entry.id:
        return EntryLink("entry", entry.id, entry.parent_id)
    return unlinked(entry)


def kept_number(value: object) -> int:
    """Return the number of an entry that a compaction keeps; -1 where it names none."""
    known = isinstance(value, int) and not isinstance(value, bool)
    return number_value(value) if known else -1
