"""How a query is written: words, `"phrases"`, `key:value`, `re:/…/`, each turned round by `-`.

Whatever is typed is a query or an error that says what is allowed. A word with a
colon in it is a word where what stands before it cannot be meant as a key
(`https://…`, `12:30`, `localhost:8080`, `fix: it`).
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, NamedTuple

from sessiontui.catalog.conditions import CHOICES, KEYS, Condition, condition
from sessiontui.catalog.safe_regex import Pattern, safe_pattern
from sessiontui.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_QUERY: Final = 1_000
"""Characters."""
_MOST: Final = 32
"""Words and conditions."""

_ENDINGS: Final = (
    "1", "d", "1d", ">1", ">1d", "..1", "..1d", "d..1d", ".1", ".1d", "2026", "026", "26", "6",
    "01", "-01", "..2026", ".2026", "omp", "error", "pinned", "forks", "/", "/1/", ")/", "]/", "1/",
)  # fmt: skip
"""What may follow the beginning of a condition, one of each kind."""

_KEY = re.compile(r"([A-Za-z]{2,12}):(?!//|:)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)("?)', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_PATTERN = re.compile(r"/((?:[^/\\]|\\.)*+)(/?)(\S*)")
_PLAIN = re.compile(r"\S+")
_BLANK = re.compile(r"\s*")


class Text(NamedTuple):
    """A word, a phrase or a pattern."""

    text: str
    """A word or a phrase as it was typed, without quotes."""
    exact: bool = False
    """Whether its letters must stand together."""
    negated: bool = False
    pattern: Pattern | None = None


def parse(text: str) -> Iterator[Text | Condition]:
    """Yield what a query asks for.

    Raises:
        QueryError: Something of it cannot be understood.
    """
    if len(text) > LONGEST_QUERY:
        raise QueryError(f"a query has at most {LONGEST_QUERY:,} characters")
    at = _past_blanks(text, 0)
    number = 0
    while at < len(text):
        number += 1
        if number > _MOST:
            raise QueryError(f"a query has at most {_MOST} words and conditions")
        begin = at
        negated = text[at] == "-" and at + 1 < len(text) and text[at + 1] not in "- \t\n"
        at += negated
        key = _KEY.match(text, at)
        if text[at] == '"':
            phrase, at = _quoted(text, at)
            if not phrase.strip():
                raise QueryError('there is nothing between the quotes, like "flaky retry"')
            yield Text(phrase, exact=True, negated=negated)
        elif key is not None and key[1].lower() == "re":
            found, at = _pattern(text, key.end())
            yield Text("", negated=negated, pattern=found)
        elif key is not None and _is_key(text, key):
            value, at = _value(text, key.end())
            yield condition(text[begin:at], key[1].lower(), value, negated=negated)
        else:
            word, at = _plain(text, at)
            yield Text(word, exact=negated, negated=negated)
        at = _past_blanks(text, at)


def is_beginning(text: str) -> bool:
    """Tell whether a query that is not understood would be with more letters at its end."""
    last = re.split(r"[:,]", text)[-1].lower()
    words = (word for allowed in CHOICES for word in allowed)
    endings = [word[len(last) :] for word in words if last and word.startswith(last)]
    return any(_is_understood(text + ending) for ending in (*_ENDINGS, *endings))


def understood_part(text: str) -> str:
    """Return what stands before the condition that is being typed."""
    blanks = [match.start() for match in re.finditer(r"\s", text)]
    return next((text[:end] for end in reversed(blanks) if _is_understood(text[:end])), "")


def _is_understood(text: str) -> bool:
    try:
        return bool(list(parse(text)))
    except QueryError:
        return False


def hint(text: str) -> str:
    """Return what could be typed next: the keys, at the beginning and after a colon."""
    if not text.strip():
        return 'words  status:error  age:<7d  "a phrase"  re:/…/  -not   : tells more'
    last = text.split()[-1]
    name = last.lstrip("-").removesuffix(":").lower()
    if not last.endswith(":") or text[-1].isspace() or name in KEYS:
        return ""
    return " ".join((*KEYS, "re"))


def _past_blanks(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return at if match is None else match.end()


def _is_key(text: str, key: re.Match[str]) -> bool:
    """Tell whether what stands before the colon is a key; refuse what nearly is one."""
    name = key[1].lower()
    if name in KEYS:
        return True
    followed = key.end() < len(text) and not text[key.end()].isspace()
    if not followed:
        return False
    near = get_close_matches(name, KEYS, 1, 0.7)
    if not near and text[key.end()].isdigit():
        return False
    meant = f": {near[0]}?" if near else f"; keys are {', '.join(KEYS)}, re"
    raise QueryError(f"{key[0]} is no key{meant}  (as text, put it in quotes)")


def _plain(text: str, at: int) -> tuple[str, int]:
    match = _PLAIN.match(text, at)
    return (text[at:], len(text)) if match is None else (match[0], match.end())


def _quoted(text: str, at: int) -> tuple[str, int]:
    """Return what stands in quotes; without a second one everything up to the end."""
    match = _QUOTED.match(text, at)
    if match is None:
        return text[at + 1 :], len(text)
    return _ESCAPE.sub(r"\1", match[1]), match.end()


def _value(text: str, at: int) -> tuple[str, int]:
    if at < len(text) and text[at] == '"':
        return _quoted(text, at)
    match = _PLAIN.match(text, at)
    return ("", at) if match is None else (match[0], match.end())


def _pattern(text: str, at: int) -> tuple[Pattern, int]:
    match = _PATTERN.match(text, at)
    if match is None:
        raise QueryError("a pattern stands between slashes, like re:/time(d )?out/i")
    if not match[2]:
        raise QueryError("the pattern has no slash at its end, like re:/time(d )?out/i")
    return safe_pattern(match[1].replace("\\/", "/"), match[3]), match.end()
