"""omp: its entries, which pi writes too, the names of its files, where it keeps them, its locks.

A session lies at `<root>/<folder of the project>/<time>_<id>.jsonl`; omp finds
those of a project by the folder's name alone. omp locks `.<name>.jsonl.lock.os` beside a
session for each single write, and leaves the file there: locked, somebody writes; free,
nothing is known. Its word of leaving (`session_exit`) stands in the session.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

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
    kept_number,
    message_call_ids,
    message_signal,
    message_text,
    open_calls,
    parent_link,
    says_something,
    string,
    strings,
    tokens,
    unlinked,
)
from sessiontui.formats.blocks import (
    FOLDED_ERROR,
    FOLDED_OUTPUT,
    FOLDED_SUMMARY,
    FOLDED_TEXT,
    Block,
    CallPairing,
    Part,
    Result,
    compact_json,
    content_part,
    content_text,
    count_value,
    first_line,
    first_text,
    image_line,
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
from sessiontui.formats.processes import lock_holder
from sessiontui.formats.title_slot import Title, parse_title_source, title_line
from sessiontui.formats.tools import call_block, unpaired_result_block
from sessiontui.text import clean
from sessiontui.times import time_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random

    from sessiontui.formats.jsonl import Entry


def _message_blocks(item: Entry, pairing: CallPairing) -> tuple[Block, ...]:
    """Return the blocks of a `message` entry."""
    message = mapping(item.data.get("message"))
    role = text(message.get("role"))
    if role == "assistant":
        return assistant_blocks(item, message, pairing)
    if role == "toolResult":
        return tuple(
            unpaired_result_block(result)
            for result in tool_results(item)
            if not pairing.is_shown(result.call_id, item.offset)
        )
    if role == "user":
        return (_user_block(item, message),)
    if role in {"bashExecution", "pythonExecution"}:
        return (_execution_block(item, message),)
    return (_other_block(item, message),)


def tool_results(item: Entry) -> tuple[Result, ...]:
    """Return the result that a `toolResult` message holds."""
    if item.type != "message":
        return ()
    message = mapping(item.data.get("message"))
    if message.get("role") != "toolResult":
        return ()
    return (
        Result(
            call_id=text(message.get("toolCallId")),
            tool=first_line(message.get("toolName")),
            part=content_part(message.get("content")),
            offset=item.offset,
            time_ms=item.timestamp_ms,
            error=message.get("isError") is True,
            details=mapping(message.get("details")),
        ),
    )


def _user_block(item: Entry, message: dict[str, Any]) -> Block:
    """Return what a person wrote."""
    by_agent = message.get("attribution") == "agent" or message.get("synthetic") is True
    return Block(
        kind="message" if by_agent else "user",
        offset=item.offset,
        heading="Agent, as user" if by_agent else "You",
        time_ms=item.timestamp_ms,
        parts=(text_part("markdown", content_text(message.get("content"))),),
        folded=FOLDED_SUMMARY if by_agent else None,
    )


def assistant_blocks(
    item: Entry, message: dict[str, Any], pairing: CallPairing
) -> tuple[Block, ...]:
    """Return heading, texts, thinking and tool calls of an agent's message, and how it ended."""
    content = message.get("content")
    pieces = [{"type": "text", "text": content}] if isinstance(content, str) else items(content)
    body: list[Block] = []
    for piece in pieces:
        body += _piece_blocks(item, mapping(piece), pairing)
    if not body and any("hinking" in text(mapping(piece).get("type")) for piece in pieces):
        body = _thinking(item, {})
    body += _ending(item, message)
    silent = all(block.kind in {"thinking", "tool"} for block in body)
    if body and all(block.kind == "tool" for block in body):
        return tuple(body)
    heading = Block(
        kind="assistant",
        offset=item.offset,
        heading=model_name(message.get("model")) or "Agent",
        detail="" if body else "nothing",
        time_ms=item.timestamp_ms,
        usage=usage(message.get("usage")),
        silent=silent and bool(body),
    )
    return (heading, *body)


