"""Lines of JSON and their entries: decoding, encoding, and splitting bytes into lines.

Decoding never raises: what is no entry is a bad line with the reason. msgspec reads a
line at more than twice the speed of the standard library, but refuses lone surrogates,
NaN and two objects on a line, which real sessions hold; then `json` reads it, and only
what that refuses too is a bad line. A line beyond `WHOLE_BYTES` is not decoded whole: its
first bytes tell what it is.

A line ends with a newline; what comes after the last one is a line still being written.
Offsets and sizes are bytes from the start of the session; times are milliseconds since
the epoch, UTC.

JSON is read no deeper than it can be shown: Python reads a thousand levels or ten
thousand, depending on its version; laid out, each is indented further than the one
before, so a short line could fill the memory.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from sessiontui.text import clean
from sessiontui.times import time_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Entry(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A JSON object of a session, whatever its type; unknown types are kept as they are."""

    offset: int
    """Where its line starts."""
    size: int
    """Length of its line without the newline; objects that share a line share both."""
    type: str
    """The `type` field, or `""` where there is none."""
    id: str | None = None
    parent_id: str | None = None
    timestamp_ms: int | None = None
    data: dict[str, Any]
    """The whole object; only its beginning where `partial`."""
    agent: str = ""
    """The agent whose record it was translated from; else empty."""
    partial: bool = False
    """Whether the line is too long to be decoded whole (`decode.WHOLE_BYTES`)."""


