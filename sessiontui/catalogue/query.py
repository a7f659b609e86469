"""What the user types to find a session, how well a session fits, and which characters do.

A query is words and conditions; a session fits when all of them do. A word fits
where it stands in the title, project, id, path or first message, or where its
letters follow one another in the title or the project. Case makes no difference.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Final

from sessiontui.catalogue.conditions import KEYS, Condition
from sessiontui.catalogue.grammar import parse
from sessiontui.catalogue.haystacks import FIELD_LENGTH, fold
from sessiontui.catalogue.order import file_name, folder_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from sessiontui.catalogue.grammar import Text
    from sessiontui.catalogue.row import Row
    from sessiontui.catalogue.special import Surroundings

_AT_START, _AT_WORD, _IN_TITLE = 1000, 800, 600
_INITIALS = 500
_IN_PROJECT, _IN_NAME, _IN_FOLDER, _IN_MESSAGE = 450, 350, 300, 250
_LETTERS = 200
"""Of letters that only follow one another; less the further apart they stand."""


_WORTH: Final = 4
"""Sifting is given up where more than one in so many haystacks may fit."""


def _hits(texts: Sequence[str], finder: Callable[[str], Callable[[int], int]]) -> Iterator[int]:
    """Yield which of the texts hold something, looking through all of them as one.

    Args:
        texts: Each without what is looked for across its end and a line feed.
        finder: Makes of the one text what tells where the next hit is, -1 for none.
    """
    starts = list(accumulate((len(text) + 1 for text in texts), initial=0))
    find = finder("\n".join(texts))
    at = find(0)
    while at >= 0:
        number = bisect_right(starts, at) - 1
        yield number
        at = find(starts[number + 1])


class _Word:
    """One word of a query, or a phrase, whose letters must stand together."""

    def __init__(self, word: str, *, exact: bool = False) -> None:
        self.text = word
        self._exact = exact
        self.length = len(word)
        escaped = [re.escape(char) for char in word]
        # Possessive and atomic: each letter is taken at its first place and never reconsidered,
        # which finds every fit and keeps the time linear whatever the text.
        self._letters = re.compile("".join(f"[^{char}]*+{char}" for char in escaped))
        self._line = re.compile("".join([escaped[0], *(rf"[^{c}\n]*+{c}" for c in escaped[1:])]))
        self._initials = re.compile("".join(rf"(?>.*?(?<![^\W_]){char})" for char in escaped))

    def score(self, hay: str) -> int:
        """Return how well the word fits a haystack; 0: not at all."""
        title_end = hay.find("\n")
        found = hay.find(self.text)
        if 0 <= found < title_end:
            if found == 0:
                return _AT_START
            return _AT_WORD if hay.find(" " + self.text, 0, title_end) >= 0 else _IN_TITLE
        if self._exact and found < 0:
            return 0
        if (loose := self._loose(hay, 0, title_end)) == _INITIALS:
            return loose
        project_end = hay.find("\n", title_end + 1)
        if found >= 0:
            return self._elsewhere(hay, found, project_end)
        return max(loose, self._loose(hay, title_end + 1, project_end) * 3 // 4)

    def sift(self, hays: Sequence[str], names: Sequence[str]) -> Iterator[int]:
        """Yield the numbers of all haystacks that may fit, some maybe twice."""
        yield from _hits(hays, lambda text: lambda at: text.find(self.text, at))
        if self.length > 1 and not self._exact:
            yield from _hits(names, self._find_loose)

    def _find_loose(self, text: str) -> Callable[[int], int]:
        def find(at: int) -> int:
            match = self._line.search(text, at)
            return -1 if match is None else match.start()

        return find

    def _elsewhere(self, hay: str, found: int, project_end: int) -> int:
        if found < project_end:
            return _IN_PROJECT + (50 if hay[found - 1] in "/\n" else 0)
        name_end = hay.find("\n", project_end + 1)
        if found < name_end:
            return _IN_NAME
        return _IN_FOLDER if found < hay.find("\n", name_end + 1) else _IN_MESSAGE

    def _loose(self, hay: str, start: int, end: int) -> int:
        """Return how well letters that follow one another between `start` and `end` fit."""
        match = self._letters.match(hay, start, end)
        if match is None or self.length == 1:
            return 0
        if self._initials.match(hay, start, end):
            return _INITIALS
        last = match.end() - 1
        first = last
        for char in reversed(self.text[:-1]):
            first = hay.rfind(char, start, first)
        return max(1, _LETTERS * self.length // (last - first + 1))

    def positions(self, text: str, *, loose: bool) -> Iterator[int]:
        """Yield which characters of a folded text fit; `loose` ones only follow one another."""
        found = 0 if text.startswith(self.text) else text.find(" " + self.text) + 1
        if not found and not text.startswith(self.text):
            found = text.find(self.text)
        if found >= 0:
            yield from range(found, found + self.length)
        elif loose and self.length > 1 and not self._exact:
            if self._initials.match(text):
                yield from self._initial_positions(text)
            elif (match := self._letters.match(text)) is not None:
                place = match.end()
                for char in reversed(self.text):
                    place = text.rfind(char, 0, place)
                    yield place

    def _initial_positions(self, text: str) -> Iterator[int]:
        place = -1
        for char in self.text:
            place = text.find(char, place + 1)
            while place > 0 and text[place - 1].isalnum():
                place = text.find(char, place + 1)
            yield place


class Query:
    """A parsed query.

    Raises:
        QueryError: It cannot be understood.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        terms = list(parse(text))
        self.conditions = [term for term in terms if isinstance(term, Condition)]
        texts = [term for term in terms if not isinstance(term, Condition)]
        self._words = [
            _Word(word, exact=exact)
            for word, exact in dict.fromkeys(
                (fold(term.text), term.exact)
                for term in texts
                if term.pattern is None and not term.negated
            )
        ]
        self._barred = [fold(term.text) for term in texts if term.pattern is None and term.negated]
        self._patterns = [term for term in texts if term.pattern is not None]
        self.timed = any(KEYS[term.key].changes for term in self.conditions)
        """Whether what fits changes as time goes by."""
        self.about_empty = any("empty" in term.value for term in self.conditions)
        """Whether it asks for sessions without any message."""
        words_alone = _all_words(texts) and not self.timed
        self._plain = " ".join(fold(text).split()) if words_alone else None
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
        """Whether there is more to it than words."""
        return bool(self.conditions or self._patterns)

    def score(self, hay: str) -> int:
        """Return how well the words fit a haystack, larger is better; 0: not at all."""
        if self._barred and any(barred in hay for barred in self._barred):
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

    def holds(self, row: Row, around: Surroundings) -> bool | None:
        """Tell whether patterns and conditions hold for a session; None: not known yet."""
        told: bool | None = True
        for condition in self.conditions:
            holds = condition.holds(row, around)
            if holds is False:
                return False
            told = told and holds
        for term in self._patterns:
            found = term.pattern is not None and any(
                term.pattern.found_in(text) for text in _searched(row, around)
            )
            if found == term.negated:
                return False
        return told

    def sift(self, hays: Sequence[str], names: Sequence[str]) -> Collection[int]:
        """Return the numbers of the haystacks worth scoring: all that fit are among them.

        That costs a fraction of scoring them where few fit, since they are searched as one text.

        Args:
            hays: Haystacks.
            names: Of each, what `names_of` returns.
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
            loose: Whether letters count that only follow one another.
        """
        folded = fold(text[:FIELD_LENGTH])
        places = {place for word in self._words for place in word.positions(folded, loose=loose)}
        for term in self._patterns:
            if term.pattern is not None and not term.negated:
                places.update(term.pattern.positions(text))
        return frozenset(places)


def _all_words(texts: Sequence[Text]) -> bool:
    """Tell whether there is nothing but words, so that more letters only narrow."""
    return not any(term.exact or term.negated or term.pattern for term in texts)


def _searched(row: Row, around: Surroundings) -> Iterator[str]:
    """Yield what patterns are tried on."""
    yield row.title
    yield around.project(row)
    yield row.first_message
    yield file_name(row.path)
    yield folder_of(row.path)
    yield row.id or ""