def _piece_blocks(item: Entry, piece: dict[str, Any], pairing: CallPairing) -> list[Block]:
    kind = text(piece.get("type"))
    if kind == "text":
        return _prose(item, text(piece.get("text")))
    if kind in {"thinking", "redactedThinking", "redacted_thinking"}:
        return _thinking(item, piece)
    if kind in {"toolCall", "tool_use", "server_tool_use"}:
        arguments = piece.get("arguments", piece.get("input"))
        call_id = text(piece.get("id"))
        return [call_block(item, text(piece.get("name")), arguments, call_id, pairing)]
    if kind == "image":
        return [_text_block(item, Part("note", (image_line(piece),)))]
    if kind == "fallback":
        models = (
            piece.get("from") or piece.get("fromModel"),
            piece.get("to") or piece.get("model"),
        )
        names = filter(None, map(_model_of, models))
        return [note_block(item, "fallback", " → ".join(names), time_ms=None)]
    if not piece:
        return []
    return [_text_block(item, Part("json", (compact_json(piece),)))]


def _model_of(value: object) -> str:
    return model_name(mapping(value).get("model", value) if value else "")


def _prose(item: Entry, words: str) -> list[Block]:
    return [_text_block(item, text_part("markdown", words.lstrip("\n")))] if words.strip() else []


def _text_block(item: Entry, part: Part) -> Block:
    return Block(kind="text", offset=item.offset, parts=(part,))


def _thinking(item: Entry, piece: dict[str, Any]) -> list[Block]:
    words = text(piece.get("thinking"))
    if not words.strip():
        if piece.get("type") == "thinking":
            return []  # with a signature alone; others tell more
        words = "thinking that its provider keeps sealed"
    return [
        Block(
            kind="thinking",
            offset=item.offset,
            parts=(text_part("thinking", words.strip("\n")),),
            folded=FOLDED_TEXT,
        )
    ]


def _ending(item: Entry, message: dict[str, Any]) -> list[Block]:
    """Return why a message ended, where it did not just end."""
    reason = message.get("stopReason")
    why = first_text(message, "errorMessage")
    if reason == "error":
        block = error_block(item, "error", why or "the agent did not say why")
        return [msgspec.structs.replace(block, time_ms=None)]
    if reason == "aborted":
        plain = why.lower().rstrip(".") in {"", "request was aborted", "aborted"}
        return [note_block(item, "aborted", "" if plain else why, error=True, time_ms=None)]
    if reason == "length":
        limit = "the model reached its length limit"
        return [note_block(item, "cut off", limit, error=True, time_ms=None)]
    return []


def error_block(item: Entry, heading: str, why: str) -> Block:
    """Return something that went wrong, with the reason."""
    return Block(
        kind="error",
        offset=item.offset,
        heading=heading,
        time_ms=item.timestamp_ms,
        parts=(text_part("plain", why),),
        folded=FOLDED_ERROR,
        error=True,
    )


def _execution_block(item: Entry, message: dict[str, Any]) -> Block:
    """Return a command that the user ran from the agent's prompt."""
    code = message.get("exitCode")
    cancelled = message.get("cancelled") is True
    failed = cancelled or (isinstance(code, int) and code != 0)
    source = first_text(message, "command", "code")
    parts = [text_part("plain", text(message.get("output")))]
    if "\n" in source.strip():
        parts.insert(0, text_part("code", source))
    return Block(
        kind="command",
        offset=item.offset,
        heading=">>>" if message.get("role") == "pythonExecution" else "!",
        detail=first_line(source),
        time_ms=item.timestamp_ms,
        meta=("cancelled",) if cancelled else (f"exit {number_value(code)}",) if failed else (),
        parts=tuple(parts),
        brief=(parts[-1],),
        folded=FOLDED_ERROR if failed else FOLDED_OUTPUT,
        from_end=True,
        error=failed,
    )


_HEADINGS = {
    "developer": "Instructions",
    "system": "Instructions",
    "hookMessage": "Hook",
    "fileMention": "File",
    "custom": "Extension",
    "branchSummary": "Branch summary",
    "compactionSummary": "Compaction",
}


