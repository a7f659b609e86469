"""The conditions of a filter query: `size:>5M`, `status:error`, `age:<7d`.

Each key has a reader, which turns what stands after the colon into a test or says
what it should have been. A test answers True or False, or None where the session
has not been read far enough to tell.
"""

from __future__ import annotations

import operator
import re
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from sessiontui.catalog.sorting import file_name
from sessiontui.catalog.status import session_status
from sessiontui.errors import QueryError
from sessiontui.formats.base import UNKNOWN_AGENT
from sessiontui.formats.registry import AGENT_NAMES
from sessiontui.formats.title_slot import TITLE_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from sessiontui.catalog.pinned import QueryContext
    from sessiontui.catalog.row import Row
    from sessiontui.catalog.stats import SessionStats

    Test = Callable[[Row, QueryContext], bool | None]


class Condition(NamedTuple):
    """One condition of a query."""

    text: str
    """As it was typed, without the sign that turns it round."""
    key: str
    value: str
    negated: bool
    test: Test

    def holds(self, row: Row, around: QueryContext) -> bool | None:
        """Tell whether a session fits; None: not known yet."""
        told = self.test(row, around)
        return told if told is None or not self.negated else not told


_STATUS: Final = (
    "complete", "interrupted", "pending", "error", "aborted", "unknown",
    "running", "thinking", "waiting", "stalled", "exited", "crashed", "done",
)  # fmt: skip
_AGENTS: Final = (*AGENT_NAMES, UNKNOWN_AGENT)
_IS: Final = ("pinned", "live", "empty", "fork", "subagent", "orphan")
_HAS: Final = ("subagents", "forks")
CHOICES: Final = (_STATUS, _AGENTS, _IS, _HAS)
"""What there is to choose from, for each key of which that is known."""
_LIVE: Final = ("running", "thinking", "waiting", "stalled")

_COMPARED = re.compile(r"(>=|<=|>|<|=)?(.+)")
_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "=": operator.eq,
}  # fmt: skip
_NUMBER = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)([a-z]{0,3})")
_UNITS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SPANS: Final = {
    "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000,
    "y": 365 * 86_400_000,
}  # fmt: skip
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")

_SIZE: Final = "a size is like >5M, <200k or 1M..5M"
_COUNT: Final = "a number is like >10, <3 or 5..20"
_TOKENS: Final = "a number of tokens is like >100k, <2M or 10k..50k"
_COST: Final = "a cost is in dollars, like >1, <0.50 or 1..5"
_AGE: Final = "an age is like <7d, >2h or 1d..3d (s m h d w y)"
_DATE: Final = "a day is like 2026-01-31, >2026-01 or 2026-01..2026-03"


def make_condition(text: str, key: str, value: str, *, negated: bool) -> Condition:
    """Return a condition.

    Raises:
        QueryError: What stands after the colon does not suit the key.
    """
    try:
        test = KEYS[key].read(value)
    except QueryError as error:
        if not value:
            raise
        raise QueryError(f"{text}: {error}") from error
    return Condition(text, key, value, negated, test)


# What is compared


def _comparison(
    value: str, number: Callable[[str], float], expected: str
) -> Callable[[float], bool]:
    """Return what tells whether a figure fits; ranges hold both their ends.

    Raises:
        QueryError: There is no comparison, or not with what was expected.
    """
    first, dots, last = value.partition("..")
    if dots:
        low, high = number(first), number(last)
        if low > high:
            raise QueryError(f"{expected}, the lower one first")
        return lambda figure: low <= figure <= high
    match = _COMPARED.fullmatch(value)
    if match is None or match[1] is None:
        raise QueryError(expected)
    compare, limit = _OPERATORS[match[1]], number(match[2])
    return lambda figure: compare(figure, limit)


def _number(text: str, *, units: dict[str, int], expected: str, bytes_too: bool = False) -> float:
    match = _NUMBER.fullmatch(text.strip().lower())
    unit = None if match is None else match[2]
    if unit is not None and bytes_too:
        unit = unit[:-2] if len(unit) == 3 and unit.endswith("ib") else unit.removesuffix("b")
    if match is None or unit not in units:
        raise QueryError(expected)
    return float(match[1]) * units[unit]


def _read_size(value: str) -> Test:
    number = partial(_number, units=_UNITS, expected=_SIZE, bytes_too=True)
    fits = _comparison(value, number, _SIZE)
    return lambda row, _: fits(row.size)


def _read_figure(
    value: str,
    *,
    of: Callable[[SessionStats], float],
    expected: str,
    units: dict[str, int],
) -> Test:
    if expected is _COUNT and value[:1].isdigit() and ".." not in value:
        value = f"={value}"
    fits = _comparison(value, partial(_number, units=units, expected=expected), expected)

    def test(row: Row, around: QueryContext) -> bool | None:
        figures = around.figures(row.path)
        return None if figures is None else fits(of(figures))

    return test


def _read_age(value: str) -> Test:
    fits = _comparison(value, partial(_number, units=_SPANS, expected=_AGE), _AGE)
    return lambda row, around: fits(around.now() - row.mtime_ms)


def _read_day(value: str, *, created: bool, zone: tzinfo | None = None) -> Test:
    low, dots, high = value.partition("..")
    if dots:
        first, last = _day(low, zone)[0], _day(high, zone)[1]
        if first >= last:
            raise QueryError(f"{_DATE}, the earlier one first")
    else:
        match = _COMPARED.fullmatch(value)
        if match is None:
            raise QueryError(_DATE)
        begin, end = _day(match[2], zone)
        forever = float("inf")
        first, last = {
            ">": (end, forever),
            ">=": (begin, forever),
            "<": (-forever, begin),
            "<=": (-forever, end),
        }.get(match[1] or "=", (begin, end))

    def test(row: Row, _around: QueryContext) -> bool | None:
        when = row.mtime_ms
        if created:
            if row.created_ms is None:
                return False if row.read else None
            when = row.created_ms
        return first <= when < last

    return test


