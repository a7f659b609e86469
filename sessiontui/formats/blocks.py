"""Display blocks: the values that a transcript is shown as, and the fields they are made of.

A block is a plain value without any width, colour or time zone: whoever draws it
decides those. All text in it is safe to show. The helpers read fields of entries whose
shape nobody guarantees: text out of content lists, numbers, usage.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import msgspec

from sessiontui.text import clean, clean_lines, clean_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiontui.formats.jsonl import BadLine, Entry

BlockKind = Literal[
    "user",  # what a person wrote; heading and body
    "assistant",  # the heading of what the agent wrote
    "text",  # what the agent wrote, beneath that heading
    "thinking",
    "tool",  # a call with its result, or a result alone
    "command",  # a command that the user ran
    "summary",  # what stands for the conversation before
    "message",  # put into the conversation by something else than the two
    "note",  # something changed: one line
    "branch",  # entries that are not shown, or where others part
    "error",  # the turn went wrong
    "unknown",  # an entry of a type nobody here knows
    "bad",  # a line that is no entry
]
BlockGroup = Literal["prose", "tool", "note"]
"""Blocks of one group stand closer together."""
PartFormat = Literal["markdown", "plain", "code", "diff", "thinking", "json", "note"]

MAX_LINES = 400
"""How many lines of one text a block carries; each takes a row at least."""
LAST_LINES = 12
"""How many of the last lines it carries besides, where it cannot carry all."""
MAX_TEXT = 256 * 1024
"""How many characters of one text are looked at."""
MAX_HEADING = 1000
"""How many characters a heading or its detail may have."""

FOLDED_OUTPUT = 4
FOLDED_ERROR = 8
FOLDED_DIFF = 14
FOLDED_TEXT = 3
FOLDED_SUMMARY = 8


class Part(msgspec.Struct, frozen=True, gc=False):
    """A piece of a block's body that is drawn in one way."""

    format: PartFormat
    lines: tuple[str, ...]
    """Safe to show; at most `MAX_LINES`, unless made `without_limits`."""
    more: int = 0
    """How many lines follow that the block does not carry."""
    last: tuple[str, ...] = ()
    """The last `LAST_LINES` of those."""
    language: str = ""
    """Of code: what a fence or the end of a file's name calls it; safe to show."""


class Usage(msgspec.Struct, frozen=True, gc=False):
    """What a turn used, as the agent recorded it."""

    tokens: int = 0
    cost: float = 0.0
    """US dollars."""


