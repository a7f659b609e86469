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

from sessiontui.formats.claude import Registry, claude_root_of, claude_roots, read_registry
from sessiontui.formats.codex import codex_evidence, codex_root_of, codex_roots, keeps_locks
from sessiontui.formats.evidence import Evidence, strongest
from sessiontui.formats.omp import omp_evidence
from sessiontui.formats.processes import open_files

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from sessiontui.formats.processes import Process

__all__ = ["Again", "Evidence", "LiveAgents", "Worker"]

_PROGRAMS: Final = ("omp", "pi", "claude", "codex")
_SHARE: Final = 0.05
"""So much of the time looks may take in the long run,"""
_AT_ONCE_S: Final = 0.25
"""and so many seconds of work at once."""
_MOST_ROOTS: Final = 100

Looked = TypeVar("Looked")


class Worker(NamedTuple):
    """An agent at work in a folder; on which session, nothing tells."""

    agent: str
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
        self._claude = claude_roots(environ, home)
        self._codex = codex_roots(environ, home)
        self._registries: dict[Path, Again[Registry]] = {}
        self._open = Again(lambda: open_files(_PROGRAMS))

    def running(self, ids: Collection[str], file: Path | None) -> Evidence | None:
        """Return what registries and locks tell of a session.

        Args:
            ids: Its id, and those of the sessions it is part of.
            file: Where it lies, if on this machine's disk.
        """
        own = _roots_of(str(file.parent)) if file is not None else _Roots((), ())
        traces: list[Evidence | None] = []
        for root in dict.fromkeys((*own.claude, *self._claude)):
            sessions = self._registry(root).sessions
            traces += [sessions.get(one) for one in ids]
        for root in dict.fromkeys((*own.codex, *self._codex)):
            traces += [codex_evidence(root, one) for one in ids]
        if file is not None:
            traces.append(omp_evidence(file))
        return strongest(traces)

    def writer(self, file: Path) -> Evidence | None:
        """Return who has a session open for writing, or one in its folder: a guess."""
        written = self._open.look().written
        if not written:
            return None
        place = os.path.realpath(file)
        folder = place.removesuffix(".jsonl") + "/"
        for path, process in written.items():
            if path == place or path.startswith(folder):
                called = process.command[0] if process.command else "a process"
                return Evidence("maybe", f"{called} (pid {process.pid}) has it open for writing")
        return None

    def workers(self) -> Iterator[Worker]:
        """Yield the agents of which nothing tells which session they have."""
        folders = self._open.look().folders
        if not folders:
            return
        known: set[int] = set()
        for root in self._claude:
            known |= self._registry(root).pids
        locked = any(map(keeps_locks, self._codex))
        for process, folder in folders.items():
            agent = next(name for name in _PROGRAMS if process.is_called(name))
            if process.pid not in known and not (agent == "codex" and locked):
                yield Worker(agent, process, folder)

    def _registry(self, root: Path) -> Registry:
        again = self._registries.get(root)
        if again is None:
            if len(self._registries) >= _MOST_ROOTS:
                self._registries.clear()
            again = Again(lambda: read_registry(root, self._clock()))
            self._registries[root] = again
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


class _Roots(NamedTuple):
    claude: tuple[Path, ...]
    codex: tuple[Path, ...]


@lru_cache(maxsize=4096)
def _roots_of(folder: str) -> _Roots:
    """Return the agents' folders to which a session in this folder belongs, as named and really."""
    places = dict.fromkeys((Path(folder, "x"), Path(os.path.realpath(folder), "x")))
    claude = dict.fromkeys(claude_root_of(place) for place in places)
    codex = dict.fromkeys(codex_root_of(place) for place in places)
    return _Roots(
        tuple(root for root in claude if root is not None),
        tuple(root for root in codex if root is not None),
    )
