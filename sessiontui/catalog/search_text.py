"""The text of a session that a query looks through, and the words of a name."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from sessiontui.catalog.sorting import file_name, folder_of

if TYPE_CHECKING:
    from sessiontui.catalog.row import Row

FIELD_LENGTH: Final = 300
"""How much of each field is searched."""
MARK: Final = "\0"
"""Stands before each id; nowhere else in a haystack."""

_SPEAKING: Final = 5
"""How many lines stand before the ids."""
_NAMED = re.compile(r"\d{4}-\d\d-\d\dT[\d-]+Z?_(.+)", re.DOTALL)
"""How omp and pi name a file: by time and id."""
_ROLLOUT = re.compile(r"rollout-\d{4}-\d\d-\d\dT[\d-]+-([0-9a-fA-F]{8}-[0-9a-fA-F-]{27})")
_NO_WORD = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:-\d{3}(?![0-9a-fA-F]))?Z?(?:_[^/]*)?"
    r"|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    r"|\b(?=[0-9a-fA-F]*[0-9])[0-9a-fA-F]{8,}\b"
)
"""Times, ids and the like within a name."""


def fold_case(text: str) -> str:
    """Return `text` without regard to case, of the same length."""
    folded = text.lower()
    if len(folded) == len(text):
        return folded
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)


def search_text(row: Row, project: str) -> str:
    """Return the text of a row that words are searched in, a line each.

    The lines are title, project, file name, folder, first message, and the ids: the
    session's own, the one in the file's name and that name as a whole.
    """
    path, length = row.path, FIELD_LENGTH
    name = file_name(path)
    ids = [name[start : start + length] for start in id_starts(name)]
    if row.id is not None and row.id not in ids:
        ids.append(row.id[:length])
    fields = (
        row.title[:length],
        project[:length],
        words_of_name(name)[:length],
        _words_of(folder_of(path))[:length],
        row.first_message[:length],
        MARK + MARK.join(ids),
    )
    hay = "\n".join(fields)
    if hay.count("\n") != _SPEAKING or hay.count(MARK) != len(ids):
        clean = [field.replace("\n", " ").replace(MARK, " ") for field in fields[:_SPEAKING]]
        marked = [MARK + text.replace("\n", " ").replace(MARK, " ") for text in ids]
        hay = "\n".join([*clean, "".join(marked)])
    return fold_case(hay)


def id_starts(name: str) -> tuple[int, ...]:
    """Return from where on a file's name can be meant as an id: as a whole, and after a time."""
    named = _NAMED.fullmatch(name) or _ROLLOUT.fullmatch(name)
    return (0,) if named is None else (0, named.start(1))


def words_of_name(name: str) -> str:
    """Return a name with blanks for the times and ids in it, of the same length."""
    return _NO_WORD.sub(lambda found: " " * len(found[0]), name)


_words_of = lru_cache(maxsize=1024)(words_of_name)
"""The same for folders: many sessions stand in one."""


def name_lines(hay: str) -> str:
    """Return the lines of a haystack in which letters may stand apart: title and project."""
    return hay[: hay.find("\n", hay.find("\n") + 1)]
