"""Sessions of Codex: its records as display blocks, and whether it runs a session.

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
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sessiontui.formats.blocks import (
    FOLDED_SUMMARY,
    FOLDED_TEXT,
    Block,
    CallPairing,
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
from sessiontui.formats.evidence import Evidence
from sessiontui.formats.jsonl import read_json
from sessiontui.formats.omp import error_block
from sessiontui.formats.processes import lock_holder
from sessiontui.formats.tools import call_block, unpaired_result_block

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sessiontui.formats.jsonl import Entry

_TYPES = {
    "session_meta", "turn_context", "response_item", "event_msg", "compacted", "world_state",
    "inter_agent_communication_metadata",
}  # fmt: skip
_CALLS = {
    "function_call", "custom_tool_call", "local_shell_call", "web_search_call",
    "tool_search_call", "image_generation_call",
}  # fmt: skip
_OUTPUTS = {"function_call_output", "custom_tool_call_output", "tool_search_output"}


def blocks(item: Entry, pairing: CallPairing) -> tuple[Block, ...] | None:
    """Return the blocks of a record of Codex; None for anything else."""
    payload = mapping(item.data.get("payload"))
    if item.type not in _TYPES or not payload:
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


def results(item: Entry) -> tuple[Result, ...]:
    """Return the output of a call that a response item holds."""
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


def calls(item: Entry) -> tuple[str, ...]:
    """Return the id of the call that a response item holds."""
    payload = mapping(item.data.get("payload"))
    if item.type != "response_item" or text(payload.get("type")) not in _CALLS:
        return ()
    call_id = text(payload.get("call_id"))
    return (call_id,) if call_id else ()


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
            for result in results(item)
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


def codex_roots(environ: Mapping[str, str], home: Path) -> list[Path]:
    """Return the folders in which Codex keeps its things."""
    moved = environ.get("CODEX_HOME")
    return [*([Path(moved)] if moved else []), home / ".codex"]


def codex_root_of(path: Path) -> Path | None:
    """Return the root to which a session file belongs: it lies in `<root>/sessions/`."""
    kinds = ("sessions", "archived_sessions")
    folder = next((folder for folder in path.parents if folder.name in kinds), None)
    return None if folder is None else folder.parent


def keeps_locks(root: Path) -> bool:
    """Tell whether the Codex of a root locks what it writes to."""
    return (root / _LOCKS).is_dir()


def codex_evidence(root: Path, session_id: str) -> Evidence | None:
    """Return what the lock of a session tells; None where there is none."""
    if not _ID.fullmatch(session_id):
        return None
    file = root / _LOCKS / f"{session_id.lower()}.lock"
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


def is_locked(file: Path) -> bool | None:
    """Tell whether a process has a file locked, by trying; None where that cannot be told."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
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
