"""Claude Code: its records, where it keeps sessions, and whether it runs one.

Each interactive Claude Code keeps `<root>/sessions/<pid>.json` with the id of the session
it has open now, and removes it when it leaves; a crash leaves it behind, and its number may
go to another process. So the start of the process is compared: `procStart` is the figure of
`/proc/<pid>/stat` on Linux and a time in UTC as `ps -o lstart` writes it on macOS; `startedAt`
is when the file was first written. `pidDomain` names the machine and the namespace that the
number belongs to. None of that is documented: what is missing proves nothing.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import msgspec

from sessiontui.formats.base import (
    NO_CALL_IDS,
    NO_USAGE,
    UNKNOWN_PARENT,
    UNREADABLE,
    ByteMarks,
    CallIds,
    EntryLink,
    EntryUsage,
    Evidence,
    FileName,
    Format,
    Header,
    Signal,
    content_objects,
    header_of_records,
    message_call_ids,
    message_signal,
    message_text,
    open_calls,
    parent_link,
    says_something,
    string,
    strings,
    strongest,
    tokens,
)
from sessiontui.formats.blocks import (
    FOLDED_SUMMARY,
    FOLDED_TEXT,
    Block,
    Result,
    compact_json,
    content_part,
    content_text,
    count_value,
    first_line,
    first_text,
    items,
    json_part,
    mapping,
    note_block,
    number_value,
    text,
    text_part,
)
from sessiontui.formats.omp import assistant_blocks, error_block
from sessiontui.formats.processes import living, open_regular, parsed_start
from sessiontui.formats.title_slot import Title, TitleSource, title_line
from sessiontui.formats.tools import unpaired_result_block

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sessiontui.formats.base import TurnEnd
    from sessiontui.formats.blocks import CallPairing
    from sessiontui.formats.jsonl import Entry
    from sessiontui.formats.processes import Process

_FRAME = {
    "type", "uuid", "parentUuid", "sessionId", "session_id", "timestamp", "isSidechain", "userType",
    "cwd", "version", "gitBranch", "entrypoint", "slug", "isMeta",
}  # fmt: skip
"""Fields that every record has, and that say nothing about this one."""

_TITLES = {"custom-title": "customTitle", "ai-title": "aiTitle", "agent-name": "agentName"}


def _blocks(item: Entry, pairing: CallPairing) -> tuple[Block, ...] | None:
    data = item.data
    message = mapping(data.get("message"))
    if item.type == "assistant" and message:
        return _assistant(item, message, pairing)
    if item.type == "user" and message:
        return _user(item, message, pairing)
    if item.type == "system":
        return (_system(item),)
    if item.type == "summary" and "summary" in data:
        return (note_block(item, "summary", text(data.get("summary"))),)
    if item.type in _TITLES:
        return (note_block(item, "title", text(data.get(_TITLES[item.type]))),)
    if item.type == "attachment":
        attachment = mapping(data.get("attachment"))
        return (_event(item, first_text(attachment, "type") or "attachment", attachment),)
    if item.type == "progress":
        progress = mapping(data.get("data"))
        return (_event(item, first_text(progress, "type") or "progress", progress),)
    if "sessionId" in data or item.type == "file-history-snapshot":
        rest = {key: value for key, value in data.items() if key not in _FRAME}
        return (_event(item, item.type, rest),)
    return None


def _results(item: Entry) -> tuple[Result, ...]:
    if item.type != "user":
        return ()
    found = []
    for piece in items(mapping(item.data.get("message")).get("content")):
        data = mapping(piece)
        if data.get("type") == "tool_result":
            found.append(
                Result(
                    call_id=text(data.get("tool_use_id")),
                    tool="",
                    part=content_part(data.get("content")),
                    offset=item.offset,
                    time_ms=item.timestamp_ms,
                    error=data.get("is_error") is True,
                    details=mapping(item.data.get("toolUseResult")),
                )
            )
    return tuple(found)


def _assistant(item: Entry, message: dict[str, Any], pairing: CallPairing) -> tuple[Block, ...]:
    if item.data.get("isApiErrorMessage") is True:
        return (error_block(item, "error", content_text(message.get("content"))),)
    reason = {"max_tokens": "length"}.get(text(message.get("stop_reason")), "")
    if item.data.get("isAbortedMidStream") is True:
        reason = "aborted"
    return assistant_blocks(item, {**message, "stopReason": reason}, pairing)


def _user(item: Entry, message: dict[str, Any], pairing: CallPairing) -> tuple[Block, ...]:
    """Return what a person wrote, without the results that a call's own block shows."""
    found = [
        unpaired_result_block(result)
        for result in _results(item)
        if not pairing.is_shown(result.call_id, item.offset)
    ]
    content = message.get("content")
    if isinstance(content, list):
        content = [piece for piece in content if mapping(piece).get("type") != "tool_result"]
        if not content:
            return tuple(found)
    words = content_text(content)
    heading, folded = "You", None
    if item.data.get("isCompactSummary") is True:
        heading, folded = "Summary", FOLDED_SUMMARY
    elif item.data.get("isMeta") is True or words.startswith(("<command-", "<local-command-")):
        heading, folded = "Command", FOLDED_TEXT
    block = Block(
        kind="user" if folded is None else "message",
        offset=item.offset,
        heading=heading,
        time_ms=item.timestamp_ms,
        parts=(text_part("markdown", words),),
        folded=folded,
    )
    return (block, *found)


