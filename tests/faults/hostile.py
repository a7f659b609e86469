"""Sessions that nobody should ever write, each a reason for a reader to fall over."""

from __future__ import annotations

import json
from typing import Final

from sessiontui.formats.title_slot import make_slot

FORBIDDEN: Final = "".join(
    [chr(code) for code in range(32) if chr(code) not in "\n\t"]
    + [chr(code) for code in range(0x7F, 0xA0)]
    + list("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
)
"""Characters that must not come out where somebody reads."""

EVIL: Final = "\x1b]52;c;aGFja2Vk\x07\x1b[2J\x9b31m\u202eevil\u202c[/x][bold]\x00\x7f"
LONG_LINE: Final = 100_000_000
"""Bytes of the longest line, where there is time."""
EMPTY_LINES: Final = 1_000_000
"""Lines without anything, one after the other, where there is time."""


def header(name: str, **fields: object) -> bytes:
    """Return the first line of a session."""
    told = {
        "type": "session",
        "version": 3,
        "id": name,
        "timestamp": "2026-11-20T10:00:00.000Z",
        "cwd": "/home/mira/code/api",
        "title": f"Hostile {name}",
    }
    return json.dumps(told | fields).encode() + b"\n"


def said(text: str, number: int = 0, role: str = "user", **fields: object) -> bytes:
    """Return an entry in which somebody says something."""
    told = {
        "type": "message",
        "id": f"{number:08x}",
        "parentId": f"{number - 1:08x}" if number else None,
        "timestamp": "2026-11-20T10:00:01.000Z",
        "message": {"role": role, "content": text},
    }
    return json.dumps(told | fields).encode() + b"\n"


def hostile_sessions(*, long_line: int = 3_000_000, empty_lines: int = 50_000) -> dict[str, bytes]:
    """Return sessions by name; the longest line has `long_line` bytes."""
    call = {"type": "toolCall", "id": EVIL, "name": EVIL, "arguments": {EVIL: [EVIL]}}
    evil_call = {"role": "assistant", "model": EVIL, "content": [call], "stopReason": EVIL}
    evil_result = {"role": "toolResult", "toolCallId": EVIL, "toolName": EVIL, "content": EVIL}
    times: tuple[object, ...] = (
        -1e18,
        1e308,
        "99999-01-01T00:00:00Z",
        "0000-00-00",
        "x",
        None,
        [],
        2**70,
        True,
    )
    return {
        "long-line": header("long-line")
        + said("before")
        + said("y" * long_line, 1)
        + said("after", 2),
        "long-tail": header("long-tail")
        + said("before")
        + b'{"type":"message","x":"'
        + b"z" * 2**20,
        "empty-lines": header("empty-lines")
        + said("before")
        + b"\n" * empty_lines
        + said("after", 1),
        "nested": header("nested")
        + b'{"type":"message","message":'
        + b"[" * 100_000
        + b"]" * 100_000
        + b"}\n"
        + b'{"type":"custom","customType":"a","data":'
        + b'{"a":' * 900
        + b"1"
        + b"}" * 900
        + b"}\n"
        + said("after", 1),
        "chain": header("chain") + b"".join(said(f"step {n}", n) for n in range(10_000)),
        "cycle": header("cycle", parentSession="cycle")
        + said("one", 1, parentId=f"{2:08x}")
        + said("two", 2, parentId=f"{1:08x}")
        + said("self", 3, parentId=f"{3:08x}")
        + said("nobody's", 4, parentId="missing!"),
        "twins": header("twins") + b"".join(said(f"twin {n}", 7) for n in range(2000)),
        "times": header("times", timestamp=EVIL)
        + b"".join(said(f"at {when!r}", n, timestamp=when) for n, when in enumerate(times)),
        "bytes": b"\xef\xbb\xbf"
        + header("bytes")
        + b'{"type":"message","message":{"role":"user","content":"\xff\xfe \x00 \xc3"}}\r\n'
        + rb'{"type":"message","message":{"role":"user","content":"\ud800 \udfff \u0000"}}'
        + b"\r\n"
        + b"\x00" * 1000
        + b"\n"
        + b"\xff" * 1000
        + b"\n\r\n"
        + b"{}\n[]\nnull\n1e999\n"
        + said("after", 1),
        "codes": header("codes", cwd=EVIL, title=EVIL, parentSession=EVIL)
        + said(EVIL)
        + said(EVIL, 1, role=EVIL)
        + said("", 2, message=evil_call)
        + said("", 3, message=evil_result)
        + json.dumps({"type": EVIL, "id": EVIL, EVIL: {EVIL: EVIL}}).encode()
        + b"\n"
        + EVIL.encode()
        + b"\n",
        "slot": make_slot(EVIL, source="user", updated_at=1) + header("slot") + said("hello"),
        "types": b'{"type":"session","version":"x","id":7,"cwd":[],"title":{},"timestamp":{}}\n'
        + b'{"type":"message","id":{},"parentId":[],"message":{"role":[],"content":{"a":1}}}\n'
        + b'{"type":"message","message":{"role":"assistant","content":[1,null,{"type":[]},'
        + b'{"type":"toolCall","id":1,"name":{},"arguments":"x"}],"usage":"x"}}\n'
        + b'{"type":"compaction","summary":7,"firstKeptEntryId":[]}\n'
        + b'{"type":"model_usage","usage":{"input":"x","cost":[]}}\n',
        "nothing": b"",
    }


def offences(text: str) -> set[str]:
    """Return the characters of a text that should not come out."""
    return set(text) & set(FORBIDDEN)