class Block(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Something to show, with a heading or without."""

    kind: BlockKind
    offset: int
    """Where the line begins that it shows."""
    heading: str = ""
    detail: str = ""
    """What the heading is about; may be cut where room is short."""
    cut: Literal["end", "middle"] = "end"
    """Where to cut `detail`: paths in the middle."""
    time_ms: int | None = None
    meta: tuple[str, ...] = ()
    """More for the right end of the heading."""
    usage: Usage | None = None
    duration_ms: int | None = None
    added: int = 0
    removed: int = 0
    """Lines that an edit added and removed."""
    parts: tuple[Part, ...] = ()
    """The body."""
    brief: tuple[Part, ...] | None = None
    """What of the body shows while it is folded; None: the beginning of `parts`."""
    folded: int | None = None
    """How many rows show while it is folded; None: it does not fold."""
    from_end: bool = False
    """Whether the last rows show while it is folded, not the first."""
    subagents: tuple[str, ...] = ()
    """What the sessions may be called that it started, without folder and `.jsonl`."""
    error: bool = False
    silent: bool = False
    """A heading without text beneath it: shown only when there is thinking to show."""


class Result(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What came back from a tool call."""

    call_id: str
    tool: str
    part: Part
    offset: int
    time_ms: int | None = None
    error: bool = False
    details: dict[str, Any] = msgspec.field(default_factory=dict)


class CallPairing(Protocol):
    """Brings calls and results together that stand on different lines."""

    def result(self, call_id: str) -> Result | None:
        """Return what the call got, if that is at hand."""
        ...

    def started_ms(self, call_id: str) -> int | None:
        """Return when the call began to run, if that was recorded."""
        ...

    def is_shown(self, call_id: str, offset: int) -> bool:
        """Return whether the call's own block shows what stands on the line at `offset`."""
        ...


class NoPairing:
    """Every line stands for itself."""

    def result(self, call_id: str) -> Result | None:  # noqa: ARG002 - the protocol's names
        """Return None."""
        return None

    def started_ms(self, call_id: str) -> int | None:  # noqa: ARG002
        """Return None."""
        return None

    def is_shown(self, call_id: str, offset: int) -> bool:  # noqa: ARG002
        """Return false."""
        return False


NO_PAIRING = NoPairing()

_GROUPS: dict[BlockKind, BlockGroup] = {
    "tool": "tool",
    "command": "tool",
    "note": "note",
    "branch": "note",
}


def block_group(block: Block) -> BlockGroup:
    """Return which blocks it stands close to."""
    return _GROUPS.get(block.kind, "prose")


_uncut: ContextVar[bool] = ContextVar("uncut", default=False)


@contextmanager
def without_limits() -> Iterator[None]:
    """Let parts that are made here carry all lines, and tabs; for files, never for the screen."""
    token = _uncut.set(True)
    try:
        yield
    finally:
        _uncut.reset(token)


def text_part(format: PartFormat, text: str, language: str = "") -> Part:  # noqa: A002
    """Return text as a part: safe lines without colour codes and trailing blank lines."""
    if _uncut.get():
        text = clean_text(_without_colours(text) if "\x1b" in text else text)
        return Part(format, tuple(text.rstrip().split("\n")), language=language)
    lines = safe_lines(text[:MAX_TEXT])
    missing = text.count("\n", MAX_TEXT)
    if len(lines) <= MAX_LINES and not missing:
        return Part(format, tuple(lines), language=language)
    return Part(
        format,
        tuple(lines[:MAX_LINES]),
        len(lines) - MAX_LINES + missing,
        tuple(safe_lines(text[-MAX_TEXT:])[-LAST_LINES:])
        if missing
        else tuple(lines[-LAST_LINES:]),
        language,
    )


def safe_lines(text: str) -> list[str]:
    """Return the lines of `text`, safe to show, without SGR codes and trailing blank lines."""
    if "\x1b" in text:
        text = _without_colours(text)
    return clean_lines(text.rstrip("\n\r\t "))


def _without_colours(text: str) -> str:
    """Return `text` without the escape codes that only colour it or clear to the line's end."""
    pieces = text.split("\x1b[")
    kept = [pieces[0]]
    for piece in pieces[1:]:
        end = len(piece) - len(piece.lstrip("0123456789;:"))
        code = piece[end : end + 1]
        kept.append(piece[end + 1 :] if code and code in "mK" else "\x1b[" + piece)
    return "".join(kept)


def first_line(text: object) -> str:
    """Return what is text of `text` as one safe line, for headings."""
    if not isinstance(text, str):
        return "" if text is None else compact_json(text)
    head = text[:MAX_HEADING].strip()
    first, newline, _ = head.partition("\n")
    return clean(first.rstrip()) + (" …" if newline or len(text) > MAX_HEADING else "")


def compact_json(value: object, limit: int = MAX_HEADING) -> str:
    """Return a value as JSON on one safe line, at most `limit` characters."""
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "), default=str)
    return clean(text if len(text) <= limit else text[:limit] + "…")


def json_part(value: object) -> Part:
    """Return a value as indented JSON."""
    return text_part("json", json.dumps(value, ensure_ascii=False, indent=2, default=str))


def note_block(item: Entry, heading: str, detail: str = "", **rest: Any) -> Block:
    """Return one muted line, with the entry's time unless `rest` says otherwise."""
    fields = {"time_ms": item.timestamp_ms, **rest}
    return Block(
        kind="note",
        offset=item.offset,
        heading=first_line(heading),
        detail=first_line(detail),
        **fields,
    )


def unknown_block(item: Entry) -> Block:
    """Return an entry as itself: its type, and its other fields as JSON."""
    rest = {
        key: value
        for key, value in item.data.items()
        if key not in {"type", "id", "parentId", "timestamp"}
    }
    return Block(
        kind="unknown",
        offset=item.offset,
        heading=first_line(item.type) or "entry without a type",
        time_ms=item.timestamp_ms,
        parts=(json_part(rest),),
        brief=(Part("json", (compact_json(rest),)),),
        folded=FOLDED_TEXT,
    )


def bad_line_block(item: BadLine) -> Block:
    """Return a placeholder for a line that is no entry."""
    return Block(
        kind="bad",
        offset=item.offset,
        heading="cannot be read",
        detail=clean(item.reason),
        meta=(f"byte {item.offset:,}",),
        parts=(text_part("plain", item.excerpt.decode("utf-8", "replace")),),
        folded=FOLDED_TEXT,
        error=True,
    )


MAX_NUMBER: Final = 10**15
"""No number of tokens, milliseconds or lines is larger; what is may overflow where it is shown."""
_TEXT_TYPES = {"text", "input_text", "output_text", "summary_text", "reasoning_text"}
_IMAGE_TYPES = {"image", "input_image", "image_url"}


def mapping(value: object) -> dict[str, Any]:
    """Return `value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """Return `value` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """Return `value` if it is text, else nothing."""
    return value if isinstance(value, str) else ""


def first_text(data: dict[str, Any], *keys: str) -> str:
    """Return the first of these fields that holds some text."""
    for key in keys:
        value = data.get(key)
        if isinstance(value, str) and value.strip():
            return value
    return ""


def number_value(value: object) -> int:
    """Return a whole number of a size that can be reckoned with, 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return 0  # What is not itself is NaN.
    return int(max(-MAX_NUMBER, min(value, MAX_NUMBER)))


def count_value(value: object) -> int:
    """Return a whole number as an agent may count, 0 for what nobody counted."""
    counted = number_value(value)
    return counted if 0 < counted < MAX_NUMBER else 0


def content_text(content: object) -> str:
    """Return the text of a message's content: a string, or a list of blocks; images as a word."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        content = [content]
    pieces = [
        piece if isinstance(piece, str) else _piece_text(mapping(piece)) for piece in items(content)
    ]
    return "\n".join(piece for piece in pieces if piece)


def _piece_text(piece: dict[str, Any]) -> str:
    kind = text(piece.get("type"))
    if kind in _IMAGE_TYPES:
        return image_line(piece)
    if kind in _TEXT_TYPES or "text" in piece:
        return text(piece.get("text"))
    return text(piece.get("content"))


def image_line(piece: dict[str, Any]) -> str:
    """Return one line in the place of an image: its type, size and where it is kept."""
    source = mapping(piece.get("source"))
    data = text(piece.get("data") or source.get("data") or piece.get("image_url"))
    kind = first_text(piece, "mimeType", "media_type") or first_text(source, "media_type")
    if data.startswith("data:"):
        kind = kind or data[5:40].partition(";")[0]
        data = data.partition(",")[2]
    words = ["image", clean(kind)]
    if data.startswith("blob:"):
        words.append(f"blob {clean(data.rpartition(':')[2][:12])}")
    elif data.startswith(("http:", "https:", "file:")):
        words.append(first_line(data))
    elif data:
        words.append(f"{len(data) * 3 // 4 / 1000:,.0f} KB")
    return "▨ " + " · ".join(word for word in words if word)


def content_part(content: object) -> Part:
    """Return the text of a tool's result as a part."""
    return text_part("plain", content_text(content))


def usage(value: object) -> Usage | None:
    """Return what a usage object of any of the agents tells; None if nothing."""
    data = mapping(value)
    total = count_value(data.get("totalTokens")) or count_value(data.get("total_tokens"))
    if not total:
        total = sum(
            count_value(data.get(key))
            for key in (
                "input",
                "output",
                "cacheRead",
                "cacheWrite",
                "input_tokens",
                "output_tokens",
                "cache_read_input_tokens",
                "cache_creation_input_tokens",
            )
        )
    dollars = mapping(data.get("cost")).get("total")
    if isinstance(dollars, bool) or not isinstance(dollars, int | float):
        dollars = 0
    cost = dollars if 0 <= dollars < 1e9 else 0.0
    return Usage(total, float(cost)) if total or cost else None


def model_name(value: object) -> str:
    """Return a model's name without its maker and its date: `opus-4.5`, `gpt-5.6-sol`."""
    name = first_line(value).rpartition("/")[2]
    name = name.removeprefix("claude-")
    stem, _, last = name.rpartition("-")
    if stem and len(last) == 8 and last.isdigit():
        name = stem
    words = name.split("-")
    if len(words) >= 2 and all(word.isdigit() and len(word) <= 2 for word in words[-2:]):
        name = "-".join(words[:-2]) + "-" * (len(words) > 2) + ".".join(words[-2:])
    return name