def _system(item: Entry) -> Block:
    data = item.data
    kind = first_text(data, "subtype") or "system"
    if kind == "compact_boundary":
        before = count_value(mapping(data.get("compactMetadata")).get("preTokens"))
        meta = (f"{before:,} tokens before",) if before else ()
        return Block(
            kind="summary",
            offset=item.offset,
            heading="Compaction",
            detail=first_line(data.get("content")),
            time_ms=item.timestamp_ms,
            meta=meta,
        )
    if kind in {"api_error", "error"} or "refusal" in kind:
        error = mapping(data.get("error"))
        why = first_text(error, "formatted", "message") or first_text(
            data, "apiRefusalExplanation", "content"
        )
        return error_block(item, kind.replace("_", " "), why or compact_json(error))
    if kind == "turn_duration":
        return note_block(item, "turn", duration_ms=number_value(data.get("durationMs")))
    content = first_text(data, "content")
    if content:
        return note_block(item, kind.replace("_", " "), content)
    return _event(item, kind, {key: value for key, value in data.items() if key not in _FRAME})


def _event(item: Entry, kind: str, rest: dict[str, Any]) -> Block:
    rest = {key: value for key, value in rest.items() if key != "type" and value not in ("", None)}
    return Block(
        kind="note",
        offset=item.offset,
        heading=first_line(kind).replace("_", " "),
        detail=compact_json(rest, 300) if rest else "",
        time_ms=item.timestamp_ms,
        parts=(json_part(rest),) if rest else (),
        brief=(),
        folded=0 if rest else None,
    )


_NAME = re.compile(r"([1-9]\d{0,9})\.json")
_MOST_FILES: Final = 1000
_LONGEST: Final = 1 << 16
_READS: Final = 3
"""A file that is just being written is read so often."""
_SLACK_MS: Final = 2000
"""Times of a start that differ by less mean the same one: they are told in whole seconds."""
_ELSEWHERE_MS: Final = 12 * 3_600_000
"""Of a process of another machine only the file tells: it counts for this long."""


class Registry(NamedTuple):
    """What the registry of one root tells."""

    sessions: dict[str, Evidence]
    """By session id."""
    pids: frozenset[int]
    """Processes whose sessions are known by it."""

    def evidence(self, session_id: str) -> Evidence | None:
        """Return what it tells of a session; None where it tells nothing."""
        return self.sessions.get(session_id)

    def accounts_for(self, process: Process) -> bool:
        """Tell whether it says which session a process has open."""
        return process.pid in self.pids


def read_registry(root: Path, now_ms: int) -> Registry:
    """Return what the registry of a root tells; empty where there is none."""
    records = dict(_records(root / "sessions"))
    processes = living(records.keys())
    sessions: dict[str, Evidence] = {}
    known: set[int] = set()
    for pid, record in records.items():
        session_id = record.get("sessionId")
        if not isinstance(session_id, str):
            continue
        trace = _judged(record, pid, processes.get(pid), now_ms)
        if trace is None:
            continue
        if trace.state != "gone":
            known.add(pid)
        counts = strongest((sessions.get(session_id), trace))
        sessions[session_id] = counts or trace
    return Registry(sessions, frozenset(known))


