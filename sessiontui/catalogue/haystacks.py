"""What of a session is searched for words: a haystack, folded so that case makes no difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sessiontui.catalogue.order import file_name, folder_of

if TYPE_CHECKING:
    from sessiontui.catalogue.row import Row

FIELD_LENGTH: Final = 300
"""How much of each field is searched."""


def fold(text: str) -> str:
    """Return `text` without regard to case, of the same length."""
    folded = text.lower()
    if len(folded) == len(text):
        return folded
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)


def haystack(row: Row, project: str) -> str:
    """Return what is searched of a row, a line each.

    The lines are title, project, file name with the id, folder, first message.
    """
    path, identity, length = row.path, row.id, FIELD_LENGTH
    name = file_name(path)
    if identity is not None and identity not in name:
        name = f"{identity} {name}"
    fields = (
        row.title[:length],
        project[:length],
        name[:length],
        folder_of(path)[:length],
        row.first_message[:length],
    )
    hay = "\n".join(fields)
    if hay.count("\n") != len(fields) - 1:
        hay = "\n".join(field.replace("\n", " ") for field in fields)
    return fold(hay)


def names_of(hay: str) -> str:
    """Return the lines of a haystack in which letters may follow one another."""
    return hay[: hay.find("\n", hay.find("\n") + 1)]
