"""JSON of others, no deeper than it can be shown.

Python reads a thousand levels or ten thousand, depending on its version; laid out, each
is indented further than the one before, so a short line could fill the memory.
"""

from __future__ import annotations

import json
from typing import Any

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