def _records(folder: Path) -> list[tuple[int, dict[str, Any]]]:
    """Return the records of the registry by process; each with when it was written."""
    found: list[tuple[int, dict[str, Any]]] = []
    try:
        files = list(folder.iterdir())
    except OSError:
        return found
    for file in files:
        match = _NAME.fullmatch(file.name)
        record = _record(file) if match else None
        if match is None or record is None:
            continue
        pid = record.get("pid")
        found.append((pid if isinstance(pid, int) and pid > 1 else int(match[1]), record))
        if len(found) >= _MOST_FILES:
            break
    return found


def _record(file: Path) -> dict[str, Any] | None:
    for _ in range(_READS):
        try:
            with open_regular(file) as opened:
                record = msgspec.json.decode(opened.read(_LONGEST))
                written_ms = os.fstat(opened.fileno()).st_mtime_ns // 1_000_000
        except msgspec.DecodeError:
            continue
        except OSError:
            return None
        if not isinstance(record, dict):
            return None
        updated = record.get("updatedAt")
        updated = updated if isinstance(updated, int | float) else 0
        return {**record, "written": max(int(updated), written_ms)}
    return None


def _judged(
    record: Mapping[str, Any], pid: int, process: Process | None, now_ms: int
) -> Evidence | None:
    """Return what a record says now that its process is known, or known to be none."""
    written_ms = int(record["written"])
    if _is_elsewhere(record.get("pidDomain")):
        if now_ms - written_ms > _ELSEWHERE_MS:
            return None
        return Evidence("maybe", "Claude Code may be running it on another machine or container")
    gone = Evidence("gone", f"Claude Code has left it (pid {pid} is gone)", written_ms)
    if process is None:
        return gone
    same = _is_same(record, process)
    if same:
        return Evidence("running", f"Claude Code is running it (pid {pid})")
    looks_so = not process.command or process.mentions("claude")
    # A clock that was set since makes times differ; the figure of the system does not change.
    if same is False and (not looks_so or _is_figure(record.get("procStart"))):
        return gone
    if looks_so:
        return Evidence("maybe", f"Claude Code may be running it (pid {pid})")
    return None


def _is_same(record: Mapping[str, Any], process: Process) -> bool | None:
    """Tell whether a process is the one that wrote the record; None where nothing tells."""
    start = record.get("procStart")
    if _is_figure(start) and process.ticks is not None:
        return str(start) == process.ticks
    if process.started_ms is None:
        return None
    times = parsed_start(start) if isinstance(start, str) else []
    if times:
        return any(abs(when - process.started_ms) < _SLACK_MS for when in times)
    begun = record.get("startedAt")
    if isinstance(begun, str):
        times = parsed_start(begun)
    elif isinstance(begun, int | float) and not isinstance(begun, bool):
        times = [int(begun)]
    # It writes the file once it is up: whoever was started later is another.
    return any(process.started_ms < when + _SLACK_MS for when in times) if times else None


def _is_figure(start: object) -> bool:
    return isinstance(start, str) and start.isdecimal()


def _is_elsewhere(domain: object) -> bool:
    """Tell whether a record names processes of another machine, or of another namespace.

    A part that is empty on either side is not known, and tells nothing.
    """
    if not isinstance(domain, str):
        return False
    theirs, own = domain.split(":", 2), _domain()
    return any(one and other and one != other for one, other in zip(theirs, own, strict=False))


def _domain() -> tuple[str, ...]:
    """Return platform, machine and namespace as Claude Code names them."""
    machine = namespace = ""
    with suppress(OSError):
        machine = Path("/etc/machine-id").read_text("ascii", "replace").strip()
    with suppress(OSError):
        namespace = str(Path("/proc/self/ns/pid").readlink())
    return sys.platform, machine, namespace


