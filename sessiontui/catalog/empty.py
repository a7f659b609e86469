"""Whether a session is empty: a header, and nothing that anybody said, known for certain.

That takes having seen all of it; which entries say nothing, each format tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiontui.formats.registry import decode_line, says_nothing

if TYPE_CHECKING:
    from sessiontui.catalog.row import Row


def is_empty(row: Row) -> bool:
    """Tell whether a session is known for certain to hold nothing that anybody said.

    That takes having seen all of it: of a session that was not read, or not whole, nobody knows.
    """
    tail = row.tail
    if not row.read or row.first_message or tail.ending is not None or tail.answered:
        return False
    if not tail.quiet or tail.rest is None:
        return row.size == 0
    return not tail.rest or line_says_nothing(tail.rest)


def line_says_nothing(line: bytes) -> bool:
    """Tell whether there is nothing on a line that anybody said."""
    return all(map(says_nothing, decode_line(line, 0)))