def _other_block(item: Entry, message: dict[str, Any]) -> Block:
    """Return a message of any other role."""
    role = text(message.get("role"))
    words = content_text(message.get("content")) or first_text(message, "summary", "text")
    files = [first_line(mapping(entry).get("path")) for entry in items(message.get("files"))]
    body = text_part("markdown", words) if words else text_part("json", compact_json(message))
    name = first_text(message, "hookName", "customType", "path") or ", ".join(filter(None, files))
    return Block(
        kind="message",
        offset=item.offset,
        heading=_HEADINGS.get(role, "") or first_line(role) or "Message without a role",
        detail=first_line(name),
        time_ms=item.timestamp_ms,
        parts=(body,) if words or not name else (),
        folded=FOLDED_TEXT,
    )


def _event_blocks(item: Entry, pairing: CallPairing) -> tuple[Block, ...] | None:
    """Return the blocks of an entry of omp or pi that is no message; None for any other."""
    if item.type == "custom" and item.data.get("customType") == "tool_execution_start":
        return _tool_start(item, pairing)
    make = _MAKERS.get(item.type)
    return None if make is None else (make(item),)


def _tool_start(item: Entry, pairing: CallPairing) -> tuple[Block, ...]:
    data = mapping(item.data.get("data"))
    if pairing.is_shown(text(data.get("toolCallId")), item.offset):
        return ()
    detail = first_text(data, "intent") or compact_json(mapping(data.get("args")))
    return (note_block(item, f"{first_line(data.get('toolName'))} started", first_line(detail)),)


def _title(item: Entry) -> Block:
    return note_block(item, "title", first_line(item.data.get("title")) or "none")


def _header(item: Entry) -> Block:
    data = item.data
    detail = first_text(data, "cwd", "title") or first_text(data, "id")
    origin = first_text(data, "parentSession", "branchedFrom")
    version = number_value(data.get("version")) or 1
    meta = [f"version {version}"]
    if origin:
        meta.insert(0, "continues " + first_line(origin).rpartition("/")[2][-24:])
    return note_block(item, "session", first_line(detail), meta=tuple(meta), cut="middle")


def _model(item: Entry) -> Block:
    data = item.data
    name = first_text(data, "modelId", "model")
    role = first_line(data.get("role"))
    detail = model_name(name) + (f" for {role}" if role and role != "default" else "")
    return note_block(item, "model", detail, meta=_if(first_line(data.get("provider"))))


def _thinking_level(item: Entry) -> Block:
    return note_block(item, "thinking level", first_line(item.data.get("thinkingLevel")))


def _compaction(item: Entry) -> Block:
    data = item.data
    before = count_value(data.get("tokensBefore"))
    return Block(
        kind="summary",
        offset=item.offset,
        heading="Compaction",
        detail=first_line(data.get("shortSummary")),
        time_ms=item.timestamp_ms,
        meta=(f"{before:,} tokens before",) if before else (),
        usage=usage(data.get("usage")),
        parts=(text_part("markdown", text(data.get("summary"))),),
        folded=FOLDED_SUMMARY,
    )


def _branch_summary(item: Entry) -> Block:
    return Block(
        kind="summary",
        offset=item.offset,
        heading="Branch summary",
        detail="of what was left behind",
        time_ms=item.timestamp_ms,
        parts=(text_part("markdown", text(item.data.get("summary"))),),
        folded=FOLDED_SUMMARY,
    )


def _reset(item: Entry) -> Block:
    return Block(
        kind="summary",
        offset=item.offset,
        heading="Reset",
        detail=first_line(first_text(item.data, "reason")) or "the context starts anew here",
        time_ms=item.timestamp_ms,
    )


def _label(item: Entry) -> Block:
    label = first_line(item.data.get("label"))
    return note_block(
        item, "label", label or "removed", meta=_if(first_line(item.data.get("targetId")))
    )


def _session_info(item: Entry) -> Block:
    return note_block(item, "title", first_line(item.data.get("name")) or "none")


def _usage(item: Entry) -> Block:
    return note_block(
        item, "usage", model_name(item.data.get("model")), usage=usage(item.data.get("usage"))
    )


def _mode(item: Entry) -> Block:
    return note_block(item, "mode", first_text(item.data, "mode", "name") or _rest(item))


def _tier(item: Entry) -> Block:
    return note_block(
        item, "service tier", first_text(item.data, "serviceTier", "tier") or _rest(item)
    )


