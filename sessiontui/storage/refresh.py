"""Reads everything anew, aside, and shows it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sessiontui.storage.artifacts import odd_names
from sessiontui.storage.backend import Stat
from sessiontui.storage.operation import Operation
from sessiontui.storage.sync import chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sessiontui.storage.change_detector import Finding, Observer


class Refresh(Operation):
    """Compares the whole store with the mirror; holds every session meanwhile.

    Args:
        observer: Looks at what differs.
        warn: Takes what is wrong with the store.
    """

    structural: ClassVar[bool] = False
    changes: ClassVar[bool] = False
    persistent: ClassVar[bool] = False

    def __init__(self, observer: Observer, warn: Callable[[Iterable[str]], None]) -> None:
        super().__init__((), ("",))
        self._observer = observer
        self._warn = warn

    async def attempt(self) -> list[Finding]:
        """Read the index, then what differs; returns what was found."""
        seen: set[str] = set()
        differing: dict[str, Stat] = {}
        async for batch in self.backend.scan():
            self._warn((*batch.warnings, *odd_names(stat.path for stat in batch.stats)))
            for stat in batch.stats:
                seen.add(stat.path)
                if self._observer.differs(stat):
                    differing[stat.path] = stat
        gone = [Stat(path, 0, None) for path in self.mirror.confirmed if path not in seen]
        findings: list[Finding] = []
        for chunk in chunks([*differing.values(), *gone]):
            paths = [stat.path for stat in chunk]
            findings += await self._observer.look(paths, whole=self.mirror.resident)
        return findings

    def confirm(self, answer: list[Finding]) -> None:
        """Show what was found; the rest of long growth is read right after."""
        self.mirror.loaded = True
        self.touched = tuple(finding.path for finding in answer)
        self.look_at = tuple(self._observer.apply(answer))