def _day(text: str, zone: tzinfo | None) -> tuple[float, float]:
    """Return where a day, a month or a year begins and where the next one does."""
    match = _DAY.fullmatch(text.strip())
    if match is None:
        raise QueryError(_DATE)
    year, month, day = int(match[1]), int(match[2] or 1), int(match[3] or 1)
    try:
        begin = datetime(year, month, day, tzinfo=zone)
        if match[3]:
            end = begin + timedelta(days=1)
        elif match[2]:
            end = (begin + timedelta(days=32)).replace(day=1)
        else:
            end = begin.replace(year=year + 1)
        return begin.timestamp() * 1000, end.timestamp() * 1000
    except (ValueError, OverflowError, OSError) as error:
        raise QueryError(_DATE) from error


# What is one of some words, or holds a text


def _chosen(value: str, allowed: tuple[str, ...], what: str) -> frozenset[str]:
    words = frozenset(value.lower().split(","))
    if not words <= set(allowed):
        raise QueryError(f"{what} takes {', '.join(allowed[:-1])} or {allowed[-1]}")
    return words


def _read_status(value: str) -> Test:
    words = _chosen(value, _STATUS, "status")

    def test(row: Row, around: QueryContext) -> bool | None:
        if row.read and row.status in words:
            return True
        if session_status(row, now_ms=around.now()) in words:
            return True
        return False if row.read else None

    return test


def _read_agent(value: str) -> Test:
    words = _chosen(value, _AGENTS, "agent")
    return lambda row, _: row.agent in words if row.read else None


def _read_is(value: str) -> Test:
    words = _chosen(value, _IS, "is")

    def test(row: Row, around: QueryContext) -> bool | None:
        if "pinned" in words and around.pinned(row.path):
            return True
        if words & around.kinds(row.path):
            return True
        if "empty" in words and around.empty(row):
            return True
        if "live" in words and session_status(row, now_ms=around.now()) in _LIVE:
            return True
        return False if row.read or words == {"pinned"} else None

    return test


def _read_has(value: str) -> Test:
    words = _chosen(value, _HAS, "has")
    return lambda row, around: bool(words & around.kinds(row.path))


def _read_text(
    value: str,
    *,
    what: str,
    texts: Callable[[Row, QueryContext], tuple[str, ...]],
    known: bool,
    cut: bool,
) -> Test:
    if not value:
        raise QueryError(what)
    wanted = value.lower()

    def test(row: Row, around: QueryContext) -> bool | None:
        if any(wanted in text.lower() for text in texts(row, around)):
            return True
        if cut and any(map(is_cut, texts(row, around))):
            return None
        return False if known or row.read else None

    return test


def is_cut(text: str) -> bool:
    """Tell whether a title or a first message may go on where it ends: no more of it is kept."""
    return len(text) >= TITLE_CHARACTERS


class FilterKey(NamedTuple):
    """A key of a filter query: what can stand before a colon."""

    example: str
    read: Callable[[str], Test]
    changes: bool = False
    """Whether its answer changes as time goes by."""


def _text_key(
    example: str,
    what: str,
    texts: Callable[[Row, QueryContext], tuple[str, ...]],
    *,
    known: bool = False,
    cut: bool = False,
) -> FilterKey:
    return FilterKey(example, partial(_read_text, what=what, texts=texts, known=known, cut=cut))


def _figure_key(example: str, expected: str, of: Callable[[SessionStats], float]) -> FilterKey:
    units = {"": 1} if expected is _COST else _UNITS
    return FilterKey(example, partial(_read_figure, of=of, expected=expected, units=units))


KEYS: Final[dict[str, FilterKey]] = {
    "status": FilterKey("status:error", _read_status, changes=True),
    "project": _text_key(
        "project:api", "part of the project's path", lambda row, around: (around.project(row),)
    ),
    "title": _text_key("title:retry", "part of the title", lambda row, _: (row.title,), cut=True),
    "age": FilterKey("age:<7d", _read_age, changes=True),
    "size": FilterKey("size:>5M", _read_size),
    "model": _text_key("model:opus", "part of the model's name", lambda row, _: (row.model or "",)),
    "cost": _figure_key("cost:>1", _COST, lambda figures: figures.cost),
    "tokens": _figure_key("tokens:>100k", _TOKENS, lambda figures: figures.tokens.total),
    "turns": _figure_key("turns:>10", _COUNT, lambda figures: figures.turns),
    "is": FilterKey("is:pinned", _read_is, changes=True),
    "has": FilterKey("has:subagents", _read_has),
    "agent": FilterKey("agent:omp", _read_agent),
    "created": FilterKey("created:>2026-01-31", partial(_read_day, created=True)),
    "modified": FilterKey("modified:2026-01", partial(_read_day, created=False)),
    "entries": _figure_key("entries:>200", _COUNT, lambda figures: figures.entries),
    "path": _text_key("path:2026-01", "part of the path", lambda row, _: (row.path,), known=True),
    "id": _text_key(
        "id:0199a1", "part of the id", lambda row, _: (row.id or "", file_name(row.path))
    ),
}
"""By key how it is read, in the order in which they are told."""
