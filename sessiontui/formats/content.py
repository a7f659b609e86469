"""Fields of entries whose shape nobody guarantees: text out of content lists, numbers, usage."""

from __future__ import annotations

from typing import Any, Final

from sessiontui.formats.blocks import Part, Usage, first_line, text_part
from sessiontui.text import clean

MOST: Final = 10**15
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


def number(value: object) -> int:
    """Return a whole number of a size that can be reckoned with, 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return 0  # What is not itself is NaN.
    return int(max(-MOST, min(value, MOST)))


def amount(value: object) -> int:
    """Return a whole number as an agent may count, 0 for what nobody counted."""
    counted = number(value)
    return counted if 0 < counted < MOST else 0


def joined(content: object) -> str:
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
        return image(piece)
    if kind in _TEXT_TYPES or "text" in piece:
        return text(piece.get("text"))
    return text(piece.get("content"))


def image(piece: dict[str, Any]) -> str:
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
    return text_part("plain", joined(content))


def usage(value: object) -> Usage | None:
    """Return what a usage object of any of the agents tells; None if nothing."""
    data = mapping(value)
    total = amount(data.get("totalTokens")) or amount(data.get("total_tokens"))
    if not total:
        total = sum(
            amount(data.get(key))
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
