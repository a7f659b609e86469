"""What a server that took over does not have of what the one before had confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessiontui.storage.backend import Stat
    from sessiontui.storage.change_detector import Finding
    from sessiontui.storage.mirror import Mirror

TOOK_OVER: Final = "another server took over"
"""How the warning begins."""


class Losses:
    """Remembers the sessions that became shorter or vanished since all was well.

    Whether a server took over is known only once changes are followed again; a look may
    find before that what is missing. At most as many paths as there are sessions.

    Args:
        mirror: What was confirmed.
    """

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._paths: set[str] = set()

    def looked(self, findings: Iterable[Finding]) -> None:
        """Take in what a look found while changes are not followed."""
        for finding in findings:
            entry, seen = finding.entry, finding.seen
            if entry is not None and (seen is None or seen.stat.size < entry.size):
                self._paths.add(finding.path)

    def indexed(self, stats: Iterable[Stat]) -> None:
        """Take in a part of the index."""
        for stat in stats:
            known = self._mirror.confirmed.get(stat.path)
            if known is not None and stat.size < known.size:
                self._paths.add(stat.path)

    def missing(self, paths: Iterable[str]) -> None:
        """Take in what the index does not have."""
        self._paths.update(paths)

    def clear(self) -> None:
        """Forget all: no other server took over."""
        self._paths.clear()

    def take(self) -> list[str]:
        """Return the warning that tells of them, if there are any, and forget them."""
        paths = sorted(self._paths)
        self._paths.clear()
        if not paths:
            return []
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        return [
            f"{TOOK_OVER} and has less of {clean(paths[0])}{more}: "
            "what was written last may be lost"
        ]
