"""Safe regular expressions: those that could backtrack for hours are refused or get less text.

Python's `re` tries every way to match, and nothing can stop it while it does.
So a pattern is looked at before it is used: what repeats must be simple, and
the more of it may take different lengths, the less of a text is looked at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from sessiontui.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST: Final = 300
"""How many characters of a text a pattern is tried on at most."""
_LONGEST_PATTERN: Final = 200
_STEPS: Final = 200_000
"""How many steps one text may take in the worst case."""
_LEAST: Final = 40
"""A pattern that could be tried on fewer characters is refused."""
_ALTERNATIVES: Final = 8
"""How many times a pattern may leave a choice that is no repetition."""
_FLAGS: Final = {"i": re.IGNORECASE, "s": re.DOTALL, "a": re.ASCII}

_TOKEN = re.compile(
    r"(?P<escape>\\.)"
    r"|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])"
    r"|(?P<open>\((?:\?(?:[:=!]|<[=!]|P<\w+>))?)"
    r"|(?P<close>\))"
    r"|(?P<repeat>(?:[*+?]|\{\d*,?\d*\})[?+]?)"
    r"|(?P<choice>\|)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_COUNTED = re.compile(r"\{(\d*)(,?)(\d*)\}")


class SafePattern(NamedTuple):
    """A regular expression that is safe to use."""

    expression: re.Pattern[str]
    length: int
    """How many characters of a text it is tried on."""

    def found_in(self, text: str) -> bool:
        """Tell whether it matches somewhere in the beginning of a text."""
        return self.expression.search(text[: self.length]) is not None

    def positions(self, text: str) -> Iterator[int]:
        """Yield which characters of a text match."""
        for match in self.expression.finditer(text[: self.length]):
            yield from range(match.start(), match.end())


def safe_pattern(text: str, flags: str = "") -> SafePattern:
    """Return a pattern.

    Args:
        text: As Python's `re` takes it.
        flags: `i` ignores case, `s` lets a dot match everything, `a` keeps letters to ASCII.

    Raises:
        QueryError: It is no pattern, or one that could take for ever.
    """
    if len(text) > _LONGEST_PATTERN:
        raise QueryError(f"a pattern has at most {_LONGEST_PATTERN} characters")
    unknown = sorted(set(flags) - _FLAGS.keys())
    if unknown:
        raise QueryError(f"after a pattern stand i, s or a, not {unknown[0]}")
    length = _length(text)
    combined = 0
    for flag in flags:
        combined |= _FLAGS[flag]
    try:
        return SafePattern(re.compile(text, combined), length)
    except (re.error, OverflowError, RecursionError) as error:
        raise QueryError(f"no pattern: {error}") from error


def _length(text: str) -> int:
    """Return how much of a text the pattern may be tried on."""
    repeats, choices = _weighed(text)
    length = LONGEST
    while length >= _LEAST:
        # Each repetition may begin anywhere and end anywhere after it.
        ways = 1
        for number in range(repeats + 1):
            ways = ways * (length + number) // (number + 1)
        if ways << choices <= _STEPS:
            return length
        length -= 20
    raise QueryError("this pattern repeats too much to be tried")


def _weighed(text: str) -> tuple[int, int]:
    """Return how many repetitions there are, and how many choices beside them."""
    repeats = choices = 0
    groups = [False]
    """For each open group whether it may match in several ways."""
    grouped = varied = False
    """Whether a group stands before, and whether what stands before may."""
    for token in _TOKEN.finditer(text):
        kind, value = token.lastgroup, token.group()
        _refuse_unknown(kind, value, text[token.end() : token.end() + 1])
        if kind == "open":
            groups.append(False)
        elif kind == "close":
            varied = groups.pop() if len(groups) > 1 else False
            groups[-1] = groups[-1] or varied
            grouped = True
            continue
        elif kind == "choice":
            groups[-1] = True
            choices += 1
        elif kind == "repeat" and (times := _times(value)) is not None:
            least, most = times
            if most > 1 and varied:
                raise QueryError("a choice or a repetition inside a repetition could take for ever")
            # What is repeated a fixed number of times may still be empty, if it is a group.
            groups[-1] = groups[-1] or least < most or grouped
            repeats += least < most and most > 1
            choices += least < most <= 1
        grouped = varied = False
    if choices > _ALTERNATIVES:
        raise QueryError(f"a pattern has at most {_ALTERNATIVES} alternatives")
    return repeats, choices


def _times(repeat: str) -> tuple[int, int] | None:
    """Return how often something may repeat at least and at most; None where it does not."""
    if repeat[0] in "*+":
        return 0, LONGEST
    if repeat[0] == "?":
        return 0, 1
    counted = _COUNTED.match(repeat)
    if counted is None or not (counted[1] or counted[3]):
        return None
    if max(len(counted[1]), len(counted[3])) > 3:
        raise QueryError(f"a pattern repeats at most {LONGEST} times")
    least = int(counted[1] or 0)
    if not counted[2]:
        return least, least
    return least, int(counted[3] or LONGEST)


def _refuse_unknown(kind: str | None, value: str, after: str) -> None:
    if kind == "escape" and value[1] in "123456789":
        raise QueryError("a pattern cannot refer to its own groups")
    if value == "(" and after == "?":
        raise QueryError("this kind of group is not understood in a pattern")