def _pin(item: Entry) -> Block:
    return note_block(item, "credential", first_line(item.data.get("provider")))


def _session_init(item: Entry) -> Block:
    prompt = first_text(item.data, "task", "systemPrompt", "prompt")
    return Block(
        kind="message",
        offset=item.offset,
        heading="Task",
        time_ms=item.timestamp_ms,
        parts=(text_part("markdown", prompt) if prompt else json_part(item.data),),
        folded=FOLDED_SUMMARY,
    )


def _archive(item: Entry) -> Block:
    return note_block(item, "archived", _rest(item))


def _rules(item: Entry) -> Block:
    return note_block(item, "rules", _rest(item))


def _custom(item: Entry) -> Block:
    data = mapping(item.data.get("data"))
    kind = first_line(item.data.get("customType")) or "custom"
    if kind == "session_exit":
        how = first_line(data.get("kind"))
        reason = first_line(data.get("reason"))
        failed = how in {"fatal", "signal"}
        return note_block(
            item, "session ended", reason if how in {"normal", ""} else how, error=failed
        )
    value = item.data.get("data")
    return Block(
        kind="note",
        offset=item.offset,
        heading=kind,
        detail=compact_json(value, 300) if value is not None else "",
        time_ms=item.timestamp_ms,
        parts=(json_part(value),) if data else (),
        brief=(),
        folded=0 if data else None,
    )


def _custom_message(item: Entry) -> Block:
    words = content_text(item.data.get("content"))
    hidden = item.data.get("display") is False
    first = next((line for line in words.splitlines() if line.strip()), "")
    body = text_part("markdown", words) if words else json_part(item.data.get("details"))
    return Block(
        kind="note" if hidden else "message",
        offset=item.offset,
        heading=first_line(item.data.get("customType")) or "message",
        detail=clean(first[:300].strip()) if hidden else "",
        time_ms=item.timestamp_ms,
        parts=(body,),
        brief=() if hidden else None,
        folded=0 if hidden else FOLDED_TEXT,
    )


def _rest(item: Entry) -> str:
    rest = {
        key: value
        for key, value in item.data.items()
        if key not in {"type", "id", "parentId", "timestamp"}
    }
    return compact_json(rest, 300) if rest else ""


