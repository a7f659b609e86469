"""Findings of the doctor as the screen shows them: in groups, each row a few cells wide."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from textual.content import Content

from sessiontui.app import format as formats
from sessiontui.doctor import KINDS, Finding, Kind, fix_words
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SHOWN_OF_KIND: Final = 500
"""How many findings of one kind are listed; all of them are repaired together."""
_OTHERS: Final = 4
_PLACES: Final = 4


class Line(NamedTuple):
    """A line of the list."""

    content: Content
    key: str | None
    """The finding's; None for a heading."""


class Findings:
    """What was found and is not repaired; knows no widget."""

    def __init__(self) -> None:
        self._of: defaultdict[Kind, dict[str, Finding]] = defaultdict(dict)
        self._reasons: dict[str, str] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return sum(map(len, self._of.values()))

    @property
    def repairable(self) -> int:
        """How many of them can be repaired."""
        return sum(found.fix is not None for some in self._of.values() for found in some.values())

    @property
    def notes(self) -> int:
        """How many of them are notes: nothing is wrong with these."""
        return sum(found.note for some in self._of.values() for found in some.values())

    def clear(self) -> None:
        """Forget all."""
        self._of.clear()
        self._reasons.clear()

    def add(self, findings: Iterable[Finding]) -> None:
        """Add some."""
        for finding in findings:
            self._of[finding.kind][key_of(finding)] = finding

    def remove(self, finding: Finding) -> None:
        """Take one away: it is repaired."""
        self._of[finding.kind].pop(key_of(finding), None)
        self._reasons.pop(key_of(finding), None)

    def refused(self, finding: Finding, reason: str) -> None:
        """Note why one could not be repaired."""
        self._reasons[key_of(finding)] = reason

    def get(self, key: str | None) -> Finding | None:
        """Return the finding of a line."""
        if key is None:
            return None
        return next((some[key] for some in self._of.values() if key in some), None)

    def like(self, finding: Finding) -> list[Finding]:
        """Return all of its kind that can be repaired."""
        return [found for found in self._of[finding.kind].values() if found.fix is not None]

    def lines(self, width: int) -> Iterator[Line]:
        """Yield the lines of the list, the gravest kind first."""
        for kind in KINDS:
            some = self._of.get(kind)
            if not some:
                continue
            heading = Content.assemble((KINDS[kind].name, "bold"), (f"  {len(some)}", "$past"))
            yield Line(heading, None)
            for key, finding in list(some.items())[:SHOWN_OF_KIND]:
                path = formats.cut_middle(clean(finding.path), max(20, width - 6))
                style = "$failed" if key in self._reasons else ""
                yield Line(Content.assemble("  ", (path, style)), key)
            if len(some) > SHOWN_OF_KIND:
                more = f"  and {formats.counted(len(some) - SHOWN_OF_KIND, 'more')}"
                yield Line(Content.styled(more.removesuffix("s"), "$past"), None)

    def told(self, finding: Finding, held: str | None) -> Content:
        """Return all that is to be said of a finding."""
        about = KINDS[finding.kind]
        lines = [Content.styled(about.meaning, "$past"), Content()]
        lines += [Content(clean(text)) for text in finding.evidence]
        lines += [Content(f"also {clean(path)}") for path in finding.others[:_OTHERS]]
        if len(finding.others) > _OTHERS:
            lines.append(Content(f"and {len(finding.others) - _OTHERS} more"))
        for place in finding.places[1:_PLACES]:
            lines.append(Content(f"at byte {place.offset:,}: {clean(place.reason)}"))
        lines.append(Content())
        if finding.fix is None:
            lines.append(Content.styled(about.remedy, "$past"))
        else:
            words = clean(fix_words(finding.fix))
            lines.append(Content.assemble(("Repair: ", "bold"), f"{words}."))
        if held is not None:
            waits = "It waits for an agent that may hold it open: "
            lines.append(Content.styled(f"{waits}{clean(held)}.", "$attention"))
        reason = self._reasons.get(key_of(finding))
        if reason is not None:
            lines.append(Content.styled(f"Not repaired: {reason}", "$failed"))
        return Content("\n").join(lines)


def key_of(finding: Finding) -> str:
    """Return what tells a finding from others, as a text."""
    return f"{finding.kind} {finding.path}"