_NAME_OF_SESSION = re.compile(r"([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\.jsonl")
_SYNTHETIC: Final = ("<command-", "<local-command-", "<environment_context>", "<user_instructions>")
"""How messages in the user's name begin that Claude Code writes by itself."""
_SETTINGS: Final = frozenset(
    {
        "summary", "custom-title", "ai-title", "agent-name", "agent-color", "agent-setting",
        "mode", "permission-mode", "file-history-snapshot", "worktree-state", "bridge-session",
    }
)  # fmt: skip
"""Records that say nothing: they set a session up."""
_SETTING_FIELDS: Final = frozenset(
    {
        "cwd", "gitBranch", "summary", "customTitle", "aiTitle", "agentName", "snapshot",
        "worktree", "command", "hookName", "statusMessage",
    }
)  # fmt: skip
"""Their fields with blanks or lists in them."""
_ATTACHED: Final = frozenset(
    {
        "hook_success", "hook_additional_context", "skill_listing", "deferred_tools_delta",
        "mcp_instructions_delta", "agent_listing_delta", "command_permissions", "date_change",
    }
)  # fmt: skip
"""What it attaches by itself."""
_COMMANDS: Final = frozenset(
    {
        "clear", "config", "cost", "doctor", "exit", "help", "ide", "login", "logout", "mcp",
        "model", "permissions", "quit", "resume", "status", "theme", "usage", "vim",
    }
)  # fmt: skip
"""Commands that say nothing to a model."""
_ELEMENT = re.compile(
    r"\s*<(local-command-(?:caveat|stdout|stderr)|command-(?:name|message|args))>(.*?)</\1>\s*",
    re.DOTALL,
)
_CAVEAT: Final = "Caveat: The messages below were generated by the user while running local"
_SIDECHAIN: Final = frozenset({"progress", "attachment", "system", "file-history-snapshot"})


class Claude(Format):
    """Claude Code."""

    agent = "claude"
    name = "Claude Code"
    types = _SETTINGS | {"user", "assistant", "system", "attachment", "progress"}
    resume = ("claude", "--resume", "{id}")
    home_name = ".claude"
    home_variable = "CLAUDE_CONFIG_DIR"
    session_folders = ("projects",)
    marks = ByteMarks(
        calls=(b'"type":"tool_use"',),
        failures=(b'"is_error":true', b'"isApiErrorMessage":true'),
        titles=(b'"custom-title"', b'"ai-title"'),
    )

    def file_name(self, name: str) -> FileName | None:
        """Return the id of `<id>.jsonl`."""
        match = _NAME_OF_SESSION.fullmatch(name)
        return FileName(match[1]) if match else None

    def recognises(self, entry: Entry) -> Literal["no", "certain"]:
        """Tell by the fields that its records have."""
        data = entry.data
        own = isinstance(data.get("sessionId"), str) or "leafUuid" in data or "parentUuid" in data
        return "certain" if own else "no"

    def header(self, entries: Sequence[Entry]) -> Header:
        """Return what stands in any of the first records: there is no header."""
        return header_of_records(entries)

    def signal(self, entry: Entry) -> Signal | None:
        """Return what messages, titles and summaries change."""
        data = entry.data
        match entry.type:
            case "user":
                return _user_signal(data)
            case "assistant":
                return _assistant_signal(entry, data)
            case "custom-title":
                return _title_signal(data, "customTitle", "user")
            case "ai-title":
                return _title_signal(data, "aiTitle", "auto")
            case "summary" if "leafUuid" in data and (summary := string(data.get("summary"))):
                return Signal(summary=title_line(summary))
            case _:
                return None

    def says_nothing(self, entry: Entry) -> bool:
        """Tell whether a record sets the session up, or is a command that no model hears of."""
        data = entry.data
        match entry.type:
            case "progress":
                kind = mapping(data.get("data")).get("type")
                return kind == "hook_progress" and not says_something(data, _SETTING_FIELDS)
            case "attachment":
                kind = mapping(data.get("attachment")).get("type")
                return isinstance(kind, str) and kind in _ATTACHED
            case "system":
                return data.get("subtype") == "local_command" and _is_local(data.get("content"))
            case "user":
                message = mapping(data.get("message"))
                content = message.get("content")
                if message.get("role") != "user":
                    return False
                if data.get("isMeta") is True and isinstance(content, str):
                    return content.startswith(_CAVEAT) or _is_local(content)
                return _is_local(content)
            case _:
                return entry.type in _SETTINGS and not says_something(data, _SETTING_FIELDS)

    def usage(self, entry: Entry) -> EntryUsage:
        """Return `usage` of a message: its lines repeat it, and the last one counts."""
        data = entry.data
        if entry.type == "user":
            said = None if data.get("isSidechain") is True else _user_signal(data)
            return EntryUsage(turn="turn" if said is not None and said.text is not None else "")
        if entry.type != "assistant":
            return NO_USAGE
        message = mapping(data.get("message"))
        used = tokens(message.get("usage"), cost=data.get("costUSD"))
        model = message.get("model")
        message_id = message.get("id")
        if not isinstance(message_id, str):
            return EntryUsage(tokens=used, model=model)
        return EntryUsage(
            tokens=used,
            counts="by message",
            message_id=message_id,
            model=None if model == "<synthetic>" else model,
        )

    def link(self, entry: Entry) -> EntryLink:
        """Return the link by `uuid` and `parentUuid`."""
        data = entry.data
        if "uuid" not in data:
            return parent_link(entry)
        if not entry.id:
            return UNREADABLE
        parent = first_text(data, "parentUuid", "logicalParentUuid") or UNKNOWN_PARENT
        if entry.type == "system" and data.get("subtype") == "compact_boundary":
            return EntryLink("entry", entry.id, parent, "compaction")
        message = mapping(data.get("message"))
        pieces = content_objects(message.get("content"))
        if (
            data.get("isSidechain") is True
            or entry.type in _SIDECHAIN
            or any(piece.get("type") == "tool_result" for piece in pieces)
        ):
            return EntryLink("sidechain", entry.id, parent)
        group = message.get("id") if entry.type == "assistant" else ""
        return EntryLink("entry", entry.id, parent, group=group if isinstance(group, str) else "")

    def in_context(self, entry: Entry) -> bool:
        """Tell whether a record is a message of the main chain, or where it was compacted."""
        if entry.type == "system":
            return entry.data.get("subtype") == "compact_boundary"
        return entry.type in ("user", "assistant") and entry.data.get("isSidechain") is not True

    def blocks(self, entry: Entry, pairing: CallPairing) -> tuple[Block, ...] | None:
        """Return the blocks of any record that is its own."""
        return _blocks(entry, pairing)

    def results(self, entry: Entry) -> tuple[Result, ...]:
        """Return the results of tool calls that a user record holds."""
        return _results(entry)

    def call_ids(self, entry: Entry) -> CallIds:
        """Return the calls in a message's content."""
        message = entry.data.get("message")
        return message_call_ids(message) if isinstance(message, dict) else NO_CALL_IDS

    def live(self, home: Path, now_ms: int) -> Registry:
        """Return what `<home>/sessions/` tells."""
        return read_registry(home, now_ms)


