"""Entries as an agent writes them: compact JSON in UTF-8, one object a line."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
