"""What agents tell of the sessions that they run, whichever agent it is.

    agents = LiveAgents(environ, home, clock)
    evidence = agents.running(ids, file)      # proof: registries and locks
    evidence = agents.writer(file)            # a guess

Reading costs what the registries hold: a handful of small files, and never a session.
"""

from __future__ import annotations

import os
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from sessiontui.formats.base import Evidence, strongest
from sessiontui.formats.processes import open_files
from sessiontui.formats.registry import AGENTS, FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from sessiontui.formats.base import Agent, Format, LiveRegistry
    from sessiontui.formats.processes import Process

__all__ = ["Again", "Evidence", "LiveAgents", "Worker"]

_SHARE: Final = 0.05
"""So much of the time looks may take in the long run,"""
_AT_ONCE_S: Final = 0.25
"""and so many seconds of work at once."""
_MOST_ROOTS: Final = 100

Looked = TypeVar("Looked")


class Worker(NamedTuple):
    """An agent at work in a folder; on which session, nothing tells."""

    agent: Agent
    process: Process
    folder: str


class LiveAgents:
    """Looks for what agents tell.

    Args:
        environ: Environment variables, which may move the agents' folders.
        home: The user's home folder.
        clock: The time in milliseconds since the epoch.
    """

    def __init__(self, environ: Mapping[str, str], home: Path, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._homes = [(one, root) for one in FORMATS for root in one.homes(environ, home)]
        self._registries: dict[tuple[Agent, Path], Again[LiveRegistry | None]] = {}
        self._open = Again(lambda: open_files(AGENTS))

    def running(self, ids: Collection[str], file: Path | None) -> Evidence | None:
        """Return what registries and locks tell of a session.

        Args:
            ids: Its id, and those of the sessions it is part of.
            file: Where it lies, if on this machine's disk.
        """
        own = _homes_of(str(file.parent)) if file is not None else ()
        traces: list[Evidence | None] = []
        for fmt, root in dict.fromkeys((*own, *self._homes)):
            registry = self._registry(fmt, root)
            if registry is not None:
                traces += [registry.evidence(one) for one in ids]
        if file is not None:
            traces += [fmt.lock(file) for fmt in FORMATS]
        return strongest(traces)

    def writer(self, file: Path) -> Evidence | None:
        """Return who has a session open for writing, or one in its folder: a guess."""
        written = self._open.look().written
        if not written:
            return None
        place = os.path.realpath(file)
        folders = {fmt.side_folder(place) for fmt in FORMATS}
        for path, process in written.items():
            if path == place or path.startswith(tuple(folders)):
                called = process.command[0] if process.command else "a process"
                return Evidence("maybe", f"{called} (pid {process.pid}) has it open for writing")
        return None

    def workers(self) -> Iterator[Worker]:
        """Yield the agents of which nothing tells which session they have."""
        folders = self._open.look().folders
        if not folders:
            return
        registries = [(one.agent, self._registry(one, root)) for one, root in self._homes]
        for process, folder in folders.items():
            agent = next(name for name in AGENTS if process.is_called(name))
            told = (registry for name, registry in registries if name == agent)
            if not any(one is not None and one.accounts_for(process) for one in told):
                yield Worker(agent, process, folder)

    def _registry(self, fmt: Format, root: Path) -> LiveRegistry | None:
        again = self._registries.get((fmt.agent, root))
        if again is None:
            if len(self._registries) >= _MOST_ROOTS:
                self._registries.clear()
            again = Again(lambda: fmt.live(root, self._clock()))
            self._registries[fmt.agent, root] = again
        return again.look()


class Again(Generic[Looked]):
    """Looks again each time, unless that is asked for so often that it would cost too much.

    Of many sessions in a row most of the time goes into the sessions: so long as looks took
    more than a share of the time, what the last one found is taken again.
    """

    def __init__(self, look: Callable[[], Looked]) -> None:
        self._look = look
        self._found: Looked | None = None
        self._left_s = _AT_ONCE_S
        self._at_s = time.monotonic()

    def look(self) -> Looked:
        """Return what there is."""
        now_s = time.monotonic()
        self._left_s = min(_AT_ONCE_S, self._left_s + (now_s - self._at_s) * _SHARE)
        self._at_s = now_s
        if self._found is None or self._left_s > 0:
            before_s = time.thread_time()
            self._found = self._look()
            self._left_s -= time.thread_time() - before_s
        return self._found


@lru_cache(maxsize=4096)
def _homes_of(folder: str) -> tuple[tuple[Format, Path], ...]:
    """Return the agents' homes to which a session in this folder belongs, as named and really."""
    places = dict.fromkeys((Path(folder, "x"), Path(os.path.realpath(folder), "x")))
    found = ((fmt, fmt.home_of(place)) for fmt in FORMATS for place in places)
    return tuple(dict.fromkeys((fmt, root) for fmt, root in found if root is not None))