def _user_signal(data: dict[str, Any]) -> Signal | None:
    message = data.get("message")
    if not isinstance(message, dict):
        return None
    content = message.get("content")
    results = [piece for piece in content_objects(content) if piece.get("type") == "tool_result"]
    if results:
        returned = strings(*(piece.get("tool_use_id") for piece in results))
        return message_signal("results", returned=returned)
    said = message_text(content)
    if said.startswith("[Request interrupted by user"):
        return message_signal("aborted")
    if data.get("isMeta") is True or said.lstrip().startswith(_SYNTHETIC):
        return None
    return message_signal("user", text=None if data.get("isCompactSummary") is True else said)


def _assistant_signal(entry: Entry, data: dict[str, Any]) -> Signal | None:
    message = data.get("message")
    if not isinstance(message, dict):
        return None
    if data.get("isApiErrorMessage") is True:
        return message_signal("error")
    model = string(message.get("model"))
    model = None if model == "<synthetic>" else model
    content = message.get("content")
    calls = open_calls(content, "tool_use", entry.timestamp_ms)
    if calls:
        # Calls made at once stand on lines of their own.
        return message_signal("calls", started=calls, model=model)
    kinds = [piece.get("type") for piece in content_objects(content)]
    if kinds and all(kind in ("thinking", "redacted_thinking") for kind in kinds):
        return Signal(model=model)  # the rest of the message follows on lines of its own
    ended: TurnEnd = "cut" if message.get("stop_reason") == "max_tokens" else "answer"
    return message_signal(ended, model=model)


def _title_signal(data: dict[str, Any], key: str, source: TitleSource) -> Signal | None:
    title = string(data.get(key))
    return Signal(name=Title(title_line(title), source)) if title else None


def _is_local(content: object) -> bool:
    """Tell whether a text is a command that says nothing to a model, or what it answered."""
    if not isinstance(content, str) or not content.strip():
        return False
    at, command, arguments = 0, None, ""
    while at < len(content):
        element = _ELEMENT.match(content, at)
        if element is None:
            return False
        at = element.end()
        if element[1] == "command-name":
            command = element[2].strip().removeprefix("/")
        elif element[1] == "command-args":
            arguments = element[2].strip()
    if command is None:
        return not arguments
    return command in _COMMANDS and (not arguments or command == "model")


CLAUDE: Final = Claude()
