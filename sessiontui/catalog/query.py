"""The filter's query: how it is written, how well a session matches it, and where.

A query is words, `"phrases"`, `key:value` and `re:/…/`, each negated by `-`; a session
matches when all of them do. A word matches where it stands in the title, project, id, path or
first message, or where its letters follow one another in the title or the project. Case
makes no difference.

Whatever is typed is a query or an error that says what is allowed. A word with a
colon in it is a word where what stands before it cannot be meant as a key
(`https://…`, `12:30`, `localhost:8080`, `fix: it`).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from difflib import get_close_matches
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Final, NamedTuple

from sessiontui.catalog.conditions import CHOICES, KEYS, Condition, is_cut, make_condition
from sessiontui.catalog.safe_regex import SafePattern, safe_pattern
from sessiontui.catalog.search_text import (
    FIELD_LENGTH,
    MARK,
    fold_case,
    id_starts,
    words_of_name,
)
from sessiontui.catalog.sorting import file_name, folder_of
from sessiontui.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from sessiontui.catalog.pinned import QueryContext
    from sessiontui.catalog.row import Row

LONGEST_QUERY: Final = 1_000
"""Characters."""
_MOST: Final = 32
"""Words and conditions."""

_ENDINGS: Final = (
    "1", "d", "1d", ">1", ">1d", "..1", "..1d", "d..1d", ".1", ".1d", "2026", "026", "26", "6",
    '"', 'x"', "999t", "99y", "d..99y", "..99y", "..999t",
    "01", "-01", "..2026", ".2026", "omp", "error", "pinned", "forks", "/", "/1/", ")/", "]/", "1/",
)  # fmt: skip
"""What may follow the beginning of a condition, one of each kind."""

_KEY = re.compile(r"([A-Za-z]{2,12}):(?!//|:)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)("?)', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_PATTERN = re.compile(r"/((?:[^/\\]|\\.)*+)(/?)(\S*)")
_PLAIN = re.compile(r"\S+")
_BLANK = re.compile(r"\s*")


class QueryTerm(NamedTuple):
    """A term of a query: a word, a phrase or a regular expression."""

    text: str
    """A word or a phrase as it was typed, without quotes."""
    exact: bool = False
    """Whether its letters must stand together."""
    negated: bool = False
    pattern: SafePattern | None = None


def parse_query(text: str) -> Iterator[QueryTerm | Condition]:
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
            phrase, at = _quoted(text, at, closed=negated)
            if not phrase.strip():
                raise QueryError('there is nothing between the quotes, like "flaky retry"')
            yield QueryTerm(phrase, exact=True, negated=negated)
        elif key is not None and key[1].lower() == "re":
            found, at = _pattern(text, key.end())
            yield QueryTerm("", negated=negated, pattern=found)
        elif key is not None and _is_key(text, key):
            value, at = _value(text, key.end(), closed=negated)
            yield make_condition(text[begin:at], key[1].lower(), value, negated=negated)
        else:
            word, at = _plain(text, at)
            if negated and (":" in word or "\uff1a" in word):
                raise QueryError(f"“-{word}” is not a condition (to match it as text, quote it)")
            yield QueryTerm(word, exact=negated, negated=negated)
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
        return bool(list(parse_query(text)))
    except QueryError:
        return False


def query_hint(text: str) -> str:
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
    meant = f"did you mean “{near[0]}”?" if near else f"there are {', '.join(KEYS)} and re"
    raise QueryError(f"unknown filter “{key[1]}”, {meant} (to match it as text, quote it)")


def _plain(text: str, at: int) -> tuple[str, int]:
    match = _PLAIN.match(text, at)
    return (text[at:], len(text)) if match is None else (match[0], match.end())


def _quoted(text: str, at: int, *, closed: bool) -> tuple[str, int]:
    """Return what stands in quotes; without a second one everything up to the end.

    Args:
        text: The query.
        at: Where the first quote stands.
        closed: Whether there must be a second one, as where what follows would be ruled out.
    """
    match = _QUOTED.match(text, at)
    if closed and (match is None or not match[2]):
        raise QueryError("the quotes are not closed")
    if match is None:
        return text[at + 1 :], len(text)
    return _ESCAPE.sub(r"\1", match[1]), match.end()


def _value(text: str, at: int, *, closed: bool) -> tuple[str, int]:
    if at < len(text) and text[at] == '"':
        return _quoted(text, at, closed=closed)
    match = _PLAIN.match(text, at)
    return ("", at) if match is None else (match[0], match.end())


def _pattern(text: str, at: int) -> tuple[SafePattern, int]:
    match = _PATTERN.match(text, at)
    if match is None:
        raise QueryError("a pattern stands between slashes, like re:/time(d )?out/i")
    if not match[2]:
        raise QueryError("the pattern has no slash at its end, like re:/time(d )?out/i")
    return safe_pattern(match[1].replace("\\/", "/"), match[3]), match.end()


_AT_START, _AT_WORD, _IN_TITLE = 1000, 800, 600
_IN_PROJECT, _IN_NAME, _IN_FOLDER, _IN_MESSAGE = 450, 350, 300, 250

_LETTERS = 200
"""Of letters that stand apart; less the further."""
_LITERALLY = 200
"""What a word that stands as typed is worth more than any letters."""
_LEAST_LETTERS = 2
_BEGIN = re.compile(r"(?<![^\W_]).", re.DOTALL)
"""The beginning of a word, and what is no letter of one."""

_WORTH: Final = 4
"""Sifting is given up where more than one in so many haystacks may fit."""


def _hits(texts: Sequence[str], finder: Callable[[str], Callable[[int], int]]) -> Iterator[int]:
    """Yield which of the texts hold something, looking through all of them as one.

    Args:
        texts: Each without what is looked for across its end and a line feed.
        finder: Makes of the one text what tells where the next match is, -1 for none.
    """
    starts = list(accumulate((len(text) + 1 for text in texts), initial=0))
    find = finder("\n".join(texts))
    at = find(0)
    while at >= 0:
        number = bisect_right(starts, at) - 1
        yield number
        at = find(starts[number + 1])


class _Word:
    """One word of a query, or a phrase."""

    def __init__(self, word: str) -> None:
        self.text = word
        self.length = len(word)
        self._marked = MARK + word

    def score(self, hay: str) -> int:
        """Return how well the word fits a haystack as it was typed; 0: not at all."""
        ids = hay.rfind("\n")
        found = hay.find(self.text, 0, ids)
        if found < 0:
            return _IN_NAME if hay.find(self._marked, ids) >= 0 else 0
        title_end = hay.find("\n")
        if found < title_end:
            if found == 0:
                return _AT_START
            return _AT_WORD if hay.find(" " + self.text, 0, title_end) >= 0 else _IN_TITLE
        return self._elsewhere(hay, found, hay.find("\n", title_end + 1))

    def fits(self, hay: str) -> bool:
        """Tell whether the word stands in a haystack as it was typed."""
        ids = hay.rfind("\n")
        return hay.find(self.text, 0, ids) >= 0 or hay.find(self._marked, ids) >= 0

    def sift(self, hays: Sequence[str], _names: Sequence[str]) -> Iterator[int]:
        """Yield the numbers of all haystacks that may fit, some maybe twice."""
        return _hits(hays, lambda text: lambda at: text.find(self.text, at))

    def _elsewhere(self, hay: str, found: int, project_end: int) -> int:
        if found < project_end:
            return _IN_PROJECT + (50 if hay[found - 1] in "/\n" else 0)
        name_end = hay.find("\n", project_end + 1)
        if found < name_end:
            return _IN_NAME
        return _IN_FOLDER if found < hay.find("\n", name_end + 1) else _IN_MESSAGE

    def positions(self, text: str, *, loose: bool) -> Iterator[int]:  # noqa: ARG002 - of `_Letters`
        """Yield which characters of a folded text fit; `loose` ones may stand apart."""
        found = 0 if text.startswith(self.text) else text.find(" " + self.text) + 1
        if not found and not text.startswith(self.text):
            found = text.find(self.text)
        if found >= 0:
            yield from range(found, found + self.length)


class _Letters(_Word):
    """A word of which the letters may stand apart: beginnings of words, one after the other."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        escaped = [re.escape(char) for char in word]
        # Possessive: each letter is taken at its first place and never reconsidered,
        # which keeps the time linear whatever the text.
        self._line = re.compile("".join([escaped[0], *(rf"[^{c}\n]*+{c}" for c in escaped[1:])]))

    def score(self, hay: str) -> int:
        """Return how well the word fits a haystack, as it was typed or by its letters."""
        if score := super().score(hay):
            return score + _LITERALLY
        title_end = hay.find("\n")
        if places := self._places(hay[:title_end]):
            return _closeness(places)
        project = hay[title_end + 1 : hay.find("\n", title_end + 1)]
        return max(1, _closeness(places) * 3 // 4) if (places := self._places(project)) else 0

    def sift(self, hays: Sequence[str], names: Sequence[str]) -> Iterator[int]:
        """Yield the numbers of all haystacks that may fit, some maybe twice."""
        yield from super().sift(hays, names)
        if self.length > 1:
            yield from _hits(names, self._find)

    def _find(self, text: str) -> Callable[[int], int]:
        def find(at: int) -> int:
            match = self._line.search(text, at)
            return -1 if match is None else match.start()

        return find

    def positions(self, text: str, *, loose: bool) -> Iterator[int]:
        """Yield which characters of a folded text fit; `loose` ones may stand apart."""
        if loose and self.text not in text:
            yield from self._places(text)
        else:
            yield from super().positions(text, loose=False)

    def _places(self, text: str) -> list[int]:
        """Return where the letters stand, each at the beginning of a word or after the last one.

        Sets of places are numbers with a bit for each, so that the time is linear in the word
        whatever the text.
        """
        if self.length < _LEAST_LETTERS or self._line.search(text) is None:
            return []
        begins = sum(1 << match.start() for match in _BEGIN.finditer(text))
        reached = [_bits(text, self.text[0]) & begins]
        for char in self.text[1:]:
            last = reached[-1]
            if not last:
                return []
            later = begins & -((last & -last) << 1)
            reached.append(_bits(text, char) & (last << 1 | later))
        if not reached[-1]:
            return []
        places = [(reached[-1] & -reached[-1]).bit_length() - 1]
        for before in reversed(reached[:-1]):
            place = places[-1]
            if before >> (place - 1) & 1:
                places.append(place - 1)
            else:
                places.append((before & ((1 << place) - 1)).bit_length() - 1)
        return places[::-1]


def _bits(text: str, char: str) -> int:
    """Return the places of a character as a number with a bit for each."""
    bits, at = 0, text.find(char)
    while at >= 0:
        bits |= 1 << at
        at = text.find(char, at + 1)
    return bits


def _closeness(places: Sequence[int]) -> int:
    """Return how close letters stand together."""
    return max(1, _LETTERS * len(places) // (places[-1] - places[0] + 1))


class Query:
    """A parsed query.

    Args:
        text: What was typed.
        similar: Whether words fit by their letters too.

    Raises:
        QueryError: It cannot be understood.
    """

    def __init__(self, text: str, *, similar: bool = False) -> None:
        self.text = text
        self.similar = similar
        """Whether sessions fit that do not hold the words as they were typed."""
        terms = list(parse_query(text))
        self.conditions = [term for term in terms if isinstance(term, Condition)]
        texts = [term for term in terms if not isinstance(term, Condition)]
        self._words = [
            _Letters(word) if similar and not exact else _Word(word)
            for word, exact in dict.fromkeys(
                (fold_case(term.text), term.exact)
                for term in texts
                if term.pattern is None and not term.negated
            )
        ]
        self._barred = [
            _Word(fold_case(term.text)) for term in texts if term.pattern is None and term.negated
        ]
        self._patterns = [term for term in texts if term.pattern is not None]
        self.timed = any(KEYS[term.key].changes for term in self.conditions)
        """Whether what fits changes as time goes by."""
        self.about_empty = any("empty" in term.value for term in self.conditions)
        """Whether it asks for sessions without any message."""
        self.may_be_similar = any(
            not term.exact and term.pattern is None and len(term.text) >= _LEAST_LETTERS
            for term in texts
        )
        """Whether there are words that could fit by their letters."""
        words_alone = _all_words(texts) and not self.timed
        self._plain = " ".join(fold_case(text).split()) if words_alone else None
        self._asked = [(term.key, term.value, term.negated) for term in self.conditions]

    def __bool__(self) -> bool:
        """Tell whether there is anything to find."""
        return bool(self._words or self._barred or self._patterns or self.conditions)

    @property
    def worded(self) -> bool:
        """Whether some sessions fit better than others."""
        return bool(self._words)

    @property
    def spoken(self) -> bool:
        """Whether haystacks matter at all."""
        return bool(self._words or self._barred)

    @property
    def patterned(self) -> bool:
        """Whether there are patterns in it."""
        return bool(self._patterns)

    @property
    def conditional(self) -> bool:
        """Whether there is more to it than words that have to be there."""
        return bool(self.conditions or self._patterns or self._barred)

    def score(self, hay: str) -> int:
        """Return how well the words fit a haystack, larger is better; 0: not at all."""
        if self._barred and any(barred.fits(hay) for barred in self._barred):
            return 0
        if len(self._words) == 1:
            return self._words[0].score(hay)
        total = 0
        for word in self._words:
            score = word.score(hay)
            if not score:
                return 0
            total += score
        return total or 1

    def holds(self, row: Row, around: QueryContext) -> bool | None:
        """Tell whether patterns and conditions hold for a session; None: not known yet."""
        told: bool | None = True
        for each in self.conditions:
            holds = each.holds(row, around)
            if holds is False:
                return False
            told = told and holds
        for term in self._patterns:
            found = _is_found(term, row, around)
            if found is (term.negated):
                return False
            told = told if found is not None else None
        if self._barred and is_cut(row.title):
            return None
        if not row.read and (self._barred or any(term.negated for term in self._patterns)):
            return None  # What must not be in it may yet be found there.
        return told

    def sift(self, hays: Sequence[str], names: Sequence[str]) -> Collection[int]:
        """Return the numbers of the haystacks worth scoring: all that fit are among them.

        That costs a fraction of scoring them where few fit, since they are searched as one text.

        Args:
            hays: Haystacks.
            names: Of each, what `name_lines` returns.
        """
        left: Collection[int] = range(len(hays))
        for word in self._words:
            most = len(hays) // _WORTH
            found = list(islice(word.sift(hays, names), most + 1))
            if len(found) <= most:
                left = sorted(set(found).intersection(left))
        return left

    def narrows(self, other: Query) -> bool:
        """Tell whether whatever fits this query fits the other one too, as far as is obvious."""
        if self._plain is None or other._plain is None:
            return False
        return self._asked == other._asked and self._plain.startswith(other._plain)

    def positions(self, text: str, *, loose: bool = True) -> frozenset[int]:
        """Return which characters of a shown text to light up.

        Args:
            text: As it is shown.
            loose: Whether letters count that stand apart, where the query takes such.
        """
        folded = fold_case(text[:FIELD_LENGTH])
        places = {place for word in self._words for place in word.positions(folded, loose=loose)}
        return self._with_patterns(places, text)

    def positions_in_name(self, name: str) -> frozenset[int]:
        """Return which characters of a file's name or an id to light up."""
        folded = fold_case(name[:FIELD_LENGTH])
        spoken = fold_case(words_of_name(name)[:FIELD_LENGTH])
        places: set[int] = set()
        for word in self._words:
            places.update(word.positions(spoken, loose=False))
            for start in id_starts(name):
                if folded.startswith(word.text, start):
                    places.update(range(start, start + word.length))
        return self._with_patterns(places, name)

    def _with_patterns(self, places: set[int], text: str) -> frozenset[int]:
        for term in self._patterns:
            if term.pattern is not None and not term.negated:
                places.update(term.pattern.positions(text))
        return frozenset(places)


def _is_found(term: QueryTerm, row: Row, around: QueryContext) -> bool | None:
    """Tell whether a pattern is found; None where it must not be, and was not tried on all."""
    if term.pattern is None:
        return False
    whole = True
    for text in _searched(row, around):
        if term.pattern.found_in(text):
            return True
        whole = whole and len(text) <= term.pattern.length
    return None if term.negated and not (whole and not is_cut(row.title)) else False


def _all_words(texts: Sequence[QueryTerm]) -> bool:
    """Tell whether there is nothing but words, so that more letters only narrow."""
    return not any(term.exact or term.negated or term.pattern for term in texts)


def _searched(row: Row, around: QueryContext) -> Iterator[str]:
    """Yield what patterns are tried on."""
    yield row.title
    yield around.project(row)
    yield row.first_message
    yield file_name(row.path)
    yield folder_of(row.path)
    yield row.id or ""
