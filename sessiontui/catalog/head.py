"""The head of a session: agent, project, time and first message from its first bytes."""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from sessiontui.catalog.empty import says_nothing
from sessiontui.catalog.signals import read_signal
from sessiontui.catalog.titles import NO_TITLES, Title, Titles, first_line, flat_text, shared
from sessiontui.formats.jsonl import Entry, decode_line, split_lines
from sessiontui.formats.title_slot import parse_slot, parse_title_source
from sessiontui.times import time_ms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessiontui.catalog.row import Agent
    from sessiontui.formats.jsonl import Item

_MAX_ENTRIES: Final = 200
_OMP_HEADER: Final = (
    "title",
    "titleSource",
    "additionalDirectories",
    "previousSessionFiles",
    "providerPromptCacheKey",
)
_OMP_TYPES: Final = frozenset(
    {
        "title",
        "title_change",
        "session_init",
        "mode_change",
        "credential_pin",
        "ttsr_injection",
        "model_usage",
        "service_tier_change",
        "reset_boundary",
        "archive",
    }
)
_HEADERS: Final = frozenset({"session", "session_meta"})
_CODEX_TYPES: Final = frozenset({"session_meta", "response_item", "event_msg", "turn_context"})

_SHARED = frozenset(("cwd", "model"))
"""Texts that many sessions have in common: each is held once."""


class HeadFacts(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What the beginning of a session tells; names as in `Row`."""

    agent: Agent = "unknown"
    id: str | None = None
    cwd: str | None = None
    created_ms: int | None = None
    parent: str | None = None
    has_slot: bool = False
    titles: Titles = NO_TITLES
    first_message: str = ""
    model: str | None = None
    answered: bool = False
    quiet: bool = False
    """Whether there is a header, these bytes are the whole session, and none of its whole lines
    says anything."""
    complete: bool
    """Whether these bytes are the whole session."""
    enough: bool
    """Whether more bytes would not tell more that matters."""


def read_head(head: bytes, *, complete: bool) -> HeadFacts:
    """Return what the beginning of a session tells.

    Args:
        head: Its first bytes; 4 KB mostly do. The last line may be cut.
        complete: Whether these are all its bytes.
    """
    slot = parse_slot(head)
    titles = NO_TITLES
    if slot is not None:
        titles = Titles(slot=Title(shared(first_line(slot.title)), slot.source))
    entries: list[Entry] = []
    model: str | None = None
    answered, first_message = False, ""
    quiet = complete
    whole = head.rfind(b"\n") + 1
    for item in _items(head, complete):
        quiet = quiet and (says_nothing(item) or item.offset >= whole)
        if not isinstance(item, Entry):
            continue
        if len(entries) >= _MAX_ENTRIES:
            quiet = False
            break
        entry = item
        entries.append(entry)
        sign = read_signal(entry)
        if sign is None:
            continue
        model = sign.model or model
        answered = answered or sign.ending in ("answer", "calls", "results")
        if sign.name is not None:
            titles = titles.renamed(sign.name)
        if sign.summary:
            titles = replace(titles, summary=sign.summary)
        if sign.text and not first_message and (first_message := shared(flat_text(sign.text))):
            line = first_line(sign.text)
            # One string where both are the same: they are kept for every session.
            titles = replace(titles, message=first_message if line == first_message else line)
        if not complete and first_message and model and titles.slot and titles.slot.text:
            break  # what follows is told better by the tail
    agent = _agent_of(entries)
    header = _header(entries, agent)
    titles = replace(titles, header=header.pop("title", None))
    if model is not None:
        header["model"] = model
    named = titles.slot or titles.header or titles.entry
    known = "id" in header and bool(first_message or (named and named.text))
    return HeadFacts(
        agent=agent,
        has_slot=slot is not None and slot.exact,
        titles=titles,
        first_message=first_message,
        answered=answered,
        quiet=quiet and (agent == "claude" or any(one.type in _HEADERS for one in entries)),
        complete=complete,
        enough=complete or known,
        **header,
    )


def _items(head: bytes, complete: bool) -> Iterable[Item]:
    for line in split_lines(head):
        cut = not complete and line.offset + line.size == len(head)
        yield from decode_line(line.data, line.offset, size=line.size + 1 if cut else None)


def _agent_of(entries: list[Entry]) -> Agent:
    """Tell the agent by what only it writes; a header without more by its version."""
    version: object = None
    header = False
    for entry in entries:
        data = entry.data
        if entry.type in _CODEX_TYPES and isinstance(data.get("payload"), dict):
            return "codex"
        if isinstance(data.get("sessionId"), str) or "leafUuid" in data or "parentUuid" in data:
            return "claude"
        if entry.type in _OMP_TYPES:
            return "omp"
        if entry.type == "session_info":
            return "pi"
        if entry.type == "session":
            header, version = True, data.get("version")
            if any(key in data for key in _OMP_HEADER):
                return "omp"
            if "modelId" in data:
                return "pi"
        elif entry.type == "model_change":
            return "omp" if "model" in data else "pi"
    if not header:
        return "unknown"
    return "omp" if version == 3 else "pi"


def _header(entries: list[Entry], agent: Agent) -> dict[str, Any]:
    """Return the fields that the header gives, or the first entries where there is none."""
    found: dict[str, Any] = {}
    for entry in entries:
        data = entry.data
        if agent == "claude":
            _keep(found, id=data.get("sessionId"), cwd=data.get("cwd"))
            _keep_time(found, entry.timestamp_ms)
        elif entry.type == "session_meta" and isinstance(data.get("payload"), dict):
            meta = data["payload"]
            _keep(found, id=meta.get("id"), cwd=meta.get("cwd"), parent=meta.get("forked_from_id"))
            _keep_time(found, time_ms(meta.get("timestamp")) or entry.timestamp_ms)
        elif entry.type == "session":
            parent = data.get("parentSession") or data.get("branchedFrom")
            _keep(found, id=data.get("id"), cwd=data.get("cwd"), parent=parent)
            _keep(found, model=data.get("modelId"))
            _keep_time(found, entry.timestamp_ms)
            title = data.get("title")
            if isinstance(title, str):
                source = parse_title_source(data.get("titleSource"))
                found["title"] = Title(shared(first_line(title)), source)
            break
    return found


def _keep(found: dict[str, Any], **texts: object) -> None:
    """Keep the first text found for each field."""
    for name, text in texts.items():
        if isinstance(text, str) and text:
            found.setdefault(name, intern(text) if name in _SHARED else text)


def _keep_time(found: dict[str, Any], when: int | None) -> None:
    if when is not None:
        found.setdefault("created_ms", when)
