"""Codex: its records, where it keeps sessions, and whether it runs one.

A record has an outer type, and a payload with a type of its own.

Codex keeps `<root>/thread-writer-locks/<id>.lock` locked (`flock`) for as long as it may
write to a session, and removes it when it leaves; a crash leaves the file behind, unlocked.
Who takes or removes one has `.coordination.lock` locked meanwhile, and so have we where we
try one: otherwise Codex could find its own lock taken by us. Versions before 0.14x have none
of that: a lock that is missing proves nothing.
"""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from sessiontui.formats.base import (
    NO_CALL_IDS,
    NO_USAGE,
    ByteMarks,
    CallIds,
    EntryLink,
    EntryUsage,
    Evidence,
    FileName,
    Format,
    Header,
    OpenCall,
    Signal,
    content_objects,
    kept_number,
    message_signal,
    message_text,
    parent_link,
    says_something,
    string,
    strings,
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
    first_line,
    first_text,
    items,
    json_part,
    mapping,
    model_name,
    note_block,
    number_value,
    text,
    text_part,
    usage,
)
from sessiontui.formats.jsonl import read_json
from sessiontui.formats.omp import error_block
from sessiontui.formats.processes import lock_holder
from sessiontui.formats.title_slot import Title, title_line
from sessiontui.formats.tools import call_block, unpaired_result_block
from sessiontui.times import time_ms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sessiontui.formats.blocks import CallPairing
    from sessiontui.formats.jsonl import Entry
    from sessiontui.formats.processes import Process

_TYPES: Final = frozenset(
    {
        "session_meta", "turn_context", "response_item", "event_msg", "compacted", "world_state",
        "inter_agent_communication_metadata",
    }
)  # fmt: skip
_CALLS = {
    "function_call", "custom_tool_call", "local_shell_call", "web_search_call",
    "tool_search_call", "image_generation_call",
}  # fmt: skip
_OUTPUTS = {"function_call_output", "custom_tool_call_output", "tool_search_output"}


def _blocks(item: Entry, pairing: CallPairing) -> tuple[Block, ...] | None:
    payload = mapping(item.data.get("payload"))
    if not payload:
        return None
    if item.type == "response_item":
        return _response(item, payload, pairing)
    if item.type == "event_msg":
        return (_event_block(item, payload),)
    if item.type == "session_meta":
        detail = first_text(payload, "cwd", "id")
        version = first_text(payload, "cli_version")
        return (
            note_block(
                item, "session", detail, meta=(f"codex {first_line(version)}",), cut="middle"
            ),
        )
    if item.type == "turn_context":
        return (_folded(item, "turn", model_name(payload.get("model")), payload),)
    if item.type == "compacted":
        return (_compaction(item, payload),)
    return (_folded(item, item.type, compact_json(payload, 300), payload),)


def _results(item: Entry) -> tuple[Result, ...]:
    payload = mapping(item.data.get("payload"))
    if item.type != "response_item" or text(payload.get("type")) not in _OUTPUTS:
        return ()
    output, details = payload.get("output", payload.get("tools")), {}
    if isinstance(output, str) and output.startswith('{"output"'):
        try:
            wrapped = mapping(read_json(output))
        except ValueError:
            wrapped = {}
        output, details = wrapped.get("output", output), mapping(wrapped.get("metadata"))
    head, found, rest = _parted(output)
    if found:
        output, details = rest, {**details, **head}
    return (
        Result(
            call_id=text(payload.get("call_id")),
            tool="",
            part=content_part(output),
            offset=item.offset,
            time_ms=item.timestamp_ms,
            error=number_value(details.get("exit_code")) != 0,
            details=details,
        ),
    )


_EXIT = re.compile(r"(?:exited with code|Exit code:) (-?\d{1,9})")
_WALL = re.compile(r"Wall time: (\d{1,9}(?:\.\d{1,9})?) seconds")


def _parted(output: object) -> tuple[dict[str, int], bool, str]:
    """Return what the lines before an output tell, whether there are such, and the output."""
    head, found, _ = (output if isinstance(output, str) else "")[:400].partition("Output:\n")
    code, wall = _EXIT.search(head), _WALL.search(head)
    if not found or not isinstance(output, str) or not (code or wall):
        return {}, False, ""
    told = {"exit_code": int(code[1])} if code else {}
    if wall:
        told["wallTimeMs"] = round(float(wall[1]) * 1000)
    return told, True, output[len(head) + len(found) :]