def _if(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


_MAKERS: dict[str, Callable[[Entry], Block]] = {
    "session": _header,
    "title": _title,
    "title_change": _title,
    "model_change": _model,
    "thinking_level_change": _thinking_level,
    "compaction": _compaction,
    "branch_summary": _branch_summary,
    "reset_boundary": _reset,
    "label": _label,
    "session_info": _session_info,
    "model_usage": _usage,
    "mode_change": _mode,
    "service_tier_change": _tier,
    "credential_pin": _pin,
    "session_init": _session_init,
    "archive": _archive,
    "ttsr_injection": _rules,
    "custom": _custom,
    "custom_message": _custom_message,
}


_SEPARATORS = re.compile(r"[/\\:]")
_FILE = re.compile(r"\d{4}-\d\d-\d\dT[0-9-]+Z_[^/]+\.jsonl")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_TEMPORARY = "/tmp"


def project_folder(cwd: str, *, home: str) -> str:
    """Return the name of the folder that holds a project's sessions.

    Args:
        cwd: The project, an absolute path.
        home: The user's home folder.
    """
    cwd = cwd.rstrip("/") or "/"
    home = home.rstrip("/")
    if home and (cwd == home or cwd.startswith(home + "/")):
        return "-" + _coded(cwd[len(home) + 1 :])
    if cwd == _TEMPORARY or cwd.startswith(_TEMPORARY + "/"):
        rest = cwd[len(_TEMPORARY) + 1 :]
        return f"-tmp-{_coded(rest)}" if rest else "-tmp"
    return f"--{_coded(cwd.lstrip('/'))}--"


def new_session_id(at_ms: int, random: Random) -> str:
    """Return an id for a session as omp makes it: a UUID of version 7, which sorts by time.

    Args:
        at_ms: When the session begins, in milliseconds since the epoch.
        random: Makes the rest of it.
    """
    digits = f"{at_ms:012x}7{random.getrandbits(12):03x}{8 + random.getrandbits(2):x}"
    digits += f"{random.getrandbits(60):015x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def session_file(name: str, *, created: object, session_id: object) -> str:
    """Return the name of a session's file.

    Args:
        name: What it is called now; stays if omp would have called it so.
        created: The header's `timestamp`.
        session_id: The header's `id`.
    """
    if _FILE.fullmatch(name) or not (isinstance(created, str) and isinstance(session_id, str)):
        return name
    if not _TIME.fullmatch(created) or not _ID.fullmatch(session_id):
        return name
    return f"{created.replace(':', '-').replace('.', '-')}_{session_id}.jsonl"


def _coded(path: str) -> str:
    return _SEPARATORS.sub("-", path)


_LOCKS: Final = (".lock.os", ".lock")
_NAME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d)-(\d{3})Z?_([^/]+)\.jsonl")
_HEADER_FIELDS: Final = (
    "title",
    "titleSource",
    "additionalDirectories",
    "previousSessionFiles",
    "providerPromptCacheKey",
)
"""Fields of a header that omp writes and pi does not."""
_OWN_TYPES: Final = frozenset(
    {
        "title", "title_change", "session_init", "mode_change", "credential_pin",
        "ttsr_injection", "model_usage", "service_tier_change", "reset_boundary", "archive",
    }
)  # fmt: skip
"""Entries that omp writes and pi does not."""
_SETTINGS: Final = frozenset(
    {
        "session", "title", "title_change", "session_info", "model_change",
        "thinking_level_change", "service_tier_change", "mode_change", "credential_pin",
        "session_init", "custom",
    }
)  # fmt: skip
"""Entries that say nothing: they set a session up, or tell that omp left it."""
_SETTING_FIELDS: Final = frozenset(
    {
        "cwd", "title", "name", "pad", "additionalDirectories", "previousSessionFiles",
        "parentSession", "branchedFrom", "systemPrompt", "tools", "outputSchema", "reason",
    }
)  # fmt: skip
"""Their fields with blanks or lists in them."""
_IN_CONTEXT: Final = frozenset(
    {"message", "custom_message", "branch_summary", "compaction", "reset_boundary"}
)
_STOPPED: Final[dict[str, Literal["error", "aborted", "cut"]]] = {
    "error": "error",
    "aborted": "aborted",
    "length": "cut",
}
_ABOUT: Final = EntryUsage(is_part=False)
_TURN: Final = EntryUsage(turn="turn")
STATUS_BYTES: Final = 32_768
"""omp looks for the last message in this many bytes before the end, and no further."""