class BadLine(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A line that cannot be decoded; shown as a placeholder with its offset."""

    offset: int
    size: int
    reason: str
    """One short sentence in plain words, safe to show."""
    excerpt: bytes
    """The first bytes of the line, at most 2,000."""


Item = Entry | BadLine


MAX_DEPTH = 200
"""How many objects and lists may lie in one another."""
DEEP = "it is nested too deeply"
"""What is said of more."""


def too_deep(value: object) -> bool:
    """Tell whether more than `MAX_DEPTH` objects and lists lie in one another."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return True


def read_json(text: str) -> Any:
    """Return the value that `text` stands for.

    Raises:
        ValueError: It is no JSON, or nested too deeply.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError(DEEP) from error
    if too_deep(value):
        raise ValueError(DEEP)
    return value


_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
    (?P<open>[{\[]) | (?P<close>[}\]]) | (?P<comma>,) | (?P<colon>:)
    | "(?P<text>[^"\\]*(?:\\(?:u[0-9a-fA-F]{4}|[^u])[^"\\]*)*)(?P<quote>"?)
    | (?P<scalar>[^\s{}\[\]:,"]+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_MAX_TOKENS = 50_000


def partial_object(head: bytes) -> dict[str, Any] | None:
    """Read what a cut JSON object tells.

    Args:
        head: The first bytes of the object, cut anywhere. The time taken grows with
            their number, so bound it.

    Returns:
        The object with everything that stands whole in `head`, and the beginning of
        the string that was cut. None where it is no JSON object.
    """
    text = head.decode("utf-8", "ignore").lstrip("\ufeff \t\r\n")
    if not text.startswith("{"):
        return None
    try:
        value = json.loads(_closed(text))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _closed(text: str) -> str:
    """Return `text` up to the last point where brackets alone make it whole, with them."""
    closers: list[str] = []
    safe = position = 0
    value_next = True
    for _ in range(_MAX_TOKENS):
        match = _TOKEN.match(text, position)
        if match is None:
            break
        position = match.end()
        kind = match.lastgroup
        in_list = bool(closers) and closers[-1] == "]"
        if kind == "open":
            closers.append("}" if match["open"] == "{" else "]")
            safe, value_next = position, match["open"] == "["
            if len(closers) > MAX_DEPTH:
                break
        elif kind == "close":
            closers.pop()
            safe, value_next = position, False
            if not closers:
                break
        elif kind == "comma":
            value_next = in_list
        elif kind == "colon":
            value_next = True
        elif value_next and kind == "quote" and not match["quote"]:
            return text[:position] + '"' + "".join(reversed(closers))
        elif value_next and (kind == "quote" or position < len(text)):
            safe, value_next = position, False
    return text[:safe] + "".join(reversed(closers))


WHOLE_BYTES = 8 * 1024 * 1024
"""A line longer than this is known by its first bytes alone."""
HEAD_BYTES = 64 * 1024
"""How many of them are looked at."""
EXCERPT_BYTES = 2000
MAX_OBJECTS = 1000
"""How many objects on one line are kept."""

_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"
_fast = msgspec.json.Decoder().decode
_slow = json.JSONDecoder().raw_decode


def decode_line(raw: bytes, offset: int, *, size: int | None = None) -> tuple[Item, ...]:
    """Decode one line.

    Args:
        raw: The line, with or without its newline; a carriage return and a byte-order
            mark do not count.
        offset: Where it starts in the session, in bytes.
        size: Its true length where `raw` is only its beginning.

    Returns:
        Nothing for a blank line; usually one entry; several where objects share a
        line, followed by a bad line where more follows that is no object.
    """
    line = raw.removesuffix(b"\n")
    length = len(line) if size is None else size
    if len(line) < length or length > WHOLE_BYTES:
        return (_cut_entry(line[:HEAD_BYTES], offset, length),)
    try:
        value = _fast(line)
    except (ValueError, RecursionError):  # msgspec's DecodeError is a ValueError
        return _decode_slowly(line, offset, length)
    if not isinstance(value, dict):
        return (_bad(line, offset, length, "it is JSON, but no object"),)
    may_be_deep = length > 2 * MAX_DEPTH and line.count(b"{") + line.count(b"[") > MAX_DEPTH
    if may_be_deep and too_deep(value):
        return (_bad(line, offset, length, DEEP),)
    return (make_entry(value, offset, length),)


def decode_lines(data: bytes, offset: int = 0) -> list[Item]:
    """Decode bytes that begin at the start of a line; what follows the last newline counts too.

    Args:
        data: The lines.
        offset: Where they begin in the session, in bytes.
    """
    items: list[Item] = []
    for line in data.split(b"\n"):
        if line:
            items += decode_line(line, offset)
        offset += len(line) + 1
    return items


def _decode_slowly(line: bytes, offset: int, size: int) -> tuple[Item, ...]:
    text = line.removeprefix(_BOM).strip(_BLANK).decode("utf-8", "replace")
    if not text:
        return ()
    items: list[Item] = []
    try:
        for value in _values(text):
            if not isinstance(value, dict):
                items.append(_bad(line, offset, size, "it is JSON, but no object"))
                break
            if too_deep(value):
                items.append(_bad(line, offset, size, DEEP))
                break
            if len(items) == MAX_OBJECTS:
                reason = f"more than {MAX_OBJECTS} objects on one line"
                items.append(_bad(line, offset, size, reason))
                break
            items.append(make_entry(value, offset, size))
    except json.JSONDecodeError as error:
        where = f"{error.msg.rstrip(': ')}, character {error.pos + 1}"
        items.append(_bad(line, offset, size, f"it is not JSON ({where})"))
    except ValueError:  # an integer of more digits than Python converts
        items.append(_bad(line, offset, size, "it holds a number that is too long"))
    except RecursionError:
        items.append(_bad(line, offset, size, DEEP))
    return tuple(items)


def _values(text: str) -> Iterator[Any]:
    """Yield the JSON values that stand one after another in `text`."""
    position = 0
    while position < len(text):
        value, position = _slow(text, position)
        yield value
        while position < len(text) and text[position] in " \t\r\n":
            position += 1


def make_entry(
    data: dict[str, Any], offset: int, size: int, *, agent: str = "", partial: bool = False
) -> Entry:
    """Return the entry that a JSON object of a line is.

    Args:
        data: The object.
        offset: Where its line starts.
        size: Length of its line.
        agent: The agent whose record it was translated from.
        partial: Whether it is only the beginning of one.
    """
    kind, own, parent = data.get("type"), data.get("id"), data.get("parentId")
    if own is None:
        payload = data.get("payload")
        own = data.get("uuid") or (payload.get("id") if isinstance(payload, dict) else None)
        parent = data.get("parentUuid")
    when = time_ms(data.get("timestamp"))
    if when is None and isinstance(message := data.get("message"), dict):
        when = time_ms(message.get("timestamp"))
    return Entry(
        offset=offset,
        size=size,
        type=kind if isinstance(kind, str) else "",
        id=own if isinstance(own, str) else None,
        parent_id=parent if isinstance(parent, str) else None,
        timestamp_ms=when,
        data=data,
        agent=agent,
        partial=partial,
    )


def _cut_entry(head: bytes, offset: int, size: int) -> Item:
    data = partial_object(head)
    if data is None:
        return _bad(head, offset, size, "it is too long, and does not begin like an entry")
    return make_entry(data, offset, size, partial=True)


def _bad(line: bytes, offset: int, size: int, reason: str) -> BadLine:
    return BadLine(offset=offset, size=size, reason=clean(reason), excerpt=line[:EXCERPT_BYTES])


REST_BYTES = 16 * 1024 * 1024
"""How much of a line still being written is kept."""


class RawLine(NamedTuple):
    """One line of a session."""

    offset: int
    """Where it starts."""
    data: bytes
    """Its bytes without the newline; only the first ones where `size` is larger."""
    size: int
    """Its length without the newline."""


def split_lines(data: bytes, offset: int = 0, *, rest: bool = True) -> Iterator[RawLine]:
    """Yield the lines of `data`, empty ones too.

    Args:
        data: Bytes that begin at the start of a line.
        offset: Where they begin in the session.
        rest: Whether what follows the last newline is yielded too.
    """
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield RawLine(offset + start, data[start:end], end - start)
        start = end + 1
    if rest and start < len(data):
        yield RawLine(offset + start, data[start:], len(data) - start)


class LineBuffer:
    """Makes whole lines of bytes that come in pieces.

    Args:
        offset: Where the first byte fed begins in the session; the start of a line.
        limit: How much of a line still being written is kept. The line comes
            with its true size, and only this many of its first bytes.
    """

    def __init__(self, offset: int = 0, *, limit: int = REST_BYTES) -> None:
        self._start = offset
        self._limit = limit
        self._pieces: list[bytes] = []
        self._kept = 0
        self._size = 0

    @property
    def offset(self) -> int:
        """Where the line still being written starts."""
        return self._start

    @property
    def rest_size(self) -> int:
        """Length of the line still being written, in bytes."""
        return self._size

    @property
    def rest(self) -> bytes:
        """The line still being written; at most the first `limit` bytes of it."""
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0] if self._pieces else b""

    def feed(self, data: bytes) -> list[RawLine]:
        """Take the next bytes and return the lines that they complete."""
        end = data.find(b"\n")
        if end < 0:
            self._keep(data)
            return []
        self._keep(data[:end])
        lines = [RawLine(self._start, self.rest, self._size)]
        begin = self._start + self._size + 1
        self._pieces, self._kept, self._size = [], 0, 0
        last = data.rfind(b"\n") + 1
        lines += split_lines(data[end + 1 : last], begin)
        self._start = begin + last - end - 1
        self._keep(data[last:])
        return lines

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        piece = data[: self._limit - self._kept]
        if piece:
            self._pieces.append(piece)
            self._kept += len(piece)


_SURROGATE = re.compile("[\ud800-\udfff]")


def to_json(value: object) -> str:
    """Return compact JSON as JavaScript's `JSON.stringify` writes it: lone surrogates as escapes.

    Raises:
        ValueError: It holds a number that JSON has not (NaN, infinity), or itself.
        TypeError: It holds something that is not JSON.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _SURROGATE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def encode_entry(entry: Mapping[str, Any]) -> bytes:
    """Return one line of a session with its newline.

    Raises:
        ValueError: As `to_json`.
        TypeError: As `to_json`.
    """
    return to_json(entry).encode() + b"\n"


def encode_entries(entries: Iterable[Mapping[str, Any]]) -> bytes:
    """Return the lines of a session, each with its newline; errors as `encode_entry`."""
    return b"".join(map(encode_entry, entries))