def _response(item: Entry, payload: dict[str, Any], pairing: CallPairing) -> tuple[Block, ...]:
    kind = text(payload.get("type"))
    if kind == "message":
        return _message(item, payload)
    if kind == "reasoning":
        return _reasoning(item, payload)
    if kind in _CALLS:
        name = first_text(payload, "name") or kind.removesuffix("_call")
        given = payload.get("arguments") or payload.get("input") or payload.get("action")
        return (call_block(item, name, given, text(payload.get("call_id")), pairing),)
    if kind in _OUTPUTS:
        return tuple(
            unpaired_result_block(result)
            for result in _results(item)
            if not pairing.is_shown(result.call_id, item.offset)
        )
    return (_folded(item, kind, "", payload),)


def _message(item: Entry, payload: dict[str, Any]) -> tuple[Block, ...]:
    role = text(payload.get("role"))
    words = content_text(payload.get("content"))
    if role == "assistant":
        heading = Block(
            kind="assistant", offset=item.offset, heading="Codex", time_ms=item.timestamp_ms
        )
        part = text_part("markdown", words)
        return (heading, Block(kind="text", offset=item.offset, parts=(part,)))
    given = role != "user" or words.startswith(
        ("<environment_context", "<user_instructions", "# AGENTS.md")
    )
    return (
        Block(
            kind="message" if given else "user",
            offset=item.offset,
            heading="Instructions" if given else "You",
            time_ms=item.timestamp_ms,
            parts=(text_part("markdown", words),),
            folded=FOLDED_TEXT if given else None,
        ),
    )


def _reasoning(item: Entry, payload: dict[str, Any]) -> tuple[Block, ...]:
    words = "\n\n".join(
        filter(None, (content_text(payload.get("summary")), content_text(payload.get("content"))))
    )
    if not words:
        return (note_block(item, "reasoning", "sealed by its provider"),)
    heading = Block(
        kind="assistant",
        offset=item.offset,
        heading="Codex",
        time_ms=item.timestamp_ms,
        silent=True,
    )
    part = text_part("thinking", words)
    return (
        heading,
        Block(kind="thinking", offset=item.offset, parts=(part,), folded=FOLDED_TEXT),
    )


def _event_block(item: Entry, payload: dict[str, Any]) -> Block:
    kind = text(payload.get("type"))
    words = first_text(payload, "message", "text", "last_agent_message", "reason")
    if kind == "error":
        return error_block(item, "error", words)
    if kind == "turn_aborted":
        return note_block(item, "aborted", words, error=True)
    if kind == "token_count":
        total = mapping(mapping(payload.get("info")).get("total_token_usage"))
        return note_block(item, "tokens", "so far", usage=usage(total))
    if kind == "task_complete":
        return note_block(
            item, "turn done", duration_ms=number_value(payload.get("duration_ms")) or None
        )
    return _folded(item, kind, words or _about(payload), payload)


def _about(payload: dict[str, Any]) -> str:
    command = items(payload.get("command"))
    if command:
        return text(command[-1])
    rest = {key: value for key, value in payload.items() if key not in {"type", "turn_id"}}
    return compact_json(rest, 300) if rest else ""


def _compaction(item: Entry, payload: dict[str, Any]) -> Block:
    return Block(
        kind="summary",
        offset=item.offset,
        heading="Compaction",
        detail=f"{len(items(payload.get('replacement_history'))):,} messages kept",
        time_ms=item.timestamp_ms,
        parts=(text_part("markdown", text(payload.get("message"))),),
        folded=FOLDED_SUMMARY,
    )


def _folded(item: Entry, kind: str, detail: str, payload: dict[str, Any]) -> Block:
    """Return one muted line that unfolds to the whole record."""
    return Block(
        kind="note",
        offset=item.offset,
        heading=first_line(kind).replace("_", " ") or "record",
        detail=first_line(detail),
        time_ms=item.timestamp_ms,
        parts=(json_part(payload),),
        brief=(),
        folded=0,
    )


_LOCKS: Final = "thread-writer-locks"
_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Locks(NamedTuple):
    """The locks of one home; each is looked at when it is asked for."""

    home: Path

    def evidence(self, session_id: str) -> Evidence | None:
        """Return what the lock of a session tells; None where there is none."""
        if not _ID.fullmatch(session_id):
            return None
        file = self.home / _LOCKS / f"{session_id.lower()}.lock"
        if not file.is_file():
            return None
        holder = lock_holder(file)
        if holder is not None:
            return Evidence("running", f"Codex is running it{f' (pid {holder})' if holder else ''}")
        locked = None
        with _coordinated(file.parent) as alone:
            if alone:
                locked = is_locked(file)
        if locked is None:
            return None
        if locked:
            return Evidence("running", "Codex is running it")
        return Evidence("gone", "Codex has left it (its lock is free)")

    def accounts_for(self, process: Process) -> bool:
        """Tell whether the Codex of this home locks what it writes to."""
        del process
        return (self.home / _LOCKS).is_dir()


