"""The beginning of a JSON object that was cut somewhere, read as far as it goes."""

from __future__ import annotations

import json
import re
from typing import Any

from sessiontui.formats.nesting import MAX_DEPTH

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