class Omp(Format):
    """oh-my-pi."""

    agent = "omp"
    name = "omp"
    types = frozenset(_MAKERS) | {"message"}
    resume = ("omp", "--resume", "{path}")
    marks = ByteMarks(
        calls=(b'"type":"toolCall"',),
        failures=(b'"isError":true', b'"stopReason":"error"'),
        titles=(b'"title_change"', b'"session_info"', b'"shortSummary"'),
    )
    header_type: str | None = "session"
    is_tree = True
    status_bytes = STATUS_BYTES

    def roots(self, environ: Mapping[str, str], home: Path) -> list[Path]:
        """Return omp's root, by omp's order of what may move it.

        A folder named outright wins; a profile hides the agent's folder; and only
        where neither says anything does the XDG folder count, if omp moved there.
        """
        if sessions := environ.get("PI_CODING_AGENT_SESSION_DIR"):
            return [_under(sessions, home)]
        profile = environ.get("OMP_PROFILE", environ.get("PI_PROFILE", "")).strip()
        profile = "" if profile == "default" else profile
        base = home / (environ.get("PI_CONFIG_DIR") or ".omp")
        agent = environ.get("PI_CODING_AGENT_DIR")
        if agent and not profile:
            return [_under(agent, home) / "sessions"]
        inner = Path("profiles") / profile if profile else Path()
        if data := environ.get("XDG_DATA_HOME"):
            moved = Path(data) / "omp" / inner
            if moved.is_dir():
                return [moved / "sessions"]
        return [base / inner / "agent" / "sessions"]

    def file_name(self, name: str) -> FileName | None:
        """Return id and time of `<time>_<id>.jsonl`."""
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        day, hour, minute, second, millisecond, session_id = match.groups()
        return FileName(session_id, time_ms(f"{day}T{hour}:{minute}:{second}.{millisecond}Z"))

    def recognises(self, entry: Entry) -> Literal["no", "likely", "certain"]:
        """Tell by what pi does not write; of a header without more, by its version."""
        data = entry.data
        if entry.type in _OWN_TYPES:
            return "certain"
        if entry.type == "session":
            if any(key in data for key in _HEADER_FIELDS):
                return "certain"
            return "likely" if data.get("version") == 3 and "modelId" not in data else "no"
        return "certain" if entry.type == "model_change" and "model" in data else "no"

    def header(self, entries: Sequence[Entry]) -> Header:
        """Return what the first entry of type `session` tells."""
        entry = next((entry for entry in entries if entry.type == "session"), None)
        if entry is None:
            return Header()
        data = entry.data
        title = data.get("title")
        return Header(
            id=string(data.get("id")),
            cwd=string(data.get("cwd")),
            created_ms=entry.timestamp_ms,
            parent=string(data.get("parentSession") or data.get("branchedFrom")),
            title=Title(title_line(title), parse_title_source(data.get("titleSource")))
            if isinstance(title, str)
            else None,
            model=string(data.get("modelId")),
        )

    def signal(self, entry: Entry) -> Signal | None:
        """Return what messages, titles, models, compactions and tool starts change."""
        reader = _SIGNALS.get(entry.type)
        return None if reader is None else reader(entry, entry.data)

    def says_nothing(self, entry: Entry) -> bool:
        """Tell whether an entry only sets a session up, or records that omp left it."""
        data = entry.data
        if entry.type == "custom" and data.get("customType") != "session_exit":
            return False
        return entry.type in _SETTINGS and not says_something(data, _SETTING_FIELDS)

    def usage(self, entry: Entry) -> EntryUsage:
        """Return `usage` of answers, of `model_usage`, and of what the `task` tool returned."""
        data = entry.data
        if entry.type == "message":
            return _message_usage(mapping(data.get("message")))
        if entry.type == "model_usage":
            return EntryUsage(tokens=tokens(data.get("usage")), model=data.get("model"))
        return _ABOUT if entry.type in ("session", "title") else NO_USAGE

    def link(self, entry: Entry) -> EntryLink:
        """Return the link by `id` and `parentId`; pi's first version stores a plain list."""
        data = entry.data
        if entry.type == "message" and entry.id and "parentId" in data:
            return EntryLink("entry", entry.id, entry.parent_id)
        if entry.type not in ("compaction", "reset_boundary"):
            return parent_link(entry)
        if "parentId" not in data or not entry.id:
            if entry.type == "compaction":
                number = kept_number(data.get("firstKeptEntryIndex"))
                return EntryLink("unlinked", cut="compaction", kept_number=number)
            return unlinked(entry)
        if entry.type == "reset_boundary":
            return EntryLink("entry", entry.id, entry.parent_id, "reset")
        kept = string(data.get("firstKeptEntryId")) or ""
        return EntryLink("entry", entry.id, entry.parent_id, "compaction", kept)

    def in_context(self, entry: Entry) -> bool:
        """Tell whether an entry is a message or a summary that is not excluded."""
        if entry.type not in _IN_CONTEXT or entry.data.get("isSidechain") is True:
            return False
        return not mapping(entry.data.get("message")).get("excludeFromContext")

    def blocks(self, entry: Entry, pairing: CallPairing) -> tuple[Block, ...] | None:
        """Return the blocks of a message or of another entry of omp or pi."""
        if entry.type == "message":
            return _message_blocks(entry, pairing)
        return _event_blocks(entry, pairing)

    def results(self, entry: Entry) -> tuple[Result, ...]:
        """Return the result that a `toolResult` message holds."""
        return tool_results(entry)

    def call_ids(self, entry: Entry) -> CallIds:
        """Return the calls in a message's content, or of an entry `tool_execution_start`."""
        message = entry.data.get("message")
        if isinstance(message, dict):
            return message_call_ids(message)
        if entry.type == "custom" and entry.data.get("customType") == "tool_execution_start":
            call_id = text(mapping(entry.data.get("data")).get("toolCallId"))
            return CallIds(starts=(call_id,)) if call_id else NO_CALL_IDS
        return NO_CALL_IDS

    def no_title(self, *, has_slot: bool) -> str | None:
        """Return None: omp reads its slot, whether there was one before or not."""
        del has_slot
        return None

    def lock(self, file: Path) -> Evidence | None:
        """Return what the locks beside a session file tell."""
        for ending in _LOCKS:
            holder = lock_holder(file.with_name(f".{file.name}{ending}"))
            if holder is not None:
                who = f" (pid {holder})" if holder else ""
                return Evidence("running", f"omp is writing to it{who}")
        return None

    def tells_leaving(self, *, has_slot: bool) -> bool:
        """Tell whether it is an omp that writes `session_exit`: one that keeps a title slot."""
        return has_slot