def is_locked(file: Path) -> bool | None:
    """Tell whether a process has a file locked, by trying; None where that cannot be told."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    else:
        return False
    finally:
        os.close(descriptor)


@contextmanager
def _coordinated(folder: Path) -> Iterator[bool]:
    """Yield whether no Codex takes or leaves a lock for now; it waits as long as this lasts."""
    try:
        descriptor = os.open(folder / ".coordination.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield True
        return
    except OSError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)


_NAME_OF_SESSION = re.compile(r"rollout-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-([0-9a-fA-F-]{36})\.jsonl")
_SYNTHETIC: Final = (
    "<command-", "<local-command-", "<environment_context>", "<user_instructions>", "# AGENTS.md",
)  # fmt: skip
"""How messages in the user's name begin that Codex writes by itself."""
_SETTING_FIELDS: Final = frozenset(
    {
        "cwd", "instructions", "base_instructions", "user_instructions", "developer_instructions",
        "dynamic_tools", "git", "sandbox_policy", "permission_profile", "collaboration_mode",
        "thread_name", "thread_settings", "file_system_sandbox_policy", "workspace_roots",
    }
)  # fmt: skip
"""Fields of what sets a session up with blanks or lists in them."""
_WRAPPED: Final = (
    ("<environment_context>", "</environment_context>"),
    ("<user_instructions>", "</user_instructions>"),
    ("# AGENTS.md", "</INSTRUCTIONS>"),
)
"""How what Codex writes in the user's name begins and ends."""


class Codex(Format):
    """Codex."""

    agent = "codex"
    name = "Codex"
    types = _TYPES
    resume = ("codex", "resume", "{id}")
    home_name = ".codex"
    home_variable = "CODEX_HOME"
    session_folders = ("sessions", "archived_sessions")
    marks = ByteMarks(
        calls=(
            b'"type":"function_call"',
            b'"type":"custom_tool_call"',
            b'"type":"local_shell_call"',
        ),
        failures=(b'"type":"error"',),
        titles=(b'"thread_name_updated"',),
    )
    header_type = "session_meta"

    def file_name(self, name: str) -> FileName | None:
        """Return the id of `rollout-<time>-<id>.jsonl`; the time is of a zone that is not told."""
        match = _NAME_OF_SESSION.fullmatch(name)
        return FileName(match[1]) if match else None

    def recognises(self, entry: Entry) -> Literal["no", "certain"]:
        """Tell by the record's type and its payload."""
        kinds = ("session_meta", "response_item", "event_msg", "turn_context")
        own = entry.type in kinds and isinstance(entry.data.get("payload"), dict)
        return "certain" if own else "no"

    def header(self, entries: Sequence[Entry]) -> Header:
        """Return what the first `session_meta` tells."""
        for entry in entries:
            meta = entry.data.get("payload")
            if entry.type == "session_meta" and isinstance(meta, dict):
                return Header(
                    id=string(meta.get("id")),
                    cwd=string(meta.get("cwd")),
                    created_ms=time_ms(meta.get("timestamp")) or entry.timestamp_ms,
                    parent=string(meta.get("forked_from_id")),
                )
        return Header()

    def signal(self, entry: Entry) -> Signal | None:
        """Return what messages, calls, events and contexts of turns change."""
        payload = entry.data.get("payload")
        if not isinstance(payload, dict):
            return None
        match entry.type:
            case "response_item":
                return _item_signal(entry, payload)
            case "event_msg":
                return _event_signal(payload)
            case "turn_context" if model := string(payload.get("model")):
                return Signal(model=model)
            case _:
                return None

    def says_nothing(self, entry: Entry) -> bool:
        """Tell whether a record sets the session up, or holds what Codex itself tells a model."""
        payload = mapping(entry.data.get("payload"))
        match entry.type:
            case "response_item":
                return payload.get("type") == "message" and _is_given(payload)
            case "event_msg":
                kind = payload.get("type")
                if kind == "token_count":
                    return payload.get("info") is None
                known = kind in ("thread_settings_applied", "thread_name_updated")
                return known and not says_something(payload, _SETTING_FIELDS)
            case "session_meta" | "turn_context":
                return not says_something(entry.data, _SETTING_FIELDS)
            case _:
                return False

    def usage(self, entry: Entry) -> EntryUsage:
        """Return the totals of `token_count`, and what the user wrote.

        That is told twice: as an event, and as part of the context.
        """
        payload = mapping(entry.data.get("payload"))
        match entry.type:
            case "session_meta":
                return EntryUsage(is_part=False)
            case "turn_context":
                return EntryUsage(model=payload.get("model"))
            case "response_item":
                said = _item_signal(entry, payload) if payload else None
                return EntryUsage(turn="turn" if said is not None and said.text is not None else "")
            case "event_msg" if payload.get("type") == "user_message":
                return EntryUsage(turn="event")
            case "event_msg" if payload.get("type") == "token_count":
                total = mapping(payload.get("info")).get("total_token_usage")
                if isinstance(total, dict):
                    return EntryUsage(tokens=tokens(total), counts="so far")
        return NO_USAGE

    def link(self, entry: Entry) -> EntryLink:
        """Return that a record is in no tree, and where the context was compacted."""
        if entry.type == "compacted" and not ("parentId" in entry.data and entry.id):
            number = kept_number(entry.data.get("firstKeptEntryIndex"))
            return EntryLink("unlinked", cut="compaction", kept_number=number)
        return parent_link(entry)

    def in_context(self, entry: Entry) -> bool:
        """Tell whether a record is a response item, or where the context was compacted."""
        return entry.type in ("response_item", "compacted")

    def blocks(self, entry: Entry, pairing: CallPairing) -> tuple[Block, ...] | None:
        """Return the blocks of a record with a payload."""
        return _blocks(entry, pairing)

    def results(self, entry: Entry) -> tuple[Result, ...]:
        """Return the output of a call that a response item holds."""
        return _results(entry)

    def call_ids(self, entry: Entry) -> CallIds:
        """Return the id of the call that a response item holds or answers."""
        if entry.type != "response_item":
            return NO_CALL_IDS
        payload = mapping(entry.data.get("payload"))
        kind, call_id = text(payload.get("type")), text(payload.get("call_id"))
        if call_id and kind in _CALLS:
            return CallIds(calls=(call_id,))
        return CallIds(results=(call_id,)) if call_id and kind in _OUTPUTS else NO_CALL_IDS

    def live(self, home: Path, now_ms: int) -> Locks:
        """Return the locks of a home."""
        del now_ms
        return Locks(home)


def _item_signal(entry: Entry, payload: dict[str, Any]) -> Signal | None:
    kind = string(payload.get("type")) or ""
    if kind == "message":
        return _message_signal(payload)
    call = string(payload.get("call_id"))
    if kind.endswith("_output"):
        return message_signal("results", returned=strings(call))
    if kind.endswith("_call") and call:
        name = string(payload.get("name")) or kind.removesuffix("_call")
        return message_signal("calls", started=(OpenCall(call, name, entry.timestamp_ms),))
    return None


def _message_signal(payload: dict[str, Any]) -> Signal | None:
    said = message_text(payload.get("content"))
    if payload.get("role") == "user":
        if said.lstrip().startswith(_SYNTHETIC):
            return None
        return message_signal("user", text=said)
    if payload.get("role") == "assistant" and payload.get("phase") != "commentary":
        return message_signal("answer")
    return None


def _event_signal(payload: dict[str, Any]) -> Signal | None:
    match payload.get("type"):
        case "user_message":
            return message_signal("user", text=string(payload.get("message")))
        case "task_started":
            return message_signal("user")
        case "task_complete":
            return message_signal("error" if isinstance(payload.get("error"), dict) else "answer")
        case "turn_aborted":
            return message_signal("aborted")
        case "error":
            return message_signal("error")
        case "thread_name_updated":
            title = string(payload.get("thread_name"))
            return Signal(name=Title(title_line(title))) if title else None
        case _:
            return None


def _is_given(payload: dict[str, Any]) -> bool:
    """Tell whether a message is one of those that Codex itself gives to a model."""
    if payload.get("role") in ("developer", "system"):
        return True
    content = payload.get("content")
    if payload.get("role") != "user" or not isinstance(content, list):
        return False
    pieces = list(content_objects(content))
    return 0 < len(pieces) == len(content) and all(_is_wrapped(one.get("text")) for one in pieces)


def _is_wrapped(said: object) -> bool:
    if not isinstance(said, str):
        return False
    stripped = said.strip()
    return any(
        stripped.startswith(first) and stripped.find(last) == len(stripped) - len(last)
        for first, last in _WRAPPED
    )


CODEX: Final = Codex()