def _under(path: str, home: Path) -> Path:
    """Return the path that a text names; `~` is `home`, and relative ones start there."""
    if path == "~" or path.startswith("~/"):
        return home / path[2:]
    return home / path


def _message_usage(message: dict[str, Any]) -> EntryUsage:
    match message.get("role"):
        case "user":
            by_agent = message.get("attribution") == "agent" or message.get("synthetic") is True
            return NO_USAGE if by_agent else _TURN
        case "assistant":
            return EntryUsage(tokens=tokens(message.get("usage")), model=message.get("model"))
        case "toolResult" if message.get("toolName") == "task":
            return EntryUsage(tokens=tokens(mapping(message.get("details")).get("usage")))
        case _:
            return NO_USAGE


def _message_signal(entry: Entry, data: dict[str, Any]) -> Signal | None:
    message = data.get("message")
    if not isinstance(message, dict):
        return Signal(word="unknown") if message else None
    content = message.get("content")
    match message.get("role"):
        case "user":
            return message_signal("user", text=message_text(content))
        case "toolResult":
            return message_signal("results", returned=strings(message.get("toolCallId")))
        case "assistant":
            model = string(message.get("model"))
            calls = open_calls(content, "toolCall", entry.timestamp_ms)
            stopped = message.get("stopReason")
            ending = _STOPPED.get(stopped) if isinstance(stopped, str) else None
            if ending is not None:
                return message_signal(ending, model=model)
            return message_signal("calls" if calls else "answer", calls=calls, model=model)
        case _:
            return Signal(word="unknown")


def _custom_signal(entry: Entry, data: dict[str, Any]) -> Signal | None:
    detail = mapping(data.get("data"))
    match data.get("customType"):
        case "session_exit":
            return Signal(exit_kind=string(detail.get("kind")) or "normal")
        case "tool_execution_start":
            since = time_ms(detail.get("startedAt")) or entry.timestamp_ms
            name = string(detail.get("toolName")) or "tool"
            return Signal(started=(OpenCall(string(detail.get("toolCallId")) or "", name, since),))
        case _:
            return None


def _title_signal(_entry: Entry, data: dict[str, Any]) -> Signal | None:
    title = data.get("title")
    if not isinstance(title, str):
        return None
    return Signal(name=Title(title_line(title), parse_title_source(data.get("source"))))


def _info_signal(_entry: Entry, data: dict[str, Any]) -> Signal | None:
    name = data.get("name")
    return Signal(name=Title(title_line(name))) if isinstance(name, str) else None


def _compaction_signal(_entry: Entry, data: dict[str, Any]) -> Signal | None:
    summary = string(data.get("shortSummary"))
    return Signal(summary=title_line(summary)) if summary else None


def _model_signal(_entry: Entry, data: dict[str, Any]) -> Signal | None:
    model = string(data.get("model")) or string(data.get("modelId"))
    return Signal(model=model) if model else None


_SIGNALS: Final[dict[str, Callable[[Entry, dict[str, Any]], Signal | None]]] = {
    "message": _message_signal,
    "custom": _custom_signal,
    "title_change": _title_signal,
    "session_info": _info_signal,
    "compaction": _compaction_signal,
    "model_change": _model_signal,
}

OMP: Final = Omp()
